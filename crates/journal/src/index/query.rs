//! Questions of people: records by any of their keys together.

use watchfire_types::{Epoch, MemberKey, Seq, Timestamp};

use super::keys::{Indexer, RecordKeys, TermKind};
use super::store::{IndexStore, IndexedRecord};
use crate::error::JournalError;
use crate::position::Position;

/// What to look for; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Author.
    pub author: Option<MemberKey>,
    /// Epoch.
    pub epoch: Option<Epoch>,
    /// First and last seq.
    pub seqs: Option<(Seq, Seq)>,
    /// Incident id, as indexed.
    pub incident: Option<Vec<u8>>,
    /// Body kind, as indexed.
    pub kind: Option<Vec<u8>>,
    /// Earliest and latest time that the author claims.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Chain, first and last block.
    pub blocks: Option<(u64, u64, u64)>,
    /// Records given at most: the last ones in the log.
    pub limit: usize,
}

impl Query {
    /// Everything, up to `limit` records.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { author: None, epoch: None, seqs: None, incident: None, kind: None, times: None, blocks: None, limit }
    }

    fn block_values(&self) -> Option<([u8; 16], [u8; 16])> {
        let value = |chain: u64, number: u64| ((u128::from(chain) << 64) | u128::from(number)).to_be_bytes();
        self.blocks.map(|(chain, first, last)| (value(chain, first), value(chain, last)))
    }

    /// Whether a record with these keys is one that is looked for.
    #[must_use]
    pub fn takes(&self, keys: &RecordKeys) -> bool {
        let has = |kind: TermKind, from: &[u8], to: &[u8]| {
            keys.terms.iter().any(|term| term.kind == kind && (from..=to).contains(&term.value.as_slice()))
        };
        self.author.is_none_or(|author| author == keys.author)
            && self.epoch.is_none_or(|epoch| epoch == keys.epoch)
            && self.seqs.is_none_or(|(first, last)| (first..=last).contains(&keys.seq))
            && self.incident.as_deref().is_none_or(|incident| has(TermKind::Incident, incident, incident))
            && self.kind.as_deref().is_none_or(|kind| has(TermKind::BodyKind, kind, kind))
            && self.block_values().is_none_or(|(first, last)| has(TermKind::Block, &first, &last))
            && self.times.is_none_or(|(since, until)| has(TermKind::Time, &time(since), &time(until)))
    }
}

fn time(at: Timestamp) -> [u8; 8] {
    at.as_millis().to_be_bytes()
}

impl IndexStore {
    /// The records that `query` looks for, in the order of the log. The narrowest index that applies is read (author and epoch,
    /// incident, block, time, kind), and its records compared whole.
    ///
    /// # Errors
    /// [`JournalError::Index`], or what keeps the journal from being read.
    pub fn query(&self, query: &Query, indexer: &impl Indexer) -> Result<Vec<IndexedRecord>, JournalError> {
        let mut positions = self.candidates(query)?;
        positions.sort_unstable();
        positions.dedup();
        let mut found = Vec::new();
        for position in positions.into_iter().rev() {
            if found.len() >= query.limit {
                break;
            }
            let record = self.at(position)?;
            if indexer.keys(&record.bytes).is_some_and(|keys| query.takes(&keys)) {
                found.push(record);
            }
        }
        found.reverse();
        Ok(found)
    }

    fn candidates(&self, query: &Query) -> Result<Vec<Position>, JournalError> {
        if let (Some(author), Some(epoch)) = (query.author, query.epoch) {
            let (first, last) = query.seqs.unwrap_or((Seq::new(0), Seq::new(u64::MAX)));
            return self.by_author(author, epoch, first..=last).collect();
        }
        if let Some(incident) = &query.incident {
            return self.by_term(TermKind::Incident, incident..=incident).collect();
        }
        if let Some((first, last)) = query.block_values() {
            return self.by_term(TermKind::Block, &first..=&last).collect();
        }
        if let Some((since, until)) = query.times {
            return self.by_term(TermKind::Time, &time(since)..=&time(until)).collect();
        }
        if let Some(kind) = &query.kind {
            return self.by_term(TermKind::BodyKind, kind..=kind).collect();
        }
        self.positions()
    }
}
