//! What a block's hash and roots prove of an operator's raw answer.

use std::collections::BTreeSet;

use alloy::consensus::ReceiptEnvelope;
use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::eips::Encodable2718;
use alloy::primitives::Log as RawLog;
use alloy::rpc::types::{Block, EIP1186AccountProofResponse, Log as RpcLog, TransactionReceipt};
use alloy_primitives::{Address, B256, keccak256};
use alloy_rlp::Encodable as _;
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;
use watchfire_types::{BlockRef, trie};

/// Most receipts with a proof of their own in one derived object, as many as a bundle has of a block: more than a block of 60 million gas has
/// transactions.
const PROOFS_MAX: usize = 4_096;
/// Bytes of them, as digits, so that the object is no larger than any other of evidence may be.
const PROOFS_BYTES_MAX: usize = 14 << 20;

/// Why an answer does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceFault {
    /// It holds something whose encoding is unknown here: nothing can be said.
    #[error("encoding unknown here: {0}")]
    Unknown(String),
    /// It contradicts the block.
    #[error("{0}")]
    Contradicts(String),
}

/// What a checked header commits to, and who its transactions touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// State after the block.
    pub state_root: B256,
    /// Receipts.
    pub receipts_root: B256,
    /// The transactions in their order.
    pub transactions: Vec<B256>,
    /// Whether the header proves these; those of kinds unknown here are as the operator names them.
    pub transactions_proved: bool,
}

/// The accounts that evidence is about.
pub type Touched = BTreeSet<Address>;

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

/// Of a block whose transactions are of kinds unknown here.
#[derive(Deserialize)]
struct Named {
    transactions: Vec<NamedTransaction>,
}

#[derive(Deserialize)]
struct NamedTransaction {
    hash: B256,
}

pub(super) fn is_null(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Answer<Value>>(bytes).map_or(true, |answer| answer.result.is_null())
}

pub(super) fn opened<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EvidenceFault> {
    let unknown = |error: serde_json::Error| EvidenceFault::Unknown(crate::rpc::cut(&error.to_string()));
    serde_json::from_slice::<Answer<T>>(bytes).map(|answer| answer.result).map_err(unknown)
}

fn contradicts<T>(text: String) -> Result<T, EvidenceFault> {
    Err(EvidenceFault::Contradicts(text))
}

/// `eth_getBlockByHash` with whole transactions: the header must hash to the block and the transactions to its root.
///
/// # Errors
/// [`EvidenceFault`]; a header that holds with transactions of unknown kinds is `Ok`: the hash covers their root.
pub fn block(bytes: &[u8], wanted: &BlockRef) -> Result<BlockFacts, EvidenceFault> {
    let header: alloy::rpc::types::Header = opened(bytes)?;
    let found = header.inner.hash_slow();
    if found != wanted.hash {
        return contradicts(format!("the header hashes to {found}, not to {}", wanted.hash));
    }
    let (transactions, transactions_proved) = if let Ok(block) = opened::<Block>(bytes)
        && let Some(transactions) = block.transactions.as_transactions()
    {
        let envelopes: Vec<_> = transactions.iter().map(|transaction| transaction.inner.inner().clone()).collect();
        let root = calculate_transaction_root(&envelopes);
        if root != header.inner.transactions_root {
            return contradicts(format!("the transactions have root {root}, not the header's"));
        }
        // The root does not cover the hash that stands beside a transaction.
        (envelopes.iter().map(|envelope| keccak256(envelope.encoded_2718())).collect(), true)
    } else {
        let named = opened::<Named>(bytes).map(|block| block.transactions).unwrap_or_default();
        (named.into_iter().map(|transaction| transaction.hash).collect(), false)
    };
    Ok(BlockFacts {
        state_root: header.inner.state_root,
        receipts_root: header.inner.receipts_root,
        transactions,
        transactions_proved,
    })
}

type Primitive = ReceiptEnvelope<RawLog>;

fn primitives(bytes: &[u8]) -> Result<Vec<Primitive>, EvidenceFault> {
    let receipts: Vec<TransactionReceipt> = opened(bytes)?;
    Ok(receipts.into_iter().map(|receipt| receipt.inner.into_primitives_receipt()).collect())
}

/// `eth_getBlockReceipts`: must lead to the header's receipts root.
///
/// # Errors
/// [`EvidenceFault`].
pub fn receipts(bytes: &[u8], facts: &BlockFacts) -> Result<(), EvidenceFault> {
    let root = calculate_receipt_root(&primitives(bytes)?);
    if root == facts.receipts_root {
        Ok(())
    } else {
        contradicts(format!("the receipts have root {root}, not the header's"))
    }
}

/// `eth_getLogs` for these accounts: must be exactly what the receipts, checked before, hold of them.
///
/// # Errors
/// [`EvidenceFault`].
pub fn logs(bytes: &[u8], receipts: &[u8], of: &Touched) -> Result<(), EvidenceFault> {
    let stated: Vec<RpcLog> = opened(bytes)?;
    let stated: Vec<RawLog> = stated.into_iter().map(|log| log.inner).collect();
    let held = primitives(receipts)?;
    let held = held.iter().flat_map(|receipt| receipt.logs().iter()).filter(|log| of.contains(&log.address));
    if held.eq(stated.iter()) { Ok(()) } else { contradicts("the logs are not those of the receipts".to_owned()) }
}

/// The derived object with a proof for each receipt that concerns these accounts: receiver, sender or a log of theirs. `None` where
/// none does. At most 4,096 receipts and 14 MiB, the first ones; how many more there are stands in it as `leftOut`.
///
/// # Errors
/// [`EvidenceFault`] where the receipts do not lead to the root.
pub fn receipt_proofs(
    bytes: &[u8],
    wanted: &BlockRef,
    facts: &BlockFacts,
    of: &Touched,
) -> Result<Option<Bytes>, EvidenceFault> {
    let answers: Vec<TransactionReceipt> = opened(bytes)?;
    let concerns = |receipt: &TransactionReceipt| {
        receipt.to.is_some_and(|to| of.contains(&to))
            || of.contains(&receipt.from)
            || receipt.logs().iter().any(|log| of.contains(&log.inner.address))
    };
    let indexes: Vec<usize> =
        answers.iter().enumerate().filter(|(_, receipt)| concerns(receipt)).map(|(index, _)| index).collect();
    if indexes.is_empty() {
        return Ok(None);
    }
    let mut leaves: Vec<(Vec<u8>, Vec<u8>)> = primitives(bytes)?
        .iter()
        .enumerate()
        .map(|(index, receipt)| (alloy_rlp::encode(index), receipt.encoded_2718()))
        .collect();
    let values: Vec<(usize, Vec<u8>, Vec<u8>)> = indexes
        .iter()
        .filter_map(|index| leaves.get(*index).map(|(key, value)| (*index, key.clone(), value.clone())))
        .collect();
    let concerned = values.len();
    let values = values.into_iter().take(PROOFS_MAX);
    let values: Vec<_> = values.collect();
    let keys = values.iter().map(|(_, key, _)| Nibbles::unpack(key)).collect();
    leaves.sort();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys));
    for (key, value) in &leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    if root != facts.receipts_root {
        return contradicts(format!("the receipts have root {root}, not the header's"));
    }
    let nodes = builder.take_proof_nodes();
    let mut bytes = 0;
    let proofs = values.into_iter().map_while(|(index, key, value)| {
        let path = Nibbles::unpack(&key);
        let proof: Vec<_> = (0..=path.len()).filter_map(|length| nodes.get(&path.slice(..length))).collect();
        bytes += 2 * (value.len() + proof.iter().map(|node| node.len() + 8).sum::<usize>()) + 64;
        (bytes <= PROOFS_BYTES_MAX).then(|| {
            json!({
                "index": index,
                "key": alloy_primitives::Bytes::from(key),
                "value": alloy_primitives::Bytes::from(value),
                "proof": proof,
            })
        })
    });
    let proofs: Vec<Value> = proofs.collect();
    let left_out = concerned - proofs.len();
    let mut object = json!({ "block": wanted.hash, "receiptsRoot": root, "receipts": proofs });
    if left_out > 0 {
        object["leftOut"] = left_out.into();
    }
    Ok(Some(object.to_string().into()))
}

/// `eth_getProof`: the account and every slot must lead to the header's state root.
///
/// # Errors
/// [`EvidenceFault`].
pub fn state_proof(bytes: &[u8], facts: &BlockFacts, account: Address, slots: &[B256]) -> Result<(), EvidenceFault> {
    let answer: EIP1186AccountProofResponse = opened(bytes)?;
    if answer.address != account {
        return contradicts(format!("the proof is of account {}", answer.address));
    }
    let held = TrieAccount {
        nonce: answer.nonce,
        balance: answer.balance,
        storage_root: answer.storage_hash,
        code_hash: answer.code_hash,
    };
    let key = keccak256(account);
    let present = trie::prove(facts.state_root, &key[..], Some(&alloy_rlp::encode(held)), &answer.account_proof);
    // Of an account that is not there geth states zero hashes, others those of nothing.
    let nothing = held.nonce == 0
        && held.balance.is_zero()
        && [alloy_trie::KECCAK_EMPTY, B256::ZERO].contains(&held.code_hash)
        && [alloy_trie::EMPTY_ROOT_HASH, B256::ZERO].contains(&held.storage_root);
    let absent = || nothing && trie::prove(facts.state_root, &key[..], None, &answer.account_proof).is_ok();
    if let Err(error) = present
        && !absent()
    {
        return contradicts(format!(
            "the account's proof does not lead to the state root: {}",
            crate::rpc::cut(&error.to_string())
        ));
    }
    let answered: BTreeSet<B256> = answer.storage_proof.iter().map(|slot| slot.key.as_b256()).collect();
    if slots.iter().any(|slot| !answered.contains(slot)) {
        return contradicts("a slot that was asked for is missing".to_owned());
    }
    for slot in &answer.storage_proof {
        let key = keccak256(slot.key.as_b256());
        let value = (!slot.value.is_zero()).then(|| {
            let mut encoded = Vec::new();
            slot.value.encode(&mut encoded);
            encoded
        });
        if [alloy_trie::EMPTY_ROOT_HASH, B256::ZERO].contains(&answer.storage_hash) && value.is_none() {
            continue;
        }
        // A zero is absent from the trie; some development chains (anvil) keep it there, as the RLP of 0.
        let kept_zero =
            slot.value.is_zero() && trie::prove(answer.storage_hash, &key[..], Some(&[0x80]), &slot.proof).is_ok();
        if let Err(error) = trie::prove(answer.storage_hash, &key[..], value.as_deref(), &slot.proof)
            && !kept_zero
        {
            let text = crate::rpc::cut(&error.to_string());
            return contradicts(format!("slot {} does not lead to the storage root: {text}", slot.key.as_b256()));
        }
    }
    Ok(())
}

/// Whether two answers say the same, whatever their spelling (blanks, order of an object's fields).
#[must_use]
pub fn same_result(first: &[u8], second: &[u8]) -> bool {
    match (opened::<Value>(first), opened::<Value>(second)) {
        (Ok(first), Ok(second)) => first == second,
        _ => false,
    }
}
