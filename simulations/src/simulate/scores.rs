//! What a run is worth as an exercise: who did what when, what was lost, and what would have been.

use alloy_primitives::U256;

use super::agenda::{MILLI, Micros};
use super::watch::{Breach, Kind};
use super::world::World;
use crate::record::{Check, DrillRecord, Exercise, LossCurve, LossPoint, Participant, Response};
use crate::scenario::{AttackKind, Wave, words};

/// The record of a run that came to its end.
pub(super) fn record(world: &World<'_>, seed: u64, date: &str, breaches: &[Breach]) -> DrillRecord {
    let cast = world.cast;
    // Where nobody attacked, what was found is what there was to respond to.
    let zero = world.play.attack.first_block_at.or_else(|| world.play.timeline.get("finding").copied());
    let since = |at: Option<Micros>| Some(at?.saturating_sub(zero?) / MILLI);
    let timeline = |name: &str| since(world.play.timeline.get(name).copied());
    let participants = cast.players.iter().zip(&world.watch.known).map(|(player, known)| Participant {
        organisation: player.organisation.clone(),
        member: player.member.clone(),
        adversary: player.adversary.map(|kind| words(&kind)),
        detect_ms: since(known.times.found),
        vote_ms: since(known.times.voted),
        agree_ms: since(known.times.agreed),
        sign_ms: since(known.times.signed),
        submit_ms: since(known.times.submitted),
    });
    let (first, paused) = (world.play.attack.first_block, world.play.paused_block);
    let down = world.nodes.iter().filter(|node| node.process.is_none());
    let down: Vec<_> = down.map(|node| cast.players[node.place].organisation.clone()).collect();
    DrillRecord {
        exercise: Exercise::Simulation,
        date: date.to_owned(),
        scenario: cast.scenario.name.clone(),
        title: cast.scenario.title.clone(),
        seed: Some(seed),
        charter: hex::encode(cast.charter.digest().as_bytes()),
        participants: participants.collect(),
        injected: injected(world),
        response: Response {
            detect_ms: timeline("finding"),
            agree_ms: timeline("certificate"),
            sign_ms: timeline("threshold-signed"),
            include_ms: timeline("included"),
            blocks: first.zip(paused).map(|(first, paused)| paused.saturating_sub(first)),
        },
        loss: loss(world, first),
        blocks: blocked(world),
        cause: world.play.cause.filter(|_| world.play.pauses == 0).map(|cause| words(&cause)),
        checks: checks(world, breaches),
        gaps: Vec::new(),
        actions: Vec::new(),
        passed: false,
    }
    .completed(&down)
}

fn injected(world: &World<'_>) -> Vec<String> {
    let faults = world.play.planned.iter().map(|one| format!("{}: {}", one.when.words(), words(&one.what)));
    let humans = world.cast.scenario.humans.iter().map(|human| {
        let who: Vec<&str> = human.organisations.iter().map(|id| id.as_str()).collect();
        format!(
            "{} and {} ms: people of {}, {}: {}",
            words(&human.at),
            human.after_ms(),
            who.join(", "),
            words(&human.act),
            human.reason
        )
    });
    faults.chain(humans).collect()
}

/// From the first attack block to the last one at which anything could still be lost.
fn loss(world: &World<'_>, first: Option<u64>) -> LossCurve {
    let scenario = &world.cast.scenario;
    let before = scenario.vault.wei;
    let theft = !matches!(scenario.attack.kind, AttackKind::Withdrawal | AttackKind::None);
    let Some(first) = first.filter(|_| theft) else { return LossCurve { before, ..LossCurve::default() } };
    let block_ms = scenario.chain.block_time_ms;
    // Blocks from the first one of the attack to the first one of a wave.
    let begins = |wave: &Wave<'_>| wave.after_ms.div_ceil(block_ms);
    let without = |blocks: u64| {
        let of_wave = |wave: Wave<'_>| {
            let sent = blocks.saturating_add(1).saturating_sub(begins(&wave)).min(wave.transactions);
            wave.takes().saturating_mul(U256::from(sent.saturating_sub(u64::from(wave.prepares()))))
        };
        scenario.attack.waves().map(of_wave).fold(U256::ZERO, U256::saturating_add).min(before)
    };
    let blocks = scenario.attack.waves().map(|wave| begins(&wave).saturating_add(wave.transactions)).max().unwrap_or(0);
    let head = world.chain.head().at.number;
    let last = head.min(first.saturating_add(blocks));
    let curve = (first..=last).filter_map(|block| {
        let with = before.saturating_sub(world.chain.at(block)?.state.wei);
        Some(LossPoint { block, with, without: without(block - first).max(with) })
    });
    let taken = world.play.attack.taken;
    LossCurve {
        before,
        taken,
        without_response: without(blocks).max(taken),
        oracle: without(0).min(taken),
        curve: curve.collect(),
    }
}

/// What reverts while the widest step holds.
fn blocked(world: &World<'_>) -> Vec<String> {
    let cast = world.cast;
    let widest = cast.charter.playbooks.get(&cast.playbook).and_then(|playbook| playbook.step(cast.widest));
    let mut lines: Vec<String> = widest
        .into_iter()
        .flat_map(|step| &step.actions)
        .map(|action| {
            format!(
                "{} at {}: whatever there asks for `{}`, withdrawals of users too",
                action.function, action.target, action.postcondition.text
            )
        })
        .collect();
    let script = cast.scenario.attack.waves().map(|wave| wave.transactions).fold(0, u64::saturating_add);
    let through = world.play.attack.included;
    if world.play.pauses > 0 && script > through {
        lines.push(format!("{} of the attacker's {script} transactions", script - through));
    }
    lines
}

fn checks(world: &World<'_>, breaches: &[Breach]) -> Vec<Check> {
    let expected = &world.cast.scenario.expect;
    let paused = world.play.pauses > 0;
    let mut checks = vec![Check {
        name: "paused".to_owned(),
        detail: format!("expected {}, was {paused}", expected.paused),
        passed: paused == expected.paused,
    }];
    checks.extend(breaches.iter().map(|breach| Check {
        name: format!("{} ({})", breach.property, if breach.kind == Kind::Safety { "safety" } else { "liveness" }),
        detail: breach.detail.clone(),
        passed: false,
    }));
    checks.push(Check {
        name: "properties".to_owned(),
        detail: format!("{} broken after {} steps", breaches.len(), world.step),
        passed: breaches.is_empty(),
    });
    checks
}
