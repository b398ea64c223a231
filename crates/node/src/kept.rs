//! A node directory looked at without its node: the journal replayed through the same verification and the same rules.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::index::{IndexStore, is_distrusted};
use watchfire_journal::{
    ChainFault, ChainLink, FileStorage, HashChains, IndexOptions, JournalError, LogReport, verify_log,
};
use watchfire_protocol::{Machine, UnknownMember};
use watchfire_transparency::Frontier;
use watchfire_types::{B256, Body, Epoch, Event, MemberId, NetworkId, Timestamp, Verified};
use watchfire_wire::decode_signed;

/// Why a directory cannot be looked at.
#[derive(Debug, Error)]
pub enum KeptError {
    /// The journal cannot be read at all.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The charter is not this node's.
    #[error(transparent)]
    Member(#[from] UnknownMember),
}

/// What became of the index beside the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexState {
    /// None is there.
    Absent,
    /// Compared with the journal; differences are in the report.
    Compared,
    /// A running node holds it.
    InUse,
    /// It cannot be opened or read; why.
    Unusable(String),
}

impl fmt::Display for IndexState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("none there"),
            Self::Compared => f.write_str("compared"),
            Self::InUse => f.write_str("in use by the running node, not compared"),
            Self::Unusable(reason) => write!(f, "unusable: {reason}"),
        }
    }
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
    /// Its index.
    pub index: IndexState,
    /// This member's newest epoch in the log.
    pub epoch: Option<Epoch>,
    /// RFC 6962 root over this member's events of that epoch, checkpoints left out; of nothing when there is none.
    pub log_root: B256,
    /// Time of the newest own event.
    pub last: Timestamp,
}

impl Kept {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.is_sound() && self.chains.is_empty() && !matches!(self.index, IndexState::Unusable(_))
    }
}

/// Replays the journal of a node directory and checks everything in it. Works beside a running node too: the index is
/// then in use and not compared. The journal is judged whatever became of its index. `progress` is told the number of records now and then.
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
    let (store, mut index) = open_index(&directory.join("sled"), &storage);
    let mut replay_with = |store: Option<&IndexStore>| {
        let mut replay = Replay::new(charter, member)?;
        let mut seen = 0;
        let report = verify_log(&storage, store, |record| {
            seen += 1;
            if seen % 10_000 == 0 {
                progress(seen);
            }
            replay.take(network, record.bytes.clone())
        })?;
        Ok::<_, KeptError>((report, replay))
    };
    let (report, replay) = match replay_with(store.as_ref()) {
        Err(KeptError::Journal(error @ (JournalError::Index { .. } | JournalError::IndexStopped { .. }))) => {
            index = IndexState::Unusable(error.to_string());
            replay_with(None)?
        }
        replayed => replayed?,
    };
    let chain_count = replay.links.chains();
    let tree = replay.own.zip(replay.newest).and_then(|(own, epoch)| replay.machine.tree(own, epoch));
    let log_root = tree.map_or_else(|| Frontier::new().root(), Frontier::root);
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

/// The two directories that take turns in holding the witness state.
#[must_use]
pub fn witness_directories(directory: &Path) -> [PathBuf; 2] {
    ["0", "1"].map(|side| directory.join("witness").join(side))
}

pub(crate) fn open_index(path: &Path, journal: &FileStorage) -> (Option<IndexStore>, IndexState) {
    // One that the next start builds anew is as good as none.
    if !path.exists() || is_distrusted(path) {
        return (None, IndexState::Absent);
    }
    match IndexStore::open(path, journal, IndexOptions::default()) {
        Ok(store) => (Some(store), IndexState::Compared),
        Err(JournalError::InUse { .. }) => (None, IndexState::InUse),
        Err(error) => (None, IndexState::Unusable(error.to_string())),
    }
}

struct Replay {
    machine: Machine,
    links: HashChains,
    own: Option<watchfire_types::MemberKey>,
    newest: Option<Epoch>,
    last: Timestamp,
}

impl Replay {
    fn new(charter: &Arc<Charter>, member: &MemberId) -> Result<Self, UnknownMember> {
        let nobody = Epoch::from_bytes([0; 16]);
        Ok(Self {
            machine: Machine::new(Arc::clone(charter), charter.network_id(), member.clone(), nobody)?,
            links: HashChains::new(),
            own: charter.members.get(member).map(|member| member.node_key),
            newest: None,
            last: Timestamp::default(),
        })
    }

    fn take(&mut self, network: NetworkId, bytes: watchfire_types::Bytes) -> Result<(), String> {
        let unverified = decode_signed(bytes).map_err(|error| error.to_string())?;
        let event: Verified<Event> = unverified.verify(network).map_err(|error| error.to_string())?;
        let Event { author, epoch, seq, prev, time, .. } = *event;
        self.links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        if Some(author) == self.own {
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
