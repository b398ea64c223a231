//! A node directory looked at without its node: the journal replayed through the same verification and the same rules.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::index::{IndexStore, is_distrusted};
use watchfire_journal::{
    ChainFault, ChainLink, FileStorage, HashChains, IndexOptions, JournalError, LogReport, prune, verify_log,
};
use watchfire_protocol::{Machine, UnknownMember};
use watchfire_transparency::Frontier;
use watchfire_types::{B256, Body, Epoch, Event, MemberId, MemberKey, NetworkId, PrunedLog, Timestamp, Verified};
use watchfire_wire::{decode_pruned, decode_signed};

/// There is nothing to look at: no log, or one without an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoLog {
    /// The directory has no journal.
    #[error(
        "{directory} holds no log, this node has not run yet; start it with `watchfire run --config {directory}/config.toml`, or bring \
         its log with `watchfire log import`",
        directory = .0.display()
    )]
    Absent(PathBuf),
    /// The journal holds no event.
    #[error(
        "the log in {}/journal is empty: no run got as far as its first event, or its files were taken away; see what `watchfire run` \
         says, or bring the log back with `watchfire log import`",
        .0.display()
    )]
    Empty(PathBuf),
}

impl NoLog {
    /// Stable name in kebab-case, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Absent(_) => "no-log",
            Self::Empty(_) => "empty-log",
        }
    }
}

/// The journal of a node directory, to read.
///
/// # Errors
/// [`NoLog::Absent`].
pub fn journal_of(directory: &Path) -> Result<FileStorage, NoLog> {
    let path = directory.join("journal");
    if path.exists() { Ok(FileStorage::read_only(&path)) } else { Err(NoLog::Absent(directory.to_owned())) }
}

/// Why a directory cannot be looked at.
#[derive(Debug, Error)]
pub enum KeptError {
    /// There is no log, or nothing in it.
    #[error(transparent)]
    Nothing(#[from] NoLog),
    /// The journal cannot be read at all.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the base of a pruned journal says cannot be used.
    #[error(
        "the base of what was pruned cannot be read: {cause}; `watchfire log import` of every archive that it was pruned into makes the log whole"
    )]
    Base {
        /// Why.
        cause: String,
    },
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
    /// Where other members signed two histories: kept on purpose, against their authors and not against this log.
    pub convictions: Vec<ChainFault>,
    /// Number of (author, epoch) chains.
    pub chain_count: usize,
    /// Its index.
    pub index: IndexState,
    /// This member's newest epoch: the last one by its own clock that no other one names as its past.
    pub epoch: Option<Epoch>,
    /// RFC 6962 root over this member's events of that epoch, checkpoints left out; of nothing when there is none.
    pub log_root: B256,
    /// Time of the newest own event.
    pub last: Timestamp,
    /// What was pruned of it.
    pub pruned: Option<PrunedLog>,
}

impl Kept {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.is_sound() && self.chains.is_empty() && !matches!(self.index, IndexState::Unusable(_))
    }

    /// What to do to have back what was pruned; `None` where nothing was.
    pub(crate) fn way_back(&self) -> Option<String> {
        let archives: BTreeSet<B256> = self.archives().collect();
        let names: Vec<String> = archives.iter().map(|sha256| format!("{sha256:x}")).collect();
        let which = match names.as_slice() {
            [] => return None,
            [one] => format!("the archive with SHA-256 {one}"),
            several => format!("all of the archives with SHA-256 {}", several.join(", ")),
        };
        Some(format!("`watchfire log import` of {which} brings it back, here or into a new directory"))
    }

    /// SHA-256 of the archives that hold what was pruned, oldest first.
    pub(crate) fn archives(&self) -> impl Iterator<Item = B256> {
        self.pruned.iter().flat_map(|pruned| &pruned.archives).map(|archive| archive.sha256)
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
    let storage = journal_of(directory)?;
    let (store, mut index) = open_index(&directory.join("sled"), &storage);
    let base = prune::base(&storage);
    let mut replay_with = |store: Option<&IndexStore>| {
        let mut replay = Replay::new(charter, member)?;
        let base = base.as_ref().map_err(|error| error.to_string()).and_then(|note| replay.begin(note.as_deref()));
        let mut seen = 0;
        let report = verify_log(&storage, store, |record| {
            seen += 1;
            if seen % 10_000 == 0 {
                progress(seen);
            }
            replay.take(network, record.bytes.clone())
        })?;
        if report.records == 0 && report.faults.is_empty() && matches!(base, Ok(())) && replay.pruned.is_none() {
            return Err(NoLog::Empty(directory.to_owned()).into());
        }
        if let Err(cause) = base
            && report.faults.is_empty()
        {
            return Err(KeptError::Base { cause });
        }
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
    let newest = replay.own.and_then(|own| newest(&replay.machine, own));
    let tree = replay.own.zip(newest).and_then(|(own, epoch)| replay.machine.tree(own, epoch));
    let log_root = tree.map_or_else(|| Frontier::new().root(), Frontier::root);
    let convicts = |fault: &ChainFault| Some(fault.link.author) != replay.own && fault.kind.is_fork();
    let (convictions, chains) = replay.links.faults().into_iter().partition(convicts);
    Ok(Kept {
        machine: replay.machine,
        report,
        chains,
        convictions,
        chain_count,
        index,
        epoch: newest,
        log_root: B256::from(log_root),
        last: replay.last,
        pruned: replay.pruned,
    })
}

/// A member's newest epoch: of those that none of its held epochs names as its past, the last by the author's own clock. The order of the
/// log says nothing: an older epoch may come later, by catch-up or out of an archive.
pub(crate) fn newest(machine: &Machine, author: MemberKey) -> Option<Epoch> {
    let mut past = BTreeSet::new();
    for event in machine.events().filter(|event| event.author == author) {
        if let Body::Started(started) = &event.body {
            past.extend(started.earlier.iter().map(|head| head.epoch));
        }
    }
    let epochs = || machine.epochs().filter(|(of, _)| *of == author).map(|(_, epoch)| epoch);
    let order = |epoch: &Epoch| (machine.started(author, *epoch), *epoch);
    epochs().filter(|epoch| !past.contains(epoch)).max_by_key(order).or_else(|| epochs().max_by_key(order))
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
    own: Option<MemberKey>,
    last: Timestamp,
    pruned: Option<PrunedLog>,
}

impl Replay {
    fn new(charter: &Arc<Charter>, member: &MemberId) -> Result<Self, UnknownMember> {
        let nobody = Epoch::from_bytes([0; 16]);
        Ok(Self {
            machine: Machine::new(Arc::clone(charter), charter.network_id(), member.clone(), nobody)?,
            links: HashChains::new(),
            own: charter.members.get(member).map(|member| member.node_key),
            last: Timestamp::default(),
            pruned: None,
        })
    }

    fn begin(&mut self, note: Option<&[u8]>) -> Result<(), String> {
        let Some(note) = note else { return Ok(()) };
        let pruned = decode_pruned(note).map_err(|error| error.to_string())?;
        let begun = self.machine.begin(&pruned.chains);
        begun.map_err(|(author, epoch)| format!("wrong about epoch {} of {}", epoch.short(), author.short()))?;
        self.pruned = Some(pruned);
        Ok(())
    }

    fn take(&mut self, network: NetworkId, bytes: watchfire_types::Bytes) -> Result<(), String> {
        let unverified = decode_signed(bytes).map_err(|error| error.to_string())?;
        let event: Verified<Event> = unverified.verify(network).map_err(|error| error.to_string())?;
        let Event { author, epoch, seq, prev, time, .. } = *event;
        self.links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        if Some(author) == self.own {
            self.last = time.max(self.last);
        }
        self.machine.apply(&event);
        Ok(())
    }
}
