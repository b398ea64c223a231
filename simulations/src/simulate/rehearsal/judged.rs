//! Which of a scenario's expectations follow under a charter of one's own, and how it is judged what ended the loss.

use alloy_primitives::U256;
use toml::Table;
use watchfire_charter::{Mode, Playbook};

use crate::scenario::{self, Act, AttackKind, FaultKind, Scenario, Wave};
use crate::simulate::chain::Call;
use crate::simulate::watch::{Breach, end};
use crate::simulate::world::World;

/// Expectations that may hold for any charter; the others are amounts and times of the scenario's own.
const KEPT: [&str; 5] = ["paused", "pauses", "certificate", "cancelled", "cause"];

/// How it is judged whether the vault is paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ends {
    /// As the scenario says.
    #[default]
    AsWritten,
    /// Any step of the ladder that ended the loss will do.
    ByAnyStep,
    /// Whether it is follows from rules that the charter has otherwise.
    NotJudged,
}

/// What is judged, and what is not, a line each.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) ends: Ends,
    pub(super) not: Vec<String>,
}

/// Takes out of the expectations what does not follow from the charter's rules.
pub(super) fn follow(table: &mut Table, scenario: &Scenario, playbook: &Playbook) -> Judged {
    let (ends, why) = ends(scenario, playbook);
    let mut judged = Judged { ends, not: Vec::new() };
    if scenario.vault.twin {
        judged.not.push("the scenario's second vault: the charter's contracts are all there are".to_owned());
    }
    let again = scenario.faults.iter().any(|fault| fault.what == FaultKind::AttackAgain {});
    let asks = again && playbook.cooldown_s > scenario.governance.cooldown_s;
    let Some(toml::Value::Table(expect)) = table.get_mut("expect") else { return judged };
    expect.retain(|key, _| KEPT.contains(&key));
    if let Some(why) = why {
        judged.not.push(format!("whether it is paused: {why}"));
        for key in ["pauses", "certificate", "cause"] {
            expect.remove(key);
        }
    }
    if let Some(pauses) = scenario.expect.pauses.filter(|_| asks && expect.remove("pauses").is_some()) {
        judged.not.push(format!(
            "that it is paused {pauses} times: for {} s after a containment the ladder asks its people (cooldown_s)",
            playbook.cooldown_s
        ));
    }
    judged
}

/// How it is judged, and why not, where it is not.
fn ends(scenario: &Scenario, playbook: &Playbook) -> (Ends, Option<String>) {
    let (attack, expect, governance) = (&scenario.attack, &scenario.expect, &scenario.governance);
    let proposed = governance.mode == scenario::Mode::Propose;
    let not = |why: String| (Ends::NotJudged, Some(why));
    let mode = match playbook.mode {
        Mode::Observe => "observe",
        Mode::Propose => "propose",
        Mode::Auto => "auto",
    };
    if expect.paused {
        let approved = playbook.mode == Mode::Propose && scenario.humans.iter().any(|human| human.act == Act::Approve);
        if playbook.mode != Mode::Auto && !approved {
            return not(format!("the ladder's mode is {mode}, and the scenario has nobody who approves"));
        }
        return (Ends::ByAnyStep, None);
    }
    // Nobody took anything, or people cancelled: neither hangs on mode and limits.
    if attack.kind == AttackKind::None || expect.cancelled == Some(true) {
        return (Ends::AsWritten, None);
    }
    if proposed && playbook.mode == Mode::Auto {
        return not(format!("the ladder's mode is {mode}, the scenario's is propose"));
    }
    let takes = |wave: Wave<'_>| {
        let each = if wave.kind == AttackKind::Withdrawal { wave.wei } else { wave.takes() };
        each.saturating_mul(U256::from(wave.transactions))
    };
    if attack.waves().map(takes).fold(U256::ZERO, U256::saturating_add) <= governance.pause_above_wei {
        return not("what is taken is below the scenario's own limit, and the charter has others".to_owned());
    }
    (Ends::AsWritten, None)
}

/// Whether partners executed a step of the ladder, and nothing was taken past it.
fn ended_by_a_step(world: &World<'_>) -> bool {
    let head = world.chain.head().at.number;
    let left = |number: u64| world.chain.at(number).map(|block| block.state.left());
    let last = (1..=head).rev().find(|number| left(*number) < left(number - 1)).unwrap_or(0);
    let by_partners = |number: u64| {
        let block = world.chain.at(number);
        block.into_iter().flat_map(|block| block.included.iter()).any(|one| {
            let partner = world.cast.players.iter().any(|player| player.submitter == one.transaction.from);
            partner && one.result.is_ok() && matches!(one.transaction.call, Call::Execute { .. })
        })
    };
    let held = |number: u64| world.chain.at(number).is_some_and(|block| block.state.limited || block.state.paused);
    (1..=head).any(by_partners) && (last..=head).any(held)
}

/// Whether what the scenario says of the pause does not count in this run.
pub(crate) fn excused(world: &World<'_>) -> bool {
    match world.cast.ends {
        Ends::AsWritten => false,
        Ends::ByAnyStep => ended_by_a_step(world),
        Ends::NotJudged => true,
    }
}

/// Takes back what was judged of the pause alone where that does not count.
pub(crate) fn judge(world: &mut World<'_>) {
    if excused(world) {
        let of_the_pause = |breach: &Breach| {
            matches!((breach.property, breach.detail.as_str()), ("L1", end::NOT_PAUSED) | ("L5", end::NEEDLESS))
        };
        world.watch.breaches.retain(|breach| !of_the_pause(breach));
    }
}
