//! Chains and the Safes on them.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_types::{ChainId, MemberId, SafeId, SafeVersion};

use super::is_drill_chain;
use super::partners::Partners;
use super::references::{Declared, address, refer, refer_chain, unique};
use crate::model::{Chain, Finality, MemberKind, PinnedCode, Route, Safe};
use crate::reader::{Place, Section, Value};

const CHAINS_MAX: usize = 32;
const SAFES_MAX: usize = 64;

/// Chains that are sound in themselves.
#[derive(Debug)]
pub(crate) struct Chains {
    pub(crate) chains: BTreeMap<ChainId, Chain>,
}

/// Safes that are sound in themselves, with the place of each one's threshold.
#[derive(Debug)]
pub(crate) struct Safes {
    pub(crate) safes: BTreeMap<SafeId, Safe>,
    pub(crate) thresholds: BTreeMap<SafeId, Place>,
    /// Every Safe address of the document by chain, also of Safes with a fault elsewhere: none is ever a target.
    pub(crate) addresses: BTreeSet<(ChainId, Address)>,
}

/// Reads `[[chain]]`.
pub(crate) fn read_chains(root: &mut Section<'_>, declared: &Declared, drill: Option<bool>) -> Chains {
    let mut chains = BTreeMap::new();
    for mut section in root.sections("chain", CHAINS_MAX) {
        let id = chain_id(&mut section, declared, drill);
        let name = section.text("name", "the chain's name");
        let block_time_ms = section.number("block_time_ms", 10..=3_600_000, "expected time between blocks in ms");
        let finality = section.need("finality", "\"finalized\", \"safe\" or { depth = 12 }").and_then(|v| finality(&v));
        let gas_cap = section.number("gas_cap", 100_000..=1_000_000_000_000, "most gas of one transaction");
        let route = section.need("route", "private_first, public or sequencer").and_then(|value| route(&value));
        let stagger_ms_min = section.number("stagger_ms_min", 0..=600_000, "least delay between submitters in ms");
        let pinned = section.get("multi_send_call_only");
        let multi_send_call_only = pinned.map_or(Some(None), |value| pinned_code(&value).map(Some));
        section.finish();
        let chain = || {
            Some(Chain {
                name: name?,
                block_time_ms: block_time_ms?,
                finality: finality?,
                gas_cap: gas_cap?,
                route: route?,
                stagger_ms_min: stagger_ms_min?,
                multi_send_call_only: multi_send_call_only?,
            })
        };
        if let (Some(id), Some(chain)) = (id, chain()) {
            chains.insert(id, chain);
        }
    }
    Chains { chains }
}

fn chain_id(section: &mut Section<'_>, declared: &Declared, drill: Option<bool>) -> Option<ChainId> {
    let value = section.need("id", "the EIP-155 chain id")?;
    let id = ChainId::new(value.number(1..=u64::MAX)?);
    unique(section, &id, &declared.chains);
    match (drill, is_drill_chain(id.get())) {
        (Some(true), false) => value.fault(
            "drill-chain",
            format!("chain {id} is none that drills run on"),
            "use 31337, 1337 or one of 2004221952 to 2004287487, or make this a production charter",
        ),
        (Some(false), true) => value.fault(
            "drill-chain",
            format!("chain {id} is one that drills run on"),
            "name the real chain, or set drill = true",
        ),
        _ => {}
    }
    Some(id)
}

fn finality(value: &Value<'_>) -> Option<Finality> {
    match value.peek_text() {
        Some("finalized") => Some(Finality::Finalized),
        Some("safe") => Some(Finality::Safe),
        Some(other) => {
            value.fault("malformed", format!("{other:?} is no finality"), "write finalized, safe or { depth = 12 }");
            None
        }
        None => {
            let mut section = value.section()?;
            let depth = section.number("depth", 1..=100_000, "a number of blocks");
            section.finish();
            depth.map(Finality::Depth)
        }
    }
}

fn route(value: &Value<'_>) -> Option<Route> {
    match value.text()?.as_str() {
        "private_first" => Some(Route::PrivateFirst),
        "public" => Some(Route::Public),
        "sequencer" => Some(Route::Sequencer),
        other => {
            value.fault("malformed", format!("{other:?} is no route"), "write private_first, public or sequencer");
            None
        }
    }
}

fn pinned_code(value: &Value<'_>) -> Option<PinnedCode> {
    let mut section = value.section()?;
    let address = section.need("address", "the contract's checksummed address").and_then(|value| address(&value));
    let code_hash = section.need("code_hash", "keccak-256 of its code").and_then(|value| hash(&value));
    section.finish();
    Some(PinnedCode { address: address?, code_hash: code_hash? })
}

/// 32 bytes as 0x and 64 hex digits.
pub(crate) fn hash(value: &Value<'_>) -> Option<B256> {
    let text = value.text()?;
    let hash = text.strip_prefix("0x").filter(|digits| digits.len() == 64).and_then(|_| text.parse::<B256>().ok());
    if hash.is_none() {
        value.fault("malformed", format!("{text:?} is no 32-byte word"), "write 0x and 64 hex digits");
    }
    hash
}

/// Reads `[[safe]]`.
pub(crate) fn read_safes(root: &mut Section<'_>, declared: &Declared, partners: &Partners) -> Safes {
    let mut safes = Safes { safes: BTreeMap::new(), thresholds: BTreeMap::new(), addresses: BTreeSet::new() };
    for mut section in root.sections("safe", SAFES_MAX) {
        let id = section.parsed::<SafeId>("id", "a short name such as guardian-safe");
        if let Some(id) = &id {
            unique(&section, id, &declared.safes);
        }
        let safe = safe(&mut section, declared, partners, &mut safes.addresses);
        if let (Some(id), Some(safe)) = (id, safe) {
            safes.thresholds.insert(id.clone(), section.place_of("threshold"));
            safes.safes.insert(id, safe);
        }
        section.finish();
    }
    safes
}

fn safe(
    section: &mut Section<'_>,
    declared: &Declared,
    partners: &Partners,
    addresses: &mut BTreeSet<(ChainId, Address)>,
) -> Option<Safe> {
    let chain = section.need("chain", "a declared chain's id").and_then(|value| refer_chain(&value, declared));
    let place = section.place_of("address");
    let at = section.need("address", "the Safe's checksummed address").and_then(|value| address(&value));
    if let Some(pair) = chain.zip(at).filter(|pair| !addresses.insert(*pair)) {
        let message = format!("{} on chain {} is declared as a Safe before", pair.1, pair.0);
        section.log.fault(&place, "duplicate-safe", message, "declare each Safe once");
    }
    for (account, place) in partners.accounts.iter().filter(|(account, _)| at == Some(*account)) {
        let message = format!("{account} is a Safe of this charter: no key signs or pays for it");
        section.log.fault(place, "safe-as-account", message, "write the address that `watchfire init` prints");
    }
    let version = section.need("version", "the Safe's version, such as 1.4.1").and_then(|value| version(&value));
    let threshold = section.need("threshold", "the Safe's threshold").and_then(|value| value.count(1));
    let modules: BTreeSet<Address> = section.values("modules", 64).iter().filter_map(address).collect();
    let guard = section.get("guard").map_or(Some(None), |value| address(&value).map(Some));
    let guardians = guardians(section, declared, partners);
    let mut other_owners = BTreeSet::new();
    for value in section.values("other_owners", 64) {
        let Some(owner) = address(&value) else { continue };
        if partners.members.values().any(|member| member.guardian == Some(owner)) {
            value.fault("duplicate-account", format!("{owner} is a member's guardian address"), "remove it here");
        }
        other_owners.insert(owner);
    }
    Some(Safe {
        chain: chain?,
        address: at?,
        version: version?,
        threshold: threshold?,
        guardians,
        modules,
        guard: guard?,
        other_owners,
    })
}

fn version(value: &Value<'_>) -> Option<SafeVersion> {
    let version: SafeVersion = value.parsed("the Safe's version, such as 1.4.1")?;
    if version < SafeVersion::WITH_CHAIN_ID {
        let message = format!("Safe {version}: signatures before 1.3.0 name no chain and are valid on every one");
        value.fault("safe-version", message, "migrate the Safe to 1.3.0 or later");
        return None;
    }
    Some(version)
}

/// The members whose keys own the Safe: at most one of each organisation, all guardians unless named.
fn guardians(section: &mut Section<'_>, declared: &Declared, partners: &Partners) -> BTreeSet<MemberId> {
    let at = section.place_of("guardians");
    let voters = || partners.roster.voters.iter().filter(|voter| voter.kind == MemberKind::Guardian);
    let chosen: BTreeSet<MemberId> = match section.get("guardians") {
        None => voters().filter_map(|voter| voter.id.clone()).collect(),
        Some(value) => {
            let entries = value.list(64).unwrap_or_default();
            entries.iter().filter_map(|value| guardian(value, declared, partners)).collect()
        }
    };
    let mut first: BTreeMap<_, &MemberId> = BTreeMap::new();
    for voter in voters() {
        let Some(id) = voter.id.as_ref().filter(|id| chosen.contains(*id)) else { continue };
        if let Some(other) = first.insert(&voter.organisation, id) {
            let message = format!("{} has two guardian keys on it: {other} and {id}", voter.organisation);
            section.log.fault(&at, "two-guardians", message, "name one guardian of each organisation in `guardians`");
        }
    }
    chosen
}

fn guardian(value: &Value<'_>, declared: &Declared, partners: &Partners) -> Option<MemberId> {
    let id = refer(value, &declared.members, "member")?;
    let other = partners.roster.voters.iter().find(|v| v.id.as_ref() == Some(&id) && v.kind != MemberKind::Guardian);
    if other.is_some() {
        value.fault("not-a-guardian", format!("{id} is no guardian"), "name guardians only");
        return None;
    }
    Some(id)
}
