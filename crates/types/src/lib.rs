//! The vocabulary of Watchfire: every other crate speaks in these types and none redefines them.
//!
//! Promise: nothing here reads a clock, a file, a socket or entropy, and nothing here can sign.
//! A [`Verified`] value proves by its type that its author's signature was checked.
//!
//! Terms are those of the README's architecture part: an *organisation* runs *members* (guardian,
//! voter or watcher); a *decision* is (network, charter version, asset, playbook); a *step* is one
//! rung of a playbook's ladder, 1 the narrowest.

pub mod block;
pub mod body;
pub mod bounds;
pub mod control;
pub mod domain;
pub mod duty;
pub mod event;
pub mod fault;
pub mod id;
pub mod input;
pub mod memory;
pub mod multi_send;
pub mod planted;
pub mod pruned;
pub mod safe_execution;
pub mod safe_transaction;
pub mod sha256;
pub mod signed;
pub mod time;
pub mod trie;
pub mod verdict;

pub use alloy_primitives::{Address, B256, U256};
pub use block::{BlockRef, BlockView, Log, Read, ReadOutcome, Transaction};
pub use body::Body;
pub use bytes::Bytes;
pub use event::Event;
pub use id::{
    AssetId, ChainId, ChangeId, CharterDigest, CharterVersion, DetectorId, Epoch, EventHash, IncidentId, MemberId,
    MemberKey, NetworkId, OperatorId, OrganisationId, PlaybookId, SafeId, Seq, Severity, StepIndex,
};
pub use pruned::{ChainBase, PrunedInto, PrunedLog};
pub use safe_transaction::{Operation, SafeTransaction, SafeVersion};
pub use sha256::sha256;
pub use signed::{Unverified, Verified, VerifyError};
pub use time::{BlockTime, Timestamp};
pub use verdict::Verdict;
