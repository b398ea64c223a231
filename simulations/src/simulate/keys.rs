//! Keys of simulated members: derived from their names, known to everybody, valid on drill chains only. Signatures are real (ed25519;
//! secp256k1 with RFC 6979 nonces), so they are the same in every run. Only in large networks a keyed hash stands in for the signatures of
//! heartbeats: it holds since who makes it says so to the run's memory, and any other 64 bytes are checked as ever.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use alloy_primitives::{Address, B256};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256, Sha512};
use watchfire_driver::{KeyError, Keys};
use watchfire_types::memory;
use watchfire_types::{ChainId, MemberKey, SafeTransaction, SafeVersion, domain};

/// Members of a network whose heartbeats are all really signed.
const REAL_MAX: usize = 16;

/// The keys of one member.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    node: ed25519_dalek::SigningKey,
    guardian: k256::ecdsa::SigningKey,
    submitter: Address,
}

fn seed(purpose: &str, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"watchfire simulation ").chain_update(purpose).chain_update(name).finalize().into()
}

/// A secp256k1 key from a name. Not every 32 bytes are one; the chance that these are not is below 2^-127, and the next are tried.
fn secp(purpose: &str, name: &str) -> k256::ecdsa::SigningKey {
    let mut bytes = seed(purpose, name);
    loop {
        match k256::ecdsa::SigningKey::from_slice(&bytes) {
            Ok(key) => return key,
            Err(_) => bytes = Sha256::digest(bytes).into(),
        }
    }
}

impl Secrets {
    /// Those of the member with this name.
    pub(crate) fn of(name: &str) -> Self {
        Self {
            node: ed25519_dalek::SigningKey::from_bytes(&seed("node key of ", name)),
            guardian: secp("guardian key of ", name),
            submitter: Address::from_private_key(&secp("submitter key of ", name)),
        }
    }

    pub(crate) fn author(&self) -> MemberKey {
        MemberKey::from_bytes(self.node.verifying_key().to_bytes())
    }

    pub(crate) fn guardian(&self) -> Address {
        Address::from_private_key(&self.guardian)
    }

    pub(crate) fn submitter(&self) -> Address {
        self.submitter
    }

    pub(crate) fn sign(&self, input: &[u8]) -> [u8; 64] {
        let signature = self.node.sign(input).to_bytes();
        memory::signed(&self.node.verifying_key(), input, &signature);
        signature
    }

    /// What stands in for a signature: 64 bytes that only who has the key can make.
    fn stand_in(&self, input: &[u8]) -> [u8; 64] {
        let hash = Sha512::new().chain_update(self.node.to_bytes()).chain_update(input).finalize().into();
        memory::signed(&self.node.verifying_key(), input, &hash);
        hash
    }

    /// r || s || v over a Safe transaction hash; `None` never with a sound key.
    pub(crate) fn sign_safe(&self, hash: B256) -> Option<[u8; 65]> {
        let (signature, recovery) = self.guardian.sign_prehash_recoverable(hash.as_slice()).ok()?;
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        Some(bytes)
    }

    /// The secret bytes, for the check that they never leave.
    pub(crate) fn secret_bytes(&self) -> [[u8; 32]; 2] {
        [self.node.to_bytes(), self.guardian.to_bytes().into()]
    }
}

/// What a driver signs with; notes which Safe transactions it signed.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    secrets: Rc<Secrets>,
    guardian: Option<Address>,
    signed: Rc<RefCell<BTreeSet<B256>>>,
    locked: Rc<Cell<bool>>,
    /// A hash stands in for the signatures of its heartbeats.
    stands_in: bool,
}

impl Ring {
    /// With its guardian key if it `signs`, in a network of so many members.
    pub(crate) fn new(
        secrets: Rc<Secrets>,
        signs: bool,
        signed: Rc<RefCell<BTreeSet<B256>>>,
        locked: Rc<Cell<bool>>,
        members: usize,
    ) -> Self {
        Self { guardian: signs.then(|| secrets.guardian()), secrets, signed, locked, stands_in: members > REAL_MAX }
    }
}

impl Keys for Ring {
    fn author(&self) -> MemberKey {
        self.secrets.author()
    }

    fn sign(&self, input: &[u8]) -> [u8; 64] {
        if self.stands_in && input.starts_with(domain::HEARTBEAT) {
            return self.secrets.stand_in(input);
        }
        self.secrets.sign(input)
    }

    fn sign_statement(&self, statement: watchfire_transparency::Statement<'_>) -> [u8; 64] {
        self.secrets.sign(statement.text().as_bytes())
    }

    fn guardian(&self) -> Option<Address> {
        self.guardian
    }

    fn co_sign(
        &self,
        version: SafeVersion,
        chain: ChainId,
        safe: Address,
        transaction: &SafeTransaction,
    ) -> Result<[u8; 65], KeyError> {
        if self.locked.get() {
            return Err(KeyError::Refused { reason: "locked".to_owned() });
        }
        let hash = transaction.hashes(version, chain.get(), safe).safe_tx_hash;
        self.signed.borrow_mut().insert(hash);
        self.secrets.sign_safe(hash).ok_or_else(|| KeyError::Refused { reason: "no signature".to_owned() })
    }
}
