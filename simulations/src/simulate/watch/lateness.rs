//! L3 and L5 by the clock: how long after its last signature the pause is in a block, whoever of the submitters is dead or lies, and how much
//! of that each other effect that took the nonce before it may cost.

use alloy_primitives::B256;
use watchfire_types::SafeTransaction;

use super::sending::turn_ms;
use super::{Kind, Watch, effects};
use crate::scenario::FaultKind;
use crate::simulate::agenda::{MILLI, Micros};
use crate::simulate::cast::{CHAIN, Cast, SAFE_VERSION};
use crate::simulate::chain::Call;
use crate::simulate::world::World;

/// Judges where nothing is in the way but submitters and what else takes the nonce: links lose nothing, the chain goes on at its price, and operators answer.
pub(super) fn judge(world: &mut World<'_>) {
    use FaultKind::{Crash, CrashInSync, HoldTransactionsOf, Kill, ReleaseTransactionsOf, Restart, StealNonce};
    let scenario = &world.cast.scenario;
    let calm = scenario.links_are_calm()
        && scenario.humans.is_empty()
        && world.play.planned.iter().all(|one| {
            matches!(
                one.what,
                Kill { .. }
                    | Crash { .. }
                    | CrashInSync { .. }
                    | Restart { .. }
                    | HoldTransactionsOf { .. }
                    | ReleaseTransactionsOf { .. }
                    | StealNonce {}
            )
        });
    let pause = world.play.pause.as_ref().zip(world.play.paused_at).filter(|_| calm);
    let Some((Call::Execute { transaction, .. }, paused_at)) = pause.map(|(pause, at)| (&pause.call, at)) else {
        return;
    };
    let hash = transaction.hashes(SAFE_VERSION, CHAIN.get(), world.cast.safe).safe_tx_hash;
    let Some(complete) = world.watch.complete_at(&hash) else { return };
    // One hop until everybody holds the last signature, one answer of an operator, and the block under way.
    let (block, hop, rpc) = (scenario.chain.block_time_ms, scenario.delay_ms_max(), scenario.chain.rpc_ms.1);
    let alone = slack(hop + rpc) + (block + turn(world, hash)) * MILLI;
    let took = paused_at.saturating_sub(complete);
    let mut late = Vec::new();
    if took > alone {
        late.push(("L3", took, alone, 0));
    }
    // Pauses at earlier nonces, each of which something else took.
    let (first, before) = world.watch.first_complete(world.cast, transaction).unwrap_or((complete, 0));
    let most = alone + before * (slack(hop + 2 * rpc) + block * MILLI);
    let took = paused_at.saturating_sub(first);
    if before > 0 && took > most {
        late.push(("L5", took, most, before));
    }
    for (property, took, most, before) in late {
        let detail = format!(
            "paused {} ms after the last signature, at most {} expected with {before} other effects before it",
            took / MILLI,
            most / MILLI
        );
        world.watch.breach(property, Kind::Liveness, detail);
    }
}

/// What the turns on the way take besides, and a tenth.
fn slack(way_ms: u64) -> Micros {
    way_ms * MILLI * 11 / 10 + 20 * MILLI
}

/// When the first of those sends who follow the protocol and whom no fault touches, ms after the last signature.
fn turn(world: &World<'_>, hash: B256) -> u64 {
    let named = |what: &FaultKind| match what {
        FaultKind::Kill { member }
        | FaultKind::Crash { member, .. }
        | FaultKind::CrashInSync { member, .. }
        | FaultKind::HoldTransactionsOf { member } => world.who(member),
        _ => None,
    };
    let struck: Vec<usize> = world.play.planned.iter().filter_map(|one| named(&one.what)).collect();
    let cast = world.cast;
    let operator = |place: usize| cast.players[place].asks.first();
    let sends = |place: &usize| {
        let player = &cast.players[*place];
        player.signs
            && !player.clone
            && cast.honest(*place)
            && !struck.iter().any(|other| other == place || operator(*other) == operator(*place))
    };
    (0..cast.players.len()).filter(sends).map(|place| turn_ms(cast, place, hash)).min().unwrap_or(0)
}

impl Watch {
    fn complete_at(&self, safe_tx_hash: &B256) -> Option<Micros> {
        self.signers.get(safe_tx_hash)?.complete
    }

    /// When the first transaction that does as much had its last signature, and how many nonces that was before this one.
    fn first_complete(&self, cast: &Cast, pause: &SafeTransaction) -> Option<(Micros, u64)> {
        let wanted = effects::calls(cast, pause)?;
        // What narrows the loss only, and is a part of the pause where that is not done yet, is not the pause.
        let does_as_much = |transaction: &SafeTransaction| {
            effects::calls(cast, transaction).is_some_and(|calls| wanted.iter().all(|call| calls.contains(call)))
        };
        let same = self.signers.values().filter(|one| does_as_much(&one.transaction));
        let (at, nonce) = same.filter_map(|one| Some((one.complete?, one.transaction.nonce))).min()?;
        Some((at, pause.nonce.saturating_sub(nonce).saturating_to()))
    }
}
