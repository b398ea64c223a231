//! The words that names are judged by. A list that grows refuses more or lets plainly restraining calls through; it never judges alone.

use super::Kind;

/// Parts of words that speak of what is never signed, in the order in which they name the reason.
pub(super) const STEMS: &[(Kind, &[&str])] = &[
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
            "keeper",
            "validator",
            "router",
            "strateg",
            "relayer",
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
pub(super) const WORDS: &[(Kind, &[&str])] = &[
    (Kind::Code, &["impl", "proxy", "logic", "facet", "facets", "diamond", "destroy", "destruct"]),
    (Kind::Power, &["gov", "role", "roles", "pending", "rely", "hope", "kiss", "ward", "wards"]),
    (Kind::Safe, &["module", "modules", "guard", "threshold", "fallback"]),
    (
        Kind::Value,
        &["send", "pay", "exit", "donate", "collect", "pull", "move", "take", "give", "issue", "buy", "sell"],
    ),
    (Kind::Value, &["trade", "supply", "repay", "evacuate", "airdrop"]),
];

/// Words next to each other with the same meaning; nothing excuses them.
pub(super) const PAIRS: &[(Kind, &str, &[&str])] = &[
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
pub(super) const CARRIERS: &[&str] = &["execute", "exec", "schedule", "call", "aggregate", "batch"];
/// Who acts, before the verb: `guardianPause`.
pub(super) const SUBJECTS: &[&str] = &["guardian", "admin", "owner", "governance", "governor", "protocol"];
/// How it acts, before the verb: `emergencyPause`.
pub(super) const MANNERS: &[&str] = &["emergency", "global", "force"];
/// Two acts in one name: what the first word says does not hold for the rest.
pub(super) const CONJUNCTIONS: &[&str] = &["and", "then"];

/// Verbs that stop what they name; the last three are those of the wards family: `cage`, and what undoes `kiss` and `hope`.
pub(super) const HALTING: &[&str] = &[
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
    "denylist",
    "quarantine",
    "shut",
    "shutdown",
    "cage",
    "diss",
    "nope",
];
/// Verbs that take away what they name, so that taking away a limit is a release. Ownership is not taken away: nobody
/// would be left to recover.
pub(super) const STRIPPING: &[&str] = &[
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
pub(super) const SETTING: &[&str] = &["set", "update", "change", "configure", "toggle", "decrease", "reduce", "lower"];
/// Verbs that leave the direction to the contract's present state, unless a flag gives it.
pub(super) const TOGGLING: &[&str] = &["toggle", "flip", "switch"];
/// Beginnings of words that name a restrained state.
pub(super) const RESTRAINED: &[&str] = &[
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
    "denylist",
    "throttl",
    "quarantin",
    "kill",
    "emergency",
    "breaker",
    "guard",
];
/// Beginnings of words that name a state in which things happen.
pub(super) const ENABLED: &[&str] = &["enabl", "activ", "open", "allowed", "start"];
/// Verbs that put somebody in a place, or a new value.
pub(super) const INSTALLING: &[&str] =
    &["set", "update", "change", "add", "register", "appoint", "assign", "install", "replace", "file", "configure"];
/// Lists of those refused or let in, often written as two words.
pub(super) const LISTS: &[&str] = &["black", "white", "block", "allow", "deny"];
/// Words of release wherever they stand.
pub(super) const RELEASED: &[&str] = &[
    "uncap",
    "thaw",
    "thawed",
    "defrost",
    "continue",
    "reinstate",
    "resume",
    "reopen",
    "reactivate",
    "reenable",
    "restart",
    "restore",
];
/// Verbs that undo a restraint which the name also speaks of.
pub(super) const RELAXING: &[&str] = &[
    "raise", "increase", "lift", "reset", "clear", "relax", "expand", "widen", "waive", "bypass", "skip", "delete",
    "end", "not", "no", "never",
];
/// Words that undo a restraint which the name also speaks of where they end it: `pauseOff`, not `pauseOffRamp`.
pub(super) const UNDOING_LAST: &[&str] = &["off", "false", "open"];

pub(super) fn spoken_of(word: &str) -> Option<Kind> {
    let whole = WORDS.iter().find(|(_, words)| words.contains(&word));
    let part = || STEMS.iter().find(|(_, stems)| stems.iter().any(|stem| word.contains(stem)));
    whole.or_else(part).map(|(kind, _)| *kind)
}

pub(super) fn restrained(word: &str) -> bool {
    RESTRAINED.iter().any(|stem| word.starts_with(stem)) || HALTING.contains(&word) || word == "pauser"
}

pub(super) fn enabled(word: &str) -> bool {
    matches!(word, "allow" | "live") || ENABLED.iter().any(|stem| word.starts_with(stem))
}

pub(super) fn owns(word: &str) -> bool {
    ["owner", "govern", "authority"].iter().any(|stem| word.contains(stem)) || word == "gov"
}

/// Words that name a bound on a quantity.
pub(super) fn bounds(word: &str) -> bool {
    word.contains("limit")
        || word.ends_with("cap")
        || matches!(word, "caps" | "capped" | "max" | "maximum" | "ceiling" | "quota")
}

/// Words of release, and those that undo a restraint: `unpause`, `unstop`.
pub(super) fn released(word: &str) -> bool {
    let undoes = |rest: &str| restrained(rest) || STRIPPING.contains(&rest);
    RELEASED.contains(&word) || word.strip_prefix("un").is_some_and(undoes)
}
