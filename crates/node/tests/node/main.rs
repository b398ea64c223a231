//! The built binary, run as a person or systemd runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod charter_live;
mod commands;
mod fixture;
mod log_store;
#[path = "../../../../simulations/src/port.rs"]
mod port;
mod printing;
mod supervised;
mod trees;
mod words;
