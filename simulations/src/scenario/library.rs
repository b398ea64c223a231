//! The scenarios that come with the binary.

use super::{Organisation, Scenario, ScenarioError, parse};

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
    "walk-through",
    "beyond-the-bound",
    "blind-operator",
    "cancelled-late",
    "compromised-guardian",
    "compromised-minority",
    "deep-reorg",
    "disk-full",
    "empty-disk",
    "escalation",
    "false-alarm-storm",
    "fast-blocks",
    "forged-message",
    "governance-takeover",
    "guardians-13",
    "guardians-25",
    "hoarded-signature",
    "infinite-mint",
    "lossy-links",
    "lying-operator",
    "minority-in-attack",
    "no-majority",
    "nonce-denied",
    "one-equivocator",
    "one-false-executor",
    "one-replayer",
    "one-selective-sender",
    "one-spammer",
    "one-vetoer",
    "one-way",
    "operator-says-paused",
    "oracle-manipulation",
    "recovery-alone",
    "reorg-attack",
    "reorg-pause",
    "restored-node",
    "second-attack",
    "sequencer-stall",
    "split-while-signing",
    "stolen-upgrade-key",
    "stranger-pauses",
    "stranger-resumes",
    "submitter-crash-certificate",
    "submitter-crash-finding",
    "submitter-crash-threshold-signed",
    "submitter-crash-vote",
    "tool-down",
    "two-operators-asked",
    "two-tools-down",
    "weather",
    "weather-after-recovery",
    "wrong-clocks",
);

/// The scenario of this name, if there is one.
#[must_use]
pub fn find(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let at = NAMES.iter().position(|known| *known == name)?;
    Some(parse(&format!("simulations/scenarios/{name}.toml"), TEXTS[at]))
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
