//! Certificates and co-signatures, keyed by their own digest: taken whenever they arrive, and never lost with the event that carried them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::{Address, B256, Signature, U256};
use thiserror::Error;
use watchfire_charter::{Charter, PlaybookPurpose};
use watchfire_types::body::{Authority, Certificate, CoSignature, Decision, Outcome, Purpose};
use watchfire_types::{BlockRef, BlockTime, ChainId, EventHash, SafeId, SafeTransaction, StepIndex, Timestamp, memory};

use crate::certificate::{Facts, playbook_of};
use crate::effect;
use crate::probe::{self, Look};

/// A valid certificate.
#[derive(Debug, Clone)]
pub(crate) struct HeldCertificate {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) facts: Facts,
}

/// What a Safe transaction does, as its content shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Calls of a step.
    Step { decision: Decision, step: StepIndex, purpose: PlaybookPurpose },
    /// Consumes the nonce.
    Rejection,
}

/// A Safe transaction somebody signed.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) chain: ChainId,
    pub(crate) safe: SafeId,
    pub(crate) transaction: SafeTransaction,
    pub(crate) kind: Kind,
    pub(crate) owners: BTreeMap<Address, HeldSignature>,
}

/// One owner's signature. Of several valid ones the lowest bytes are kept; `seen` is local. The block it says it was given at is in no
/// Safe signature, whoever carries it may claim any: nothing is decided by it.
#[derive(Debug, Clone)]
pub(crate) struct HeldSignature {
    pub(crate) bytes: [u8; 65],
    pub(crate) seen: Timestamp,
}

/// Certificates of one decision, by what is asked of them. None is ever dropped, for a reorg or a view that begins anew may lead back to its
/// time: one that is over costs nothing because nothing asks for its time.
#[derive(Debug, Clone, Default)]
struct OfDecision {
    all: BTreeSet<B256>,
    /// For a step, by the time of the newest evidence.
    steps: BTreeMap<StepIndex, BTreeSet<(BlockTime, B256)>>,
    /// The cancel certificate that reaches furthest: whatever another one stops, it stops too.
    cancel: Option<(BlockRef, B256)>,
    closed: BTreeSet<BlockTime>,
    /// What the closes say that it was.
    outcomes: BTreeSet<(BlockTime, Outcome)>,
}

/// Everything keyed by content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) certificates: BTreeMap<B256, HeldCertificate>,
    by_decision: BTreeMap<Decision, OfDecision>,
    pub(crate) signed: BTreeMap<B256, Signed>,
    pub(crate) by_nonce: BTreeMap<(SafeId, U256), BTreeSet<B256>>,
    /// Whether any close says that it was a false alarm: most logs hold none, and nothing more is asked of them.
    pub(crate) false_alarms: bool,
    /// What the newest received co-signature came to, by the event that carries it: the door asks first, then the fold.
    received: Option<(EventHash, Result<Judged, SignatureFault>)>,
}

/// Why a co-signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureFault {
    /// Names another charter version.
    #[error("it names another charter version")]
    Version,
    /// The transaction is not what its authority makes of it.
    #[error("the transaction is not what its authority makes: {0}")]
    Foreign(&'static str),
    /// No signature over it: high s, a foreign v, or no curve point.
    #[error("no signature over the transaction")]
    Unrecoverable,
    /// Recovers to nobody whom the charter names for the Safe.
    #[error("it recovers to {0}, whom the charter does not name for the safe")]
    NotAnOwner(Address),
}

/// The hash that a co-signature signs, computed from its transaction, and the owner that it recovers to: from its bytes and the
/// charter alone.
///
/// # Errors
/// [`SignatureFault`] names the first term that fails.
pub fn check_co_signature(charter: &Charter, signature: &CoSignature) -> Result<(B256, Address), SignatureFault> {
    judge(charter, signature, recover).map(|judged| (judged.safe_tx_hash, judged.owner))
}

/// A co-signature taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) safe_tx_hash: B256,
    pub(crate) owner: Address,
    safe: SafeId,
    kind: Kind,
}

/// Judges a co-signature from its bytes and the charter alone. `recover` may answer for what it recovered before.
fn judge(
    charter: &Charter,
    signature: &CoSignature,
    recover: impl Fn(B256, &[u8; 65]) -> Option<Address>,
) -> Result<Judged, SignatureFault> {
    if signature.version != charter.version {
        return Err(SignatureFault::Version);
    }
    let (safe_id, safe) = charter
        .safe_at(signature.chain, &signature.safe)
        .ok_or(SignatureFault::Foreign("safe is not in the charter"))?;
    if signature.agreed.chain != signature.chain {
        return Err(SignatureFault::Foreign("agreed at a block of another chain"));
    }
    let CoSignature { authority, omitted, transaction, .. } = signature;
    let (expected, kind) = made(charter, (safe_id, signature.safe), authority, omitted, transaction.nonce)?;
    if expected != *transaction {
        return Err(SignatureFault::Foreign("transaction is not the step's"));
    }
    let safe_tx_hash = signature.transaction.hashes(safe.version, signature.chain.get(), signature.safe).safe_tx_hash;
    let owner = recover(safe_tx_hash, &signature.signature).ok_or(SignatureFault::Unrecoverable)?;
    if !charter.owners_of(safe).contains(&owner) {
        return Err(SignatureFault::NotAnOwner(owner));
    }
    Ok(Judged { safe_tx_hash, owner, safe: safe_id.clone(), kind })
}

/// The only transaction of a Safe, by chain and address, that this authority makes at this nonce without the calls in `omitted`.
///
/// # Errors
/// [`SignatureFault::Foreign`] where it makes none.
pub fn transaction_of(
    charter: &Charter,
    safe: (ChainId, Address),
    authority: &Authority,
    omitted: &BTreeSet<u16>,
    nonce: U256,
) -> Result<SafeTransaction, SignatureFault> {
    let (chain, address) = safe;
    let (id, _) = charter.safe_at(chain, &address).ok_or(SignatureFault::Foreign("safe is not in the charter"))?;
    made(charter, (id, address), authority, omitted, nonce).map(|(transaction, _)| transaction)
}

fn made(
    charter: &Charter,
    (safe, address): (&SafeId, Address),
    authority: &Authority,
    omitted: &BTreeSet<u16>,
    nonce: U256,
) -> Result<(SafeTransaction, Kind), SignatureFault> {
    match authority {
        Authority::Step { decision, step, .. } => {
            let (playbook, _) = playbook_of(charter, decision).map_err(SignatureFault::Foreign)?;
            let rung = playbook.step(*step).ok_or(SignatureFault::Foreign("no such step"))?;
            let transaction = effect::transaction(charter, rung, safe, nonce, omitted)
                .map_err(|_| SignatureFault::Foreign("the step has no such transaction"))?;
            let here = |omitted: &u16| effect::calls(rung, safe).any(|(index, _)| index == *omitted);
            if !omitted.iter().all(here) {
                return Err(SignatureFault::Foreign("transaction is not the step's"));
            }
            Ok((transaction, Kind::Step { decision: decision.clone(), step: *step, purpose: playbook.purpose }))
        }
        Authority::RejectionCancelled { .. }
        | Authority::RejectionBeforeRecovery { .. }
        | Authority::RejectionAfterForeignRecovery { .. } => {
            if !omitted.is_empty() {
                return Err(SignatureFault::Foreign("transaction is not the step's"));
            }
            Ok((SafeTransaction::rejection(address, nonce), Kind::Rejection))
        }
    }
}

/// The owner behind r || s || v over a hash: v 27 or 28, low s (the Safe takes either, so a second form would count nobody twice).
fn recover(hash: B256, bytes: &[u8; 65]) -> Option<Address> {
    if !matches!(bytes[64], 27 | 28) {
        return None;
    }
    probe::count(Look::Recovery);
    memory::owner(&hash.0, bytes, || {
        let signature = Signature::from_raw_array(bytes).ok()?;
        if signature.normalize_s().is_some() {
            return None;
        }
        signature.recover_address_from_prehash(&hash).ok()
    })
}

impl Content {
    pub(crate) fn take_certificate(&mut self, digest: B256, certificate: &Certificate, facts: Facts) {
        let of = self.by_decision.entry(certificate.decision.clone()).or_default();
        if !of.all.insert(digest) {
            return;
        }
        match certificate.purpose {
            Purpose::Step(step) => drop(of.steps.entry(step).or_default().insert((facts.latest, digest))),
            Purpose::Cancel => {
                let reach = |(cut, digest): &(BlockRef, B256)| (cut.number, cut.time, *digest);
                let new = (facts.earliest, digest);
                of.cancel = of.cancel.filter(|known| reach(known) > reach(&new)).or(Some(new));
            }
            Purpose::Close(at) => {
                of.closed.insert(at);
                self.false_alarms |= facts.outcome == Some(Outcome::False);
                of.outcomes.extend(facts.outcome.map(|outcome| (at, outcome)));
            }
        }
        self.certificates.insert(digest, HeldCertificate { certificate: Arc::new(certificate.clone()), facts });
    }

    /// Certificates of one decision with their digests: for showing.
    pub(crate) fn certificates_of(&self, decision: &Decision) -> impl Iterator<Item = (&B256, &HeldCertificate)> {
        let digests = self.by_decision.get(decision).into_iter().flat_map(|of| &of.all);
        digests.filter_map(|digest| self.look(digest))
    }

    /// Certificates of one step whose newest evidence is not older than this, that one first.
    pub(crate) fn of_step(
        &self,
        decision: &Decision,
        step: StepIndex,
        oldest: BlockTime,
    ) -> impl Iterator<Item = (&B256, &HeldCertificate)> {
        let of_step = self.by_decision.get(decision).and_then(|of| of.steps.get(&step));
        let young = of_step.into_iter().flat_map(move |of| of.range((oldest, B256::ZERO)..));
        young.filter_map(|(_, digest)| self.look(digest))
    }

    /// The cancel certificate of a decision that reaches furthest: evidence at or before its block is cancelled.
    pub(crate) fn cancel(&self, decision: &Decision) -> Option<(BlockRef, B256)> {
        self.by_decision.get(decision)?.cancel
    }

    /// Every `closed_at` that is certified for a decision.
    pub(crate) fn closed(&self, decision: &Decision) -> impl Iterator<Item = BlockTime> {
        self.by_decision.get(decision).into_iter().flat_map(|of| of.closed.iter().copied())
    }

    /// The block that a decision's certified close at this time names first.
    pub(crate) fn closing(&self, decision: &Decision, at: BlockTime) -> Option<BlockRef> {
        let mut held = self.certificates_of(decision);
        held.find(|(_, held)| held.certificate.purpose == Purpose::Close(at)).map(|(_, held)| held.facts.earliest)
    }

    /// Whether a close at this time with this outcome is certified.
    pub(crate) fn says(&self, decision: &Decision, at: BlockTime, outcome: Outcome) -> bool {
        self.by_decision.get(decision).is_some_and(|of| of.outcomes.contains(&(at, outcome)))
    }

    /// Whether a close at this time is certified.
    pub(crate) fn is_closed(&self, decision: &Decision, at: BlockTime) -> bool {
        self.by_decision.get(decision).is_some_and(|of| of.closed.contains(&at))
    }

    fn look(&self, digest: &B256) -> Option<(&B256, &HeldCertificate)> {
        probe::count(Look::Certificate);
        self.certificates.get_key_value(digest)
    }

    /// Judges a received co-signature ahead of the door and the fold, which would each do so again.
    pub(crate) fn receive_signature(&mut self, charter: &Charter, carrier: EventHash, signature: &CoSignature) {
        self.received = Some((carrier, self.judge(charter, carrier, signature)));
    }

    /// Judges a co-signature: from memory, for these very bytes, or anew. Nobody but this node ever filled that memory.
    pub(crate) fn judge(
        &self,
        charter: &Charter,
        carrier: EventHash,
        signature: &CoSignature,
    ) -> Result<Judged, SignatureFault> {
        match &self.received {
            Some((known, judged)) if *known == carrier => judged.clone(),
            _ => judge(charter, signature, |hash, bytes| self.recovered(hash, bytes).or_else(|| recover(hash, bytes))),
        }
    }

    /// The owner of a signature that is held byte for byte.
    fn recovered(&self, safe_tx_hash: B256, bytes: &[u8; 65]) -> Option<Address> {
        let mut owners = self.signed.get(&safe_tx_hash)?.owners.iter();
        owners.find(|(_, held)| held.bytes == *bytes).map(|(owner, _)| *owner)
    }

    pub(crate) fn take_signature(
        &mut self,
        charter: &Charter,
        carrier: EventHash,
        signature: &CoSignature,
        seen: Timestamp,
    ) {
        let Ok(judged) = self.judge(charter, carrier, signature) else { return };
        let nonce = signature.transaction.nonce;
        self.by_nonce.entry((judged.safe.clone(), nonce)).or_default().insert(judged.safe_tx_hash);
        let signed = self.signed.entry(judged.safe_tx_hash).or_insert_with(|| Signed {
            chain: signature.chain,
            safe: judged.safe,
            transaction: signature.transaction.clone(),
            kind: judged.kind.clone(),
            owners: BTreeMap::new(),
        });
        signed.kind = lower(signed.kind.clone(), judged.kind);
        let new = HeldSignature { bytes: signature.signature, seen };
        let held = signed.owners.entry(judged.owner).or_insert_with(|| new.clone());
        held.bytes = held.bytes.min(new.bytes);
        held.seen = held.seen.min(new.seen);
    }

    /// Transactions signed at a nonce of a Safe.
    pub(crate) fn signed_at(&self, safe: &SafeId, nonce: U256) -> impl Iterator<Item = (&B256, &Signed)> {
        let hashes = self.by_nonce.get(&(safe.clone(), nonce)).into_iter().flatten();
        hashes.filter_map(|hash| self.signed.get_key_value(hash))
    }

    /// Whether this owner's signature over this hash is known.
    pub(crate) fn has_signature(&self, safe_tx_hash: &B256, owner: &Address) -> bool {
        self.signed.get(safe_tx_hash).is_some_and(|signed| signed.owners.contains_key(owner))
    }
}

/// Two steps can make the very same transaction; which one it is filed under must not depend on arrival.
fn lower(a: Kind, b: Kind) -> Kind {
    match (&a, &b) {
        (Kind::Step { decision: d, step: s, .. }, Kind::Step { decision: e, step: t, .. }) if (e, t) < (d, s) => b,
        _ => a,
    }
}
