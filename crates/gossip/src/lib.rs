//! The network between members: signed bytes in, verdicts out.
//!
//! Promise: bytes are carried and never read. What is published here reaches every connected member in
//! one hop and the others by catch-up; only members of the charter stay connected; every queue and every
//! size is bounded, and the bound is stated where it is defined ([`config::limits`]). Nothing of libp2p shows in this
//! interface: members are [`MemberKey`](watchfire_types::MemberKey)s, addresses are text.
//!
//! Terms: a *message* is what gossip carries (an event or a heartbeat, sealed elsewhere); its *id* is this
//! process's number for it, with which the node gives its [`Verdict`](watchfire_types::Verdict); *catch-up* is one
//! question and one answer between two connected members; a member is *connected* once it has joined the
//! network's topic, so that what is published from then on reaches it.

pub mod config;
pub mod error;
pub mod event;
pub mod handle;

mod behaviour;
mod blame;
mod bucket;
mod codec;
mod dialer;
mod gate;
mod identity;
mod start;
mod task;
mod unpublished;
mod verdicts;

pub use config::{Entry, GossipConfig, Kind};
pub use error::{CatchUpError, DialCause, GossipError, SendError};
pub use event::{GossipEvent, ReplyToken};
pub use handle::{Figures, Handle};
pub use start::{check, check_listen, spawn};
