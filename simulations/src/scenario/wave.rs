//! The attack as a script of waves: the first is what `attack` says itself, each step is a further one.

use alloy_primitives::U256;
use serde::Deserialize;

use super::way::WrongEntry;
use super::{Attack, AttackKind, Scenario};

/// Most steps of a script.
const STEPS_MAX: usize = 16;
/// Latest begin of a step, ms.
const AFTER_MS_MAX: u64 = 3_600_000;

/// A further wave of the attack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackStep {
    /// Milliseconds from the begin of the attack; its first transaction is sent with the next block.
    pub after_ms: u64,
    /// Account that sends it, a name of your choice; the one of the first wave where it is left out. When a transaction reverts, its account
    /// sends nothing any more, in no wave; others go on.
    pub from: Option<String>,
    /// How.
    pub kind: AttackKind,
    /// Most transactions, one for each block.
    pub transactions: u64,
    /// As in the attack's own.
    pub wei: U256,
    /// As in the attack's own.
    #[serde(default = "super::one")]
    pub times: u64,
}

/// One wave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wave<'a> {
    pub(crate) after_ms: u64,
    /// The account, if it is another than the first wave's.
    pub(crate) from: Option<&'a str>,
    pub(crate) kind: AttackKind,
    pub(crate) transactions: u64,
    pub(crate) wei: U256,
    pub(crate) times: u64,
}

impl Wave<'_> {
    /// What one of its transactions takes, wei.
    pub(crate) fn takes(&self) -> U256 {
        self.wei.saturating_mul(U256::from(self.times.saturating_sub(1)))
    }

    /// Whether it begins with a transaction that takes nothing yet.
    pub(crate) fn prepares(&self) -> bool {
        !matches!(self.kind, AttackKind::Reentrancy | AttackKind::ForgedMessage)
    }
}

impl Attack {
    /// Every wave, the first one first.
    pub(crate) fn waves(&self) -> impl Iterator<Item = Wave<'_>> {
        let Self { kind, transactions, wei, times, .. } = *self;
        let steps = self.steps.iter().map(|step| Wave {
            after_ms: step.after_ms,
            from: step.from.as_deref(),
            kind: step.kind,
            transactions: step.transactions,
            wei: step.wei,
            times: step.times,
        });
        std::iter::once(Wave { after_ms: 0, from: None, kind, transactions, wei, times }).chain(steps)
    }
}

/// Checks every step.
pub(super) fn check(scenario: &Scenario) -> Result<(), WrongEntry> {
    let is_attack = |kind: AttackKind| !matches!(kind, AttackKind::Withdrawal | AttackKind::None);
    let steps = &scenario.attack.steps;
    if steps.len() > STEPS_MAX {
        return Err((STEPS_MAX, "attack.step", format!("at most {STEPS_MAX} steps")));
    }
    for (at, step) in steps.iter().enumerate() {
        if !is_attack(step.kind) || !is_attack(scenario.attack.kind) {
            return Err((at, "kind", "a withdrawal, or nothing, is no part of a script of several waves".to_owned()));
        }
        if step.kind == AttackKind::Reentrancy && !(2..=100).contains(&step.times) {
            return Err((at, "times", "a reentrant transaction takes 2 to 100 payments".to_owned()));
        }
        if step.after_ms > AFTER_MS_MAX {
            return Err((at, "after_ms", format!("must be at most {AFTER_MS_MAX}")));
        }
    }
    Ok(())
}
