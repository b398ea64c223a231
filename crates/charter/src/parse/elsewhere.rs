//! Detector rules that look at another asset, mostly of another chain: `kind = "sister"`, `kind = "cross-chain"` and
//! `kind = "release"`.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::AssetId;

use super::detectors::{MONTH_S, WEEK_S};
use super::measures::{comparison, quantity, scale};
use super::playbooks::{CONTAINMENT_FAILED, FINDING_KINDS};
use super::references::{Declared, address, refer};
use crate::elsewhere::{CrossChain, Release, Sister};
use crate::expression::Subject;
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

/// Most parameters that have to be the same.
const SAME_MAX: usize = 8;

/// `address` and `event` here, `elsewhere`, `elsewhere_address` and `elsewhere_event`, `same`, `within_s`, `lag_s`, `stands_s`; `skew_s` where it is wanted.
pub(super) fn release(section: &mut Section<'_>, declared: &Declared) -> Option<Watch> {
    let about = section.need("address", "the contract that releases").and_then(|value| address(&value));
    let event = event(section, "event");
    let elsewhere = other(section, declared);
    let far = section.need("elsewhere_address", "the contract there that locks, burns or sends");
    let elsewhere_address = far.and_then(|value| address(&value));
    let elsewhere_event = self::event(section, "elsewhere_event");
    let same = section.need("same", "{ id = \"id\" }: a parameter here, and the one there").and_then(|v| v.section());
    let within_s = section.number("within_s", 1..=MONTH_S, "how many seconds a message takes at most");
    let lag_s = section.number("lag_s", 1..=WEEK_S, "more seconds than the other chain takes to be final");
    let skew_s = section.number_or("skew_s", 0..=HOUR_S, 0);
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let (event, elsewhere_event, table) = (event?, elsewhere_event?, same?);
    let mut same = BTreeMap::new();
    for (here, value) in table.entries() {
        let Some(there) = value.text() else { continue };
        for (subject, name) in [(&event, &here), (&elsewhere_event, &there)] {
            if !subject.has_word(name) {
                let message = format!("{} has no parameter {name:?} of one word", subject.name());
                value.fault("unknown-field", message, "name a number, address, bool or bytesN of each event");
            }
        }
        same.insert(here, there);
    }
    if same.is_empty() || same.len() > SAME_MAX {
        let message = format!("1 to {SAME_MAX} parameters have to be the same");
        section.log.fault(
            &section.place_of("same"),
            "out-of-bounds",
            message,
            "write { id = \"id\", amount = \"amount\" }",
        );
        return None;
    }
    Some(Watch::Release(Release {
        address: about?,
        event,
        elsewhere: elsewhere?,
        elsewhere_address: elsewhere_address?,
        elsewhere_event,
        same,
        within_s: within_s?,
        lag_s: lag_s?,
        skew_s: skew_s?,
        stands_s: stands_s?,
    }))
}

/// An event with the names of its parameters.
fn event(section: &mut Section<'_>, key: &'static str) -> Option<Subject> {
    let example = "Released(bytes32 indexed id, uint256 amount)";
    let value = section.need(key, &format!("as declared, with names: {example}"))?;
    let read = Subject::event(&value.text()?);
    read.map_err(|message| value.fault("bad-event", message, format!("write such as {example}"))).ok()
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
