//! What a verification found: every check, in order.

use serde::Serialize;
use watchfire_types::{AssetId, CharterDigest, CharterVersion, IncidentId, NetworkId};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// What it would rest on is not in the bundle: nothing is proved and nothing refuted.
    Open,
    /// It does not hold.
    Fails,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name in proto/watchfire/v1/bundle.proto.
    pub name: &'static str,
    /// Of what: an event, a tree, a block, ...
    pub subject: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it does not fail.
    pub passed: bool,
    /// One line: figures, or what is wrong.
    pub detail: String,
}

/// What no bundle proves, whatever its checks say.
const LIMITS: &[&str] = &[
    "that the chain kept a block: ask the chain for the block's hash",
    "that a statement by one member is true: submitted, executed, postcondition-checked, attested and every clock are its author's words",
    "that an operator's raw answer was honest where no root of a header binds it",
    "that a key was used by its owner alone, or a witness's clock was right",
    "that an author has no event of the incident before its segment's first or after its last: compare other organisations' bundles",
    "that the bundle is no older than it is said to be: it shows nothing from after its newest witness's time",
];

/// The whole result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether no check fails.
    pub holds: bool,
    /// Network, once the file could be read.
    pub network: Option<NetworkId>,
    /// Incident.
    pub incident: Option<IncidentId>,
    /// Asset.
    pub asset: Option<AssetId>,
    /// Charter versions and digests.
    pub charters: Vec<(CharterVersion, CharterDigest)>,
    /// Signed events in the bundle.
    pub events: usize,
    /// Those of them that belong to the incident.
    pub belonging: usize,
    /// The newest time at which a witness of another organisation says that it saw a log that is here, s since 1970.
    pub witnessed_s: Option<u64>,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// The first that fails.
    pub first_failure: Option<Check>,
    /// What no bundle proves.
    pub not_proved: Vec<&'static str>,
}

impl Report {
    /// How many checks ended like this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}

/// Collects checks.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    #[expect(clippy::needless_pass_by_value, reason = "subjects and details are handed over whole")]
    pub(crate) fn add(&mut self, name: &'static str, subject: impl ToString, outcome: Outcome, detail: impl ToString) {
        let passed = outcome != Outcome::Fails;
        self.0.push(Check { name, subject: subject.to_string(), outcome, passed, detail: detail.to_string() });
    }

    pub(crate) fn holds(&mut self, name: &'static str, subject: impl ToString, detail: impl ToString) {
        self.add(name, subject, Outcome::Holds, detail);
    }

    pub(crate) fn open(&mut self, name: &'static str, subject: impl ToString, detail: impl ToString) {
        self.add(name, subject, Outcome::Open, detail);
    }

    pub(crate) fn fails(&mut self, name: &'static str, subject: impl ToString, detail: impl ToString) {
        self.add(name, subject, Outcome::Fails, detail);
    }

    /// Holds with the first text, or fails with the error.
    pub(crate) fn judge<T: ToString, E: ToString>(
        &mut self,
        name: &'static str,
        subject: impl ToString,
        judged: Result<T, E>,
    ) -> bool {
        match judged {
            Ok(detail) => self.holds(name, subject, detail),
            Err(error) => {
                self.fails(name, subject, error);
                return false;
            }
        }
        true
    }

    pub(crate) fn into_report(self) -> Report {
        let first_failure = self.0.iter().find(|check| !check.passed).cloned();
        Report {
            holds: first_failure.is_none(),
            network: None,
            incident: None,
            asset: None,
            charters: Vec::new(),
            events: 0,
            belonging: 0,
            witnessed_s: None,
            checks: self.0,
            first_failure,
            not_proved: LIMITS.to_vec(),
        }
    }
}
