//! The submitter on a real node: in after the release, bumped, taken over, back after a reorg.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Bytes, U256};
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use watchfire_types::body::Submitted;
use watchfire_types::duty::Submission;
use watchfire_types::input::{SubmissionFailure, SubmissionReport};

use super::anvil::{PATIENCE, config, endpoint};
use super::operator::{Act, Operator};
use super::safes::{Payer, World, payer};
use crate::client::ChainClient;
use crate::feed::{Backfill, FeedEvent};
use crate::submitter::{Submitter, SubmitterEvent};

mod failures;
mod operators;

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
        tokio::time::timeout(PATIENCE, next).await.expect("an event in time")
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

    /// Why this one cannot be sent at the node's newest block.
    async fn refused(&mut self, submission: &Submission) -> SubmissionFailure {
        self.head(self.world.anvil.number().await).await;
        self.submitter.set(BTreeSet::from([submission.clone()]));
        let SubmissionReport::Failed { safe_tx_hash, reason } = self.report().await else { panic!("it is sent") };
        assert_eq!(safe_tx_hash, submission.safe_tx_hash);
        self.submitter.set(BTreeSet::new());
        // The next one is another duty: the submitter has seen that this one is over.
        self.world.anvil.mine(1).await;
        self.head(self.world.anvil.number().await).await;
        reason
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
        tokio::time::timeout(PATIENCE, wait).await.expect("a head in time");
    }

    /// The same Safe transaction from somebody else gets in first: the Safe's nonce is taken within the block.
    async fn outbid(&self, submission: &Submission) {
        let from = self.world.anvil.account().await;
        let data: Bytes = crate::safe::exec_transaction(&submission.transaction, &submission.signatures).into();
        let request = json!({ "from": from, "to": self.world.safe, "data": data, "gas": "0x100000",
            "maxFeePerGas": "0xe8d4a51000", "maxPriorityFeePerGas": "0xe8d4a51000" });
        self.world.anvil.call("eth_sendTransaction", json!([request])).await;
    }

    /// Waits until anvil's pool holds exactly this transaction.
    async fn in_pool(&self, transaction: alloy_primitives::B256) {
        let wait =
            async { while self.world.anvil.call("eth_getTransactionByHash", json!([transaction])).await.is_null() {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("in the pool");
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
    tokio::time::timeout(PATIENCE, again).await.expect("paused again");
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
    let first_out: Bytes = sent.recv().await.unwrap().parse().unwrap();
    let first_out = alloy_primitives::keccak256(&first_out);
    assert_ne!(first_out, cancelled.transaction);
    assert_eq!(first_out, next.transaction);
}
