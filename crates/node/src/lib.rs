//! The node and its command line: the event loop that joins every other crate, and the only code that holds keys.
//!
//! Promise: one loop owns the driver and with it the log; nothing leaves the node before the driver released it; a log
//! that cannot be made durable ends the process.
//!
//! Terms are those of the README's architecture part.

pub mod archive;
pub mod backtest;
pub mod block_file;
pub mod charter_file;
pub mod cli;
pub mod config;
pub mod control;
pub mod disclosure;
mod durably;
pub mod evidence;
pub mod intake;
pub mod kept;
pub mod keys;
pub mod lookout;
pub mod people;
pub mod place;
pub mod prune;
pub mod release;
mod replay;
pub mod review;
pub mod run;
pub mod text_file;
mod traces;
pub mod trees;
