//! Questions of people: records by any of their keys together.

use std::collections::BTreeSet;

use watchfire_types::{Epoch, MemberKey, Seq, Timestamp};

use super::keys::{Indexer, RecordKeys, TermKind};
use super::store::{IndexStore, IndexedRecord};
use crate::error::JournalError;
use crate::position::{Page, Position};

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
    /// Records given at most.
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

/// A range of times so long, three days, is worth reading whole: a longer one may hold most of the log.
const SHORT_MS: u64 = 3 * 24 * 3_600 * 1_000;

/// Positions that are compared with the records before further ones are asked for: at most half a megabyte of them.
pub const CANDIDATES: usize = 16_384;

impl Query {
    /// Whether anything is asked of a record: else every record is one that is looked for.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        *self != Self::new(self.limit)
    }

    /// The first `limit` records of `page`, looked through in its direction, that are looked for; in the log's order. `candidates` names
    /// places where they may stand, in the direction of the page it is given; when it names none there are no more.
    ///
    /// # Errors
    /// Those of `candidates` and `read`.
    pub fn select<E>(
        &self,
        mut page: Page,
        indexer: &impl Indexer,
        mut candidates: impl FnMut(Page) -> Result<Vec<Position>, E>,
        read: impl Fn(Position) -> Result<IndexedRecord, E>,
    ) -> Result<Vec<IndexedRecord>, E> {
        let mut found = Vec::new();
        loop {
            let positions = candidates(page)?;
            for position in positions.iter().filter(|position| page.holds(**position)) {
                if found.len() >= self.limit {
                    break;
                }
                let record = read(*position)?;
                if indexer.keys(&record.bytes).is_some_and(|keys| self.takes(&keys)) {
                    found.push(record);
                }
            }
            match positions.last() {
                Some(last) if found.len() < self.limit && page.holds(*last) => page = page.from(*last),
                _ => break,
            }
        }
        found.sort_by_key(|record| record.position);
        Ok(found)
    }
}

impl IndexStore {
    /// The first records of `page` that `query` looks for, at most its limit, in the order of the log. The narrowest index that applies is
    /// read (author and epoch, incident, block, a short time, kind, author, time), and its records compared whole.
    ///
    /// # Errors
    /// [`JournalError::Index`], or what keeps the journal from being read.
    pub fn query(&self, query: &Query, page: Page, indexer: &impl Indexer) -> Result<Vec<IndexedRecord>, JournalError> {
        query.select(page, indexer, |page| self.candidates(query, page, CANDIDATES), |position| self.at(position))
    }

    /// Where the first records of `page` may stand that `query` looks for: at most `count` positions, in the direction of the page. Whoever
    /// reads the records there compares them; the next ones come from the last of these on. None when there are no more.
    ///
    /// Memory is bounded by `count`. Kinds and incidents are read from the page's begin on, everything else from the begin of its range.
    ///
    /// # Errors
    /// [`JournalError::Index`].
    pub fn candidates(&self, query: &Query, page: Page, count: usize) -> Result<Vec<Position>, JournalError> {
        if let (Some(author), Some(epoch)) = (query.author, query.epoch) {
            let (first, last) = query.seqs.unwrap_or((Seq::new(0), Seq::new(u64::MAX)));
            return nearest(self.by_author(author, epoch, first..=last), page, count);
        }
        if let Some(incident) = &query.incident {
            return first(self.paged(TermKind::Incident, incident, page), count);
        }
        if let Some((first, last)) = query.block_values() {
            return nearest(self.by_term(TermKind::Block, &first..=&last), page, count);
        }
        let short = |(since, until): &(Timestamp, Timestamp)| until.millis_since(*since) <= SHORT_MS;
        let times = query.times.map(|(since, until)| (time(since), time(until)));
        if let Some((since, until)) = times.filter(|_| query.times.as_ref().is_some_and(short)) {
            return nearest(self.by_term(TermKind::Time, &since..=&until), page, count);
        }
        if let Some(kind) = &query.kind {
            return first(self.paged(TermKind::BodyKind, kind, page), count);
        }
        if let Some(author) = query.author {
            return nearest(self.by_author_ever(author), page, count);
        }
        if let Some((since, until)) = times {
            return nearest(self.by_term(TermKind::Time, &since..=&until), page, count);
        }
        nearest(self.hashes().map(|found| found.map(|(_, at)| at)), page, count)
    }
}

/// As many as that.
fn first(
    positions: impl Iterator<Item = Result<Position, JournalError>>,
    count: usize,
) -> Result<Vec<Position>, JournalError> {
    positions.take(count).collect()
}

/// Of positions in any order those that come first in the direction of the page.
fn nearest(
    positions: impl Iterator<Item = Result<Position, JournalError>>,
    page: Page,
    count: usize,
) -> Result<Vec<Position>, JournalError> {
    let mut kept = BTreeSet::new();
    for position in positions {
        let position = position?;
        if !page.holds(position) {
            continue;
        }
        kept.insert(position);
        if kept.len() > count {
            match page {
                Page::After(_) => kept.pop_last(),
                Page::Before(_) => kept.pop_first(),
            };
        }
    }
    let mut kept: Vec<_> = kept.into_iter().collect();
    page.order(&mut kept);
    Ok(kept)
}
