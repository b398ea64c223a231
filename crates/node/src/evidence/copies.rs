//! Who copies an object: two other organisations, the same two by everyone's reckoning, the next where one of them stays away.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use watchfire_charter::{Charter, MemberKind};
use watchfire_types::{B256, Bytes, MemberId, OrganisationId};

/// Organisations besides the collector's that should hold each object.
pub const COPIES: usize = 2;
/// After each of these the next in line takes a copy as well, ms.
pub const TURN_MS: u64 = 10_000;
/// Bytes of one stretch of an object on the network.
pub const STRETCH_BYTES_MAX: usize = 512 << 10;

/// Whether this member is to take a copy now: its place among the guardians of organisations that hold none, by SHA-256 of object
/// and member id, is within the copies that are missing, one more for each [`TURN_MS`] that passed.
#[must_use]
pub fn is_due(
    charter: &Charter,
    member: &MemberId,
    object: &B256,
    held: &BTreeSet<OrganisationId>,
    age_ms: u64,
) -> bool {
    let missing = (COPIES + 1).saturating_sub(held.len());
    if missing == 0 {
        return false;
    }
    let mut line: Vec<([u8; 32], &MemberId, &OrganisationId)> = charter
        .members
        .iter()
        .filter(|(_, entry)| entry.kind == MemberKind::Guardian && !held.contains(&entry.organisation))
        .map(|(id, entry)| (rank(object, id), id, &entry.organisation))
        .collect();
    line.sort();
    let mut organisations = BTreeSet::new();
    line.retain(|(_, _, organisation)| organisations.insert((*organisation).clone()));
    let turns = usize::try_from(age_ms / TURN_MS).unwrap_or(usize::MAX);
    line.iter().take(missing.saturating_add(turns)).any(|(_, id, _)| *id == member)
}

fn rank(object: &B256, member: &MemberId) -> [u8; 32] {
    Sha256::new().chain_update(object).chain_update(member.as_str()).finalize().into()
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
    bytes: Vec<u8>,
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// Ask for the stretch from here.
    More(u64),
    /// The whole object, whose digest is right.
    Whole(Vec<u8>),
    /// Not the object: said in one line.
    Wrong(&'static str),
}

impl Incoming {
    /// Nothing yet.
    #[must_use]
    pub fn new(object: B256) -> Self {
        Self { object, bytes: Vec::new() }
    }

    /// Takes the next stretch; the whole must have the object's digest and its announced size the bound of an object.
    pub fn take(&mut self, answer: &[u8]) -> Arrived {
        let Some((total, stretch)) = answer.split_at_checked(8) else {
            return Arrived::Wrong("it holds no such object");
        };
        let total = <[u8; 8]>::try_from(total).map_or(u64::MAX, u64::from_be_bytes);
        if total > super::OBJECT_BYTES_MAX as u64 || (self.bytes.len() + stretch.len()) as u64 > total {
            return Arrived::Wrong("it is larger than an object may be, or than announced");
        }
        self.bytes.extend_from_slice(stretch);
        let have = self.bytes.len() as u64;
        if have < total {
            return if stretch.is_empty() { Arrived::Wrong("it ends early") } else { Arrived::More(have) };
        }
        let bytes = std::mem::take(&mut self.bytes);
        if super::store::digest(&bytes) == self.object {
            Arrived::Whole(bytes)
        } else {
            Arrived::Wrong("its bytes have another digest")
        }
    }
}

#[cfg(test)]
mod tests;
