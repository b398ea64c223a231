//! The own view: clock, agreed heads, Safes, postconditions, findings that stand, and what simulations and submissions answered.
//!
//! Never persisted and never fed by another member's words. Every collection is bounded; what goes first is said at each bound.

pub(crate) mod admission;
mod conditions;
pub(crate) mod lives;
pub(crate) mod safe;
pub(crate) mod track;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::Charter;
use watchfire_types::body::{Body, Finding};
use watchfire_types::input::{Input, PreflightOutcome, SubmissionFailure, SubmissionReport};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{
    AssetId, BlockRef, BlockView, ChainId, DetectorId, Event, EventHash, MemberKey, OperatorId, PlaybookId, SafeId,
    StepIndex, Timestamp, Verified,
};

use crate::machine::Machine;
use crate::settle::{settle, settle_if_due};
use crate::shared::derived::bound_to;
use admission::Admissions;
use conditions::Conditions;
use lives::Lives;
use safe::SafeView;

/// Canonical blocks remembered per chain, the oldest go first: two hours of a chain with four blocks a second. Evidence older than them does
/// not stand, so a certificate dies after as many blocks if its playbook lets it live longer.
const BLOCKS_MAX: usize = 32_768;
/// Orphaned blocks remembered per chain; the lowest go first.
const ORPHANED_MAX: usize = 1_024;
/// Newest blocks per chain whose vouching operators are remembered: votes rest on the head, or on what a reorg left of it.
const VOUCHED_MAX: usize = 256;
/// Safe transactions whose simulation or submission is remembered; the ones with the oldest answer go first.
const OUTCOMES_MAX: usize = 1_024;

/// One chain.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChainView {
    pub(crate) head: Option<BlockRef>,
    /// First block seen, if it is not block 0: what happened there or before it is not known.
    pub(crate) began: Option<BlockRef>,
    /// First of the unbroken run of blocks that ends at the head.
    pub(crate) run: Option<BlockRef>,
    pub(crate) arrived: Timestamp,
    pub(crate) canonical: BTreeMap<u64, BlockRef>,
    pub(crate) orphaned: BTreeMap<(u64, B256), BlockRef>,
    /// By canonical height: the operators whose word this node's knowledge of the block is.
    pub(crate) vouched: BTreeMap<u64, BTreeSet<OperatorId>>,
    pub(crate) silent: Option<String>,
    /// Newest block with a log of a Safe or of a contract that a step calls: what passed before may not pass any more.
    pub(crate) stirred: Option<BlockRef>,
    pub(crate) standing: Vec<Finding>,
    /// By detector: the newest block that added to a standing finding (it began, or the balance it watches fell further).
    pub(crate) progress: BTreeMap<DetectorId, BlockRef>,
    /// By detector: since which block its outflow goes on though a step holds.
    pub(crate) failing: BTreeMap<DetectorId, BlockRef>,
}

impl ChainView {
    fn extend(&mut self, block: BlockRef) {
        self.orphaned.remove(&(block.number, block.hash));
        self.canonical.insert(block.number, block);
        while self.canonical.len() > BLOCKS_MAX {
            self.canonical.pop_first();
        }
        if self.head.is_none() {
            self.began = Some(block).filter(|first| first.number > 0);
        }
        if self.head.is_none_or(|head| head.number.saturating_add(1) != block.number) || self.run.is_none() {
            self.run = Some(block);
        }
        self.head = Some(block);
    }

    fn orphan(&mut self, block: BlockRef) {
        self.orphaned.insert((block.number, block.hash), block);
        while self.orphaned.len() > ORPHANED_MAX {
            self.orphaned.pop_first();
        }
    }

    /// Takes what stands at the head. What the head gave no answer for stands on an earlier block of this chain, where it was judged last. What
    /// began on a block that a reorg took began, as far as this branch tells, where it was judged: else it would be said, taken back and said again.
    fn detected(&mut self, standing: &[Finding]) {
        let judged = |finding: &&Finding| self.canonical.get(&finding.block.number) == Some(&finding.block);
        let of_this_branch = |mut finding: Finding| {
            if self.orphaned.contains_key(&(finding.first.number, finding.first.hash)) {
                finding.first = finding.block;
            }
            finding
        };
        let standing: Vec<Finding> = standing.iter().filter(judged).cloned().map(of_this_branch).collect();
        let mut progress = BTreeMap::new();
        for finding in &standing {
            let before = self.standing.iter().find(|before| before.detector == finding.detector);
            let fell = before.is_some_and(|before| balance(finding) < balance(before));
            let known = self.progress.get(&finding.detector).copied().filter(|_| before.is_some() && !fell);
            let newest = known.unwrap_or(if fell { finding.block } else { finding.first });
            progress.insert(finding.detector.clone(), newest);
        }
        self.progress = progress;
        self.standing = standing;
    }
}

/// The balance an outflow finding ends on.
fn balance(finding: &Finding) -> Option<U256> {
    finding.figures.get("balance_now")?.parse().ok()
}

/// What became of a submission that had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is on chain and reverted there.
    Reverted(SubmissionFailure),
    /// It was not included for two blocks while its fees sufficed.
    NotIncluded,
}

/// What is known of a Safe transaction's fate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Newest simulation.
    pub(crate) preflight: Option<(BlockRef, PreflightOutcome)>,
    /// Newest simulation that refuted it, and no one passed since: one without an answer takes nothing back. For telling, never for signing.
    pub(crate) refuted: Option<(BlockRef, PreflightOutcome)>,
    /// A submission of this node reverted or was not included. A simulation that passes does not end that: only a nonce that moves does, with the
    /// transaction itself.
    pub(crate) failed: Option<(BlockRef, Failed)>,
    /// It cannot be sent at all.
    pub(crate) unsendable: Option<SubmissionFailure>,
    /// Own clock at the newest answer.
    pub(crate) answered: Timestamp,
}

/// Everything this node reads for itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) clock: Timestamp,
    pub(crate) chains: BTreeMap<ChainId, ChainView>,
    pub(crate) safes: BTreeMap<SafeId, SafeView>,
    pub(crate) conditions: Conditions,
    pub(crate) outcomes: BTreeMap<B256, Outcome>,
    /// Since which block a step is refuted without a break.
    pub(crate) refuted_since: BTreeMap<(PlaybookId, StepIndex), BlockRef>,
    /// Newest block at which containment of an asset was owed, by asset and Safe.
    pub(crate) contain_owed: BTreeMap<(AssetId, SafeId), BlockRef>,
    /// Own clock when a transaction was first seen to be owed, for as long as it is.
    pub(crate) first_owed: BTreeMap<B256, Timestamp>,
    /// The block at which a simulation was asked for and the own clock then, for as long as it is not answered.
    pub(crate) asked: BTreeMap<B256, (BlockRef, Timestamp)>,
    /// New epochs taken lately, by author.
    pub(crate) admissions: Admissions,
    /// Epochs heard lately, by author.
    pub(crate) lives: Lives,
    /// Members connected now; shown, never counted.
    pub(crate) connected: BTreeSet<MemberKey>,
    /// An event claimed this process's own epoch.
    pub(crate) own_epoch_claimed: bool,
}

/// Whether a contract is a Safe of the chain or one that a step calls there.
fn concerns(charter: &Charter, chain: ChainId, contract: Address) -> bool {
    let mut actions = charter.playbooks.values().flat_map(|playbook| playbook.actions());
    charter.safes.values().any(|safe| safe.chain == chain && safe.address == contract)
        || actions.any(|action| action.chain == chain && action.target == contract)
}

impl View {
    pub(crate) fn new(charter: &Charter) -> Self {
        Self {
            chains: charter.chains.keys().map(|chain| (*chain, ChainView::default())).collect(),
            safes: charter.safes.keys().map(|safe| (safe.clone(), SafeView::default())).collect(),
            conditions: Conditions::new(charter),
            ..Self::default()
        }
    }

    pub(crate) fn head(&self, chain: ChainId) -> Option<BlockRef> {
        self.chains.get(&chain)?.head
    }

    /// Whether a chain gives no new blocks: its head is then no reading of now.
    pub(crate) fn silent(&self, chain: ChainId) -> bool {
        self.chains.get(&chain).is_some_and(|chain| chain.silent.is_some())
    }

    /// The first of these operators whose word this node's knowledge of a canonical block is.
    pub(crate) fn label(&self, labels: &BTreeSet<OperatorId>, block: &BlockRef) -> Option<OperatorId> {
        let vouched = self.chains.get(&block.chain)?.vouched.get(&block.number)?;
        labels.intersection(vouched).next().cloned()
    }

    fn rollback(&mut self, charter: &Charter, chain: ChainId, number: u64, now: Timestamp) {
        let Some(view) = self.chains.get_mut(&chain) else { return };
        for block in view.canonical.split_off(&number).into_values() {
            view.orphan(block);
        }
        view.vouched.split_off(&number);
        view.stirred = view.stirred.filter(|at| at.number < number);
        view.head = view.canonical.last_key_value().map(|(_, block)| *block);
        view.began = view.began.filter(|began| began.number < number);
        // Below a run that went with a reorg another one may have ended: the new one begins at the head that is left.
        view.run = view.run.filter(|first| first.number < number).or(view.head);
        view.standing.retain(|finding| finding.block.number < number);
        view.progress.retain(|_, block| block.number < number);
        view.failing.retain(|_, block| block.number < number);
        for (id, safe) in &mut self.safes {
            if charter.safes.get(id).is_some_and(|entry| entry.chain == chain) {
                safe.rollback(number, now);
            }
        }
        self.conditions.rollback(chain, number);
        // What an outcome or a want was measured at may be gone; both are cheap to measure again.
        for outcome in self.outcomes.values_mut() {
            let gone = |block: &BlockRef| block.chain == chain && block.number >= number;
            if outcome.preflight.as_ref().is_some_and(|(block, _)| gone(block)) {
                outcome.preflight = None;
            }
            if outcome.refuted.as_ref().is_some_and(|(block, _)| gone(block)) {
                outcome.refuted = None;
            }
            if outcome.failed.as_ref().is_some_and(|(block, _)| gone(block)) {
                outcome.failed = None;
            }
        }
        self.asked.retain(|_, (block, _)| block.chain != chain || block.number < number);
        self.contain_owed.retain(|_, block| block.chain != chain || block.number < number);
        self.refuted_since.retain(|_, block| block.chain != chain || block.number < number);
    }

    /// Of these blocks those at whose height another one is canonical went with a reorg.
    fn orphan_unless_canonical(&mut self, blocks: impl IntoIterator<Item = BlockRef>) {
        for block in blocks {
            let chain = self.chains.get_mut(&block.chain);
            let other = |chain: &&mut ChainView| {
                chain.canonical.get(&block.number).is_some_and(|canonical| canonical.hash != block.hash)
            };
            if let Some(chain) = chain.filter(other) {
                chain.orphan(block);
            }
        }
    }

    fn block(&mut self, charter: &Charter, now: Timestamp, view: &BlockView) {
        let BlockRef { chain, number, .. } = view.block;
        let Some(known) = self.chains.get(&chain) else { return };
        let forks = known.head.is_some_and(|head| {
            number <= head.number || (number == head.number.saturating_add(1) && view.parent != head.hash)
        });
        if forks {
            // The feed names what a reorg took; a parent that does not match takes at least the head with it.
            let taken = known.head.map_or(number, |head| head.number.min(number));
            self.rollback(charter, chain, taken, now);
        }
        if let Some(known) = self.chains.get_mut(&chain) {
            known.extend(view.block);
            known.vouched.insert(number, view.agreed.clone());
            if view.logs.iter().any(|log| concerns(charter, chain, log.address)) {
                known.stirred = Some(view.block);
            }
            while known.vouched.len() > VOUCHED_MAX {
                known.vouched.pop_first();
            }
            known.arrived = now;
            known.silent = None;
        }
        for (id, safe) in charter.safes.iter().filter(|(_, safe)| safe.chain == chain) {
            self.safes.entry(id.clone()).or_default().observe(charter, safe, view, now);
        }
        self.conditions.observe(view);
    }

    fn outcome(&mut self, hash: B256, now: Timestamp) -> &mut Outcome {
        if self.outcomes.len() >= OUTCOMES_MAX && !self.outcomes.contains_key(&hash) {
            let oldest = self.outcomes.iter().min_by_key(|(_, outcome)| outcome.answered).map(|(hash, _)| *hash);
            if let Some(oldest) = oldest {
                self.outcomes.remove(&oldest);
            }
        }
        let outcome = self.outcomes.entry(hash).or_default();
        outcome.answered = now;
        outcome
    }

    /// A simulation's answer: of a block that a reorg took since it was asked it says nothing.
    fn preflighted(&mut self, hash: B256, block: &BlockRef, answer: &PreflightOutcome, now: Timestamp) {
        let chain = self.chains.get(&block.chain);
        if chain.is_some_and(|chain| chain.orphaned.contains_key(&(block.number, block.hash))) {
            return;
        }
        if self.asked.get(&hash).is_some_and(|(asked, _)| asked.number <= block.number) {
            self.asked.remove(&hash);
        }
        let known = self.outcome(hash, now);
        if known.preflight.as_ref().is_none_or(|(at, _)| at.number <= block.number) {
            known.preflight = Some((*block, answer.clone()));
            match answer {
                PreflightOutcome::Refuted { .. } => known.refuted.clone_from(&known.preflight),
                PreflightOutcome::Passes => known.refuted = None,
                PreflightOutcome::Unknown { .. } => {}
            }
        }
    }

    fn submission(&mut self, now: Timestamp, report: &SubmissionReport) {
        match report {
            SubmissionReport::Sending(submitted) => {
                let outcome = self.outcome(submitted.safe_transaction, now);
                outcome.unsendable = None;
            }
            SubmissionReport::Reverted { safe_tx_hash, block, reason } => {
                self.outcome(*safe_tx_hash, now).failed = Some((*block, Failed::Reverted(reason.clone())));
            }
            SubmissionReport::NotIncluded { safe_tx_hash, block } => {
                self.outcome(*safe_tx_hash, now).failed = Some((*block, Failed::NotIncluded));
            }
            SubmissionReport::Failed { safe_tx_hash, reason } => {
                self.outcome(*safe_tx_hash, now).unsendable = Some(reason.clone());
            }
        }
    }
}

/// Feeds one input into the view; answers whether something changed after which [`settle`] did not look.
pub(crate) fn observe(machine: &mut Machine, now: Timestamp, input: &Input) -> bool {
    let charter = std::sync::Arc::clone(&machine.charter);
    machine.view.clock = machine.view.clock.max(now);
    match input {
        Input::Received(event) => received(machine, event),
        Input::Block(block) => {
            // What was owed at the old head counts as owed until it was seen executed.
            settle_if_due(machine);
            machine.view.block(&charter, now, block);
            said_of_others(machine, &block.block);
            settle(machine);
            false
        }
        Input::Orphaned { chain, blocks } => {
            if let Some(lowest) = blocks.iter().map(|block| block.number).min() {
                machine.view.rollback(&charter, *chain, lowest, now);
            }
            true
        }
        Input::Detected { block, standing } => detected(machine, block, standing),
        Input::ChainSilent { chain, cause } => {
            if let Some(chain) = machine.view.chains.get_mut(chain) {
                chain.silent = Some(cause.clone());
            }
            true
        }
        Input::Preflighted { safe_tx_hash, block, outcome } => {
            machine.view.preflighted(*safe_tx_hash, block, outcome, now);
            settle(machine);
            false
        }
        Input::Submission(report) => {
            machine.view.submission(now, report);
            settle(machine);
            false
        }
        Input::Peer { member, connected } => {
            if *connected {
                machine.view.connected.insert(*member);
            } else {
                machine.view.connected.remove(member);
            }
            true
        }
        Input::Tick => {
            settle_if_due(machine);
            false
        }
        Input::Human(_) | Input::Evidence(_) | Input::Reported(_) => false,
    }
}

/// What the own log says of other blocks of this height a reorg took, also one that came while no process of this member looked.
fn said_of_others(machine: &mut Machine, block: &BlockRef) {
    let own = machine.shared.derived.observed.get(&machine.own.key());
    let Some(own) = own.filter(|_| !planted(Mutation::ForgetsUnseen)) else { return };
    let at = |hash| (block.chain, block.number, hash);
    let of_height = own.bound.range(at(B256::ZERO)..=at(B256::repeat_byte(0xff)));
    let events = of_height.flat_map(|(_, events)| events.values());
    let said: Vec<BlockRef> = events.flat_map(|event| bound_to(event)).collect();
    machine.view.orphan_unless_canonical(said);
}

/// Counts a guardian's signature though its event waits for others, and notices who speaks in the name of this process.
fn received(machine: &mut Machine, event: &Verified<Event>) -> bool {
    let of_own_key = event.author == machine.own.key();
    if of_own_key {
        // Of an earlier life, back from others.
        machine.view.orphan_unless_canonical(bound_to(event));
    }
    let own = of_own_key && event.epoch == machine.own.epoch;
    let claimed = own && !machine.shared.holds(event.author, event.epoch, event.seq, event.hash());
    machine.view.own_epoch_claimed |= claimed;
    let signature = match &event.body {
        Body::CoSignature(signature) if machine.charter.member_by_key(&event.author).is_some() => signature,
        _ => return claimed,
    };
    machine.shared.content.receive_signature(&machine.charter, event.hash(), signature);
    true
}

/// Takes what stands at the head, and what of it goes on though a step holds.
fn detected(machine: &mut Machine, block: &BlockRef, standing: &[Finding]) -> bool {
    let Some(chain) = machine.view.chains.get_mut(&block.chain) else { return false };
    if chain.head.is_none_or(|head| head.hash != block.hash) {
        return false;
    }
    let stood = !chain.standing.is_empty();
    let began = chain.began;
    let standing: Vec<Finding> = standing.iter().cloned().map(|found| resumed(machine, began, found)).collect();
    let Some(chain) = machine.view.chains.get_mut(&block.chain) else { return false };
    chain.detected(&standing);
    let failed = crate::authority::containment_failed(machine, block.chain);
    if let Some(chain) = machine.view.chains.get_mut(&block.chain) {
        chain.failing = failed.iter().map(|f| (f.detector.clone(), f.first)).collect();
        chain.standing.extend(failed);
    }
    stood || !standing.is_empty()
}

/// What stands at the first block that this process saw, and stood when the own log last spoke of it in the same incident, stood all along: its age is not
/// that of the process.
fn resumed(machine: &Machine, began: Option<BlockRef>, mut finding: Finding) -> Finding {
    let Some(began) = began.filter(|began| finding.first == *began) else { return finding };
    let of_rule = (finding.asset.clone(), finding.detector.clone());
    let own = machine.shared.derived.observed.get(&machine.own.key());
    let Some((own, said)) = own.and_then(|own| Some((own, own.findings.get(&of_rule)?))) else { return finding };
    // Of what took effect before this view begins the log alone tells: what was lifted since was another standing.
    let lifted =
        own.checked.iter().filter(|((asset, ..), _)| *asset == finding.asset).flat_map(|(_, checks)| checks.values());
    let lifted = lifted.filter_map(|event| match &event.body {
        Body::PostconditionChecked(checked) if !checked.holds => Some(checked.block.time),
        _ => None,
    });
    let floor = lifted.max();
    let closes = crate::incident::closes(machine, &finding.asset);
    let generation = |at: &BlockRef| crate::incident::generation(&closes, at.time);
    let before = said.range(..(began.time, EventHash::from_bytes([0; 32]))).rev();
    let first =
        before.filter(|((_, event), _)| !own.retracted.contains_key(event)).find_map(|(_, event)| match &event.body {
            Body::Finding(said) if said.kind == finding.kind => Some(said.first),
            _ => None,
        });
    let stands = |first: &BlockRef| {
        first.chain == began.chain
            && floor.is_none_or(|floor| first.time > floor)
            && generation(first) == generation(&finding.block)
    };
    finding.first = first.filter(stands).unwrap_or(finding.first);
    finding
}

#[cfg(test)]
mod tests;
