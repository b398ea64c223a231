//! Judges a play against its scenario's expectations, from what was seen outside the system.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use watchfire_types::MemberId;
use watchfire_types::body::Cause;
use watchfire_types::control::CanPause;

use super::DrillError;
use super::cluster::Causes;
use super::play::Played;
use super::report::{Blocks, DrillReport, Expectation, Loss, NodeReport, SafeReport, Timeline};
use super::stage::Stage;
use crate::bid;

fn expectation(name: &str, expected: &str, actual: &str, passed: bool) -> Expectation {
    Expectation {
        name: name.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        passed,
        speed: false,
    }
}

fn equal<T: PartialEq + ToString + ?Sized>(name: &str, expected: &T, actual: &T) -> Expectation {
    expectation(name, &expected.to_string(), &actual.to_string(), expected == actual)
}

fn at_most<T: PartialOrd + ToString>(name: &str, most: &T, actual: Option<T>) -> Expectation {
    let passed = actual.as_ref().is_some_and(|actual| actual <= most);
    let actual = actual.map_or("never".to_owned(), |actual| actual.to_string());
    expectation(name, &format!("at most {}", most.to_string()), &actual, passed)
}

/// One that a slower machine could miss.
fn by_speed(expectation: Expectation) -> Expectation {
    Expectation { speed: true, ..expectation }
}

/// A kebab-case name as serde writes it.
fn name_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn taken(stage: &Stage, played: &Played) -> U256 {
    let now = played.seen.blocks.last().map_or(U256::ZERO, |block| block.vault_wei);
    // What a depositor takes out came in before, beside the vault's own.
    stage.scenario.vault.wei.saturating_sub(now)
}

/// Why there was no pause, in the nodes' words. One cause, where every node that found something names it and none names another; else
/// every cause that is named, and who should have named one and did not. Without any, that nobody found anything.
fn cause(stage: &Stage, played: &Played, causes: &Causes) -> Option<String> {
    if played.seen.included().is_some() {
        return None;
    }
    let found = played.seen.authors("finding");
    let organisations = stage.cluster.nodes.iter().map(|node| &node.organisation);
    let finders = organisations.filter(|of| found.contains(&of.id)).map(|of| &of.member);
    the_cause(&finders.collect(), causes)
}

fn the_cause(finders: &BTreeSet<&MemberId>, causes: &Causes) -> Option<String> {
    let named: BTreeSet<&str> = causes.values().flatten().map(String::as_str).collect();
    let mute = finders.iter().filter(|member| causes.get(**member).is_none_or(BTreeSet::is_empty));
    let mute: Vec<String> = mute.map(|member| format!("nothing by {member}")).collect();
    let said: Vec<&str> = named.into_iter().chain(mute.iter().map(String::as_str)).collect();
    match said.is_empty() {
        true => Some(name_of(Cause::NoFinding)),
        false => Some(said.join(", ")),
    }
}

/// Expectations that the play alone decides; the nodes' end is judged later.
pub(super) fn of_the_play(stage: &Stage, played: &Played, nonce: u64, causes: &Causes) -> Vec<Expectation> {
    let (expect, seen) = (&stage.scenario.expect, &played.seen);
    let mut all = vec![equal("paused", &expect.paused, &seen.included().is_some())];
    if let Some(wanted) = &expect.ends_paused {
        all.push(equal("ends_paused", wanted, &seen.blocks.last().is_some_and(|last| last.paused)));
    }
    if let Some(most) = expect.loss_wei_max {
        all.push(by_speed(at_most("loss in wei", &most, Some(taken(stage, played)))));
    }
    if let Some(reason) = &expect.attacker_reverts {
        let actual = played.attack.reverted.clone().unwrap_or_else(|| "nothing".to_owned());
        let reverts = equal("the attacker's last transaction reverts with", reason, &actual);
        // Where the pause comes after the attack's last transaction, none meets it.
        let speed = played.attack.reverted.is_none() && seen.included().is_some();
        all.push(Expectation { speed, ..reverts });
    }
    if let Some(expected) = expect.cause {
        let actual = cause(stage, played, causes).unwrap_or_else(|| "none".to_owned());
        all.push(equal("named cause", &name_of(expected), &actual));
    }
    if let Some(count) = expect.found_by {
        all.push(equal("organisations with a finding", &usize::from(count), &seen.authors("finding").len()));
    }
    if let Some(expected) = expect.certificate {
        all.push(equal("certificate for a step", &expected, &seen.certificates().next().is_some()));
    }
    if let Some(expected) = expect.cancelled {
        all.push(equal("cancel certificate", &expected, &seen.cancelled()));
    }
    if let Some(count) = expect.rejected_by {
        all.push(equal("organisations whose people declined", &usize::from(count), &seen.authors("rejected").len()));
    }
    if let Some(count) = expect.nonces {
        all.push(equal("Safe transactions executed", &count, &nonce.saturating_sub(played.nonce_before)));
    }
    if let Some(expected) = expect.other_submitter {
        let first = stage.cluster.nodes[played.first_submitter].submitter;
        let actual = seen.pause.map(|(_, from)| (from != first).to_string()).unwrap_or_else(|| "no pause".to_owned());
        all.push(equal("sent by another than the first submitter", &expected.to_string(), &actual));
    }
    if let Some(expected) = expect.bumped {
        all.push(bumped(stage, played, expected));
    }
    if let Some(expected) = expect.evidence_complete {
        let (whole, nodes) = (seen.places("evidence-complete").len(), stage.cluster.nodes.len());
        let actual = format!("{whole} of {nodes} nodes");
        all.push(expectation("evidence is complete", &expected.to_string(), &actual, (whole == nodes) == expected));
    }
    if let Some(expected) = expect.status_before {
        all.push(status_before(played, expected));
    }
    if let Some(most) = expect.included_ms_max {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        all.push(by_speed(at_most("ms from the first attack block to the pause", &most, timeline(played).included)));
    }
    all
}

/// By what the operators were handed, not by what the nodes say of it.
fn bumped(stage: &Stage, played: &Played, expected: bool) -> Expectation {
    const NAME: &str = "the pause replaced a lower bid";
    let all: Vec<_> = stage.cluster.nodes.iter().flat_map(|node| node.operator.sent()).collect();
    let pause = played.seen.pause.and_then(|(hash, _)| all.iter().find(|one| one.bid.hash == hash));
    let Some(pause) = pause else {
        return expectation(NAME, &expected.to_string(), "no pause", false);
    };
    let bids: Vec<_> =
        all.iter().filter(|one| (one.from, one.nonce) == (pause.from, pause.nonce)).map(|one| one.bid).collect();
    let fees: Vec<_> = bids.iter().map(|bid| format!("{}/{}", bid.max_fee, bid.tip)).collect();
    let actual = bid::bumped(&bids, pause.bid.hash);
    let text = format!("{actual} (fee cap/tip in wei: {})", fees.join(", "));
    expectation(NAME, &expected.to_string(), &text, actual == expected)
}

fn status_before(played: &Played, expected: CanPause) -> Expectation {
    let said: Vec<_> =
        played.status_before.iter().map(|one| one.map_or_else(|| "no answer".to_owned(), name_of)).collect();
    let passed = !said.is_empty() && played.status_before.iter().all(|one| *one == Some(expected));
    expectation("status of every node before the attack", &name_of(expected), &said.join(", "), passed)
}

/// L8 and the record: what every drill expects of its end.
fn of_the_end(played: &Played, nodes: &[NodeReport]) -> Vec<Expectation> {
    let settled = &played.settled;
    let owed = if settled.owed.is_empty() { "nothing".to_owned() } else { settled.owed.join("; ") };
    let broken: Vec<_> = nodes.iter().filter(|node| !node.log_verified).map(|node| node.id.to_string()).collect();
    let logs = if broken.is_empty() { "all".to_owned() } else { format!("not those of {}", broken.join(", ")) };
    vec![
        expectation("every node holds the same shared state", "1 digest", &settled.words(), settled.is_same()),
        equal("still owed at the end", "nothing", owed.as_str()),
        equal("logs that verify", "all", logs.as_str()),
    ]
}

fn timeline(played: &Played) -> Timeline {
    let seen = &played.seen;
    let Some(zero) = played.attack.first_block.and_then(|number| seen.arrival(number)) else {
        return Timeline::default();
    };
    let since = |at: Option<u64>| at.map(|at| i64::try_from(at).unwrap_or(i64::MAX).saturating_sub_unsigned(zero));
    Timeline {
        first_attack_block: Some(0),
        first_finding: since(seen.first("finding")),
        quorum: since(seen.certificates().map(|record| record.at_ms).min()),
        threshold_signed: since(seen.first("threshold-signed")),
        submitted: since(seen.first("submitted")),
        included: since(seen.included().and_then(|block| seen.arrival(block.number))),
        postcondition: since(seen.postcondition()),
    }
}

/// The whole report.
pub(super) async fn judge(stage: &Stage, played: Played, nodes: Vec<NodeReport>) -> Result<DrillReport, DrillError> {
    let nonce_after = stage.safe.nonce(&stage.rpc).await?;
    let (owners, threshold) = stage.safe.owners(&stage.rpc).await?;
    let mut expectations = of_the_play(stage, &played, nonce_after, &played.settled.causes);
    expectations.extend(of_the_end(&played, &nodes));
    let (before, taken) = (stage.scenario.vault.wei, taken(stage, &played));
    let cause = cause(stage, &played, &played.settled.causes);
    let record = super::record::record(stage, &played, &nodes, &expectations, cause.clone());
    Ok(DrillReport {
        record: Some(record),
        scenario: stage.scenario.name.clone(),
        passed: expectations.iter().all(|one| one.passed),
        expectations,
        timeline_ms: timeline(&played),
        blocks: Blocks {
            first_attack: played.attack.first_block,
            included: played.seen.included().map(|block| block.number),
        },
        loss: Loss { before: before.to_string(), taken: taken.to_string(), saved: (before - taken).to_string() },
        safe: SafeReport {
            address: stage.safe.address,
            chain_id: stage.safe.chain_id,
            nonce_before: played.nonce_before,
            nonce_after,
            threshold,
            owners,
        },
        pause_tx: played.seen.pause.map(|(transaction, _)| transaction),
        cause,
        nodes,
    })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
