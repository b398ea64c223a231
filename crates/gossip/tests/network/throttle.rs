//! One member that floods, and the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use watchfire_gossip::config::limits;
use watchfire_gossip::{GossipEvent, Handle};
use watchfire_types::Verdict;

use crate::support::*;

/// Publishes as fast as the handle takes it until told to end; every message is another one.
async fn flood(handle: Handle, end: Arc<AtomicBool>) {
    let mut text = [0xff; 512];
    for n in 0_u64.. {
        text[..8].copy_from_slice(&n.to_be_bytes());
        if end.load(Ordering::Relaxed) || handle.publish(Bytes::copy_from_slice(&text)).await.is_err() {
            return;
        }
    }
}

/// Takes whatever comes, so that the node itself is never what slows the network down.
async fn drain(mut node: Node) {
    while let Some(event) = node.events.recv().await {
        if let GossipEvent::Message { id, .. } = event
            && node.handle.verdict(id, Verdict::Ignore).await.is_err()
        {
            return;
        }
    }
}

/// A member that floods is slowed down alone: while it does, a thousand messages of another member pass at their own speed, with few of the
/// flood between them; and the flood itself still comes, slowly, so that nobody is cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_member_slows_nobody_else() {
    let mut nodes = full_mesh(3).await;
    let (other, flooder, mut victim) = (nodes.remove(0), nodes.remove(0), nodes.remove(0));
    let (other_handle, other_key, flooder_key) = (other.handle.clone(), other.key, flooder.key);
    let end = Arc::new(AtomicBool::new(false));
    let flooding = tokio::spawn(flood(flooder.handle.clone(), Arc::clone(&end)));
    let draining = [tokio::spawn(drain(other)), tokio::spawn(drain(flooder))];
    // What a member may say at once is over.
    let mut flooded = 0;
    while flooded < 2_500 {
        let (id, from, _) = victim.message().await;
        victim.handle.verdict(id, Verdict::Ignore).await.unwrap();
        flooded += u32::from(from == flooder_key);
    }
    let (mut between, began) = (0, Instant::now());
    for round in 0..5_u32 {
        for n in 0..200_u32 {
            other_handle.publish(Bytes::copy_from_slice(&(round * 200 + n).to_be_bytes())).await.unwrap();
        }
        let mut heard = 0;
        while heard < 200 {
            let (id, from, _) = victim.message().await;
            victim.handle.verdict(id, Verdict::Ignore).await.unwrap();
            heard += u32::from(from == other_key);
            between += u32::from(from == flooder_key);
        }
    }
    // However long the machine takes for the others, the flood has its own pace, and what was under way when it was slowed down.
    let seconds = u32::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let paced = limits::MEMBER_PER_SECOND / 2 * seconds;
    assert!(between < 500 + paced, "{between} messages of the flood came between 1,000 others in {seconds} s");
    while victim.message().await.1 != flooder_key {}
    end.store(true, Ordering::Relaxed);
    for task in draining.into_iter().chain([flooding]) {
        task.abort();
    }
}
