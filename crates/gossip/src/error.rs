//! What can go wrong, each with a name.

use std::io;

use thiserror::Error;
use watchfire_types::MemberKey;

/// Why the network task could not start. Every variant is the operator's to mend.
#[derive(Debug, Error)]
pub enum GossipError {
    /// The identity is no ed25519 seed.
    #[error("the node key is not a usable ed25519 key; restore keys/node.pem from its backup")]
    Identity,
    /// A member's key is no ed25519 point.
    #[error("member key {key} is not a valid ed25519 public key; correct it in the charter")]
    MemberKey {
        /// The key as the charter has it.
        key: MemberKey,
    },
    /// This node's own key is not in the charter.
    #[error(
        "this node's key {key} belongs to no member of the charter; have the charter take this member's entry, or use its own node key"
    )]
    NotAMember {
        /// Public key of the configured identity.
        key: MemberKey,
    },
    /// The same key stands for two members.
    #[error("member key {key} appears twice in the charter; give each member its own")]
    DuplicateMember {
        /// The key.
        key: MemberKey,
    },
    /// More members, or more addresses of one, than this crate's bounds.
    #[error(
        "{count} {what} are more than the {max} allowed; leave some out in the charter or in the configuration's [network]"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// An address that is no multiaddress, or of a kind that is not spoken.
    #[error(
        "address {address:?} cannot be used: {problem}; write it like /ip4/192.0.2.1/tcp/9001 or /ip4/192.0.2.1/udp/9001/quic-v1"
    )]
    Address {
        /// The text as configured.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No address to listen on.
    #[error("no address to listen on; give at least one in the configuration's network.listen")]
    NoListenAddress,
    /// Another process has the port.
    #[error(
        "cannot listen on {address}: the port is in use by another process; stop it, or choose another port in network.listen"
    )]
    PortInUse {
        /// The address as configured.
        address: String,
    },
    /// The system refuses the address for another reason (not ours, or no right to it).
    #[error(
        "cannot listen on {address}: {source}; give an address of this machine, and a port that this user may open, in network.listen"
    )]
    Listen {
        /// The address as configured.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Names must be resolved and the system's resolver configuration cannot be read.
    #[error(
        "an address has a DNS name and the system's resolver configuration cannot be read: {source}; mend /etc/resolv.conf, or write IP addresses"
    )]
    Resolver {
        /// The system's answer.
        source: io::Error,
    },
    /// The stack refused its own settings: a fault of this program.
    #[error("the network stack refuses its own settings: {problem}; report this, it is a mistake of the program")]
    Stack {
        /// What it said.
        problem: String,
    },
}

/// Why a command was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The bytes exceed what any member would take.
    #[error("{what} of {size} bytes exceeds the {max} allowed")]
    TooLarge {
        /// Message, catch-up request or catch-up response.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The bound in bytes.
        max: usize,
    },
    /// The network task has ended.
    #[error("the network has been shut down")]
    Stopped,
}

/// Why a catch-up question has no answer. The next one may have: ask again later, or ask another member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatchUpError {
    /// The member is not connected, or not a member.
    #[error("the member is not connected")]
    NotConnected,
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// [`CATCH_UP_TIMEOUT`](crate::config::limits::CATCH_UP_TIMEOUT) in seconds.
        seconds: u64,
    },
    /// The connection ended before the answer.
    #[error("the connection closed before the answer")]
    Disconnected,
    /// The stream ended inside the answer or before its first byte.
    #[error("the member closed the stream before its answer was complete")]
    ClosedEarly,
    /// The member answered that it was asked too often.
    #[error("the member is busy: it was asked too often")]
    Busy,
    /// The member answered that the question was too large.
    #[error("the member refused the request as too large")]
    Refused,
    /// The answer announces more than the bound; it was not read.
    #[error("the answer announces {announced} bytes, more than the {max} allowed")]
    TooLarge {
        /// Bytes announced.
        announced: u64,
        /// The bound in bytes.
        max: u64,
    },
    /// The answer is not framed as an answer.
    #[error("the answer is garbage: first byte {found:#04x}")]
    Garbage {
        /// The byte where the kind of answer should be.
        found: u8,
    },
    /// The member does not speak this protocol for this network.
    #[error("the member does not speak catch-up for this network")]
    Unsupported,
    /// The transport failed.
    #[error("transport: {problem}")]
    Transport {
        /// What it said.
        problem: String,
    },
}

/// Why a member could not be reached. Told once for each change of cause, not for each attempt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialCause {
    /// Nobody answered at any address.
    #[error("no answer: {}", tried.iter().map(|t| format!("{} ({})", t.address, t.problem)).collect::<Vec<_>>().join(", "))]
    Unreachable {
        /// Each address and what happened there, in the order of the addresses.
        tried: Vec<Tried>,
    },
    /// Somebody else's key answers at the member's address.
    #[error("wrong key at {address}: {} answers there", obtained.map_or_else(|| "a key of another kind".to_owned(), |k| k.to_string()))]
    WrongKey {
        /// Where.
        address: String,
        /// Whose key it is, if it is an ed25519 key.
        obtained: Option<MemberKey>,
    },
    /// The member's address is this node's own.
    #[error("{address} is this node's own address")]
    Ourselves {
        /// Where.
        address: String,
    },
    /// This node's own bounds on connections forbid it.
    #[error("not dialled: {limit}")]
    Limit {
        /// Which bound.
        limit: String,
    },
    /// The member belongs to another network.
    #[error("the member runs another network: it announces {announced:?}")]
    OtherNetwork {
        /// What it announces, cut to 120 characters.
        announced: String,
    },
    /// It closed the connection before joining the topic.
    #[error(
        "the member closed the connection at once: its charter may not list this node's key, or its limits are reached"
    )]
    ClosedAtOnce,
    /// It handed over more messages that every honest node refuses than [`REJECTS_BURST`](crate::config::limits::REJECTS_BURST) forgives.
    #[error("refused for {seconds} s: the member handed over too many messages that every honest node rejects")]
    Barred {
        /// How long, in seconds.
        seconds: u64,
    },
    /// It speaks no gossip.
    #[error("the peer does not speak gossip")]
    NoGossip,
}

/// One address that was tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tried {
    /// The multiaddress as text.
    pub address: String,
    /// What happened, in the system's words.
    pub problem: String,
}
