//! What is known of one object in one incident, by everyone's word.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::EvidenceKind;
use watchfire_types::{AssetId, BlockRef, MemberKey, OrganisationId, Timestamp};

/// What is known of one object in one incident.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Asset.
    pub asset: AssetId,
    /// What it shows.
    pub kind: EvidenceKind,
    /// Of which block.
    pub block: BlockRef,
    /// Organisations that hold it.
    pub organisations: BTreeSet<OrganisationId>,
    /// When this member had it last, if it ever had.
    pub at: Timestamp,
    /// What each collector says of it: nobody's falsehood counts for another one's.
    pub(super) claims: BTreeMap<MemberKey, Claim>,
    /// Whether this member handed it out.
    pub exported: bool,
    /// Who says so.
    pub(super) holders: BTreeMap<MemberKey, OrganisationId>,
    /// Of these, who gave no copy or another one when asked: they do not count, and are asked again.
    pub(super) doubted: BTreeSet<MemberKey>,
    pub(super) disposed: BTreeSet<MemberKey>,
    /// Guardians in the order in which it is theirs to copy, as places in the ledger's list.
    pub(super) line: Vec<u16>,
    pub(super) failures: BTreeMap<MemberKey, u32>,
    pub(super) since: Timestamp,
}

/// What one collector says of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) size: u64,
    /// Within what is copied for this collector.
    pub(super) counted: bool,
}

impl Entry {
    /// Its size, as one of its collectors says.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.claims.values().next().map_or(0, |claim| claim.size)
    }

    pub(super) fn hold(&mut self, member: MemberKey, organisation: &OrganisationId) {
        self.holders.insert(member, organisation.clone());
        self.disposed.remove(&member);
        self.recount();
    }

    pub(super) fn recount(&mut self) {
        let counted = self.holders.iter().filter(|(member, _)| !self.doubted.contains(*member));
        self.organisations = counted.map(|(_, organisation)| organisation.clone()).collect();
    }
}
