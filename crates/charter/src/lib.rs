//! The governance document: who the partners are, what they protect, and what they agreed to do.
//!
//! Promise: a [`Charter`] that exists is valid: every reference resolves, every threshold can be met, every action is
//! one that may be signed. Its digest is the same on every machine.
//!
//! Terms: a *rule* is `organisations >= k and operators >= j and roles`; a *playbook* is a ladder of *steps*, each of
//! *actions* that a Safe makes, each with a *postcondition*; the *catalogue* holds the calls that go in the pause direction.

mod call;
pub mod catalogue;
mod context;
mod deny;
mod digest;
mod document;
mod elsewhere;
mod expectation;
pub mod expression;
pub mod fault;
mod governance;
pub mod live;
pub mod model;
pub mod monitors;
pub mod multiaddress;
pub mod packs;
pub mod parse;
pub mod privileged;
pub mod query;
mod quorum;
pub mod reader;
pub mod severity;
mod trial;
mod watch;

pub use document::Document;
pub use fault::{Complaint, Fault, Warning};
pub use model::*;
pub use parse::{RuleSet, is_drill_chain, parse, parse_rules, read};
pub use query::{Quorum, Shortfall};
