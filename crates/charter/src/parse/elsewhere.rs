//! Detector rules that look at another asset, mostly of another chain: `kind = "sister"` and `kind = "cross-chain"`.

use std::collections::BTreeSet;

use watchfire_types::AssetId;

use super::detectors::WEEK_S;
use super::measures::{comparison, quantity, scale};
use super::playbooks::{CONTAINMENT_FAILED, FINDING_KINDS};
use super::references::{Declared, address, refer};
use crate::elsewhere::{CrossChain, Sister};
use crate::model::Watch;
use crate::reader::Section;

/// The kind that raises nothing in turn.
const SISTER: &str = "sister";
/// How far back a sister's chain is looked at where nothing else is said, seconds.
const SISTER_LAG_S: u64 = 30;
const HOUR_S: u64 = 3_600;

/// `contract`, `elsewhere`, `elsewhere_contract`; `kinds` and `lag_s` where they are wanted.
pub(super) fn sister(section: &mut Section<'_>, declared: &Declared) -> Option<Watch> {
    let contract = section.need("contract", "the contract whose code is compared").and_then(|value| address(&value));
    let elsewhere = other(section, declared);
    let sister = section.need("elsewhere_contract", "the other asset's contract of the same code");
    let elsewhere_contract = sister.and_then(|value| address(&value));
    let mut kinds = BTreeSet::new();
    for value in section.values("kinds", FINDING_KINDS.len()) {
        let Some(kind) = value.text() else { continue };
        let mut counted = FINDING_KINDS.iter().copied().filter(|one| ![SISTER, CONTAINMENT_FAILED].contains(one));
        if !counted.any(|one| one == kind) {
            let message = format!("{kind:?} is no kind of finding that raises a sister");
            value.fault("unknown-kind", message, "write kinds of rules that may vote, such as invariant or authority");
        }
        kinds.insert(kind);
    }
    let lag_s = section.number_or("lag_s", 1..=HOUR_S, SISTER_LAG_S);
    let (elsewhere, elsewhere_contract) = (elsewhere?, elsewhere_contract?);
    Some(Watch::Sister(Sister { contract: contract?, elsewhere, elsewhere_contract, kinds, lag_s: lag_s? }))
}

/// `left`, `compare`, `elsewhere`, `right` and `lag_s`; scales, a tolerance and `skew_s` where they are wanted.
pub(super) fn cross_chain(section: &mut Section<'_>, declared: &Declared) -> Option<Watch> {
    let (left, right) = (quantity(section, "left"), quantity(section, "right"));
    let compare = section.need("compare", "\">=\", \"<=\" or \"=\"").and_then(|value| comparison(&value));
    let elsewhere = other(section, declared);
    let (scale_left, scale_right) = (scale(section, "scale_left"), scale(section, "scale_right"));
    let tolerance = section.number_or("tolerance_bps", 0..=10_000, 0);
    let lag_s = section.number("lag_s", 1..=WEEK_S, "more seconds than the other chain takes to be final");
    let skew_s = section.number_or("skew_s", 0..=HOUR_S, 0);
    Some(Watch::CrossChain(CrossChain {
        left: left?,
        scale_left: scale_left?,
        compare: compare?,
        elsewhere: elsewhere?,
        right: right?,
        scale_right: scale_right?,
        tolerance_bps: u16::try_from(tolerance?).ok()?,
        lag_s: lag_s?,
        skew_s: skew_s?,
    }))
}

/// The other asset, which is not the one that the rule is of.
fn other(section: &mut Section<'_>, declared: &Declared) -> Option<AssetId> {
    let value = section.need("elsewhere", "the id of another declared asset")?;
    let elsewhere: AssetId = refer(&value, &declared.assets, "asset")?;
    let own = section.get("asset").and_then(|own| own.peek_text().map(str::to_owned));
    if own.is_some_and(|own| own == elsewhere.to_string()) {
        value.fault("self-dependency", "an asset is not elsewhere of itself", "name another asset");
        return None;
    }
    Some(elsewhere)
}

#[cfg(test)]
#[path = "elsewhere_tests.rs"]
mod tests;
