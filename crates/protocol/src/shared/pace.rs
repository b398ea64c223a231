//! How fast one author's events came by this node's own clock: the bound that no claim of the author's clock moves.

use watchfire_types::Timestamp;

/// Events of one author that are taken at once: room for a whole history at the first catch-up.
const BURST: u64 = 50_000;
/// Events of one author per second of this node's clock after that.
const PER_S: u64 = 16;
/// Bytes of one author's events that are taken at once: years of what an honest member says.
const BURST_BYTES: u64 = 256 << 20;
/// Bytes per second after that. Everything taken is kept on disk and in memory: at most 90 MB a day of a liar that says as much as it can.
const BYTES_PER_S: u64 = 1 << 10;

/// What was taken of one author since this node first took something while it ran; what it replays at its start is not counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    since: Option<Timestamp>,
    taken: u64,
    bytes: u64,
}

impl Pace {
    /// Counts an event of so many bytes taken at `seen`, which is zero while the log is replayed.
    pub(crate) fn took(&mut self, seen: Timestamp, bytes: usize) {
        if seen > Timestamp::from_millis(0) {
            self.since.get_or_insert(seen);
            self.taken = self.taken.saturating_add(1);
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
    }

    /// How many may have been taken by now, if another one would be too many.
    pub(crate) fn exceeded(&self, now: Timestamp) -> Option<u64> {
        let seconds = now.millis_since(self.since?) / 1_000;
        let allowed = BURST.saturating_add(seconds.saturating_mul(PER_S));
        let bytes = BURST_BYTES.saturating_add(seconds.saturating_mul(BYTES_PER_S));
        (self.taken >= allowed || self.bytes >= bytes).then_some(allowed.min(self.taken))
    }
}
