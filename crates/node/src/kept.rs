//! A node directory looked at without its node: the journal replayed through the same verification and the same rules.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::index::IndexStore;
use watchfire_journal::{
    ChainFault, ChainLink, FileStorage, HashChains, IndexOptions, JournalError, LogReport, LogRoots, verify_log,
};
use watchfire_protocol::{Machine, UnknownMember};
use watchfire_types::{B256, Body, Epoch, Event, MemberId, NetworkId, Timestamp, Verified};
use watchfire_wire::decode_signed;

/// Why a directory cannot be looked at.
#[derive(Debug, Error)]
pub enum KeptError {
    /// The journal or its index cannot be read at all.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The charter is not this node's.
    #[error(transparent)]
    Member(#[from] UnknownMember),
}

/// What the journal of a directory holds, and whether it holds together.
pub struct Kept {
    /// The rules' state after every event.
    pub machine: Machine,
    /// Frames, signatures, journal against index.
    pub report: LogReport,
    /// Hash chains that do not hold.
    pub chains: Vec<ChainFault>,
    /// Number of (author, epoch) chains.
    pub chain_count: usize,
    /// Whether an index was there to compare; `None` = none there.
    pub index: Option<&'static str>,
    /// This member's newest epoch in the log.
    pub epoch: Option<Epoch>,
    /// RFC 6962 root over this member's events of that epoch; of nothing when there is none.
    pub log_root: B256,
    /// Time of the newest own event.
    pub last: Timestamp,
}

impl Kept {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.is_sound() && self.chains.is_empty()
    }
}

/// Replays the journal of a node directory and checks everything in it. Works beside a running node too: the index is
/// then in use and not compared. `progress` is told the number of records now and then.
///
/// # Errors
/// [`KeptError`]; what does not hold is in the result instead.
pub fn look(
    directory: &Path,
    charter: &Arc<Charter>,
    member: &MemberId,
    mut progress: impl FnMut(u64),
) -> Result<Kept, KeptError> {
    let network = charter.network_id();
    let storage = FileStorage::read_only(&directory.join("journal"));
    let path = directory.join("sled");
    let (store, index) = if path.is_dir() {
        match IndexStore::open(&path, IndexOptions::default()) {
            Ok(store) => (Some(store), Some("compared")),
            Err(JournalError::InUse { .. }) => (None, Some("in use by the running node, not compared")),
            Err(error) => return Err(error.into()),
        }
    } else {
        (None, None)
    };
    let nobody = Epoch::from_bytes([0; 16]);
    let mut replay = Replay {
        machine: Machine::new(Arc::clone(charter), network, member.clone(), nobody)?,
        links: HashChains::new(),
        roots: LogRoots::new(),
        own: charter.members.get(member).map(|member| member.node_key),
        newest: None,
        last: Timestamp::default(),
    };
    let mut seen = 0;
    let report = verify_log(&storage, store.as_ref(), |record| {
        seen += 1;
        if seen % 10_000 == 0 {
            progress(seen);
        }
        replay.take(network, record.bytes.clone())
    })?;
    let chain_count = replay.links.chains();
    let root = replay.own.zip(replay.newest).and_then(|(own, epoch)| replay.roots.get(own, epoch));
    let log_root = root.map_or_else(|| watchfire_journal::Frontier::new().root(), watchfire_journal::Frontier::root);
    Ok(Kept {
        machine: replay.machine,
        report,
        chains: replay.links.faults(),
        chain_count,
        index,
        epoch: replay.newest,
        log_root: B256::from(log_root),
        last: replay.last,
    })
}

struct Replay {
    machine: Machine,
    links: HashChains,
    roots: LogRoots,
    own: Option<watchfire_types::MemberKey>,
    newest: Option<Epoch>,
    last: Timestamp,
}

impl Replay {
    fn take(&mut self, network: NetworkId, bytes: watchfire_types::Bytes) -> Result<(), String> {
        let unverified = decode_signed(bytes).map_err(|error| error.to_string())?;
        let event: Verified<Event> = unverified.verify(network).map_err(|error| error.to_string())?;
        let Event { author, epoch, seq, prev, time, .. } = *event;
        self.links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        if Some(author) == self.own {
            self.roots.push(author, epoch, event.outer());
            self.last = time;
            // Own epochs follow each other in the own journal: the last one begun is the newest.
            if matches!(event.body, Body::Started(_)) {
                self.newest = Some(epoch);
            }
        }
        self.machine.apply(&event);
        Ok(())
    }
}
