//! The bundle's tests: a story of five organisations with keys that everybody knows, told whole, in parts, and wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod belong;
mod custody;
mod damage;
mod deep;
mod fixture;
mod golden;
mod hostile;
mod mutations;
mod operators;
mod python;
#[path = "../../../../tests/second_verifier.rs"]
mod second_verifier;
mod trie;
mod verdicts;
mod writer;
