//! The rules of votes, certificates, signatures and recovery, on machines that exchange real sealed events.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod arrival;
mod bounds;
mod changes;
mod cluster;
mod context;
mod door;
mod incidents;
mod ledger;
mod ledger_order;
mod limits;
mod model;
mod node;
mod order;
mod properties;
mod refusals_certificates;
mod refusals_recovery;
mod refusals_signing;
mod snooze;
mod together;
mod traces_cancel;
mod traces_claims;
mod traces_delayed;
mod traces_labels;
mod traces_liveness;
mod traces_outlook;
mod traces_pace;
mod traces_recovery;
mod traces_reorg;
mod traces_restart;
mod traces_silence;
mod traces_statements;
mod traces_versions;
mod traces_votes;
mod trees;
mod walk_through;
