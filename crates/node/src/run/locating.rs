//! Where events stand in the log: the node's answer from its index.

use watchfire_journal::index::CANDIDATES;
use watchfire_journal::{IndexStore, JournalError, Page, Position, Query};
use watchfire_types::Timestamp;
use watchfire_types::control::{Locate, LogPlace, Reply};

/// Where events stand, as the index knows.
pub(super) fn locate(store: &IndexStore, what: &Locate) -> Result<Reply, JournalError> {
    let place = |position: Position| -> LogPlace { (position.segment(), position.offset()) };
    // Asked first: whatever is indexed meanwhile is found by those who read on from here.
    let indexed = store.indexed()?;
    let positions = match what {
        Locate::Fitting { author, epoch, seqs, kind, times_ms, blocks, from, backwards } => {
            let query = Query {
                author: *author,
                epoch: *epoch,
                seqs: *seqs,
                incident: None,
                kind: kind.as_ref().map(|kind| kind.as_bytes().to_vec()),
                times: times_ms.map(|(since, until)| (Timestamp::from_millis(since), Timestamp::from_millis(until))),
                blocks: *blocks,
                limit: 0,
            };
            let from = Position::new(from.0, from.1);
            let page = if *backwards { Page::Before(from) } else { Page::After(from) };
            store.candidates(&query, page, CANDIDATES)?
        }
        Locate::Named { events } => {
            let mut positions = Vec::new();
            for event in events.iter().take(Locate::EVENTS_MAX) {
                positions.extend(store.by_hash(*event)?.map(|record| record.position));
            }
            positions
        }
    };
    Ok(Reply::Located { places: positions.into_iter().map(place).collect(), indexed: place(indexed) })
}
