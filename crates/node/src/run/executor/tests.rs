//! Duties come and go: each is done once while it stays, and not at all once it is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::{Address, B256, BlockRef, BlockTime, SafeTransaction, U256};

use super::*;

const CHAIN: ChainId = ChainId::new(31337);

fn preflight(number: u64) -> Preflight {
    Preflight {
        chain: CHAIN,
        safe: Address::repeat_byte(0x5a),
        transaction: SafeTransaction::rejection(Address::repeat_byte(0x5a), U256::from(7)),
        safe_tx_hash: B256::repeat_byte(1),
        signatures: None,
        owner: Address::repeat_byte(1),
        submitter: Address::repeat_byte(2),
        postconditions: BTreeSet::new(),
        at: BlockRef { chain: CHAIN, number, hash: B256::repeat_byte(9), time: BlockTime::from_secs(number) },
    }
}

fn simulate(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<Duty> {
    numbers.into_iter().map(|number| Duty::Preflight(preflight(number))).collect()
}

fn submitted(attempt: u32) -> Submitted {
    Submitted {
        chain: CHAIN,
        safe: Address::repeat_byte(0x5a),
        safe_transaction: B256::repeat_byte(1),
        transaction: B256::repeat_byte(2),
        submitter: Address::repeat_byte(3),
        max_fee_per_gas: 2,
        max_priority_fee_per_gas: 1,
        attempt,
    }
}

/// What is new starts, what stays is done once, what is new beside it starts alone.
#[tokio::test]
async fn starts_once_what_stays() {
    let (answers, mut answered) = mpsc::channel(8);
    let mut executor = Executor::new(answers);
    executor.set(simulate([1]));
    executor.set(simulate([1]));
    let (first, outcome) = answered.recv().await.unwrap();
    assert_eq!(first, preflight(1));
    let input = executor.answered(first, outcome);
    assert!(matches!(input, Input::Preflighted { block, .. } if block == preflight(1).at));
    executor.set(simulate([1, 2]));
    assert_eq!(answered.recv().await.unwrap().0, preflight(2));
    drop(executor);
    assert!(answered.recv().await.is_none(), "a simulation was done twice");
}

/// What is gone is stopped: no answer comes; owed again it starts again.
#[tokio::test]
async fn stops_what_is_gone() {
    let (answers, mut answered) = mpsc::channel(8);
    let mut executor = Executor::new(answers);
    // The runtime of this test has one thread: nothing has run yet when the duty goes.
    executor.set(simulate([1, 2]));
    executor.set(simulate([2]));
    assert_eq!(answered.recv().await.unwrap().0, preflight(2));
    executor.set(simulate([1]));
    assert_eq!(answered.recv().await.unwrap().0, preflight(1));
    drop(executor);
    assert!(answered.recv().await.is_none(), "a simulation that was no longer owed went on");
}

/// Over the bound simulations wait for others to end, and none is lost.
#[tokio::test]
async fn bounds_what_runs_at_once() {
    let (answers, mut answered) = mpsc::channel(8);
    let mut executor = Executor::new(answers);
    let all = simulate(0..40);
    executor.set(all.clone());
    assert_eq!(executor.running.len(), PREFLIGHTS_MAX);
    let mut done = BTreeSet::new();
    while done.len() < all.len() {
        let (preflight, outcome) = answered.recv().await.unwrap();
        executor.answered(preflight.clone(), outcome);
        assert!(done.insert(preflight), "done twice");
        executor.set(all.clone());
    }
    assert!(executor.running.is_empty());
}

/// A member is asked once while it holds more, and again when it does so anew.
#[tokio::test]
async fn asks_once_for_what_is_missing() {
    let (answers, _answered) = mpsc::channel(8);
    let mut executor = Executor::new(answers);
    let from = MemberKey::from_bytes([7; 32]);
    let epoch = Epoch::from_bytes([1; 16]);
    let duty = BTreeSet::from([Duty::CatchUp { from, epoch }]);
    assert_eq!(executor.set(duty.clone()), BTreeSet::from([(from, epoch)]));
    assert!(executor.set(duty.clone()).is_empty());
    assert_eq!(executor.owed().len(), 1);
    assert!(executor.set(BTreeSet::new()).is_empty() && executor.owed().is_empty());
    assert_eq!(executor.set(duty), BTreeSet::from([(from, epoch)]));
}

/// A send leaves only when exactly its announcement is durable; one that was refused never does.
#[tokio::test]
async fn releases_durable_sends_alone() {
    let (answers, _answered) = mpsc::channel(8);
    let mut executor = Executor::new(answers);
    let (first, mut first_may) = oneshot::channel();
    let (second, mut second_may) = oneshot::channel();
    executor.announce(submitted(0), first);
    executor.announce(submitted(1), second);
    executor.release(&[submitted(1)]);
    assert!(second_may.try_recv().is_ok());
    assert!(first_may.try_recv().is_err(), "an announcement that is not durable left");
    executor.drop_unreleased(&submitted(0));
    assert!(first_may.await.is_err() && executor.waiting.is_empty());
}
