//! The scenarios that come with the binary.

use super::{Organisation, Scenario, ScenarioError, Stage, parse};

/// Played when none is named.
pub const DEFAULT: &str = "vault-drain";

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        /// Names, in the order they are listed.
        pub const NAMES: &[&str] = &[$($name),*];
        const TEXTS: &[&str] = &[$(include_str!(concat!("../../scenarios/", $name, ".toml"))),*];
    };
}

library!(
    "vault-drain",
    "submitter-down",
    "nonce-stolen",
    "minority",
    "partition",
    "gas-spike",
    "false-alarm",
    "guard-blocks",
    "human-veto",
    "evidence-under-stress",
    "plain-operators",
    "operator-outvoted",
    "fabrication-doubted",
    "walk-through",
    "bad-night",
    "beyond-the-bound",
    "blind-operator",
    "cancelled-late",
    "clock-behind",
    "cloned-node",
    "colluding-majority",
    "colluding-minority",
    "compromised-guardian",
    "compromised-minority",
    "deep-reorg",
    "deepest-reorg",
    "disk-full",
    "drifting-clocks",
    "eclipsed",
    "empty-disk",
    "escalation",
    "expired",
    "failed-sync",
    "false-alarm-storm",
    "false-pause-demotes",
    "fast-blocks",
    "fee-floor",
    "flag-flipper",
    "flag-in-pause",
    "flag-suffices",
    "flapping",
    "forged-message",
    "governance-takeover",
    "guardians-13",
    "guardians-25",
    "guardians-50",
    "half-lost",
    "hoarded-signature",
    "infinite-mint",
    "keys-locked",
    "left-open",
    "lossy-links",
    "lying-operator",
    "many-nodes",
    "minority-in-attack",
    "mixed-minority",
    "no-majority",
    "nonce-denied",
    "nonce-outrun",
    "one-budget-burner",
    "one-certificate-forger",
    "one-clock-liar",
    "one-equivocator",
    "one-false-executor",
    "one-far-partner",
    "one-flipping-operator",
    "one-forged-evidence",
    "one-front-runner",
    "one-impersonator",
    "one-log-forker",
    "one-nonce-thief",
    "one-operator-for-three",
    "one-replayer",
    "one-rewriter",
    "one-selective-sender",
    "one-spammer",
    "one-stale-charter",
    "one-turncoat",
    "one-vetoer",
    "one-way",
    "operator-passes",
    "operator-refutes",
    "operator-says-paused",
    "oracle-manipulation",
    "owner-replaced",
    "pause-refuted",
    "people-approve",
    "people-enough",
    "people-too-few",
    "recovery-alone",
    "recovery-beside",
    "reorg-attack",
    "reorg-pause",
    "reorg-while-down",
    "restored-node",
    "second-attack",
    "sequencer-stall",
    "slow-drain",
    "slow-drip",
    "split-while-signing",
    "stolen-upgrade-key",
    "stranger-pauses",
    "stranger-resumes",
    "submitter-crash-certificate",
    "submitter-crash-finding",
    "submitter-crash-threshold-signed",
    "submitter-crash-vote",
    "threshold-out-of-reach",
    "threshold-raised",
    "tool-down",
    "torn-while-signing",
    "two-assets",
    "two-calls",
    "two-operators-asked",
    "two-silent",
    "two-sluggards",
    "two-tools-down",
    "two-waves",
    "variants",
    "weather",
    "weather-after-recovery",
    "wrong-clocks",
);

/// The scenario of this name, if there is one.
#[must_use]
pub fn find(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let (file, text) = text(name)?;
    Some(parse(&file, &text))
}

/// File name and text of the scenario of this name.
pub(super) fn text(name: &str) -> Option<(String, String)> {
    let at = NAMES.iter().position(|known| *known == name)?;
    Some((format!("simulations/scenarios/{name}.toml"), TEXTS[at].to_owned()))
}

/// Names of those that can be played there, in the order they are listed.
#[must_use]
pub fn names(stage: Stage) -> Vec<&'static str> {
    let here =
        |name: &&&str| find(name).is_some_and(|found| found.is_ok_and(|scenario| scenario.runs.contains(&stage)));
    NAMES.iter().filter(here).copied().collect()
}

/// So many partners, where a scenario counts them only.
pub(super) fn many(count: u16) -> Vec<Organisation> {
    (1..=count)
        .filter_map(|number| {
            Some(Organisation {
                id: format!("org-{number:02}").parse().ok()?,
                name: format!("Organisation {number}"),
                roles: ["security".to_owned()].into(),
                member: format!("org-{number:02}-1").parse().ok()?,
                operator: format!("op-{number:02}").parse().ok()?,
                also_asks: Default::default(),
            })
        })
        .collect()
}

/// The usual five partners.
pub(super) fn five() -> Vec<Organisation> {
    [
        ("alder", "Alder Security", "security"),
        ("birch", "Birch Protocol", "protocol"),
        ("cedar", "Cedar Audits", "security"),
        ("dune", "Dune Collective", "dao"),
        ("ember", "Ember Response", "response"),
    ]
    .into_iter()
    .filter_map(|(id, name, role)| {
        Some(Organisation {
            id: id.parse().ok()?,
            name: name.to_owned(),
            roles: [role.to_owned()].into(),
            member: format!("{id}-1").parse().ok()?,
            operator: format!("op-{id}").parse().ok()?,
            also_asks: Default::default(),
        })
    })
    .collect()
}
