//! One (author, epoch): its events by position, and the cut where its author contradicted itself.
//!
//! The cut is the lowest position over all contradicting pairs seen, loose or embedded. Below it every position has one event; at it up to
//! two are remembered, with different predecessors, so that whichever event the position before turns out to hold, one of them convicts;
//! above it nothing is. That makes the cut a function of the set of events, whatever their order.
//!
//! A checkpoint that is not of the events below it, and one from outside the log that the events up to its size contradict, lower the cut
//! as well: each is judged by the events below the position where it would cut, so that a lower cut found earlier or later changes nothing.
//!
//! A chain whose beginning was pruned starts from a [`ChainBase`]: what folding that beginning had led to. What is kept from before it
//! counts as it did. A cut that falls below takes the base away, and the beginning is wanted again from whoever holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_transparency::{Frontier, Hash};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Body, ChainBase, Event, EventHash, Seq, Timestamp, Unverified, Verified, sha256};

use super::in_digest;
use crate::probe::{self, Look};

/// Position of `Started`.
pub(crate) const FIRST: Seq = Seq::new(0);

/// Most positions remembered at the cut.
const AT_CUT_MAX: usize = 2;

/// Leaves between two kept trees.
const KEPT_EVERY: u64 = 1_024;

/// One event at one position.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    hash: EventHash,
    prev: EventHash,
    seq: Seq,
    source: Source,
    /// As a leaf of the author's tree, once it was one: a chain that is walked again hashes no event again.
    leaf: Option<Hash>,
}

/// How it came here. Only loose events are members of the set.
#[derive(Debug, Clone)]
enum Source {
    Loose(Arc<Verified<Event>>),
    Embedded(Arc<Unverified>),
}

impl Position {
    pub(crate) fn loose(event: &Arc<Verified<Event>>) -> Self {
        let source = Source::Loose(Arc::clone(event));
        Self { hash: event.hash(), prev: event.prev, seq: event.seq, source, leaf: None }
    }

    pub(crate) fn embedded(event: &Unverified) -> Self {
        let inner = event.event();
        let source = Source::Embedded(Arc::new(event.clone()));
        Self { hash: event.hash(), prev: inner.prev, seq: inner.seq, source, leaf: None }
    }

    pub(super) fn as_loose(&self) -> Option<&Arc<Verified<Event>>> {
        match &self.source {
            Source::Loose(event) => Some(event),
            Source::Embedded(_) => None,
        }
    }

    fn evidence(&self) -> Unverified {
        match &self.source {
            Source::Loose(event) => event.to_unverified(),
            Source::Embedded(event) => Unverified::clone(event),
        }
    }
}

/// What noting a position did.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// Whether it is new and below the cut.
    pub(crate) taken: bool,
    /// Events below the cut that are chained to the beginning only now, in order.
    pub(crate) chained: Vec<Arc<Verified<Event>>>,
}

/// What is known of the events below a position, once they are chained to the beginning.
#[derive(Debug, Clone)]
pub(super) struct Below {
    /// First position not among them.
    pub(super) next: Seq,
    pub(super) head: Option<EventHash>,
    /// Author's clock at the last of them.
    pub(super) clock: Option<Timestamp>,
    /// Whether it stood still or fell from one of them to the following one.
    ///
    /// An author's time rises by at least a millisecond an event. One whose time does not breaks that rule for all to see, and it is told; but its
    /// events are taken like any other. To refuse one at the door would make the set depend on the order of arrival (a decision body
    /// comes before its predecessor, and cannot be compared yet), so that two honest nodes would never agree again; and to let the
    /// chain end there, as at a fork, would take votes away from an author whose clock is merely broken. Nothing is gained by it: a lower time
    /// only lowers the author's own quota, and nothing else counts by time.
    pub(super) slipped: bool,
    /// SHA-256 chain over the digested ones, and how many.
    pub(super) accumulated: ([u8; 32], u64),
    /// The author's tree over them.
    pub(super) tree: Frontier,
    /// The last checkpoint among them.
    pub(super) checkpoint: Option<Arc<Verified<Event>>>,
}

impl Default for Below {
    fn default() -> Self {
        Self {
            next: FIRST,
            head: None,
            clock: None,
            slipped: false,
            accumulated: ([0; 32], 0),
            tree: Frontier::new(),
            checkpoint: None,
        }
    }
}

/// One hash chain of one author.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuthorChain {
    pub(super) positions: BTreeMap<Seq, Vec<Position>>,
    pub(super) cut: Option<Seq>,
    proof: Option<Box<(Unverified, Unverified)>>,
    /// The events that are chained to the beginning without a gap.
    pub(super) below: Below,
    /// The same at the base, if there is one, and at every [`KEPT_EVERY`]th leaf, so that neither a question about an earlier size nor a cut that falls costs much.
    pub(super) kept: Vec<Below>,
    /// Positions from `below.next` on and below the cut with a loose event: what waits for a predecessor.
    pub(super) waiting: usize,
    /// Loose events that a cut or the author's quota took and that nobody collected yet.
    pub(super) dropped: Vec<Arc<Verified<Event>>>,
    /// Roots that the author signed outside its log, by size, as far as the events below `next` did not confirm them. Each came in an event
    /// of a member and was signed by this author, so there are at most as many as events.
    pub(super) claims: BTreeMap<u64, BTreeSet<Hash>>,
    /// Where the chain starts, if not at the first position.
    pub(super) base: Option<Box<ChainBase>>,
}

impl Below {
    /// Moves over the next event; the tree holds it already.
    fn follow(&mut self, event: &Verified<Event>) {
        if in_digest(&event.body) {
            let chained = sha256(&[&self.accumulated.0, event.hash().as_bytes()]);
            self.accumulated = (chained, self.accumulated.1 + 1);
        }
        self.slipped |= self.clock.is_some_and(|before| event.time <= before);
        self.clock = Some(event.time);
        self.head = Some(event.hash());
        self.next = self.next.next();
    }
}

impl AuthorChain {
    pub(crate) fn note(&mut self, position: Position) -> Noted {
        let seq = position.seq;
        if self.cut.is_some_and(|cut| seq > cut) {
            return Noted::default();
        }
        let loose = position.as_loose().is_some();
        let waited = self.has_loose(seq);
        let at = self.positions.entry(seq).or_default();
        if let Some(known) = at.iter_mut().find(|known| known.hash == position.hash) {
            let upgrades = known.as_loose().is_none() && loose;
            if !upgrades {
                return Noted::default();
            }
            *known = position;
            self.waits(seq, waited);
            return if self.cut.is_some_and(|cut| seq >= cut) { Noted::default() } else { self.taken(seq) };
        }
        let conflict = self.conflict(&position).filter(|_| !planted(Mutation::BlindToForks));
        let at = self.positions.entry(seq).or_default();
        if at.iter().all(|known| known.prev != position.prev) && at.len() < AT_CUT_MAX {
            at.push(position);
        }
        self.waits(seq, waited);
        match conflict {
            Some((cut, proof)) if self.cut.is_none_or(|known| cut < known) => {
                self.fall(cut, proof);
                Noted::default()
            }
            _ if self.cut.is_some_and(|cut| seq >= cut) => Noted::default(),
            _ => self.taken(seq),
        }
    }

    fn has_loose(&self, seq: Seq) -> bool {
        self.at(seq).iter().any(|known| known.as_loose().is_some())
    }

    /// Counts a position that came to hold a loose event.
    fn waits(&mut self, seq: Seq, waited: bool) {
        let below = self.cut.is_none_or(|cut| seq < cut);
        if seq >= self.below.next && below && !waited && self.has_loose(seq) {
            self.waiting += 1;
        }
    }

    /// The lowest position that contradicts `new`, with the pair.
    fn conflict(&self, new: &Position) -> Option<(Seq, (Unverified, Unverified))> {
        let seq = new.seq;
        let before = seq.get().checked_sub(1).map(Seq::new).and_then(|before| self.positions.get(&before));
        if let Some(before) = before.and_then(|at| at.iter().find(|known| known.hash != new.prev)) {
            return Some((before.seq, (before.evidence(), new.evidence())));
        }
        if let Some(other) = self.positions.get(&seq).and_then(|at| at.first()) {
            let (a, b) = if other.hash < new.hash { (other, new) } else { (new, other) };
            return Some((seq, (a.evidence(), b.evidence())));
        }
        let after = self.positions.get(&seq.next()).and_then(|at| at.iter().find(|known| known.prev != new.hash));
        after.map(|after| (seq, (new.evidence(), after.evidence())))
    }

    fn taken(&mut self, seq: Seq) -> Noted {
        if seq == FIRST {
            self.drop_beyond_quota();
        }
        if self.base.as_ref().is_some_and(|base| seq < base.next) {
            return Noted { taken: true, chained: self.kept_at(seq) };
        }
        let mut chained = self.advance();
        // What was chained may have lowered the cut.
        let below = |seq: Seq| self.cut.is_none_or(|cut| seq < cut);
        chained.retain(|event| below(event.seq));
        Noted { taken: below(seq), chained }
    }

    fn fall(&mut self, cut: Seq, proof: (Unverified, Unverified)) {
        self.lower(cut);
        self.proof = Some(Box::new(proof));
    }

    /// Lowers the cut; answers whether it was higher. What convicted the author above it is told no more. Costs what it takes away, and a
    /// walk over at most [`KEPT_EVERY`] leaves.
    pub(crate) fn lower(&mut self, cut: Seq) -> bool {
        if self.cut.is_some_and(|known| known <= cut) {
            return false;
        }
        let held = self.positions.range(cut..).filter(|(seq, _)| self.cut.is_none_or(|known| **seq < known));
        self.dropped.extend(held.flat_map(|(_, at)| at).filter_map(Position::as_loose).cloned());
        self.cut = Some(cut);
        self.proof = None;
        drop(self.positions.split_off(&cut.next()));
        if self.below.next > cut {
            self.restart(cut);
        }
        let from = self.positions.range(self.below.next..cut);
        self.waiting = from.filter(|(_, at)| at.iter().any(|known| known.as_loose().is_some())).count();
        self.advance();
        true
    }

    /// Loose events that a cut or the author's quota took since the last call.
    pub(crate) fn take_dropped(&mut self) -> Vec<Arc<Verified<Event>>> {
        std::mem::take(&mut self.dropped)
    }

    /// Takes that the author signed this root of its first `size` events outside its log. Answers whether the cut fell: to the position after
    /// the last of them, once they are all there and have another root.
    pub(crate) fn claim(&mut self, size: u64, root: Hash) -> bool {
        let Some((at, known)) = self.root_at(size) else {
            self.claims.entry(size).or_default().insert(root);
            return false;
        };
        known != root && self.lower(at)
    }

    /// Root of the first `size` events without checkpoints, and the position after the last of them; `None` when they are not all there.
    pub(crate) fn root_at(&self, size: u64) -> Option<(Seq, Hash)> {
        self.tree_at(size).map(|(at, tree)| (at, tree.root()))
    }

    /// The tree of the first `size` events without checkpoints, and the position after the last of them; `None` also where they were
    /// pruned.
    pub(crate) fn tree_at(&self, size: u64) -> Option<(Seq, Frontier)> {
        if size == 0 || size > self.below.tree.size() {
            return None;
        }
        let (mut at, mut tree) = self.kept_before(size)?;
        let mut events = self.positions.range(at..).filter_map(|(_, at)| at.first().and_then(Position::as_loose));
        while tree.size() < size {
            let event = events.next()?;
            if !matches!(event.body, Body::Checkpoint(_)) {
                tree.push(event.outer());
            }
            at = event.seq.next();
        }
        Some((at, tree))
    }

    /// The last kept tree of at most this size, and the position after it; `None` for a size below what was pruned.
    fn kept_before(&self, size: u64) -> Option<(Seq, Frontier)> {
        let after = self.kept.partition_point(|below| below.tree.size() <= size);
        let last = after.checked_sub(1).and_then(|last| self.kept.get(last));
        let last = last.map(|below| (below.next, below.tree.clone()));
        last.or_else(|| self.base.is_none().then(|| (FIRST, Frontier::new())))
    }

    /// The leaves of the tree from this index on, in order; none where the first of them was pruned.
    pub(crate) fn leaves_from(&self, index: u64) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        let (at, tree) = self.kept_before(index).unwrap_or((self.below.next, Frontier::new()));
        let skipped = usize::try_from(index - tree.size()).unwrap_or(usize::MAX);
        let events = self.positions.range(at..self.below.next.max(at)).filter_map(|(_, at)| at.first()?.as_loose());
        events.filter(|event| !matches!(event.body, Body::Checkpoint(_))).skip(skipped)
    }

    /// The checkpoint at the cut that the events below it contradict, if that is why it is there.
    pub(crate) fn false_checkpoint(&self) -> Option<&Arc<Verified<Event>>> {
        let Below { next, head, tree, .. } = &self.below;
        let at = self.cut.filter(|cut| cut == next).and_then(|cut| self.positions.get(&cut))?;
        at.iter().filter_map(Position::as_loose).find(|event| match &event.body {
            Body::Checkpoint(stated) => {
                Some(event.prev) == *head && (stated.size, stated.root.0) != (tree.size(), tree.root())
            }
            _ => false,
        })
    }

    /// The last checkpoint that the tree confirms.
    pub(crate) fn checkpoint(&self) -> Option<&Arc<Verified<Event>>> {
        self.below.checkpoint.as_ref()
    }

    /// Moves on over what is now chained, and answers those events.
    fn advance(&mut self) -> Vec<Arc<Verified<Event>>> {
        let mut chained = Vec::new();
        while self.cut.is_none_or(|cut| self.below.next < cut) {
            let at = self.positions.get_mut(&self.below.next).and_then(|at| at.first_mut());
            let Some(position) = at else { break };
            let Some(event) = position.as_loose().map(Arc::clone) else { break };
            probe::count(Look::Walk);
            let below = &mut self.below;
            match &event.body {
                // It covers exactly what stands below it: no honest author says otherwise.
                Body::Checkpoint(stated) if (stated.size, stated.root.0) != (below.tree.size(), below.tree.root()) => {
                    let cut = below.next;
                    self.lower(cut);
                    break;
                }
                Body::Checkpoint(_) => below.checkpoint = Some(Arc::clone(&event)),
                _ => {
                    let leaf = position.leaf.get_or_insert_with(|| watchfire_transparency::leaf_hash(event.outer()));
                    below.tree.push_hash(*leaf);
                }
            }
            below.follow(&event);
            self.waiting = self.waiting.saturating_sub(1);
            if !matches!(event.body, Body::Checkpoint(_)) && self.below.tree.size().is_multiple_of(KEPT_EVERY) {
                self.kept.push(self.below.clone());
            }
            chained.push(event);
            let claimed = self.claims.remove(&self.below.tree.size());
            if claimed.is_some_and(|roots| roots.iter().any(|root| *root != self.below.tree.root())) {
                self.lower(self.below.next);
                break;
            }
        }
        chained
    }

    /// Loose events below the cut, in order.
    pub(crate) fn held(&self) -> impl DoubleEndedIterator<Item = &Arc<Verified<Event>>> {
        let below = self.positions.iter().filter(|(seq, _)| self.cut.is_none_or(|cut| **seq < cut));
        below.flat_map(|(_, at)| at).filter_map(Position::as_loose)
    }

    /// Those of [`Self::held`] that are chained to the beginning, from the base on where there is one.
    pub(crate) fn chained(&self) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        let first = self.base.as_ref().map_or(FIRST, |base| base.next);
        self.held().filter(move |event| event.seq >= first).take_while(|event| event.seq < self.below.next)
    }

    /// The author's tree over what is chained.
    pub(crate) fn tree(&self) -> &Frontier {
        &self.below.tree
    }

    /// Whether this root was claimed and nothing confirms it yet.
    pub(crate) fn claims(&self, size: u64, root: &Hash) -> bool {
        self.claims.get(&size).is_some_and(|roots| roots.contains(root))
    }

    /// Whether this event is held, or remembered at the cut.
    pub(crate) fn holds(&self, seq: Seq, hash: EventHash) -> bool {
        self.at(seq).iter().any(|known| known.hash == hash && known.as_loose().is_some())
    }

    /// Whether this event's signature was checked, loose or embedded.
    pub(crate) fn knows(&self, seq: Seq, hash: EventHash) -> bool {
        self.at(seq).iter().any(|known| known.hash == hash)
    }

    fn at(&self, seq: Seq) -> &[Position] {
        self.positions.get(&seq).map_or(&[], Vec::as_slice)
    }

    /// Whether an event at or above the cut would make it fall further.
    pub(crate) fn would_fall(&self, event: &Arc<Verified<Event>>) -> bool {
        let new = Position::loose(event);
        let fresh = self.cut.is_none_or(|cut| new.seq <= cut) && !self.knows(new.seq, new.hash);
        fresh && self.conflict(&new).is_some_and(|(at, _)| self.cut.is_none_or(|cut| at < cut))
    }

    pub(crate) fn cut(&self) -> Option<Seq> {
        self.cut
    }

    pub(crate) fn proof(&self) -> Option<&(Unverified, Unverified)> {
        self.proof.as_deref()
    }

    pub(crate) fn next(&self) -> Seq {
        self.below.next
    }

    pub(crate) fn head(&self) -> Option<(Seq, EventHash)> {
        Some((Seq::new(self.below.next.get().checked_sub(1)?), self.below.head?))
    }

    /// The last loose event below the cut.
    pub(crate) fn last(&self) -> Option<&Arc<Verified<Event>>> {
        self.held().next_back()
    }

    /// Events that wait for a predecessor.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The first event of the epoch.
    pub(crate) fn first(&self) -> Option<&Arc<Verified<Event>>> {
        self.at(FIRST).first().and_then(Position::as_loose)
    }

    /// Author's clock at the first event of the epoch.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.first().map(|event| event.time)
    }

    /// Whether the author's clock did not rise from one chained event to the next.
    pub(crate) fn slipped(&self) -> bool {
        self.below.slipped
    }

    /// What the state digest holds of this chain: the cut and the digested events below it. `None` when that is nothing.
    pub(crate) fn digest_part(&self) -> Option<[u8; 32]> {
        let all = planted(Mutation::DigestsTheCut);
        let waiting = self.positions.range(self.below.next..);
        let waiting = waiting.filter(|(seq, _)| all || self.cut.is_none_or(|cut| **seq < cut));
        let waiting = waiting.flat_map(|(_, at)| at).filter_map(Position::as_loose);
        let waiting: Vec<EventHash> =
            waiting.filter(|event| in_digest(&event.body)).map(|event| event.hash()).collect();
        if self.below.accumulated.1 == 0 && waiting.is_empty() && self.cut.is_none() {
            return None;
        }
        let (accumulated, count) = self.below.accumulated;
        let (count, cut) = (count.to_be_bytes(), self.cut.map_or(u64::MAX, Seq::get).to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![&accumulated, &count, &cut];
        parts.extend(waiting.iter().map(|event| event.as_bytes().as_slice()));
        Some(sha256(&parts))
    }
}
