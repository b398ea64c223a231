//! Against real anvil processes, real Safe contracts and a proxy that lies, lags and fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod anvil;
mod evidence;
mod feed;
mod finality;
mod logs;
mod operator;
mod preflight;
mod safes;
mod submitter;
