//! How fast one member's gossip is read: a gate before each member's stream, so that a member that says too much waits by itself.
//!
//! A gate is a bucket that the member's connections and the network task share: each frame costs a token where it is read, and each new
//! message in it another one where it is given to the node. While there is none the member's gossip stream is not read, its window fills, and
//! its sender has to wait; its other streams, and all other members, go on. So nothing is dropped and the bound holds for duplicates too.
//!
//! What has been read by then still comes: a few frames for each of its connections.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use libp2p::Multiaddr;
use libp2p::PeerId;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::bucket::Bucket;
use crate::config::limits;

/// One member's gate; clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Mutex<Bucket>>);

impl Gate {
    fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Bucket::full(limits::MEMBER_BURST, limits::MEMBER_PER_SECOND, now))))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        // A bucket is whole after every statement, whoever panicked.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pays for one frame or one new message.
    pub(crate) fn charge(&self, now: Instant) {
        self.with(|bucket| bucket.spend(now, 1));
    }

    fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.with(|bucket| bucket.empty_until(now))
    }
}

/// A gossip behaviour behind one gate per peer. At most one for each member of the charter: nobody else gets a connection.
pub(crate) struct Gated<B> {
    pub(crate) inner: B,
    gates: BTreeMap<PeerId, Gate>,
}

impl<B> Gated<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self { inner, gates: BTreeMap::new() }
    }

    /// The gate of this peer, which outlives its connections: hanging up pays no debt.
    pub(crate) fn gate(&mut self, peer: PeerId) -> Gate {
        self.gates.entry(peer).or_insert_with(|| Gate::new(Instant::now())).clone()
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = GatedHandler<THandler<B>>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(GatedHandler::new(inner, self.gate(peer)))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(connection, peer, address, role, port)?;
        Ok(GatedHandler::new(inner, self.gate(peer)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}

/// One connection's side of a gate.
pub(crate) struct GatedHandler<H> {
    inner: H,
    gate: Gate,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<H> GatedHandler<H> {
    fn new(inner: H, gate: Gate) -> Self {
        Self { inner, gate, waiting: None }
    }

    /// Pending while the gate is closed; the connection is then polled again when it opens.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(until) = self.gate.closed_until(Instant::now()) {
            // While it waits for its turn nothing is sent to this member either: the stack's handler reads and writes in one go. That
            // is at most the time of one token once the debt is paid.
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if waiting.deadline() != until {
                waiting.as_mut().reset(until);
            }
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        Poll::Ready(())
    }
}

impl<H: ConnectionHandler> ConnectionHandler for GatedHandler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        ready!(self.poll_open(cx));
        let event = ready!(self.inner.poll(cx));
        if matches!(event, ConnectionHandlerEvent::NotifyBehaviour(_)) {
            self.gate.charge(Instant::now());
        }
        Poll::Ready(event)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        self.inner.on_connection_event(event);
    }
}
