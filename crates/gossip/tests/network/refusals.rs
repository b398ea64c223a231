//! What is refused, and by what name.

use std::net::{TcpListener, UdpSocket};

use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use watchfire_gossip::config::limits;
use watchfire_gossip::{DialCause, GossipError, GossipEvent, spawn};
use watchfire_types::{MemberKey, NetworkId, Verdict};

use crate::raw::Raw;
use crate::support::*;

async fn cause(node: &mut Node) -> (MemberKey, DialCause) {
    node.until(|e| if let GossipEvent::DialFailed { member, cause } = e { Some((member, cause)) } else { None }).await
}

/// A key that the charter does not list is refused, counted, and learns by name that it was hung up on; members are not disturbed.
#[tokio::test]
async fn strangers_are_refused() {
    let mut nodes = full_mesh(2).await;
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let mut member = Node::start(1, &port_0, &[guardian(1, &[]), guardian(2, &[])]);
    let address = member.listening().await;
    let mut stranger = Node::start(9, &port_0, &[guardian(9, &[]), guardian(1, &[address])]);
    stranger.publish(b"let me in").await;
    assert_eq!(cause(&mut stranger).await, (member.key, DialCause::ClosedAtOnce));
    assert!(member.handle.figures().strangers_refused >= 1);
    assert_eq!(member.handle.figures().received, 0);
    nodes[0].publish(b"undisturbed").await;
    assert_eq!(nodes[1].judge(Verdict::Accept).await, "undisturbed");
}

/// A member's message over the bound is rejected unread; its next one is taken.
#[tokio::test]
async fn oversized_messages_are_rejected_unread() {
    let mut node = Node::start(1, &["/ip4/127.0.0.1/tcp/0".to_owned()], &[guardian(1, &[]), guardian(2, &[])]);
    let address = node.listening().await;
    let mut raw = Raw::new(2);
    raw.join(&address).await;
    raw.publish(vec![1; limits::MESSAGE_BYTES_MAX + 1]);
    raw.publish(b"small".to_vec());
    let bytes = tokio::select! {
        bytes = node.judge(Verdict::Accept) => bytes,
        _ = async { loop { raw.swarm.select_next_some().await; } } => unreachable!(),
    };
    assert_eq!(bytes, "small");
    assert_eq!(node.handle.figures().oversized, 1);
}

/// A frame far over the bound costs the sender its stream, not the node.
#[tokio::test]
async fn oversized_frames_do_not_hurt() {
    let mut nodes = full_mesh(2).await;
    let mut node = Node::start(3, &["/ip4/127.0.0.1/tcp/0".to_owned()], &[guardian(3, &[]), guardian(4, &[])]);
    let address = node.listening().await;
    let mut raw = Raw::new(4);
    raw.join(&address).await;
    node.connected(key(4)).await;
    raw.publish(vec![1; 512 * 1024]);
    raw.swarm.disconnect_peer_id(pair(3).public().to_peer_id()).unwrap();
    while !matches!(raw.next().await, SwarmEvent::ConnectionClosed { .. }) {}
    node.disconnected(key(4)).await;
    raw.join(&address).await;
    node.connected(key(4)).await;
    assert_eq!(node.handle.figures().received, 0);
    nodes[1].publish(b"fine").await;
    assert_eq!(nodes[0].judge(Verdict::Accept).await, "fine");
}

/// The same members in another network are told apart by name, on both sides.
#[tokio::test]
async fn another_network_is_named() {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let mut here = Node::start(1, &port_0, &[guardian(1, &[]), guardian(2, &[])]);
    let mut other = config(2, &port_0, &[guardian(1, &[here.listening().await]), guardian(2, &[])]);
    other.network = NetworkId::from_bytes([0x88; 32]);
    let mut there = Node::from_config(&other);
    let announced = format!("watchfire/{NETWORK}/1");
    assert!(announced.len() <= 120);
    // Whoever identifies the other first closes, so only one side is sure to hear the name.
    let named = tokio::select! {
        (_, cause) = cause(&mut here) => cause,
        (_, cause) = async { loop {
            let told = cause(&mut there).await;
            if told.1 != DialCause::ClosedAtOnce { return told; }
        } } => cause,
    };
    assert!(matches!(named, DialCause::OtherNetwork { .. }), "{named}");
}

/// A port that another process has is named with its address, over TCP and over QUIC.
#[tokio::test]
async fn a_port_in_use_is_named() {
    let members = [guardian(1, &[])];
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", tcp.local_addr().unwrap().port());
    let error = spawn(&config(1, std::slice::from_ref(&address), &members)).unwrap_err();
    assert!(matches!(&error, GossipError::PortInUse { address: a } if *a == address), "{error}");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", udp.local_addr().unwrap().port());
    let error = spawn(&config(1, std::slice::from_ref(&address), &members)).unwrap_err();
    assert!(matches!(&error, GossipError::PortInUse { address: a } if *a == address), "{error}");
    // Another node, whose stack would share its port with us.
    let mut node = Node::start(1, &["/ip4/127.0.0.1/tcp/0".to_owned()], &members);
    let address = node.listening().await;
    let error = spawn(&config(1, std::slice::from_ref(&address), &members)).unwrap_err();
    assert!(matches!(&error, GossipError::PortInUse { address: a } if *a == address), "{error}");
}

/// A member that keeps handing over what is rejected is cut off and told of by name; the others stay.
#[tokio::test]
async fn a_stream_of_rejected_messages_bars_its_sender() {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let members = [guardian(1, &[]), guardian(2, &[]), guardian(3, &[])];
    let mut node = Node::start(1, &port_0, &members);
    let address = node.listening().await;
    let mut honest =
        Node::start(3, &port_0, &[guardian(1, std::slice::from_ref(&address)), guardian(2, &[]), guardian(3, &[])]);
    honest.connected(node.key).await;
    let mut liar = Raw::new(2);
    liar.join(&address).await;
    for n in 0..limits::REJECTS_BURST + 8 {
        liar.publish(format!("rubbish {n}").into_bytes());
    }
    let liar = tokio::spawn(async move { while !matches!(liar.next().await, SwarmEvent::ConnectionClosed { .. }) {} });
    let barred = node.reject_until_barred().await;
    assert_eq!(barred, (key(2), DialCause::Barred { seconds: limits::BARRED_FOR.as_secs() }));
    node.disconnected(key(2)).await;
    liar.await.unwrap();
    assert_eq!(node.handle.figures().strangers_refused, 0);
    honest.publish(b"still here").await;
    let still = loop {
        let bytes = node.judge(Verdict::Accept).await;
        if !bytes.starts_with(b"rubbish") {
            break bytes;
        }
    };
    assert_eq!(still, "still here");
}
