//! What does not get in has a name: refused, passed over, reverted, unfunded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy_primitives::{Bytes, U256, keccak256};
use serde_json::json;
use watchfire_types::input::{SubmissionFailure, SubmissionReport};

use super::super::anvil::{PATIENCE, config, endpoint, own_artifact, safe_1_4_1_artifact, safe_artifact};
use super::super::operator::{Act, Operator};
use super::super::safes::{World, payer};
use super::Rig;
use crate::submitter::SubmitterEvent;

/// Goal: two blocks passed over it with fees that sufficed: said once, by name.
#[tokio::test]
async fn not_included_is_said() {
    let mut rig = Rig::new().await;
    rig.world.anvil.call("evm_setAutomine", json!([false])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    loop {
        match rig.event().await {
            SubmitterEvent::Sending { submitted, release } => {
                release.send(()).unwrap();
                rig.in_pool(submitted.transaction).await;
                rig.world.anvil.call("anvil_dropTransaction", json!([submitted.transaction])).await;
                rig.world.anvil.mine(1).await;
            }
            SubmitterEvent::Report(SubmissionReport::NotIncluded { safe_tx_hash, .. }) => {
                assert_eq!(safe_tx_hash, submission.safe_tx_hash);
                return;
            }
            SubmitterEvent::Report(other) => panic!("{other:?}"),
        }
    }
}

/// Goal: what cannot be sent is named: taken nonce, bad and too few signatures, no funds.
#[tokio::test]
async fn failures_have_names() {
    let mut rig = Rig::new().await;
    let pause = rig.world.pause(0);
    let good = rig.world.submission(pause.clone(), 0);
    let mut few = good.clone();
    few.signatures = rig.world.signatures(&pause, 2);
    let mut bad = good.clone();
    bad.signatures = rig.world.signatures(&rig.world.pause(1), 3);
    let stale = rig.world.submission(rig.world.pause(9), 0);
    let mut steps = vec![
        (few, SubmissionFailure::TooFewSignatures),
        (bad, SubmissionFailure::BadSignatures),
        (stale, SubmissionFailure::NonceTaken),
    ];
    for (submission, expected) in steps.drain(..) {
        rig.submitter.set(BTreeSet::from([submission.clone()]));
        let report = rig.report().await;
        assert_eq!(report, SubmissionReport::Failed { safe_tx_hash: submission.safe_tx_hash, reason: expected });
        rig.submitter.set(BTreeSet::new());
        let mined = rig.world.anvil.number().await + 1;
        rig.world.anvil.mine(1).await;
        rig.head(mined).await;
    }
    rig.world.anvil.fund(payer().address(), U256::from(1_000)).await;
    rig.submitter.set(BTreeSet::from([good]));
    let SubmissionReport::Failed { reason, .. } = rig.report().await else { panic!("no funds") };
    assert_eq!(reason, SubmissionFailure::Unfunded);
}

/// Goal: an inner revert is named with its reason, whether the Safe hides it (1.4.1) or not; that the asset is contained is read: of a vault
/// that only says so it is not believed.
#[tokio::test]
async fn an_inner_revert_and_a_contained_asset_have_names() {
    for (artifact, hidden) in [(safe_artifact as fn(&str) -> _, ""), (safe_1_4_1_artifact, "GS013: ")] {
        let world = World::with_safe_of(artifact).await;
        let config = config(1, vec![endpoint("a", &world.anvil.http)]);
        let mut rig = Rig::through(world, config).await;
        let reason = format!("{hidden}EnforcedPause()");
        rig.world.execute(&rig.world.pause(0)).await;
        let contained = SubmissionFailure::AlreadyContained { reason: reason.clone() };
        assert_eq!(rig.refused(&rig.world.submission(rig.world.pause(1), 0)).await, contained);
        let mut nothing_to_read = rig.world.submission(rig.world.pause(1), 0);
        nothing_to_read.postconditions.clear();
        assert_eq!(rig.refused(&nothing_to_read).await, SubmissionFailure::InnerReverted { reason: reason.clone() });
        // Of two calls in one transaction the second reverts.
        nothing_to_read = rig.world.submission(rig.world.look_and_pause(1, artifact).await, 0);
        nothing_to_read.postconditions.clear();
        assert_eq!(rig.refused(&nothing_to_read).await, SubmissionFailure::InnerReverted { reason: reason.clone() });
        rig.world.feign_pause().await;
        let mut longer = rig.world.pause(1);
        longer.data = [&longer.data[..], &[0]].concat().into();
        let feigned = rig.refused(&rig.world.submission(longer, 0)).await;
        assert_eq!(feigned, SubmissionFailure::InnerReverted { reason });
    }
}

/// Goal: what cannot fit under the chain's gas cap is not sent to burn it, and that has its name.
#[tokio::test]
async fn more_gas_than_the_cap_is_not_sent() {
    let world = World::new().await;
    let config = crate::ChainConfig { gas_cap: 60_000, ..config(1, vec![endpoint("a", &world.anvil.http)]) };
    let mut rig = Rig::through(world, config).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let SubmitterEvent::Report(report) = rig.event().await else { panic!("it is sent") };
    let reason = SubmissionFailure::AboveGasCap { cap: 60_000 };
    assert_eq!(report, SubmissionReport::Failed { safe_tx_hash: submission.safe_tx_hash, reason });
}

/// Goal: what a guard refuses is called so at submission too.
#[tokio::test]
async fn a_guard_has_its_name() {
    let mut rig = Rig::new().await;
    let guard = rig.world.anvil.deploy(own_artifact("BlockingGuard")).await;
    let set = json!([rig.world.safe, crate::safe::GUARD_SLOT, guard.into_word()]);
    rig.world.anvil.call("anvil_setStorageAt", set).await;
    rig.world.anvil.mine(1).await;
    let refused = rig.refused(&rig.world.submission(rig.world.pause(0), 0)).await;
    assert!(matches!(refused, SubmissionFailure::GuardRefuses { .. }), "{refused:?}");
}

/// Goal: a transaction that is mined and reverts is told with block and reason.
#[tokio::test]
async fn a_mined_revert_is_told() {
    let mut rig = Rig::new().await;
    rig.world.anvil.call("evm_setAutomine", json!([false])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let sent = rig.sending().await;
    rig.in_pool(sent.transaction).await;
    rig.outbid(&submission).await;
    rig.world.anvil.mine(1).await;
    let report = rig.report().await;
    let SubmissionReport::Reverted { safe_tx_hash, block, reason } = report else { panic!("{report:?}") };
    assert_eq!(safe_tx_hash, submission.safe_tx_hash);
    assert_eq!(block.hash, rig.world.anvil.hash(block.number).await);
    assert_eq!(reason, SubmissionFailure::NonceTaken);
}

/// Goal: an endpoint that has no receipts for a while loses no revert: the nonce is used, and by whom is asked again.
#[tokio::test]
async fn receipts_that_lag_lose_no_revert() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let (hides, hidden) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
    let (hiding, said) = (Arc::clone(&hides), Arc::clone(&hidden));
    let proxy = Operator::start(&world.anvil.http, move |method, _| {
        if method == "eth_getTransactionReceipt" && hiding.load(Ordering::SeqCst) {
            said.notify_one();
            return Act::Fail(-32_000, "receipts are not indexed yet");
        }
        Act::Pass
    })
    .await;
    let mut rig = Rig::through(world, config(1, vec![endpoint("a", &proxy.url)])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let sent = rig.sending().await;
    rig.in_pool(sent.transaction).await;
    rig.outbid(&submission).await;
    hides.store(true, Ordering::SeqCst);
    rig.world.anvil.mine(1).await;
    let asked = async {
        tokio::select! {
            () = hidden.notified() => {}
            event = rig.event() => panic!("{event:?}"),
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("receipts are asked for");
    hides.store(false, Ordering::SeqCst);
    rig.world.anvil.mine(1).await;
    let report = rig.report().await;
    let SubmissionReport::Reverted { safe_tx_hash, block, .. } = report else { panic!("{report:?}") };
    assert_eq!((safe_tx_hash, block.number + 1), (submission.safe_tx_hash, rig.world.anvil.number().await));
}

/// Goal: a bid that everybody refused for want of funds has not to be topped: the next one is made afresh.
#[tokio::test]
async fn an_unfunded_bid_is_priced_again() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let mut refused = false;
    let proxy = Operator::start(&world.anvil.http, move |method, _| {
        if method == "eth_sendRawTransaction" && !std::mem::replace(&mut refused, true) {
            return Act::Fail(-32_000, "insufficient funds for gas * price + value");
        }
        Act::Pass
    })
    .await;
    let mut rig = Rig::through(world, config(1, vec![endpoint("a", &proxy.url)])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let first = rig.sending().await;
    let unfunded =
        SubmissionReport::Failed { safe_tx_hash: submission.safe_tx_hash, reason: SubmissionFailure::Unfunded };
    assert_eq!(rig.report().await, unfunded);
    rig.world.anvil.mine(1).await;
    let second = rig.sending().await;
    assert!(second.max_priority_fee_per_gas <= first.max_priority_fee_per_gas, "{first:?} {second:?}");
    rig.in_pool(second.transaction).await;
    rig.world.anvil.mine(1).await;
    assert!(rig.world.is_paused().await);
}

/// Goal: where the balance allows no replacement that nodes would take none is sent: what stands is handed out again, and that is said.
#[tokio::test]
async fn a_bid_at_the_cap_is_not_replaced() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let (to_test, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let passes = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&passes);
    // Until the gate opens it says that it took a transaction, and forgets it.
    let node = Operator::start(&world.anvil.http, move |method, params| {
        if method == "eth_sendRawTransaction" {
            let raw: Bytes = params[0].as_str().unwrap().parse().unwrap();
            let hash = keccak256(&raw);
            let _ = to_test.send(hash);
            if !gate.load(Ordering::SeqCst) {
                return Act::Say(json!(hash));
            }
        }
        Act::Pass
    })
    .await;
    let mut rig = Rig::through(world, config(1, vec![endpoint("a", &node.url)])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let first = rig.sending().await;
    assert_eq!(sent.recv().await, Some(first.transaction));
    let data: Bytes = crate::safe::exec_transaction(&submission.transaction, &submission.signatures).into();
    let call = json!([{ "from": payer().address(), "to": submission.safe, "data": data }, "latest"]);
    let estimate = rig.world.anvil.call("eth_estimateGas", call).await;
    let estimate: u64 = U256::from_str_radix(estimate.as_str().unwrap().trim_start_matches("0x"), 16).unwrap().to();
    let gas = U256::from(crate::fees::gas_limit(estimate, u64::MAX));
    // A hundredth more than what was bid: enough for the bid, and for nothing that replaces it.
    let bid = U256::from(first.max_fee_per_gas);
    rig.world.anvil.fund(payer().address(), gas * (bid + bid / U256::from(100))).await;
    rig.world.anvil.mine(1).await;
    let capped = SubmissionReport::Failed { safe_tx_hash: submission.safe_tx_hash, reason: SubmissionFailure::Capped };
    assert_eq!(rig.report().await, capped);
    passes.store(true, Ordering::SeqCst);
    let included = async {
        while !rig.world.is_paused().await {
            rig.world.anvil.mine(1).await;
            while rig.feed.try_recv().is_ok() {}
        }
    };
    tokio::time::timeout(Duration::from_secs(60), included).await.expect("paused");
    while let Ok(hash) = sent.try_recv() {
        assert_eq!(hash, first.transaction, "the same bytes again, and no others");
    }
}
