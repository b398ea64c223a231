//! What a node must say to join the network, and every bound this crate keeps.

use std::fmt;

use watchfire_types::{MemberKey, NetworkId};
use zeroize::Zeroizing;

/// Sizes, counts and times. None is configurable: all members must agree on most of them.
pub mod limits {
    use std::time::Duration;

    /// Largest gossip message in bytes: what the wire format allows an envelope. A larger one is refused by the
    /// sender's [`Handle`](crate::Handle), and rejected here unread when a member sends it all the same.
    pub const MESSAGE_BYTES_MAX: usize = 65_000;
    /// Largest gossipsub frame. It must exceed a message by more than 8 KiB: the decoder compares its whole
    /// read buffer with this bound, and that buffer can hold up to 8 KiB of the next frame behind a message.
    pub(crate) const FRAME_BYTES_MAX: usize = 80 * 1024;
    /// Largest catch-up request in bytes.
    pub const CATCH_UP_REQUEST_BYTES_MAX: usize = 512 * 1024;
    /// Largest catch-up response in bytes.
    pub const CATCH_UP_RESPONSE_BYTES_MAX: usize = 2 * 1024 * 1024;
    /// A catch-up question unanswered for this long has failed.
    pub const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);
    /// Catch-up requests that one member may send at once; [`CATCH_UP_PER_SECOND`] more each second. Beyond that, and
    /// while one of its requests is still being answered, it is told [`Busy`](crate::CatchUpError::Busy).
    pub const CATCH_UP_BURST: u32 = 32;
    /// See [`CATCH_UP_BURST`].
    pub const CATCH_UP_PER_SECOND: u32 = 4;

    /// Events that wait for the node. When they are this many the network is not read any further, so that the senders
    /// are slowed down by their own connections; nothing is dropped.
    pub const EVENTS_MAX: usize = 256;
    /// Commands that wait for the network task, which never makes them wait for the network.
    pub const COMMANDS_MAX: usize = 256;
    /// Frames and new messages read at once from one member, each counted; [`MEMBER_PER_SECOND`] more each second, then that
    /// member's gossip is read no faster, and nobody else's is touched. An honest member sends one message a frame, so this is half as
    /// many messages: far more than its own quota and all that it could be the first to forward.
    pub const MEMBER_BURST: u32 = 4_096;
    /// See [`MEMBER_BURST`].
    pub const MEMBER_PER_SECOND: u32 = 512;
    /// New messages taken at once from all members; [`MESSAGES_PER_SECOND`] more each second, then the network is read no faster. It
    /// bounds the duplicate cache to 5 minutes of this rate, which eight members that flood at once could reach and fewer cannot.
    pub const MESSAGES_BURST: u32 = 8_192;
    /// See [`MESSAGES_BURST`].
    pub const MESSAGES_PER_SECOND: u32 = 2_048;
    /// Messages whose verdict is awaited. When one more arrives the oldest is ignored: it is not forwarded, and catch-up
    /// carries it instead.
    pub const VERDICTS_MAX: usize = 2_048;
    /// Rejected messages forgiven to one member at once; [`REJECTS_PER_SECOND`] more each second. Beyond that it is
    /// disconnected and refused for [`BARRED_FOR`].
    pub const REJECTS_BURST: u32 = 64;
    /// See [`REJECTS_BURST`].
    pub const REJECTS_PER_SECOND: u32 = 1;
    /// See [`REJECTS_BURST`].
    pub const BARRED_FOR: Duration = Duration::from_secs(60);
    /// Own messages kept while no member is connected. When there is one more the oldest is let go: catch-up carries it.
    pub const UNPUBLISHED_MAX: usize = 1_024;
    /// Bytes of [`UNPUBLISHED_MAX`]; the same rule.
    pub const UNPUBLISHED_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// Messages queued towards one member. When one more is sent it is lost for that member: catch-up carries it.
    pub const OUTBOUND_MAX: usize = 1_024;
    /// How long a message may wait in that queue.
    pub const OUTBOUND_WAIT: Duration = Duration::from_secs(5);
    /// How long a message is remembered as seen.
    pub const DUPLICATE_CACHE: Duration = Duration::from_secs(330);

    /// Members of one charter.
    pub const MEMBERS_MAX: usize = 256;
    /// Guardians that a watcher connects to.
    pub const WATCHER_GUARDIANS: usize = 4;
    /// Addresses taken from one member's entry.
    pub const ADDRESSES_MAX: usize = 16;
    /// Connections with one member: one, and a second while both sides dial at once or one side has lost the first.
    pub const CONNECTIONS_PER_MEMBER: u32 = 2;
    /// Handshakes of unknown parties under way at once.
    pub const PENDING_INCOMING_MAX: u32 = 256;
    /// A dial or a handshake that takes longer has failed.
    pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
    /// First pause after a failed dial; it doubles with each further failure.
    pub const REDIAL_MIN: Duration = Duration::from_millis(250);
    /// Longest pause between two dials to one member.
    pub const REDIAL_MAX: Duration = Duration::from_secs(5);
    /// How long the member with the higher peer id leaves the dialling to the other.
    pub const SECOND_SIDE: Duration = Duration::from_millis(250);
    /// When a member makes a new connection beside one older than this, it has lost the old one, and all are made anew: the stack tells a
    /// topic on a first connection alone, so that beside a dead one the member would never hear of it.
    pub const SUPERSEDE_AFTER: Duration = Duration::from_secs(10);
    /// Once in this time a member that is another process than before is made to connect anew; two processes with one key would else drive each
    /// other out for ever.
    pub const RENEWED_EVERY: Duration = Duration::from_secs(30);
    /// A connection on which the member is alive and has not joined the topic by then is made anew.
    pub const JOINED_WITHIN: Duration = Duration::from_secs(20);
    /// How often a connection is asked for a sign of life.
    pub const PING_EVERY: Duration = Duration::from_secs(2);
    /// How long one answer may take. A connection that leaves two in a row unanswered is closed; as the second is asked on a
    /// new stream, which the stack gives 10 s to open, a silent connection ends after 18 s at most.
    pub const PING_TIMEOUT: Duration = Duration::from_secs(4);
}

/// What a member does in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Votes and co-signs; connected with every guardian and voter.
    Guardian,
    /// Votes; connected with every guardian and voter.
    Voter,
    /// Reports only; it dials at most [`limits::WATCHER_GUARDIANS`] guardians, and nobody dials it.
    Watcher,
}

/// One member of the charter as the network sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The member's node key, from which its peer id follows.
    pub key: MemberKey,
    /// What it does.
    pub kind: Kind,
    /// Where it listens, as text multiaddresses (`/ip4/../tcp/..`, `/ip4/../udp/../quic-v1`, `/dns4/..`), without a `/p2p/` part.
    /// May be empty: the member then has to dial.
    pub addresses: Vec<String>,
}

/// Everything [`spawn`](crate::spawn) needs.
#[derive(Clone)]
pub struct GossipConfig {
    /// Seed (RFC 8032 private key) of this node's ed25519 node key; its public key must be among `members`.
    pub identity: Zeroizing<[u8; 32]>,
    /// The network; part of the topic and of every protocol name, so that two networks never mix.
    pub network: NetworkId,
    /// Where to listen, as text multiaddresses; port 0 lets the system choose, and [`Listening`](crate::GossipEvent::Listening) tells.
    pub listen: Vec<String>,
    /// All members of the charter, this one included.
    pub members: Vec<Entry>,
}

impl fmt::Debug for GossipConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GossipConfig")
            .field("identity", &"secret")
            .field("network", &self.network)
            .field("listen", &self.listen)
            .field("members", &self.members)
            .finish()
    }
}
