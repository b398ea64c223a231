//! Claims executions that never were.

use alloy_primitives::{B256, keccak256};
use watchfire_types::body::{Executed, PostconditionChecked, Submitted};
use watchfire_types::{BlockRef, BlockTime, Body, StepIndex};

use super::forge::{Forge, decision};
use super::{Adversary, Scene};

/// At every block: that the pause is submitted and executed, that its postcondition holds, and that a recovery executes far in the
/// future, which would make all evidence stale. The pause itself it never sends.
#[derive(Debug)]
pub(super) struct FalseExecutor {
    forge: Forge,
}

impl FalseExecutor {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for FalseExecutor {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let Some(decision) = decision(scene.cast) else { return };
        let head = scene.chain.head().at;
        let later = BlockRef {
            number: head.number + 1_000_000_000,
            time: BlockTime::from_secs(head.time.as_secs() + 1_000_000_000),
            hash: keccak256(b"later"),
            ..head
        };
        let safe_transaction = keccak256(head.hash);
        let executed = |block| Executed { block, safe: scene.cast.safe, safe_transaction, transaction: B256::ZERO };
        let holds = |playbook, block| PostconditionChecked {
            asset: decision.asset.clone(),
            playbook,
            step: StepIndex::new(1),
            holds: true,
            block,
        };
        let submitted = Submitted {
            chain: head.chain,
            safe: scene.cast.safe,
            safe_transaction,
            transaction: B256::ZERO,
            submitter: scene.cast.players[scene.place].submitter,
            max_fee_per_gas: 1,
            max_priority_fee_per_gas: 1,
            attempt: 0,
        };
        let mut bodies = vec![
            Body::Submitted(submitted),
            Body::Executed(executed(head)),
            Body::Executed(executed(later)),
            Body::PostconditionChecked(holds(decision.playbook.clone(), head)),
        ];
        let recovery = scene.cast.recovery.clone().unwrap_or_else(|| decision.playbook.clone());
        bodies.push(Body::PostconditionChecked(holds(recovery, later)));
        for body in bodies {
            for bytes in self.forge.make(scene.cast, scene.clock, body) {
                scene.tell_all(&bytes);
            }
        }
    }

    fn submits(&self) -> bool {
        false
    }
}
