//! How fast one author's events came by this node's own clock: the bound that no claim of the author's clock moves.

use watchfire_types::Timestamp;

/// Events of one author that are taken at once: room for a whole history at the first catch-up.
const BURST: u64 = 50_000;
/// Events of one author per second of this node's clock after that.
const PER_S: u64 = 16;

/// Events taken of one author since this node first took one while it ran; what it replays at its start is not counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    since: Option<Timestamp>,
    taken: u64,
}

impl Pace {
    /// Counts an event taken at `seen`, which is zero while the log is replayed.
    pub(crate) fn took(&mut self, seen: Timestamp) {
        if seen > Timestamp::from_millis(0) {
            self.since.get_or_insert(seen);
            self.taken = self.taken.saturating_add(1);
        }
    }

    /// How many may have been taken by now, if another one would be too many.
    pub(crate) fn exceeded(&self, now: Timestamp) -> Option<u64> {
        let allowed = BURST.saturating_add((now.millis_since(self.since?) / 1_000).saturating_mul(PER_S));
        (self.taken >= allowed).then_some(allowed)
    }
}
