//! Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4).
//!
//! Made from a [`Tree`]'s kept nodes in the RFC's recursion, verified by its loop over the path: two independent forms, and a
//! third (ct-merkle) stands against both in the tests. Own code and not that library's, since its proofs are
//! laid out over node indexes of another tree shape (RFC 9420) that the callers would have to translate.
//!
//! Every proof is bounded: at most 64 hashes each side of an index. The number of hashes follows from the numbers, so
//! that a proof has one form.

use std::ops::Range;

use crate::error::ProofError;
use crate::tree::{Hash, Tree, node_hash, split};

/// That a leaf stands at an index of a tree. Binary form: index (8, big endian), size (8), then 32 bytes a hash: at most
/// `32 * ceil(log2 size) + 16` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Which leaf, from 0.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Siblings from the leaf upwards.
    pub path: Vec<Hash>,
}

/// That a tree is the beginning of another. Binary form as for [`InclusionProof`], with `from` and `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Leaves of the smaller tree, at least 1.
    pub from: u64,
    /// Leaves of the larger tree.
    pub to: u64,
    /// The RFC's nodes, in its order; none when both are of one size.
    pub path: Vec<Hash>,
}

impl Tree {
    /// The proof that the leaf at `index` stands in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`ProofError::Outside`] when there is no such leaf or no such tree.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, ProofError> {
        let mut path = Vec::new();
        if size > self.size() || index >= size || self.path(index, 0..size, &mut path).is_none() {
            return Err(ProofError::Outside { wanted: index, size: size.min(self.size()) });
        }
        Ok(InclusionProof { index, size, path })
    }

    /// The proof that the tree of the first `from` leaves is the beginning of that of the first `to`.
    ///
    /// # Errors
    /// [`ProofError::Outside`] when there is no such tree, or `from` is 0.
    pub fn consistency(&self, from: u64, to: u64) -> Result<ConsistencyProof, ProofError> {
        let mut path = Vec::new();
        if from == 0 || from > to || to > self.size() || self.subproof(from, 0..to, true, &mut path).is_none() {
            return Err(ProofError::Outside { wanted: from, size: to.min(self.size()) });
        }
        Ok(ConsistencyProof { from, to, path })
    }

    /// PATH(m, D[n]).
    fn path(&self, index: u64, range: Range<u64>, path: &mut Vec<Hash>) -> Option<()> {
        let length = range.end - range.start;
        if length == 1 {
            return Some(());
        }
        let middle = range.start + split(length);
        let (down, across) = if index < middle {
            (range.start..middle, middle..range.end)
        } else {
            (middle..range.end, range.start..middle)
        };
        self.path(index, down, path)?;
        path.push(self.range(across)?);
        Some(())
    }

    /// SUBPROOF(m, D[n], b), with m as the absolute end of the smaller tree.
    fn subproof(&self, end: u64, range: Range<u64>, whole: bool, path: &mut Vec<Hash>) -> Option<()> {
        if end == range.end {
            if !whole {
                path.push(self.range(range)?);
            }
            return Some(());
        }
        let middle = range.start + split(range.end - range.start);
        if end <= middle {
            self.subproof(end, range.start..middle, whole, path)?;
            path.push(self.range(middle..range.end)?);
        } else {
            self.subproof(end, middle..range.end, false, path)?;
            path.push(self.range(range.start..middle)?);
        }
        Some(())
    }
}

/// How many hashes of a path stand below the point where the index leaves the tree's right edge, and how many above.
fn inner_and_border(index: u64, size: u64) -> (usize, usize) {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner as usize, border as usize)
}

fn check_length(expected: usize, found: usize) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

impl InclusionProof {
    /// Whether the leaf with this hash stands there, in the tree with this root.
    ///
    /// # Errors
    /// [`ProofError`]: which part does not hold.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        let Self { index, size, path } = self;
        if index >= size {
            return Err(ProofError::Outside { wanted: *index, size: *size });
        }
        let (inner, border) = inner_and_border(*index, *size);
        check_length(inner + border, path.len())?;
        let (below, above) = path.split_at(inner);
        let turn = |node: Hash, (level, other): (usize, &Hash)| {
            if index >> level & 1 == 0 { node_hash(&node, other) } else { node_hash(other, &node) }
        };
        let node = below.iter().enumerate().fold(*leaf, turn);
        let found = above.iter().fold(node, |node, left| node_hash(left, &node));
        if found == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self.index, self.size, &self.path)
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`ProofError`] for anything that [`InclusionProof::to_bytes`] never gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let (index, size, path) = from_bytes(bytes)?;
        if index >= size {
            return Err(ProofError::Outside { wanted: index, size });
        }
        let (inner, border) = inner_and_border(index, size);
        check_length(inner + border, path.len())?;
        Ok(Self { index, size, path })
    }
}

impl ConsistencyProof {
    /// Whether the tree with `old_root` is the beginning of the one with `root`.
    ///
    /// # Errors
    /// [`ProofError`]: which part does not hold.
    pub fn verify(&self, old_root: &Hash, root: &Hash) -> Result<(), ProofError> {
        let Self { from, to, path } = self;
        if *from == 0 || from > to {
            return Err(ProofError::Outside { wanted: *from, size: *to });
        }
        check_length(consistency_length(*from, *to), path.len())?;
        if from == to {
            return if old_root == root { Ok(()) } else { Err(ProofError::OtherRoot) };
        }
        let shift = from.trailing_zeros();
        // A smaller tree that is one complete subtree is its own first node.
        let (seed, path) = match path.split_first() {
            Some((first, rest)) if !from.is_power_of_two() => (first, rest),
            _ => (old_root, path.as_slice()),
        };
        let inner = inner_and_border(from - 1, *to).0 - shift as usize;
        let (below, above) = path.split_at(inner);
        let index = (from - 1) >> shift;
        let (mut old, mut new) = (*seed, *seed);
        for (level, other) in below.iter().enumerate() {
            if index >> level & 1 == 1 {
                old = node_hash(other, &old);
                new = node_hash(other, &new);
            } else {
                new = node_hash(&new, other);
            }
        }
        for left in above {
            old = node_hash(left, &old);
            new = node_hash(left, &new);
        }
        match (old == *old_root, new == *root) {
            (true, true) => Ok(()),
            (false, _) => Err(ProofError::OtherOldRoot),
            (true, false) => Err(ProofError::OtherRoot),
        }
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self.from, self.to, &self.path)
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`ProofError`] for anything that [`ConsistencyProof::to_bytes`] never gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let (from, to, path) = from_bytes(bytes)?;
        if from == 0 || from > to {
            return Err(ProofError::Outside { wanted: from, size: to });
        }
        check_length(consistency_length(from, to), path.len())?;
        Ok(Self { from, to, path })
    }
}

/// Hashes of a consistency proof; `from` is at least 1 and at most `to`.
fn consistency_length(from: u64, to: u64) -> usize {
    if from == to {
        return 0;
    }
    let (inner, border) = inner_and_border(from - 1, to);
    usize::from(!from.is_power_of_two()) + inner - from.trailing_zeros() as usize + border
}

fn to_bytes(first: u64, second: u64, path: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + 32 * path.len());
    bytes.extend_from_slice(&first.to_be_bytes());
    bytes.extend_from_slice(&second.to_be_bytes());
    bytes.extend(path.iter().flatten());
    bytes
}

fn from_bytes(bytes: &[u8]) -> Result<(u64, u64, Vec<Hash>), ProofError> {
    let broken = ProofError::Bytes { found: bytes.len() };
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or(broken)?;
    let (second, rest) = rest.split_first_chunk::<8>().ok_or(broken)?;
    let (path, rest) = rest.as_chunks::<32>();
    if !rest.is_empty() || path.len() > 2 * u64::BITS as usize {
        return Err(broken);
    }
    Ok((u64::from_be_bytes(*first), u64::from_be_bytes(*second), path.to_vec()))
}

#[cfg(test)]
mod tests;
