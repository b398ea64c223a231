//! Ways: one direction of a link between two nodes, where it is not as `links` says. Further away, worse, or narrow.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Scenario;

/// From whom, to whom, and what is other there; what is left out is as `links` says. Where several are about one direction, what a later one
/// says goes before what an earlier one says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Who speaks: a member, or an organisation for each of its members; everybody where it is left out.
    pub from: Option<String>,
    /// Who hears, named likewise.
    pub to: Option<String>,
    /// One-way delay in milliseconds, drawn evenly for each message.
    pub delay_ms: Option<(u64, u64)>,
    /// Messages lost of 1,000; at most 500.
    pub loss_permille: Option<u64>,
    /// Bytes that pass in a second: messages pass one after the other, in the order they were sent, and only then are on their way. A slow drip is
    /// a way with few.
    pub bytes_per_second: Option<u64>,
}

/// What is wrong with one of several like entries: which of them, from 0, the key, and why.
pub(super) type WrongEntry = (usize, &'static str, String);

impl Scenario {
    /// The longest one-way delay between any two, ms; stragglers take ten times as long.
    pub(crate) fn delay_ms_max(&self) -> u64 {
        let others = self.ways.iter().filter_map(|way| way.delay_ms);
        others.map(|(_, most)| most).fold(self.links.delay_ms.1, u64::max)
    }

    /// Whether every message arrives within that: none is lost, straggles, or waits until it can pass.
    pub(crate) fn links_are_calm(&self) -> bool {
        let calm = |way: &Way| way.loss_permille.unwrap_or(0) == 0 && way.bytes_per_second.is_none();
        self.links.loss_permille == 0 && self.links.straggle_permille == 0 && self.ways.iter().all(calm)
    }

    /// Names by which a way can mean somebody.
    fn named(&self) -> BTreeSet<&str> {
        let organisations = self.organisations.iter().flat_map(|one| [one.id.as_str(), one.member.as_str()]);
        organisations.chain(self.voters.iter().map(|voter| voter.member.as_str())).collect()
    }
}

/// Checks every way.
pub(super) fn check(scenario: &Scenario) -> Result<(), WrongEntry> {
    let named = scenario.named();
    for (at, way) in scenario.ways.iter().enumerate() {
        let stranger = |end: &Option<String>| end.clone().filter(|name| !named.contains(name.as_str()));
        for (key, end) in [("from", &way.from), ("to", &way.to)] {
            if let Some(stranger) = stranger(end) {
                let known: Vec<&str> = scenario.organisations.iter().map(|one| one.id.as_str()).collect();
                let known = known.join(", ");
                return Err((
                    at,
                    key,
                    format!("{stranger} does not take part; name one of {known}, or a member of theirs"),
                ));
            }
        }
        if way.from.is_none() && way.to.is_none() {
            return Err((at, "link", "is from anybody to anybody; name `from` or `to`, or use [links]".to_owned()));
        }
        if way.delay_ms.is_some_and(|(least, most)| least > most || most > 60_000) {
            return Err((at, "delay_ms", "least and most, at most 60000".to_owned()));
        }
        if way.loss_permille.is_some_and(|lost| lost > 500) {
            return Err((
                at,
                "loss_permille",
                "at most 500 of 1000 messages are lost; cut who hears nothing".to_owned(),
            ));
        }
        if way.bytes_per_second == Some(0) {
            return Err((at, "bytes_per_second", "must be 1 or more; cut who hears nothing".to_owned()));
        }
    }
    Ok(())
}
