//! The protocols on every connection, and their settings.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::gossipsub::{self, IdentTopic, WhitelistSubscriptionFilter};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, StreamProtocol, connection_limits, identify, noise, ping, tcp, yamux};
use libp2p::{Swarm, SwarmBuilder};
use watchfire_types::{NetworkId, sha256};

use crate::codec::CatchUpCodec;
use crate::config::limits;
use crate::error::GossipError;
use crate::gate::Gated;

/// Gossip with one topic and no other.
pub(crate) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>;

/// All protocols. The first two only say no: bounds first, then membership.
#[derive(NetworkBehaviour)]
pub(crate) struct Net {
    limits: connection_limits::Behaviour,
    pub(crate) allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub(crate) gossip: Gated<Gossip>,
    pub(crate) catch_up: request_response::Behaviour<CatchUpCodec>,
    pub(crate) evidence: request_response::Behaviour<CatchUpCodec>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// The network's one topic; also what identify announces, so that a member of another network is named as such.
pub(crate) fn topic(network: NetworkId) -> IdentTopic {
    IdentTopic::new(format!("watchfire/{network}/1"))
}

/// Names this process beside its version: whoever still holds a connection of the one before knows by it that that one is gone.
fn process() -> String {
    let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("watchfire/{} {:x}-{:x}", env!("CARGO_PKG_VERSION"), std::process::id(), began.as_nanos())
}

fn stack(problem: impl std::fmt::Display) -> GossipError {
    GossipError::Stack { problem: problem.to_string() }
}

fn gossip(topic: &IdentTopic) -> Result<Gossip, GossipError> {
    let config = gossipsub::ConfigBuilder::default()
        // The envelope inside carries the only signature; it is verified once per unique message, by the node.
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message: &gossipsub::Message| gossipsub::MessageId::from(sha256(&[&message.data]).to_vec()))
        .flood_publish(true)
        .mesh_n(8)
        .mesh_n_low(6)
        .mesh_n_high(12)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(Duration::from_millis(700))
        // A message may wait for its verdict: it stays forwardable for 14 s, and is offered to others for 3.5 s.
        .history_length(20)
        .history_gossip(5)
        .duplicate_cache_time(limits::DUPLICATE_CACHE)
        .max_transmit_size(limits::FRAME_BYTES_MAX)
        .max_control_message_size(16 * 1024)
        .max_publish_messages(64)
        .connection_handler_queue_len(limits::OUTBOUND_MAX)
        .publish_queue_duration(limits::OUTBOUND_WAIT)
        .forward_queue_duration(limits::OUTBOUND_WAIT)
        .build()
        .map_err(stack)?;
    let only = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip =
        Gossip::new_with_subscription_filter(gossipsub::MessageAuthenticity::Anonymous, config, only).map_err(stack)?;
    gossip.subscribe(topic).map_err(stack)?;
    Ok(gossip)
}

/// Questions and answers in frames, bounded alike for catch-up and evidence.
fn asking(protocol: StreamProtocol) -> request_response::Behaviour<CatchUpCodec> {
    let config = request_response::Config::default().with_request_timeout(limits::CATCH_UP_TIMEOUT);
    request_response::Behaviour::new([(protocol, ProtocolSupport::Full)], config.with_max_concurrent_streams(4))
}

impl Net {
    fn new(pair: &Keypair, network: NetworkId, members: &[PeerId]) -> Result<Self, GossipError> {
        let topic = topic(network);
        let mut allowed = allow_block_list::Behaviour::<AllowedPeers>::default();
        for peer in members {
            allowed.allow_peer(*peer);
        }
        let catch_up = StreamProtocol::try_from_owned(format!("/watchfire/{network}/catch-up/1")).map_err(stack)?;
        let evidence = StreamProtocol::try_from_owned(format!("/watchfire/{network}/evidence/1")).map_err(stack)?;
        let established =
            u32::try_from(members.len()).unwrap_or(u32::MAX).saturating_mul(limits::CONNECTIONS_PER_MEMBER);
        let connections = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits::PENDING_INCOMING_MAX))
            .with_max_pending_outgoing(Some(established))
            .with_max_established(Some(established))
            .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_MEMBER));
        let about = identify::Config::new(topic.to_string(), pair.public())
            .with_agent_version(process())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        Ok(Self {
            limits: connection_limits::Behaviour::new(connections),
            allowed,
            gossip: Gated::new(gossip(&topic)?),
            catch_up: asking(catch_up),
            evidence: asking(evidence),
            identify: identify::Behaviour::new(about),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(limits::PING_EVERY).with_timeout(limits::PING_TIMEOUT),
            ),
        })
    }
}

/// A swarm over QUIC and TCP + noise + yamux that lets in these peers and no others. With `names`, addresses may have
/// DNS names, for which the system's resolver configuration is read.
pub(crate) fn swarm(
    pair: Keypair,
    network: NetworkId,
    members: &[PeerId],
    names: bool,
) -> Result<Swarm<Net>, GossipError> {
    let net = Net::new(&pair, network, members)?;
    let builder = SwarmBuilder::with_existing_identity(pair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(stack)?
        .with_quic();
    // Members stay connected for good; a dead connection is found by ping, not by idleness.
    let keep = |config: libp2p::swarm::Config| config.with_idle_connection_timeout(Duration::from_secs(u64::MAX));
    Ok(if names {
        builder
            .with_dns()
            .map_err(|source| GossipError::Resolver { source })?
            .with_behaviour(|_| net)
            .map_err(stack)?
            .with_swarm_config(keep)
            .with_connection_timeout(limits::DIAL_TIMEOUT)
            .build()
    } else {
        builder
            .with_behaviour(|_| net)
            .map_err(stack)?
            .with_swarm_config(keep)
            .with_connection_timeout(limits::DIAL_TIMEOUT)
            .build()
    })
}
