//! How messages travel.

use std::time::{Duration, Instant};

use bytes::Bytes;
use watchfire_gossip::config::limits;
use watchfire_gossip::{GossipEvent, SendError};
use watchfire_types::Verdict;

use crate::support::*;

/// Five nodes that listen over TCP and QUIC find each other, and a message reaches all four others straight from its
/// author: nobody gave a verdict, so nobody forwarded. Prints what it took.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_connect_and_one_hop_reaches_all() {
    let members: Vec<_> = (1..=5).map(|n| guardian(n, &[free_tcp(), free_quic()])).collect();
    let began = Instant::now();
    let mut nodes: Vec<Node> =
        (1..=5).map(|n| Node::start(n, &members[usize::from(n) - 1].addresses, &members)).collect();
    for node in &mut nodes {
        node.connected_count(4).await;
    }
    let connected = began.elapsed();
    let mut hops: Vec<Duration> = Vec::new();
    for round in 0..20u8 {
        let author = usize::from(round % 5);
        let text = [b"round ".as_slice(), &[round]].concat();
        let sent = Instant::now();
        nodes[author].publish(&text).await;
        let author_key = nodes[author].key;
        for (_, node) in nodes.iter_mut().enumerate().filter(|(n, _)| *n != author) {
            let (_, from, bytes) = node.message().await;
            assert_eq!((from, &bytes[..]), (author_key, &text[..]));
        }
        hops.push(sent.elapsed());
    }
    hops.sort();
    println!(
        "five nodes connected in {connected:?}; publish to the last of four: median {:?}, worst {:?}",
        hops[10], hops[19]
    );
}

/// A over B to C, where A and C are not connected: what B rejects or ignores never reaches C, what it accepts does. Bytes travel unchanged.
#[tokio::test]
async fn only_accepted_messages_are_forwarded() {
    let mut b =
        Node::start(2, &["/ip4/127.0.0.1/tcp/0".to_owned()], &[guardian(1, &[]), guardian(2, &[]), guardian(3, &[])]);
    let at_b = [b.listening().await];
    let members = [guardian(1, &[]), guardian(2, &at_b), guardian(3, &[])];
    let port_0 = ["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()];
    let mut a = Node::start(1, &port_0, &members);
    let mut c = Node::start(3, &port_0, &members);
    a.connected(b.key).await;
    c.connected(b.key).await;
    b.connected_count(2).await;
    for (text, verdict) in [("bad", Verdict::Reject), ("odd", Verdict::Ignore), ("good", Verdict::Accept)] {
        a.publish(text.as_bytes()).await;
        assert_eq!(b.judge(verdict).await, text);
    }
    let (_, from, bytes) = c.message().await;
    assert_eq!((from, &bytes[..]), (b.key, &b"good"[..]));
    // A second verdict, and one on a message that never was, change nothing.
    b.handle.verdict(1, Verdict::Accept).await.unwrap();
    b.handle.verdict(999, Verdict::Accept).await.unwrap();
    a.publish(b"last").await;
    assert_eq!(b.judge(Verdict::Accept).await, "last");
    assert_eq!(c.message().await.2, "last");
}

/// What is published while nobody is connected reaches the first who connects, in order; the same bytes come once.
#[tokio::test]
async fn published_alone_reaches_who_comes_later() {
    let address = [free_tcp()];
    let members = [guardian(1, &address), guardian(2, &[])];
    let mut a = Node::start(1, &address, &members);
    a.listening().await;
    for text in [b"one", b"two", b"two", b"six"] {
        a.publish(text).await;
    }
    let mut b = Node::start(2, &["/ip4/127.0.0.1/tcp/0".to_owned()], &members);
    for text in ["one", "two", "six"] {
        assert_eq!(b.judge(Verdict::Accept).await, text);
    }
    assert_eq!(a.handle.figures().published, 3);
}

/// A message over the bound is refused by name before it is sent; one at the bound, many in a row, arrive: the stack's
/// frame decoder counts bytes of the next frame against the bound of this one.
#[tokio::test]
async fn size_bound_is_exact() {
    let mut nodes = full_mesh(2).await;
    let too_large = Bytes::from(vec![0; limits::MESSAGE_BYTES_MAX + 1]);
    let size = limits::MESSAGE_BYTES_MAX + 1;
    let max = limits::MESSAGE_BYTES_MAX;
    assert_eq!(nodes[0].handle.publish(too_large).await, Err(SendError::TooLarge { what: "message", size, max }));
    for n in 0..40u8 {
        nodes[0].publish(&vec![n; limits::MESSAGE_BYTES_MAX]).await;
    }
    for n in 0..40u8 {
        let bytes = nodes[1].judge(Verdict::Accept).await;
        assert_eq!((bytes.len(), bytes[0]), (limits::MESSAGE_BYTES_MAX, n));
    }
}

/// A node that takes no events for a while slows its senders down and loses nothing; its own commands are taken meanwhile.
#[tokio::test]
async fn a_slow_node_loses_nothing_and_cannot_lock_itself() {
    let mut nodes = full_mesh(2).await;
    let count = u32::try_from(limits::EVENTS_MAX * 4).unwrap();
    for n in 0..count {
        nodes[0].publish(&n.to_be_bytes()).await;
    }
    // More commands than their queue holds, from a node whose event queue is full.
    for n in 0..limits::COMMANDS_MAX * 2 {
        nodes[1].publish(format!("own {n}").as_bytes()).await;
    }
    for n in 0..count {
        assert_eq!(nodes[1].judge(Verdict::Accept).await, n.to_be_bytes()[..]);
    }
    for n in 0..limits::COMMANDS_MAX * 2 {
        assert_eq!(nodes[0].judge(Verdict::Accept).await, format!("own {n}"));
    }
}

/// After shutdown the others know at once, the port is free, and every call says that it is over.
#[tokio::test]
async fn shutdown_is_clean() {
    let address = [free_tcp()];
    let members = [guardian(1, &address), guardian(2, &[])];
    let mut a = Node::start(1, &address, &members);
    let mut b = Node::start(2, &["/ip4/127.0.0.1/tcp/0".to_owned()], &members);
    a.connected(b.key).await;
    b.connected(a.key).await;
    a.handle.shutdown().await;
    a.handle.shutdown().await;
    assert_eq!(a.handle.publish(Bytes::from_static(b"late")).await, Err(SendError::Stopped));
    while a.events.recv().await.is_some() {}
    b.disconnected(a.key).await;
    let again = Node::start(1, &address, &members);
    drop(again.events);
    // Without a receiver the task ends by itself.
    again.handle.shutdown().await;
    assert_eq!(again.handle.verdict(1, Verdict::Accept).await, Err(SendError::Stopped));
}

/// Connected means that what is published from then on arrives: no message between two nodes is lost right after it.
#[tokio::test]
async fn connected_means_reachable() {
    let address = [free_tcp()];
    let members = [guardian(1, &address), guardian(2, &[])];
    let mut a = Node::start(1, &address, &members);
    let mut b = Node::start(2, &["/ip4/127.0.0.1/tcp/0".to_owned()], &members);
    a.until(|e| matches!(e, GossipEvent::Connected(_)).then_some(())).await;
    a.publish(b"at once").await;
    assert_eq!(b.message().await.2, "at once");
}
