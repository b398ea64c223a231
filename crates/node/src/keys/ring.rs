//! The keys of a running node, unlocked: the one place that signs.

use std::path::Path;

use alloy::primitives::{Address, B256};
use ed25519_dalek::Signer as _;
use k256::ecdsa::SigningKey as EvmKey;
use watchfire_driver::{KeyError as CoSignError, Keys};
use watchfire_evm::{GasPayer, OuterTransaction};
use watchfire_types::{ChainId, MemberId, MemberKey, NetworkId, SafeTransaction, SafeVersion};
use zeroize::Zeroizing;

use super::sealing::Opener;
use super::{KeyError, KeyFaults, KeyFiles, Password, keystore, node_key};

/// Unlocked keys that cannot sign yet: whether they are the member's is looked at first, then they are bound.
pub struct UnboundKeys {
    files: KeyFiles,
    node: ed25519_dalek::SigningKey,
    guardian: Option<keystore::Unlocked>,
    submitter: Option<EvmKey>,
}

impl UnboundKeys {
    /// Unlocks the keys of a node directory; guardian and submitter only where the member is a guardian.
    ///
    /// # Errors
    /// [`KeyFaults`]: what is wrong with any of them, at once.
    pub fn unlock(directory: &Path, password: &Password, guardian: bool) -> Result<Self, KeyFaults> {
        let files = KeyFiles::of(directory);
        let mut faults = Vec::new();
        let node = node_key::read(&files.node, password).map_err(|error| faults.push(error)).ok();
        let mut evm = |path| keystore::read(path, password).map_err(|error| faults.push(error)).ok();
        let owner = if guardian { evm(&files.guardian) } else { None };
        let submitter = if guardian { evm(&files.submitter).map(keystore::Unlocked::into_key) } else { None };
        match node {
            Some(node) if faults.is_empty() => Ok(Self { files, node, guardian: owner, submitter }),
            _ => Err(KeyFaults(faults)),
        }
    }

    /// The node's public key.
    #[must_use]
    pub fn node_key(&self) -> MemberKey {
        MemberKey::from_bytes(self.node.verifying_key().to_bytes())
    }

    /// The Safe owner that this node would sign as.
    #[must_use]
    pub fn guardian_address(&self) -> Option<Address> {
        self.guardian.as_ref().map(keystore::Unlocked::address)
    }

    /// The gas payer.
    #[must_use]
    pub fn submitter_address(&self) -> Option<Address> {
        self.submitter.as_ref().map(keystore::address_of)
    }

    /// The node's seed, for the transport's identity; wiped on drop.
    #[must_use]
    pub fn identity_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.node.to_bytes())
    }

    /// Whether [`UnboundKeys::bind`] would take this network: a guardian key that serves another one is refused.
    ///
    /// # Errors
    /// [`KeyError::BoundElsewhere`], and [`KeyError::Malformed`] where the keystore's network cannot be read.
    pub fn may_bind(&self, network: NetworkId) -> Result<(), KeyError> {
        let Some(guardian) = &self.guardian else { return Ok(()) };
        let path = &self.files.guardian;
        match guardian.network(path)? {
            Some(bound) if bound != network => Err(KeyError::BoundElsewhere { path: path.clone(), bound, network }),
            _ => Ok(()),
        }
    }

    /// Binds the guardian key to the network, durably, and makes the keys usable. A binding is never undone: check
    /// before that these keys are the member's.
    ///
    /// # Errors
    /// [`KeyError::BoundElsewhere`] and the others of [`keystore::Unlocked::bind`].
    pub fn bind(self, network: NetworkId) -> Result<KeyRing, KeyError> {
        let Self { files, node, mut guardian, submitter } = self;
        if let Some(guardian) = &mut guardian {
            guardian.bind(&files.guardian, network)?;
        }
        Ok(KeyRing { node, guardian: guardian.map(keystore::Unlocked::into_key), submitter })
    }
}

/// Unlocked keys of one member, the guardian's bound to its network; wiped on drop.
pub struct KeyRing {
    node: ed25519_dalek::SigningKey,
    guardian: Option<EvmKey>,
    submitter: Option<EvmKey>,
}

impl KeyRing {
    /// The node's public key.
    #[must_use]
    pub fn node_key(&self) -> MemberKey {
        MemberKey::from_bytes(self.node.verifying_key().to_bytes())
    }

    /// What opens words that were sealed to this member.
    #[must_use]
    pub fn opener(&self, member: MemberId) -> Opener {
        Opener::new(member, &self.node)
    }

    /// Takes the gas payer out, for the submitters.
    pub fn take_payer(&mut self) -> Option<Payer> {
        self.submitter.take().map(|key| Payer { address: keystore::address_of(&key), key })
    }
}

impl Keys for KeyRing {
    fn author(&self) -> MemberKey {
        self.node_key()
    }

    fn sign(&self, input: &[u8]) -> [u8; 64] {
        self.node.sign(input).to_bytes()
    }

    fn sign_statement(&self, statement: watchfire_transparency::Statement<'_>) -> [u8; 64] {
        self.node.sign(statement.text().as_bytes()).to_bytes()
    }

    fn guardian(&self) -> Option<Address> {
        self.guardian.as_ref().map(keystore::address_of)
    }

    fn co_sign(
        &self,
        version: SafeVersion,
        chain: ChainId,
        safe: Address,
        transaction: &SafeTransaction,
    ) -> Result<[u8; 65], CoSignError> {
        let key = self.guardian.as_ref().ok_or(CoSignError::NoGuardian)?;
        let hash = transaction.hashes(version, chain.get(), safe).safe_tx_hash;
        sign_hash(key, hash).map_err(|error| CoSignError::Refused { reason: error.to_string() })
    }
}

/// The gas payer: a plain account used for nothing else.
pub struct Payer {
    address: Address,
    key: EvmKey,
}

impl GasPayer for Payer {
    fn address(&self) -> Address {
        self.address
    }

    fn sign_transaction(&self, transaction: &OuterTransaction) -> Result<[u8; 65], String> {
        sign_hash(&self.key, transaction.signing_hash()).map_err(|error| error.to_string())
    }
}

/// Signs a hash that this process computed from a struct: r || s || v, low s, v 27 or 28.
///
/// # Errors
/// [`KeyError::Signing`].
pub(crate) fn sign_hash(key: &EvmKey, hash: B256) -> Result<[u8; 65], KeyError> {
    let failed = |error: k256::ecdsa::Error| KeyError::Signing { key: "a secp256k1 key", reason: error.to_string() };
    let (signature, recovery) = key.sign_prehash_recoverable(hash.as_slice()).map_err(failed)?;
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + recovery.to_byte();
    Ok(bytes)
}
