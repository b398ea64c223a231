//! The submitter on a real node: in, bumped, reverted, refused, stopped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::U256;
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use watchfire_types::body::Submitted;
use watchfire_types::input::{SubmissionFailure, SubmissionReport};

use super::anvil::{config, endpoint};
use super::operator::{Act, Operator};
use super::safes::{Payer, World, payer};
use crate::client::ChainClient;
use crate::feed::{Backfill, FeedEvent};
use crate::submitter::{Submitter, SubmitterEvent};

struct Rig {
    world: World,
    client: Arc<ChainClient>,
    submitter: Submitter,
    events: Receiver<SubmitterEvent>,
    feed: Receiver<FeedEvent>,
}

impl Rig {
    async fn new() -> Self {
        let world = World::new().await;
        let config = config(1, vec![endpoint("a", &world.anvil.http)]);
        Self::through(world, config).await
    }

    async fn through(world: World, config: crate::ChainConfig) -> Self {
        let client = ChainClient::connect(config).await.unwrap();
        let mut feed = client.feed(BTreeSet::new(), Backfill::default());
        while !matches!(feed.recv().await.unwrap(), FeedEvent::Ready) {}
        let (submitter, events) = Submitter::spawn(Arc::clone(&client), Arc::new(Payer(payer())));
        Self { world, client, submitter, events, feed }
    }

    async fn event(&mut self) -> SubmitterEvent {
        let next = async {
            loop {
                tokio::select! {
                    event = self.events.recv() => return event.unwrap(),
                    _ = self.feed.recv() => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.expect("an event in time")
    }

    /// The next `Sending`, released.
    async fn sending(&mut self) -> Submitted {
        loop {
            match self.event().await {
                SubmitterEvent::Sending { submitted, release } => {
                    release.send(()).unwrap();
                    return submitted;
                }
                SubmitterEvent::Report(SubmissionReport::NotIncluded { .. }) => {}
                SubmitterEvent::Report(other) => panic!("{other:?}"),
            }
        }
    }

    async fn report(&mut self) -> SubmissionReport {
        loop {
            match self.event().await {
                SubmitterEvent::Sending { release, .. } => release.send(()).unwrap(),
                SubmitterEvent::Report(report) => return report,
            }
        }
    }

    /// Waits until the feed has emitted a block of at least this height.
    async fn head(&mut self, number: u64) {
        let mut heads = self.client.heads();
        let wait = async {
            while heads.borrow_and_update().is_none_or(|head| head.block.number < number) {
                tokio::select! {
                    changed = heads.changed() => changed.unwrap(),
                    _ = self.feed.recv() => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("a head in time");
    }

    /// Waits until anvil's pool holds exactly this transaction.
    async fn in_pool(&self, transaction: alloy_primitives::B256) {
        let wait =
            async { while self.world.anvil.call("eth_getTransactionByHash", json!([transaction])).await.is_null() {} };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("in the pool");
    }
}

/// Goal: rank 0 sends at once, only after the node has made it durable, and the vault is paused.
#[tokio::test]
async fn it_sends_after_release_and_pauses() {
    let mut rig = Rig::new().await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let SubmitterEvent::Sending { submitted, release } = rig.event().await else { panic!("a sending") };
    assert_eq!((submitted.safe_transaction, submitted.attempt), (submission.safe_tx_hash, 0));
    assert!(submitted.max_priority_fee_per_gas >= 1_000_000_000);
    assert!(!rig.world.is_paused().await, "nothing leaves before the release");
    let before = rig.world.anvil.number().await;
    release.send(()).unwrap();
    rig.head(before + 1).await;
    assert!(rig.world.is_paused().await);
    let receipt = rig.world.anvil.call("eth_getTransactionReceipt", json!([submitted.transaction])).await;
    assert_eq!(receipt["status"], "0x1");
}

/// Goal: without inclusion the bid rises by at least 12.5 % on both fields each block, NotIncluded is said, and the newest bid is the
/// one that is mined; a submission that is no longer owed is not bumped.
#[tokio::test]
async fn it_bumps_until_included() {
    let mut rig = Rig::new().await;
    rig.world.anvil.call("evm_setAutomine", json!([false])).await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([submission.clone()]));
    let mut last = rig.sending().await;
    rig.in_pool(last.transaction).await;
    for attempt in 1..=3 {
        // A block without it: the transaction is kept out of the pool while the block is made.
        rig.world.anvil.call("anvil_dropTransaction", json!([last.transaction])).await;
        rig.world.anvil.mine(1).await;
        let next = rig.sending().await;
        assert_eq!(next.attempt, attempt);
        for (old, new) in [
            (last.max_fee_per_gas, next.max_fee_per_gas),
            (last.max_priority_fee_per_gas, next.max_priority_fee_per_gas),
        ] {
            assert!(new * 8 >= old * 9, "{old} -> {new}");
        }
        rig.in_pool(next.transaction).await;
        last = next;
    }
    rig.world.anvil.mine(1).await;
    let receipt = rig.world.anvil.call("eth_getTransactionReceipt", json!([last.transaction])).await;
    assert_eq!(receipt["status"], "0x1");
}

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

/// Goal: what cannot be sent is named: taken nonce, bad and too few signatures, already paused, no funds.
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
    let would = |text: &str| SubmissionFailure::Refused(text.to_owned());
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
    rig.world.anvil.fund(payer().address(), U256::from(10).pow(U256::from(18))).await;
    rig.submitter.set(BTreeSet::new());
    rig.world.execute(&rig.world.pause(0)).await;
    let number = rig.world.anvil.number().await;
    rig.head(number).await;
    rig.submitter.set(BTreeSet::from([rig.world.submission(rig.world.pause(1), 0)]));
    let SubmissionReport::Failed { reason, .. } = rig.report().await else { panic!("already paused") };
    assert_eq!(reason, would("would revert: EnforcedPause()"));
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
    // The same Safe transaction from somebody else gets in first: the Safe's nonce is taken within the block.
    let from = rig.world.anvil.account().await;
    let data: alloy_primitives::Bytes =
        crate::safe::exec_transaction(&submission.transaction, &submission.signatures).into();
    let request = json!({ "from": from, "to": rig.world.safe, "data": data, "gas": "0x100000",
        "maxFeePerGas": "0xe8d4a51000", "maxPriorityFeePerGas": "0xe8d4a51000" });
    rig.world.anvil.call("eth_sendTransaction", json!([request])).await;
    rig.world.anvil.mine(1).await;
    let report = rig.report().await;
    let SubmissionReport::Reverted { safe_tx_hash, block, reason } = report else { panic!("{report:?}") };
    assert_eq!(safe_tx_hash, submission.safe_tx_hash);
    assert_eq!(block.hash, rig.world.anvil.hash(block.number).await);
    assert_eq!(reason, "GS026: nonce taken");
}

/// Goal: a reorg that drops the including block brings the pause back.
#[tokio::test]
async fn a_reorg_brings_it_back() {
    let mut rig = Rig::new().await;
    let submission = rig.world.submission(rig.world.pause(0), 0);
    let before = rig.world.anvil.number().await;
    rig.submitter.set(BTreeSet::from([submission]));
    rig.sending().await;
    rig.head(before + 1).await;
    assert!(rig.world.is_paused().await);
    rig.world.anvil.mine(1).await;
    rig.head(before + 2).await;
    rig.world.anvil.call("anvil_reorg", json!([2, []])).await;
    assert!(!rig.world.is_paused().await);
    let again = async {
        while !rig.world.is_paused().await {
            rig.world.anvil.mine(1).await;
            while rig.feed.try_recv().is_ok() {}
            // The same bytes, or a higher bid where the submitter had not yet seen the first one included.
            if let Ok(SubmitterEvent::Sending { release, .. }) = rig.events.try_recv() {
                release.send(()).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("paused again");
}

/// Goal: what is owed next takes over the account nonce of what is no longer owed, so that nothing stuck blocks it.
#[tokio::test]
async fn an_abandoned_nonce_is_taken_over() {
    let mut rig = Rig::new().await;
    rig.world.anvil.call("evm_setAutomine", json!([false])).await;
    let first = rig.world.submission(rig.world.pause(0), 0);
    rig.submitter.set(BTreeSet::from([first]));
    let abandoned = rig.sending().await;
    rig.in_pool(abandoned.transaction).await;
    let rejection = rig.world.submission(watchfire_types::SafeTransaction::rejection(rig.world.safe, U256::ZERO), 0);
    rig.submitter.set(BTreeSet::from([rejection]));
    let next = rig.sending().await;
    assert!(next.max_fee_per_gas * 8 >= abandoned.max_fee_per_gas * 9);
    rig.in_pool(next.transaction).await;
    rig.world.anvil.mine(1).await;
    let receipt = rig.world.anvil.call("eth_getTransactionReceipt", json!([next.transaction])).await;
    assert_eq!(receipt["status"], "0x1");
    assert!(!rig.world.is_paused().await);
}

/// Goal: with the private route the first bid goes to private endpoints alone, the next one to all.
#[tokio::test]
async fn private_first_then_public() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let (to_private, mut private) = tokio::sync::mpsc::unbounded_channel();
    let (to_public, mut public) = tokio::sync::mpsc::unbounded_channel();
    let builder = Operator::start(&world.anvil.http, move |method, params| {
        drop(to_private.send((method.to_owned(), params.clone())));
        Act::Say(json!(alloy_primitives::B256::ZERO))
    })
    .await;
    let node = Operator::start(&world.anvil.http, move |method, params| {
        if method == "eth_sendRawTransaction" {
            drop(to_public.send(params.clone()));
        }
        Act::Pass
    })
    .await;
    let mut private_endpoint = endpoint("builder", &builder.url);
    private_endpoint.submit_only = true;
    let mut config = config(1, vec![endpoint("a", &node.url), private_endpoint]);
    config.route = crate::Route::PrivateFirst;
    let submission = world.submission(world.pause(0), 0);
    let mut rig = Rig::through(world, config).await;
    rig.submitter.set(BTreeSet::from([submission]));
    rig.sending().await;
    let (method, first) = private.recv().await.unwrap();
    assert_eq!(method, "eth_sendRawTransaction");
    assert!(public.try_recv().is_err(), "not public yet");
    rig.world.anvil.mine(1).await;
    rig.sending().await;
    let second = public.recv().await.unwrap();
    assert_ne!(first, second, "one block later the bumped bid is public");
}

/// Goal: with two of three, one operator that lies about nonce, balance, gas and tips, high or low, or says that everything
/// reverts, or that everything sent is refused, does not keep the pause out of the next block.
#[tokio::test]
async fn one_lying_operator_stops_nothing() {
    let lies: [fn(&str) -> Act; 4] = [
        |method| match method {
            "eth_getTransactionCount" => Act::Say(json!("0x63")),
            "eth_getBalance" => Act::Say(json!("0xffffffffffffffffffffffffffffff")),
            "eth_estimateGas" => Act::Say(json!("0xfffffffff")),
            _ => Act::Pass,
        },
        |method| match method {
            "eth_getTransactionCount" | "eth_getBalance" => Act::Say(json!("0x0")),
            "eth_estimateGas" => Act::Say(json!("0x1")),
            _ => Act::Pass,
        },
        |method| if method == "eth_estimateGas" { Act::Fail(3, "execution reverted") } else { Act::Pass },
        |method| match method {
            "eth_sendRawTransaction" => Act::Fail(-32_000, "insufficient funds for gas * price + value"),
            _ => Act::Pass,
        },
    ];
    for lie in lies {
        let world = World::new().await;
        // Enough for an honest gas limit; the block's whole gas at this price is not affordable.
        world.anvil.fund(payer().address(), U256::from(4) * U256::from(10).pow(U256::from(15))).await;
        let liar = Operator::start(&world.anvil.http, move |method, _| lie(method)).await;
        let http = world.anvil.http.clone();
        let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &http), endpoint("c", &http)];
        let mut rig = Rig::through(world, config(2, endpoints)).await;
        let before = rig.world.anvil.number().await;
        rig.submitter.set(BTreeSet::from([rig.world.submission(rig.world.pause(0), 0)]));
        rig.sending().await;
        rig.head(before + 1).await;
        assert!(rig.world.is_paused().await);
    }
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

/// Goal: what stops being owed while the node makes its sending durable does not leave.
#[tokio::test]
async fn what_is_cancelled_before_the_release_does_not_leave() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let (to_test, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let node = Operator::start(&world.anvil.http, move |method, params| {
        if method == "eth_sendRawTransaction" {
            drop(to_test.send(params[0].as_str().unwrap().to_owned()));
        }
        Act::Pass
    })
    .await;
    let mut rig = Rig::through(world, config(1, vec![endpoint("a", &node.url)])).await;
    rig.submitter.set(BTreeSet::from([rig.world.submission(rig.world.pause(0), 0)]));
    let SubmitterEvent::Sending { submitted: cancelled, release } = rig.event().await else { panic!("a sending") };
    let rejection = watchfire_types::SafeTransaction::rejection(rig.world.safe, U256::ZERO);
    rig.submitter.set(BTreeSet::from([rig.world.submission(rejection, 0)]));
    release.send(()).unwrap();
    let next = rig.sending().await;
    let first_out: alloy_primitives::Bytes = sent.recv().await.unwrap().parse().unwrap();
    let first_out = alloy_primitives::keccak256(&first_out);
    assert_ne!(first_out, cancelled.transaction);
    assert_eq!(first_out, next.transaction);
}
