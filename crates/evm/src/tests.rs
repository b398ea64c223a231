//! Against real anvil processes, real Safe 1.5.0 contracts and a proxy that lies, lags and fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod anvil;
mod evidence;
mod feed;
mod operator;
mod preflight;
mod safes;
mod submitter;
