//! Shared state: a fold over the set of signed events. Equal sets give equal states and digests, whatever the order of arrival.
//!
//! Three parts. *Chains* hold the events and know where each (author, epoch) is cut. *Derived* indexes the events below the cuts: what a cut
//! that falls takes is taken back, and nothing else is touched. *Content* holds certificates and co-signatures by their own digest: they stay
//! whatever happens to the event that carried them.

mod base;
pub(crate) mod chain;
pub(crate) mod changes;
pub(crate) mod content;
pub(crate) mod derived;
pub(crate) mod epochs;
pub(crate) mod fired;
pub(crate) mod pace;
pub(crate) mod promotions;
mod quota;
pub(crate) mod reports;
pub(crate) mod told;
pub(crate) mod voices;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::B256;
use watchfire_charter::Charter;
use watchfire_types::body::{Body, Checkpoint};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{
    ChainBase, Epoch, Event, EventHash, MemberKey, NetworkId, Seq, Timestamp, Unverified, Verified, domain, sha256,
};

use crate::fault::CheckpointClaim;
use crate::probe::{self, Look};
use chain::{AuthorChain, Noted, Position};
use content::Content;
use derived::Derived;
use epochs::Epochs;
use pace::Pace;

/// Most bytes of the two events of a fault proof: an event of at most 60 KiB holds them. Where they are more the two travel by themselves and
/// convict wherever both arrive.
const PROOF_BYTES_MAX: usize = 59 * 1024;

/// An (author, epoch).
pub(crate) type ChainKey = (MemberKey, Epoch);

/// The fold.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    charter: Arc<Charter>,
    network: NetworkId,
    /// Epochs of which an event came by itself.
    pub(crate) chains: BTreeMap<ChainKey, AuthorChain>,
    /// Epochs known only by events inside certificates and fault proofs: the first that comes by itself has to be admitted as new.
    embedded: BTreeMap<ChainKey, AuthorChain>,
    pub(crate) epochs: Epochs,
    /// How fast each author's events came, by this node's clock.
    pub(crate) paces: BTreeMap<MemberKey, Pace>,
    /// Lowest position that a fault proof convicts, by (author, epoch): said once, it is said whatever becomes of who said it.
    pub(crate) proven: BTreeMap<ChainKey, Seq>,
    /// Epochs of which a pair is held that no event taken so far carries.
    untold: BTreeSet<ChainKey>,
    /// Epochs with events that wait for a predecessor.
    gaps: BTreeSet<ChainKey>,
    pub(crate) derived: Derived,
    pub(crate) content: Content,
}

/// Whether a body counts and is forwarded though its predecessors are missing.
pub(crate) fn is_decision(body: &Body) -> bool {
    matches!(
        body,
        Body::Vote(_)
            | Body::Veto(_)
            | Body::Certificate(_)
            | Body::CoSignature(_)
            | Body::FaultProof(_)
            | Body::CheckpointFault(_)
    )
}

/// Whether a body is in the digest. `Started`, `Checkpoint`, `Submitted` and `Attested` are bookkeeping about one node and its
/// deliveries; unknown bodies are left out so that two software versions agree.
pub(crate) fn in_digest(body: &Body) -> bool {
    !matches!(body, Body::Started(_) | Body::Checkpoint(_) | Body::Submitted(_) | Body::Attested(_) | Body::Unknown(..))
}

impl Shared {
    pub(crate) fn new(charter: Arc<Charter>, network: NetworkId) -> Self {
        Self {
            charter,
            network,
            chains: BTreeMap::new(),
            embedded: BTreeMap::new(),
            epochs: Epochs::default(),
            paces: BTreeMap::new(),
            proven: BTreeMap::new(),
            untold: BTreeSet::new(),
            gaps: BTreeSet::new(),
            derived: Derived::default(),
            content: Content::default(),
        }
    }

    /// Lets chains go on from where their beginning was pruned. Before any event is folded.
    pub(crate) fn begin(&mut self, bases: &[ChainBase]) -> Result<(), ChainKey> {
        for base in bases {
            let key = (base.author, base.epoch);
            let chain = AuthorChain::begin(base.clone()).ok_or(key)?;
            self.chains.insert(key, chain);
        }
        Ok(())
    }

    /// Folds one event in. `seen` is this node's clock, kept beside signatures for the submitters' turns and never digested.
    pub(crate) fn apply(&mut self, event: &Verified<Event>, seen: Timestamp) {
        let mut touched = self.take_content(event, seen);
        let held = Arc::new(event.clone());
        self.paces.entry(event.author).or_default().took(seen, event.outer().len());
        let key = (event.author, event.epoch);
        let chain = self.chains.entry(key).or_insert_with(|| self.embedded.remove(&key).unwrap_or_default());
        let Noted { taken, chained } = chain.note(Position::loose(&held));
        touched.insert(key);
        for key in &touched {
            self.settle(key);
        }
        if taken {
            self.epochs.take(event, |key| self.chains.get(key).map_or(chain::FIRST, AuthorChain::next));
            if is_decision(&event.body) {
                self.fold(&held);
            }
        }
        for event in chained.iter().filter(|event| !is_decision(&event.body)) {
            self.fold(event);
        }
    }

    fn fold(&mut self, event: &Arc<Verified<Event>>) {
        probe::count(Look::Fold);
        self.derived.fold(&self.charter, self.network, event);
    }

    /// Takes back what cuts took of an epoch, and notes what is to be said and asked of it.
    fn settle(&mut self, key: &ChainKey) {
        let next = |key: &ChainKey| self.chains.get(key).map_or(chain::FIRST, AuthorChain::next);
        let chain = self.chains.get(key).or_else(|| self.embedded.get(key));
        let Some(cut) = chain.map(AuthorChain::cut) else { return };
        if cut.is_some() {
            let last = chain.and_then(AuthorChain::last).map(|event| (event.seq, event.hash()));
            self.epochs.cut(*key, last, next);
        }
        self.epochs.slip(*key, chain.is_some_and(AuthorChain::slipped));
        let untold = self.proof(key).is_some();
        let lacking = self.chains.get(key).is_some_and(|chain| chain.waiting() > 0);
        if untold {
            self.untold.insert(*key)
        } else {
            self.untold.remove(key)
        };
        if lacking {
            self.gaps.insert(*key)
        } else {
            self.gaps.remove(key)
        };
        let dropped = self.known_mut(*key).take_dropped();
        let fell = !dropped.is_empty();
        for event in dropped {
            probe::count(Look::Fold);
            self.derived.withdraw(&self.charter, self.network, &event);
            let next = |key: &ChainKey| self.chains.get(key).map_or(chain::FIRST, AuthorChain::next);
            self.epochs.withdraw(&event, next);
        }
        if fell && planted(Mutation::DropsWithCarrier) {
            let carried: Vec<_> = self.derived.observed.values().flat_map(|of| of.published.keys()).collect();
            self.content.certificates.retain(|digest, _| carried.contains(&digest));
        }
    }

    /// The pair that convicts an author in an epoch, if it is to be told: none told so far convicts it as low.
    fn proof(&self, key: &ChainKey) -> Option<&(Unverified, Unverified)> {
        let chain = self.known(key)?;
        let (cut, proof) = (chain.cut()?, chain.proof()?);
        let said = self.proven.get(key).is_some_and(|proven| *proven <= cut);
        let fits = proof.0.outer().len() + proof.1.outer().len() <= PROOF_BYTES_MAX;
        (fits && !said).then_some(proof)
    }

    /// Pairs that no event taken so far carries.
    pub(crate) fn untold(&self) -> impl Iterator<Item = &(Unverified, Unverified)> {
        self.untold.iter().inspect(|_| probe::count(Look::Chain)).filter_map(|key| self.proof(key))
    }

    /// Chains with events that wait for a predecessor.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = ChainKey> {
        self.gaps.iter().inspect(|_| probe::count(Look::Chain)).copied()
    }

    /// Takes what is keyed by its own digest, and the positions that embedded events prove. Answers the epochs that these are of.
    fn take_content(&mut self, event: &Verified<Event>, seen: Timestamp) -> BTreeSet<ChainKey> {
        match &event.body {
            Body::Certificate(certificate) => {
                let charter = Arc::clone(&self.charter);
                let checked = crate::certificate::check(&charter, self.network, certificate, |vote| self.genuine(vote));
                let Ok(facts) = checked else { return BTreeSet::new() };
                let digest = crate::certificate::content_digest(certificate, self.network);
                self.content.take_certificate(digest, certificate, facts);
                self.note_embedded(&certificate.votes)
            }
            Body::FaultProof(proof) if crate::fault::is_fault(proof, self.network) => {
                let accused = proof.first.event();
                let seq = self.proven.entry((accused.author, accused.epoch)).or_insert(accused.seq);
                *seq = accused.seq.min(*seq);
                self.note_embedded([&*proof.first, &*proof.second])
            }
            Body::CheckpointFault(fault) => {
                let key = (fault.author, fault.epoch);
                match crate::fault::checkpoint_claim(fault, self.network) {
                    Some(CheckpointClaim::Inconsistent) => drop(self.known_mut(key).lower(chain::FIRST)),
                    Some(CheckpointClaim::Single) => {
                        let Checkpoint { size, root, .. } = fault.checkpoint;
                        self.known_mut(key).claim(size, root.0);
                    }
                    None => return BTreeSet::new(),
                }
                BTreeSet::from([key])
            }
            Body::CoSignature(signature) => {
                self.content.take_signature(&self.charter, event.hash(), signature, seen);
                BTreeSet::new()
            }
            _ => BTreeSet::new(),
        }
    }

    fn note_embedded<'a>(&mut self, events: impl IntoIterator<Item = &'a Unverified>) -> BTreeSet<ChainKey> {
        let keys = events.into_iter().map(|event| {
            let key = (event.event().author, event.event().epoch);
            self.known_mut(key).note(Position::embedded(event));
            key
        });
        keys.collect()
    }

    fn known_mut(&mut self, key: ChainKey) -> &mut AuthorChain {
        match self.chains.get_mut(&key) {
            Some(chain) => chain,
            None => self.embedded.entry(key).or_default(),
        }
    }

    /// Whether this very event's signature was checked before.
    pub(crate) fn genuine(&self, event: &Unverified) -> bool {
        let inner = event.event();
        self.known(&(inner.author, inner.epoch)).is_some_and(|chain| chain.knows(inner.seq, event.hash()))
    }

    /// An (author, epoch) of which anything is known, from events by themselves or inside others.
    pub(crate) fn known(&self, key: &ChainKey) -> Option<&AuthorChain> {
        self.chains.get(key).or_else(|| self.embedded.get(key))
    }

    /// Everything that [`Self::known`] answers, those of which an event came by itself first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ChainKey, &AuthorChain)> {
        self.chains.iter().chain(&self.embedded)
    }

    pub(crate) fn heads(&self) -> BTreeMap<ChainKey, (Seq, EventHash)> {
        self.chains.iter().filter_map(|(key, chain)| Some((*key, chain.head()?))).collect()
    }

    pub(crate) fn head_of(&self, key: &ChainKey) -> Option<(Seq, EventHash)> {
        self.chains.get(key)?.head()
    }

    pub(crate) fn holds(&self, author: MemberKey, epoch: Epoch, seq: Seq, hash: EventHash) -> bool {
        self.chains.get(&(author, epoch)).is_some_and(|chain| chain.holds(seq, hash))
    }

    /// Every event below the cuts, by author, epoch and position.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        self.chains.values().flat_map(AuthorChain::held)
    }

    pub(crate) fn digest(&self) -> B256 {
        let mut state = [domain::STATE, self.network.as_bytes()].concat();
        let parts: BTreeMap<_, _> = self.all().filter_map(|(key, chain)| Some((key, chain.digest_part()?))).collect();
        for ((author, epoch), part) in parts {
            state.extend(author.as_bytes());
            state.extend(epoch.as_bytes());
            state.extend(part);
        }
        B256::new(sha256(&[&state]))
    }
}
