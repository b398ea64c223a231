//! Ethereum's headers, receipts and tries, as far as a verifier needs them (Yellow Paper, sections 4.3 and appendix D).

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, keccak256};
use alloy_rlp::{Decodable as _, Header as RlpHeader, PayloadView};
use thiserror::Error;
use watchfire_types::{Bytes, trie};

/// Why on-chain evidence does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TrieError {
    /// The header is another block's.
    #[error("the header hashes to {found}")]
    OtherHash {
        /// Its hash.
        found: B256,
    },
    /// Bytes that are not what they should be.
    #[error("{what} does not decode")]
    Malformed {
        /// What.
        what: &'static str,
    },
    /// The proof leads elsewhere.
    #[error("the trie proof does not lead from the root to the value: {why}")]
    Proof {
        /// What the trie says.
        why: String,
    },
}

/// What a header commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeaderFacts {
    pub(crate) number: u64,
    pub(crate) time_s: u64,
    pub(crate) state_root: B256,
    pub(crate) receipts_root: B256,
}

/// One log of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptLog {
    pub(crate) address: Address,
    pub(crate) topics: Vec<B256>,
    pub(crate) data: Vec<u8>,
}

/// A receipt taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptFacts {
    pub(crate) success: bool,
    pub(crate) logs: Vec<ReceiptLog>,
}

/// The items of an RLP list that is all of `bytes`, each with its payload.
fn list(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = bytes;
    let PayloadView::List(items) = RlpHeader::decode_raw(&mut rest).ok()? else { return None };
    rest.is_empty().then_some(items)
}

/// The bytes of an RLP string that is all of `item`.
fn string(item: &[u8]) -> Option<&[u8]> {
    let mut rest = item;
    let PayloadView::String(bytes) = RlpHeader::decode_raw(&mut rest).ok()? else { return None };
    rest.is_empty().then_some(bytes)
}

fn number(item: &[u8]) -> Option<u64> {
    let mut rest = item;
    let number = u64::decode(&mut rest).ok()?;
    rest.is_empty().then_some(number)
}

fn word(item: &[u8]) -> Option<B256> {
    B256::try_from(string(item)?).ok()
}

/// Opens a header and holds it against its hash.
pub(crate) fn header(rlp: &[u8], hash: B256) -> Result<HeaderFacts, TrieError> {
    let found = keccak256(rlp);
    if found != hash {
        return Err(TrieError::OtherHash { found });
    }
    let read = || {
        let items = list(rlp)?;
        Some(HeaderFacts {
            state_root: word(items.get(3)?)?,
            receipts_root: word(items.get(5)?)?,
            number: number(items.get(8)?)?,
            time_s: number(items.get(11)?)?,
        })
    };
    read().ok_or(TrieError::Malformed { what: "the header" })
}

/// Opens a receipt's EIP-2718 bytes.
pub(crate) fn receipt(bytes: &[u8]) -> Result<ReceiptFacts, TrieError> {
    let malformed = TrieError::Malformed { what: "the receipt" };
    let body = match bytes {
        [first, rest @ ..] if *first < 0xc0 => rest,
        other => other,
    };
    let read = || {
        let items = list(body)?;
        let [status, _, _, logs] = items.as_slice() else { return None };
        let log = |item: &&[u8]| {
            let parts = list(item)?;
            let [address, topics, data] = parts.as_slice() else { return None };
            Some(ReceiptLog {
                address: Address::try_from(string(address)?).ok()?,
                topics: list(topics)?.into_iter().map(word).collect::<Option<_>>()?,
                data: string(data)?.to_vec(),
            })
        };
        let logs = list(logs)?.iter().map(log).collect::<Option<_>>()?;
        Some(ReceiptFacts { success: string(status)? == [1], logs })
    };
    read().ok_or(malformed)
}

/// The storage root of an account's RLP value.
pub(crate) fn storage_root(account: &[u8]) -> Result<B256, TrieError> {
    if account.is_empty() {
        return Ok(alloy_trie::EMPTY_ROOT_HASH);
    }
    let read = || word(list(account)?.get(2)?);
    read().ok_or(TrieError::Malformed { what: "the account" })
}

/// Key of a transaction's receipt.
pub(crate) fn receipt_key(index: u64) -> Vec<u8> {
    alloy_rlp::encode(index)
}

/// Key of an account or slot.
pub(crate) fn secure_key(bytes: &[u8]) -> Vec<u8> {
    keccak256(bytes).to_vec()
}

/// Whether the nodes lead from `root` by `key` to `value`; an empty value is proved absent.
pub(crate) fn prove(root: B256, key: &[u8], value: &Bytes, nodes: &[Bytes]) -> Result<(), TrieError> {
    let nodes: Vec<AlloyBytes> = nodes.iter().cloned().map(AlloyBytes).collect();
    let value = (!value.is_empty()).then_some(&value[..]);
    trie::prove(root, key, value, &nodes)
        .map_err(|error| TrieError::Proof { why: error.to_string().chars().take(160).collect() })?;
    // Where the path ended before, the last node is left over.
    match nodes.split_last() {
        Some((_, before)) if !before.is_empty() && trie::prove(root, key, value, before).is_ok() => {
            Err(TrieError::Proof { why: "its last node is left over".to_owned() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
