//! Whether a node's configuration and keys are those of the member that its charter names.

use watchfire_charter::{Charter, Member};

use crate::config::Config;
use crate::keys::UnboundKeys;

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
    faults
}
