//! The drill record: what auditors ask to see of an exercise, for live drills and simulated runs alike.
//!
//! Date, scenario, participants, response times, what was lost and would have been lost, gaps, and for each gap an action with an owner and a
//! date. Gaps come from what was seen; people add to them and correct the dates, in the Markdown form best.

mod page;

use serde::Serialize;
use watchfire_types::{MemberId, OrganisationId, U256};

/// A response slower than this many blocks from the first attack block to the pause is a gap.
const BLOCKS_MAX: u64 = 4;
/// Days until an action is due: 30 for what stopped the response, 90 for what weakened it.
const DUE_DAYS: (u32, u32) = (30, 90);

/// Where it was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exercise {
    /// Real processes on a drill chain.
    Drill,
    /// Virtual time, from a seed.
    Simulation,
}

/// One organisation's part, ms after the first attack block, or the first finding where nobody attacked; absent for what it did not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// Organisation.
    pub organisation: OrganisationId,
    /// Its node.
    pub member: MemberId,
    /// How it did not follow the protocol, if the scenario made it an adversary.
    pub adversary: Option<String>,
    /// First finding of its own.
    pub detect_ms: Option<u64>,
    /// First vote of its own.
    pub vote_ms: Option<u64>,
    /// First certificate in its log.
    pub agree_ms: Option<u64>,
    /// First co-signature of its own.
    pub sign_ms: Option<u64>,
    /// Its first transaction handed to the chain.
    pub submit_ms: Option<u64>,
}

/// The whole network's times, ms after the first attack block, or the first finding where nobody attacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Response {
    /// First finding.
    pub detect_ms: Option<u64>,
    /// First certificate for a step.
    pub agree_ms: Option<u64>,
    /// First threshold-signed transaction.
    pub sign_ms: Option<u64>,
    /// Block with the pause.
    pub include_ms: Option<u64>,
    /// Blocks from the first attack block to the pause's.
    pub blocks: Option<u64>,
}

/// As everywhere in JSON here, amounts are decimal text.
fn decimal<S: serde::Serializer>(amount: &U256, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(amount)
}

/// Loss up to one block, base units of the vault's coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossPoint {
    /// Block.
    pub block: u64,
    /// As it was played.
    #[serde(serialize_with = "decimal")]
    pub with: U256,
    /// Had nobody responded.
    #[serde(serialize_with = "decimal")]
    pub without: U256,
}

/// What was lost and what the response saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LossCurve {
    /// In the vault before.
    #[serde(serialize_with = "decimal")]
    pub before: U256,
    /// Lost.
    #[serde(serialize_with = "decimal")]
    pub taken: U256,
    /// Lost, had nobody responded: the attacker's whole script.
    #[serde(serialize_with = "decimal")]
    pub without_response: U256,
    /// Lost, had the pause been in the block after the first attack block: no responder that waits to see the attack does better.
    #[serde(serialize_with = "decimal")]
    pub oracle: U256,
    /// From the first attack block on.
    pub curve: Vec<LossPoint>,
}

/// One expectation of the scenario, or a property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name.
    pub name: String,
    /// What was seen.
    pub detail: String,
    /// Whether it holds.
    pub passed: bool,
}

/// Something that did not work as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What.
    pub what: String,
    /// Whose; nobody's alone if absent.
    pub organisation: Option<OrganisationId>,
    /// Whether it stopped the response, or could have.
    pub grave: bool,
}

/// What is to be done about a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What.
    pub what: String,
    /// Who sees to it.
    pub owner: String,
    /// Until when, `YYYY-MM-DD`.
    pub due: String,
}

/// One exercise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillRecord {
    /// Where it was played.
    pub exercise: Exercise,
    /// Day, `YYYY-MM-DD`, UTC.
    pub date: String,
    /// Scenario.
    pub scenario: String,
    /// One line about it.
    pub title: String,
    /// Seed of a simulated run.
    pub seed: Option<u64>,
    /// Digest of the charter that was played, hex.
    pub charter: String,
    /// Who took part.
    pub participants: Vec<Participant>,
    /// What of a charter of one's own was played and judged, and what was not; empty for a scenario as it is written.
    pub rehearsed: Vec<String>,
    /// What failed, and who acted, in the scenario's words.
    pub injected: Vec<String>,
    /// Times.
    pub response: Response,
    /// Loss.
    pub loss: LossCurve,
    /// Calls that revert while the widest step holds: what the pause keeps from everybody, users included.
    pub blocks: Vec<String>,
    /// Why there was no pause, by its name.
    pub cause: Option<String>,
    /// Expectations and properties.
    pub checks: Vec<Check>,
    /// What did not work.
    pub gaps: Vec<Gap>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// Whether every check holds.
    pub passed: bool,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// For people and pull requests.
    Markdown,
    /// For people, one self-contained page.
    Html,
    /// For machines.
    Json,
}

impl RecordFormat {
    /// By a file's extension: `md`, `html`, `json`.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl DrillRecord {
    /// Names the gaps that the figures show, and an action for each.
    #[must_use]
    pub(crate) fn completed(mut self, silent: &[OrganisationId]) -> Self {
        self.passed = self.checks.iter().all(|check| check.passed);
        let attacked = self.loss.without_response > U256::ZERO;
        let mut gaps: Vec<Gap> = Vec::new();
        let mut gap = |grave, organisation: Option<&OrganisationId>, what: String| {
            gaps.push(Gap { what, organisation: organisation.cloned(), grave });
        };
        for check in self.checks.iter().filter(|check| !check.passed) {
            gap(true, None, format!("{}: {}", check.name, check.detail));
        }
        if let Some(blocks) = self.response.blocks.filter(|blocks| *blocks > BLOCKS_MAX) {
            gap(true, None, format!("the pause came {blocks} blocks after the attack, {BLOCKS_MAX} are aimed at"));
        }
        for one in self.participants.iter().filter(|one| attacked && one.adversary.is_none()) {
            let id = Some(&one.organisation);
            match (one.detect_ms, one.vote_ms, one.sign_ms) {
                _ if silent.contains(&one.organisation) => gap(false, id, format!("{} was down", one.member)),
                (None, ..) => gap(false, id, format!("{} did not notice the attack itself", one.member)),
                (_, None, _) => gap(false, id, format!("{} noticed it and did not vote", one.member)),
                (_, _, None) => gap(false, id, format!("{} did not co-sign", one.member)),
                _ => {}
            }
        }
        for one in self.participants.iter() {
            if let Some(kind) = &one.adversary {
                gap(false, Some(&one.organisation), format!("{} acted against the protocol: {kind}", one.member));
            }
        }
        self.actions = gaps.iter().map(|gap| action(gap, &self.date)).collect();
        self.gaps = gaps;
        self
    }

    /// The record in a format.
    #[must_use]
    pub fn render(&self, format: RecordFormat) -> String {
        match format {
            RecordFormat::Markdown => page::markdown(self),
            RecordFormat::Html => page::html(self),
            // Plain data with text keys always encodes.
            RecordFormat::Json => serde_json::to_string_pretty(self).unwrap_or_default() + "\n",
        }
    }
}

fn action(gap: &Gap, date: &str) -> Action {
    let owner = gap.organisation.as_ref().map_or_else(|| "all partners".to_owned(), ToString::to_string);
    let days = if gap.grave { DUE_DAYS.0 } else { DUE_DAYS.1 };
    Action { what: format!("Find out why and mend it: {}", gap.what), owner, due: after(date, days) }
}

/// So many days after a day; a text that is no day stays what it is.
fn after(date: &str, days: u32) -> String {
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<i64>().ok());
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day)) = (number(parts.next()), number(parts.next()), number(parts.next()))
    else {
        return date.to_owned();
    };
    civil(days_since_epoch(year, month, day) + i64::from(days))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `YYYY-MM-DD` of a day since 1970-01-01.
fn civil(days: i64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Today, UTC, `YYYY-MM-DD`, from seconds since the Unix epoch.
#[must_use]
pub fn day(seconds: u64) -> String {
    civil(i64::try_from(seconds / 86_400).unwrap_or_default())
}

#[cfg(test)]
mod tests;
