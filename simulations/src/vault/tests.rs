//! On a real anvil with a real Safe: the attack drains, the Safe's pause stops it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy::signers::local::PrivateKeySigner;
use watchfire_types::SafeTransaction;

use super::*;
use crate::anvil::{Anvil, FUNDER, locate};
use crate::key::{from_hex, wait_for};
use crate::npm::{self, Package};
use crate::safe::Safe;

struct Stage {
    rpc: Rpc,
    payer: Account,
    owners: Vec<PrivateKeySigner>,
    safe: Safe,
    vault: Address,
    _anvil: Anvil,
}

const ETHER: u64 = 1_000_000_000_000_000_000;

async fn stage() -> Stage {
    let anvil = Anvil::start(&locate(&npm::aloud).unwrap(), 31337).await.unwrap();
    let rpc = Rpc::new(anvil.url().clone()).unwrap();
    let modules = npm::install(Package::Drill, &npm::aloud).unwrap();
    let mut payer = Account::open(from_hex(FUNDER).unwrap(), 31337, &rpc).await.unwrap();
    let owners: Vec<_> = (0..5).map(|_| PrivateKeySigner::random()).collect();
    let addresses: Vec<_> = owners.iter().map(PrivateKeySigner::address).collect();
    let safe = Safe::deploy(&rpc, &mut payer, &modules, &addresses, 3).await.unwrap();
    let limit = U256::from(ETHER / 10);
    let vault = deploy(&rpc, &mut payer, safe.address, limit, U256::from(100 * u128::from(ETHER))).await.unwrap();
    Stage { rpc, payer, owners, safe, vault, _anvil: anvil }
}

/// Each attack takes ten for one; three owners' pause makes the next revert with `EnforcedPause()`; the nonce moved by one.
#[tokio::test]
async fn a_pause_by_the_safe_stops_the_drain() {
    let mut stage = stage().await;
    let made = stage.payer.execute(&stage.rpc, &attacker(stage.vault).unwrap()).await.unwrap();
    let order = attack(made.contract.unwrap(), 11, U256::from(ETHER));
    let before = stage.rpc.balance(stage.vault).await.unwrap();
    for round in 1..=2_u64 {
        stage.payer.execute(&stage.rpc, &order).await.unwrap();
        let taken = before - stage.rpc.balance(stage.vault).await.unwrap();
        assert_eq!(taken, U256::from(10 * round) * U256::from(ETHER));
    }
    assert!(!paused(&stage.rpc, stage.vault, None).await.unwrap());
    assert_eq!(stage.safe.nonce(&stage.rpc).await.unwrap(), 0);
    let transaction = SafeTransaction::call(stage.vault, pause().into(), U256::ZERO);
    let signed = stage.safe.signed_call("the pause", &transaction, &stage.owners[1..4]).unwrap();
    stage.payer.execute(&stage.rpc, &signed).await.unwrap();
    assert!(paused(&stage.rpc, stage.vault, None).await.unwrap());
    assert_eq!(stage.safe.nonce(&stage.rpc).await.unwrap(), 1);
    let late = stage.payer.send(&stage.rpc, &order).await.unwrap();
    let receipt = wait_for(&stage.rpc, "the late attack", late).await.unwrap();
    assert!(!receipt.succeeded);
    let reason = revert_reason(&stage.rpc, stage.payer.address(), &order, receipt.block).await.unwrap();
    assert_eq!(reason.as_deref(), Some("EnforcedPause()"));
}

/// The blocking guard is taken by the Safe and then stops the same pause, signatures and all.
#[tokio::test]
async fn a_guard_blocks_the_pause() {
    let mut stage = stage().await;
    let guard = stage.payer.execute(&stage.rpc, &blocking_guard().unwrap()).await.unwrap().contract.unwrap();
    let set = stage.safe.signed_call("the guard", &stage.safe.set_guard(guard, 0), &stage.owners[..3]).unwrap();
    stage.payer.execute(&stage.rpc, &set).await.unwrap();
    let transaction = SafeTransaction::call(stage.vault, pause().into(), U256::from(1));
    let signed = stage.safe.signed_call("the pause", &transaction, &stage.owners[..3]).unwrap();
    let error = stage.payer.execute(&stage.rpc, &signed).await.unwrap_err();
    assert!(error.to_string().contains("reverted"), "{error}");
    assert!(!paused(&stage.rpc, stage.vault, None).await.unwrap());
}
