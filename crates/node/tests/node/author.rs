//! A member whose key the test holds: it signs what it is told to.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use watchfire_charter::Charter;
use watchfire_gossip::{Entry, GossipConfig, GossipEvent, Handle, Kind};
use watchfire_types::body::{Body, Human, HumanStatement, Started};
use watchfire_types::{Bytes, Epoch, Event, EventHash, IncidentId, MemberId, MemberKey, Seq, Timestamp, Verdict};
use watchfire_wire::{CatchUpRequest, CatchUpResponse};
use zeroize::Zeroizing;

use crate::fixture::{Members, endpoint_of_chain, private_file};

const SEED: [u8; 32] = [0x5e; 32];

pub(crate) fn key() -> MemberKey {
    MemberKey::from_bytes(SigningKey::from_bytes(&SEED).verifying_key().to_bytes())
}

/// Signs events at any place of its chain.
pub(crate) struct Author {
    pub(crate) charter: Charter,
    pub(crate) member: MemberId,
    pub(crate) epoch: Epoch,
}

impl Author {
    /// Signs these bytes as they are.
    pub(crate) fn sign(bytes: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(&SEED).sign(bytes).to_bytes()
    }

    pub(crate) fn says(&self, seq: u64, prev: EventHash, body: Body) -> (EventHash, Bytes) {
        let event = Event {
            network: self.charter.network_id(),
            author: key(),
            epoch: self.epoch,
            seq: Seq::new(seq),
            prev,
            time: Timestamp::from_millis(1_700_000_000_000 + seq),
            body,
        };
        let sealed = watchfire_wire::seal(&event, Self::sign).unwrap();
        (sealed.hash(), sealed.outer().clone())
    }

    pub(crate) fn started(&self) -> (EventHash, Bytes) {
        let (charter_version, charter_digest) = (self.charter.version, self.charter.digest());
        let body = Started { earlier: Vec::new(), charter_version, charter_digest, software: "test".into() };
        self.says(0, EventHash::from_bytes([0; 32]), Body::Started(body))
    }

    pub(crate) fn note(&self, seq: u64, prev: EventHash, reason: &str) -> (EventHash, Bytes) {
        let human = Human { person: "p-1".into(), role: "lead".into(), reason: reason.into() };
        self.says(seq, prev, Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human }))
    }

    /// Takes part in the network from `port`, knows where alder is and nobody else, and answers catch-up so.
    pub(crate) fn joins(
        &self,
        port: u16,
        alder: u16,
        mut answers: impl FnMut(&CatchUpRequest) -> CatchUpResponse + Send + 'static,
    ) -> Handle {
        let address = |id: &MemberId| match id.as_str() {
            "alder-1" => vec![format!("/ip4/127.0.0.1/tcp/{alder}")],
            _ => Vec::new(),
        };
        let members = self.charter.members.iter().map(|(id, entry)| Entry {
            key: entry.node_key,
            kind: Kind::Guardian,
            addresses: address(id),
        });
        let (handle, mut inbox) = watchfire_gossip::spawn(&GossipConfig {
            identity: Zeroizing::new(SEED),
            network: self.charter.network_id(),
            listen: vec![format!("/ip4/127.0.0.1/tcp/{port}")],
            members: members.collect(),
        })
        .unwrap();
        let served = handle.clone();
        tokio::spawn(async move {
            while let Some(event) = inbox.recv().await {
                // Once the swarm is told to stop, answers go nowhere.
                match event {
                    GossipEvent::Message { id, .. } => drop(served.verdict(id, Verdict::Accept).await),
                    GossipEvent::CatchUpRequest { bytes, reply, .. } => {
                        let request = CatchUpRequest::decode(bytes).unwrap();
                        let _ = served.reply(reply, answers(&request).encode()).await;
                    }
                    _ => {}
                }
            }
        });
        handle
    }
}

/// Five members, of whom elm's key is the test's.
pub(crate) fn members() -> (Members, Author) {
    let members = Members::new(&endpoint_of_chain(31_337));
    let elm = members.entries["elm"]["member"]["node_key"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(members.charter()).unwrap().replace(&elm, &key().to_string());
    for organisation in members.entries.keys() {
        std::fs::write(members.directory(organisation).join("charter.toml"), &text).unwrap();
    }
    let charter = watchfire_charter::parse(&text).unwrap().0;
    (members, Author { charter, member: "elm-1".parse().unwrap(), epoch: Epoch::from_bytes([0xe1; 16]) })
}

/// As [`members`]; alder alone knows that elm is at this port.
pub(crate) fn members_who_know(port: u16) -> (Members, Author) {
    let (members, author) = members();
    let config = members.config("alder");
    let peers = format!("[network.peers]\nelm-1 = [\"/ip4/127.0.0.1/tcp/{port}\"]\n");
    let with_peers = std::fs::read_to_string(&config).unwrap().replacen("\n[keys]", &format!("\n{peers}\n[keys]"), 1);
    assert!(with_peers.contains(&peers));
    private_file(Path::new(&config), &with_peers);
    (members, author)
}

/// Where a member listens.
pub(crate) fn port_of(members: &Members, organisation: &str) -> u16 {
    let addresses = members.entries[organisation]["member"]["addresses"].to_string();
    addresses.rsplit('/').next().unwrap().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}
