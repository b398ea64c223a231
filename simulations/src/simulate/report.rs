//! What came of many runs of one scenario.

use serde::Serialize;
use watchfire_types::{DetectorId, PlaybookId};

use super::watch::Kind;

/// One run in which a property did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Seed.
    pub seed: u64,
    /// Step of the run.
    pub step: u64,
    /// Property: one of S1 to S15 and L1 to L8, or an expectation of the scenario.
    pub property: String,
    /// Safety or liveness.
    pub kind: Kind,
    /// Command that plays it again.
    pub replay: String,
    /// What was seen.
    pub detail: String,
    /// The faults without which it does not fail, each with its number.
    pub faults: Vec<String>,
}

/// From the k-th honest vote to the threshold-signed transaction everywhere, in mean one-way delays; nothing where no run decided.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Hops {
    /// Median of the runs.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// Medians over the runs that came so far, ms after the first attack block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Scores {
    /// First finding.
    pub detect_ms: Option<u64>,
    /// First certificate.
    pub agree_ms: Option<u64>,
    /// First threshold-signed transaction.
    pub sign_ms: Option<u64>,
    /// Block with the pause.
    pub include_ms: Option<u64>,
}

/// What of a charter of one's own a scenario plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    /// Playbooks that it plays: the ladder against the attack, and the way back if people take it.
    pub plays: Vec<PlaybookId>,
    /// The charter's other playbooks.
    pub leaves: Vec<PlaybookId>,
    /// Detectors that look at something that this play changes.
    pub moves: Vec<DetectorId>,
    /// The charter's other detectors: of them nothing is learnt.
    pub cannot_move: Vec<DetectorId>,
    /// Expectations of the scenario that do not follow from the charter's rules, and why.
    pub not_judged: Vec<String>,
}

impl Rehearsal {
    /// A line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        fn ids<T: ToString>(ids: &[T]) -> String {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
        }
        let played = [
            format!("plays {}; other playbooks: {}", ids(&self.plays), ids(&self.leaves)),
            format!("can move {}; other detectors: {}", ids(&self.moves), ids(&self.cannot_move)),
        ];
        played.into_iter().chain(self.not_judged.iter().map(|line| format!("not judged: {line}"))).collect()
    }
}

/// One scenario over its seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ScenarioReport {
    /// Scenario.
    pub scenario: String,
    /// Runs.
    pub seeds: u64,
    /// Runs in which something did not hold.
    pub failed: u64,
    /// At most 20 of them: the unsafe ones first, then by seed.
    pub failures: Vec<Failure>,
    /// SHA-256 over the trace hashes in seed order.
    pub trace_hash: String,
    /// Virtual seconds altogether.
    pub simulated_s: u64,
    /// Real seconds that its runs took, added up over all jobs.
    pub wall_s: f64,
    /// Steps altogether.
    #[serde(skip)]
    pub steps: u64,
    /// Decision time.
    pub hops: Hops,
    /// Messages that an honest node sent in a run, on the average.
    pub messages_per_node: u64,
    /// When what came.
    pub scores: Scores,
    /// What of a charter of one's own it plays, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Why the charter of one's own cannot be played in it; nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_played: Option<String>,
}

impl ScenarioReport {
    /// The worst that failed, if anything did.
    #[must_use]
    pub fn worst(&self) -> Option<Kind> {
        self.failures.iter().map(|failure| failure.kind).min()
    }

    /// One line for people, and one for each failure.
    #[must_use]
    pub fn summary(&self) -> String {
        if let Some(why) = &self.not_played {
            return format!("{:24} not played: {why}", self.scenario);
        }
        let verdict = match self.worst() {
            None => "ok".to_owned(),
            Some(Kind::Safety) => format!("{} of {} runs UNSAFE", self.failed, self.seeds),
            Some(Kind::Liveness) => format!("{} of {} runs incomplete", self.failed, self.seeds),
        };
        let include = self.scores.include_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let hops = self.hops.p50.map_or_else(|| "-".to_owned(), |hops| format!("{hops:.2}"));
        let mut text = format!(
            "{:24} {verdict}: {} seeds, {} s simulated, {hops} hops, included after {include}",
            self.scenario, self.seeds, self.simulated_s
        );
        for line in self.rehearsal.iter().flat_map(Rehearsal::lines) {
            text.push_str(&format!("\n  {line}"));
        }
        for failure in &self.failures {
            let kind = match failure.kind {
                Kind::Safety => "safety",
                Kind::Liveness => "liveness",
            };
            text.push_str(&format!(
                "\n  {} ({kind}) seed {} step {}: {}\n    {}",
                failure.property, failure.seed, failure.step, failure.detail, failure.replay
            ));
            for fault in &failure.faults {
                text.push_str(&format!("\n    needs fault {fault}"));
            }
        }
        text
    }
}
