//! What a function's name says: which powers it speaks of, and whether it takes them away or hands them out.
//!
//! A name is split into its words. One that speaks of value, power or code anywhere is refused unless its grammar makes
//! it plain that it stops them: `pauseWithdrawals`, `revokeMinter`, `setTransfersPaused(true)`. In doubt it is refused.

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::U256;

use super::words::{
    CARRIERS, CONJUNCTIONS, HALTING, INSTALLING, LISTS, MANNERS, PAIRS, RELAXING, SETTING, STRIPPING, SUBJECTS,
    TOGGLING, UNDOING_LAST, bounds, enabled, owns, released, restrained, spoken_of,
};
use super::{Kind, leaves};
use crate::model::PlaybookPurpose;

/// Where a call leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Less can happen after it.
    Restrain,
    /// More can happen after it.
    Release,
}

/// A function's name in words.
#[derive(Debug)]
pub(super) struct Name {
    words: Vec<String>,
}

impl Name {
    /// Splits a name; who acts and how is not part of what is done.
    pub(super) fn of(name: &str) -> Self {
        let mut words = joined(split(name));
        while words.len() > 1 && MANNERS.contains(&words[0].as_str()) {
            words.remove(0);
        }
        let verb = |word: &String| HALTING.contains(&word.as_str()) || STRIPPING.contains(&word.as_str());
        if words.len() > 1 && SUBJECTS.contains(&words[0].as_str()) && verb(&words[1]) {
            words.remove(0);
        }
        Self { words }
    }

    /// Why the name is refused with these arguments, if it is.
    pub(super) fn denied(&self, arguments: &[DynSolValue], purpose: PlaybookPurpose) -> Option<Kind> {
        let pair = |(_, first, then): &&(Kind, &str, &[&str])| {
            self.words.windows(2).any(|pair| pair[0] == *first && then.contains(&pair[1].as_str()))
        };
        if let Some((kind, ..)) = PAIRS.iter().find(pair) {
            return Some(*kind);
        }
        match self.words.as_slice() {
            // With arguments it carries or picks a call; without any it is a constant effect of the contract.
            [bare] if CARRIERS.contains(&bare.as_str()) && !arguments.is_empty() => return Some(Kind::Wrapped),
            [bare] if bare == "kill" => return Some(Kind::Code),
            _ => {}
        }
        let direction = self.direction(arguments);
        if direction.is_none() && self.installs(arguments) {
            return Some(Kind::Power);
        }
        let spoken = |kind: &Kind| self.words.iter().any(|word| spoken_of(word) == Some(*kind));
        let order = [Kind::Code, Kind::Safe, Kind::Power, Kind::Wrapped, Kind::Value];
        order.into_iter().filter(spoken).find(|kind| !self.excused(*kind, direction, arguments, purpose))
    }

    /// Where a call with these arguments leads; `None` where the name does not say.
    pub(super) fn direction(&self, arguments: &[DynSolValue]) -> Option<Direction> {
        let leaves = leaves(arguments);
        let flags: Vec<bool> = leaves.iter().filter_map(|leaf| leaf.as_bool()).collect();
        let number = lone_number(&leaves).filter(|_| flags.is_empty() && !self.any(bounds));
        let Some(flag) = number else { return self.toward(&leaves, &flags) };
        let flagged = self.toward(&leaves, &[flag]);
        if SETTING.contains(&self.lead()) && !TOGGLING.contains(&self.lead()) {
            return flagged;
        }
        // Elsewhere it may be a flag or choose what is meant, and the contract alone knows: `pauseWithdrawals(0)`.
        let chooses = matches!(self.lead(), "cancel" | "veto" | "remove" | "revoke");
        if !chooses && flagged == Some(Direction::Release) { flagged } else { self.toward(&leaves, &flags) }
    }

    /// Whether it sets a bound to some amount: whether that is less than before, only the contract knows.
    pub(super) fn bounds_to_some(&self, arguments: &[DynSolValue]) -> bool {
        let some = |leaf: &&DynSolValue| leaf.as_uint().is_some_and(|(number, _)| !number.is_zero());
        let lowers = matches!(self.lead(), "decrease" | "reduce" | "lower");
        !lowers && self.any(bounds) && leaves(arguments).iter().any(some)
    }

    /// What a view of this name says when it answers `flag`.
    pub(super) fn state(&self, flag: bool) -> Option<Direction> {
        match (self.any(released), flag) {
            (true, true) => Some(Direction::Release),
            (true, false) => None,
            (false, flag) => self.toward(&[], &[flag]),
        }
    }

    fn toward(&self, leaves: &[&DynSolValue], flags: &[bool]) -> Option<Direction> {
        let toggles = TOGGLING.contains(&self.lead()) && flags.is_empty();
        let undone = self.words.windows(2).any(|pair| pair[0] == "un" && restrained(&pair[1]));
        if toggles || undone || self.any(released) {
            return Some(Direction::Release);
        }
        let (bounded, negated) = (self.any(bounds), self.any(|word| STRIPPING.contains(&word)));
        let switched = self.any(enabled) || self.any(|word| word.starts_with("disabl"));
        let listed = self.any(|word| word.starts_with("whitelist") || word.starts_with("allowlist"));
        // A list of those allowed restrains while it is in force; to be on it is the opposite.
        let restrains = bounded || self.any(restrained) || (listed && switched);
        let enables = self.any(enabled) || (listed && !switched);
        let extreme = bounded && leaves.iter().any(|leaf| unbounded(leaf));
        let last = self.words.last().is_some_and(|word| UNDOING_LAST.contains(&word.as_str()));
        if extreme || (restrains && (last || self.any(|word| RELAXING.contains(&word)))) {
            return Some(Direction::Release);
        }
        if !(restrains || negated || enables) {
            return None;
        }
        let when_true = restrains == negated;
        let releases = if flags.is_empty() { when_true } else { flags.contains(&when_true) };
        Some(if releases { Direction::Release } else { Direction::Restrain })
    }

    /// Whether it puts an address in some place: `setStrategy(address)`, and `file(bytes32,address)`, which names the place.
    fn installs(&self, arguments: &[DynSolValue]) -> bool {
        let leaves = leaves(arguments);
        let is_address = |leaf: &&DynSolValue| leaf.as_address().is_some();
        let named = self.lead() == "file" && leaves.iter().any(is_address);
        named || (INSTALLING.contains(&self.lead()) && !leaves.is_empty() && leaves.iter().all(is_address))
    }

    /// Whether it takes something away from whom its arguments name. Cancelling stops a plan, not whoever made it.
    pub(super) fn restrains(&self, arguments: &[DynSolValue]) -> bool {
        self.lead() != "cancel" && self.direction(arguments) == Some(Direction::Restrain)
    }

    /// Whether the grammar makes it plain that what the name speaks of is stopped or, to recover, that flows go on.
    fn excused(
        &self,
        kind: Kind,
        direction: Option<Direction>,
        arguments: &[DynSolValue],
        purpose: PlaybookPurpose,
    ) -> bool {
        if kind == Kind::Wrapped || self.any(|word| CONJUNCTIONS.contains(&word)) {
            return false;
        }
        let lead = self.lead();
        let flow = kind == Kind::Value;
        match direction {
            None => false,
            Some(Direction::Restrain) => {
                // A bound above zero of somebody's power is a grant of that much.
                let nothing = |leaf: &DynSolValue| leaf.as_uint().is_none_or(|(number, _)| number.is_zero());
                let kept = flow || !self.any(bounds) || leaves(arguments).into_iter().all(nothing);
                let takes = STRIPPING.contains(&lead) && !self.any(owns);
                HALTING.contains(&lead) || takes || (self.sets_state() && kept) || (enabled(lead) && flow)
            }
            Some(Direction::Release) => {
                let lets = released(lead) || STRIPPING.contains(&lead) || enabled(lead) || self.sets_state();
                // A release in a playbook that contains is refused for its direction, whatever it speaks of.
                flow && (lets || purpose == PlaybookPurpose::Contain)
            }
        }
    }

    /// `setMintPaused`: the state comes after all that it is a state of, or it is `setPauseAdmin`; `setMaxMint`.
    fn sets_state(&self) -> bool {
        let state = |word: &String| {
            let known = restrained(word) || bounds(word) || enabled(word) || STRIPPING.contains(&word.as_str());
            known && spoken_of(word).is_none()
        };
        let last_state = self.words.iter().rposition(state);
        let last_spoken = self.words.iter().rposition(|word| spoken_of(word).is_some());
        let most = self.words.get(1).is_some_and(|word| matches!(word.as_str(), "max" | "maximum"));
        let sets = SETTING.contains(&self.lead()) || RELAXING.contains(&self.lead());
        sets && (most || last_state > last_spoken)
    }

    fn lead(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn any(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.words.iter().any(|word| holds(word))
    }
}

/// Whether a number stands for no bound at all: half of 256 bits or more, or all ones of a narrower type, as contracts
/// write infinity.
fn unbounded(leaf: &DynSolValue) -> bool {
    let infinite = |number: U256, bits: usize| {
        let ones = number.bit_len();
        let all_ones = number.count_ones() == ones && (ones >= 63 || ones + 1 >= bits);
        !number.is_zero() && (all_ones || ones >= 128)
    };
    let unsigned = leaf.as_uint().is_some_and(|(number, bits)| infinite(number, bits));
    unsigned || leaf.as_int().is_some_and(|(number, bits)| number.is_positive() && infinite(number.into_raw(), bits))
}

/// The flag that the only number among these stands for, if it is 0 or 1.
fn lone_number(leaves: &[&DynSolValue]) -> Option<bool> {
    let number = |leaf: &&DynSolValue| {
        leaf.as_uint().map(|(number, _)| number).or_else(|| leaf.as_int().map(|(number, _)| number.into_raw()))
    };
    let mut numbers = leaves.iter().filter_map(number);
    match (numbers.next(), numbers.next()) {
        (Some(only), None) if only <= U256::ONE => Some(only == U256::ONE),
        _ => None,
    }
}

/// `addBlackList` is `add`, `blacklist`.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        match joined.last_mut().filter(|last| word.starts_with("list") && LISTS.contains(&last.as_str())) {
            Some(last) => last.push_str(&word),
            None => joined.push(word),
        }
    }
    joined
}

/// `_setNFTMintPaused` is `set`, `nft`, `mint`, `paused`.
fn split(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after_lower = before.is_some_and(char::is_ascii_lowercase);
        let ends_acronym =
            before.is_some_and(char::is_ascii_uppercase) && letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && (after_lower || ends_acronym)) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
