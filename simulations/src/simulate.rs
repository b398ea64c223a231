//! `watchfire simulate`: the production driver, protocol, detectors, wire and journal over a simulated network, disk, clock and chain, in
//! virtual time.
//!
//! Promise: a run is a pure function of (binary, scenario, seed, faults left out): no clock, entropy, thread or unordered iteration reaches
//! it, so the same seed has the same trace hash in every build and with any number of jobs. What the nodes run is the shipped code; what
//! is modelled is stated where it is: links in `world/links.rs`, the chain in `chain/`, the submitter in `node/payer.rs`.
//!
//! Terms: a *cast* is all of a scenario that no seed changes; a *world* is one run; the *play* is the scenario in it; the *watch* are the
//! checkers, which stand outside the system; a *breach* is a property that does not hold.

mod adversary;
mod agenda;
mod bent;
mod cast;
mod chain;
mod dice;
mod drawing;
mod keys;
mod node;
mod operator;
mod plan;
mod rehearsal;
mod report;
mod run;
mod scores;
mod sketch;
mod watch;
mod world;

pub(crate) use drawing::escaped;
pub use report::{Failure, Hops, Rehearsal, ScenarioReport, Scores};
pub use run::{SimulateError, SimulateOptions, draw, record, simulate};
pub use watch::Kind;

/// Exit code when every property held in every run.
pub const EXIT_PASSED: u8 = 0;
/// Exit code when something happened that never may.
pub const EXIT_SAFETY: u8 = 1;
/// Exit code when nothing unsafe happened, but something that should have did not.
pub const EXIT_LIVENESS: u8 = 2;
/// Exit code when nothing was simulated.
pub const EXIT_NOT_SIMULATED: u8 = 3;

#[cfg(test)]
mod tests;
