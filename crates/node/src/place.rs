//! Whether a node's configuration and keys are those of the member that its charter names.

use watchfire_charter::{Charter, Member};
use watchfire_types::OperatorId;

use crate::config::{ChainSection, Config};
use crate::control::socket_fault;
use crate::keys::UnboundKeys;
use crate::run::{config_of, gossip_config};

/// What in the configuration does not fit the charter, a line each.
#[must_use]
pub fn faults(config: &Config, charter: &Charter) -> Vec<String> {
    let mut faults = Vec::new();
    let path = config.path.display();
    match charter.members.get(&config.member) {
        None => faults.push(format!(
            "{path}: member {} is not in charter {}; ask whoever keeps the charter to add the entry that init printed",
            config.member,
            config.charter.display()
        )),
        Some(member) if member.organisation != config.organisation => faults.push(format!(
            "{path}: organisation {} does not match: the charter has member {} under {}",
            config.organisation, config.member, member.organisation
        )),
        Some(_) => {}
    }
    for id in charter.chains.keys().filter(|id| !config.chains.contains_key(id)) {
        faults.push(format!("{path}: chain {id} of the charter has no [[chain]] section; add one with its endpoints"));
    }
    for id in config.chains.keys().filter(|id| !charter.chains.contains_key(id)) {
        faults.push(format!("{path}: chain {id} is not in the charter; remove its [[chain]] section"));
    }
    for id in config.peers.keys().filter(|id| !charter.members.contains_key(id)) {
        faults.push(format!("{path}: network.peers names {id}, which is no member of the charter; remove it"));
    }
    faults.extend(socket_fault(&config.directory));
    faults.extend(config.chains.values().flat_map(|section| chain_faults(config, charter, section)));
    faults
}

/// What keeps a chain from being followed as configured, or this member from voting on what it sees there.
fn chain_faults(config: &Config, charter: &Charter, section: &ChainSection) -> Vec<String> {
    let (path, id) = (config.path.display(), section.id);
    let Some(chain) = config_of(charter, &config.member, section) else { return Vec::new() };
    let mut faults = Vec::new();
    if let Err(error) = chain.check() {
        faults.push(format!("{path}: {error}"));
    }
    let Some(member) = charter.members.get(&config.member).filter(|member| member.votes()) else { return faults };
    let asked = section.operators();
    if !member.operators.iter().any(|label| asked.contains(label)) {
        let labels: Vec<&str> = member.operators.iter().map(OperatorId::as_str).collect();
        faults.push(format!(
            "{path}: chain {id}: no endpoint that is asked has one of the operator labels that the charter gives member {} ({}), \
             so none of its votes would count; add such an endpoint, or have the charter name the operators it reads from",
            config.member,
            labels.join(", ")
        ));
    }
    faults
}

/// What in the keys does not fit the charter, a line each.
#[must_use]
pub fn key_faults(config: &Config, charter: &Charter, keys: &UnboundKeys) -> Vec<String> {
    let Some(member) = charter.members.get(&config.member) else { return Vec::new() };
    let Member { node_key, guardian, submitter, .. } = member;
    let mut faults = Vec::new();
    let mut differs = |what: &str, own: String, charter: String| {
        if own != charter {
            faults
                .push(format!("{what} is {own} in {}/keys, but {charter} in the charter", config.directory.display()));
        }
    };
    differs("the node key", keys.node_key().to_string(), node_key.to_string());
    let shown = |address: Option<watchfire_types::Address>| {
        address.map_or_else(|| "none".to_owned(), |address| address.to_checksum(None))
    };
    differs("the guardian", shown(keys.guardian_address()), shown(*guardian));
    differs("the submitter", shown(keys.submitter_address()), shown(*submitter));
    faults.extend(keys.may_bind(charter.network_id()).err().map(|error| error.to_string()));
    // With another node key than the charter's, what the network says of it says no more.
    if faults.is_empty() {
        let refused = watchfire_gossip::check(&gossip_config(config, charter, keys)).err();
        faults.extend(refused.map(|error| format!("{}: {error}", config.path.display())));
    }
    faults
}
