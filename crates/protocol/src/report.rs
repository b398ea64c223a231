//! What is reported from outside the chain: a monitor's message, what this node asked for or does not hear, or a person's words, as a finding that only gives
//! context.
//!
//! Such a finding is of kind [`REPORT`], which no trigger can name and whose class is context whatever its author calls it. It stands in nobody's
//! view, so that no vote can rest on it by itself, is bound to no block that a reorg could take, and sets off no collecting of evidence. What it does:
//! it opens or joins the asset's incident, and wakes people.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::REPORT;
use watchfire_types::body::{Body, Finding, Human};
use watchfire_types::duty::Page;
use watchfire_types::input::{PERSON, REPORT_FIGURES_MAX, REPORT_ID_MAX, REPORT_MAX, Report};
use watchfire_types::{AssetId, DetectorId, EventHash, Timestamp};

use crate::draft::{cut, line};
use crate::incident;
use crate::machine::Machine;
use crate::rejection::Rejection;
use crate::shared::reports::ID;

/// Longest figure of a finding, bytes: what the wire takes.
const FIGURE_MAX: usize = 128;

/// What a source said, unless this organisation's log holds it.
pub(crate) fn by_source(machine: &Machine, now: Timestamp, report: &Report) -> Result<Body, Rejection> {
    let Report { asset, source, channel, id, sent, summary, digest, figures } = report;
    let refused = |why| Err(Rejection::ReportRefused { why });
    if source.as_str() == PERSON || machine.charter.detectors.contains_key(source) {
        return refused(
            "its source has the name of a rule of the charter, or of people; give it another one in config.toml",
        );
    }
    if id.is_empty() || id.len() > REPORT_ID_MAX || id.chars().any(char::is_control) {
        return refused(
            "the message's id must have 1 to 128 bytes and no control character; have its sender give it such a one",
        );
    }
    if let Some(event) = machine.report_held(source, id) {
        return Err(Rejection::ReportHeld { event });
    }
    if crate::owed::room(machine, now) == 0 {
        return Err(Rejection::QuotaSpent);
    }
    let own = [
        (ID, id.clone()),
        ("sent_ms", sent.as_millis().to_string()),
        ("sha256", digest.to_string()),
        ("source", channel.name().to_owned()),
    ];
    let shown = figures.iter().take(REPORT_FIGURES_MAX);
    let shown = shown.map(|(name, value)| (*name, cut(&one_line(value), FIGURE_MAX)));
    // Whoever asked names its figures; those that every report has stand above them.
    let figures = shown.chain(own).collect();
    let words = format!("{}: {}", channel.verb(), cut(&one_line(summary), REPORT_MAX));
    finding(machine, asset, source.clone(), &words, figures)
}

/// What a person said at this node.
pub(crate) fn by_person(machine: &Machine, asset: &AssetId, human: &Human) -> Result<Body, Rejection> {
    let Human { person, role, reason } = human;
    let words = one_line(reason);
    if words.is_empty() {
        return Err(Rejection::ReportRefused { why: "it says nothing; write in a line what happened" });
    }
    if words.len() > REPORT_MAX {
        return Err(Rejection::TextTooLong { field: "summary", found: words.len(), bound: REPORT_MAX });
    }
    let source =
        PERSON.parse().map_err(|_| Rejection::ReportRefused { why: "it has no source; report this as a bug" })?;
    let figures = [("person", person.clone()), ("role", role.clone()), ("source", PERSON.to_owned())];
    finding(machine, asset, source, &format!("{person} ({role}) reports: {words}"), figures.into())
}

fn finding(
    machine: &Machine,
    asset: &AssetId,
    source: DetectorId,
    explanation: &str,
    figures: BTreeMap<&str, String>,
) -> Result<Body, Rejection> {
    let unknown = || Rejection::UnknownAsset { asset: asset.clone() };
    let chain = machine.charter.assets.get(asset).ok_or_else(unknown)?.chain;
    let severity = machine.charter.severity_of_report(asset).ok_or_else(unknown)?;
    let head = machine.view.head(chain).ok_or(Rejection::NoHead { chain })?;
    Ok(Body::Finding(Finding {
        asset: asset.clone(),
        detector: source,
        kind: REPORT.to_owned(),
        severity,
        first: head,
        block: head,
        explanation: line(explanation),
        figures: figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }))
}

/// Words of others as one line that a terminal shows as it stands: no control character, and none that turns the direction of writing.
fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// People are told once an incident and organisation that a monitor reports something, and once that a person does: as often as that at most,
/// whatever a liar reports. A snooze of all that gives context quiets the monitors and never a person.
pub(crate) fn pages(machine: &Machine, pages: &mut BTreeSet<Page>) {
    let mut closes = BTreeMap::new();
    for (asset, organisation, by_person, at) in machine.shared.derived.reports.newest() {
        let closes = closes.entry(asset).or_insert_with(|| incident::closes(machine, asset));
        let is_over = closes.last().is_some_and(|closed| at <= *closed);
        if is_over || (!by_person && crate::snooze::is_all_quiet(machine, asset)) {
            continue;
        }
        let Some(severity) = machine.charter.severity_of_report(asset) else { continue };
        let id = incident::incident_id(machine.network, asset, incident::generation(closes, at));
        let who = if by_person { "a person" } else { "a monitor" };
        pages.insert(Page {
            asset: Some(asset.clone()),
            severity,
            kind: "report",
            text: format!("{who} of {organisation} reports something of {asset}: see incident {}", id.short()),
        });
    }
}

impl Machine {
    /// The event of this organisation that says this message of a source, if its log holds one.
    #[must_use]
    pub fn report_held(&self, source: &DetectorId, id: &str) -> Option<EventHash> {
        self.shared.derived.reports.held(self.own.organisation(), source, id)
    }
}
