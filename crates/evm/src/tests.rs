//! Against real anvil processes, real Safe contracts and a proxy that lies, lags and fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod anvil;
mod evidence;
mod feed;
mod finality;
mod logs;
#[path = "../../../simulations/src/npm.rs"]
#[allow(dead_code, unreachable_pub)]
mod npm;
mod operator;
mod preflight;
mod safes;
mod stretch;
mod submitter;

/// Where the packages are described, and go: beside the drill's.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../simulations");
