//! From owed to done: author what the protocol wants until it wants nothing more, with a sync between what must be durable
//! first and what builds on it.

use std::collections::BTreeMap;

use watchfire_journal::{JournalError, Storage};
use watchfire_protocol::{Draft, Owed, Rejection, Stage};
use watchfire_types::body::{Announced, ChangeCounted};
use watchfire_types::input::Input;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{AssetId, BlockRef, Body, EventHash, Timestamp, U256};
use watchfire_wire::seal;

use crate::driver::Driver;
use crate::guard::{self, Guard, Violation};
use crate::keys::Keys;
use crate::outbox::Origin;
use crate::output::{Notice, Output};

/// What was owed when nothing of it was left to author. Nothing else is owed until the machine changes or [`Owed::until`] comes.
#[derive(Debug)]
pub(crate) struct Settled {
    /// The machine's revision then; `None` where more is owed than one turn may author.
    revision: Option<u64>,
    owed: Owed,
    window_floors: BTreeMap<AssetId, BlockRef>,
    announced: Vec<Announced>,
}

/// After this long what could not be made is tried again though nothing changed, ms.
const AGAIN_MS: u64 = 1_000;

/// Rounds of authoring in one turn. Each round makes at least one event, so this bounds a turn; the rest goes on in the next.
const ROUNDS_MAX: usize = 64;

impl<S: Storage, K: Keys> Driver<S, K> {
    /// One input: view, then what it authors by itself.
    pub(crate) fn input(
        &mut self,
        now: Timestamp,
        input: &Input,
        output: &mut Output,
    ) -> Result<Result<Vec<EventHash>, Rejection>, JournalError> {
        if matches!(input, Input::Received(_)) {
            return Ok(Err(Rejection::Malformed { why: "received events come through the door as bytes" }));
        }
        self.machine.observe(now, input);
        let step = match self.machine.decide(now, input) {
            Ok(step) => step,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let mut authored = Vec::new();
        let wanted = !step.drafts.is_empty();
        let room = self.log.has_room(Origin::Own);
        for draft in step.drafts {
            authored.extend(self.author(now, draft, output)?);
        }
        if wanted && authored.is_empty() {
            let why = match (room, &self.violation) {
                (false, _) => "the log has no room, the disk is full; free space on it and say it again",
                (true, Some(_)) => "this node's own log is in doubt, see `watchfire status`",
                (true, None) => "it could not be written as an event, see the node's log",
            };
            return Ok(Err(Rejection::Unsaid { why }));
        }
        // A finding that stands at this block only must not be lost to the next one in the same turn.
        if matches!(input, Input::Detected { .. }) {
            self.settle(now, output)?;
        }
        Ok(Ok(authored))
    }

    /// The end of a turn: settle, sync, release. Others' events alone wait a little for the next commit: no own word rests on
    /// them before a sync covers both, and a signature that completes a set is not kept behind the disk.
    pub(crate) fn finish(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        self.log.tend()?;
        self.settle(now, output)?;
        self.judge_checkpoints(now, output)?;
        self.checkpoint_if_due(now, output)?;
        if self.outbox.has_own() || self.log.sync_is_due(now) {
            self.release(output)?;
        }
        if let Some(Settled { owed, window_floors, announced, .. }) = &self.settled {
            output.duties.clone_from(&owed.duties);
            output.pages = owed.pages.difference(&self.pages).cloned().collect();
            self.pages.clone_from(&owed.pages);
            output.window_floors.clone_from(window_floors);
            output.announced.clone_from(announced);
        }
        self.witness_turn(now, output)
    }

    fn release(&mut self, output: &mut Output) -> Result<(), JournalError> {
        let durable = self.log.sync()?;
        self.outbox.release(durable, output);
        Ok(())
    }

    fn settle(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        let good = |settled: &Settled| {
            settled.revision == Some(self.machine.revision()) && settled.owed.until.is_none_or(|until| now < until)
        };
        if self.settled.as_ref().is_some_and(good) {
            return Ok(());
        }
        let mut refused: Vec<Draft> = Vec::new();
        let mut stage = Stage::Observe;
        for _ in 0..ROUNDS_MAX {
            let mut owed = self.machine.owed(now);
            owed.drafts.retain(|draft| !refused.contains(draft));
            let Some(next) = owed.drafts.first().map(Draft::stage) else {
                if !refused.is_empty() {
                    let again = now.plus_millis(AGAIN_MS);
                    owed.until = Some(owed.until.map_or(again, |until| until.min(again)));
                }
                self.settled = Some(self.settled(owed));
                return Ok(());
            };
            if next != stage && self.outbox.has_own() {
                self.release(output)?;
            }
            stage = next;
            for draft in owed.drafts {
                if self.author(now, draft.clone(), output)?.is_none() {
                    refused.push(draft);
                }
            }
        }
        output.notices.push(Notice::Unsettled { rounds: ROUNDS_MAX });
        self.settled = Some(Settled { revision: None, ..self.settled(self.machine.owed(now)) });
        Ok(())
    }

    fn settled(&self, owed: Owed) -> Settled {
        let (window_floors, announced) = (self.machine.window_floors(), self.machine.announced());
        Settled { revision: Some(self.machine.revision()), owed, window_floors, announced }
    }

    /// Signs, appends and applies one own event. `None` when it could not be made; a notice says why.
    pub(crate) fn author(
        &mut self,
        now: Timestamp,
        draft: Draft,
        output: &mut Output,
    ) -> Result<Option<EventHash>, JournalError> {
        // An epoch that cannot begin ends the start by name: only what can be written is authored at all.
        if !self.log.has_room(Origin::Own) && self.own.has_begun() {
            return Ok(None);
        }
        if self.epoch_claimed {
            self.stop_signing(Violation::EpochClaimed, output);
            return Ok(None);
        }
        let Some(body) = self.body(draft, output) else { return Ok(None) };
        let kind = body.kind();
        let event = self.own.next(now, body);
        if let Err(violation) = Guard::position(&event, self.log.index()) {
            self.stop_signing(violation, output);
            return Ok(None);
        }
        let sealed = match seal(&event, |input| self.keys.sign(input)) {
            Ok(sealed) => sealed,
            Err(cause) => {
                output.notices.push(Notice::Unsealable { kind, cause });
                return Ok(None);
            }
        };
        let event = match guard::own_signature(sealed, self.own.network(), self.own.author()) {
            Ok(event) => event,
            Err(violation) => {
                self.stop_signing(violation, output);
                return Ok(None);
            }
        };
        let hash = event.hash();
        self.own.took(&event);
        self.checkpoints.took(now, &event);
        self.take(now, event, Origin::Own)?;
        Ok(Some(hash))
    }

    /// The body of a draft; for a co-signature, with the guardian key's signature.
    fn body(&mut self, draft: Draft, output: &mut Output) -> Option<Body> {
        let mut draft = match draft {
            Draft::Body(body) if self.violation.is_some() && is_support(&body) => return None,
            Draft::Body(body) => return Some(body),
            Draft::CoSign(draft) => draft,
        };
        if self.violation.is_some() {
            return None;
        }
        if let Err(violation) = self.guard.co_signature(&draft, self.machine.charter()) {
            self.stop_signing(violation, output);
            return None;
        }
        if planted(Mutation::AddsGas) && self.own.author().as_bytes()[0] % 2 == 1 {
            draft.transaction.safe_tx_gas = U256::ONE;
        }
        match self.keys.co_sign(draft.safe_version, draft.chain, draft.safe, &draft.transaction) {
            Ok(signature) => Some(Body::CoSignature(draft.signed(signature))),
            Err(_) if planted(Mutation::HushesKey) => None,
            Err(cause) => {
                output.notices.push(Notice::KeyRefused { chain: draft.chain, safe: draft.safe, cause });
                None
            }
        }
    }

    pub(crate) fn stop_signing(&mut self, violation: Violation, output: &mut Output) {
        if self.violation.is_none() {
            output.notices.push(Notice::SigningStopped { violation: violation.clone() });
            self.violation = Some(violation);
        }
    }
}

/// What a node whose own log is in doubt makes no more of.
fn is_support(body: &Body) -> bool {
    matches!(
        body,
        Body::Vote(_)
            | Body::Veto(_)
            | Body::CloseVote(_)
            | Body::Certificate(_)
            | Body::CoSignature(_)
            | Body::ChangeSupported(_)
            | Body::PromotionSupported(_)
            | Body::ChangeCounted(ChangeCounted { counts: true, .. })
    )
}
