//! Who is connected, who hung up, and why somebody cannot be reached.

use std::collections::BTreeMap;

use libp2p::swarm::{ConnectionId, DialError, ListenError, dial_opts::DialOpts};
use libp2p::{Multiaddr, PeerId, allow_block_list};
use tokio::time::Instant;
use watchfire_types::MemberKey;

use super::{Task, causes};
use crate::config::limits;
use crate::error::DialCause;
use crate::event::GossipEvent;
use crate::handle::count;

/// What is known of the connections with one member.
#[derive(Debug, Default)]
struct Link {
    connections: BTreeMap<ConnectionId, Instant>,
    /// Whether this node made one of them.
    dialled: bool,
    /// Whether the member joined the topic, and the node was told so.
    joined: bool,
    /// What the member's process called itself.
    process: Option<String>,
}

/// All connections, and the last cause told for each member that cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<MemberKey, Link>,
    told: BTreeMap<MemberKey, DialCause>,
    /// When a member was last made to connect anew because it is another process.
    renewed: BTreeMap<MemberKey, Instant>,
}

impl Links {
    pub(super) fn is_joined(&self, member: &MemberKey) -> bool {
        self.links.get(member).is_some_and(|link| link.joined)
    }
}

impl Task {
    /// Makes the dials whose time has come.
    pub(super) fn dial_due(&mut self) {
        for dial in self.dialer.take_due(Instant::now()) {
            // Outgoing connections get their own port: dialling from the listening port could meet the other side's dial
            // half-way and make one connection with two initiators.
            let options = DialOpts::peer_id(dial.peer).addresses(dial.addresses).allocate_new_port().build();
            if let Err(error) = self.swarm.dial(options) {
                self.on_dial_failed(dial.peer, error);
            }
        }
    }

    pub(super) fn on_established(&mut self, peer: PeerId, connection: ConnectionId, dialled: bool) {
        let Some(member) = self.members.get(&peer) else { return };
        let now = Instant::now();
        let link = self.links.links.entry(*member).or_default();
        // The member only makes another connection when it has lost the ones before, unless both sides dialled at once.
        let lost =
            link.connections.values().any(|since| now.saturating_duration_since(*since) > limits::SUPERSEDE_AFTER);
        link.connections.insert(connection, now);
        link.dialled |= dialled;
        self.dialer.on_established(member);
        if lost {
            self.renew(peer);
        }
    }

    /// Ends every connection with a member: both sides begin anew.
    fn renew(&mut self, peer: PeerId) {
        // An error only says that it is gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// The member answered: it is alive, and has joined by now unless this node was never told.
    pub(super) fn on_alive(&mut self, peer: PeerId) {
        let link = self.members.get(&peer).and_then(|member| self.links.links.get(member));
        let Some(link) = link.filter(|link| !link.joined) else { return };
        let now = Instant::now();
        let first = link.connections.values().min();
        if first.is_some_and(|first| now.saturating_duration_since(*first) > limits::JOINED_WITHIN) {
            self.renew(peer);
        }
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, connection: ConnectionId, left: u32) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        if left > 0 {
            if let Some(link) = self.links.links.get_mut(&member) {
                link.connections.remove(&connection);
            }
            return;
        }
        let link = self.links.links.remove(&member).unwrap_or_default();
        self.dialer.on_lost(&member, link.joined, Instant::now());
        if link.joined {
            self.emit(GossipEvent::Disconnected(member));
        } else if link.dialled {
            self.tell(member, DialCause::ClosedAtOnce);
        }
    }

    pub(super) fn on_joined(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        let Some(link) = self.links.links.get_mut(&member) else { return };
        if !link.joined {
            link.joined = true;
            self.links.told.remove(&member);
            self.dialer.on_joined(&member);
            self.emit(GossipEvent::Connected(member));
        }
        self.publish_waiting();
    }

    pub(super) fn on_left(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        if let Some(link) = self.links.links.get_mut(&member).filter(|link| link.joined) {
            link.joined = false;
            self.emit(GossipEvent::Disconnected(member));
        }
    }

    pub(super) fn on_identified(&mut self, peer: PeerId, announced: &str, process: &str) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        if announced != self.topic.to_string() {
            self.tell(member, DialCause::OtherNetwork { announced: announced.chars().take(120).collect() });
            self.renew(peer);
            return;
        }
        let Some(link) = self.links.links.get_mut(&member) else { return };
        let process: String = process.chars().take(120).collect();
        let before = link.process.replace(process.clone());
        // A process that was killed hangs up on TCP; on QUIC nothing tells that it is gone until it is asked for a sign of life in vain.
        if before.is_some_and(|before| before != process) {
            let now = Instant::now();
            let lately = self.links.renewed.get(&member);
            if lately.is_none_or(|at| now.saturating_duration_since(*at) > limits::RENEWED_EVERY) {
                self.links.renewed.insert(member, now);
                tracing::info!(peer = %member.short(), "another process of this member: connections are made anew");
                self.renew(peer);
            }
        }
    }

    pub(super) fn on_no_gossip(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get(&peer).copied() {
            self.tell(member, DialCause::NoGossip);
        }
    }

    pub(super) fn on_dial_failed(&mut self, peer: PeerId, error: DialError) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        let wrong: Option<Multiaddr> = match &error {
            DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => Some(causes::plain(address)),
            _ => None,
        };
        self.dialer.on_failed(&member, wrong, Instant::now());
        if self.links.links.contains_key(&member) {
            return;
        }
        if let Some(cause) = causes::of_dial(error) {
            self.tell(member, cause);
        }
    }

    pub(super) fn on_incoming_failed(&mut self, from: &Multiaddr, peer: Option<PeerId>, error: &ListenError) {
        let known = peer.is_some_and(|peer| self.members.contains_key(&peer));
        let denied = matches!(error, ListenError::Denied { cause } if cause.downcast_ref::<allow_block_list::NotAllowed>().is_some());
        let stranger = denied && !known;
        count(if stranger { &self.counters.strangers_refused } else { &self.counters.incoming_refused });
        tracing::debug!(%from, %error, "incoming connection refused");
    }

    /// A member handed over what every honest node refuses.
    pub(super) fn on_rejected(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer).copied() else { return };
        if let Some(until) = self.blame.on_rejected(member, Instant::now()) {
            self.dialer.on_barred(&member, until);
            self.swarm.behaviour_mut().allowed.disallow_peer(peer);
            self.tell(member, DialCause::Barred { seconds: limits::BARRED_FOR.as_secs() });
        }
    }

    /// Lets in again those whose time is over.
    pub(super) fn release_due(&mut self) {
        for member in self.blame.release(Instant::now()) {
            if let Some(peer) = self.peers.get(&member) {
                self.swarm.behaviour_mut().allowed.allow_peer(*peer);
            }
        }
    }

    /// Tells a cause once, until it changes or the member joins. That a member hung up is no news when it is known why.
    fn tell(&mut self, member: MemberKey, cause: DialCause) {
        let told = self.links.told.get(&member);
        let explained =
            matches!(told, Some(DialCause::OtherNetwork { .. } | DialCause::NoGossip | DialCause::Barred { .. }));
        if explained && cause == DialCause::ClosedAtOnce {
            return;
        }
        if told != Some(&cause) {
            self.links.told.insert(member, cause.clone());
            self.emit(GossipEvent::DialFailed { member, cause });
        }
    }
}
