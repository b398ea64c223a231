//! The built binary, run as a person or systemd runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod author;
mod backtest;
mod bad_input;
mod calls;
mod charter_live;
mod commands;
mod equivocator;
mod every_command;
mod fixture;
mod full;
mod incidents;
mod inspect_trace;
mod intake;
mod kills;
mod ledger;
mod log_query;
mod log_store;
mod made_blocks;
mod owed;
#[path = "../../../../simulations/src/port.rs"]
mod port;
mod printing;
mod pruned;
mod replay;
mod restarts;
mod rules;
mod supervised;
mod trees;
mod two_chains;
mod witness;
mod words;
