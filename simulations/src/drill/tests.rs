//! What a drill refuses, and the shape of its answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::report::ether;
use super::*;
use crate::anvil::{Anvil, locate};
use crate::npm;

fn options() -> DrillOptions {
    let executable = PathBuf::from("/nonexistent/watchfire");
    DrillOptions { scenario: "vault-drain".to_owned(), keep: None, rpc: None, funder: None, executable, patience: 1 }
}

/// The ids of section 10 and no others.
#[test]
fn drill_chains() {
    for id in [31_337, 1_337, 2_004_221_952, 2_004_287_487] {
        assert!(is_drill_chain(id), "{id}");
    }
    for id in [0, 1, 10, 8_453, 11_155_111, 2_004_221_951, 2_004_287_488] {
        assert!(!is_drill_chain(id), "{id}");
    }
}

async fn anvil(chain_id: u64) -> Anvil {
    Anvil::start(&tokio::task::block_in_place(|| locate(&npm::aloud)).unwrap(), chain_id).await.unwrap()
}

/// A chain with mainnet's id is refused before a directory is made or the funder's key file is even opened; of the URL no
/// more is told than the place.
#[tokio::test(flavor = "multi_thread")]
async fn production_chain_ids_are_refused() {
    let anvil = anvil(1).await;
    let mut rpc = anvil.url().clone();
    rpc.set_query(Some("token=secret"));
    rpc.set_password(Some("hunter2")).unwrap();
    let base = tempfile::tempdir().unwrap();
    let keep = base.path().join("kept");
    let funder = Some(PathBuf::from("/nonexistent/key"));
    let refused = DrillOptions { rpc: Some(rpc), funder, keep: Some(keep.clone()), ..options() };
    let refused = run(refused, Arc::new(Quiet)).await.unwrap_err();
    assert!(matches!(refused, DrillError::ChainRefused { chain_id: 1, .. }), "{refused:?}");
    assert!(!keep.exists());
    let told = format!("{refused} {refused:?}");
    assert!(told.contains("http://127.0.0.1:") && !told.contains("hunter2") && !told.contains("secret"), "{told}");
}

/// A funder without the means is told before anything is set up, with what it takes.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_funder_is_refused() {
    let anvil = anvil(31_337).await;
    let base = tempfile::tempdir().unwrap();
    let (keep, funder) = (base.path().join("kept"), base.path().join("key"));
    std::fs::write(&funder, "11".repeat(32)).unwrap();
    std::fs::set_permissions(&funder, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let poor =
        DrillOptions { rpc: Some(anvil.url().clone()), funder: Some(funder), keep: Some(keep.clone()), ..options() };
    let poor = run(poor, Arc::new(Quiet)).await.unwrap_err();
    assert!(matches!(poor, DrillError::Unfunded { .. }), "{poor:?}");
    assert!(poor.to_string().contains("holds 0 ETH and this scenario takes 168 ETH"), "{poor}");
    assert!(!keep.exists());
}

/// `--rpc` alone, a base-fee fault without anvil, a directory in use, a binary that is not there: each has its name.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_up_is_named() {
    let url: Url = "http://127.0.0.1:1".parse().unwrap();
    let half = run(DrillOptions { rpc: Some(url.clone()), ..options() }, Arc::new(Quiet)).await;
    assert!(matches!(half, Err(DrillError::HalfARemote)), "{half:?}");
    let spike =
        DrillOptions { scenario: "gas-spike".to_owned(), rpc: Some(url), funder: Some("x".into()), ..options() };
    let spike = run(spike, Arc::new(Quiet)).await;
    assert!(matches!(spike, Err(DrillError::NeedsAnvil { .. })), "{spike:?}");
    let full = tempfile::tempdir().unwrap();
    std::fs::write(full.path().join("mine"), "").unwrap();
    let kept = run(DrillOptions { keep: Some(full.path().to_owned()), ..options() }, Arc::new(Quiet)).await;
    assert!(matches!(kept, Err(DrillError::KeepNotEmpty { .. })), "{kept:?}");
    let missing = run(options(), Arc::new(Quiet)).await;
    assert!(matches!(missing, Err(DrillError::System { .. })), "{missing:?}");
}

/// Wei are shown as ether, cut to four decimals.
#[test]
fn ether_for_people() {
    assert_eq!(ether("0"), "0 ETH");
    assert_eq!(ether("1500000000000000000"), "1.5 ETH");
    assert_eq!(ether("100000000000000000000"), "100 ETH");
    assert_eq!(ether("99999999999999"), "0 ETH");
}

/// The keys of the JSON object, in order; what did not happen is null.
#[test]
fn json_shape() {
    let report = DrillReport {
        scenario: "x".to_owned(),
        passed: true,
        expectations: vec![Expectation {
            name: "paused".to_owned(),
            expected: "true".to_owned(),
            actual: "true".to_owned(),
            passed: true,
            speed: false,
        }],
        timeline_ms: Timeline { first_attack_block: Some(0), ..Timeline::default() },
        blocks: Blocks { first_attack: Some(7), included: None },
        loss: Loss { before: "3".to_owned(), taken: "1".to_owned(), saved: "2".to_owned() },
        safe: SafeReport {
            address: Address::ZERO,
            chain_id: 31_337,
            nonce_before: 0,
            nonce_after: 1,
            threshold: 3,
            owners: vec![],
        },
        pause_tx: None,
        cause: None,
        nodes: vec![],
        record: None,
    };
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        r#"{"scenario":"x","passed":true,"expectations":[{"name":"paused","expected":"true","actual":"true","passed":true}],"#
            .to_owned()
            + r#""timeline_ms":{"first_attack_block":0,"first_finding":null,"quorum":null,"threshold_signed":null,"submitted":null,"#
            + r#""included":null,"postcondition":null},"blocks":{"first_attack":7,"included":null},"#
            + r#""loss":{"before":"3","taken":"1","saved":"2"},"safe":{"address":"0x0000000000000000000000000000000000000000","#
            + r#""chain_id":31337,"nonce_before":0,"nonce_after":1,"threshold":3,"owners":[]},"pause_tx":null,"cause":null,"nodes":[]}"#
    );
}
