//! On-chain evidence: collected as soon as the decision about a finding is through, kept by content, copied by other organisations, and
//! every touch an event.
//!
//! Promise: no decision waits for it, nothing is handed to a person before its event is durable (or, where no node runs, the note from which
//! the next start makes that event: [`owed`]; what another member fetches is said within [`SAID_MS`]), and what could not be had is an event too.
//! It keeps out of the way of decisions: it does not begin while simulations or submissions are owed (for at most [`HOLD_BLOCKS_MAX`]
//! blocks), each endpoint is asked at a pace of its own ([`watchfire_evm`]), parsing, proofs and files are one thread's of the lowest
//! priority ([`bench`]), and what is said is gathered into few events ([`SAID_MS`]).
//!
//! Bounds for an incident, however long the attack and however many find it: [`WINDOWS_MAX`] x ([`BLOCKS_MAX`] + 1) + [`PAUSES_MAX`] = 76
//! blocks (18 in the ordinary case of one attack and one pause), each once, and at most as many again ([`BEGUN_MAX`]) of branches that reorgs
//! took; of each block 4 + [`ACCOUNTS_MAX`] = 12 questions to two
//! operators (and one for each transaction to an operator that gives no receipts of whole blocks, where no other does), a question at most
//! [`ATTEMPTS_MAX`] times in vain to one operator and to others only where one of two fails; [`OBJECT_BYTES_MAX`] an
//! object, [`INCIDENT_BYTES_MAX`] an incident; [`REQUESTS_MAX`] questions under way at a time.

pub mod bench;
pub mod collector;
pub mod copies;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ledger;
pub mod owed;
pub mod retention;
pub mod scene;
pub mod store;
pub mod told;
pub mod want;

/// Blocks from the first block of an attack on.
pub const BLOCKS_MAX: u64 = 16;
/// Attacks of one incident, each with blocks of its own.
pub const WINDOWS_MAX: usize = 4;
/// Blocks of executions and changed postconditions collected beyond [`BLOCKS_MAX`].
pub const PAUSES_MAX: usize = 8;
/// Blocks of one incident that a process begins, those that a reorg took included: an attack has its first block and [`BLOCKS_MAX`] more.
pub const BEGUN_MAX: usize = 2 * (WINDOWS_MAX * 17 + PAUSES_MAX);
/// Blocks for which what is owed for a decision holds evidence back: full nodes keep about 128 blocks of state.
pub const HOLD_BLOCKS_MAX: u64 = 4;
/// Largest object.
pub const OBJECT_BYTES_MAX: usize = 16 << 20;
/// Bytes collected for one incident; beyond, what is left is missed as over its bound.
pub const INCIDENT_BYTES_MAX: u64 = 256 << 20;
/// Requests under way at a time, all chains together.
pub const REQUESTS_MAX: usize = 8;
/// How often one operator is asked one thing.
pub const ATTEMPTS_MAX: u32 = 12;
/// Accounts whose state is proved.
pub const ACCOUNTS_MAX: usize = 8;
/// Slots of one account.
pub const SLOTS_MAX: usize = 16;
/// What was taken and copied is said at least this often, ms, so that a restart repeats little.
pub const SAID_MS: u64 = 3_000;

/// Why another member's question for an object is in the log: the detail beside it is that member's id. Said once for each object and member,
/// over restarts: whoever asks again and again puts nothing more there.
pub const FETCHED: &str = "asked for over the network by another member";

/// What this software calls itself in custody events.
pub const TOOL: &str = concat!("watchfire/", env!("CARGO_PKG_VERSION"));
