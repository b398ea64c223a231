//! The contracts of a charter that is played as it is: every answer that its nodes ask for, and what its calls make of them.
//!
//! A call of the charter does what its postcondition says and nothing else. An attack ends when the widest step of the ladder holds; a
//! narrower step stops it where the scenario says that its payments are too large for the limit.

mod fits;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_charter::{Comparison, Playbook, PlaybookPurpose, Quantity, StateExpectation, Step, Watch};
use watchfire_types::{Bytes, Log, Read, ReadOutcome};

use super::state::{ENFORCED_PAUSE, EXPECTED_PAUSE, LIMITED, NOT_ALLOWED, Reason, State, Touch, word};
use crate::scenario::Lies;
use crate::simulate::cast::Cast;
pub(crate) use fits::Part;

/// So many times the largest limit is in the contracts: a tenth of it, taken twice, is over every limit.
const TIMES_LIMIT: u64 = 8;

/// What never changes of them.
#[derive(Debug)]
pub(crate) struct Contracts {
    /// Every answer before anything happened.
    first: BTreeMap<Read, Bytes>,
    /// What is in the asset's contracts, by coin: what an attack takes from.
    balances: BTreeMap<Read, U256>,
    /// What an attack on each part changes, and to what: what the charter's detectors read of it.
    bends: BTreeMap<Part, BTreeMap<Read, Bytes>>,
    /// What it logs: the events that they wait for.
    events: BTreeMap<Part, Vec<(Address, Vec<B256>)>>,
}

fn ladder(cast: &Cast) -> Option<&Playbook> {
    cast.charter.playbooks.get(&cast.playbook)
}

/// Call data of `balanceOf(address)` (EIP-20).
fn balance_of(account: Address) -> Bytes {
    [&keccak256("balanceOf(address)")[..4], account.into_word().as_slice()].concat().into()
}

/// A number that moved as far as a leap may not, if anything is so far.
fn leapt(first: &BTreeMap<Read, Bytes>, watch: &Watch) -> Option<(Read, Bytes)> {
    let Watch::Leap { of: Quantity::Call { read, word: at, .. }, rise_bps, fall_bps, .. } = watch else { return None };
    let mut answer = first.get(read)?.to_vec();
    let place = usize::from(*at) * 32..usize::from(*at) * 32 + 32;
    let number = U256::from_be_slice(answer.get(place.clone())?);
    let part = |bps: u32| {
        let bps = U256::from(u64::from(bps) + 1);
        number.saturating_mul(bps) / U256::from(10_000) + U256::from(1)
    };
    let moved = match (rise_bps, fall_bps) {
        (Some(bps), _) => number.saturating_add(part(*bps)),
        (None, Some(bps)) => number.saturating_sub(part(*bps)),
        (None, None) => return None,
    };
    answer.get_mut(place)?.copy_from_slice(&moved.to_be_bytes::<32>());
    Some((read.clone(), answer.into()))
}

/// Another word.
fn other(bytes: &Bytes) -> Bytes {
    word(if bytes.iter().all(|byte| *byte == 0) { U256::from(1) } else { U256::ZERO })
}

/// A number that never moves, as the word of its call's answer.
fn still(first: &mut BTreeMap<Read, Bytes>, of: &Quantity, number: U256) {
    if let Quantity::Call { read, word: at, .. } = of {
        let answer = [vec![0; usize::from(*at) * 32], word(number).to_vec()].concat();
        first.insert(read.clone(), answer.into());
    }
}

/// Answers that make an invariant hold, as closely as it can: what a call says of what is held is what is held.
fn balanced(
    first: &mut BTreeMap<Read, Bytes>,
    balances: &BTreeMap<Read, U256>,
    holder: Option<Address>,
    watch: &Watch,
) {
    let Watch::Invariant { left, scale_left, compare, right, scale_right, .. } = watch else { return };
    let held = |token: Option<Address>| {
        let read = holder.map(|account| match token {
            None => Read::Balance { account },
            Some(to) => Read::Call { to, data: balance_of(account) },
        });
        read.and_then(|read| balances.get(&read).copied()).unwrap_or_default()
    };
    // Rounded to the side on which the comparison holds.
    let told = |held: U256, scale: U256, own: U256, up: bool| {
        let scaled = held.saturating_mul(scale);
        if up { scaled.div_ceil(own) } else { scaled / own }
    };
    match (left, right) {
        (Quantity::Call { .. }, Quantity::Call { .. }) => {
            still(first, left, *scale_right);
            still(first, right, *scale_left);
        }
        (Quantity::Held { token }, Quantity::Call { .. }) => {
            still(first, right, told(held(*token), *scale_left, *scale_right, *compare == Comparison::AtMost));
        }
        (Quantity::Call { .. }, Quantity::Held { token }) => {
            still(first, left, told(held(*token), *scale_right, *scale_left, *compare == Comparison::AtLeast));
        }
        (Quantity::Held { .. }, Quantity::Held { .. }) => {}
    }
}

/// A number within bounds, and one just beyond.
fn within(min: Option<U256>, max: Option<U256>) -> (Bytes, Bytes) {
    let sound = max.or(min).unwrap_or_default();
    let above = max.and_then(|max| max.checked_add(U256::from(1)));
    let bent = above.or_else(|| min.and_then(|min| min.checked_sub(U256::from(1))));
    (word(sound), word(bent.unwrap_or(sound)))
}

/// An answer that is in order, and one that is not.
fn answers(expect: &StateExpectation) -> (Bytes, Bytes) {
    match expect {
        StateExpectation::Unchanged => (word(U256::from(1)), word(U256::from(2))),
        StateExpectation::Equals(bytes) => (bytes.clone(), other(bytes)),
        StateExpectation::Number { word: at, min, max, .. } => {
            let sound = max.or(*min).unwrap_or_default();
            let steps = [sound.wrapping_add(U256::from(1)), sound.wrapping_sub(U256::from(1))];
            let bent = steps.into_iter().find(|bent| !expect.bounds(*bent)).unwrap_or(sound);
            let answer = |number| [vec![0; usize::from(*at) * 32], word(number).to_vec()].concat().into();
            (answer(sound), answer(bent))
        }
        StateExpectation::Within { min, max } => within(*min, *max),
    }
}

impl Contracts {
    /// Those of the played charter. Before anything happened nothing is contained, nothing is out of order, and coin is in the contracts.
    pub(crate) fn of(cast: &Cast) -> Self {
        let of_safe = |read: &Read| match read {
            Read::Call { to, .. } => *to == cast.safe,
            Read::Storage { account, .. } => *account == cast.safe,
            Read::Balance { .. } | Read::CodeHash { .. } | Read::Delegation { .. } => false,
        };
        let others = cast.reads.iter().filter(|read| !of_safe(read));
        let mut first: BTreeMap<Read, Bytes> = others.map(|read| (read.clone(), word(U256::ZERO))).collect();
        let mut bends: BTreeMap<Part, BTreeMap<Read, Bytes>> = BTreeMap::new();
        let mut events: BTreeMap<Part, Vec<(Address, Vec<B256>)>> = BTreeMap::new();
        let mut limits: BTreeMap<Option<Address>, U256> = BTreeMap::new();
        for detector in cast.charter.detectors.values() {
            let own = detector.asset == cast.asset;
            let part = Part::watched(&detector.watch).filter(|_| own);
            match &detector.watch {
                Watch::State { read, expect, .. } => {
                    let (sound, bent) = answers(expect);
                    first.insert(read.clone(), sound);
                    if let Some(part) = part {
                        bends.entry(part).or_default().insert(read.clone(), bent);
                    }
                }
                Watch::Event { address, topic, topics, .. } if let Some(part) = part => {
                    let indexed = (1..=topics.keys().copied().max().unwrap_or_default())
                        .map(|at| topics.get(&at).copied().unwrap_or_default());
                    let topics = std::iter::once(*topic).chain(indexed).collect();
                    events.entry(part).or_default().push((*address, topics));
                }
                Watch::Outflow { token, limit, .. } if own => {
                    let most = limits.entry(*token).or_default();
                    *most = (*most).max(limit.unwrap_or(U256::from(10).pow(U256::from(18))));
                }
                Watch::Leap { of, .. } => still(&mut first, of, U256::from(10).pow(U256::from(18))),
                Watch::Stale { of, .. } => still(&mut first, of, U256::from(u64::MAX)),
                Watch::Event { .. }
                | Watch::Outflow { .. }
                | Watch::Invariant { .. }
                | Watch::Authority { .. }
                | Watch::ApprovalDrain { .. }
                | Watch::Expression { .. }
                | Watch::Rate(_)
                | Watch::Calls(_)
                | Watch::Governance(_)
                | Watch::BorrowedVotes(_)
                | Watch::ThinMarket(_)
                | Watch::FreshCode(_)
                | Watch::Sister(_)
                | Watch::SafeNonce { .. }
                | Watch::CrossChain(_)
                | Watch::Release(_) => {}
            }
        }
        Self::conditions(cast, &mut first);
        let mut balances = BTreeMap::new();
        let holder = cast.charter.assets.get(&cast.asset).and_then(|asset| asset.contracts.first().copied());
        for (token, limit) in limits {
            let Some(account) = holder else { continue };
            let amount = limit.saturating_mul(U256::from(TIMES_LIMIT));
            let read = token.map_or(Read::Balance { account }, |to| Read::Call { to, data: balance_of(account) });
            first.insert(read.clone(), word(amount));
            balances.insert(read, amount);
        }
        for detector in cast.charter.detectors.values() {
            balanced(&mut first, &balances, holder, &detector.watch);
        }
        for detector in cast.charter.detectors.values().filter(|detector| detector.asset == cast.asset) {
            if let Some((part, (read, bent))) = Part::watched(&detector.watch).zip(leapt(&first, &detector.watch)) {
                // What is out of a detector's bounds stays so.
                bends.entry(part).or_default().entry(read).or_insert(bent);
            }
        }
        Self { first, balances, bends, events }
    }

    /// Containment does not hold, recovery does, and so does what must stay true.
    fn conditions(cast: &Cast, first: &mut BTreeMap<Read, Bytes>) {
        let actions = || cast.charter.playbooks.values().flat_map(|one| one.actions().map(move |action| (one, action)));
        for (playbook, action) in actions() {
            let condition = &action.postcondition;
            for stays in &action.stays {
                first.insert(stays.read.clone(), stays.equals.clone());
            }
            if playbook.purpose == PlaybookPurpose::Contain {
                first.insert(condition.read.clone(), other(&condition.equals));
            }
        }
        for (_, action) in actions().filter(|(playbook, _)| playbook.purpose == PlaybookPurpose::Recover) {
            first.insert(action.postcondition.read.clone(), action.postcondition.equals.clone());
        }
    }

    /// The events of an attack on this part.
    fn logs(&self, part: Part) -> Vec<Log> {
        let made = self.events.get(&part).into_iter().flatten().map(|(address, topics)| Log {
            address: *address,
            topics: topics.clone(),
            data: Bytes::from_static(&[7; 32]),
            transaction: B256::ZERO,
            index: 0,
        });
        made.collect()
    }

    /// What an operator that lies answers in place of the truth; `None` where it does not lie.
    pub(crate) fn told(
        &self,
        cast: &Cast,
        read: &Read,
        honest: &ReadOutcome,
        loss: U256,
        denies: &BTreeSet<Lies>,
    ) -> Option<ReadOutcome> {
        if let Some(whole) = self.balances.get(read) {
            let shown = if denies.contains(&Lies::NoLoss) { *whole } else { honest.word()? };
            let part = whole.saturating_mul(loss) / cast.scenario.vault.wei.max(U256::from(1));
            return Some(ReadOutcome::Value(word(shown.saturating_sub(part))));
        }
        let widest = ladder(cast)?.steps.last()?;
        let condition = widest.actions.iter().map(|action| &action.postcondition).find(|one| one.read == *read)?;
        let answer = match () {
            () if denies.contains(&Lies::Paused) => condition.equals.clone(),
            () if denies.contains(&Lies::Unpaused) => self.first.get(read)?.clone(),
            () => return None,
        };
        Some(ReadOutcome::Value(answer))
    }

    pub(crate) fn first(&self) -> &BTreeMap<Read, Bytes> {
        &self.first
    }
}

impl State {
    fn set(&mut self, read: &Read, answer: Bytes) {
        Rc::make_mut(&mut self.answers).insert(read.clone(), answer);
    }

    fn holds(&self, step: &Step) -> bool {
        let answers = step.actions.iter().map(|action| &action.postcondition);
        answers.into_iter().all(|condition| self.answers.get(&condition.read) == Some(&condition.equals))
    }

    fn look_again(&mut self, cast: &Cast) {
        let Some(playbook) = ladder(cast) else { return };
        let holds = |step: Option<&Step>| step.is_some_and(|step| self.holds(step));
        let (paused, limited) = (holds(playbook.steps.last()), holds(playbook.steps.first()));
        (self.paused, self.limited) = (paused, limited);
    }

    /// A call from the Safe: what the charter says of it comes true.
    pub(super) fn own_call(&mut self, cast: &Cast, to: Address, data: &[u8]) -> Result<(), Reason> {
        let widest = ladder(cast).and_then(|playbook| playbook.steps.last());
        let reverts = cast.scenario.vault.pause_reverts
            && widest.is_some_and(|step| step.actions.iter().any(|one| one.target == to && one.calldata[..] == *data));
        if reverts {
            return Err(NOT_ALLOWED);
        }
        let all = cast.charter.playbooks.values().flat_map(Playbook::actions);
        for action in all.filter(|action| action.target == to && action.calldata[..] == *data) {
            let condition = &action.postcondition;
            let held = self.answers.get(&condition.read) == Some(&condition.equals);
            // OpenZeppelin's `whenNotPaused`; of other functions it is not known that they revert.
            if held && action.catalogue == "oz-pausable.pause" {
                return Err(ENFORCED_PAUSE);
            }
            self.set(&condition.read, condition.equals.clone());
        }
        self.look_again(cast);
        Ok(())
    }

    /// What an attacker or a stranger does.
    pub(super) fn own_touch(&mut self, cast: &Cast, contracts: &Contracts, touch: Touch) -> Result<Vec<Log>, Reason> {
        match touch {
            Touch::Drain { .. } | Touch::Mint | Touch::Release { .. } if self.paused => return Err(ENFORCED_PAUSE),
            Touch::Drain { each, .. } if self.limited && each > cast.scenario.vault.flagged_limit_wei => {
                return Err(LIMITED);
            }
            Touch::Drain { wei, .. } => self.drain(cast, contracts, wei),
            Touch::TakeOwnership | Touch::Upgrade | Touch::MovePrice | Touch::Mint => {}
            Touch::Release { wei } => self.drain(cast, contracts, wei),
            Touch::Pause if self.paused => return Err(ENFORCED_PAUSE),
            Touch::Resume if !self.paused => return Err(EXPECTED_PAUSE),
            Touch::Pause => self.make(cast, contracts, true, true),
            Touch::Resume => self.make(cast, contracts, true, false),
            Touch::Flag(on) => self.make(cast, contracts, false, on),
        }
        let Some(part) = Part::of(touch) else { return Ok(Vec::new()) };
        for (read, answer) in contracts.bends.get(&part).into_iter().flatten() {
            self.set(read, answer.clone());
        }
        Ok(contracts.logs(part))
    }

    /// The widest step, or the narrowest, is made or undone past the Safe.
    fn make(&mut self, cast: &Cast, contracts: &Contracts, widest: bool, on: bool) {
        let Some(playbook) = ladder(cast) else { return };
        let step = if widest { playbook.steps.last() } else { playbook.steps.first() };
        for action in step.into_iter().flat_map(|step| &step.actions) {
            let condition = &action.postcondition;
            let before = contracts.first.get(&condition.read).cloned().unwrap_or_default();
            self.set(&condition.read, if on { condition.equals.clone() } else { before });
        }
        self.look_again(cast);
    }

    /// A share of every coin that is watched leaves: as much of it as `wei` is of the scenario's vault.
    fn drain(&mut self, cast: &Cast, contracts: &Contracts, wei: U256) {
        let whole = cast.scenario.vault.wei.max(U256::from(1));
        self.wei = self.wei.saturating_sub(wei);
        for (read, amount) in &contracts.balances {
            let part = amount.saturating_mul(wei) / whole;
            let left = self.answers.get(read).map(|bytes| U256::from_be_slice(bytes)).unwrap_or_default();
            self.set(read, word(left.saturating_sub(part)));
        }
    }
}
