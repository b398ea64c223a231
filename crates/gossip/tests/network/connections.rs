//! Connecting, losing and finding each other again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use watchfire_gossip::{DialCause, Entry, GossipEvent, Kind};
use watchfire_types::Verdict;

use crate::support::*;

/// A member that restarts on its address is connected again from whichever side dials, several times over.
#[tokio::test]
async fn a_restarted_member_comes_back() {
    let members = [guardian(1, &[free_tcp()]), guardian(2, &[free_tcp()]), guardian(3, &[free_tcp()])];
    let mut stays = Node::start(1, &members[0].addresses, &members);
    let mut third = Node::start(3, &members[2].addresses, &members);
    for round in 0..3u8 {
        let mut comes = Node::start(2, &members[1].addresses, &members);
        comes.connected_count(2).await;
        stays.connected(comes.key).await;
        third.connected(comes.key).await;
        comes.publish(&[b'r', round]).await;
        assert_eq!(stays.judge(Verdict::Accept).await, [b'r', round][..]);
        comes.handle.shutdown().await;
        stays.disconnected(comes.key).await;
        third.disconnected(comes.key).await;
    }
}

/// Both sides dial in the same instant (each believes that the other cannot): they end connected, stay so, and talk both ways.
#[tokio::test]
async fn simultaneous_dial_ends_connected() {
    for round in 0..5u8 {
        let (at_a, at_b) = ([free_tcp()], [free_tcp()]);
        let mut a = Node::start(1, &at_a, &[guardian(1, &[]), guardian(2, &at_b)]);
        let mut b = Node::start(2, &at_b, &[guardian(1, &at_a), guardian(2, &[])]);
        a.connected(b.key).await;
        b.connected(a.key).await;
        a.publish(&[1, round]).await;
        b.publish(&[2, round]).await;
        for (node, bytes) in [(&mut a, [2, round]), (&mut b, [1, round])] {
            let next = node.until(|e| match e {
                GossipEvent::Message { bytes, .. } => Some(Some(bytes)),
                GossipEvent::Disconnected(_) => Some(None),
                _ => None,
            });
            assert_eq!(next.await.expect("stayed connected"), bytes[..]);
        }
    }
}

/// What a link between two nodes does.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    /// It carries bytes.
    Open,
    /// Its connections break and new ones are hung up on.
    Broken,
    /// Its connections stand and carry nothing, like a network that drops every packet.
    Frozen,
}

/// Forwards TCP to this address as its link allows.
async fn gate(to: String) -> (String, Arc<watch::Sender<Link>>) {
    let port: u16 = to.rsplit('/').next().unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port());
    let link = Arc::new(watch::Sender::new(Link::Open));
    let control = Arc::clone(&link);
    tokio::spawn(async move {
        while let Ok((inside, _)) = listener.accept().await {
            tokio::spawn(carry(inside, port, control.subscribe()));
        }
    });
    (address, link)
}

async fn carry(mut inside: TcpStream, port: u16, mut link: watch::Receiver<Link>) {
    if *link.borrow_and_update() == Link::Open {
        let Ok(mut outside) = TcpStream::connect(("127.0.0.1", port)).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut inside, &mut outside) => {}
            _ = link.wait_for(|link| *link != Link::Open) => {}
        }
        // Frozen: both sockets are held until something changes.
        let _ = link.wait_for(|link| *link != Link::Frozen).await;
    } else {
        let _ = link.wait_for(|link| *link != Link::Frozen).await;
    }
}

/// A link that drops everything without a word is found dead by both sides, and used again when it carries again.
#[tokio::test]
async fn a_silent_link_is_found_dead() {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let mut a = Node::start(1, &port_0, &[guardian(1, &[]), guardian(2, &[])]);
    let (gate_a, link) = gate(a.listening().await).await;
    let mut b = Node::start(2, &port_0, &[guardian(1, &[gate_a]), guardian(2, &[])]);
    a.connected(b.key).await;
    b.connected(a.key).await;
    link.send_replace(Link::Frozen);
    a.disconnected(b.key).await;
    b.disconnected(a.key).await;
    link.send_replace(Link::Open);
    a.connected(b.key).await;
    b.connected(a.key).await;
    a.publish(b"thawed").await;
    assert_eq!(b.judge(Verdict::Accept).await, "thawed");
}

/// One node of three is cut off and healed: the others go on, the cut-off one tells why it fails, what it
/// published alone goes out after the heal, and what it missed it gets by asking.
#[tokio::test]
async fn a_partition_heals() {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let mut a = Node::start(1, &port_0, &[guardian(1, &[]), guardian(2, &[]), guardian(3, &[])]);
    let at_a = a.listening().await;
    let mut b =
        Node::start(2, &port_0, &[guardian(1, std::slice::from_ref(&at_a)), guardian(2, &[]), guardian(3, &[])]);
    let at_b = b.listening().await;
    let (gate_a, open_a) = gate(at_a).await;
    let (gate_b, open_b) = gate(at_b).await;
    let mut c = Node::start(3, &port_0, &[guardian(1, &[gate_a]), guardian(2, &[gate_b]), guardian(3, &[])]);
    a.connected_count(2).await;
    b.connected_count(2).await;
    c.connected_count(2).await;

    open_a.send_replace(Link::Broken);
    open_b.send_replace(Link::Broken);
    a.disconnected(c.key).await;
    b.disconnected(c.key).await;
    let mut gone = BTreeSet::new();
    while gone.len() < 2 {
        gone.insert(c.until(|e| if let GossipEvent::Disconnected(m) = e { Some(m) } else { None }).await);
    }
    a.publish(b"while cut").await;
    assert_eq!(b.judge(Verdict::Accept).await, "while cut");
    c.publish(b"alone").await;
    let cause = c.until(|e| if let GossipEvent::DialFailed { cause, .. } = e { Some(cause) } else { None }).await;
    assert!(matches!(cause, DialCause::Unreachable { ref tried } if tried.len() == 1), "{cause}");

    open_a.send_replace(Link::Open);
    open_b.send_replace(Link::Open);
    let joined = c.connected_count(2).await;
    assert_eq!(joined, BTreeSet::from([a.key, b.key]));
    // It goes to whoever is back first, and from there to the other.
    let heard = tokio::join!(a.judge(Verdict::Accept), b.judge(Verdict::Accept));
    assert_eq!(heard, ("alone".into(), "alone".into()));
    c.handle.request_catch_up(b.key, b"have nothing".as_slice().into()).await.unwrap();
    let reply = b.until(|e| if let GossipEvent::CatchUpRequest { reply, .. } = e { Some(reply) } else { None }).await;
    b.handle.reply(reply, b"while cut".as_slice().into()).await.unwrap();
    let answer =
        c.until(|e| if let GossipEvent::CatchUpResponse { result, .. } = e { Some(result) } else { None }).await;
    assert_eq!(answer.unwrap(), "while cut");
}

/// Another key at a member's address is named with address and key; with a second, right address the member is reached.
#[tokio::test]
async fn a_wrong_key_at_an_address_is_named() {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let everyone = |two: &[String]| [guardian(1, &[]), guardian(2, two), guardian(3, &[])];
    let mut impostor = Node::start(3, &port_0, &everyone(&[]));
    let wrong = impostor.listening().await;
    let mut a = Node::start(1, &port_0, &everyone(std::slice::from_ref(&wrong)));
    let told =
        a.until(|e| if let GossipEvent::DialFailed { member, cause } = e { Some((member, cause)) } else { None }).await;
    assert_eq!(told, (key(2), DialCause::WrongKey { address: wrong.clone(), obtained: Some(key(3)) }));
    a.handle.shutdown().await;

    let mut right = Node::start(2, &port_0, &everyone(&[]));
    let address = right.listening().await;
    let mut a = Node::start(1, &port_0, &everyone(&[wrong, address]));
    a.connected(right.key).await;
}

/// A watcher holds four of six guardians, and takes another when one of them leaves.
#[tokio::test]
async fn a_watcher_connects_to_four_guardians() {
    let mut guardians = Vec::new();
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let watcher = Entry { key: key(7), kind: Kind::Watcher, addresses: Vec::new() };
    let mut members: Vec<Entry> = (1..=6).map(|n| guardian(n, &[])).chain([watcher]).collect();
    for n in 1..=6u8 {
        let mut node = Node::start(n, &port_0, &members);
        members[usize::from(n) - 1].addresses = vec![node.listening().await];
        guardians.push(node);
    }
    let mut watcher = Node::start(7, &port_0, &members);
    let mut held = watcher.connected_count(4).await;
    let place = guardians.iter().position(|g| held.contains(&g.key)).unwrap();
    let leaving = guardians.remove(place);
    leaving.handle.shutdown().await;
    watcher.disconnected(leaving.key).await;
    held.remove(&leaving.key);
    let next = watcher.until(|e| if let GossipEvent::Connected(m) = e { Some(m) } else { None }).await;
    assert!(next != leaving.key && held.insert(next), "another than the four");
    // A message of the guardian that the watcher does not hold comes over one that it does.
    let (far, mut near): (Vec<Node>, Vec<Node>) = guardians.into_iter().partition(|g| !held.contains(&g.key));
    assert_eq!((far.len(), near.len()), (1, 4));
    far[0].publish(b"to all").await;
    for guardian in &mut near {
        assert_eq!(guardian.judge(Verdict::Accept).await, "to all");
    }
    let (_, from, bytes) = watcher.message().await;
    assert!(held.contains(&from));
    assert_eq!(bytes, "to all");
}
