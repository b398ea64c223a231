//! Witness messages carried by catch-up: a node that was away when they were said asks for those it lacks.
//!
//! A question names the newest checkpoint held of a chain and whose lines are held for it or a later one, so that nothing is answered that is
//! held; of the chains that lack lines each question names [`MAX_WITNESS_WANTED`], the newest epochs always and the others in turn. An
//! answer has at most [`MAX_WITNESS_LINES`] lines of at most 64 KiB together. What is answered goes the way of any witness message: each
//! signature is checked, and no more is kept than of those that come live.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use watchfire_journal::{JournalError, Storage};
use watchfire_transparency::Origin;
use watchfire_types::{Body, Bytes, MemberKey, Timestamp};
use watchfire_wire::bounds::{MAX_VOTES, MAX_WITNESS_LINES, MAX_WITNESS_WANTED};
use watchfire_wire::{CatchUpResponse, WitnessTag, WitnessWanted};

use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::output::{CaughtUp, Output};
use crate::witness::WitnessRefusal;

/// Chains asked for in every question: the newest epoch of each member is among them where there are no more members than this.
const NEWEST: usize = MAX_WITNESS_WANTED / 2;
/// Most bytes of witness messages in an answer.
const BYTES_MAX: usize = 64 * 1024;

fn tag(key: &MemberKey) -> WitnessTag {
    let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
    [a, b, c, d, e, f, g, h]
}

impl<S: Storage, K: Keys> Driver<S, K> {
    fn origin(&self, (author, epoch): ChainKey) -> Option<Origin> {
        let (member, _) = self.machine.charter().member_by_key(&author)?;
        Some(Origin { network: self.machine.network(), member: member.clone(), epoch })
    }

    /// What this node lacks of witnesses.
    pub(crate) fn witness_wanted(&mut self) -> Vec<WitnessWanted> {
        let Some(witness) = &self.witness else { return Vec::new() };
        let members = self.machine.charter().members.len();
        let mut lacking: Vec<(Reverse<Option<Timestamp>>, WitnessWanted)> = Vec::new();
        for key in self.machine.epochs() {
            let (author, epoch) = key;
            let stated = self.machine.checkpoint(author, epoch).map(|event| &event.body);
            let (Some(Body::Checkpoint(stated)), Some(origin)) = (stated, self.origin(key)) else { continue };
            let mut held: Vec<WitnessTag> =
                witness.store.witnesses(&origin, stated.size).map(|key| tag(&key)).take(MAX_VOTES).collect();
            held.sort_unstable();
            held.dedup();
            // The author is no witness of its own.
            if held.len() + 1 < members {
                let age = Reverse(self.machine.started(author, epoch));
                lacking.push((age, WitnessWanted { author, epoch, size: stated.size, held }));
            }
        }
        lacking.sort_by_key(|(age, _)| *age);
        // Of each author the newest one first: who begins epoch after epoch leaves the others their places.
        let mut authors = BTreeSet::new();
        let lacking = lacking.into_iter().map(|(_, wanted)| wanted);
        let (mut wanted, others): (Vec<_>, Vec<_>) = lacking.partition(|wanted| authors.insert(wanted.author));
        wanted.extend(others);
        if wanted.len() > MAX_WITNESS_WANTED {
            let mut older = wanted.split_off(NEWEST);
            let at = self.witness_turns % older.len();
            older.rotate_left(at);
            older.truncate(MAX_WITNESS_WANTED - NEWEST);
            self.witness_turns = self.witness_turns.wrapping_add(older.len());
            wanted.append(&mut older);
        }
        wanted
    }

    /// What this node keeps of what another one lacks.
    pub(crate) fn witnesses_for(&self, wanted: &[WitnessWanted]) -> Vec<Bytes> {
        let Some(witness) = &self.witness else { return Vec::new() };
        let mut messages: Vec<Bytes> = Vec::new();
        let mut room = BYTES_MAX;
        for WitnessWanted { author, epoch, size, held } in wanted {
            let Some(origin) = self.origin((*author, *epoch)) else { continue };
            for line in witness.store.newest_lines(&origin, *size) {
                if line.author != *author || held.contains(&tag(&line.witness)) {
                    continue;
                }
                let message = Bytes::from(line.note().to_string());
                let cost = CatchUpResponse::cost(&message);
                if messages.len() == MAX_WITNESS_LINES || cost > room {
                    return messages;
                }
                room -= cost;
                messages.push(message);
            }
        }
        messages
    }

    /// Witness messages that a catch-up answer carried.
    pub(crate) fn witnesses_carried(
        &mut self,
        now: Timestamp,
        from: MemberKey,
        messages: &[Bytes],
        output: &mut Output,
    ) -> Result<CaughtUp, JournalError> {
        let mut result = CaughtUp { from, taken: 0, held: 0, refused: 0, reason: None };
        for message in messages {
            match self.witness_message(now, message, output)? {
                Ok(_) => result.taken += 1,
                Err(WitnessRefusal::Held) => result.held += 1,
                Err(refusal) => {
                    result.refused += 1;
                    result.note(refusal.into());
                }
            }
        }
        Ok(result)
    }
}
