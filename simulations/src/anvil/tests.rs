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

/// What is on PATH is taken when it is the one version, a later one only where npm has none, and what is no anvil never.
#[test]
fn takes_the_one_version_from_the_path() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().unwrap();
    let install = |name: &str, said: &str| {
        let directory = base.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join("anvil");
        std::fs::write(&file, format!("#!/bin/sh\necho {said}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        directory
    };
    let (older, later) = (install("older", "anvil 1.7.0"), install("later", "anvil 1.8.0"));
    let (same, other) = (install("same", "anvil Version: 1.7.1"), install("other", "a blacksmith"));
    let path = |directories: &[&PathBuf]| std::env::join_paths(directories).unwrap();
    let chosen = |directories: &[&PathBuf], on_npm| on_path(&path(directories), |version| fits(version, on_npm));
    assert_eq!(chosen(&[&older, &later, &other, &same], true), Some(same.join("anvil")));
    assert_eq!(chosen(&[&older, &later, &other], true), None);
    assert_eq!(chosen(&[&other, &older, &later], false), Some(later.join("anvil")));
    assert_eq!(chosen(&[&other, &older], false), None);
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
