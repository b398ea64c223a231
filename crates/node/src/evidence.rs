//! On-chain evidence: collected as soon as a finding stands, kept by content, copied by other organisations, and every touch an event.
//!
//! Promise: no decision waits for it (lowest priority of every endpoint's budget, its own tasks), nothing is handed out before its
//! event is durable, and what could not be had is an event too. Bounds: [`BLOCKS_MAX`] blocks from the first of an attack besides
//! those of the pause, [`OBJECT_BYTES_MAX`] an object, [`INCIDENT_BYTES_MAX`] an incident, [`REQUESTS_MAX`] requests at a time.

pub mod collector;
pub mod copies;
pub mod store;
pub mod want;

/// Blocks from the first block of an attack on.
pub const BLOCKS_MAX: u64 = 16;
/// Largest object.
pub const OBJECT_BYTES_MAX: usize = 16 << 20;
/// Bytes collected for one incident; beyond, what is left is missed as over its bound.
pub const INCIDENT_BYTES_MAX: u64 = 256 << 20;
/// Requests under way at a time, all chains together.
pub const REQUESTS_MAX: usize = 8;
/// Accounts whose state is proved.
pub const ACCOUNTS_MAX: usize = 8;
/// Slots of one account.
pub const SLOTS_MAX: usize = 16;

/// What this software calls itself in custody events.
pub const TOOL: &str = concat!("watchfire/", env!("CARGO_PKG_VERSION"));
