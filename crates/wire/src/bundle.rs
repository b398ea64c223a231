//! The evidence bundle's file: proto/watchfire/v1/bundle.proto says what every field means and what a verifier checks.
//!
//! Here are the frame (magic, length, body, digest), the bounds and the orders; whether the content holds together is for
//! `watchfire_bundle` to judge. A file that decodes has exactly one encoding.

use alloy_primitives::{Address, B256};
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use thiserror::Error;
use watchfire_types::{AssetId, ChainId, CharterVersion, Epoch, IncidentId, MemberKey, NetworkId, sha256};

use crate::error::WireError;
use crate::proto;

mod decode;
mod encode;

/// First bytes of every bundle.
pub const BUNDLE_MAGIC: &[u8] = b"watchfire-bundle/1\n";
/// Largest body, bytes.
pub const MAX_BUNDLE: usize = 256 << 20;
/// Largest file, bytes: magic, length, body, digest.
pub const MAX_BUNDLE_FILE: usize = BODY + MAX_BUNDLE + DIGEST;
/// Most events in all segments, and inclusions in all trees.
pub const MAX_BUNDLE_EVENTS: usize = 262_144;
/// Largest object of on-chain evidence.
pub const MAX_BUNDLE_OBJECT: usize = 64 << 20;
/// Most objects.
pub const MAX_BUNDLE_OBJECTS: usize = 4_096;
/// Most blocks.
pub const MAX_BUNDLE_BLOCKS: usize = 1_024;
/// Most receipts of one block.
pub const MAX_BUNDLE_RECEIPTS: usize = 4_096;
/// Largest receipt.
pub const MAX_BUNDLE_RECEIPT: usize = 1 << 20;
/// Most accounts of one block, and slots of one account.
pub const MAX_BUNDLE_ACCOUNTS: usize = 1_024;
/// Most segments, trees, events outside segments, and authors of whom something is left out.
pub const MAX_BUNDLE_CHAINS: usize = 4_096;
/// Largest checkpoint's note.
pub const MAX_BUNDLE_NOTE: usize = 64 * 1024;
/// Most hashes of one inclusion, and nodes of one trie proof.
pub const MAX_BUNDLE_PATH: usize = 64;
/// Largest header.
pub const MAX_BUNDLE_HEADER: usize = 4 * 1024;
/// Largest trie node of state.
pub const MAX_BUNDLE_NODE: usize = 4 * 1024;
/// Largest trie node of receipts, which may hold a whole one.
pub const MAX_BUNDLE_RECEIPT_NODE: usize = MAX_BUNDLE_RECEIPT + MAX_BUNDLE_NODE;

const BODY: usize = BUNDLE_MAGIC.len() + 8;
const DIGEST: usize = 32;

/// One evidence bundle. Lists are strictly ascending by their keys; an encoded bundle whose lists are not does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Network.
    pub network: NetworkId,
    /// What it is about.
    pub incident: BundledIncident,
    /// By version; 1 to 64.
    pub charters: Vec<BundledCharter>,
    /// By (author, epoch).
    pub segments: Vec<Segment>,
    /// Outer bytes of single events outside the segments, by hash.
    pub further: Vec<Bytes>,
    /// By (author, epoch).
    pub trees: Vec<BundledTree>,
    /// By (chain, hash).
    pub blocks: Vec<BundledBlock>,
    /// By digest.
    pub objects: Vec<BundledObject>,
    /// Name and version of what made it, at most 64 bytes.
    pub software: String,
    /// By author; what its maker says is not here.
    pub left_out: Vec<LeftOut>,
}

/// The incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledIncident {
    /// H(network id, asset, generation).
    pub id: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// Closes of the asset before it.
    pub generation: u32,
}

/// One charter version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledCharter {
    /// Version.
    pub version: CharterVersion,
    /// RFC 8785 JSON: what the digest is over.
    pub canonical: Bytes,
    /// The document, verbatim.
    pub toml: Bytes,
}

/// Events of one author's epoch: one stretch, or several with stated gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// Outer bytes, by position.
    pub events: Vec<Bytes>,
    /// Positions between the first and the last of them that are not here.
    pub missing: u64,
    /// Where its maker's log of this epoch goes on after what was pruned, if some of the events stand before; else 0.
    pub pruned: u64,
}

/// What of one author the bundle's maker says that it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Author.
    pub author: MemberKey,
    /// Events that would be here, had there been room.
    pub no_room: u64,
    /// Events that its maker had pruned and that may have been of the incident.
    pub pruned: u64,
}

/// A checkpoint of one author's epoch, and what it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledTree {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// C2SP signed note with the author's and the witnesses' lines.
    pub note: Bytes,
    /// By index.
    pub inclusions: Vec<Inclusion>,
}

/// One leaf's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Index of the leaf.
    pub index: u64,
    /// Hashes from the leaf's sibling upwards, at most 64.
    pub path: Vec<[u8; 32]>,
}

/// What one header proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledBlock {
    /// Chain.
    pub chain: ChainId,
    /// keccak-256 of the header.
    pub hash: B256,
    /// RLP.
    pub header: Bytes,
    /// By index.
    pub receipts: Vec<ProvedReceipt>,
    /// By address.
    pub accounts: Vec<ProvedAccount>,
}

/// A receipt against the header's receipts root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedReceipt {
    /// Index of its transaction.
    pub index: u64,
    /// EIP-2718 bytes.
    pub receipt: Bytes,
    /// Trie nodes from the root down.
    pub proof: Vec<Bytes>,
}

/// An account against the header's state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedAccount {
    /// Address.
    pub address: Address,
    /// RLP of (nonce, balance, storage root, code hash); empty for none.
    pub value: Bytes,
    /// Trie nodes from the root down.
    pub proof: Vec<Bytes>,
    /// By slot.
    pub slots: Vec<ProvedSlot>,
}

/// A slot against the account's storage root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedSlot {
    /// Slot.
    pub slot: B256,
    /// RLP of the number in it; empty for zero.
    pub value: Bytes,
    /// Trie nodes from the root down.
    pub proof: Vec<Bytes>,
}

/// One object of on-chain evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledObject {
    /// SHA-256 that it is filed under; whether its content has it is for the verifier.
    pub digest: B256,
    /// Bytes.
    pub content: Bytes,
}

/// Why a file is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BundleError {
    /// It does not begin as one.
    #[error("the file does not begin with `watchfire-bundle/1`: it is no evidence bundle")]
    NotABundle,
    /// Its length field is over the bound.
    #[error("the file says that it has a body of {found} bytes, at most {limit} are read", limit = MAX_BUNDLE)]
    TooLarge {
        /// What it says.
        found: u64,
    },
    /// It ends early.
    #[error("the file is cut off: it has {found} of {expected} bytes; get it again from where it came")]
    Truncated {
        /// Bytes that it should have.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// Something follows.
    #[error("{more} bytes follow after the end of the bundle")]
    Trailing {
        /// How many.
        more: usize,
    },
    /// The last 32 bytes are not the digest of the others.
    #[error("the file is damaged: its SHA-256 is {computed}, and it says {stated}; get it again from where it came")]
    Digest {
        /// Of the bytes.
        computed: B256,
        /// At the end.
        stated: B256,
    },
    /// The body.
    #[error(transparent)]
    Body(#[from] WireError),
}

impl Bundle {
    /// The whole file. Equal bundles have equal bytes.
    ///
    /// # Errors
    /// [`BundleError`] with which it would not decode: a bound or an order is broken.
    pub fn encode(&self) -> Result<Bytes, BundleError> {
        let body = encode::bundle(self).encode_to_vec();
        let mut file = BytesMut::with_capacity(BODY + body.len() + DIGEST);
        file.put_slice(BUNDLE_MAGIC);
        file.put_u64(body.len() as u64);
        file.put_slice(&body);
        let digest = sha256(&[&file]);
        file.put_slice(&digest);
        let file = file.freeze();
        Self::decode(&file)?;
        Ok(file)
    }

    /// Reads a whole file. Event bytes, charters, notes and proofs are not opened.
    ///
    /// # Errors
    /// [`BundleError`] says where the file ends early or what is wrong with it.
    pub fn decode(file: &Bytes) -> Result<Self, BundleError> {
        let body = unframe(file)?;
        let message = "bundle";
        let decoded = proto::Bundle::decode(body.clone()).map_err(|source| WireError::Malformed { message, source })?;
        if decoded.encoded_len() != body.len() || decoded.encode_to_vec() != body {
            return Err(WireError::NotCanonical { message }.into());
        }
        Ok(decode::bundle(decoded)?)
    }
}

/// The body between frame and digest.
fn unframe(file: &Bytes) -> Result<Bytes, BundleError> {
    let start = file.len().min(BUNDLE_MAGIC.len());
    if file.is_empty() || file[..start] != BUNDLE_MAGIC[..start] {
        return Err(BundleError::NotABundle);
    }
    let truncated = |expected| BundleError::Truncated { expected, found: file.len() };
    let length = file.get(BUNDLE_MAGIC.len()..BODY).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let stated = u64::from_be_bytes(length.ok_or_else(|| truncated(BODY + DIGEST))?);
    let length = usize::try_from(stated).ok().filter(|length| *length <= MAX_BUNDLE);
    let length = length.ok_or(BundleError::TooLarge { found: stated })?;
    let expected = BODY + length + DIGEST;
    if file.len() < expected {
        return Err(truncated(expected));
    }
    if file.len() > expected {
        return Err(BundleError::Trailing { more: file.len() - expected });
    }
    let (covered, stated) = file.split_at(BODY + length);
    let computed = B256::new(sha256(&[covered]));
    if computed.as_slice() != stated {
        return Err(BundleError::Digest { computed, stated: B256::from_slice(stated) });
    }
    Ok(file.slice(BODY..BODY + length))
}
