//! Real swarms on loopback. Every wait is for an event, bounded by [`support::PATIENCE`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catch_up;
mod connections;
mod evidence;
mod gossip;
#[path = "../../../../simulations/src/port.rs"]
mod port;
mod raw;
mod refusals;
mod support;
mod throttle;
