//! Questions and answers, good and bad.

use bytes::Bytes;
use futures::StreamExt;
use watchfire_gossip::config::limits;
use watchfire_gossip::{CatchUpError, GossipEvent, ReplyToken, SendError};
use watchfire_types::MemberKey;

use crate::raw::Raw;
use crate::support::*;

async fn question(node: &mut Node) -> (MemberKey, Bytes, ReplyToken) {
    node.until(|e| {
        if let GossipEvent::CatchUpRequest { from, bytes, reply } = e { Some((from, bytes, reply)) } else { None }
    })
    .await
}

async fn answer(node: &mut Node) -> Result<Bytes, CatchUpError> {
    node.until(|e| if let GossipEvent::CatchUpResponse { result, .. } = e { Some(result) } else { None }).await
}

/// Question and answer arrive as sent, from nothing at all to the largest allowed, over TCP and QUIC; more than that is not sent.
#[tokio::test]
async fn round_trips_up_to_the_bound() {
    let mut nodes = full_mesh(3).await;
    let (asker, rest) = nodes.split_first_mut().unwrap();
    let sizes = [(0, 0), (1, 70_000), (limits::CATCH_UP_REQUEST_BYTES_MAX, limits::CATCH_UP_RESPONSE_BYTES_MAX)];
    for server in rest {
        for (ask, say) in sizes {
            asker.handle.request_catch_up(server.key, vec![1; ask].into()).await.unwrap();
            let (from, bytes, reply) = question(server).await;
            assert_eq!((from, bytes.len()), (asker.key, ask));
            server.handle.reply(reply, vec![2; say].into()).await.unwrap();
            assert_eq!(answer(asker).await.unwrap(), vec![2; say]);
        }
    }
    let server = &mut nodes[1];
    let size = limits::CATCH_UP_REQUEST_BYTES_MAX + 1;
    let max = limits::CATCH_UP_REQUEST_BYTES_MAX;
    let refused = server.handle.request_catch_up(key(1), vec![0; size].into()).await;
    assert_eq!(refused, Err(SendError::TooLarge { what: "catch-up request", size, max }));
}

/// Without a reply the asker is told at once, and so it is when the member is unknown or not connected; a
/// question to a member that is being asked is merged.
#[tokio::test]
async fn no_answer_is_told_at_once() {
    let mut nodes = full_mesh(2).await;
    let (asker, server) = nodes.split_first_mut().unwrap();
    let server = &mut server[0];
    for _ in 0..3 {
        asker.handle.request_catch_up(server.key, Bytes::from_static(b"?")).await.unwrap();
    }
    let (_, _, reply) = question(server).await;
    drop(reply);
    assert_eq!(answer(asker).await, Err(CatchUpError::ClosedEarly));
    asker.handle.request_catch_up(key(99), Bytes::new()).await.unwrap();
    assert_eq!(answer(asker).await, Err(CatchUpError::NotConnected));
    // The one after the merged ones is a question of its own.
    asker.handle.request_catch_up(server.key, Bytes::from_static(b"again")).await.unwrap();
    let (_, bytes, _reply) = question(server).await;
    assert_eq!(bytes, "again");
    server.handle.shutdown().await;
    assert_eq!(answer(asker).await, Err(CatchUpError::Disconnected));
}

/// An answer over the bound, one that is garbage, one that ends early and one that never begins each have a name.
#[tokio::test]
async fn bad_answers_are_named() {
    let mut node = Node::start(1, &["/ip4/127.0.0.1/tcp/0".to_owned()], &[guardian(1, &[]), guardian(2, &[])]);
    let address = node.listening().await;
    let mut raw = Raw::new(2);
    raw.join(&address).await;
    let max = limits::CATCH_UP_RESPONSE_BYTES_MAX as u64;
    let cases = [
        (vec![], CatchUpError::ClosedEarly),
        (vec![2, 0, 0], CatchUpError::ClosedEarly),
        (vec![2, 0, 0, 0, 9, b'c', b'u', b't'], CatchUpError::ClosedEarly),
        (vec![2, 0xff, 0xff, 0xff, 0xff], CatchUpError::TooLarge { announced: u64::from(u32::MAX), max }),
        (b"HTTP/1.1 200 OK".to_vec(), CatchUpError::Garbage { found: b'H' }),
        (vec![0; 64], CatchUpError::Garbage { found: 0 }),
        (vec![3, 0, 0, 0, 0], CatchUpError::Busy),
        (vec![4, 0, 0, 0, 0], CatchUpError::Refused),
    ];
    let answers: Vec<Vec<u8>> = cases.iter().map(|(bytes, _)| bytes.clone()).collect();
    tokio::spawn(raw.answer_all(answers.into_iter()));
    node.connected(key(2)).await;
    for (bytes, expected) in cases {
        node.handle.request_catch_up(key(2), Bytes::from_static(b"?")).await.unwrap();
        assert_eq!(answer(&mut node).await, Err(expected), "answer {bytes:?}");
    }
}

/// A question over the bound is refused in words, garbage is hung up on, a second one at a time and one too many are
/// told to wait; none of these reaches the node, and a good one afterwards does.
#[tokio::test]
async fn bad_questions_do_not_reach_the_node() {
    let mut node = Node::start(1, &["/ip4/127.0.0.1/tcp/0".to_owned()], &[guardian(1, &[]), guardian(2, &[])]);
    let address = node.listening().await;
    let mut raw = Raw::new(2);
    let peer = raw.join(&address).await;
    raw.send(&peer, vec![1, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(raw.answer().await.unwrap(), [4, 0, 0, 0, 0]);
    for bad in [vec![], vec![1, 0, 0], vec![1, 0, 0, 0, 9, 1], b"GET / HTTP/1.1".to_vec()] {
        raw.send(&peer, bad);
        assert!(raw.answer().await.is_ok_and(|bytes| bytes.is_empty()), "hung up on");
    }
    raw.send(&peer, vec![1, 0, 0, 0, 1, b'a']);
    let (_, _, first) = tokio::select! {
        asked = question(&mut node) => asked,
        _ = async { loop { raw.swarm.select_next_some().await; } } => unreachable!(),
    };
    raw.send(&peer, vec![1, 0, 0, 0, 1, b'b']);
    assert_eq!(raw.answer().await.unwrap(), [3, 0, 0, 0, 0], "one at a time");
    node.handle.reply(first, Bytes::from_static(b"A")).await.unwrap();
    assert_eq!(raw.answer().await.unwrap(), [2, 0, 0, 0, 1, b'A']);

    // Each question takes one of the quota, which grows by a few a second: at any pace but a crawl it ends.
    let (mut busy, mut asked) = (0, 0);
    while busy == 0 && asked < limits::CATCH_UP_BURST * 20 {
        asked += 1;
        raw.send(&peer, vec![1, 0, 0, 0, 1, b'c']);
        let answer = tokio::select! {
            answer = raw.answer() => answer.unwrap(),
            () = async { loop {
                let (_, _, reply) = question(&mut node).await;
                node.handle.reply(reply, Bytes::new()).await.unwrap();
            } } => unreachable!(),
        };
        busy += u32::from(answer == [3, 0, 0, 0, 0]);
    }
    assert!(busy > 0 && asked > limits::CATCH_UP_BURST / 2, "the quota of one member ends: {asked}");
    assert_eq!(node.handle.figures().catch_up_refused, u64::from(busy) + 2);
}

/// A member whose second page is cut off in the middle is left for another one, which goes on at the place that was reached.
#[tokio::test]
async fn a_cut_in_mid_page_resumes_with_another_member() {
    fn page(from: u8) -> Vec<u8> {
        (from..from + 10).collect()
    }
    let frame = |from| [&[2, 0, 0, 0, 10][..], &page(from)].concat();
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let mut node = Node::start(1, &port_0, &[guardian(1, &[]), guardian(2, &[]), guardian(3, &[])]);
    let address = node.listening().await;
    let mut raw = Raw::new(2);
    raw.join(&address).await;
    tokio::spawn(raw.answer_all(vec![frame(0), frame(10)[..9].to_vec()].into_iter()));
    let mut other = Node::start(3, &port_0, &[guardian(1, &[address]), guardian(2, &[]), guardian(3, &[])]);
    node.connected_count(2).await;
    let serving = tokio::spawn(async move {
        loop {
            let (_, bytes, reply) = question(&mut other).await;
            other.handle.reply(reply, page(bytes[0]).into()).await.unwrap();
        }
    });
    let (mut held, mut asked) = (Vec::new(), key(2));
    while held.len() < 40 {
        let from = u8::try_from(held.len()).unwrap();
        node.handle.request_catch_up(asked, vec![from].into()).await.unwrap();
        match answer(&mut node).await {
            Ok(bytes) => held.extend(bytes),
            Err(error) => {
                assert_eq!((error, held.len()), (CatchUpError::ClosedEarly, 10));
                asked = key(3);
            }
        }
    }
    serving.abort();
    assert_eq!((held, asked), ((0..40).collect(), key(3)));
}
