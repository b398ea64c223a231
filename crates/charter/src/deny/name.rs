//! What a function's name says: which powers it speaks of, and whether it takes them away or hands them out.
//!
//! A name is split into its words. One that speaks of value, power or code anywhere is refused unless its grammar makes
//! it plain that it stops them: `pauseWithdrawals`, `revokeMinter`, `setTransfersPaused(true)`. In doubt it is refused.

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::U256;

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

/// Parts of words that speak of what is never signed, in the order in which they name the reason.
const STEMS: &[(Kind, &[&str])] = &[
    (Kind::Code, &["upgrad", "implementation", "beacon", "initiali", "selfdestruct", "bytecode", "migrat"]),
    (
        Kind::Power,
        &[
            "owner",
            "admin",
            "govern",
            "authori",
            "minter",
            "grant",
            "renounc",
            "nominat",
            "guardian",
            "pauser",
            "operator",
            "manager",
            "controller",
            "executor",
            "proposer",
            "signer",
            "delegat",
            "curator",
            "custodian",
            "treasury",
            "recipient",
            "receiver",
            "beneficiary",
        ],
    ),
    (
        Kind::Value,
        &[
            "transfer",
            "withdraw",
            "sweep",
            "skim",
            "drain",
            "rescu",
            "salvag",
            "redeem",
            "redempt",
            "mint",
            "burn",
            "approv",
            "allowance",
            "permit",
            "borrow",
            "claim",
            "harvest",
            "swap",
            "refund",
            "payout",
            "payment",
            "releas",
            "liquidat",
            "distribut",
            "deposit",
            "seiz",
            "stak",
        ],
    ),
    (Kind::Wrapped, &["multicall", "multisend", "delegatecall"]),
];

/// Whole words with the same meaning, too short to be looked for inside others.
const WORDS: &[(Kind, &[&str])] = &[
    (Kind::Code, &["impl", "proxy", "logic", "facet", "facets", "diamond", "destroy", "destruct"]),
    (Kind::Power, &["gov", "role", "roles", "pending"]),
    (Kind::Safe, &["module", "modules", "guard", "threshold", "fallback"]),
    (
        Kind::Value,
        &["send", "pay", "exit", "donate", "collect", "pull", "move", "take", "give", "issue", "buy", "sell"],
    ),
    (Kind::Value, &["trade", "supply", "repay", "evacuate", "airdrop"]),
];

/// Words next to each other with the same meaning; nothing excuses them.
const PAIRS: &[(Kind, &str, &[&str])] = &[
    (Kind::Code, "set", &["code"]),
    (Kind::Value, "with", &["draw"]),
    (Kind::Value, "remove", &["liquidity", "collateral", "funds", "tokens", "assets", "stake", "deposit"]),
    (Kind::Value, "revoke", &["funds", "tokens", "vesting"]),
    (Kind::Value, "recover", &["token", "tokens", "erc", "eth", "ether", "native", "funds", "asset", "assets", "nft"]),
    (Kind::Wrapped, "exec", &["transaction"]),
    (Kind::Wrapped, "execute", &["batch", "transaction", "transactions", "proposal", "operation", "call", "calls"]),
    (Kind::Wrapped, "submit", &["transaction"]),
    (Kind::Wrapped, "schedule", &["batch"]),
    (Kind::Wrapped, "multi", &["call", "send"]),
    (Kind::Wrapped, "delegate", &["call"]),
];

/// Names that, alone, are those of calls that carry others.
const CARRIERS: &[&str] = &["execute", "exec", "schedule", "call", "aggregate", "batch"];
/// Who acts, before the verb: `guardianPause`.
const SUBJECTS: &[&str] = &["guardian", "admin", "owner", "governance", "governor", "protocol"];
/// How it acts, before the verb: `emergencyPause`.
const MANNERS: &[&str] = &["emergency", "global", "force"];
/// Two acts in one name: what the first word says does not hold for the rest.
const CONJUNCTIONS: &[&str] = &["and", "then"];

/// Verbs that stop what they name.
const HALTING: &[&str] = &[
    "pause",
    "freeze",
    "halt",
    "suspend",
    "block",
    "lock",
    "seal",
    "close",
    "limit",
    "restrict",
    "throttle",
    "deny",
    "forbid",
    "prevent",
    "ban",
    "blacklist",
    "blocklist",
    "quarantine",
];
/// Verbs that take away what they name, so that taking away a limit is a release. Ownership is not taken away: nobody
/// would be left to recover.
const STRIPPING: &[&str] = &[
    "disable",
    "disabled",
    "revoke",
    "revoked",
    "remove",
    "removed",
    "cancel",
    "stop",
    "stopped",
    "deactivate",
    "veto",
];
/// Verbs that set a state which a later word names.
const SETTING: &[&str] = &["set", "update", "change", "configure", "toggle", "decrease", "reduce", "lower"];
/// Verbs that leave the direction to the contract's present state, unless a flag gives it.
const TOGGLING: &[&str] = &["toggle", "flip", "switch"];
/// Beginnings of words that name a restrained state.
const RESTRAINED: &[&str] = &[
    "paus",
    "freez",
    "froze",
    "clos",
    "halt",
    "lock",
    "shut",
    "seal",
    "suspend",
    "limit",
    "restrict",
    "block",
    "blacklist",
    "banned",
    "denied",
    "throttl",
    "quarantin",
    "kill",
    "emergency",
    "breaker",
    "guard",
];
/// Beginnings of words that name a state in which things happen.
const ENABLED: &[&str] = &["enabl", "activ", "open", "allowed", "start"];
/// Words of release wherever they stand.
const RELEASED: &[&str] = &[
    "unpause",
    "unpaused",
    "unfreeze",
    "unfrozen",
    "unseal",
    "unlock",
    "unhalt",
    "unclose",
    "unblock",
    "unban",
    "uncap",
    "unkill",
    "unlimited",
    "unblacklist",
    "unblocklist",
    "unrestrict",
    "resume",
    "reopen",
    "reactivate",
    "reenable",
    "restart",
    "restore",
];
/// Verbs that undo a restraint which the name also speaks of.
const RELAXING: &[&str] = &[
    "raise", "increase", "lift", "reset", "clear", "relax", "expand", "widen", "waive", "bypass", "skip", "delete",
    "end",
];

/// A function's name in words.
#[derive(Debug)]
pub(super) struct Name {
    words: Vec<String>,
}

impl Name {
    /// Splits a name; who acts and how is not part of what is done.
    pub(super) fn of(name: &str) -> Self {
        let mut words = split(name);
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
        let spoken = |kind: &Kind| self.words.iter().any(|word| spoken_of(word) == Some(*kind));
        let order = [Kind::Code, Kind::Safe, Kind::Power, Kind::Wrapped, Kind::Value];
        order.into_iter().filter(spoken).find(|kind| !self.excused(*kind, direction, arguments, purpose))
    }

    /// Where a call with these arguments leads; `None` where the name does not say.
    pub(super) fn direction(&self, arguments: &[DynSolValue]) -> Option<Direction> {
        let flags: Vec<bool> = leaves(arguments).iter().filter_map(|leaf| leaf.as_bool()).collect();
        let toggles = TOGGLING.contains(&self.lead()) && flags.is_empty();
        let undone = self.words.windows(2).any(|pair| pair[0] == "un" && restrained(&pair[1]));
        if toggles || undone || self.any(|word| RELEASED.contains(&word)) {
            return Some(Direction::Release);
        }
        let (bounded, negated) = (self.any(bounds), self.any(|word| STRIPPING.contains(&word)));
        let switched = self.any(enabled) || self.any(|word| word.starts_with("disabl"));
        let listed = self.any(|word| word.starts_with("whitelist") || word.starts_with("allowlist"));
        // A list of those allowed restrains while it is in force; to be on it is the opposite.
        let restrains = bounded || self.any(restrained) || (listed && switched);
        let enables = self.any(enabled) || (listed && !switched);
        let extreme = bounded && leaves(arguments).into_iter().any(unbounded);
        if extreme || (restrains && self.any(|word| RELAXING.contains(&word))) {
            return Some(Direction::Release);
        }
        if !(restrains || negated || enables) {
            return None;
        }
        let when_true = restrains == negated;
        let releases = if flags.is_empty() { when_true } else { flags.contains(&when_true) };
        Some(if releases { Direction::Release } else { Direction::Restrain })
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
                let lets = RELEASED.contains(&lead) || STRIPPING.contains(&lead) || enabled(lead) || self.sets_state();
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

fn spoken_of(word: &str) -> Option<Kind> {
    let whole = WORDS.iter().find(|(_, words)| words.contains(&word));
    let part = || STEMS.iter().find(|(_, stems)| stems.iter().any(|stem| word.contains(stem)));
    whole.or_else(part).map(|(kind, _)| *kind)
}

fn restrained(word: &str) -> bool {
    RESTRAINED.iter().any(|stem| word.starts_with(stem)) || word == "pauser"
}

fn enabled(word: &str) -> bool {
    word == "allow" || ENABLED.iter().any(|stem| word.starts_with(stem))
}

fn owns(word: &str) -> bool {
    ["owner", "govern", "authority"].iter().any(|stem| word.contains(stem)) || word == "gov"
}

/// Words that name a bound on a quantity.
fn bounds(word: &str) -> bool {
    word.contains("limit")
        || word.ends_with("cap")
        || matches!(word, "caps" | "capped" | "max" | "maximum" | "ceiling" | "quota")
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
