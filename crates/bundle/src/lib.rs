//! The evidence bundle: one file about one incident that anyone can check offline and years later.
//!
//! Promise: pure. [`build`] gives the same bytes for the same parts; [`verify`] ends in a [`Report`] for any bytes, never in a
//! panic, and believes nothing that it did not compute from them: keys come from the charter, order and completeness from hash
//! chains and trees, effects on chain from headers. proto/watchfire/v1/bundle.proto states every check; the names are the same.
//!
//! Terms: an event *belongs* to the incident by a stated rule ([`belong`]); a *segment* is the stretch of one author's epoch from its
//! first to its last event that belongs; a check *holds*, *fails*, or stays *open* where what it would rest on is not in the bundle.

pub mod belong;
mod build;
mod onchain;
pub mod report;
mod room;
mod trie;
mod verify;

pub use build::{Bounds, BuildError, CharterText, Parts, ROOM, build, build_within};
pub use report::{Check, Outcome, Report};
pub use verify::verify;
pub use watchfire_wire::bundle::{BUNDLE_MAGIC, MAX_BUNDLE_FILE};
