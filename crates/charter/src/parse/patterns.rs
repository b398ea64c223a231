//! Detector rules about what happens inside transactions: `kind = "calls"`.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::detectors::{MONTH_S, amount};
use super::references::address;
use crate::context::{Calls, Pattern};
use crate::model::Watch;
use crate::reader::{Section, Value};

/// Most coins of one rule, and most contracts whose code is known.
const COINS_MAX: usize = 64;
const KNOWN_MAX: usize = 256;
/// Most blocks for which a contract is fresh, and how many where nothing is said.
const FRESH_BLOCKS_MAX: u64 = 256;
const FRESH_BLOCKS: u64 = 32;

/// `limits`, `patterns` (all of them), `fresh_blocks` (32), `known` (none), `stands_s`.
pub(super) fn calls(section: &mut Section<'_>) -> Option<Watch> {
    let limits = section.need("limits", "what may be lost in one transaction: { native = \"base units\" }");
    let limits = limits.and_then(|value| limits_of(&value));
    let patterns = section.get("patterns").map_or(Some(Pattern::ALL.into()), |value| patterns(&value));
    let fresh = section.number_or("fresh_blocks", 1..=FRESH_BLOCKS_MAX, FRESH_BLOCKS);
    let known: Option<BTreeSet<Address>> = section.values("known", KNOWN_MAX).iter().map(address).collect();
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let fresh_blocks = u16::try_from(fresh?).ok()?;
    Some(Watch::Calls(Calls { patterns: patterns?, limits: limits?, fresh_blocks, known: known?, stands_s: stands_s? }))
}

/// By coin: `native`, or a token's address.
fn limits_of(value: &Value<'_>) -> Option<BTreeMap<Address, U256>> {
    let section = value.section()?;
    let entries = section.entries();
    if entries.is_empty() || entries.len() > COINS_MAX {
        let message = format!("{} coins; a rule about losses has 1 to {COINS_MAX}", entries.len());
        value.fault("no-bound", message, "write limits = { native = \"1000000000000000000\" }, or a token's address");
        return None;
    }
    let one = |(name, value): &(String, Value<'_>)| {
        let coin = match name.as_str() {
            "native" => Some(Address::ZERO),
            name => Address::parse_checksummed(name, None).ok().filter(|token| !token.is_zero()),
        };
        if coin.is_none() {
            let message = format!("{name:?} is no coin");
            value.fault("bad-address", message, "write native, or the token's address as EIP-55 spells it");
        }
        Some((coin?, amount(value)?))
    };
    entries.iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

fn patterns(value: &Value<'_>) -> Option<BTreeSet<Pattern>> {
    let names = || Pattern::ALL.map(Pattern::name).join(", ");
    let list = value.list(Pattern::ALL.len())?;
    if list.is_empty() {
        value.fault("no-bound", "nothing is looked for", format!("name some of {}, or leave it out for all", names()));
        return None;
    }
    let one = |value: &Value<'_>| {
        let text = value.text()?;
        let pattern = Pattern::ALL.into_iter().find(|pattern| pattern.name() == text);
        if pattern.is_none() {
            value.fault("unknown-kind", format!("{text:?} is no pattern of calls"), format!("use {}", names()));
        }
        pattern
    };
    list.iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;
