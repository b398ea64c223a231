//! Drills: the production node, run whole and for real against an attack.
//!
//! Promise: everything a drill needs it fetches, starts and stops by itself; it never touches a chain whose id is not
//! one of the drill ids; its verdict comes from outside the system, from the chain and from the nodes' records.
//!
//! Terms: a *scenario* names organisations, an attack, faults, human acts and expectations; the *launcher* sets the
//! network up and plays the scenario; each *operator* is a proxy before the real chain that can lie, lag and fail.

pub mod anvil;
pub mod artifact;
mod bid;
mod charter;
mod child;
pub mod drill;
pub mod key;
pub mod npm;
pub mod operator;
mod port;
#[cfg(test)]
mod port_tests;
pub mod record;
pub mod relay;
pub mod rpc;
pub mod safe;
pub mod scenario;
pub mod simulate;
pub mod vault;

/// This crate's folder when it was built.
const HERE: &str = env!("CARGO_MANIFEST_DIR");
