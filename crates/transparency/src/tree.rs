//! Merkle tree hashes of RFC 6962, section 2.1: grown one leaf at a time, or with every node kept to give proofs.
//!
//! A leaf hashes as SHA-256(0x00, leaf), an inner node as SHA-256(0x01, left, right), the empty tree as SHA-256("").

use std::ops::Range;

use watchfire_types::sha256;

/// A node or root of the tree.
pub type Hash = [u8; 32];

/// Hash of one leaf's bytes.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf])
}

/// Hash of an inner node.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of no leaf.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
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
        let Some(&smallest) = from_smallest.next() else { return empty_root() };
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

/// A tree with every complete node kept, 64 bytes a leaf: gives the root and the proofs of each of its sizes. One that goes on from a
/// [`Frontier`] gives those of the leaves and sizes from there on, the same as the whole tree would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// `levels[l]` has the roots of the leaves from `i * 2^l` to `(i + 1) * 2^l`; only complete subtrees are kept.
    levels: Vec<Level>,
}

/// The complete subtrees of one size, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Level {
    /// How many of the first are not held.
    skipped: u64,
    nodes: Vec<Hash>,
}

impl Tree {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree that goes on from this frontier. Of the leaves before it nothing is held but its subtrees, which are all that a path of a
    /// later leaf, or the root of a later size, takes from there.
    #[must_use]
    pub fn continuing(frontier: &Frontier) -> Self {
        let mut smallest_first = frontier.subtrees.iter().rev();
        let level = |level: u32| {
            let complete = frontier.size >> level;
            let nodes: Vec<Hash> = smallest_first.by_ref().take((complete & 1) as usize).copied().collect();
            Level { skipped: complete & !1, nodes }
        };
        Self { levels: (0..u64::BITS - frontier.size.leading_zeros()).map(level).collect() }
    }

    /// Adds a leaf's bytes.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Adds a leaf by its [`leaf_hash`].
    pub fn push_hash(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let Some(Level { nodes, .. }) = self.levels.get_mut(level) else { return };
            nodes.push(node);
            // What is skipped is an even number: a pair is held, or none of it.
            match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => node = node_hash(left, right),
                _ => return,
            }
        }
    }

    /// Leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.skipped + leaves.nodes.len() as u64)
    }

    /// MTH of the first `size` leaves; `None` when there are not as many, or when it takes leaves before the frontier it goes on from.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size == 0 { Some(empty_root()) } else { self.range(0..size) }
    }

    /// The frontier of the first `size` leaves; `None` when there are not as many.
    #[must_use]
    pub fn frontier_at(&self, size: u64) -> Option<Frontier> {
        let mut subtrees = Vec::new();
        let mut start = 0;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            subtrees.push(self.range(start..start + (1 << level))?);
            start += 1 << level;
        }
        Frontier::from_parts(size, subtrees)
    }

    /// MTH of the leaves of one range that RFC 6962 makes a node of: it starts at a multiple of its length's next power of two.
    pub(crate) fn range(&self, range: Range<u64>) -> Option<Hash> {
        let length = range.end.checked_sub(range.start).filter(|length| *length > 0)?;
        if length.is_power_of_two() {
            let level = self.levels.get(length.trailing_zeros() as usize)?;
            let at = (range.start >> length.trailing_zeros()).checked_sub(level.skipped)?;
            return level.nodes.get(usize::try_from(at).ok()?).copied();
        }
        let middle = range.start + split(length);
        Some(node_hash(&self.range(range.start..middle)?, &self.range(middle..range.end)?))
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
pub(crate) const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

impl<L: AsRef<[u8]>> FromIterator<L> for Tree {
    fn from_iter<I: IntoIterator<Item = L>>(leaves: I) -> Self {
        let mut tree = Self::new();
        for leaf in leaves {
            tree.push(leaf.as_ref());
        }
        tree
    }
}

#[cfg(test)]
mod tests;
