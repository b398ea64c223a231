//! Other members on a real network who hold evidence: one serves what is not the object, one serves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use tokio::task::JoinHandle;
use watchfire_charter::Charter;
use watchfire_gossip::{Entry, GossipConfig, GossipEvent, Kind};
use watchfire_types::body::{Body, Started};
use watchfire_types::{Bytes, Epoch, Event, EventHash, MemberKey, Seq, Timestamp};
use watchfire_wire::CatchUpResponse;
use zeroize::Zeroizing;

use crate::evidence::copies;

/// A member that answers catch-up with events and serves bytes, whatever it is asked for.
pub(super) struct Peer {
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes(SigningKey::from_bytes(&[member; 32]).verifying_key().to_bytes())
}

/// Writes into the configuration where the node listens and where these members are.
pub(super) fn connect(config: &Path, own: u16, peers: &[(&str, u16)]) {
    let text = std::fs::read_to_string(config).unwrap();
    let mut table = "[network.peers]\n".to_owned();
    for (member, port) in peers {
        table.push_str(&format!("{member} = [\"/ip4/127.0.0.1/tcp/{port}\"]\n"));
    }
    let text = text.replace("tcp/0", &format!("tcp/{own}")).replace("[keys]", &format!("{table}[keys]"));
    std::fs::write(config, text).unwrap();
}

/// What a member says, as signed events of one epoch.
pub(super) fn chain(charter: &Charter, member: u8, bodies: Vec<Body>) -> Vec<Bytes> {
    let started = Body::Started(Started {
        earlier: Vec::new(),
        charter_version: charter.version,
        charter_digest: charter.digest(),
        software: "test".to_owned(),
    });
    let mut prev = EventHash::from_bytes([0; 32]);
    let mut outers = Vec::new();
    for (seq, body) in (0..).zip(std::iter::once(started).chain(bodies)) {
        let event = Event {
            network: charter.network_id(),
            author: key(member),
            epoch: Epoch::from_bytes([member; 16]),
            seq: Seq::new(seq),
            prev,
            time: Timestamp::from_millis(crate::run::now().as_millis() + seq),
            body,
        };
        let sign = |bytes: &[u8]| SigningKey::from_bytes(&[member; 32]).sign(bytes).to_bytes();
        let sealed = watchfire_wire::seal(&event, sign).unwrap();
        prev = sealed.hash();
        outers.push(sealed.outer().clone());
    }
    outers
}

impl Peer {
    /// Member 2 (birch) or 3 (cedar) of the charter beside the config, which the node reaches at `port` and which reaches it at `node`.
    pub(super) fn start(config: &Path, member: u8, port: u16, node: u16, events: Vec<Bytes>, serves: Vec<u8>) -> Self {
        let charter = crate::charter_file::load(&config.with_file_name("charter.toml")).unwrap().0;
        let address = |id: &str| match id {
            "alder-1" => vec![format!("/ip4/127.0.0.1/tcp/{node}")],
            _ => Vec::new(),
        };
        let members = charter.members.iter().map(|(id, entry)| Entry {
            key: entry.node_key,
            kind: Kind::Guardian,
            addresses: address(id.as_str()),
        });
        let gossip = GossipConfig {
            identity: Zeroizing::new([member; 32]),
            network: charter.network_id(),
            listen: vec![format!("/ip4/127.0.0.1/tcp/{port}")],
            members: members.collect(),
        };
        let (handle, mut inbox) = watchfire_gossip::spawn(&gossip).unwrap();
        let task = tokio::spawn(async move {
            while let Some(event) = inbox.recv().await {
                match event {
                    GossipEvent::Message { id, .. } => {
                        handle.verdict(id, watchfire_types::Verdict::Accept).await.unwrap();
                    }
                    GossipEvent::CatchUpRequest { reply, .. } => {
                        let response = CatchUpResponse { events: events.clone(), complete: true, ..Default::default() };
                        handle.reply(reply, response.encode()).await.unwrap();
                    }
                    GossipEvent::EvidenceRequest { bytes, reply, .. } => {
                        let (_, from) = copies::asked(&bytes).unwrap();
                        let from = usize::try_from(from).unwrap().min(serves.len());
                        let to = serves.len().min(from + copies::STRETCH_BYTES_MAX);
                        let answer = copies::answer(serves.len() as u64, &serves[from..to]);
                        handle.reply(reply, answer).await.unwrap();
                    }
                    _ => {}
                }
            }
        });
        Self { task }
    }
}
