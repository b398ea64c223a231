//! The other members: their messages, their presence, and what each side misses.

use tokio::sync::mpsc;
use watchfire_driver::Door;
use watchfire_gossip::GossipEvent;
use watchfire_types::MemberKey;
use watchfire_types::control::Record;
use watchfire_types::input::Input;
use watchfire_wire::CatchUpRequest;

use super::node::{Node, Turned};
use super::{RunError, describe, now};

/// Messages of the network taken into one turn, so that they share a sync.
const BATCH_MAX: usize = 256;
/// The alarm about addresses of members that nobody can dial.
const UNDIALABLE: &str = "address-undialable";

impl Node {
    pub(super) async fn on_gossip(
        &mut self,
        first: GossipEvent,
        more: &mut mpsc::Receiver<GossipEvent>,
    ) -> Result<Turned, RunError> {
        let mut doors = Vec::new();
        let mut event = Some(first);
        while let Some(current) = event.take() {
            match current {
                GossipEvent::Message { id, bytes, .. } => doors.push(Door::Gossip { id, bytes }),
                GossipEvent::CatchUpResponse { from, result } => self.answered(from, result).await?,
                other => {
                    // Order matters between messages and connections: what came before is taken first.
                    if !doors.is_empty() {
                        self.turn(std::mem::take(&mut doors)).await?;
                    }
                    self.on_peer(other).await?;
                }
            }
            if doors.len() < BATCH_MAX {
                event = more.try_recv().ok();
            }
        }
        if !doors.is_empty() {
            self.turn(doors).await?;
        }
        Ok(Turned::On)
    }

    async fn on_peer(&mut self, event: GossipEvent) -> Result<(), RunError> {
        let at = now().as_millis();
        match event {
            GossipEvent::Connected(member) => {
                self.connected.insert(member);
                self.records.push(self.peer_record(at, "peer-connected", member));
                self.input(Input::Peer { member, connected: true }).await?;
                self.ask(member).await?;
                self.greet();
            }
            GossipEvent::Disconnected(member) => {
                self.connected.remove(&member);
                self.records.push(self.peer_record(at, "peer-disconnected", member));
                self.input(Input::Peer { member, connected: false }).await?;
            }
            GossipEvent::CatchUpRequest { from, bytes, reply } => match CatchUpRequest::decode(bytes) {
                Ok(request) => {
                    let mut unreadable = None;
                    let response = self.driver.answer_catch_up(&request, |error| unreadable = Some(error));
                    if let Some(error) = unreadable {
                        let text = format!(
                            "log-record-unreadable: {error}; who asked for it got the rest; stop this node when it can be missed, and run \
                             `watchfire log repair`"
                        );
                        self.stands("log-record-unreadable", text);
                    }
                    self.gossip.reply(reply, response.encode()).await?;
                }
                // Dropping the token tells the asker at once.
                Err(error) => tracing::warn!(peer = %from.short(), cause = %error, "catch-up request is malformed"),
            },
            GossipEvent::EvidenceRequest { from, bytes, reply } => {
                self.on_evidence_request(from, &bytes, reply).await?;
            }
            GossipEvent::EvidenceResponse { from, result } => self.on_evidence_response(from, result).await?,
            GossipEvent::DialFailed { member, cause } => {
                tracing::info!(peer = %member.short(), cause = %cause, "member cannot be reached");
            }
            GossipEvent::Listening(address) => tracing::info!(%address, "listening"),
            GossipEvent::ListenerLost { addresses, problem } => {
                self.stands("listener-lost", format!("no longer listening on {}: {problem}", addresses.join(", ")));
            }
            GossipEvent::Undialable { member, problems } => {
                let name = self.charter.member_by_key(&member).map_or_else(|| member.short(), |(id, _)| id.to_string());
                let line = format!("{name} is not dialled there: {}", problems.join("; "));
                let text = match self.standing.get(UNDIALABLE) {
                    Some(before) => format!("{before}; {line}"),
                    None => format!("{UNDIALABLE}: {line}"),
                };
                self.stands(UNDIALABLE, text);
            }
            GossipEvent::Message { .. } | GossipEvent::CatchUpResponse { .. } => {}
        }
        Ok(())
    }

    fn peer_record(&self, at_ms: u64, kind: &str, member: MemberKey) -> Record {
        let name = self.charter.member_by_key(&member).map_or_else(|| member.short(), |(id, _)| id.to_string());
        let mut record = describe::plain(at_ms, kind, name);
        record.author = Some(member);
        record.organisation = self.charter.organisation_of(&member).cloned();
        record
    }

    pub(super) async fn on_heartbeat(&mut self) -> Result<(), RunError> {
        self.keep_scanned();
        self.listen().await?;
        let facts = self.heartbeat_facts();
        match self.driver.heartbeat(now(), facts) {
            Ok(bytes) => self.publish(bytes).await,
            Err(error) => {
                self.alarm(format!("no heartbeat could be made: {error}"));
                Ok(())
            }
        }
    }
}
