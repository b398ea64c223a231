//! Detector rules over numbers: leap, invariant, stale; and over transfers: approval drain.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use watchfire_types::Read;

use super::actions::call;
use super::detectors::{MONTH_S, WEEK_S, amount, number_of};
use super::references::address;
use crate::model::{Class, Comparison, Quantity, Watch};
use crate::reader::{Section, Value};

/// Most basis points of a rise: a thousandfold.
const RISE_BPS_MAX: u64 = 10_000_000;
/// A fall of the whole or more is no bound: nothing falls further.
const FALL_BPS_MAX: u64 = 9_999;
/// Most recipients that a drain may exclude.
const EXCLUDED_MAX: usize = 256;
/// A number times a scale times basis points must fit 512 bits with room: scales are below 2^128.
const SCALE_BITS: usize = 128;

/// The class of a rule that names none: a run of deposits or of claims looks like drained allowances from transfers alone, what a sister's rule found
/// is not yet this asset's loss, a message may take longer than anybody thought, and a Safe may have other work.
pub(super) fn usual_class(watch: &Watch) -> Class {
    match watch {
        Watch::ApprovalDrain { .. }
        | Watch::Rate(_)
        | Watch::Calls(_)
        | Watch::Governance(_)
        | Watch::BorrowedVotes(_)
        | Watch::ThinMarket(_)
        | Watch::FreshCode(_)
        | Watch::Sister(_)
        | Watch::SafeNonce { .. }
        | Watch::Release(_) => Class::Context,
        Watch::Outflow { .. }
        | Watch::Event { .. }
        | Watch::State { .. }
        | Watch::Leap { .. }
        | Watch::Invariant { .. }
        | Watch::Stale { .. }
        | Watch::Authority { .. }
        | Watch::Expression { .. }
        | Watch::CrossChain(_) => Class::Decisive,
    }
}

/// A call's number: `target`, `call`, `arguments`, `result`.
fn call_number(section: &mut Section<'_>) -> Option<Quantity> {
    let target = section.need("target", "the contract that is asked").and_then(|value| address(&value));
    let called = call(section, "call");
    let Some((signature, (_, data))) = called else {
        section.get("result");
        return None;
    };
    if signature.outputs().is_empty() {
        section.get("result");
        let message = format!("{} names no result to measure", signature.canonical());
        let at = section.place_of("call");
        section.log.fault(&at, "no-result", message, "add its result type: returns (uint256)");
        return None;
    }
    let number = number_of(section, signature.outputs())?;
    let read = Read::Call { to: target?, data };
    Some(Quantity::Call { text: signature.with_outputs(), read, word: number.word, signed: number.signed.is_some() })
}

/// `{ target, call, ... }` or `{ held = "native" }`.
pub(super) fn quantity(section: &mut Section<'_>, key: &'static str) -> Option<Quantity> {
    let what = "{ target = \"0x..\", call = \"totalAssets() returns (uint256)\" } or { held = \"native\" }";
    let mut inner = section.need(key, what)?.section()?;
    let read = match inner.get("held") {
        Some(value) if value.peek_text() == Some("native") => Some(Quantity::Held { token: None }),
        Some(value) => address(&value).map(|token| Quantity::Held { token: Some(token) }),
        None => call_number(&mut inner),
    };
    inner.finish();
    read
}

/// `kind = "leap"`.
pub(super) fn leap(section: &mut Section<'_>) -> Option<Watch> {
    let of = call_number(section);
    let (rise, fall) = (section.get("rise_bps"), section.get("fall_bps"));
    if rise.is_none() && fall.is_none() {
        let message = "a leap detector has a rise or a fall, better both: a donation raises what a theft lowers";
        section.log.fault(&section.at, "no-bound", message, "add rise_bps = 200 and fall_bps = 200");
    }
    let bps = |value: Option<Value<'_>>, most: u64| {
        let Some(value) = value else { return Some(None) };
        value.number(1..=most).and_then(|bps| u32::try_from(bps).ok()).map(Some)
    };
    let (rise_bps, fall_bps) = (bps(rise, RISE_BPS_MAX), bps(fall, FALL_BPS_MAX));
    let window_s = section.number_or("window_s", 1..=WEEK_S, 0);
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    Some(Watch::Leap { of: of?, rise_bps: rise_bps?, fall_bps: fall_bps?, window_s: window_s?, stands_s: stands_s? })
}

/// `kind = "invariant"`.
pub(super) fn invariant(section: &mut Section<'_>) -> Option<Watch> {
    let (left, right) = (quantity(section, "left"), quantity(section, "right"));
    let compare = section.need("compare", "\">=\", \"<=\" or \"=\"").and_then(|value| comparison(&value));
    let (scale_left, scale_right) = (scale(section, "scale_left"), scale(section, "scale_right"));
    let tolerance = section.number_or("tolerance_bps", 0..=10_000, 0);
    let (left, right) = (left?, right?);
    let (scale_left, scale_right) = (scale_left?, scale_right?);
    if left == right && scale_left == scale_right {
        let message = "both sides are the same number: it always holds";
        section.log.fault(&section.at, "no-bound", message, "compare two different numbers");
        return None;
    }
    let tolerance_bps = u16::try_from(tolerance?).ok()?;
    Some(Watch::Invariant { left, scale_left, compare: compare?, right, scale_right, tolerance_bps })
}

pub(super) fn comparison(value: &Value<'_>) -> Option<Comparison> {
    match value.text()?.as_str() {
        ">=" => Some(Comparison::AtLeast),
        "<=" => Some(Comparison::AtMost),
        "=" => Some(Comparison::Equal),
        other => {
            value.fault("unknown-kind", format!("{other:?} compares nothing"), "write \">=\", \"<=\" or \"=\"");
            None
        }
    }
}

/// What one side is multiplied with, so that units of different decimals compare; 1 where it is absent.
pub(super) fn scale(section: &mut Section<'_>, key: &'static str) -> Option<U256> {
    let Some(value) = section.get(key) else { return Some(U256::from(1)) };
    let scale = amount(&value)?;
    if scale.is_zero() || scale.bit_len() > SCALE_BITS {
        value.fault("out-of-bounds", format!("{scale} is no scale"), "write 1 to 2^128 - 1, such as \"1000000000000\"");
        return None;
    }
    Some(scale)
}

/// `kind = "stale"`.
pub(super) fn stale(section: &mut Section<'_>) -> Option<Watch> {
    let of = call_number(section);
    let age_s = section.number("age_s", 1..=MONTH_S, "the feed's heartbeat with some slack, in seconds");
    Some(Watch::Stale { of: of?, age_s: age_s? })
}

/// `kind = "approval-drain"`.
pub(super) fn approval_drain(section: &mut Section<'_>) -> Option<Watch> {
    let token = section.need("token", "the token's address").and_then(|value| address(&value));
    let victims =
        section.number("victims", 2..=1_024, "how many distinct accounts to one recipient or through one spender");
    let window_s = section.number("window_s", 1..=WEEK_S, "the sliding window in seconds of block time");
    let least = section.get("least").map_or(Some(U256::from(1)), |value| {
        let least = amount(&value)?;
        if least.is_zero() {
            let message = "anybody can send nothing in another's name";
            value.fault("out-of-bounds", message, "write at least 1");
            return None;
        }
        Some(least)
    });
    let exclude = section.values("exclude", EXCLUDED_MAX);
    let exclude: Option<BTreeSet<Address>> = exclude.iter().map(address).collect();
    let victims = u16::try_from(victims?).ok()?;
    Some(Watch::ApprovalDrain { token: token?, victims, window_s: window_s?, least: least?, exclude: exclude? })
}

#[cfg(test)]
#[path = "measures_tests.rs"]
mod tests;
