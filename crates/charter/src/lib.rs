//! The governance document: who the partners are, what they protect, and what they agreed to do.
//!
//! Promise: a [`Charter`] that exists is valid: every reference resolves, every threshold can be met, every action is
//! one that may be signed. Its digest is the same on every machine.

pub mod model;
pub mod query;

pub use model::*;
pub use query::{Quorum, Shortfall};
