//! What a run is worth as an exercise: who did what when, what was lost, and what would have been.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};

use super::agenda::{MILLI, Micros};
use super::chain::{Call, Included};
use super::report::Rehearsal;
use super::watch::{Breach, Kind};
use super::world::World;
use crate::record::{Check, DrillRecord, Exercise, LossCurve, LossPoint, Participant, Response};
use crate::scenario::{AttackKind, FaultKind, Wave, words};

/// The record of a run that came to its end, and of which a sketch was made.
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
        rehearsed: cast.said.iter().flat_map(Rehearsal::lines).collect(),
        injected: injected(world),
        response: Response {
            detect_ms: timeline("finding"),
            agree_ms: timeline("certificate"),
            sign_ms: timeline("threshold-signed"),
            include_ms: timeline("included"),
            blocks: first.zip(paused).map(|(first, paused)| paused.saturating_sub(first)),
        },
        loss: loss(world),
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

/// Accounts that the attack is sent from.
fn attackers(world: &World<'_>) -> BTreeSet<Address> {
    let named = |wave: Wave<'_>| {
        wave.from.map_or(Address::repeat_byte(0xee), |name| Address::from_word(alloy_primitives::keccak256(name)))
    };
    world.cast.scenario.attack.waves().map(named).collect()
}

/// The attack's transactions in a block of the chain.
fn attacks<'a>(world: &'a World<'_>, block: u64) -> Vec<&'a Included> {
    let attackers = attackers(world);
    let sent =
        |one: &&Included| matches!(one.transaction.call, Call::Touch(_)) && attackers.contains(&one.transaction.from);
    world.chain.at(block).into_iter().flat_map(|block| block.included.iter()).filter(sent).collect()
}

/// The first block of the attack, and that of every later time at which it is played from its begin.
fn begins(world: &World<'_>) -> BTreeSet<u64> {
    let again = words(&FaultKind::AttackAgain {});
    let head = world.chain.head().at.number;
    let sketch = world.sketch.iter();
    let begun = sketch.flat_map(|sketch| {
        let moments = sketch.acts.iter().filter(|(_, what)| *what == again).map(|(at, _)| *at);
        moments.filter_map(|at| sketch.blocks.iter().find(|block| block.at >= at))
    });
    let later = begun.filter_map(|block| (block.number..=head).find(|number| !attacks(world, *number).is_empty()));
    world.play.attack.first_block.into_iter().chain(later).collect()
}

/// From the first attack block to the last one at which anything could still be lost, of every vault that is drained.
fn loss(world: &World<'_>) -> LossCurve {
    let (cast, scenario) = (world.cast, &world.cast.scenario);
    let vault = scenario.vault.wei;
    let vaults = if cast.twin.is_some() { 2 } else { 1 };
    let before = vault.saturating_mul(U256::from(vaults));
    let theft = !matches!(scenario.attack.kind, AttackKind::Withdrawal | AttackKind::None);
    let begun = begins(world);
    let Some((first, latest)) = begun.first().copied().zip(begun.last().copied()).filter(|_| theft) else {
        return LossCurve { before, ..LossCurve::default() };
    };
    let block_ms = scenario.chain.block_time_ms;
    // Blocks from the first one of the attack to the first one of a wave.
    let delay = |wave: &Wave<'_>| wave.after_ms.div_ceil(block_ms);
    // So many blocks after an attack's first one, from one of the vaults: a forged message releases nothing of the second.
    let script = |blocks: u64, of: u64| {
        let of_wave = |wave: Wave<'_>| {
            let sent = blocks.saturating_add(1).saturating_sub(delay(&wave)).min(wave.transactions);
            wave.takes().saturating_mul(U256::from(sent.saturating_sub(u64::from(wave.prepares()))))
        };
        let waves = scenario.attack.waves().filter(|wave| of == 0 || wave.kind != AttackKind::ForgedMessage);
        waves.map(of_wave).fold(U256::ZERO, U256::saturating_add)
    };
    let summed = |blocks_after: &dyn Fn(u64) -> Option<u64>| {
        let of_vault = |of: u64| {
            let times = begun.iter().filter_map(|begin| Some(script(blocks_after(*begin)?, of)));
            times.fold(U256::ZERO, U256::saturating_add).min(vault)
        };
        (0..vaults).map(of_vault).fold(U256::ZERO, U256::saturating_add)
    };
    let blocks = scenario.attack.waves().map(|wave| delay(&wave).saturating_add(wave.transactions)).max().unwrap_or(0);
    let head = world.chain.head();
    let last = head.at.number.min(latest.saturating_add(blocks));
    let curve = (first..=last).filter_map(|block| {
        let with = before.saturating_sub(world.chain.at(block)?.state.left());
        Some(LossPoint { block, with, without: summed(&|begin| block.checked_sub(begin)).max(with) })
    });
    let taken = before.saturating_sub(head.state.left());
    LossCurve {
        before,
        taken,
        without_response: summed(&|_| Some(blocks)).max(taken),
        oracle: summed(&|_| Some(0)).min(taken),
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
    let once = cast.scenario.attack.waves().map(|wave| wave.transactions).fold(0, u64::saturating_add);
    let script = once.saturating_mul(begins(world).len() as u64);
    let through = (0..=world.chain.head().at.number).flat_map(|block| attacks(world, block));
    let through = through.filter(|one| one.result.is_ok()).count() as u64;
    if world.play.pauses > 0 && script > through {
        lines.push(format!("{} of the attacker's {script} transactions", script - through));
    }
    lines
}

fn checks(world: &World<'_>, breaches: &[Breach]) -> Vec<Check> {
    let expected = &world.cast.scenario.expect;
    let paused = world.play.pauses > 0;
    let as_expected = paused == expected.paused;
    let excused = !as_expected && super::rehearsal::excused(world);
    let mut checks = vec![Check {
        name: "paused".to_owned(),
        detail: format!(
            "expected {}, was {paused}{}",
            expected.paused,
            if excused { ": that does not follow from this charter's rules" } else { "" }
        ),
        passed: as_expected || excused,
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
