//! Copies of an object on the network: two other organisations take one, the same two by everyone's reckoning, the next where one of
//! them stays away.

use std::collections::BTreeSet;

use watchfire_types::{B256, Bytes, MemberId, sha256};

/// Organisations besides the collector's that should hold each object.
pub const COPIES: usize = 2;
/// After each of these the next in line takes a copy as well, ms.
pub const TURN_MS: u64 = 10_000;
/// Bytes of one stretch of an object on the network.
pub const STRETCH_BYTES_MAX: usize = 512 << 10;

/// A member's place in the line for an object: SHA-256 of the object's digest and the member's id; the lowest is first.
pub(crate) fn rank(object: &B256, member: &MemberId) -> [u8; 32] {
    sha256(&[object.as_slice(), member.as_str().as_bytes()])
}

/// The question for a stretch of an object: digest (32), offset (8, big endian).
#[must_use]
pub fn question(object: &B256, from: u64) -> Bytes {
    [object.as_slice(), &from.to_be_bytes()].concat().into()
}

/// Takes a question apart.
#[must_use]
pub fn asked(bytes: &[u8]) -> Option<(B256, u64)> {
    let (object, from) = bytes.split_at_checked(32)?;
    Some((B256::try_from(object).ok()?, u64::from_be_bytes(from.try_into().ok()?)))
}

/// The answer: total size (8, big endian), then the stretch. An object that is not held has no answer but an empty one.
#[must_use]
pub fn answer(total: u64, stretch: &[u8]) -> Bytes {
    [&total.to_be_bytes()[..], stretch].concat().into()
}

/// A copy on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Object.
    pub object: B256,
    sizes: BTreeSet<u64>,
    bytes: Vec<u8>,
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// Ask for the stretch from here.
    More(u64),
    /// As many bytes as the object has; their digest is still to be checked.
    Whole(Vec<u8>),
    /// The member holds no such object.
    Absent,
    /// As large as nobody says that it is.
    OtherSize,
    /// Not the object: said in one line.
    Wrong(&'static str),
}

impl Incoming {
    /// Nothing yet of an object of one of these sizes, as manifests say.
    #[must_use]
    pub fn new(object: B256, sizes: BTreeSet<u64>) -> Self {
        Self { object, sizes, bytes: Vec::new() }
    }

    /// Takes the next stretch. Every one but the last is as long as may be: who sends less makes the asker ask forever.
    pub fn take(&mut self, answer: &[u8]) -> Arrived {
        if answer.is_empty() {
            return Arrived::Absent;
        }
        let Some((total, stretch)) = answer.split_at_checked(8) else {
            return Arrived::Wrong("it is no stretch of an object");
        };
        let total = <[u8; 8]>::try_from(total).map_or(u64::MAX, u64::from_be_bytes);
        if !self.sizes.contains(&total) || total > super::OBJECT_BYTES_MAX as u64 {
            return Arrived::OtherSize;
        }
        // Every stretch is of the object that the first one was of.
        self.sizes = [total].into();
        let left = total.saturating_sub(self.bytes.len() as u64);
        if stretch.len() as u64 != left.min(STRETCH_BYTES_MAX as u64) {
            return Arrived::Wrong("a stretch of it is shorter or longer than asked for");
        }
        self.bytes.extend_from_slice(stretch);
        let have = self.bytes.len() as u64;
        if have < total { Arrived::More(have) } else { Arrived::Whole(std::mem::take(&mut self.bytes)) }
    }
}

#[cfg(test)]
mod tests;
