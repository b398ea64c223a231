//! One EVM chain as a node needs it: an agreed, gapless view of it, simulations, and transactions that get in.
//!
//! Promise: nothing is believed from fewer than k operators; every wait has a deadline and every answer a size bound; only
//! standard `eth_*` methods and two kinds of optional traces are used, each optional one with a fallback; no key is held here
//! (a [`GasPayer`] signs).
//!
//! Terms: an *endpoint* is one URL, an *operator* runs endpoints, *agreement* is equal answers from k operators.

mod absent;
mod ahead;
mod assembly;
mod blocks;
mod budget;
mod canonical;
mod client;
mod config;
mod endpoint;
mod error;
pub mod evidence;
mod feed;
pub mod fees;
mod gas;
mod head;
mod heads;
mod history;
mod limits;
mod pace;
mod payer;
mod preflight;
mod probe;
mod quorum;
mod read;
mod receipt;
mod receipts;
mod refusal;
mod rpc;
pub mod safe;
mod simulate;
mod snapshot;
mod submitter;
#[cfg(test)]
mod tests;
mod trace;

pub use ahead::InOrder;
pub use assembly::Assembly;
pub use blocks::{BlockFault, TextBlock};
pub use budget::Priority;
pub use client::{ChainClient, HeadInfo};
pub use config::{ChainConfig, Endpoint, Finality, Route};
pub use endpoint::EndpointHealth;
pub use error::{ConnectError, NotAgreed};
pub use evidence::{RawFault, RawRequest};
pub use feed::{Backfill, FeedEvent};
pub use gas::GasCall;
pub use history::PastBlock;
pub use limits::Limits;
pub use payer::{GasPayer, OuterTransaction};
pub use snapshot::{Snapshot, SnapshotError, snapshot};
pub use submitter::{Submitter, SubmitterEvent};
pub use trace::{TRACE_BYTES_MAX, TraceError, trace_transaction};
