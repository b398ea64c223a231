//! Questions and answers between two members.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{self, InboundRequestId, OutboundRequestId, ResponseChannel};
use tokio::time::Instant;
use watchfire_types::MemberKey;

use super::{Task, causes};
use crate::bucket::Bucket;
use crate::codec::{Request, Response};
use crate::config::limits;
use crate::error::CatchUpError;
use crate::event::{GossipEvent, ReplyToken};
use crate::handle::count;

/// Both directions' state: at most one question under way to each member, and one of each.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Members asked, until the node has the answer.
    asked: BTreeSet<MemberKey>,
    /// Questions sent, until the stack answers.
    sent: BTreeMap<OutboundRequestId, MemberKey>,
    /// Questions of others that the node is answering.
    serving: BTreeMap<InboundRequestId, MemberKey>,
    /// How often each member may still ask; one entry per member of the charter at most.
    quota: BTreeMap<MemberKey, Bucket>,
}

impl Asking {
    /// The node has the answer: the member may be asked again.
    pub(super) fn on_delivered(&mut self, event: &GossipEvent) {
        if let GossipEvent::CatchUpResponse { from, .. } = event {
            self.asked.remove(from);
        }
    }

    /// The answer did not fit after all.
    pub(super) fn on_returned(&mut self, event: &GossipEvent) {
        if let GossipEvent::CatchUpResponse { from, .. } = event {
            self.asked.insert(*from);
        }
    }

    fn may_serve(&mut self, member: MemberKey) -> bool {
        let now = Instant::now();
        let full = || Bucket::full(limits::CATCH_UP_BURST, limits::CATCH_UP_PER_SECOND, now);
        let within = self.quota.entry(member).or_insert_with(full).take(now);
        within && !self.serving.values().any(|m| *m == member)
    }
}

impl Task {
    pub(super) fn on_ask(&mut self, member: MemberKey, bytes: Bytes) {
        if !self.asking.asked.insert(member) {
            return;
        }
        match self.peers.get(&member).filter(|_| self.links.is_joined(&member)) {
            Some(peer) => {
                let request = self.swarm.behaviour_mut().catch_up.send_request(peer, Request::Ask(bytes));
                self.asking.sent.insert(request, member);
            }
            None => self.emit(GossipEvent::CatchUpResponse { from: member, result: Err(CatchUpError::NotConnected) }),
        }
    }

    pub(super) fn on_reply(&mut self, token: ReplyToken, bytes: Bytes) {
        self.asking.serving.remove(&token.request);
        // An error says that the asker gave up or left: there is nobody to tell.
        if self.swarm.behaviour_mut().catch_up.send_response(token.channel, Response::Answer(bytes)).is_ok() {
            count(&self.counters.catch_up_served);
        }
    }

    pub(super) fn on_catch_up(&mut self, event: request_response::Event<Request, Response>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request_id, request, channel } => {
                    self.on_question(peer, request_id, request, channel);
                }
                request_response::Message::Response { request_id, response } => {
                    let result = match response {
                        Response::Answer(bytes) => Ok(bytes),
                        Response::Busy => Err(CatchUpError::Busy),
                        Response::Refused => Err(CatchUpError::Refused),
                    };
                    self.on_answer(request_id, result);
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.on_answer(request_id, Err(causes::of_question(error)));
            }
            request_response::Event::InboundFailure { request_id, error, peer, .. } => {
                self.asking.serving.remove(&request_id);
                tracing::debug!(%peer, %error, "a member's catch-up request was not answered");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_answer(&mut self, request: OutboundRequestId, result: Result<Bytes, CatchUpError>) {
        if let Some(from) = self.asking.sent.remove(&request) {
            self.emit(GossipEvent::CatchUpResponse { from, result });
        }
    }

    fn on_question(
        &mut self,
        peer: PeerId,
        id: InboundRequestId,
        request: Request,
        channel: ResponseChannel<Response>,
    ) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        let refusal = match request {
            Request::Oversized => Response::Refused,
            Request::Ask(bytes) if self.asking.may_serve(member) => {
                self.asking.serving.insert(id, member);
                let reply = ReplyToken { request: id, channel };
                return self.emit(GossipEvent::CatchUpRequest { from: member, bytes, reply });
            }
            Request::Ask(_) => Response::Busy,
        };
        count(&self.counters.catch_up_refused);
        // An error says that the asker left.
        let _ = self.swarm.behaviour_mut().catch_up.send_response(channel, refusal);
    }
}
