//! Stretches of evidence between members: a lane of its own beside catch-up, bounded alike.

use bytes::Bytes;
use watchfire_gossip::config::limits;
use watchfire_gossip::{CatchUpError, GossipEvent, ReplyToken, SendError};
use watchfire_types::MemberKey;

use crate::support::*;

async fn question(node: &mut Node) -> (MemberKey, Bytes, ReplyToken) {
    node.until(|e| {
        if let GossipEvent::EvidenceRequest { from, bytes, reply } = e { Some((from, bytes, reply)) } else { None }
    })
    .await
}

async fn answer(node: &mut Node) -> (MemberKey, Result<Bytes, CatchUpError>) {
    node.until(|e| if let GossipEvent::EvidenceResponse { from, result } = e { Some((from, result)) } else { None })
        .await
}

/// A stretch arrives as it was sent, whole or wrong: what a peer serves is the asker's to judge by its digest. A catch-up question under
/// way to the same member is another lane and holds up neither.
#[tokio::test]
async fn stretches_pass_beside_catch_up() {
    let mut nodes = full_mesh(2).await;
    let (asker, server) = nodes.split_first_mut().unwrap();
    let server = &mut server[0];
    asker.handle.request_catch_up(server.key, Bytes::from_static(b"what did I miss?")).await.unwrap();
    let held =
        server.until(|e| if let GossipEvent::CatchUpRequest { reply, .. } = e { Some(reply) } else { None }).await;
    for say in [vec![7; limits::CATCH_UP_RESPONSE_BYTES_MAX], b"not what was asked for".to_vec(), Vec::new()] {
        asker.handle.request_evidence(server.key, Bytes::from_static(b"object, offset")).await.unwrap();
        let (from, bytes, reply) = question(server).await;
        assert_eq!((from, bytes), (asker.key, Bytes::from_static(b"object, offset")));
        server.handle.reply(reply, say.clone().into()).await.unwrap();
        assert_eq!(answer(asker).await, (server.key, Ok(say.into())));
    }
    server.handle.reply(held, Bytes::from_static(b"nothing")).await.unwrap();
    let caught_up =
        asker.until(|e| if let GossipEvent::CatchUpResponse { result, .. } = e { Some(result) } else { None }).await;
    assert_eq!(caught_up, Ok(Bytes::from_static(b"nothing")));
}

/// No reply, nobody there, too large, asked too often: each is told by name.
#[tokio::test]
async fn refusals_have_names() {
    let mut nodes = full_mesh(2).await;
    let (asker, server) = nodes.split_first_mut().unwrap();
    let server = &mut server[0];
    asker.handle.request_evidence(server.key, Bytes::from_static(b"?")).await.unwrap();
    drop(question(server).await);
    assert_eq!(answer(asker).await.1, Err(CatchUpError::ClosedEarly));
    asker.handle.request_evidence(key(99), Bytes::new()).await.unwrap();
    assert_eq!(answer(asker).await, (key(99), Err(CatchUpError::NotConnected)));
    let (size, max) = (limits::CATCH_UP_REQUEST_BYTES_MAX + 1, limits::CATCH_UP_REQUEST_BYTES_MAX);
    let refused = asker.handle.request_evidence(server.key, vec![0; size].into()).await;
    assert_eq!(refused, Err(SendError::TooLarge { what: "evidence request", size, max }));
}
