//! Merkle tree hashes of RFC 6962, section 2.1, grown one leaf at a time.
//!
//! A leaf hashes as SHA-256(0x00, leaf), an inner node as SHA-256(0x01, left, right), the empty tree as SHA-256("").

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use watchfire_types::{Epoch, MemberKey};

/// A node or root of the tree.
pub type Hash = [u8; 32];

/// Hash of one leaf's bytes.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

/// Hash of an inner node.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The complete subtrees of a growing tree, largest first: at most 64 hashes, whatever its size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, one per bit set in `size`, from the highest bit down.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf's bytes.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Adds a leaf by its [`leaf_hash`].
    pub fn push_hash(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the size is a complete subtree as large as the new one so far.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// MTH of all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_smallest = self.subtrees.iter().rev();
        let Some(&smallest) = from_smallest.next() else { return Sha256::digest([]).into() };
        from_smallest.fold(smallest, |right, left| node_hash(left, &right))
    }

    /// The complete subtrees, largest first: with the size, all there is to store.
    #[must_use]
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// The inverse of [`Frontier::size`] and [`Frontier::subtrees`]; `None` when their number does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { size, subtrees })
    }
}

/// MTH over these leaves.
pub fn merkle_root<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(leaf.as_ref());
    }
    frontier.root()
}

/// One tree per (author, epoch), over what that author authored in order of its seq.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRoots(BTreeMap<(MemberKey, Epoch), Frontier>);

impl LogRoots {
    /// No tree yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the author's next leaf.
    pub fn push(&mut self, author: MemberKey, epoch: Epoch, leaf: &[u8]) {
        self.0.entry((author, epoch)).or_default().push(leaf);
    }

    /// The tree of one author's epoch, if it has a leaf.
    #[must_use]
    pub fn get(&self, author: MemberKey, epoch: Epoch) -> Option<&Frontier> {
        self.0.get(&(author, epoch))
    }

    /// Every tree, in order of author and epoch.
    pub fn iter(&self) -> impl Iterator<Item = (MemberKey, Epoch, &Frontier)> {
        self.0.iter().map(|((author, epoch), frontier)| (*author, *epoch, frontier))
    }
}

#[cfg(test)]
mod tests;
