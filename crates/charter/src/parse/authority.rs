//! Detector rules about authority: `kind = "authority"`.

use std::collections::{BTreeMap, BTreeSet};

use alloy_dyn_abi::Specifier;
use alloy_json_abi::Event;
use alloy_primitives::{Address, B256};

use super::detectors::MONTH_S;
use super::references::address;
use crate::model::Watch;
use crate::privileged::{by_topic, selector_of};
use crate::reader::{Section, Value};

/// Most contracts of one rule.
const TARGETS_MAX: usize = 64;
/// Most events, functions or accounts that one names.
const NAMED_MAX: usize = 64;

/// `targets`, `events`, `functions` with `through`, `mints`, `admins` with `dormant_s`, and `stands_s`; only the last must be said.
pub(super) fn authority(section: &mut Section<'_>) -> Option<Watch> {
    let targets = addresses(section, "targets", TARGETS_MAX);
    let events = named(section, "events", "write an event such as FeeChanged(uint256)", event_of);
    let functions = named(section, "functions", "write a function such as upgradeTo(address)", selector_of);
    let through = addresses(section, "through", NAMED_MAX);
    if through.as_ref().is_some_and(|through| !through.is_empty()) && functions.as_ref().is_some_and(BTreeMap::is_empty)
    {
        let at = section.place_of("through");
        let message = "contracts in between are named, and no function that is called through them";
        section.log.fault(&at, "no-bound", message, "name functions = [\"upgradeTo(address)\"] too");
    }
    let mints = section.get("mints").map_or(Some(false), |value| value.flag());
    let admins = addresses(section, "admins", NAMED_MAX);
    let dormant = section.get("dormant_s");
    let at = section.place_of("admins");
    let message = match (&admins, &dormant) {
        (Some(admins), None) if !admins.is_empty() => Some("accounts are listed, and not how long they are silent"),
        (Some(admins), Some(_)) if admins.is_empty() => Some("a time of silence is given, and no account"),
        _ => None,
    };
    if let Some(message) = message {
        section.log.fault(
            &at,
            "no-bound",
            message,
            "write both admins = [\"0x..\"] and dormant_s = 604800, or neither",
        );
    }
    let dormant_s = dormant.map_or(Some(0), |value| value.number(1..=MONTH_S));
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    if message.is_some() {
        return None;
    }
    let mut events = events?;
    // What every such rule knows need not be said, and says nothing more.
    events.retain(|topic, _| by_topic(topic).is_none());
    Some(Watch::Authority {
        targets: targets?,
        events,
        functions: functions?,
        through: through?,
        mints: mints?,
        admins: admins?,
        dormant_s: dormant_s?,
        stands_s: stands_s?,
    })
}

pub(super) fn addresses(section: &mut Section<'_>, key: &'static str, most: usize) -> Option<BTreeSet<Address>> {
    let Some(value) = section.get(key) else { return Some(BTreeSet::new()) };
    value.list(most)?.iter().map(address).collect()
}

/// The first topic of an event that is told by its signature, and the canonical form of that.
pub(super) fn event_of(text: &str) -> Option<(B256, String)> {
    let event = Event::parse(text).ok().filter(|event| event.inputs.iter().all(|input| input.resolve().is_ok()))?;
    Some((event.selector(), event.signature()))
}

pub(super) fn named<K: Ord>(
    section: &mut Section<'_>,
    key: &'static str,
    remedy: &'static str,
    read: impl Fn(&str) -> Option<(K, String)>,
) -> Option<BTreeMap<K, String>> {
    let Some(value) = section.get(key) else { return Some(BTreeMap::new()) };
    let one = |value: &Value<'_>| {
        let text = value.text()?;
        let parsed = read(&text);
        if parsed.is_none() {
            let message = format!("{text:?} is none, or has a type that Solidity does not have");
            value.fault("bad-signature", message, remedy);
        }
        parsed
    };
    value.list(NAMED_MAX)?.iter().map(one).collect()
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
