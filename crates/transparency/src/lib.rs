//! Tamper evidence: one RFC 6962 tree per (member, epoch), and what members sign about it.
//!
//! Promise: pure and bounded. A proof that verifies binds: an [`InclusionProof`] one leaf to one root, a [`ConsistencyProof`]
//! the root of a smaller tree to that of a larger one. Every text has one form: what parses prints the same bytes again.
//! Nothing here can sign: [`Checkpoint::text`] and [`Checkpoint::cosigned_text`] are what a key owner signs.
//!
//! Terms: a *leaf* is a signed event's outer bytes; a *tree* holds the events that one member authored in one epoch, in their
//! order and without its checkpoints; a *checkpoint* states a tree's size and root under an *origin*,
//! `watchfire/<network hex>/<member id>/<epoch hex>`; a *note* is such a statement with signatures (c2sp.org/signed-note,
//! c2sp.org/tlog-checkpoint); a *cosignature* is a witness's line under it (c2sp.org/tlog-cosignature, version 1).

pub mod checkpoint;
pub mod error;
pub mod note;
pub mod proof;
pub mod text;
pub mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, Origin, Statement, witness_name};
pub use error::{NoteError, ProofError};
pub use note::{
    KeyId, NAME_MAX, Note, NoteSignature, cosigner_key_id, cosigner_verifier_key, log_key_id, log_verifier_key,
};
pub use proof::{ConsistencyProof, InclusionProof};
pub use text::{ConsistencyText, InclusionText};
pub use tree::{Frontier, Hash, Tree, leaf_hash, merkle_root, node_hash};
pub use verify::{SignedCheckpoint, Witnessed};
