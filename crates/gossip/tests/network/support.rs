//! Nodes with made-up keys, and waiting for what they tell.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use libp2p::identity::Keypair;
use tokio::sync::mpsc;
use tokio::time::timeout;
use watchfire_gossip::{DialCause, Entry, GossipConfig, GossipEvent, Handle, Kind, spawn};
use watchfire_types::{MemberKey, NetworkId, Verdict};
use zeroize::Zeroizing;

use crate::port;

/// Longest wait for any one event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([0x77; 32]);

pub(crate) fn seed(n: u8) -> [u8; 32] {
    [n; 32]
}

pub(crate) fn pair(n: u8) -> Keypair {
    Keypair::ed25519_from_bytes(seed(n)).unwrap()
}

/// The member key of seed `n`.
pub(crate) fn key(n: u8) -> MemberKey {
    MemberKey::from_bytes(pair(n).public().try_into_ed25519().unwrap().to_bytes())
}

pub(crate) fn guardian(n: u8, addresses: &[String]) -> Entry {
    Entry { key: key(n), kind: Kind::Guardian, addresses: addresses.to_vec() }
}

/// A TCP address to listen on.
pub(crate) fn free_tcp() -> String {
    format!("/ip4/127.0.0.1/tcp/{}", port::free().unwrap().port())
}

/// A QUIC address to listen on.
pub(crate) fn free_quic() -> String {
    format!("/ip4/127.0.0.1/udp/{}/quic-v1", port::free().unwrap().port())
}

pub(crate) fn config(own: u8, listen: &[String], members: &[Entry]) -> GossipConfig {
    GossipConfig {
        identity: Zeroizing::new(seed(own)),
        network: NETWORK,
        listen: listen.to_vec(),
        members: members.to_vec(),
    }
}

pub(crate) struct Node {
    pub(crate) key: MemberKey,
    pub(crate) handle: Handle,
    pub(crate) events: mpsc::Receiver<GossipEvent>,
}

impl Node {
    pub(crate) fn start(own: u8, listen: &[String], members: &[Entry]) -> Self {
        Self::from_config(&config(own, listen, members))
    }

    pub(crate) fn from_config(config: &GossipConfig) -> Self {
        let (handle, events) = spawn(config).unwrap();
        let own = Keypair::ed25519_from_bytes(*config.identity).unwrap();
        let key = MemberKey::from_bytes(own.public().try_into_ed25519().unwrap().to_bytes());
        Self { key, handle, events }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> GossipEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("no event in time").expect("the network ended")
    }

    /// The first event that `wanted` takes; others are passed over.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(GossipEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    pub(crate) async fn connected(&mut self, member: MemberKey) {
        self.until(|e| matches!(e, GossipEvent::Connected(m) if m == member).then_some(())).await;
    }

    pub(crate) async fn disconnected(&mut self, member: MemberKey) {
        self.until(|e| matches!(e, GossipEvent::Disconnected(m) if m == member).then_some(())).await;
    }

    /// Waits until this many different members are connected.
    pub(crate) async fn connected_count(&mut self, count: usize) -> BTreeSet<MemberKey> {
        let mut seen = BTreeSet::new();
        while seen.len() < count {
            seen.insert(self.until(|e| if let GossipEvent::Connected(m) = e { Some(m) } else { None }).await);
        }
        seen
    }

    /// The next message, without a verdict: (number, who handed it over, bytes).
    pub(crate) async fn message(&mut self) -> (u64, MemberKey, Bytes) {
        self.until(|e| if let GossipEvent::Message { id, from, bytes } = e { Some((id, from, bytes)) } else { None })
            .await
    }

    /// The next message, with this verdict given.
    pub(crate) async fn judge(&mut self, verdict: Verdict) -> Bytes {
        let (id, _, bytes) = self.message().await;
        self.handle.verdict(id, verdict).await.unwrap();
        bytes
    }

    /// Rejects every message until that bars its sender.
    pub(crate) async fn reject_until_barred(&mut self) -> (MemberKey, DialCause) {
        loop {
            match self.next().await {
                GossipEvent::Message { id, .. } => self.handle.verdict(id, Verdict::Reject).await.unwrap(),
                GossipEvent::DialFailed { member, cause } => return (member, cause),
                _ => {}
            }
        }
    }

    pub(crate) async fn listening(&mut self) -> String {
        self.until(|e| if let GossipEvent::Listening(address) = e { Some(address) } else { None }).await
    }

    pub(crate) async fn publish(&self, bytes: &[u8]) {
        self.handle.publish(Bytes::copy_from_slice(bytes)).await.unwrap();
    }
}

/// Guardians 1 to `count`, each listening on TCP and QUIC at ports that the system chose; each knows where those before
/// it listen, so that every pair has exactly one side that can dial.
pub(crate) async fn full_mesh(count: u8) -> Vec<Node> {
    let port_0 = ["/ip4/127.0.0.1/tcp/0".to_owned(), "/ip4/127.0.0.1/udp/0/quic-v1".to_owned()];
    let mut members: Vec<Entry> = (1..=count).map(|n| guardian(n, &[])).collect();
    let mut nodes = Vec::new();
    for n in 1..=count {
        let mut node = Node::start(n, &port_0, &members);
        let mut addresses = [node.listening().await, node.listening().await];
        addresses.sort();
        // Odd ones are reached over QUIC, even ones over TCP.
        members[usize::from(n) - 1].addresses = vec![addresses[usize::from(n % 2)].clone()];
        nodes.push(node);
    }
    for node in &mut nodes {
        node.connected_count(usize::from(count) - 1).await;
    }
    nodes
}
