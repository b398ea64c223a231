//! Detector rules about governance: `kind = "governance"`, `kind = "borrowed-votes"` and `kind = "thin-market"`.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};

use super::authority::{addresses, event_of, named};
use super::detectors::{MONTH_S, amount};
use super::references::address;
use crate::expression::Subject;
use crate::governance::{BorrowedVotes, Governance, ThinMarket};
use crate::model::Watch;
use crate::privileged::{GOVERNING, selector_of};
use crate::reader::Section;

/// Most contracts of one rule.
const CONTRACTS_MAX: usize = 64;

/// `from` (governors and timelocks), `targets` (all of the asset's contracts), `functions` (further ones), `stands_s`.
pub(super) fn governance(section: &mut Section<'_>) -> Option<Watch> {
    let from = governors(section, "the governors and timelocks whose proposals and operations are read");
    let targets = addresses(section, "targets", CONTRACTS_MAX);
    let functions = named(section, "functions", "write a function such as setCap(uint256)", selector_of);
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    Some(Watch::Governance(Governance { from: from?, targets: targets?, functions: functions?, stands_s: stands_s? }))
}

/// `from` (governors and timelocks), `events` (further ones of theirs), `token`, `least`, `stands_s`.
pub(super) fn borrowed_votes(section: &mut Section<'_>) -> Option<Watch> {
    let from = governors(section, "the governors and timelocks in which votes are used");
    let events = named(section, "events", "write an event such as Voted(address,uint256)", event_of);
    let token = section.need("token", "the token that votes are counted by").and_then(|value| address(&value));
    let least = more_than_none(section, "least", "how many base units somebody has to lend");
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let mut events = events?;
    events.retain(|topic, _| GOVERNING.iter().all(|(known, _)| known != topic));
    Some(Watch::BorrowedVotes(BorrowedVotes { from: from?, events, token: token?, least: least?, stands_s: stands_s? }))
}

/// `address` and `event` of who lists markets, `market` (the parameter that names one), `floor`, `stands_s`.
pub(super) fn thin_market(section: &mut Section<'_>) -> Option<Watch> {
    let example = "MarketListed(address cToken)";
    let lister = section.need("address", "the contract that lists markets").and_then(|value| address(&value));
    let declared = section.need("event", &format!("as declared, with names: {example}"));
    let market = section.need("market", "the parameter that names the market's token, such as cToken");
    let floor = more_than_none(section, "floor", "how many base units of its own token a market has to begin with");
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let event = declared.and_then(|value| {
        let read = Subject::event(&value.text()?);
        read.map_err(|message| value.fault("bad-event", message, format!("write such as {example}"))).ok()
    });
    let (event, named) = (event?, market?);
    let market = named.text()?;
    if !event.has_address(&market) {
        let message = format!("{} has no address {market:?}", event.name());
        named.fault("unknown-field", message, "name a parameter of type address as it stands in the event");
        return None;
    }
    Some(Watch::ThinMarket(ThinMarket { address: lister?, event, market, floor: floor?, stands_s: stands_s? }))
}

/// At least one governor or timelock, as `from`.
fn governors(section: &mut Section<'_>, what: &'static str) -> Option<BTreeSet<Address>> {
    let at = section.place_of("from");
    section.need("from", what);
    let from = addresses(section, "from", CONTRACTS_MAX)?;
    if from.is_empty() && section.get("from").is_some() {
        section.log.fault(&at, "empty", "no governor and no timelock is named", "name at least one");
    }
    (!from.is_empty()).then_some(from)
}

fn more_than_none(section: &mut Section<'_>, key: &'static str, what: &'static str) -> Option<U256> {
    let value = section.need(key, what)?;
    let number = amount(&value)?;
    if number.is_zero() {
        value.fault("out-of-bounds", "0 is no bound here", "write at least 1");
        return None;
    }
    Some(number)
}

#[cfg(test)]
#[path = "governance_tests.rs"]
mod tests;
