//! The heart: what a node accepts, believes, owes and signs.
//!
//! Promise: pure. No clock, entropy, file, socket or unordered iteration; `now` is an argument, so that simulator and replay drive exactly
//! the shipped code. Nothing here holds a key: what is to be signed leaves as a [`Draft`].
//!
//! Terms. *Shared state* is a fold over the set of signed events: equal sets give equal states and equal digests, whatever the order.
//! The *view* is what this node reads from its own chains: never persisted, empty until the first head. Duties are a function of both,
//! recomputed after every change, so there is no crossing to fire on.
//!
//! How a driver turns: [`Machine::observe`] with every input, then [`Machine::decide`] for what the input itself authors, then
//! [`Machine::owed`] again and again: seal its drafts, append, sync whenever [`Draft::stage`] changes, [`Machine::apply`],
//! until nothing more is drafted. Duties and pages of the last round are the whole current set.

mod authority;
mod certificate;
mod change;
mod conviction;
mod decide;
pub mod draft;
mod effect;
mod fault;
mod incident;
mod judged;
mod ledger;
mod machine;
mod moment;
mod owed;
mod probe;
mod promotion;
mod rank;
mod reads;
pub mod rejection;
mod report;
mod settle;
mod shared;
mod snooze;
pub mod status;
mod trees;
mod view;

pub use certificate::{CertificateFault, check_certificate, content_digest};
pub use conviction::{Acquittal, Conviction, judge};
pub use draft::{CoSignDraft, Draft, Owed, Stage, Step};
pub use effect::{Effect, EffectFault};
pub use fault::{CheckpointClaim, checkpoint_claim, is_fault};
pub use incident::{incident_id, subject as incident_subject};
pub use ledger::Ledger;
pub use machine::{Machine, UnknownMember};
pub use owed::voting::triggered;
pub use rank::rank;
pub use reads::{lookback_s, reads};
pub use rejection::Rejection;
pub use shared::content::{SignatureFault, check_co_signature, transaction_of};
pub use status::{AssetOutlook, DecisionStatus, IncidentStatus, MemberStatus, SafeStatus, SignatureCount, WhyNot};
