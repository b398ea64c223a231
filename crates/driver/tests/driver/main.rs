//! The driver against real parts: production protocol, wire and journal, a model chain, disks that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod bad_input;
mod catch_up;
mod chain;
mod changes;
mod clocks;
mod door;
mod durability;
mod epochs;
mod forge;
mod full;
mod kill;
mod line;
mod load;
mod repaired;
mod repeats;
mod restarts;
mod resumed;
mod settled;
mod stopped;
mod trees;
mod walk_through;
mod world;
