//! What counts as silence, how often it is said, and that a whole node says it as context that nothing votes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_evm::FeedEvent;
use watchfire_types::body::{Body, Finding};
use watchfire_types::{BlockTime, BlockView};

use super::*;
use crate::run::start::{Assembled, assemble, open};

const CHAIN: ChainId = ChainId::new(31337);

fn section(head_s: u64, endpoint_s: u64, member_s: u64) -> SilenceSection {
    let assets = ["vault-core", "market"].map(|name| name.parse().unwrap()).into();
    SilenceSection { assets, head_s: Some(head_s), endpoint_s: Some(endpoint_s), member_s: Some(member_s) }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn head(number: u64) -> BlockRef {
    BlockRef { chain: CHAIN, number, hash: B256::with_last_byte(7), time: BlockTime::from_secs(1_800_000_000) }
}

fn endpoint(healthy: bool) -> (ChainId, EndpointHealth) {
    let cause = if healthy { String::new() } else { "says otherwise".to_owned() };
    (CHAIN, EndpointHealth { name: "own".to_owned(), operator: "op-alder".parse().unwrap(), healthy, cause })
}

fn heard(head_at: u64, healthy: bool, member_at: u64) -> Heard {
    Heard {
        heads: [(CHAIN, (head(5), at(head_at)))].into(),
        endpoints: vec![endpoint(healthy)],
        members: [("birch-1".parse().unwrap(), at(member_at))].into(),
    }
}

fn texts(quiet: &[Quiet]) -> Vec<&str> {
    quiet.iter().map(|one| one.text.as_str()).collect()
}

/// Each is told once it lasts longer than it may; an endpoint from when it was first seen so, and anew when it recovered in between.
#[test]
fn each_silence_has_its_own_bound() {
    let mut silence = Silence::default();
    let section = section(60, 30, 600);
    assert_eq!(texts(&silence.quiet(&section, &heard(100, false, 100), at(160))), Vec::<&str>::new());
    let quiet = silence.quiet(&section, &heard(100, false, 100), at(191));
    let told = [
        "head-stale: no block of chain 31337 after 5 for 91 s",
        "endpoint-unusable: own of op-alder on chain 31337 for 31 s: says otherwise",
    ];
    assert_eq!(texts(&quiet), told);
    let member = silence.quiet(&section, &heard(700, true, 100), at(701));
    assert_eq!(texts(&member), ["member-silent: no heartbeat of birch-1 for 601 s"]);
    assert!(silence.quiet(&section, &heard(700, false, 700), at(720)).is_empty());
    assert!(silence.unusable.len() == 1 && silence.quiet(&section, &heard(700, false, 700), at(750)).is_empty());
    let again = silence.quiet(&section, &heard(740, false, 740), at(751));
    assert!(again[0].id != quiet[1].id, "another silence of the same endpoint");
    let nothing = SilenceSection { head_s: None, endpoint_s: None, member_s: None, ..section };
    assert!(silence.quiet(&nothing, &heard(0, false, 0), at(1 << 30)).is_empty());
}

proptest! {
    /// Of an asset a silence is said once while it lasts; one of a chain only of assets there; nothing is kept of what has ended.
    #[test]
    fn a_silence_is_said_once(heads in prop::collection::vec((0_u64..200, any::<bool>()), 1..40)) {
        let section = section(60, 30, 600);
        let mut silence = Silence::default();
        let chain_of = |asset: &AssetId| (asset.as_str() == "vault-core").then_some(CHAIN);
        let (mut said, mut clock) = (BTreeSet::new(), 1_000);
        for (step, healthy) in heads {
            clock += step;
            let quiet = silence.quiet(&section, &heard(1_000, healthy, 1_000), at(clock));
            let lasting: BTreeSet<&String> = quiet.iter().map(|one| &one.id).collect();
            for (asset, one) in silence.unsaid(&quiet, chain_of, &section.assets) {
                prop_assert!(one.chain.is_none() || asset.as_str() == "vault-core");
                prop_assert!(said.insert((asset.clone(), one.id.clone())), "{} was said already", one.id);
                silence.said.insert((asset, one.id));
            }
            prop_assert!(silence.said.iter().all(|(_, id)| lasting.contains(id)));
            prop_assert!(silence.said.len() <= 4 && silence.unusable.len() <= 1);
        }
    }
}

fn found(node: &Node) -> Vec<Finding> {
    let findings = node.driver.machine().events().filter_map(|event| match &event.body {
        Body::Finding(finding) => Some(finding.clone()),
        _ => None,
    });
    findings.collect()
}

/// A block came long ago and none after it: the node says so once, at that block, as context. Without the section it says nothing.
#[tokio::test]
async fn a_stale_head_is_a_finding_that_never_votes() {
    let (directory, config) = crate::run::fixture::directory();
    let file = directory.path().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "\n[silence]\nassets = [\"vault-core\"]\nhead_s = 60\n";
    std::fs::write(&file, text).unwrap();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    node.listen().await.unwrap();
    assert_eq!(found(&node), [], "nothing was ever heard");
    let view = BlockView {
        block: head(5),
        parent: B256::ZERO,
        base_fee: Some(1),
        transactions: Vec::new(),
        logs: Vec::new(),
        reads: BTreeMap::new(),
        agreed: BTreeSet::new(),
        unproved: false,
    };
    let arrived = Timestamp::from_millis(now().as_millis() - 61_500);
    node.on_feed(CHAIN, FeedEvent::Block { view: Box::new(view), finalized: None, arrived }).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Ready).await.unwrap();
    for _ in 0..3 {
        node.listen().await.unwrap();
    }
    let told = found(&node);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].kind.as_str(), told[0].detector.as_str(), told[0].block), ("report", SILENCE, head(5)));
    assert!(told[0].explanation.starts_with("missed: head-stale: no block of chain 31337 after 5 for 6"), "{told:?}");
    assert_eq!(told[0].figures["source"], "node");
    assert!(node.charter.is_context_finding(&told[0]));
    let votes = node.driver.machine().events().filter(|event| matches!(event.body, Body::Vote(_))).count();
    assert_eq!((votes, node.status().incidents.len()), (0, 1));

    node.config.silence = None;
    node.silence = Silence::default();
    node.listen().await.unwrap();
    assert_eq!(found(&node).len(), 1);
}
