//! What is looked for in a trace, and within which bounds each may count.
//!
//! Every feature has a level, 0 (not seen) to its own most, and a weight: points a level. The bounds of the weights stand here, set by
//! people who said why; the weights themselves are computed within them from labelled traces.

mod code;
mod gain;
mod loan;
mod loss;
mod outline;
mod price;
mod reentry;
mod trick;

use super::scene::Scene;
use super::tree::CallTree;

/// One thing that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Stable name, kebab-case.
    pub name: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
    /// Highest level.
    pub levels: u8,
    /// Least points a level.
    pub least: i32,
    /// Most points a level.
    pub most: i32,
}

/// A feature met in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: &'static str,
    /// How much of it: 1 to its levels.
    pub level: u8,
    /// One line with the figures.
    pub detail: String,
}

const fn feature(name: &'static str, levels: u8, least: i32, most: i32, meaning: &'static str) -> Feature {
    Feature { name, meaning, levels, least, most }
}

/// All features, in the order in which reasons of equal weight are told.
pub const FEATURES: &[Feature] = &[
    feature("free-gain", 1, 20, 100, "the group ends with more of something and less of nothing"),
    feature("profit", 4, 10, 50, "what the group gains: from 1, 10, 100, 1,000 native coins"),
    feature("both-ways-loser", 2, 40, 160, "an outsider got a token, gave more of it back, and got nothing else"),
    feature("loser", 3, 5, 60, "outsiders that gave and got nothing: from 1, 2, 4"),
    feature("loser-of-many", 2, 20, 120, "one outsider lost two, three or more tokens and got nothing"),
    feature("toll", 3, 10, 90, "what an outsider lost for nothing: from 10, 100, 1,000 native coins"),
    feature("approval-drain", 2, 120, 400, "tokens of others taken through somebody else's allowance"),
    feature("worthless-pay", 1, 60, 200, "an outsider was paid with tokens made in this transaction"),
    feature(
        "minted-and-sold",
        2,
        40,
        130,
        "tokens minted for the group were given for other value: any, by its own call",
    ),
    feature("overflow", 1, 160, 480, "an amount that no token has"),
    feature("flash-loan", 3, 30, 90, "a loan taken and returned: any, from 500, from 5,000 native coins"),
    feature("round-trip", 3, 30, 110, "the group entered and left the same contract: once, from 3, from 8 times"),
    feature("enter-and-borrow", 1, 20, 140, "the group put value in, borrowed, and ends with a free gain"),
    feature(
        "re-entry",
        3,
        20,
        110,
        "a contract was called again while it called the group: any, the same function, 3 times",
    ),
    feature("read-only-re-entry", 1, 40, 200, "an outsider read a price of a contract that was just calling the group"),
    feature("price-moved", 3, 15, 90, "the same question about a price got another answer later: from 1, 2, 4 times"),
    feature(
        "priced-after-trade",
        1,
        30,
        140,
        "an outsider read a price from where the group had just traded, and paid out",
    ),
    feature("traded-back", 2, 25, 110, "the group traded in both directions with one contract: 1, from 3"),
    feature("donation", 1, 30, 140, "the group gave a contract tokens unasked, and then took from it"),
    feature("fresh-allowances", 3, 20, 100, "contracts of the group give allowances to outsiders: from 1, 3, 6"),
    feature(
        "allowance-taken",
        1,
        120,
        400,
        "an outsider gave the group an allowance that it spent at once, or five gave some",
    ),
    feature("pair-forced", 2, 40, 140, "the group made pairs skim or sync: once, from 4 times"),
    feature("empty-moves", 2, 30, 110, "the group made transfers that move nothing: once, from 4 times"),
    feature("forced-trade", 1, 40, 180, "an outsider was made to trade where the group traded before and after"),
    feature("posing", 1, 20, 200, "an outsider called the group by a function of tokens, or one that is not known"),
    feature("repetition", 4, 10, 70, "the group called one function of one contract: from 5, 10, 25, 60 times"),
    feature("created-caller", 3, 20, 90, "contracts made in this transaction call outsiders: 1, from 2, from 5"),
    feature("constructor", 1, 30, 140, "value leaves outsiders while a contract is being constructed"),
    feature("self-destruct", 1, 10, 70, "the group destroyed one of its contracts"),
    feature("delegated-to-group", 1, 60, 240, "an outsider ran the group's code as its own"),
    feature("authority", 1, 30, 160, "the group took authority over an outsider that then lost value"),
    feature("governance", 1, 30, 160, "a vote or its execution inside a flash loan, or with a free gain"),
    feature("size", 5, 20, 60, "calls: from 80, 160, 320, 640, 1,280"),
    feature("outsiders", 3, 5, 50, "contracts that the group calls: from 6, 12, 24"),
    feature("failed-calls", 1, 0, 40, "three or more inner calls failed"),
    feature("known-entry", 1, -160, -20, "the transaction calls a function that wallets call every day"),
    feature("all-paid", 1, -180, -80, "everyone who gave something got something else"),
    feature("redeemed", 1, -120, -20, "claims were given back for what was paid out"),
    feature("liquidates", 1, -200, -40, "the position of somebody else was liquidated"),
    feature("repays", 1, -180, -60, "a loan was paid back that was not taken in this transaction"),
    feature("no-gain", 1, -220, -60, "the group does not end better off"),
    feature("plain", 1, -240, -100, "a few calls to one or two contracts, and no loan"),
    feature("reverted", 1, -1000, -400, "the transaction failed and left nothing behind"),
];

/// What is met in a trace.
#[must_use]
pub fn features(tree: &CallTree) -> Vec<Seen> {
    let scene = Scene::new(tree);
    if tree.root().failed {
        return vec![Seen { name: "reverted", level: 1, detail: "nothing of it remains".to_owned() }];
    }
    let all: &[fn(&Scene<'_>, &mut Vec<Seen>)] =
        &[gain::see, loss::see, loan::see, reentry::see, price::see, trick::see, code::see, outline::see];
    let mut seen = Vec::new();
    for family in all {
        family(&scene, &mut seen);
    }
    seen
}

/// Adds a feature if its level is not 0; details are cut at 400 characters.
fn add(seen: &mut Vec<Seen>, name: &'static str, level: u8, detail: impl FnOnce() -> String) {
    if level > 0 {
        seen.push(Seen { name, level, detail: detail().chars().take(400).collect() });
    }
}

/// How many of these bounds a number reaches.
fn steps(value: u64, bounds: &[u64]) -> u8 {
    bounds.iter().fold(0, |level, bound| level + u8::from(value >= *bound))
}
