//! When a play is over, and what it is judged by then.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use watchfire_types::duty::Duty;

use super::{READY, World};
use crate::scenario::AttackKind;
use crate::simulate::agenda::{MILLI, SECOND};

/// Quiet blocks after which a play that expects no pause may end.
const QUIET_BLOCKS: u64 = 6;

impl World<'_> {
    /// Whether what the scenario has is through and nothing is left to do; or time is up.
    pub(super) fn is_over(&mut self) -> bool {
        let scenario = &self.cast.scenario;
        let settle_s =
            20 + if scenario.expect.paused { 0 } else { scenario.governance.window_s + scenario.governance.expiry_s };
        if self.now >= READY + (scenario.seconds_max + settle_s) * SECOND {
            return true;
        }
        let quiet_us = QUIET_BLOCKS * (scenario.chain.block_time_ms * MILLI).max(SECOND / 2);
        let pending_fault = (0..self.play.planned.len())
            .any(|index| self.play.fired.contains(&index) && !self.play.done.contains(&index));
        let paused = scenario
            .expect
            .pauses
            .map_or(self.play.pauses > 0 || !scenario.expect.paused, |wanted| self.play.pauses >= wanted);
        let ends = scenario.expect.ends_paused.is_none_or(|wanted| self.chain.head().state.paused == wanted);
        let told = scenario.expect.cause.is_none_or(|cause| self.play.cause == Some(cause));
        self.play.attack.over
            && paused
            && ends
            && told
            && !pending_fault
            && self.play.flaps.is_empty()
            && self.play.people == scenario.humans.len()
            && self.now.saturating_sub(self.play.stirred) >= quiet_us
            && self.settled()
    }

    /// Whether every honest node that lives is as complete as the others and owes nothing.
    pub(crate) fn settled(&self) -> bool {
        let mut digests = BTreeSet::new();
        for node in self.nodes.iter().filter(|node| self.cast.honest(node.place)) {
            let Some(process) = &node.process else { continue };
            if process.duties.iter().any(|duty| matches!(duty, Duty::Submit(_))) {
                return false;
            }
            digests.insert(process.driver.machine().state_digest());
        }
        digests.len() <= 1
    }

    /// After the last step: what only an end can be judged by.
    pub(super) fn finish(&mut self) {
        let before = self.chain.at(0).map_or(U256::ZERO, |first| first.state.left());
        let taken = before.saturating_sub(self.chain.head().state.left());
        self.play.attack.taken =
            if self.cast.scenario.attack.kind == AttackKind::Withdrawal { U256::ZERO } else { taken };
        if !self.watch.broke_safety() {
            crate::simulate::watch::end::judge(self);
        }
    }
}
