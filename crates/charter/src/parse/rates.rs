//! Detector rules about how often something happens: `kind = "rate"`.

use alloy_dyn_abi::Specifier;
use alloy_json_abi::Event;

use super::detectors::{MONTH_S, amount};
use super::references::address;
use crate::context::{Ewma, Rate, Rated};
use crate::expression::Subject;
use crate::model::Watch;
use crate::reader::{Section, Value};

/// A window shorter than this has too few blocks to be like another.
const WINDOW_S_MIN: u64 = 60;
/// Fewer windows have no median worth the name; more are remembered for nothing.
const WINDOWS: std::ops::RangeInclusive<u64> = 4..=720;
/// Most deviations, and most of an average: a thousandfold.
const DEVIATIONS_MAX: u64 = 10_000;
const LIMIT_BPS_MAX: u64 = 10_000_000;
/// Basis points in the whole.
const BPS: u64 = 10_000;

/// `of` and what belongs to it, `window_s`, `windows`, `floor`, and `deviations`, `ewma_weight_bps` with `ewma_limit_bps`, or all three.
pub(super) fn rate(section: &mut Section<'_>) -> Option<Watch> {
    let of = section.need("of", "events, transactions, value or outflow").and_then(|of| rated(section, &of));
    let window_s = section.number("window_s", WINDOW_S_MIN..=MONTH_S, "a window's length in seconds of block time");
    let windows = section.number("windows", WINDOWS, "how many windows before are compared with");
    let floor = section.need("floor", "the count or base units up to which nothing fires, as a string");
    let floor = floor.and_then(|value| {
        let floor = amount(&value)?;
        if floor.is_zero() {
            let message = "without a floor the first event after a quiet time fires";
            value.fault("out-of-bounds", message, "write at least 1, better what is worth a look");
            return None;
        }
        Some(floor)
    });
    // Before anything is refused: what was not asked for is told as unknown.
    let deviations = section.get("deviations");
    let (weight, limit) = (section.get("ewma_weight_bps"), section.get("ewma_limit_bps"));
    if let (Some(window_s), Some(windows)) = (window_s, windows)
        && window_s.saturating_mul(windows + 1) > MONTH_S
    {
        let message = format!("{windows} windows of {window_s} s and the newest reach back more than {MONTH_S} s");
        section.log.fault(&section.place_of("windows"), "out-of-bounds", message, "take fewer or shorter windows");
        return None;
    }
    if deviations.is_none() && weight.is_none() && limit.is_none() {
        let message = "a rate has nothing that it must not exceed";
        let remedy = "add deviations = 6, or ewma_weight_bps = 2000 and ewma_limit_bps = 50000, or all";
        section.log.fault(&section.at, "no-bound", message, remedy);
        return None;
    }
    let deviations = deviations.map_or(Some(None), |value| {
        value.number(1..=DEVIATIONS_MAX).and_then(|number| u16::try_from(number).ok()).map(Some)
    });
    let ewma = ewma(weight, limit);
    let (window_s, windows) = (window_s?, u16::try_from(windows?).ok()?);
    Some(Watch::Rate(Rate { of: of?, window_s, windows, floor: floor?, deviations: deviations?, ewma: ewma? }))
}

/// Both or neither; the outer `None` is a fault.
fn ewma(weight: Option<Value<'_>>, limit: Option<Value<'_>>) -> Option<Option<Ewma>> {
    match (weight, limit) {
        (None, None) => Some(None),
        (Some(weight), Some(limit)) => {
            let weight_bps = weight.number(1..=BPS).and_then(|bps| u16::try_from(bps).ok());
            let limit_bps = limit.number(BPS + 1..=LIMIT_BPS_MAX).and_then(|bps| u32::try_from(bps).ok());
            Some(Some(Ewma { weight_bps: weight_bps?, limit_bps: limit_bps? }))
        }
        (Some(value), None) | (None, Some(value)) => {
            let message = "an average has a weight and a limit";
            value.fault(
                "no-bound",
                message,
                "write both ewma_weight_bps = 2000 and ewma_limit_bps = 50000, or neither",
            );
            None
        }
    }
}

fn rated(section: &mut Section<'_>, of: &Value<'_>) -> Option<Rated> {
    let mut about = |what: &'static str| section.need("address", what).and_then(|value| address(&value));
    match of.text()?.as_str() {
        "events" => {
            let address = about("the emitting contract's address");
            let example = "Withdraw(address,uint256)";
            let value = section.need("event", &format!("a signature such as {example}"))?;
            let text = value.text()?;
            let event = Event::parse(&text).ok().filter(|event| event.inputs.iter().all(|one| one.resolve().is_ok()));
            let Some(event) = event else {
                let message = format!("{text:?} is no event, or has a type that Solidity does not have");
                value.fault("bad-event", message, format!("write such as {example}"));
                return None;
            };
            Some(Rated::Events { address: address?, event: event.signature(), topic: event.selector() })
        }
        "transactions" => Some(Rated::Transactions { address: about("the account that they are sent to")? }),
        "value" => value(section),
        "outflow" => {
            let token = section.get("token").map_or(Some(None), |value| address(&value).map(Some))?;
            Some(Rated::Outflow { token })
        }
        other => {
            let remedy = "write events, transactions, value or outflow";
            of.fault("unknown-kind", format!("{other:?} is nothing that is counted or summed"), remedy);
            None
        }
    }
}

/// `address`, `event` with the names of its parameters, and `field`.
fn value(section: &mut Section<'_>) -> Option<Rated> {
    let example = "Withdraw(address indexed owner, uint256 amount)";
    let about = section.need("address", "the emitting contract's address").and_then(|value| address(&value));
    let declared = section.need("event", &format!("as declared, with names: {example}"));
    let field = section.need("field", "the parameter that is summed, such as amount");
    let event = declared.and_then(|value| {
        let read = Subject::event(&value.text()?);
        read.map_err(|message| value.fault("bad-event", message, format!("write such as {example}"))).ok()
    });
    let (event, field) = (event?, field?);
    let name = field.text()?;
    if !event.has_number(&name) {
        let message = format!("{} has no whole number {name:?}", event.name());
        field.fault("not-a-number", message, "name a parameter of type uint as it stands in the event");
        return None;
    }
    Some(Rated::Value { address: about?, event, field: name })
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
