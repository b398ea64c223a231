//! Tests of the wire format: golden bytes, round trips, refusals, and bytes that nobody meant well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod capacity;
mod change;
mod evidence;
mod fault;
mod golden;
mod hostile;
mod promotion;
mod pruned;
mod refusals;
mod round_trip;
mod samples;
mod sealed;
mod snooze;
mod strategies;
