//! Other members on a real network who hold evidence: one serves what is not the object, one serves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use watchfire_gossip::{Entry, GossipConfig, GossipEvent, Handle, Kind};
use watchfire_types::{B256, Bytes, MemberKey};
use watchfire_wire::CatchUpResponse;
use zeroize::Zeroizing;

use crate::evidence::copies;
pub(super) use crate::run::fixture::{chain, key};

/// A member that answers catch-up with events and serves bytes, whatever it is asked for.
pub(super) struct Peer {
    handle: Handle,
    /// What it was answered when it asked for evidence.
    answers: mpsc::UnboundedReceiver<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
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
        let (answered, answers) = mpsc::unbounded_channel();
        let asking = handle.clone();
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
                    GossipEvent::EvidenceResponse { result, .. } => answered.send(result.unwrap()).unwrap(),
                    _ => {}
                }
            }
        });
        Self { handle: asking, answers, task }
    }

    /// What a member answers that is asked for an object.
    pub(super) async fn asks(&mut self, member: MemberKey, object: &B256) -> Bytes {
        self.handle.request_evidence(member, copies::question(object, 0)).await.unwrap();
        self.answers.recv().await.unwrap()
    }
}
