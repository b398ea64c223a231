//! One synchronous step of a node: decide, append and sync, apply, release.
//!
//! Promise: no own event leaves this crate before a sync that covers it and everything before it (events get into an
//! [`Output`] with the journal's `Durable` token in hand only); a failed append or sync ends the driver
//! ([`Halted`]); every event's own signature is checked strictly before it is applied, once, on every path; what a stranger
//! sends can change a verdict, never stop the node from signing.
//!
//! Terms: the *door* is what reaches the node between two turns; a *turn* is one [`Driver::handle`]; a *commit* is what one
//! sync makes durable. Finding and vote share a commit, certificate and co-signature the next; those are the only two syncs
//! between a finding and the threshold-signed transaction, since others' events alone do not wait for one to be counted.
//!
//! There is no runtime and no clock here, and no thread outlives a call: the node's event loop and the simulator drive the same
//! code, and it does the same on any number of cores.

mod catch_up;
mod checkpoints;
mod clocks;
mod door;
mod driver;
mod error;
mod guard;
mod heartbeats;
mod index;
mod keys;
mod line;
mod log;
mod outbox;
mod output;
mod own;
mod receive;
mod settle;
mod verifier;
mod witness;

pub use door::{Door, Refusal};
pub use driver::{Driver, SOFTWARE};
pub use error::{DriverError, Halted};
pub use guard::Violation;
pub use heartbeats::HeartbeatFacts;
pub use keys::{KeyError, Keys};
pub use line::{Line, Part};
pub use output::{Answer, CaughtUp, Notice, Output};
pub use verifier::{CheckedAnswer, ReadAnswer, Verifier};
pub use witness::{Witness, WitnessRefusal, keep_witness_messages, read_witness_messages, repair_witness};
