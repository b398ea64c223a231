//! The driver: opening (replay through the same apply), and one turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::Charter;
use watchfire_journal::{Journal, JournalError, Storage};
use watchfire_protocol::{Draft, Machine};
use watchfire_types::body::{EpochCheckpoint, EpochHead, Started};
use watchfire_types::duty::Page;
use watchfire_types::input::Input;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Body, Bytes, Epoch, EventHash, MemberId, MemberKey, NetworkId, Timestamp};
use watchfire_wire::bounds::MAX_EARLIER_EPOCHS;
use watchfire_wire::{VerifiedHeartbeat, decode_pruned, decode_signed};

use crate::checkpoints::Checkpoints;
use crate::clocks::Clocks;
use crate::door::Door;
use crate::error::{DriverError, Halted};
use crate::guard::{Guard, Violation};
use crate::heartbeats::Heartbeats;
use crate::index::{ChainKey, Index};
use crate::keys::Keys;
use crate::log::Log;
use crate::outbox::Outbox;
use crate::output::{Answer, Output};
use crate::own::OwnChain;
use crate::settle::Settled;
use crate::verifier::{ReadAnswer, Verifier};
use crate::witness::Witness;

/// What `Started` names as the author's software.
pub const SOFTWARE: &str = concat!("watchfire/", env!("CARGO_PKG_VERSION"));

/// One node's single writer.
#[derive(Debug)]
pub struct Driver<S: Storage, K: Keys> {
    pub(crate) machine: Machine,
    pub(crate) log: Log<S>,
    pub(crate) keys: K,
    pub(crate) own: OwnChain,
    pub(crate) guard: Guard,
    pub(crate) outbox: Outbox,
    pub(crate) settled: Option<Settled>,
    pub(crate) pages: BTreeSet<Page>,
    pub(crate) violation: Option<Violation>,
    /// An event of this process's epoch came that it did not make, signed with its key: nothing more is said in this epoch.
    pub(crate) epoch_claimed: bool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) witness: Option<Witness<S>>,
    /// Chains of which it was asked who witnessed them, in turn.
    pub(crate) witness_turns: usize,
    pub(crate) verifier: Verifier,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) clocks: Clocks,
    asked_before: Option<ChainKey>,
    halted: Option<String>,
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Replays the journal through the same verification and the same apply as live events, then authors and syncs
    /// `Started`. `epoch` must be freshly drawn at random.
    ///
    /// # Errors
    /// [`DriverError`]: keys that are not the member's, a journal of another network, a record that is no event, or a log
    /// that cannot be read or written.
    pub fn open(
        journal: Journal<S>,
        keys: K,
        charter: Arc<Charter>,
        network: NetworkId,
        member: MemberId,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<(Self, Output), DriverError> {
        check_keys(&keys, &charter, &member)?;
        let epoch = if planted(Mutation::RepeatsEpoch) { Epoch::from_bytes([7; 16]) } else { epoch };
        let mut machine = Machine::new(charter, network, member, epoch)?;
        let mut guard = Guard::default();
        let index = replay(&journal, &mut machine, &mut guard, network)?;
        let verifier = Verifier::new(network, machine.charter(), index.positions());
        if index.chain(&(keys.author(), epoch)).is_some() && !planted(Mutation::RepeatsEpoch) {
            return Err(DriverError::EpochUsed { epoch });
        }
        let mut driver = Self {
            own: OwnChain::new(network, keys.author(), epoch),
            machine,
            log: Log::new(journal, index),
            keys,
            guard,
            outbox: Outbox::default(),
            settled: None,
            pages: BTreeSet::new(),
            violation: None,
            epoch_claimed: false,
            checkpoints: Checkpoints::default(),
            witness: None,
            witness_turns: 0,
            verifier,
            heartbeats: Heartbeats::default(),
            clocks: Clocks::default(),
            asked_before: None,
            halted: None,
        };
        let output = driver.guarded(|driver, output| {
            let started = Draft::Body(Body::Started(driver.started()));
            driver.machine.observe(now, &Input::Tick);
            driver.author(now, started, output)?;
            driver.finish(now, output)
        })?;
        Ok((driver, output))
    }

    /// One turn: everything at the door in order, then what has become owed, then the sync, then the release. A turn that
    /// authors nothing leaves others' events to the next sync, at most 10 ms later ([`Driver::next_timeout`]).
    ///
    /// # Errors
    /// [`Halted`] when the log could not be appended to or synced: nothing of this turn was released, no later turn will run.
    pub fn handle(&mut self, now: Timestamp, door: Vec<Door>) -> Result<Output, Halted> {
        self.guarded(|driver, output| {
            for (at, item) in door.into_iter().enumerate() {
                match item {
                    Door::Gossip { id, bytes } => {
                        let (verdict, refusal) = driver.gossip(now, &bytes, output)?;
                        output.verdicts.push((id, verdict, refusal));
                    }
                    Door::CaughtUp { from, events } => {
                        let answer = driver.verifier.check(&ReadAnswer::read(from, &events));
                        let caught_up = driver.caught_up(now, answer)?;
                        output.caught_up.push(caught_up);
                    }
                    Door::Checked(answer) => {
                        let caught_up = driver.caught_up(now, answer)?;
                        output.caught_up.push(caught_up);
                    }
                    Door::Witnesses { from, messages } => {
                        let carried = driver.witnesses_carried(now, from, &messages, output)?;
                        output.caught_up.push(carried);
                    }
                    Door::Input(input) => {
                        let result = driver.input(now, &input, output)?;
                        output.answers.push(Answer { door: at, result });
                    }
                }
            }
            driver.finish(now, output)
        })
    }

    pub(crate) fn guarded(
        &mut self,
        turn: impl FnOnce(&mut Self, &mut Output) -> Result<(), JournalError>,
    ) -> Result<Output, Halted> {
        if let Some(cause) = &self.halted {
            return Err(Halted { cause: cause.clone(), source: None });
        }
        let mut output = Output::default();
        match turn(self, &mut output) {
            Ok(()) => Ok(output),
            Err(error) => {
                let halted = Halted::from(error);
                self.halted = Some(halted.cause.clone());
                Err(halted)
            }
        }
    }

    fn started(&self) -> Started {
        let author = self.own.author();
        let heads = self.machine.heads();
        let own = heads.into_iter().filter(|((key, _), _)| *key == author);
        let head = |((_, epoch), (seq, hash))| EpochHead { epoch, seq, hash, checkpoint: self.last_checkpoint(epoch) };
        let mut earlier: Vec<EpochHead> = own.map(head).collect();
        // Newest by place in the own log; the wire form is ordered by epoch.
        earlier.sort_by_key(|head| std::cmp::Reverse(self.log.index().position(&head.hash)));
        earlier.truncate(MAX_EARLIER_EPOCHS);
        earlier.sort();
        let charter = self.machine.charter();
        Started {
            earlier,
            charter_version: charter.version,
            charter_digest: charter.digest(),
            software: SOFTWARE.to_owned(),
        }
    }

    fn last_checkpoint(&self, epoch: Epoch) -> Option<EpochCheckpoint> {
        match &self.machine.checkpoint(self.own.author(), epoch)?.body {
            Body::Checkpoint(stated) => Some(EpochCheckpoint { size: stated.size, root: stated.root }),
            _ => None,
        }
    }

    /// Checks catch-up answers beside the driver, for [`Door::Checked`].
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    /// Checks catch-up answers on so many cores at the most, instead of all of the machine's.
    pub fn set_verifying_threads(&mut self, threads: std::num::NonZeroUsize) {
        self.verifier.set_threads(threads);
    }

    /// Protocol state, for status and the node's own questions.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The journal, for its watermark, space and recovery report.
    #[must_use]
    pub fn journal(&self) -> &Journal<S> {
        self.log.journal()
    }

    /// When to call [`Driver::handle`] with `Input::Tick` though nothing arrives.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let own = [self.log.sync_at(), self.checkpoint_at(), self.witness_at()];
        self.machine.next_timeout().into_iter().chain(own.into_iter().flatten()).min()
    }

    /// Events held.
    #[must_use]
    pub fn events(&self) -> usize {
        self.log.index().len()
    }

    /// Outer bytes of an event that the log holds.
    ///
    /// # Errors
    /// [`JournalError`] when the log cannot be read; the node stops.
    pub fn event_bytes(&self, hash: &EventHash) -> Result<Option<Bytes>, JournalError> {
        self.log.read(hash)
    }

    /// Newest heartbeat of each other member.
    #[must_use]
    pub fn heartbeats(&self) -> &BTreeMap<MemberKey, VerifiedHeartbeat> {
        self.heartbeats.newest()
    }

    /// Why this node votes and signs no more, if a fact about its own log does not hold.
    #[must_use]
    pub fn signing_stopped(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) fn own(&self) -> &OwnChain {
        &self.own
    }

    pub(crate) fn keys(&self) -> &K {
        &self.keys
    }

    pub(crate) fn log(&self) -> &Log<S> {
        &self.log
    }

    pub(crate) fn asked_before(&mut self, next: Option<ChainKey>) -> Option<ChainKey> {
        std::mem::replace(&mut self.asked_before, next)
    }
}

fn check_keys<K: Keys>(keys: &K, charter: &Charter, member: &MemberId) -> Result<(), DriverError> {
    let Some(entry) = charter.members.get(member) else { return Ok(()) };
    if keys.author() != entry.node_key {
        let (expected, found) = (entry.node_key, keys.author());
        return Err(DriverError::NodeKey { member: member.clone(), expected, found });
    }
    match keys.guardian() {
        Some(found) if entry.guardian != Some(found) => Err(DriverError::GuardianKey { member: member.clone(), found }),
        Some(_) | None => Ok(()),
    }
}

fn replay<S: Storage>(
    journal: &Journal<S>,
    machine: &mut Machine,
    guard: &mut Guard,
    network: NetworkId,
) -> Result<Index, DriverError> {
    if let Some(note) = journal.base()? {
        let pruned = decode_pruned(&note).map_err(|source| DriverError::Base { source })?;
        machine.begin(&pruned.chains).map_err(|(author, epoch)| DriverError::BaseChain { author, epoch })?;
    }
    let mut index = Index::default();
    for record in journal.replay()? {
        let record = record?;
        let position = record.position;
        let event = decode_signed(record.bytes).map_err(|source| DriverError::Record { position, source })?;
        let event = event.verify(network).map_err(|source| DriverError::Signature { position, source })?;
        if !planted(Mutation::ReplayForgets) || event.author == machine.charter().members[machine.member()].node_key {
            machine.apply(&event);
        }
        guard.saw(&event);
        index.insert(&event, position);
    }
    Ok(index)
}
