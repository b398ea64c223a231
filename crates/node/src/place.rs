//! Whether a node's configuration and keys are those of the member that its charter names.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use watchfire_charter::{Charter, Fault, Member};
use watchfire_types::{AssetId, DetectorId, OperatorId};

use crate::config::intake::IntakeSection;
use crate::config::lookout::LookoutSection;
use crate::config::{ChainSection, Config, ConfigError};
use crate::control::socket_fault;
use crate::intake::secret::Secret;
use crate::keys::{KeyError, UnboundKeys};
use crate::lookout;
use crate::run::{config_of, gossip_config};

/// One thing that keeps a node from running as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFault {
    /// Stable name in kebab-case: `not-a-member`.
    pub kind: &'static str,
    /// File, and key or line in it.
    pub at: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for PlaceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.message, self.remedy)
    }
}

impl PlaceFault {
    fn of(kind: &'static str, at: &str, message: String, remedy: &str) -> Self {
        Self { kind, at: at.to_owned(), message, remedy: remedy.to_owned() }
    }

    /// An error as a fault: what errors for people say after their last semicolon is what to do.
    fn of_error(kind: &'static str, at: &str, error: &impl fmt::Display) -> Self {
        let text = error.to_string();
        let (message, remedy) = text.rsplit_once("; ").unwrap_or((&text, "correct it"));
        Self::of(kind, at, message.to_owned(), remedy)
    }

    /// What is wrong with a key of this node directory, or with its password.
    pub(crate) fn of_key(directory: &Path, error: &KeyError) -> Self {
        Self::of_error(error.kind(), &directory.join("keys").display().to_string(), error)
    }

    /// A fault of the configuration's or the charter's text.
    pub(crate) fn of_text(file: &Path, Fault(fault): &Fault) -> Self {
        let at = format!("{} line {}: {}", file.display(), fault.line, fault.key);
        Self::of(fault.kind, &at, fault.message.clone(), &fault.remedy)
    }

    /// A file that cannot be read.
    pub(crate) fn of_file(kind: &'static str, file: &Path, error: &ConfigError) -> Self {
        Self::of_error(kind, &file.display().to_string(), error)
    }
}

/// What runs and is worth a word: on a chain that is no drill's, one operator alone is believed whatever it says.
#[must_use]
pub fn warnings(config: &Config, charter: &Charter) -> Vec<PlaceFault> {
    let alone = config.chains.values().filter(|section| !charter.drill && section.agree == 1);
    let warning = |section: &ChainSection| {
        PlaceFault::of(
            "one-operator",
            &format!("{}: chain {}: agree", config.path.display(), section.id),
            "agree = 1: whatever a single operator says of the chain is taken for true, so that it alone can make this node vote, or \
             keep it from seeing an attack"
                .to_owned(),
            "name endpoints of other operators and set agree = 2",
        )
    };
    alone.map(warning).collect()
}

/// What in the configuration does not fit the charter.
#[must_use]
pub fn faults(config: &Config, charter: &Charter) -> Vec<PlaceFault> {
    let mut faults = Vec::new();
    let at = |key: &str| format!("{}: {key}", config.path.display());
    match charter.members.get(&config.member) {
        None => faults.push(PlaceFault::of(
            "not-a-member",
            &at("member"),
            format!("{} is not in charter {}", config.member, config.charter.display()),
            "ask whoever keeps the charter to add the entry that init printed",
        )),
        Some(member) if member.organisation != config.organisation => faults.push(PlaceFault::of(
            "other-organisation",
            &at("organisation"),
            format!(
                "{} does not match: the charter has member {} under {}",
                config.organisation, config.member, member.organisation
            ),
            "correct whichever is wrong: organisation or member here, or the charter",
        )),
        Some(_) => {}
    }
    for id in charter.chains.keys().filter(|id| !config.chains.contains_key(id)) {
        let message = format!("chain {id} of the charter has no [[chain]] section");
        faults.push(PlaceFault::of("chain-missing", &at("chain"), message, "add one with its endpoints"));
    }
    for id in config.chains.keys().filter(|id| !charter.chains.contains_key(id)) {
        let message = format!("chain {id} is not in the charter");
        faults.push(PlaceFault::of("chain-unknown", &at("chain"), message, "remove its [[chain]] section"));
    }
    for id in config.peers.keys().filter(|id| !charter.members.contains_key(id)) {
        let message = format!("{id} is no member of the charter");
        faults.push(PlaceFault::of("peer-unknown", &at("network.peers"), message, "remove it, or correct its name"));
    }
    if let Some(fault) = socket_fault(&config.directory) {
        faults.push(PlaceFault::of_error("path-too-long", &config.directory.display().to_string(), &fault));
    }
    faults.extend(config.chains.values().flat_map(|section| chain_faults(config, charter, section)));
    faults.extend(config.intake.iter().flat_map(|section| intake_faults(config, charter, section)));
    let silent = config.silence.iter().flat_map(|section| &section.assets);
    for asset in silent.filter(|asset| !charter.assets.contains_key(*asset)) {
        let message = format!("{asset} is no asset of the charter");
        faults.push(PlaceFault::of("asset-unknown", &at("silence.assets"), message, "correct its name"));
    }
    let sources = config.intake.iter().flat_map(|section| section.sources.keys()).collect();
    faults.extend(config.lookouts.iter().flat_map(|lookout| lookout_faults(config, charter, &sources, lookout)));
    faults
}

/// What keeps reports from being taken as configured.
fn intake_faults(config: &Config, charter: &Charter, section: &IntakeSection) -> Vec<PlaceFault> {
    let mut faults = Vec::new();
    for (name, source) in &section.sources {
        let at = format!("{}: intake.source {name}", config.path.display());
        faults.extend(source_faults(&at, charter, name, &source.asset));
        if let Err(error) = Secret::read(&source.secret_file, source.signature) {
            faults.push(PlaceFault::of_error("secret-unusable", &at, &error));
        }
    }
    faults
}

/// What keeps this node from looking at something as configured.
fn lookout_faults(
    config: &Config,
    charter: &Charter,
    sources: &BTreeSet<&DetectorId>,
    (name, section): (&DetectorId, &LookoutSection),
) -> Vec<PlaceFault> {
    let at = format!("{}: lookout {name}", config.path.display());
    let mut faults = source_faults(&at, charter, name, &section.asset);
    if sources.contains(name) {
        let message = "a source of [intake] has this name".to_owned();
        faults.push(PlaceFault::of("name-taken", &at, message, "give one of them another"));
    }
    if let Err(error) = lookout::check(section) {
        faults.push(PlaceFault::of_error("lookout-unusable", &at, &error));
    }
    faults
}

/// What is wrong with the name and asset of whoever reports.
fn source_faults(at: &str, charter: &Charter, name: &DetectorId, asset: &AssetId) -> Vec<PlaceFault> {
    let mut faults = Vec::new();
    if !charter.assets.contains_key(asset) {
        let message = format!("{asset} is no asset of the charter");
        faults.push(PlaceFault::of("asset-unknown", at, message, "correct its name"));
    }
    if charter.detectors.contains_key(name) {
        let message = "a rule of the charter has this name".to_owned();
        faults.push(PlaceFault::of("name-taken", at, message, "give the source another one"));
    }
    faults
}

/// What keeps a chain from being followed as configured, or this member from voting on what it sees there.
fn chain_faults(config: &Config, charter: &Charter, section: &ChainSection) -> Vec<PlaceFault> {
    let at = format!("{}: chain {}", config.path.display(), section.id);
    let Some(chain) = config_of(charter, &config.member, section) else { return Vec::new() };
    let mut faults = Vec::new();
    if let Err(error) = chain.check() {
        faults.push(PlaceFault::of_error("chain-unusable", &at, &error));
    }
    let Some(member) = charter.members.get(&config.member).filter(|member| member.votes()) else { return faults };
    let asked = section.operators();
    if !member.operators.iter().any(|label| asked.contains(label)) {
        let labels: Vec<&str> = member.operators.iter().map(OperatorId::as_str).collect();
        let message = format!(
            "no endpoint that is asked has one of the operator labels that the charter gives member {} ({}), so none of its votes \
             would count",
            config.member,
            labels.join(", ")
        );
        let remedy = "add such an endpoint, or have the charter name the operators it reads from";
        faults.push(PlaceFault::of("no-own-operator", &at, message, remedy));
    }
    faults
}

/// What in the keys does not fit the charter.
#[must_use]
pub fn key_faults(config: &Config, charter: &Charter, keys: &UnboundKeys) -> Vec<PlaceFault> {
    let Some(member) = charter.members.get(&config.member) else { return Vec::new() };
    let Member { node_key, guardian, submitter, .. } = member;
    let mut faults = Vec::new();
    let mut differs = |what: &str, file: &str, own: String, charter: String| {
        if own != charter {
            let at = config.directory.join("keys").join(file).display().to_string();
            let message = format!("{what} is {own} here, but {charter} in the charter for member {}", config.member);
            let remedy = "put that member's own key file back from its backup, correct `member` in config.toml, or have the charter \
                          take this member's new entry";
            faults.push(PlaceFault::of("key-differs", &at, message, remedy));
        }
    };
    differs("the node key", "node.pem", keys.node_key().to_string(), node_key.to_string());
    let shown = |address: Option<watchfire_types::Address>| {
        address.map_or_else(|| "none".to_owned(), |address| address.to_checksum(None))
    };
    differs("the guardian", "guardian.json", shown(keys.guardian_address()), shown(*guardian));
    differs("the submitter", "submitter.json", shown(keys.submitter_address()), shown(*submitter));
    if let Err(error) = keys.may_bind(charter.network_id()) {
        faults.push(PlaceFault::of_key(&config.directory, &error));
    }
    // With another node key than the charter's, what the network says of it says no more.
    if faults.is_empty()
        && let Err(error) = watchfire_gossip::check(&gossip_config(config, charter, keys))
    {
        faults.push(PlaceFault::of_error("network", &format!("{}: network", config.path.display()), &error));
    }
    faults
}
