//! `watchfire metrics`: what a monitor watches a node by, in the OpenMetrics text format. There is no port for it: a timer writes it into a
//! file that an exporter reads.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;
use watchfire_types::control::{CanPause, IntakeStatus, LookoutStatus, Reply, ReportCount, Request, Status};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::config::Config;
use crate::control::client::{ClientError, ask};

type Labels = Vec<(&'static str, String)>;
type Value = Gauge<f64, AtomicU64>;

/// One value.
#[derive(Debug, PartialEq, Serialize)]
struct Sample {
    name: &'static str,
    #[serde(skip)]
    help: &'static str,
    labels: Labels,
    value: f64,
}

/// Prints them; a node that does not run is a value too, and the exit code 1.
pub(super) fn run(arguments: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.config)?;
    let status = match ask(&config.directory, &Request::Status) {
        Ok(Reply::Status(status)) => Some(*status),
        Ok(_) => return Err(CliError::other_answer()),
        Err(ClientError::NotRunning { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let running = status.is_some();
    let mut samples = vec![one("watchfire_running", "Whether the node runs and answers", u8::from(running).into())];
    samples.extend(status.iter().flat_map(of_status));
    output.answer(&text(&samples)?, &serde_json::json!({ "metrics": samples }))?;
    Ok(if running { code::OK } else { code::NO })
}

fn one(name: &'static str, help: &'static str, value: f64) -> Sample {
    Sample { name, help, labels: Vec::new(), value }
}

#[expect(clippy::cast_precision_loss, reason = "a monitor's numbers are doubles")]
fn of_status(status: &Status) -> Vec<Sample> {
    let mut samples = vec![
        one("watchfire_ready", "Whether the store is open and the chains are followed", u8::from(status.ready).into()),
        one("watchfire_events", "Events held", status.events as f64),
        one(
            "watchfire_index_lag_events",
            "Events of the journal that the index does not hold yet",
            status.index_lag as f64,
        ),
        one("watchfire_owed_duties", "Duties still owed", status.owed.len() as f64),
        one("watchfire_alarms", "Alarms that stand", status.alarms.len() as f64),
    ];
    let mut say = |name, help, label: (&'static str, &dyn ToString), value: f64| {
        samples.push(Sample { name, help, labels: vec![(label.0, label.1.to_string())], value });
    };
    for asset in &status.assets {
        let verdict = match asset.can_pause {
            CanPause::Yes => 0,
            CanPause::AtRisk => 1,
            CanPause::No => 2,
        };
        let label = ("asset", &asset.asset as &dyn ToString);
        say("watchfire_can_pause_verdict", "Can the network pause it: 0 yes, 1 at risk, 2 no", label, verdict.into());
        say("watchfire_contained", "Whether it is contained now", label, u8::from(asset.contained).into());
    }
    for peer in &status.peers {
        let label = ("member", &peer.member as &dyn ToString);
        say("watchfire_peer_connected", "Whether it is connected", label, u8::from(peer.connected).into());
        if let Some(age) = peer.heartbeat_age_ms {
            say("watchfire_peer_heartbeat_age_seconds", "Since its newest heartbeat", label, age as f64 / 1e3);
        }
        let same = peer.state_digest == Some(status.state_digest);
        say(
            "watchfire_peer_same_state",
            "Whether it last stated this node's shared state",
            label,
            u8::from(same).into(),
        );
        say("watchfire_peer_faulty", "Whether a fault proof cut it", label, u8::from(peer.faulty).into());
    }
    for chain in &status.chains {
        let label = ("chain", &chain.chain as &dyn ToString);
        if let Some(head) = chain.head {
            say("watchfire_chain_head_number", "Newest block that its operators agree on", label, head.number as f64);
        }
        if let Some(block) = chain.finalized {
            say(
                "watchfire_chain_final_number",
                "Newest block that its operators agree is final",
                label,
                block.number as f64,
            );
        }
        say(
            "watchfire_chain_unproved_blocks",
            "Blocks of this process whose logs their receipts root does not prove",
            label,
            chain.unproved_blocks as f64,
        );
        if let Some(age) = chain.head_age_ms {
            say("watchfire_chain_head_age_seconds", "Since that block arrived", label, age as f64 / 1e3);
        }
        if let Some(wei) = chain.submitter_balance.as_ref().and_then(|wei| wei.parse().ok()) {
            say("watchfire_submitter_balance_wei", "What this node's submitter holds", label, wei);
        }
    }
    samples.extend(status.intake.iter().flat_map(of_intake));
    samples
}

/// What came of reports, and of looks outside the chain.
fn of_intake(intake: &IntakeStatus) -> Vec<Sample> {
    let reports = intake.counts.iter().map(|ReportCount { source, outcome, count }| {
        let source = source.as_ref().map(ToString::to_string).unwrap_or_default();
        Sample {
            labels: vec![("source", source), ("outcome", outcome.clone())],
            ..one("watchfire_reports", "Answers to reports from outside the chain since the start", *count as f64)
        }
    });
    let looks = intake.lookouts.iter().flat_map(|LookoutStatus { source, seen, failed, .. }| {
        [("seen", seen), ("failed", failed)].map(|(outcome, count)| Sample {
            labels: vec![("source", source.to_string()), ("outcome", outcome.to_owned())],
            ..one("watchfire_looks", "Looks at what lies outside the chain since the start", *count as f64)
        })
    });
    reports.chain(looks).collect()
}

/// As an exporter reads it.
fn text(samples: &[Sample]) -> Result<String, CliError> {
    let mut registry = Registry::default();
    let mut families: BTreeMap<&str, Family<Labels, Value>> = BTreeMap::new();
    for sample in samples {
        if sample.labels.is_empty() {
            let value = Value::default();
            value.set(sample.value);
            registry.register(sample.name, sample.help, value);
            continue;
        }
        let family = families.entry(sample.name).or_insert_with(|| {
            let family = Family::default();
            registry.register(sample.name, sample.help, Family::clone(&family));
            family
        });
        family.get_or_create(&sample.labels).set(sample.value);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_family_a_name_whatever_the_order() {
        let of = |name, member: &str, value| Sample {
            labels: vec![("member", member.to_owned())],
            ..one(name, "Help", value)
        };
        let samples = [of("b", "x", 1.0), of("a", "x", 0.5), one("c", "Help", 3.0), of("b", "y", 0.0)];
        let text = text(&samples).unwrap();
        assert_eq!(text.matches("# TYPE b gauge").count(), 1, "{text}");
        for line in ["b{member=\"x\"} 1.0", "b{member=\"y\"} 0.0", "a{member=\"x\"} 0.5", "c 3.0"] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
