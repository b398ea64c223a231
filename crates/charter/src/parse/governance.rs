//! Detector rules about what is proposed and scheduled: `kind = "governance"`.

use super::authority::{addresses, named};
use super::detectors::MONTH_S;
use crate::context::Governance;
use crate::model::Watch;
use crate::privileged::selector_of;
use crate::reader::Section;

/// Most contracts of one rule.
const CONTRACTS_MAX: usize = 64;

/// `from` (governors and timelocks), `targets` (all of the asset's contracts), `functions` (further ones), `stands_s`.
pub(super) fn governance(section: &mut Section<'_>) -> Option<Watch> {
    let at = section.place_of("from");
    section.need("from", "the governors and timelocks whose proposals and operations are read");
    let from = addresses(section, "from", CONTRACTS_MAX);
    let targets = addresses(section, "targets", CONTRACTS_MAX);
    let functions = named(section, "functions", "write a function such as setCap(uint256)", selector_of);
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let from = from?;
    if from.is_empty() && section.get("from").is_some() {
        section.log.fault(&at, "empty", "no governor and no timelock is named", "name at least one");
        return None;
    }
    Some(Watch::Governance(Governance { from, targets: targets?, functions: functions?, stands_s: stands_s? }))
}

#[cfg(test)]
#[path = "governance_tests.rs"]
mod tests;
