//! Detector rules about contracts that are made with money of listed sources: `kind = "fresh-code"`.

use super::authority::addresses;
use super::detectors::MONTH_S;
use crate::context::FreshCode;
use crate::model::Watch;
use crate::reader::Section;

/// Most sources of one rule.
const SOURCES_MAX: usize = 64;

/// `sources` (mixers, bridges, exchanges that no user of the asset deploys from), `funded_s`, `stands_s`.
pub(super) fn fresh_code(section: &mut Section<'_>) -> Option<Watch> {
    let at = section.place_of("sources");
    section.need("sources", "the accounts whose money makes a deployer worth a look, such as a mixer's contracts");
    let sources = addresses(section, "sources", SOURCES_MAX);
    let funded_s = section.number("funded_s", 1..=MONTH_S, "how long an account counts as funded in seconds");
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let sources = sources?;
    if sources.is_empty() && section.get("sources").is_some() {
        section.log.fault(&at, "empty", "no source is named", "name at least one");
        return None;
    }
    Some(Watch::FreshCode(FreshCode { sources, funded_s: funded_s?, stands_s: stands_s? }))
}

#[cfg(test)]
#[path = "fresh_tests.rs"]
mod tests;
