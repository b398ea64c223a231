//! One simulated member: the production driver and detectors, with what the node's event loop has around them.

pub(crate) mod disk;
pub(crate) mod payer;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use alloy_primitives::B256;
use watchfire_detect::Detectors;
use watchfire_driver::{Door, Driver, Output, Witness};
use watchfire_journal::{FaultyStorage, Journal, JournalOptions};
use watchfire_types::body::Announced;
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::{AssetId, BlockRef, Epoch, Timestamp};

use super::agenda::{MILLI, Micros};
use super::cast::{CHAIN, Cast};
use super::chain::BIRTH_S;
use super::keys::{Ring, Secrets};
use payer::Payer;

/// Blocks remembered below the head, as the node's event loop does.
const RECENT_MAX: usize = 512;
/// Small segments: a simulated log holds some hundred events, and zeros written ahead cost time here too.
const JOURNAL: JournalOptions =
    JournalOptions { segment_bytes: 1 << 20, chunk_bytes: 16 << 10, reserve_bytes: 4 << 10 };

/// The production driver on a simulated disk.
pub(crate) type NodeDriver = Driver<FaultyStorage, Ring>;

/// What runs while the process lives.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) driver: NodeDriver,
    pub(crate) detectors: Watching,
    pub(crate) inbox: Vec<Door>,
    /// A turn is on the agenda.
    pub(crate) called: bool,
    /// Done with what it does now.
    pub(crate) free_at: Micros,
    pub(crate) recent: BTreeMap<u64, BlockRef>,
    pub(crate) floors: BTreeMap<AssetId, BlockRef>,
    /// Planned changes about which its detectors are quiet.
    pub(crate) announced: Vec<Announced>,
    pub(crate) duties: BTreeSet<Duty>,
    pub(crate) running: BTreeSet<Preflight>,
    pub(crate) answered: BTreeSet<Preflight>,
    pub(crate) payer: Payer,
    pub(crate) next_catch_up: usize,
    /// A heartbeat is on the agenda for who connected.
    pub(crate) greets: bool,
    pub(crate) moved_at: Micros,
    pub(crate) silent: bool,
    /// The next wake-up that is on the agenda, own clock.
    pub(crate) wakes: Option<Timestamp>,
}

/// Detectors, which have no `Debug` of their own.
pub(crate) struct Watching(pub(crate) Detectors);

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("detectors")
    }
}

/// One member.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: usize,
    secrets: Rc<Secrets>,
    /// Safe transactions that this node's guardian key signed through its driver.
    pub(crate) signed: Rc<RefCell<BTreeSet<B256>>>,
    /// Whether its guardian key is locked.
    pub(crate) locked: Rc<Cell<bool>>,
    pub(crate) disk: FaultyStorage,
    /// Copy of the disk from the first second.
    pub(crate) backup: Option<BTreeMap<String, Vec<u8>>>,
    /// Counts starts: what was meant for an earlier process reaches nobody.
    pub(crate) life: u64,
    pub(crate) process: Option<Process>,
    /// Why its log ended, if it did.
    pub(crate) halted: Option<String>,
    /// How far its clock is ahead of the true time, ms.
    pub(crate) ahead_ms: i64,
    /// What it gains, µs in a second, and since when.
    drift: (i64, Micros),
    /// Where it keeps what it witnessed.
    pub(crate) witnessed: [FaultyStorage; 2],
    /// Peers it has a connection to.
    pub(crate) connected: BTreeSet<usize>,
}

impl Node {
    pub(crate) fn new(cast: &Cast, place: usize) -> Self {
        let secrets = Rc::new(cast.players[place].secrets.clone());
        Self {
            place,
            secrets,
            signed: Rc::default(),
            locked: Rc::default(),
            disk: FaultyStorage::new(),
            backup: None,
            life: 0,
            process: None,
            halted: None,
            ahead_ms: 0,
            drift: (0, 0),
            witnessed: [FaultyStorage::new(), FaultyStorage::new()],
            connected: BTreeSet::new(),
        }
    }

    /// Its clock at a true time.
    pub(crate) fn clock(&self, now: Micros) -> Timestamp {
        let true_ms = BIRTH_S * 1_000 + now / MILLI;
        Timestamp::from_millis(true_ms.saturating_add_signed(self.ahead_ms).saturating_add_signed(self.drifted_ms(now)))
    }

    fn drifted_ms(&self, now: Micros) -> i64 {
        let (ppm, since) = self.drift;
        let gone_ms = i64::try_from(now.saturating_sub(since) / MILLI).unwrap_or(i64::MAX);
        gone_ms.saturating_mul(ppm) / 1_000_000
    }

    /// From now on it gains this much; what it gained so far stays.
    pub(crate) fn drifts(&mut self, ppm: i64, now: Micros) {
        self.ahead_ms += self.drifted_ms(now);
        self.drift = (ppm, now);
    }

    /// The true time at which its clock shows `at`; where it drifts, at most a little before.
    pub(crate) fn when(&self, at: Timestamp) -> Micros {
        let steady = at.as_millis().saturating_add_signed(-self.ahead_ms).saturating_sub(BIRTH_S * 1_000);
        let drifted = self.drifted_ms(steady * MILLI);
        steady.saturating_add_signed(-drifted) * MILLI
    }

    /// Starts a process on its disk.
    pub(crate) fn start(&mut self, cast: &Cast, epoch: [u8; 16], now: Micros) -> Result<Output, String> {
        let journal = Journal::open(self.disk.clone(), JOURNAL).map_err(|error| error.to_string())?;
        let (secrets, signed, locked) = (Rc::clone(&self.secrets), Rc::clone(&self.signed), Rc::clone(&self.locked));
        let ring = Ring::new(secrets, cast.players[self.place].signs, signed, locked, cast.players.len());
        let member = cast.players[self.place].member.clone();
        let (charter, epoch) = (Arc::clone(&cast.charter), Epoch::from_bytes(epoch));
        let opened = Driver::open(journal, ring, charter, cast.network, member, epoch, self.clock(now));
        let (mut driver, output) = opened.map_err(|error| error.to_string())?;
        // A run keeps to its own thread, where what was checked once is remembered.
        driver.set_verifying_threads(std::num::NonZeroUsize::MIN);
        if cast.scenario.witnesses {
            let own = &cast.players[self.place].member;
            let witness =
                Witness::open(self.witnessed.clone(), &cast.charter, own).map_err(|error| error.to_string())?;
            driver.set_witness(witness);
        }
        self.life += 1;
        self.halted = None;
        self.process = Some(Process {
            driver,
            detectors: Watching(Detectors::new(&cast.charter, CHAIN)),
            inbox: Vec::new(),
            called: false,
            free_at: now,
            recent: BTreeMap::new(),
            floors: BTreeMap::new(),
            announced: Vec::new(),
            duties: BTreeSet::new(),
            running: BTreeSet::new(),
            answered: BTreeSet::new(),
            payer: Payer::default(),
            next_catch_up: 0,
            greets: false,
            moved_at: now,
            silent: false,
            wakes: None,
        });
        Ok(output)
    }

    /// The process dies.
    pub(crate) fn stop(&mut self) {
        self.process = None;
        self.life += 1;
        self.connected.clear();
    }
}

impl Process {
    /// Notes a canonical block.
    pub(crate) fn note(&mut self, block: BlockRef) {
        self.recent.insert(block.number, block);
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
    }

    /// The whole current set of duties; returns the simulations to start.
    pub(crate) fn set_preflights(&mut self) -> Vec<Preflight> {
        let wanted: BTreeSet<Preflight> = self
            .duties
            .iter()
            .filter_map(|duty| match duty {
                Duty::Preflight(preflight) => Some(preflight.clone()),
                Duty::Submit(_) | Duty::CatchUp { .. } => None,
            })
            .collect();
        self.running.retain(|preflight| wanted.contains(preflight));
        self.answered.retain(|preflight| wanted.contains(preflight));
        let fresh: Vec<Preflight> = wanted
            .into_iter()
            .filter(|preflight| !self.running.contains(preflight) && !self.answered.contains(preflight))
            .collect();
        self.running.extend(fresh.iter().cloned());
        fresh
    }
}
