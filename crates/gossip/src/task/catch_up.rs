//! Questions and answers between two members.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{self, InboundRequestId, OutboundRequestId, ResponseChannel};
use tokio::time::Instant;
use watchfire_types::MemberKey;

use super::{Task, causes};
use crate::bucket::Bucket;
use crate::codec::{CatchUpCodec, Request, Response};
use crate::config::limits;
use crate::error::CatchUpError;
use crate::event::{GossipEvent, Lane, ReplyToken};
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
    fn may_serve(&mut self, member: MemberKey) -> bool {
        let now = Instant::now();
        let full = || Bucket::full(limits::CATCH_UP_BURST, limits::CATCH_UP_PER_SECOND, now);
        let within = self.quota.entry(member).or_insert_with(full).take(now);
        within && !self.serving.values().any(|m| *m == member)
    }
}

/// The event that carries an answer of a lane.
fn response(lane: Lane, from: MemberKey, result: Result<Bytes, CatchUpError>) -> GossipEvent {
    match lane {
        Lane::CatchUp => GossipEvent::CatchUpResponse { from, result },
        Lane::Evidence => GossipEvent::EvidenceResponse { from, result },
    }
}

impl Task {
    fn lane(&mut self, lane: Lane) -> (&mut Asking, &mut request_response::Behaviour<CatchUpCodec>) {
        let net = self.swarm.behaviour_mut();
        match lane {
            Lane::CatchUp => (&mut self.asking, &mut net.catch_up),
            Lane::Evidence => (&mut self.fetching, &mut net.evidence),
        }
    }

    /// The node has the answer: the member may be asked again.
    pub(super) fn on_delivered(&mut self, event: &GossipEvent) {
        match event {
            GossipEvent::CatchUpResponse { from, .. } => self.asking.asked.remove(from),
            GossipEvent::EvidenceResponse { from, .. } => self.fetching.asked.remove(from),
            _ => false,
        };
    }

    /// The answer did not fit after all.
    pub(super) fn on_returned(&mut self, event: &GossipEvent) {
        match event {
            GossipEvent::CatchUpResponse { from, .. } => self.asking.asked.insert(*from),
            GossipEvent::EvidenceResponse { from, .. } => self.fetching.asked.insert(*from),
            _ => false,
        };
    }

    pub(super) fn on_ask(&mut self, lane: Lane, member: MemberKey, bytes: Bytes) {
        let connected = self.peers.get(&member).copied().filter(|_| self.links.is_joined(&member));
        let (asking, net) = self.lane(lane);
        if !asking.asked.insert(member) {
            return;
        }
        match connected {
            Some(peer) => {
                let request = net.send_request(&peer, Request::Ask(bytes));
                asking.sent.insert(request, member);
            }
            None => self.emit(response(lane, member, Err(CatchUpError::NotConnected))),
        }
    }

    pub(super) fn on_reply(&mut self, token: ReplyToken, bytes: Bytes) {
        let (asking, net) = self.lane(token.lane);
        asking.serving.remove(&token.request);
        // An error says that the asker gave up or left: there is nobody to tell.
        if net.send_response(token.channel, Response::Answer(bytes)).is_ok() {
            count(&self.counters.catch_up_served);
        }
    }

    pub(super) fn on_asking(&mut self, lane: Lane, event: request_response::Event<Request, Response>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request_id, request, channel } => {
                    self.on_question(lane, peer, request_id, request, channel);
                }
                request_response::Message::Response { request_id, response } => {
                    let result = match response {
                        Response::Answer(bytes) => Ok(bytes),
                        Response::Busy => Err(CatchUpError::Busy),
                        Response::Refused => Err(CatchUpError::Refused),
                    };
                    self.on_answer(lane, request_id, result);
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.on_answer(lane, request_id, Err(causes::of_question(error)));
            }
            request_response::Event::InboundFailure { request_id, error, peer, .. } => {
                self.lane(lane).0.serving.remove(&request_id);
                tracing::debug!(%peer, %error, ?lane, "a member's request was not answered");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_answer(&mut self, lane: Lane, request: OutboundRequestId, result: Result<Bytes, CatchUpError>) {
        if let Some(from) = self.lane(lane).0.sent.remove(&request) {
            self.emit(response(lane, from, result));
        }
    }

    fn on_question(
        &mut self,
        lane: Lane,
        peer: PeerId,
        id: InboundRequestId,
        request: Request,
        channel: ResponseChannel<Response>,
    ) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        let (asking, _) = self.lane(lane);
        let refusal = match request {
            Request::Oversized => Response::Refused,
            Request::Ask(bytes) if asking.may_serve(member) => {
                asking.serving.insert(id, member);
                let reply = ReplyToken { lane, request: id, channel };
                return self.emit(match lane {
                    Lane::CatchUp => GossipEvent::CatchUpRequest { from: member, bytes, reply },
                    Lane::Evidence => GossipEvent::EvidenceRequest { from: member, bytes, reply },
                });
            }
            Request::Ask(_) => Response::Busy,
        };
        count(&self.counters.catch_up_refused);
        // An error says that the asker left.
        let _ = self.lane(lane).1.send_response(channel, refusal);
    }
}
