//! The drill record of a live drill, from what was seen outside the system.

use alloy_primitives::U256;

use super::observe::now_ms;
use super::play::Played;
use super::report::{Expectation, NodeReport};
use super::stage::Stage;
use crate::record::{Check, DrillRecord, Exercise, LossCurve, LossPoint, Participant, Response, day};
use crate::scenario::{AttackKind, words};

/// What the play shows of one drill. Clocks are those of the nodes, which run on one machine.
pub(super) fn record(
    stage: &Stage,
    played: &Played,
    nodes: &[NodeReport],
    expectations: &[Expectation],
    cause: Option<String>,
) -> DrillRecord {
    let seen = &played.seen;
    let attacked = played.attack.first_block.and_then(|number| seen.arrival(number));
    // Where nobody attacked, what was found is what there was to respond to.
    let zero = attacked.or_else(|| seen.first("finding"));
    let since = |at: Option<u64>| Some(at?.saturating_sub(zero?));
    let included = seen.included();
    let participants = nodes.iter().map(|node| {
        let own = |kind: &str| {
            let of = seen.of_kind(kind).filter(|record| record.organisation.as_ref() == Some(&node.organisation));
            since(of.map(|record| record.at_ms).min())
        };
        let place = stage.cluster.nodes.iter().position(|other| other.organisation.member == node.id);
        let certificates =
            seen.records.iter().filter(|(at, record)| Some(*at) == place && record.kind == "certificate");
        Participant {
            organisation: node.organisation.clone(),
            member: node.id.clone(),
            adversary: None,
            detect_ms: own("finding"),
            vote_ms: own("vote"),
            agree_ms: since(certificates.map(|(_, record)| record.at_ms).min()),
            sign_ms: own("co-signature"),
            submit_ms: own("submitted"),
        }
    });
    let scenario = &stage.scenario;
    let down: Vec<_> =
        nodes.iter().filter(|node| node.state_digest.is_none()).map(|node| node.organisation.clone()).collect();
    DrillRecord {
        exercise: Exercise::Drill,
        date: day(now_ms() / 1_000),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: None,
        charter: stage.charter_digest.clone(),
        participants: participants.collect(),
        rehearsed: Vec::new(),
        injected: injected(stage),
        response: Response {
            detect_ms: since(seen.first("finding")),
            agree_ms: since(seen.certificates().map(|record| record.at_ms).min()),
            sign_ms: since(seen.first("threshold-signed")),
            include_ms: since(included.and_then(|block| seen.arrival(block.number))),
            blocks: included.zip(played.attack.first_block).map(|(block, first)| block.number.saturating_sub(first)),
        },
        loss: loss(stage, played),
        blocks: vec!["pause(): every deposit and withdrawal of the vault, users' too".to_owned()],
        cause,
        checks: expectations
            .iter()
            .map(|one| Check {
                name: one.name.clone(),
                detail: format!("expected {}, was {}", one.expected, one.actual),
                passed: one.passed,
            })
            .collect(),
        gaps: Vec::new(),
        actions: Vec::new(),
        passed: false,
    }
    .completed(&down)
}

fn injected(stage: &Stage) -> Vec<String> {
    let faults = stage.scenario.faults.iter().map(|fault| format!("{}: {}", words(&fault.at), words(&fault.what)));
    let humans = stage.scenario.humans.iter().map(|human| {
        let who: Vec<&str> = human.organisations.iter().map(|id| id.as_str()).collect();
        format!("{}: people of {}, {}: {}", words(&human.at), who.join(", "), words(&human.act), human.reason)
    });
    faults.chain(humans).collect()
}

fn loss(stage: &Stage, played: &Played) -> LossCurve {
    let (vault, script) = (&stage.scenario.vault, &stage.scenario.attack);
    let Some(first) = played.attack.first_block.filter(|_| script.kind == AttackKind::Reentrancy) else {
        return LossCurve { before: vault.wei, ..LossCurve::default() };
    };
    let each = script.wei.saturating_mul(U256::from(script.times.saturating_sub(1)));
    let without = |blocks: u64| each.saturating_mul(U256::from((blocks + 1).min(script.transactions))).min(vault.wei);
    let lost = |wei: U256| vault.wei.saturating_sub(wei);
    let last = first.saturating_add(script.transactions);
    let curve = played.seen.blocks.iter().filter(|block| (first..=last).contains(&block.number)).map(|block| {
        let with = lost(block.vault_wei);
        LossPoint { block: block.number, with, without: without(block.number - first).max(with) }
    });
    let taken = played.seen.blocks.last().map_or(U256::ZERO, |block| lost(block.vault_wei));
    LossCurve {
        before: vault.wei,
        taken,
        without_response: without(script.transactions).max(taken),
        oracle: without(0).min(taken),
        curve: curve.collect(),
    }
}
