//! The seam to the key owner. Implemented in the node only, so that no library can sign by accident.

use thiserror::Error;
use watchfire_transparency::Statement;
use watchfire_types::{Address, ChainId, MemberKey, SafeTransaction, SafeVersion};

/// Why a guardian key gave no signature. Asked again at the next change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// This node holds no guardian key.
    #[error("this node has no guardian key")]
    NoGuardian,
    /// The keystore is not unlocked.
    #[error("the guardian key is locked; unlock it or restart the node with its password")]
    Locked,
    /// The key owner refuses what it was asked to sign; one line that says why.
    #[error("the guardian key refuses: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

/// The keys of one node.
pub trait Keys {
    /// The node key's public half.
    fn author(&self) -> MemberKey;

    /// Ed25519 signature of the node key over a whole signing input (domain, network, message).
    fn sign(&self, input: &[u8]) -> [u8; 64];

    /// Ed25519 signature of the node key over the text of a statement about a tree, which the key's owner makes itself.
    fn sign_statement(&self, statement: Statement<'_>) -> [u8; 64];

    /// The guardian key's address, if this node holds one.
    fn guardian(&self) -> Option<Address>;

    /// r || s || v (27 or 28, low s) over a Safe transaction. The key owner hashes the struct itself: it is never handed
    /// a digest.
    ///
    /// # Errors
    /// [`KeyError`] when there is no key, it is locked, or its owner refuses.
    fn co_sign(
        &self,
        version: SafeVersion,
        chain: ChainId,
        safe: Address,
        transaction: &SafeTransaction,
    ) -> Result<[u8; 65], KeyError>;
}
