//! A member that misbehaves: the same stack with none of our manners. It sends any bytes as a message, a question or an answer.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::request_response::{self, Codec, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::time::timeout;

use crate::support::{NETWORK, PATIENCE, pair};

/// Writes what it is given and reads to the end.
#[derive(Clone, Default)]
pub(crate) struct RawCodec;

async fn all<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

impl Codec for RawCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;
    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        all(io).await
    }
    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        all(io).await
    }
    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        b: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&b).await
    }
    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        b: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&b).await
    }
}

#[derive(NetworkBehaviour)]
pub(crate) struct RawNet {
    pub(crate) gossip: gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::AllowAllSubscriptionFilter>,
    pub(crate) ask: request_response::Behaviour<RawCodec>,
}

pub(crate) struct Raw {
    pub(crate) swarm: Swarm<RawNet>,
    topic: IdentTopic,
}

impl Raw {
    /// Member `n`, not yet connected.
    pub(crate) fn new(n: u8) -> Self {
        let topic = IdentTopic::new(format!("watchfire/{NETWORK}/1"));
        let config = gossipsub::ConfigBuilder::default()
            .validation_mode(ValidationMode::Anonymous)
            .message_id_fn(|m: &gossipsub::Message| gossipsub::MessageId::from(m.data.clone()))
            .max_transmit_size(1 << 20)
            .build()
            .unwrap();
        let filter = gossipsub::AllowAllSubscriptionFilter {};
        let mut gossip =
            gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter).unwrap();
        gossip.subscribe(&topic).unwrap();
        let protocol = StreamProtocol::try_from_owned(format!("/watchfire/{NETWORK}/catch-up/1")).unwrap();
        let ask =
            request_response::Behaviour::new([(protocol, ProtocolSupport::Full)], request_response::Config::default());
        let swarm = SwarmBuilder::with_existing_identity(pair(n))
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| RawNet { gossip, ask })
            .unwrap()
            .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        Self { swarm, topic }
    }

    pub(crate) async fn next(&mut self) -> SwarmEvent<RawNetEvent> {
        timeout(PATIENCE, self.swarm.select_next_some()).await.expect("no event in time")
    }

    /// Dials and waits until the other has joined the topic.
    pub(crate) async fn join(&mut self, address: &str) -> PeerId {
        self.swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
        loop {
            if let SwarmEvent::Behaviour(RawNetEvent::Gossip(gossipsub::Event::Subscribed { peer_id, .. })) =
                self.next().await
            {
                return peer_id;
            }
        }
    }

    pub(crate) fn publish(&mut self, bytes: Vec<u8>) {
        self.swarm.behaviour_mut().gossip.publish(self.topic.hash(), bytes).unwrap();
    }

    /// Sends raw question bytes.
    pub(crate) fn send(&mut self, peer: &PeerId, bytes: Vec<u8>) {
        self.swarm.behaviour_mut().ask.send_request(peer, bytes);
    }

    /// The raw answer to the next answered question, or the failure.
    pub(crate) async fn answer(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let SwarmEvent::Behaviour(RawNetEvent::Ask(event)) = self.next().await {
                match event {
                    request_response::Event::Message { message: Message::Response { response, .. }, .. } => {
                        return Ok(response);
                    }
                    request_response::Event::OutboundFailure { error, .. } => return Err(error.to_string()),
                    _ => {}
                }
            }
        }
    }

    /// Answers every question with these bytes, for ever.
    pub(crate) async fn answer_all(mut self, mut answers: impl Iterator<Item = Vec<u8>>) {
        loop {
            let event = self.swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(RawNetEvent::Ask(request_response::Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) = event
            {
                let bytes = answers.next().unwrap_or_default();
                self.swarm.behaviour_mut().ask.send_response(channel, bytes).unwrap();
            }
        }
    }
}
