//! What came ahead of its epoch's `Started` at a position that the author cannot have come to by then.
//!
//! The quota counts from the time of `Started`. A decision body counts though that is missing, so that its position cannot be judged when it
//! comes, while whoever knows `Started` refuses it at the door, for good. It is judged when `Started` comes: else a liar that tells some of the
//! vote before `Started` and others after would keep honest nodes from ever holding the same set again.

use super::chain::{AuthorChain, Position};
use crate::decide::quota;

impl AuthorChain {
    /// Lets go of the events beyond the quota of an epoch whose beginning has just come. Costs a look at what waits for it.
    pub(super) fn drop_beyond_quota(&mut self) {
        let Some(started) = self.started() else { return };
        let beyond =
            |position: &Position| position.as_loose().is_some_and(|event| event.seq.get() > quota(started, event.time));
        let waits = self.positions.range(self.below.next..).filter(|(seq, _)| self.cut.is_none_or(|cut| **seq < cut));
        let gone: Vec<_> = waits.filter(|(_, at)| at.iter().any(beyond)).map(|(seq, _)| *seq).collect();
        for seq in gone {
            let at = self.positions.remove(&seq).unwrap_or_default();
            self.waiting = self.waiting.saturating_sub(1);
            self.dropped.extend(at.iter().filter_map(Position::as_loose).cloned());
        }
    }
}
