//! Organisations and members: who they are, with which keys, and that no two share one.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use watchfire_types::signed::verifying_key;
use watchfire_types::{MemberId, MemberKey, OperatorId, OrganisationId};

use super::references::{Declared, address, refer, unique};
use crate::model::{Member, MemberKind, Organisation};
use crate::multiaddress::{self, MultiaddressError};
use crate::quorum::{Roster, Voter};
use crate::reader::{Log, Place, Section, Value};

/// Guardians are all connected to each other, so their number is bounded; so are organisations and members.
const PARTNERS_MAX: usize = 64;

/// What the document says of partners.
#[derive(Debug)]
pub(crate) struct Partners {
    pub(crate) organisations: BTreeMap<OrganisationId, Organisation>,
    pub(crate) members: BTreeMap<MemberId, Member>,
    /// As much as quorum checks need, even of members that have a fault elsewhere.
    pub(crate) roster: Roster,
    /// Every guardian and submitter address with its place, also of members that have a fault elsewhere.
    pub(crate) accounts: Vec<(Address, Place)>,
}

/// Reads `[[organisation]]` and `[[member]]`. In a drill all members may live on one machine.
pub(crate) fn read(root: &mut Section<'_>, declared: &Declared, drill: Option<bool>) -> Partners {
    let mut partners = Partners {
        organisations: BTreeMap::new(),
        members: BTreeMap::new(),
        roster: Roster::default(),
        accounts: Vec::new(),
    };
    for mut section in root.sections("organisation", PARTNERS_MAX) {
        let id = section.parsed::<OrganisationId>("id", "a short name such as alder");
        let name = section.text("name", "the organisation's name");
        let roles = section.values("roles", 16).iter().filter_map(role).collect::<BTreeSet<_>>();
        if let Some(id) = id {
            unique(&section, &id, &declared.organisations);
            partners.roster.roles.insert(id.clone(), roles.clone());
            if let Some(name) = name {
                partners.organisations.insert(id, Organisation { name, roles });
            }
        }
        section.finish();
    }
    let mut keys = Keys { drill: drill != Some(false), ..Keys::default() };
    for mut section in root.sections("member", PARTNERS_MAX) {
        if let Some((id, member)) = member(&mut section, declared, &mut partners.roster, &mut keys) {
            partners.members.insert(id, member);
        }
        section.finish();
    }
    keys.check(root.log);
    partners.accounts = keys.accounts;
    partners
}

/// A role: the same alphabet as ids, so that `Security` and `security` cannot both exist.
pub(crate) fn role(value: &Value<'_>) -> Option<String> {
    value.parsed::<OperatorId>("a role such as security").map(|role| role.to_string())
}

fn member(
    section: &mut Section<'_>,
    declared: &Declared,
    roster: &mut Roster,
    keys: &mut Keys,
) -> Option<(MemberId, Member)> {
    let id = section.parsed::<MemberId>("id", "a short name such as alder-1");
    if let Some(id) = &id {
        unique(section, id, &declared.members);
    }
    let organisation = section.need("organisation", "the id of its organisation");
    let organisation = organisation.and_then(|value| refer(&value, &declared.organisations, "organisation"));
    let kind = section.need("kind", "guardian, voter or watcher").and_then(|value| kind(&value));
    let node_key = section.need("node_key", "64 hex digits, as `watchfire init` prints them");
    let node_key = node_key.and_then(|value| node_key_of(&value, keys));
    let guardian = account(section, "guardian", kind, &mut keys.accounts);
    let submitter = account(section, "submitter", kind, &mut keys.accounts);
    let operators: BTreeSet<OperatorId> =
        section.values("operators", 16).iter().filter_map(|value| value.parsed("an operator label")).collect();
    if kind.is_some_and(|kind| kind != MemberKind::Watcher) && operators.is_empty() {
        let at = section.place_of("operators");
        section.log.fault(&at, "no-operator", "a member that votes carries an operator label", "name one at least");
    }
    let written = section.values("addresses", 16);
    if kind == Some(MemberKind::Guardian) && written.is_empty() {
        let message = "a guardian without an address can be dialled by nobody";
        section.log.warn(&section.place_of("addresses"), "no-address", message, "add its multiaddresses");
    }
    let addresses = written.iter().filter_map(|value| multiaddress(value, keys.drill)).collect();
    // A kind that cannot be read hides no fault of a count: who carries a guardian's key is meant as one.
    let meant = kind.or_else(|| section.get("guardian").map(|_| MemberKind::Guardian));
    if let (Some(organisation), Some(kind)) = (&organisation, meant) {
        let (id, organisation, operators) = (id.clone(), organisation.clone(), operators.clone());
        roster.voters.push(Voter { id, organisation, kind, operators });
    } else {
        roster.uncounted += 1;
    }
    let member = Member {
        organisation: organisation?,
        kind: kind?,
        node_key: node_key?,
        guardian: guardian?,
        submitter: submitter?,
        operators,
        addresses,
    };
    Some((id?, member))
}

fn kind(value: &Value<'_>) -> Option<MemberKind> {
    match value.text()?.as_str() {
        "guardian" => Some(MemberKind::Guardian),
        "voter" => Some(MemberKind::Voter),
        "watcher" => Some(MemberKind::Watcher),
        other => {
            value.fault("malformed", format!("{other:?} is no kind of member"), "write guardian, voter or watcher");
            None
        }
    }
}

fn node_key_of(value: &Value<'_>, keys: &mut Keys) -> Option<MemberKey> {
    let key: MemberKey = value.parsed("64 hex digits, as `watchfire init` prints them")?;
    if verifying_key(key).is_none() {
        let message = format!("{key} is no ed25519 key, or a weak one under which anyone can sign");
        value.fault("weak-key", message, "make a new key with `watchfire init`");
        return None;
    }
    keys.nodes.push((key, value.at.clone()));
    Some(key)
}

/// A guardian's account; the outer `None` is a fault.
fn account(
    section: &mut Section<'_>,
    key: &'static str,
    kind: Option<MemberKind>,
    accounts: &mut Vec<(Address, Place)>,
) -> Option<Option<Address>> {
    let what = "the checksummed address that `watchfire init` prints";
    let value = match kind {
        Some(MemberKind::Guardian) => Some(section.need(key, what)?),
        Some(MemberKind::Voter | MemberKind::Watcher) => {
            if let Some(value) = section.get(key) {
                value.fault(
                    "not-a-guardian",
                    format!("only a guardian has a `{key}`"),
                    "remove it, or make it a guardian",
                );
                return None;
            }
            None
        }
        None => section.get(key),
    };
    let Some(value) = value else { return Some(None) };
    let address = address(&value)?;
    accounts.push((address, value.at));
    Some(Some(address))
}

/// An address that every other member can dial.
fn multiaddress(value: &Value<'_>, drill: bool) -> Option<String> {
    let text = value.text()?;
    let remedy =
        "write where partners reach it, such as /ip4/192.0.2.1/tcp/9001 or /dns4/node.example.org/udp/9001/quic-v1";
    let kind = |error: &MultiaddressError| match error {
        MultiaddressError::Unspecified { .. } | MultiaddressError::PortZero { .. } => "not-dialable",
        _ => "malformed",
    };
    multiaddress::check_dial(&text).map_err(|error| value.fault(kind(&error), error, remedy)).ok()?;
    if !drill && multiaddress::is_loopback(&text) {
        let message = format!("{text} leads every partner to its own machine");
        value.warn("loopback-address", message, remedy);
    }
    Some(text)
}

/// Every key with its place, for finding those used twice.
#[derive(Debug, Default)]
struct Keys {
    /// Whether members may share a machine.
    drill: bool,
    nodes: Vec<(MemberKey, Place)>,
    accounts: Vec<(Address, Place)>,
}

impl Keys {
    fn check(&self, log: &Log) {
        duplicates(log, &self.nodes, "duplicate-node-key", "node key");
        duplicates(log, &self.accounts, "duplicate-account", "guardian or submitter address");
    }
}

fn duplicates<T: Ord + std::fmt::Display>(log: &Log, keys: &[(T, Place)], kind: &'static str, what: &str) {
    let mut first = BTreeMap::new();
    for (key, at) in keys {
        if let Some(earlier) = first.insert(key, at) {
            let message = format!("{what} {key} is used before, at line {} ({})", earlier.line, earlier.key);
            log.fault(at, kind, message, "give every member its own keys, each used for one thing");
        }
    }
}
