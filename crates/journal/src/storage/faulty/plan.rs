//! Which call fails, and how: as scheduled, or drawn from a seed.

use std::collections::BTreeMap;

/// What a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Read,
    Write,
    Sync,
    Create,
    Rename,
    SyncNames,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EIO. Of a write so many bytes go through first (a short write); of a sync nothing does, and what was pending is lost to the
    /// disk although reads still show it, as Linux does: a second sync succeeds and does not bring it back. A file that cannot be
    /// made or renamed leaves the names as they were; names that cannot be made durable stay pending.
    Fails {
        /// Bytes of a write that go through.
        written: usize,
    },
    /// A write is acknowledged, shown until the next start, and never reaches the disk.
    Lost,
    /// A write is acknowledged and lands so many bytes further on.
    Misdirected {
        /// How far off.
        by: u64,
    },
}

/// How often calls fail on a drawn disk, each in 65,536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultRates {
    /// Reads that fail.
    pub read_fails: u16,
    /// Writes that fail after a drawn part of their bytes.
    pub write_fails: u16,
    /// Writes that are lost.
    pub write_lost: u16,
    /// Writes that land elsewhere.
    pub write_misdirected: u16,
    /// Syncs that fail.
    pub sync_fails: u16,
    /// Files that cannot be made or renamed, and syncs of the names that fail.
    pub names_fail: u16,
    /// Durable sectors of which a crash flips a bit.
    pub rot: u16,
}

/// SplitMix64: the same numbers for the same seed, everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(super) fn happens(&mut self, rate: u16) -> bool {
        rate > 0 && self.below(1 << 16) < u64::from(rate)
    }
}

/// The faults to come.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    counts: BTreeMap<Call, u64>,
    scheduled: BTreeMap<(Call, u64), Fault>,
    pub(super) drawn: Option<(Random, FaultRates)>,
}

impl Plan {
    /// Lets `after` more calls of this kind succeed and the next one go wrong.
    pub(super) fn schedule(&mut self, call: Call, after: u64, fault: Fault) {
        let at = self.counts.get(&call).copied().unwrap_or(0).saturating_add(after);
        self.scheduled.insert((call, at), fault);
    }

    /// Lets nothing go wrong but what is drawn.
    pub(super) fn unschedule(&mut self) {
        self.scheduled.clear();
    }

    /// Counts one call, of `length` bytes if it writes.
    pub(super) fn next(&mut self, call: Call, length: usize) -> Option<Fault> {
        let count = self.counts.entry(call).or_default();
        let at = *count;
        *count += 1;
        self.scheduled.remove(&(call, at)).or_else(|| self.draw(call, length))
    }

    fn draw(&mut self, call: Call, length: usize) -> Option<Fault> {
        let (random, rates) = self.drawn.as_mut()?;
        match call {
            Call::Read => random.happens(rates.read_fails).then_some(Fault::Fails { written: 0 }),
            Call::Sync => random.happens(rates.sync_fails).then_some(Fault::Fails { written: 0 }),
            Call::Create | Call::Rename | Call::SyncNames => {
                random.happens(rates.names_fail).then_some(Fault::Fails { written: 0 })
            }
            Call::Write if random.happens(rates.write_fails) => {
                let written = usize::try_from(random.below(length as u64 + 1)).unwrap_or(0);
                Some(Fault::Fails { written })
            }
            Call::Write if random.happens(rates.write_lost) => Some(Fault::Lost),
            Call::Write if random.happens(rates.write_misdirected) => {
                Some(Fault::Misdirected { by: 16 * (1 + random.below(256)) })
            }
            Call::Write => None,
        }
    }
}
