//! What this node lacks: asked of a few members at a time, checked beside the loop on all cores, taken in order.
//!
//! While one part of an answer is taken the next one is checked, and the answer after it is on its way. A member is asked on as long as its answers bring
//! something; one that serves what no honest member would is named, left alone for a while, and another one is asked in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use watchfire_driver::{CaughtUp, CheckedAnswer, Door, Line, Part, Verifier};
use watchfire_gossip::{CatchUpError, SendError};
use watchfire_types::{Bytes, Epoch, MemberKey};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, PrunedChain};

use super::node::Node;
use super::{RunError, now};

/// Answers that wait for the loop; whoever prepares a further one waits.
const PREPARED_MAX: usize = 4;
/// Rounds in which every connected member is asked once, however many there are.
const ROUNDS: usize = 6;
/// How long a member that served garbage is not asked.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// What was done with an answer beside the loop, a part of it at a time.
pub(super) enum Prepared {
    /// A part of it is decoded: when all are, what they claim is enough to ask the member on.
    Read(Part),
    /// Its signatures are checked: it can be taken.
    Checked(CheckedAnswer),
}

/// Which members are asked, and which are not. At most one entry of each for a member of the charter.
pub(super) struct CatchingUp {
    out: mpsc::Sender<Prepared>,
    /// Members whose answers are on their way into the log, and who checks them: they are asked on as those lead, and not beside it. At most three
    /// answers of a member at a time.
    lines: BTreeMap<MemberKey, (Line, mpsc::UnboundedSender<Part>)>,
    left_alone: BTreeMap<MemberKey, Instant>,
    /// Members that said that they pruned what this node lacks.
    told: BTreeSet<MemberKey>,
}

impl CatchingUp {
    pub(super) fn new() -> (Self, mpsc::Receiver<Prepared>) {
        let (out, prepared) = mpsc::channel(PREPARED_MAX);
        let state = Self { out, lines: BTreeMap::new(), left_alone: BTreeMap::new(), told: BTreeSet::new() };
        (state, prepared)
    }

    fn may_ask(&mut self, member: &MemberKey) -> bool {
        let at = Instant::now();
        self.left_alone.retain(|_, until| *until > at);
        !self.lines.contains_key(member) && !self.left_alone.contains_key(member)
    }

    fn line(&mut self, from: &MemberKey) -> Option<&mut Line> {
        self.lines.get_mut(from).map(|(line, _)| line)
    }

    /// Decodes an answer beside the loop, and checks it behind those of the same member that came before.
    fn prepare(&mut self, from: MemberKey, response: CatchUpResponse, verifier: Verifier) {
        let out = self.out.clone();
        let (line, check) = self.lines.entry(from).or_insert_with(|| {
            let (check, mut to_check) = mpsc::unbounded_channel::<Part>();
            let checked = out.clone();
            tokio::task::spawn_blocking(move || {
                while let Some(part) = to_check.blocking_recv() {
                    // The loop may have ended.
                    let _ = checked.blocking_send(Prepared::Checked(verifier.check(part.answer())));
                }
            });
            (Line::default(), check)
        });
        line.reading(response.complete);
        let check = check.clone();
        tokio::task::spawn_blocking(move || {
            for part in Part::read(from, &response.events) {
                let _ = out.blocking_send(Prepared::Read(part.clone()));
                let _ = check.send(part);
            }
        });
    }

    /// Forgets a line that is over.
    fn tidy(&mut self, from: &MemberKey) {
        if self.line(from).is_some_and(|line| line.is_over()) {
            self.lines.remove(from);
        }
    }
}

impl Node {
    /// Asks a member for everything that is missing here and there.
    pub(super) async fn ask(&mut self, member: MemberKey) -> Result<(), RunError> {
        if !self.connected.contains(&member) || !self.catching_up.may_ask(&member) {
            return Ok(());
        }
        let request = self.driver.catch_up_request();
        self.send_request(member, &request).await.map(drop)
    }

    /// Asks an author for what is missing of one of its chains.
    pub(super) async fn ask_of(&mut self, author: MemberKey, epoch: Epoch) -> Result<(), RunError> {
        if !self.connected.contains(&author) || !self.catching_up.may_ask(&author) {
            return Ok(());
        }
        let request = self.driver.catch_up_request_of(author, epoch);
        self.send_request(author, &request).await.map(drop)
    }

    /// Whether it was sent.
    async fn send_request(&mut self, member: MemberKey, request: &CatchUpRequest) -> Result<bool, RunError> {
        match self.gossip.request_catch_up(member, request.encode()).await {
            Ok(()) => Ok(true),
            Err(error @ SendError::TooLarge { .. }) => {
                self.alarm(format!("catch-up request not sent: {error}"));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Everyone in turn, each at least once in [`ROUNDS`] rounds: an answer holds everything that is missing here and there.
    pub(super) async fn on_catch_up(&mut self) -> Result<(), RunError> {
        let connected: Vec<MemberKey> = self.connected.iter().copied().collect();
        let mut left = connected.len().div_ceil(ROUNDS);
        for _ in 0..connected.len() {
            let member = connected.get(self.next_catch_up % connected.len().max(1)).copied();
            self.next_catch_up = self.next_catch_up.wrapping_add(1);
            if let Some(member) = member.filter(|member| self.catching_up.may_ask(member)) {
                self.ask(member).await?;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// An answer came: it is decoded and checked beside the loop.
    pub(super) async fn answered(
        &mut self,
        from: MemberKey,
        result: Result<Bytes, CatchUpError>,
    ) -> Result<(), RunError> {
        if let Some(line) = self.catching_up.line(&from) {
            line.arrived();
        }
        let done = self.take_up(from, result).await;
        // Only now: an answer that follows one that brought nothing does not begin anew.
        self.catching_up.tidy(&from);
        done
    }

    async fn take_up(&mut self, from: MemberKey, result: Result<Bytes, CatchUpError>) -> Result<(), RunError> {
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(peer = %from.short(), cause = %error, "no catch-up answer");
                return Ok(());
            }
        };
        let mut response = match CatchUpResponse::decode(bytes) {
            Ok(response) => response,
            Err(error) => return self.garbage(from, &error.to_string()).await,
        };
        self.told_of_pruning(from, &response.pruned);
        if !response.witnesses.is_empty() {
            let messages = std::mem::take(&mut response.witnesses);
            let output = self.driver.handle(now(), vec![Door::Witnesses { from, messages }])?;
            let caught_up = output.caught_up.clone();
            self.take(output).await?;
            if let Some(garbage) = caught_up.iter().find(|caught_up| caught_up.is_garbage()) {
                let reason = garbage.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                return self.garbage(from, &reason).await;
            }
        }
        if !response.events.is_empty() {
            self.catching_up.prepare(from, response, self.driver.verifier());
        }
        Ok(())
    }

    /// Goes on with a part that is decoded, or checked.
    pub(super) async fn on_prepared(&mut self, prepared: Prepared) -> Result<(), RunError> {
        match prepared {
            Prepared::Read(part) => {
                let from = part.answer().from();
                if let Some(line) = self.catching_up.line(&from) {
                    line.read(part);
                }
                self.ask_on(from).await
            }
            Prepared::Checked(answer) => {
                let from = answer.from();
                if let Some(line) = self.catching_up.line(&from) {
                    line.checked();
                }
                self.ask_on(from).await?;
                self.take_checked(answer).await?;
                self.catching_up.tidy(&from);
                Ok(())
            }
        }
    }

    /// Asks a member for what comes after its answers, before they are checked and taken.
    async fn ask_on(&mut self, from: MemberKey) -> Result<(), RunError> {
        if !self.connected.contains(&from) {
            return Ok(());
        }
        let request = self.catching_up.line(&from).and_then(|line| line.ask_on(&mut self.driver));
        if let Some(request) = request
            && !self.send_request(from, &request).await?
            && let Some(line) = self.catching_up.line(&from)
        {
            line.arrived();
        }
        Ok(())
    }

    async fn take_checked(&mut self, answer: CheckedAnswer) -> Result<(), RunError> {
        let from = answer.from();
        let output = self.driver.handle(now(), vec![Door::Checked(answer)])?;
        let caught_up: Vec<CaughtUp> = output.caught_up.clone();
        self.take(output).await?;
        if let Some(line) = self.catching_up.line(&from) {
            line.taken(caught_up.iter().any(|caught_up| caught_up.taken > 0));
        }
        for garbage in caught_up.iter().filter(|caught_up| caught_up.is_garbage()) {
            let reason = garbage.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            self.garbage(from, &reason).await?;
        }
        Ok(())
    }

    /// Says once of each member that it no longer holds what this node lacks: others may, and archives do.
    fn told_of_pruning(&mut self, from: MemberKey, pruned: &[PrunedChain]) {
        let heads = self.driver.machine().heads();
        let lacking = |chain: &&PrunedChain| {
            heads.get(&(chain.author, chain.epoch)).is_none_or(|(seq, _)| seq.next() < chain.before)
        };
        let lacking = pruned.iter().filter(lacking).count();
        if lacking == 0 || !self.catching_up.told.insert(from) {
            return;
        }
        let name = self.charter.member_by_key(&from).map_or_else(|| from.short(), |(id, _)| id.to_string());
        self.alarm(format!(
            "catch-up-pruned: {name} no longer holds the beginning of {lacking} epochs that this node lacks; others are asked, and an archive has it (`watchfire log import`)"
        ));
    }

    /// Names who served what no honest member would, and asks another one in its place.
    async fn garbage(&mut self, from: MemberKey, reason: &str) -> Result<(), RunError> {
        let name = self.charter.member_by_key(&from).map_or_else(|| from.short(), |(id, _)| id.to_string());
        self.alarm(format!("catch-up-garbage: {name} served what no honest member would ({reason}); others are asked"));
        self.catching_up.left_alone.insert(from, Instant::now() + LEFT_ALONE);
        if let Some(line) = self.catching_up.line(&from) {
            line.end();
        }
        self.on_catch_up().await
    }
}

#[cfg(test)]
mod tests;
