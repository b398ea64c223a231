//! The one task that owns the network.
//!
//! It never waits for the node: events go to a bounded channel, and while one does not fit the swarm is not polled, which
//! slows the senders down through their own connections. Commands are taken all the while, so a node that
//! awaits room for a command while it takes no events cannot hold this task up, nor itself.

mod catch_up;
mod causes;
mod peers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError};
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Swarm, identify, ping};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use watchfire_types::{MemberKey, Verdict};

use crate::behaviour::{Net, NetEvent};
use crate::blame::Blame;
use crate::bucket::Bucket;
use crate::config::limits;
use crate::dialer::Dialer;
use crate::event::{GossipEvent, Lane};
use crate::handle::{Command, Counters, count};
use crate::unpublished::Unpublished;
use crate::verdicts::Verdicts;
use catch_up::Asking;
use peers::Links;

/// How long connections may take to close at shutdown.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// A message between its arrival and its verdict.
#[derive(Debug)]
struct Awaiting {
    id: MessageId,
    from: PeerId,
}

/// Whether the task goes on.
enum Next {
    Continue,
    /// End, and drop this as the sign that it has.
    End(Option<oneshot::Sender<()>>),
}

/// Everything the network task owns.
pub(crate) struct Task {
    swarm: Swarm<Net>,
    topic: IdentTopic,
    members: BTreeMap<PeerId, MemberKey>,
    peers: BTreeMap<MemberKey, PeerId>,
    dialer: Dialer,
    links: Links,
    asking: Asking,
    fetching: Asking,
    verdicts: Verdicts<Awaiting>,
    unpublished: Unpublished,
    blame: Blame,
    /// All members' new messages together; each member has a gate of its own before that.
    messages: Bucket,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<GossipEvent>,
    /// Events that did not fit. While there are any the swarm is not polled, so they are at most what one swarm event and
    /// one unanswered question per member give rise to.
    outbox: VecDeque<GossipEvent>,
    counters: Arc<Counters>,
}

impl Task {
    pub(crate) fn new(
        swarm: Swarm<Net>,
        topic: IdentTopic,
        members: BTreeMap<PeerId, MemberKey>,
        dialer: Dialer,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<GossipEvent>,
        counters: Arc<Counters>,
    ) -> Self {
        let now = Instant::now();
        Self {
            swarm,
            topic,
            peers: members.iter().map(|(peer, key)| (*key, *peer)).collect(),
            members,
            dialer,
            links: Links::default(),
            asking: Asking::default(),
            fetching: Asking::default(),
            verdicts: Verdicts::default(),
            unpublished: Unpublished::default(),
            blame: Blame::default(),
            messages: Bucket::full(limits::MESSAGES_BURST, limits::MESSAGES_PER_SECOND, now),
            commands,
            events,
            outbox: VecDeque::new(),
            counters,
        }
    }

    pub(crate) async fn run(mut self) {
        let ended = loop {
            self.release_due();
            self.dial_due();
            self.flush_outbox();
            if let Next::End(ended) = self.step().await {
                break ended;
            }
        };
        self.close().await;
        drop(self);
        drop(ended);
    }

    async fn step(&mut self) -> Next {
        let throttled = self.messages.empty_until(Instant::now());
        let reading = self.outbox.is_empty() && throttled.is_none();
        let wake = [self.dialer.next_due(), self.blame.next_release(), throttled].into_iter().flatten().min();
        let events = self.events.clone();
        tokio::select! {
            command = self.commands.recv() => match command {
                Some(Command::Shutdown(ended)) => return Next::End(Some(ended)),
                Some(command) => self.on_command(command),
                None => return Next::End(None),
            },
            room = events.reserve(), if !self.outbox.is_empty() => match room {
                Ok(room) => if let Some(event) = self.outbox.pop_front() {
                    self.on_delivered(&event);
                    room.send(event);
                },
                Err(_) => return Next::End(None),
            },
            () = events.closed(), if self.outbox.is_empty() => return Next::End(None),
            event = self.swarm.select_next_some(), if reading => self.on_swarm(event),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
        Next::Continue
    }

    fn flush_outbox(&mut self) {
        while let Some(event) = self.outbox.pop_front() {
            self.on_delivered(&event);
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event) | TrySendError::Closed(event)) => {
                    self.on_returned(&event);
                    self.outbox.push_front(event);
                    return;
                }
            }
        }
    }

    fn emit(&mut self, event: GossipEvent) {
        self.outbox.push_back(event);
    }

    /// Closes all connections in an orderly way, bounded: the others learn at once and need not wait for a ping to fail.
    async fn close(&mut self) {
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            // An error only says that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let swarm = &mut self.swarm;
        let gone = async {
            while swarm.network_info().num_peers() > 0 {
                swarm.select_next_some().await;
            }
        };
        if timeout(CLOSING_MAX, gone).await.is_err() {
            tracing::debug!("connections were cut because they did not close in time");
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish(bytes) => self.publish(bytes),
            Command::Verdict { id, verdict } => {
                if let Some(message) = self.verdicts.take(id) {
                    self.report(&message, verdict);
                }
            }
            Command::Ask { lane, member, bytes } => self.on_ask(lane, member, bytes),
            Command::Reply { token, bytes } => self.on_reply(token, bytes),
            // Taken by the loop.
            Command::Shutdown(_) => {}
        }
    }

    fn publish(&mut self, bytes: Bytes) {
        // What waits goes first: members see own messages in the order they were made.
        if !self.unpublished.is_empty() || !self.try_publish(&bytes) {
            let dropped = self.unpublished.push(bytes);
            for _ in 0..dropped {
                count(&self.counters.unpublished_dropped);
            }
        }
    }

    /// Sends what waited, as soon as somebody listens.
    fn publish_waiting(&mut self) {
        while let Some(bytes) = self.unpublished.pop() {
            if !self.try_publish(&bytes) {
                self.unpublished.push_front(bytes);
                return;
            }
        }
    }

    /// `false` if nobody listens and the message should wait.
    fn try_publish(&mut self, bytes: &Bytes) -> bool {
        match self.swarm.behaviour_mut().gossip.inner.publish(self.topic.hash(), bytes.to_vec()) {
            Ok(_) => count(&self.counters.published),
            Err(PublishError::NoPeersSubscribedToTopic) => return false,
            Err(PublishError::Duplicate) => {}
            Err(error @ PublishError::AllQueuesFull(_)) => {
                count(&self.counters.publish_lost);
                tracing::warn!(%error, "own message not sent, catch-up carries it");
            }
            Err(error) => tracing::error!(%error, "own message refused by the network stack"),
        }
        true
    }

    fn report(&mut self, message: &Awaiting, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
        let known = gossip.report_message_validation_result(&message.id, &message.from, acceptance);
        if !known {
            tracing::debug!("a verdict came too late to forward its message");
        }
        if verdict == Verdict::Reject {
            self.on_rejected(message.from);
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<NetEvent>) {
        match event {
            SwarmEvent::Behaviour(NetEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(NetEvent::CatchUp(event)) => self.on_asking(Lane::CatchUp, event),
            SwarmEvent::Behaviour(NetEvent::Evidence(event)) => self.on_asking(Lane::Evidence, event),
            SwarmEvent::Behaviour(NetEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.on_identified(peer_id, &info.protocol_version, &info.agent_version);
            }
            SwarmEvent::Behaviour(NetEvent::Ping(ping::Event { peer, connection, result: Err(failure) }))
                if !matches!(failure, ping::Failure::Unsupported) =>
            {
                tracing::info!(%peer, %failure, "no sign of life, connection closed");
                self.swarm.close_connection(connection);
            }
            SwarmEvent::Behaviour(NetEvent::Ping(ping::Event { peer, result: Ok(_), .. })) => self.on_alive(peer),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, endpoint.is_dialer());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.on_closed(peer_id, connection_id, num_established);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => self.on_dial_failed(peer, error),
            SwarmEvent::IncomingConnectionError { send_back_addr, error, peer_id, .. } => {
                self.on_incoming_failed(&send_back_addr, peer_id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => self.emit(GossipEvent::Listening(address.to_string())),
            SwarmEvent::ListenerClosed { addresses, reason, .. } => self.emit(GossipEvent::ListenerLost {
                addresses: addresses.iter().map(ToString::to_string).collect(),
                problem: reason.err().map_or_else(|| "closed".to_owned(), |e| e.to_string()),
            }),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener reports an error"),
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_message(propagation_source, message_id, message.data);
            }
            gossipsub::Event::Subscribed { peer_id, topic } if topic == self.topic.hash() => self.on_joined(peer_id),
            gossipsub::Event::Unsubscribed { peer_id, topic } if topic == self.topic.hash() => self.on_left(peer_id),
            gossipsub::Event::GossipsubNotSupported { peer_id } => self.on_no_gossip(peer_id),
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::warn!(peer = %peer_id, "a member takes messages too slowly, catch-up carries what it missed");
            }
            _ => {}
        }
    }

    fn on_message(&mut self, from: PeerId, id: MessageId, data: Vec<u8>) {
        let now = Instant::now();
        self.messages.spend(now, 1);
        self.swarm.behaviour_mut().gossip.gate(from).charge(now);
        let awaiting = Awaiting { id, from };
        let Some(member) = self.members.get(&from).copied() else {
            return self.report(&awaiting, Verdict::Ignore);
        };
        if data.len() > limits::MESSAGE_BYTES_MAX {
            count(&self.counters.oversized);
            return self.report(&awaiting, Verdict::Reject);
        }
        count(&self.counters.received);
        let (id, evicted) = self.verdicts.add(awaiting);
        if let Some(oldest) = evicted {
            count(&self.counters.verdicts_evicted);
            self.report(&oldest, Verdict::Ignore);
        }
        self.emit(GossipEvent::Message { id, from: member, bytes: data.into() });
    }
}
