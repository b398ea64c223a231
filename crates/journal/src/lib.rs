//! The durable event log: journal files are the truth, sled is the queryable log rebuilt from them.
//!
//! Promise: what [`Journal::sync`] acknowledged survives a kill, a power cut and a torn write; recovery drops nothing but an
//! incomplete tail that was never acknowledged and names any other damage by file and offset, and damaged bytes are never
//! served. A failed write or fsync ends the journal: every later call errors, so that the node stops. A [`Durable`] can be
//! made by the journal alone: whoever holds one may let the effects it covers leave the node.
//!
//! Terms: a *record* is one opaque byte string (a signed event's outer bytes), a *commit* the records between two syncs, a
//! *segment* one file of the journal. This crate looks into no record: what needs its content takes an [`Indexer`] or a check.

mod background;
pub mod durable;
pub mod error;
pub mod frame;
pub mod index;
pub mod journal;
pub mod lock;
pub mod position;
pub mod prune;
mod reading;
mod recovery;
pub mod repair;
pub mod replay;
pub mod scan;
mod segment;
mod space;
pub mod storage;
pub mod verify;

pub use durable::{Durable, Watermark};
pub use error::{DamageKind, JournalError};
pub use index::{IndexOptions, IndexStore, IndexedRecord, Indexer, Lag, LogIndex, Query, RecordKeys, Term, TermKind};
pub use journal::{Journal, JournalOptions};
pub use lock::DirectoryLock;
pub use position::{NotAPosition, Page, Position};
pub use prune::{Pruned, prunable, prune};
pub use reading::RecordReader;
pub use recovery::Recovery;
pub use repair::{DamagedRange, SegmentRepair, note_lost_tail, repair};
pub use replay::{Record, Replay};
pub use scan::{scan, scan_page};
pub use space::Space;
pub use storage::{BackgroundMode, FaultyStorage, FileStorage, MemoryStorage, Storage, StorageFile};
pub use verify::{ChainFault, ChainLink, HashChains, IndexDifference, LogFault, LogReport, verify_log};
