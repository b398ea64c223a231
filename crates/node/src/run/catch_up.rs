//! What this node lacks: asked of a few members at a time, checked beside the loop on all cores, taken in order.
//!
//! While one answer is taken the next one is on its way. A member is asked on as long as its answers bring something; one that serves what
//! no honest member would is named, left alone for a while, and another one is asked in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use watchfire_driver::{CaughtUp, CheckedAnswer, Door};
use watchfire_gossip::{CatchUpError, SendError};
use watchfire_types::{Bytes, Epoch, MemberKey};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, PrunedChain};

use super::node::Node;
use super::{RunError, now};

/// Answers that wait for the loop; whoever checks a further one waits.
const CHECKED_MAX: usize = 4;
/// Rounds in which every connected member is asked once, however many there are.
const ROUNDS: usize = 6;
/// How long a member that served garbage is not asked.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// An answer whose signatures are checked.
pub(super) struct Checked {
    answer: CheckedAnswer,
    /// The member has nothing further to send for that question.
    complete: bool,
}

/// Which members are asked, and which are not. At most one entry of each for a member of the charter.
pub(super) struct CatchingUp {
    out: mpsc::Sender<Checked>,
    /// Members whose answer is being checked: they are asked again when it is known where that leads to.
    checking: BTreeSet<MemberKey>,
    /// Members whose last answer brought nothing, while another one is on its way.
    fruitless: BTreeSet<MemberKey>,
    left_alone: BTreeMap<MemberKey, Instant>,
    /// Members that said that they pruned what this node lacks.
    told: BTreeSet<MemberKey>,
}

impl CatchingUp {
    pub(super) fn new() -> (Self, mpsc::Receiver<Checked>) {
        let (out, checked) = mpsc::channel(CHECKED_MAX);
        let state = Self {
            out,
            checking: BTreeSet::new(),
            fruitless: BTreeSet::new(),
            left_alone: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        (state, checked)
    }

    fn may_ask(&mut self, member: &MemberKey) -> bool {
        let at = Instant::now();
        self.left_alone.retain(|_, until| *until > at);
        !self.checking.contains(member) && !self.left_alone.contains_key(member)
    }
}

impl Node {
    /// Asks a member for everything that is missing here and there.
    pub(super) async fn ask(&mut self, member: MemberKey) -> Result<(), RunError> {
        if !self.connected.contains(&member) || !self.catching_up.may_ask(&member) {
            return Ok(());
        }
        let request = self.driver.catch_up_request();
        self.send_request(member, &request).await
    }

    /// Asks an author for what is missing of one of its chains.
    pub(super) async fn ask_of(&mut self, author: MemberKey, epoch: Epoch) -> Result<(), RunError> {
        if !self.connected.contains(&author) || !self.catching_up.may_ask(&author) {
            return Ok(());
        }
        let request = self.driver.catch_up_request_of(author, epoch);
        self.send_request(author, &request).await
    }

    async fn send_request(&mut self, member: MemberKey, request: &CatchUpRequest) -> Result<(), RunError> {
        match self.gossip.request_catch_up(member, request.encode()).await {
            Ok(()) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                self.alarm(format!("catch-up request not sent: {error}"));
                Ok(())
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

    /// An answer came: its signatures are checked beside the loop.
    pub(super) async fn answered(
        &mut self,
        from: MemberKey,
        result: Result<Bytes, CatchUpError>,
    ) -> Result<(), RunError> {
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => {
                self.catching_up.fruitless.remove(&from);
                tracing::debug!(peer = %from.short(), cause = %error, "no catch-up answer");
                return Ok(());
            }
        };
        let response = match CatchUpResponse::decode(bytes) {
            Ok(response) => response,
            Err(error) => return self.garbage(from, &error.to_string()).await,
        };
        self.told_of_pruning(from, &response.pruned);
        if !response.witnesses.is_empty() {
            let output = self.driver.handle(now(), vec![Door::Witnesses { from, messages: response.witnesses }])?;
            let caught_up = output.caught_up.clone();
            self.take(output).await?;
            if let Some(garbage) = caught_up.iter().find(|caught_up| caught_up.is_garbage()) {
                let reason = garbage.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                return self.garbage(from, &reason).await;
            }
        }
        if response.events.is_empty() {
            self.catching_up.fruitless.remove(&from);
            return Ok(());
        }
        self.catching_up.checking.insert(from);
        let (verifier, out) = (self.driver.verifier(), self.catching_up.out.clone());
        tokio::task::spawn_blocking(move || {
            let answer = verifier.check(from, &response.events);
            // The loop may have ended.
            let _ = out.blocking_send(Checked { answer, complete: response.complete });
        });
        Ok(())
    }

    /// Takes a checked answer, with the next question on its way before.
    pub(super) async fn on_checked(&mut self, checked: Checked) -> Result<(), RunError> {
        let Checked { answer, complete } = checked;
        let from = answer.from();
        self.catching_up.checking.remove(&from);
        // After an answer that brought nothing no further one is asked for: it would come again and again.
        let on = !self.catching_up.fruitless.remove(&from) && !complete && self.connected.contains(&from);
        let ahead = if on { self.driver.catch_up_request_ahead(&answer) } else { None };
        let asked_ahead = ahead.is_some();
        if let Some(request) = ahead {
            self.send_request(from, &request).await?;
        }
        let output = self.driver.handle(now(), vec![Door::Checked(answer)])?;
        let caught_up: Vec<CaughtUp> = output.caught_up.clone();
        self.take(output).await?;
        for caught_up in caught_up {
            if caught_up.is_garbage() {
                let reason = caught_up.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                self.garbage(from, &reason).await?;
            } else if asked_ahead && caught_up.taken == 0 {
                self.catching_up.fruitless.insert(from);
            }
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
        self.catching_up.fruitless.insert(from);
        self.on_catch_up().await
    }
}
