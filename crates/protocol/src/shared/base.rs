//! Chains whose beginning was pruned: what is known of it, taken out of a chain and put into a new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchfire_transparency::Frontier;
use watchfire_types::{Body, ChainBase, Epoch, Event, MemberKey, Seq, Verified};

use super::chain::{AuthorChain, Below, FIRST, Position};

impl AuthorChain {
    /// A chain of which nothing is held yet and that goes on from `base`; `None` when the base is no state of a chain.
    pub(crate) fn begin(base: ChainBase) -> Option<Self> {
        if base.next == FIRST {
            return None;
        }
        let tree = Frontier::from_parts(base.leaves, base.subtrees.clone())?;
        let below = Below {
            next: base.next,
            head: Some(base.head),
            clock: Some(base.clock),
            slipped: base.slipped,
            accumulated: (base.digest, base.digested),
            tree,
            checkpoint: None,
        };
        let mut chain = Self::default();
        chain.kept.push(below.clone());
        chain.below = below;
        chain.base = Some(Box::new(base));
        Some(chain)
    }

    /// Goes back to the last kept state at or before `cut`: to the very beginning where there is none, without a base then.
    pub(super) fn restart(&mut self, cut: Seq) {
        if self.base.as_ref().is_some_and(|base| cut < base.next) {
            self.base = None;
        }
        self.kept.truncate(self.kept.partition_point(|below| below.next <= cut));
        self.below = self.kept.last().cloned().unwrap_or_default();
        if self.below.checkpoint.is_none() && self.base.is_some() {
            let before = self.positions.range(..self.below.next).rev().filter_map(|(_, at)| at.first()?.as_loose());
            let last = before.filter(|event| matches!(event.body, Body::Checkpoint(_))).map(Arc::clone).next();
            self.below.checkpoint = last;
        }
    }

    /// The event kept at a position before the base. It counts as it did when the chain was folded up to there.
    pub(super) fn kept_at(&mut self, seq: Seq) -> Vec<Arc<Verified<Event>>> {
        let event = self.positions.get(&seq).and_then(|at| at.first()).and_then(Position::as_loose).cloned();
        if let Some(event) = event.as_ref().filter(|event| matches!(event.body, Body::Checkpoint(_))) {
            let newer = self.below.checkpoint.as_ref().is_none_or(|known| known.seq < event.seq);
            if newer {
                self.below.checkpoint = Some(Arc::clone(event));
            }
        }
        event.into_iter().collect()
    }

    /// Position from which the chain is held without gaps, if what stands before was pruned.
    pub(crate) fn base(&self) -> Option<Seq> {
        self.base.as_ref().map(|base| base.next)
    }

    /// The author's tree there.
    pub(crate) fn base_tree(&self) -> Option<Frontier> {
        let base = self.base.as_deref()?;
        Frontier::from_parts(base.leaves, base.subtrees.clone())
    }

    /// What is to be known of everything before `next`, which must not be after what is chained nor before the base. `None` for a chain that
    /// is cut or accused by a claim that is not judged yet: of such a one nothing is pruned.
    pub(crate) fn base_at(&self, author: MemberKey, epoch: Epoch, next: Seq) -> Option<ChainBase> {
        if self.cut.is_some() || !self.claims.is_empty() || next <= FIRST || next > self.below.next {
            return None;
        }
        let mut folded = Self::default();
        match &self.base {
            Some(base) if next < base.next => return None,
            Some(base) => folded = Self::begin(ChainBase::clone(base))?,
            None => {}
        }
        for event in self.chained().take_while(|event| event.seq < next) {
            folded.note(Position::loose(event));
        }
        let (last, head) = folded.head()?;
        if last.next() != next {
            return None;
        }
        let Below { clock, slipped, accumulated: (digest, digested), tree, .. } = folded.below;
        Some(ChainBase {
            author,
            epoch,
            next,
            head,
            clock: clock?,
            slipped,
            digest,
            digested,
            leaves: tree.size(),
            subtrees: tree.subtrees().to_vec(),
        })
    }

    /// Positions before `next` that a base there cannot stand for: the first event, the last one before, and the last checkpoint.
    pub(crate) fn anchors(&self, next: Seq) -> BTreeSet<Seq> {
        let before = self.held().rev().filter(|event| event.seq < next);
        let checkpoint = before.filter(|event| matches!(event.body, Body::Checkpoint(_))).map(|event| event.seq).next();
        let last = next.get().checked_sub(1).map(Seq::new);
        [Some(FIRST), last, checkpoint].into_iter().flatten().collect()
    }
}
