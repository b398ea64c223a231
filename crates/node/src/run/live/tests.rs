//! What the chain says, against the charter and against what it was when this node first looked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_charter::live::{SINGLETON_SLOT, reads};
use watchfire_types::{B256, BlockTime, Bytes};

use super::*;
use crate::run::baseline::Baseline;
use crate::run::fixture::charter_text;

const CHAIN: ChainId = ChainId::new(31337);

/// A charter that pins a MultiSendCallOnly, which the answers below say has no code.
fn several_at_once() -> Charter {
    let text = charter_text(None).replace(
        "stagger_ms_min = 500",
        "stagger_ms_min = 500\nmulti_send_call_only = { address = \"0x9641d764fc13c8B624c04430C7356C1C7C8102e2\", code_hash = \
         \"0x0208282bd262360d0320862c5ac70f375f5ed3b9d89a83a615b4d398415bdc83\" }",
    );
    watchfire_charter::parse(&text).unwrap().0
}

/// Answers that name one singleton and nothing else.
fn report(charter: &Charter, singleton: u8) -> LiveReport {
    let safe = charter.safes.values().next().unwrap().address;
    let slot = Read::Storage { account: safe, slot: SINGLETON_SLOT };
    let answer = |read: Read| {
        let word = if read == slot { B256::left_padding_from(&[singleton; 20]) } else { B256::ZERO };
        let known = matches!(read, Read::Storage { .. } | Read::CodeHash { .. });
        let value = ReadOutcome::Value(Bytes::copy_from_slice(word.as_slice()));
        (read, if known { value } else { ReadOutcome::Unavailable("busy".to_owned()) })
    };
    let block = BlockRef { chain: CHAIN, number: 1, hash: B256::ZERO, time: BlockTime::default() };
    LiveReport {
        chain: CHAIN,
        block,
        answers: reads(charter, CHAIN).into_iter().map(answer).collect(),
        gas: BTreeMap::new(),
    }
}

/// A singleton that was exchanged while no process looked is told by the next one, stands as a doubt about the asset with what to
/// do, and ends when it is put back.
#[test]
fn an_exchange_during_downtime_is_seen() {
    let (charter, _) = watchfire_charter::parse(&charter_text(None)).unwrap();
    let asset = charter.assets.keys().next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let look = |facts: &mut LiveFacts, singleton: u8| {
        let mut baseline = Baseline::load(directory.path()).unwrap();
        let report = report(&charter, singleton);
        baseline.note(CHAIN, &report.answers).unwrap();
        facts.take(&charter, &baseline.of(CHAIN), report)
    };
    let mut first = LiveFacts::new(&charter, CHAIN, None);
    look(&mut first, 1);
    assert!(first.doubt_of(asset).is_none(), "{:?}", first.doubt_of(asset));

    let mut second = LiveFacts::new(&charter, CHAIN, None);
    let news = look(&mut second, 2);
    assert!(news.iter().any(|fact| fact.kind == "singleton-changed"), "{news:?}");
    assert_eq!(second.doubt_of(asset).unwrap().kind, "singleton-changed");
    let alarms = second.alarms(CHAIN, None);
    assert!(
        alarms.iter().any(|line| line.contains("singleton-changed") && line.contains("baseline.json")),
        "{alarms:?}"
    );
    assert!(look(&mut second, 2).iter().all(|fact| fact.kind != "singleton-changed"), "said once");
    look(&mut second, 1);
    assert!(second.doubt_of(asset).is_none(), "{:?}", second.doubt_of(asset));
}

/// A fault of the chain that names no asset makes every asset of it unsure.
#[test]
fn a_fault_of_no_asset_is_a_doubt_about_each() {
    let charter = several_at_once();
    let mut facts = LiveFacts::new(&charter, CHAIN, None);
    facts.take(&charter, &BTreeMap::new(), report(&charter, 1));
    let asset = charter.assets.keys().next().unwrap();
    assert_eq!(facts.doubt_of(asset).unwrap().kind, "multi-send-code");
}

/// What does not hold is not forgotten while the answer to it is missing; after a minute that is a doubt of its own.
#[test]
fn a_fault_stands_while_it_is_not_read() {
    let charter = several_at_once();
    let asset = charter.assets.keys().next().unwrap();
    let silent = || {
        let mut silent = report(&charter, 1);
        silent.answers.values_mut().for_each(|answer| *answer = ReadOutcome::Unavailable("busy".to_owned()));
        silent
    };
    let mut facts = LiveFacts::new(&charter, CHAIN, None);
    facts.take(&charter, &BTreeMap::new(), report(&charter, 1));
    facts.take(&charter, &BTreeMap::new(), silent());
    assert_eq!(facts.doubt_of(asset).unwrap().kind, "multi-send-code");

    let mut never = LiveFacts::new(&charter, CHAIN, None);
    never.take(&charter, &BTreeMap::new(), silent());
    assert!(never.doubt_of(asset).is_none(), "it may answer in a moment");
    never.unread_since = Instant::now().checked_sub(UNREAD_MAX * 2);
    never.take(&charter, &BTreeMap::new(), silent());
    assert_eq!(never.doubt_of(asset).unwrap().kind, NOT_READ);
}

/// Money is what the own operators say that an account holds; gas is the newest estimate, kept while the step is in effect.
#[test]
fn funds_and_gas_are_of_the_own_reading() {
    let (charter, _) = watchfire_charter::parse(&charter_text(None)).unwrap();
    let asset: AssetId = "vault-core".parse().unwrap();
    let submitter = charter.members.values().find_map(|member| member.submitter).unwrap();
    let mut facts = LiveFacts::new(&charter, CHAIN, None);
    assert_eq!((facts.balance_at(submitter), facts.gas_of(&asset)), (None, None));
    let mut first = report(&charter, 1);
    let wei = Bytes::copy_from_slice(&alloy::primitives::U256::from(7).to_be_bytes::<32>());
    assert!(
        first.answers.insert(Read::Balance { account: submitter }, ReadOutcome::Value(wei)).is_some(),
        "it is asked"
    );
    first.gas.insert(asset.clone(), 51_000);
    facts.take(&charter, &BTreeMap::new(), first);
    assert_eq!((facts.balance_at(submitter), facts.gas_of(&asset)), (Some(7), Some(51_000)));
    facts.take(&charter, &BTreeMap::new(), report(&charter, 1));
    assert_eq!(facts.gas_of(&asset), Some(51_000));
}
