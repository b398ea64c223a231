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
);

/// The scenario of this name, if there is one.
#[must_use]
pub fn find(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let at = NAMES.iter().position(|known| *known == name)?;
    Some(parse(&format!("simulations/scenarios/{name}.toml"), TEXTS[at]))
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
        })
    })
    .collect()
}
