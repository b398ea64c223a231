//! The faults of one run: the scenario's own, and those that its chaos draws from the seed.

use std::collections::BTreeSet;

use super::agenda::{MILLI, Micros, SECOND};
use super::cast::Cast;
use super::dice::Dice;
use super::world::{Planned, When};
use crate::scenario::{DiskLeft, FaultKind, Who};

/// Chaos falls into this time unless the scenario says otherwise, s.
pub(crate) const WITHIN_S: u64 = 20;
/// What fails by chance works again after this long.
const LASTS: (Micros, Micros) = (SECOND, 8 * SECOND);

/// All faults of this seed, numbered; with `only`, those of these numbers alone.
pub(crate) fn faults(cast: &Cast, seed: u64, only: Option<&BTreeSet<usize>>) -> Vec<Planned> {
    let mut salt = Dice::new(seed, "salt");
    let scenario = &cast.scenario;
    let own = scenario.faults.iter().map(|fault| (When::After(fault.at, fault.delay_ms * MILLI), fault.what.clone()));
    let mut all: Vec<(When, FaultKind)> = own.collect();
    all.extend(drawn(cast, seed));
    let numbered =
        all.into_iter().enumerate().map(|(number, (when, what))| Planned { number, when, what, salt: salt.next() });
    numbered.filter(|planned| only.is_none_or(|only| only.contains(&planned.number))).collect()
}

fn drawn(cast: &Cast, seed: u64) -> Vec<(When, FaultKind)> {
    let chaos = &cast.scenario.chaos;
    let mut dice = Dice::new(seed, "chaos");
    let within = if chaos.within_s == 0 { WITHIN_S } else { chaos.within_s } * SECOND;
    let mut all = Vec::new();
    let mut pair = |dice: &mut Dice, begins: FaultKind, ends: FaultKind| {
        let at = dice.below(within);
        let lasts = dice.within(LASTS);
        all.push((When::Drawn(at), begins));
        all.push((When::Drawn(at + lasts), ends));
    };
    let somebody = |dice: &mut Dice| {
        let at = usize::try_from(dice.below(cast.players.len() as u64)).unwrap_or(0);
        Who::Member(cast.players[at].member.clone())
    };
    for _ in 0..chaos.crashes {
        let member = somebody(&mut dice);
        let disks = [DiskLeft::Kept, DiskLeft::Lost, DiskLeft::Torn, DiskLeft::Old, DiskLeft::None];
        let disk = dice.pick(&disks).copied().unwrap_or(DiskLeft::Kept);
        // Half of them come between two turns, half within one: between a write and its sync.
        let begins = if dice.chance(500) {
            FaultKind::Crash { member: member.clone(), disk }
        } else {
            FaultKind::CrashInSync { member: member.clone(), disk }
        };
        pair(&mut dice, begins, FaultKind::Restart { member });
    }
    for _ in 0..chaos.cuts {
        let member = somebody(&mut dice);
        pair(&mut dice, FaultKind::Cut { member: member.clone() }, FaultKind::Heal { member });
    }
    for _ in 0..chaos.operators {
        let Some(operator) = dice.pick(&cast.operators).cloned() else { continue };
        let operators = BTreeSet::from([operator]);
        let fails = dice.chance(500);
        let delay_ms = dice.within((100, 3_000));
        let begins = if fails {
            FaultKind::Silence { operators: operators.clone() }
        } else {
            FaultKind::Lag { operators: operators.clone(), delay_ms }
        };
        pair(&mut dice, begins, FaultKind::Recover { operators });
    }
    for _ in 0..chaos.reorgs {
        let at = dice.below(within);
        let (depth, drops) = (dice.within((1, 3)), dice.chance(300));
        all.push((When::Drawn(at), FaultKind::Reorg { depth, drops }));
    }
    for _ in 0..chaos.clocks {
        let member = somebody(&mut dice);
        let ahead_ms = i64::try_from(dice.below(40_000)).unwrap_or(0) - 20_000;
        all.push((When::Drawn(dice.below(within)), FaultKind::Clock { member, ahead_ms }));
    }
    all
}
