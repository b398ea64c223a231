//! Where the weights of the trace score come from: labelled transactions of own contracts, and the fit to them.
//!
//! `record` plays every case of `simulations/contracts/traces` on anvil and writes its trace with its label; `fit` computes the weights from
//! them, in whole numbers, the same on every machine; `measure` says how the score does on them, each case judged by weights that were
//! fitted without it.

pub mod fit;
pub mod labelled;
pub mod record;

/// This package's folder when it was built.
pub const HERE: &str = env!("CARGO_MANIFEST_DIR");
