//! Call traces: one internal tree for every tracer's shape, features of it, and a score that says why.
//!
//! Promise: pure, integer, without recursion; the same trace gives the same score on every machine, whichever tracer wrote it. The score
//! raises attention and wakes people, it never votes.
//!
//! Terms: a *frame* is one call, creation or self-destruction; the *group* is the sender, the contract that it called, what they created in
//! this transaction, helpers that hand on all that they get, and who only gets what they pay; everyone else is an *outsider*. A *loser* is an outsider that gave and got nothing
//! that counts.

mod fall;
mod fault;
mod features;
mod fields;
mod flow;
mod geth;
mod group;
mod model;
mod parity;
mod scene;
mod selector;
mod shape;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use fall::Falls;
pub use fault::TraceFault;
pub use features::{FEATURES, Feature, Seen, features};
pub use model::{ATTACK, Model, ModelFault, Reason, SUSPICIOUS, Score, Verdict};
pub use shape::{Traced, read_traces};
pub use tree::{CallKind, CallTree, DATA_BYTES_MAX, FRAMES_MAX, Frame, TraceLog};
