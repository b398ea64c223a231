//! The machine: shared state, own view, and the five verbs on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use watchfire_charter::{Charter, Member};
use watchfire_types::input::Input;
use watchfire_types::{
    AssetId, B256, BlockRef, Body, ChainBase, Epoch, Event, EventHash, MemberId, MemberKey, NetworkId, OrganisationId,
    Seq, Timestamp, Verified,
};

use crate::draft::{Owed, Step};
use crate::effect::Hashes;
use crate::judged::Judgements;
use crate::owed::effects::OwedEffect;
use crate::rejection::Rejection;
use crate::settle::Settled;
use crate::shared::chain::AuthorChain;
use crate::shared::{ChainKey, Shared};
use crate::view::View;

/// The charter has no member of this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("charter has no member {member}; `watchfire init` prints the entry to add")]
pub struct UnknownMember {
    /// Name.
    pub member: MemberId,
}

/// Who this node is.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) member: MemberId,
    pub(crate) entry: Member,
    pub(crate) epoch: Epoch,
}

impl Own {
    pub(crate) fn key(&self) -> MemberKey {
        self.entry.node_key
    }

    pub(crate) fn organisation(&self) -> &OrganisationId {
        &self.entry.organisation
    }
}

/// One node's protocol state.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) charter: Arc<Charter>,
    pub(crate) network: NetworkId,
    pub(crate) own: Own,
    pub(crate) shared: Shared,
    pub(crate) view: View,
    /// What follows from the two, once asked for; empty after every change.
    pub(crate) judgements: OnceLock<Judgements>,
    /// Every transaction owed, which rests on those; empty after every change.
    owing: OnceLock<Vec<OwedEffect>>,
    /// Digest of the shared state, once asked for; empty after every event.
    digest: OnceLock<B256>,
    revision: u64,
    /// How [`crate::settle`] last ended.
    pub(crate) settled: Option<Settled>,
    pub(crate) hashes: Hashes,
}

impl Machine {
    /// A machine with an empty log and an empty view.
    ///
    /// # Errors
    /// [`UnknownMember`] when the charter has no such member.
    pub fn new(
        charter: Arc<Charter>,
        network: NetworkId,
        member: MemberId,
        epoch: Epoch,
    ) -> Result<Self, UnknownMember> {
        let Some(entry) = charter.members.get(&member).cloned() else {
            return Err(UnknownMember { member });
        };
        let shared = Shared::new(Arc::clone(&charter), network);
        let view = View::new(&charter);
        let own = Own { member, entry, epoch };
        let (judgements, owing, digest) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let hashes = Hashes::default();
        Ok(Self { charter, network, own, shared, view, judgements, owing, digest, revision: 0, settled: None, hashes })
    }

    /// Feeds the clock and the own view. Called with every input, before [`Machine::decide`]; changes nothing shared.
    pub fn observe(&mut self, now: Timestamp, input: &Input) {
        if crate::view::observe(self, now, input) {
            self.forget();
        }
    }

    /// State or view changed: what followed from them is worked out anew.
    pub(crate) fn forget(&mut self) {
        self.revision += 1;
        self.judgements.take();
        self.owing.take();
    }

    /// Rises whenever what is owed may have become another, but for what time alone does: that [`Owed::until`] tells, and [`Input::Tick`] to the
    /// view.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Every Safe transaction owed now: worked out once between two changes, however often it is asked.
    pub(crate) fn owing(&self) -> &[OwedEffect] {
        self.owing.get_or_init(|| crate::owed::effects::owed(self))
    }

    /// What the input itself leads to: for a received event, whether to append and apply it; for a human's act or a report of the
    /// submitter, the events it authors.
    ///
    /// # Errors
    /// [`Rejection`], whose verdict says what it means for the sender.
    pub fn decide(&self, now: Timestamp, input: &Input) -> Result<Step, Rejection> {
        crate::decide::decide(self, now, input)
    }

    /// Lets chains go on from where their beginning was pruned. Call it before the first event is applied.
    ///
    /// # Errors
    /// The (author, epoch) of a base that is no state of a chain.
    pub fn begin(&mut self, bases: &[ChainBase]) -> Result<(), (MemberKey, Epoch)> {
        self.shared.begin(bases)?;
        self.digest.take();
        self.forget();
        Ok(())
    }

    /// Folds one appended event into the shared state: total, live and on replay, own and others' alike.
    pub fn apply(&mut self, event: &Verified<Event>) {
        let seen = self.view.clock;
        let key = (event.author, event.epoch);
        if !self.shared.chains.contains_key(&key) && key != (self.own.key(), self.own.epoch) {
            let named = self.names(&key);
            self.view.admissions.took(seen, event.author, named);
        }
        self.shared.apply(event, seen);
        self.digest.take();
        if seen > Timestamp::from_millis(0) {
            let epochs = &self.shared.epochs;
            self.view.lives.said(event.author, event.epoch, seen, |epoch| epochs.over(&(event.author, *epoch)));
        }
        self.forget();
    }

    /// Notes the epoch that a member's newest heartbeat names, whose signature the caller checked: a claim that only lets this epoch in
    /// sooner.
    pub fn beats(&mut self, now: Timestamp, author: MemberKey, epoch: Epoch) {
        self.view.admissions.beats(author, epoch);
        self.lives(now, author, epoch);
    }

    /// Notes that an epoch sends heartbeats still, whose signatures the caller checked and which rise by its author's clock.
    pub fn lives(&mut self, now: Timestamp, author: MemberKey, epoch: Epoch) {
        if author == self.own.key() && epoch != self.own.epoch {
            self.view.lives.beat(author, self.own.epoch, now);
        }
        if self.view.lives.beat(author, epoch, now) {
            self.forget();
        }
    }

    /// Whether its author says that this epoch is its own: by its newest heartbeat, or by the `Started` of a held epoch.
    pub(crate) fn names(&self, key: &ChainKey) -> bool {
        self.view.admissions.runs(&key.0, &key.1) || self.shared.epochs.names(key)
    }

    /// The author's clock at the `Started` of an epoch, if that is held.
    #[must_use]
    pub fn started(&self, author: MemberKey, epoch: Epoch) -> Option<Timestamp> {
        self.shared.chains.get(&(author, epoch))?.started()
    }

    /// Whether one epoch of an author began knowing another: its `Started` names it.
    #[must_use]
    pub fn follows(&self, author: MemberKey, later: Epoch, earlier: Epoch) -> bool {
        let chain = self.shared.chains.get(&(author, later));
        let first = chain.and_then(AuthorChain::first).map(|event| &event.body);
        matches!(first, Some(Body::Started(started)) if started.earlier.iter().any(|head| head.epoch == earlier))
    }

    /// Where an author contradicted itself in this epoch, if it did.
    #[must_use]
    pub fn cut(&self, author: MemberKey, epoch: Epoch) -> Option<Seq> {
        self.shared.known(&(author, epoch))?.cut()
    }

    /// From where on an (author, epoch) is held without gaps, if what stands before was pruned.
    #[must_use]
    pub fn base(&self, author: MemberKey, epoch: Epoch) -> Option<Seq> {
        self.shared.chains.get(&(author, epoch))?.base()
    }

    /// What has to be known of everything before `next` to go on without it, and the positions before it that must be kept all the same. `None`
    /// for a chain of which nothing may be pruned: it is cut, or accused by a checkpoint that is not judged yet, or not held up to there.
    #[must_use]
    pub fn base_at(&self, author: MemberKey, epoch: Epoch, next: Seq) -> Option<(ChainBase, BTreeSet<Seq>)> {
        let chain = self.shared.chains.get(&(author, epoch))?;
        Some((chain.base_at(author, epoch, next)?, chain.anchors(next)))
    }

    /// Everything this node still has to do. Pure: call it after every change, and again after applying its drafts.
    #[must_use]
    pub fn owed(&self, now: Timestamp) -> Owed {
        crate::owed::owed(self, now)
    }

    /// When to tick next though nothing arrives: a submitter's turn, or a preflight that never answered.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Timestamp> {
        crate::owed::next_timeout(self)
    }

    /// Digest of the shared state: equal for equal event sets. Linear in authors and epochs, once between two events.
    #[must_use]
    pub fn state_digest(&self) -> B256 {
        *self.digest.get_or_init(|| self.shared.digest())
    }

    /// Where the windows of each asset's detectors start at the earliest: the block of its last executed recovery.
    #[must_use]
    pub fn window_floors(&self) -> BTreeMap<AssetId, BlockRef> {
        crate::authority::window_floors(self)
    }

    /// Last chained event of every (author, epoch) held: what catch-up compares. Events that wait for a predecessor are not in it.
    #[must_use]
    pub fn heads(&self) -> BTreeMap<(MemberKey, Epoch), (Seq, EventHash)> {
        self.shared.heads()
    }

    /// The same of one (author, epoch).
    #[must_use]
    pub fn head_of(&self, author: MemberKey, epoch: Epoch) -> Option<(Seq, EventHash)> {
        self.shared.head_of(&(author, epoch))
    }

    /// Whether this event is held.
    #[must_use]
    pub fn holds(&self, author: MemberKey, epoch: Epoch, seq: Seq, hash: EventHash) -> bool {
        self.shared.holds(author, epoch, seq, hash)
    }

    /// The charter this machine votes and signs under.
    #[must_use]
    pub fn charter(&self) -> &Arc<Charter> {
        &self.charter
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// This node's member name.
    #[must_use]
    pub fn member(&self) -> &MemberId {
        &self.own.member
    }

    /// This process's epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.own.epoch
    }
}
