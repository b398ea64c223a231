//! Proofs of Ethereum's tries (Yellow Paper, appendix D) from bytes that nobody vouches for.

use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable as _;
use alloy_trie::Nibbles;
use alloy_trie::nodes::{RlpNode, TrieNode};
use alloy_trie::proof::{ProofVerificationError, verify_proof};
use thiserror::Error;

/// Half bytes of the longest key: a hash.
const PATH_MAX: usize = 64;

/// Why nodes do not lead from a root to a value.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum TrieFault {
    /// They go on where every key has ended.
    #[error("its nodes go deeper than a key of {PATH_MAX} half bytes")]
    TooDeep,
    /// The key is longer than a hash.
    #[error("a key of {bytes} bytes")]
    LongKey {
        /// Of it.
        bytes: usize,
    },
    /// What the trie says.
    #[error(transparent)]
    Elsewhere(#[from] ProofVerificationError),
}

/// Whether the nodes lead from `root` by `key` to `value`; `None` where it must be absent.
///
/// The library ends the process at nodes whose path is longer than a hash, which no trie has and any liar can make up: they are refused before.
///
/// # Errors
/// [`TrieFault`].
pub fn prove(root: B256, key: &[u8], value: Option<&[u8]>, nodes: &[Bytes]) -> Result<(), TrieFault> {
    if 2 * key.len() > PATH_MAX {
        return Err(TrieFault::LongKey { bytes: key.len() });
    }
    let key = Nibbles::unpack(key);
    let mut walked = 0;
    for node in nodes {
        // One that does not decode ends the walk there.
        let Ok(node) = TrieNode::decode(&mut node.as_ref()) else { break };
        walked = walk(&node, &key, walked);
        if walked > PATH_MAX {
            return Err(TrieFault::TooDeep);
        }
    }
    Ok(verify_proof(root, key, value.map(<[u8]>::to_vec), nodes)?)
}

/// How far along the key a node leads that stands so far along it, with those that stand within it; these are shorter than a hash, so that this
/// ends soon.
fn walk(node: &TrieNode, key: &Nibbles, walked: usize) -> usize {
    let within = |child: &RlpNode, walked| match TrieNode::decode(&mut child.as_slice()) {
        Ok(node) if !child.is_hash() => walk(&node, key, walked),
        _ => walked,
    };
    match node {
        TrieNode::EmptyRoot => walked,
        TrieNode::Leaf(leaf) => walked + leaf.key.len(),
        TrieNode::Extension(extension) => within(&extension.child, walked + extension.key.len()),
        TrieNode::Branch(branch) => {
            let Some(next) = key.get(walked) else { return walked };
            let branch = branch.as_ref();
            let child = branch.children().find_map(|(index, child)| child.filter(|_| index == next));
            child.map_or(walked, |child| within(child, walked + 1))
        }
    }
}

#[cfg(test)]
mod tests;
