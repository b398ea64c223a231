//! Locating and starting anvil.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Both spellings of the version in use are understood; nonsense is not a version.
#[test]
fn versions() {
    assert_eq!(parse_version("anvil Version: 1.7.1\nCommit SHA: 4072e4"), Some([1, 7, 1]));
    assert_eq!(parse_version("anvil 1.8.0-stable (4072e4 2026-05-08)"), Some([1, 8, 0]));
    assert_eq!(parse_version("anvil"), None);
}

/// Starts for real, answers its chain id, switches to interval mining, and is gone after `stop`.
#[tokio::test]
async fn starts_and_stops() {
    let path = locate(&npm::aloud).unwrap();
    let anvil = Anvil::start(&path, 31337).await.unwrap();
    let rpc = Rpc::new(anvil.url().clone()).unwrap();
    assert_eq!(rpc.chain_id().await.unwrap(), 31337);
    mine_every(&rpc, 1).await.unwrap();
    let base = rpc.base_fee().await.unwrap().max(1_000_000_000);
    assert_eq!(spike_base_fee(&rpc, 10).await.unwrap(), base * 10);
    anvil.stop().await;
    assert!(rpc.chain_id().await.is_err());
}
