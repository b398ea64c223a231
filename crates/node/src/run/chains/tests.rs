//! The task of a chain: what ends by itself is told, and from where it goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::{B256, BlockRef, BlockTime, BlockView, Timestamp};

use super::*;
use crate::run::fixture;

fn task(out: mpsc::Sender<(ChainId, ChainMessage)>) -> ChainTask {
    let (_directory, path) = fixture::directory();
    let config = crate::config::Config::load(&path).unwrap();
    let (charter, _) = crate::charter_file::load(&config.charter).unwrap();
    let section = config.chains.values().next().unwrap();
    let config = config_of(&charter, &config.member, section).unwrap();
    assert!(config.endpoints.iter().all(|endpoint| endpoint.vouches), "its operator is the member's in the charter");
    let backfill = Backfill { window_s: 60, resume_after: None, ..Backfill::default() };
    ChainTask { config, reads: BTreeSet::new(), backfill, payer: None, out }
}

fn block(number: u64) -> FeedEvent {
    let chain = ChainId::new(31337);
    let block = BlockRef { chain, number, hash: B256::with_last_byte(1), time: BlockTime::from_secs(number) };
    let view = BlockView {
        block,
        parent: B256::ZERO,
        base_fee: None,
        transactions: Vec::new(),
        logs: Vec::new(),
        reads: BTreeMap::new(),
        agreed: BTreeSet::new(),
        unproved: false,
    };
    FeedEvent::Block { view: Box::new(view), finalized: None, arrived: Timestamp::from_millis(1) }
}

/// A feed or a submitter that ends while the loop listens has its name, and a new feed begins after the last block told; a
/// loop that is gone ends the task.
#[tokio::test]
async fn what_ends_by_itself_is_begun_again() {
    let (out, mut told) = mpsc::channel(8);
    let mut chain = task(out);
    let (feed_in, mut feed) = mpsc::channel(8);
    feed_in.send(block(7)).await.unwrap();
    drop(feed_in);
    assert_eq!(chain.pass(&mut feed, &mut None).await, Some("feed"));
    assert!(matches!(told.recv().await.unwrap().1, ChainMessage::Feed(FeedEvent::Block { .. })));
    assert_eq!(chain.backfill.resume_after, Some(7));

    let (_feed_in, mut feed) = mpsc::channel(8);
    let (submitter, submitted) = mpsc::channel(1);
    drop(submitter);
    assert_eq!(chain.pass(&mut feed, &mut Some(submitted)).await, Some("submitter"));

    drop(told);
    let (feed_in, mut feed) = mpsc::channel(8);
    feed_in.send(block(8)).await.unwrap();
    assert_eq!(chain.pass(&mut feed, &mut None).await, None);
}
