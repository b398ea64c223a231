//! A node's turn: the door, the driver, and what its output sets in motion.

use alloy_primitives::{B256, U256};
use watchfire_driver::{Door, Notice, Output};
use watchfire_types::Timestamp;
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::{Input, PreflightOutcome, SubmissionFailure, SubmissionReport};

use super::{CATCH_UP, HEARTBEAT, Happening, World};
use crate::scenario::FaultKind;
use crate::simulate::agenda::{MILLI, Micros, SECOND};
use crate::simulate::bent::Bent;
use crate::simulate::cast::Cast;
use crate::simulate::chain::state::{BAD_OWNER, GUARD_BLOCKS, TOO_FEW};
use crate::simulate::chain::{Chain, Transaction};
use crate::simulate::node::payer::Want;

/// What a turn takes: the loop and one sync, and each message at the door (a signature is checked).
const TURN: Micros = 200;
const DOOR: Micros = 60;
/// Until a simulation that nobody answers counts as unknown.
const UNANSWERED: Micros = 500 * MILLI;

impl World<'_> {
    /// Starts a node on its disk.
    pub(super) fn start(&mut self, place: usize) {
        let epoch = self.chance.epochs.bytes16();
        self.links.forgets(place);
        match self.nodes[place].start(self.cast, epoch, self.now) {
            Ok(output) => {
                let life = self.nodes[place].life;
                self.watch.started(self.cast, place, &self.nodes[place], self.now);
                self.deal(place, 0, output);
                // Nodes do not tick in step.
                let offset = self.chance.rpc.below(SECOND);
                self.agenda.at(self.now + offset, Happening::Idle { place, life });
                self.agenda.at(self.now + HEARTBEAT + offset, Happening::Heartbeat { place, life });
                self.agenda.at(self.now + CATCH_UP + offset, Happening::CatchUp { place, life });
                let rpc = self.rpc_delay(place);
                self.agenda.at(self.now + rpc, Happening::Look { place, life });
                self.links_of(place, 50 * MILLI);
            }
            Err(cause) => self.watch.cannot_start(self.cast, place, &cause),
        }
    }

    pub(super) fn restart(&mut self, place: usize) {
        if self.nodes[place].process.is_none() {
            self.start(place);
        }
    }

    /// Puts a turn on the agenda, if none is.
    pub(crate) fn call(&mut self, place: usize) {
        let now = self.now;
        let node = &mut self.nodes[place];
        let life = node.life;
        if let Some(process) = &mut node.process
            && !process.called
        {
            process.called = true;
            self.agenda.at(now.max(process.free_at), Happening::Turn { place, life });
        }
    }

    pub(super) fn take_turn(&mut self, place: usize) {
        let Some(process) = &mut self.nodes[place].process else { return };
        process.called = false;
        let door = std::mem::take(&mut process.inbox);
        if !door.is_empty() {
            self.turn(place, door);
        }
    }

    pub(super) fn wake(&mut self, place: usize) {
        if let Some(process) = &mut self.nodes[place].process {
            process.wakes = None;
            process.inbox.push(Door::Input(Input::Tick));
            self.call(place);
        }
    }

    pub(super) fn idle(&mut self, place: usize) {
        let life = self.nodes[place].life;
        self.agenda.at(self.now + SECOND, Happening::Idle { place, life });
        self.silence(place);
        if let Some(process) = &mut self.nodes[place].process {
            process.inbox.push(Door::Input(Input::Tick));
            self.call(place);
        }
    }

    /// One turn of the driver and everything that it released.
    pub(crate) fn turn(&mut self, place: usize, door: Vec<Door>) {
        let clock = self.nodes[place].clock(self.now);
        let doors = door.len() as u64;
        let Some(process) = &mut self.nodes[place].process else { return };
        let took = TURN + DOOR * doors;
        process.free_at = process.free_at.max(self.now) + took;
        match process.driver.handle(clock, door) {
            Ok(output) => self.deal(place, took, output),
            Err(_) if self.dies_in_sync(place) => {}
            Err(halted) => {
                self.nodes[place].stop();
                self.nodes[place].halted = Some(halted.to_string());
                self.watch.halted(self.cast, place, self.play.disk_faults.contains(&place), &halted.to_string());
                self.links_of(place, SECOND);
            }
        }
    }

    /// What the node's event loop does with an output.
    pub(super) fn deal(&mut self, place: usize, took: Micros, mut output: Output) {
        self.noticed(place, &output.notices);
        let honest = self.cast.honest(place);
        for event in &output.appended {
            self.watch.appended(self.cast, place, event, self.now);
            let own = event.author == self.cast.players[place].author;
            if let Some(sketch) = self.sketch.as_mut().filter(|_| own) {
                sketch.event(self.now + took, place, event);
            }
            self.play.told_executed |= !own && matches!(event.body, watchfire_types::Body::Executed(_));
            self.play.saw(self.cast, event, own && honest, self.now);
        }
        for (id, verdict, refusal) in &output.verdicts {
            let from = usize::try_from(*id).ok().and_then(|id| self.play.messages.get(id)).map(|(from, _)| *from);
            if let Some(from) = from {
                self.watch.judged(self.cast, place, from, *verdict, refusal.as_ref());
            }
            self.verdict(place, *id, *verdict, took);
        }
        for answer in &output.answers {
            if let Err(rejection) = &answer.result {
                let said = rejection.to_string();
                self.watch.says(self.cast, place, "an answer to its people", said.as_bytes());
                self.play.refused.push((place, said));
            }
        }
        for bytes in std::mem::take(&mut output.publish) {
            if self.adversaries[place].is_some() {
                self.with_adversary(place, |adversary, scene| adversary.publishes(scene, &bytes));
            } else {
                self.publish(place, bytes, took);
            }
        }
        self.signed_at(place, took);
        self.carry_out(place, took, output);
    }

    fn noticed(&mut self, place: usize, notices: &[Notice]) {
        for notice in notices {
            self.watch.says(self.cast, place, "a notice", format!("{notice:?}").as_bytes());
            match notice {
                Notice::SigningStopped { violation } => self.watch.notice(self.cast, place, "S2", violation),
                Notice::Unsettled { rounds } => self.watch.notice(self.cast, place, "S12", rounds),
                Notice::Unsealable { cause, .. } => self.watch.notice(self.cast, place, "S12", cause),
                // Said to people; what they are about is judged by itself.
                Notice::KeyRefused { .. } => drop(self.watch.known[place].key_refused.get_or_insert(self.now)),
                Notice::NotWitnessed { .. } | Notice::OwnKeyElsewhere { .. } => {}
            }
        }
    }

    /// The duties of an output: what the executor of a node starts at once.
    fn carry_out(&mut self, place: usize, took: Micros, output: Output) {
        let mut transactions: Vec<Transaction> = Vec::new();
        let now = self.now;
        let life = self.nodes[place].life;
        let still = self.bends(Bent::OwesStill);
        let Some(process) = &mut self.nodes[place].process else { return };
        transactions.extend(output.released.iter().filter_map(|submitted| process.payer.released(submitted)));
        let asks: Vec<_> = output
            .duties
            .iter()
            .filter(|duty| !process.duties.contains(duty))
            .filter_map(|duty| match duty {
                Duty::CatchUp { from, epoch } => Some((*from, *epoch)),
                Duty::Preflight(_) | Duty::Submit(_) => None,
            })
            .collect();
        process.floors = output.window_floors;
        process.announced = output.announced;
        let mut preflights = Vec::new();
        let mut duties = output.duties;
        if still {
            duties.extend(process.duties.iter().filter(|duty| matches!(duty, Duty::Submit(_))).cloned());
        }
        if process.duties != duties {
            process.duties = duties;
            process.payer.set(&process.duties);
            preflights = process.set_preflights();
        }
        let bids: Vec<B256> = process.payer.due().iter().map(|submission| submission.safe_tx_hash).collect();
        let next = process.driver.next_timeout().filter(|at| process.wakes.is_none_or(|wakes| *at < wakes));
        if let Some(at) = next {
            process.wakes = Some(at);
            self.wake_at(place, at);
        }
        for (from, epoch) in asks {
            if let Some(other) = self.cast.place_of(&from) {
                self.ask(place, other, |driver| driver.catch_up_request_of(from, epoch));
            }
        }
        for preflight in preflights {
            let after = self.preflight_delay(place) + took;
            let preflight = Box::new(preflight);
            self.agenda.at(now + after, Happening::Preflighted { place, life, preflight });
        }
        let late = if self.bends(Bent::SendsLate) { self.cast.scenario.chain.block_time_ms * MILLI } else { 0 };
        for safe_tx_hash in bids {
            let after = self.rpc_delay(place) + took + late;
            self.agenda.at(now + after, Happening::Bid { place, life, safe_tx_hash });
        }
        for transaction in transactions {
            self.pay(place, transaction);
        }
    }

    /// Notes when a node first held a threshold-signed step.
    fn signed_at(&mut self, place: usize, took: Micros) {
        if self.watch.known[place].threshold_at.is_some() || !self.play.certificate {
            return;
        }
        let Some(process) = &self.nodes[place].process else { return };
        let threshold = self.chain.head().state.threshold;
        let counts = process.driver.machine().signatures();
        if counts.iter().any(|count| count.step.is_some() && count.owners.len() >= threshold) {
            self.watch.known[place].threshold_at = Some(self.now + took);
            self.play.timeline.entry("threshold-signed").or_insert(self.now + took);
        }
    }

    fn wake_at(&mut self, place: usize, at: Timestamp) {
        let life = self.nodes[place].life;
        let at = self.nodes[place].when(at).max(self.now + MILLI);
        self.agenda.at(at, Happening::Wake { place, life });
    }

    /// Until this node's first operator that answers has answered.
    pub(crate) fn rpc_delay(&mut self, place: usize) -> Micros {
        let (least, most) = self.cast.scenario.chain.rpc_ms;
        let asks = &self.cast.players[place].asks;
        let late = asks.iter().map(|one| &self.operators[*one].conduct).filter(|c| !c.down).map(|c| c.late_ms).min();
        self.chance.rpc.within((least * MILLI, most * MILLI)) + late.unwrap_or(0) * MILLI
    }

    fn preflight_delay(&mut self, place: usize) -> Micros {
        self.rpc_delay(place).min(UNANSWERED)
    }

    /// Simulates the whole `execTransaction` at the block it was asked for.
    pub(super) fn preflighted(&mut self, place: usize, preflight: &Preflight) {
        let outcome = match self.simulate(place, preflight) {
            _ if self.bends(Bent::SimulatesNothing) => PreflightOutcome::Passes,
            outcome => outcome,
        };
        self.watch.preflighted(place, preflight.safe_tx_hash, &outcome);
        let Some(process) = &mut self.nodes[place].process else { return };
        let answer = Input::Preflighted { safe_tx_hash: preflight.safe_tx_hash, block: preflight.at, outcome };
        if process.running.remove(preflight) {
            process.answered.insert(preflight.clone());
        }
        process.inbox.push(Door::Input(answer));
        self.call(place);
    }

    /// As enough of the node's operators tell it.
    fn simulate(&mut self, place: usize, preflight: &Preflight) -> PreflightOutcome {
        let up = self.cast.players[place].asks.iter().map(|one| &self.operators[*one]);
        let up: Vec<_> = up.filter(|one| !one.conduct.down && one.conduct.late_ms * MILLI < UNANSWERED).collect();
        let agree = self.cast.scenario.governance.agree;
        if up.len() < agree {
            return PreflightOutcome::Unknown { reason: "no answer within 500 ms".to_owned() };
        }
        let truly = truth(self.cast, &mut self.chain, preflight);
        let said: Vec<PreflightOutcome> = up.iter().map(|operator| operator.says_of(&truly)).collect();
        let agreed = said.iter().find(|one| said.iter().filter(|other| other == one).count() >= agree);
        agreed.cloned().unwrap_or(PreflightOutcome::Unknown { reason: "operators disagree".to_owned() })
    }

    /// One bid: estimated at the head its operators show, announced, and handed out once that is durable.
    pub(super) fn bid(&mut self, place: usize, safe_tx_hash: B256) {
        let done = self.bends(Bent::ForgetsOrphans) && self.play.pauses > 0;
        let stands_down = done || (self.bends(Bent::BelievesExecuted) && self.play.told_executed);
        if stands_down || (self.bends(Bent::OnlyFirstSends) && self.play.first_submitter != Some(place)) {
            return;
        }
        let agree = self.cast.scenario.governance.agree;
        let asks = &self.cast.players[place].asks;
        let head = crate::simulate::operator::agreed_head(&self.chain, &self.operators, asks, agree);
        let Some(process) = &mut self.nodes[place].process else { return };
        let Some(submission) = process.duties.iter().find_map(|duty| match duty {
            Duty::Submit(submission) if submission.safe_tx_hash == safe_tx_hash => Some(submission.clone()),
            Duty::Submit(_) | Duty::Preflight(_) | Duty::CatchUp { .. } => None,
        }) else {
            return;
        };
        let Some(block) = head.and_then(|head| self.chain.block(&head)) else {
            let refused = SubmissionFailure::Refused("no endpoint answers".to_owned());
            let report = process.payer.failed(safe_tx_hash, refused);
            self.report(place, report);
            return;
        };
        let mut state = (*block.state).clone();
        let (number, base_fee, nonce) = (block.at.number, block.base_fee, state.nonce);
        let tried = state.execute(self.cast, &mut self.chain.signers, &submission.transaction, &submission.signatures);
        if let Err(reason) = tried {
            let at_its_nonce = submission.transaction.nonce == U256::from(nonce);
            if at_its_nonce && matches!(reason, TOO_FEW | BAD_OWNER) {
                self.watch.packed(self.cast, place, safe_tx_hash, reason);
            }
            let failure = match reason {
                TOO_FEW => SubmissionFailure::TooFewSignatures,
                BAD_OWNER if submission.transaction.nonce != U256::from(nonce) => SubmissionFailure::NonceTaken,
                BAD_OWNER => SubmissionFailure::BadSignatures,
                other => SubmissionFailure::Refused(other.to_owned()),
            };
            let report = process.payer.failed(safe_tx_hash, failure);
            self.report(place, report);
            return;
        }
        let payer = self.cast.players[place].submitter;
        if let Some(submitted) = process.payer.announce(safe_tx_hash, payer, base_fee, number) {
            let steady = self
                .play
                .planned
                .iter()
                .all(|one| !matches!(one.what, FaultKind::Clock { .. } | FaultKind::Drift { .. }));
            if submitted.attempt == 0 && steady {
                self.watch.sends(self.cast, place, safe_tx_hash, self.now);
            }
            self.turn(place, vec![Door::Input(Input::Submission(SubmissionReport::Sending(submitted)))]);
        }
    }

    fn report(&mut self, place: usize, report: Option<SubmissionReport>) {
        if let (Some(report), Some(process)) = (report, &mut self.nodes[place].process) {
            process.inbox.push(Door::Input(Input::Submission(report)));
            self.call(place);
        }
    }

    /// What a new head says about what was sent.
    pub(super) fn payer_looks(&mut self, place: usize) {
        let payer = self.cast.players[place].submitter;
        let (now, life) = (self.now, self.nodes[place].life);
        let bumps = !self.bends(Bent::NeverBumps);
        let Some(process) = &mut self.nodes[place].process else { return };
        let head = process.recent.last_key_value().map_or(0, |(number, _)| *number);
        let wants = process.payer.on_block(&self.chain, &process.recent);
        let mut bids = if bumps { process.payer.bumps(head) } else { Vec::new() };
        bids.extend(process.payer.due().iter().map(|submission| submission.safe_tx_hash));
        let mut again = Vec::new();
        for want in wants {
            match want {
                Want::Report(report) => {
                    self.watch.known[place].owes_otherwise = true;
                    process.inbox.push(Door::Input(Input::Submission(report)));
                }
                Want::Resend(hash) => again.extend(process.payer.again(&hash, payer)),
            }
        }
        let reports = !process.inbox.is_empty();
        for transaction in again {
            self.pay(place, transaction);
        }
        for safe_tx_hash in bids {
            let after = self.rpc_delay(place);
            self.agenda.at(now + after, Happening::Bid { place, life, safe_tx_hash });
        }
        if reports {
            self.call(place);
        }
    }

    /// What the node's own payer sends; an adversary may see to it that nothing is.
    fn pay(&mut self, place: usize, transaction: Transaction) {
        if self.adversaries[place].as_ref().is_none_or(|adversary| adversary.submits()) {
            self.hand_out(place, transaction);
        }
    }

    /// Through the node's first operator, which may keep it.
    pub(crate) fn hand_out(&mut self, place: usize, transaction: Transaction) {
        self.watch.handed_out(&transaction);
        let first = self.cast.players[place].asks.first().copied().unwrap_or_default();
        let operator = &mut self.operators[first];
        if operator.holds_transactions {
            operator.held.push(transaction);
        } else if !operator.conduct.down {
            self.chain.send(transaction);
        }
    }
}

/// What a simulation truly comes to.
fn truth(cast: &Cast, chain: &mut Chain, preflight: &Preflight) -> PreflightOutcome {
    let refuted = |reason: &str, by_guard| PreflightOutcome::Refuted { reason: reason.to_owned(), by_guard };
    let Some(block) = chain.block(&preflight.at.hash) else {
        return PreflightOutcome::Unknown { reason: "block not found".to_owned() };
    };
    let mut state = (*block.state).clone();
    if preflight.transaction.nonce != U256::from(state.nonce) {
        return refuted(&format!("GS026: the nonce is {}", state.nonce), false);
    }
    let result = match &preflight.signatures {
        Some(bytes) => state.execute(cast, &mut chain.signers, &preflight.transaction, bytes).map(drop),
        None if !state.owners.contains(&preflight.owner) => Err(BAD_OWNER),
        None => state.run(cast, &preflight.transaction),
    };
    if let Err(reason) = result {
        return refuted(reason, reason == GUARD_BLOCKS);
    }
    let holds = preflight.postconditions.iter().all(|condition| {
        let answer = state.read(cast, &condition.read);
        matches!(answer, watchfire_types::ReadOutcome::Value(bytes) if bytes == condition.equals)
    });
    if holds { PreflightOutcome::Passes } else { refuted("postcondition does not hold after", false) }
}
