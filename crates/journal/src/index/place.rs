//! The index's directory: a lock, and sled's files in a numbered directory inside.
//!
//! Why numbered: sled gives up its files on a thread of its own some time after the last handle is dropped, and may still write by
//! path until then. What is built anew gets a directory that no such latecomer knows. For the same reason our own lock says who
//! holds the index, and sled's is waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::IndexOptions;
use super::store::{IndexStore, Standing};
use crate::durable::Durable;
use crate::error::JournalError;
use crate::lock::DirectoryLock;
use crate::segment;
use crate::storage::Storage;

/// Its presence says that the index stopped with an error and must not be trusted.
const DOUBT: &str = "doubt";
const PREFIX: &str = "store-";

/// Time in which a handle dropped in this process gives up sled's files.
const RELEASE_MAX: Duration = Duration::from_secs(60);
const RELEASE_LOOK: Duration = Duration::from_millis(5);

/// The directory, held for this process.
pub(super) struct Place {
    path: PathBuf,
    lock: Arc<DirectoryLock>,
}

impl Place {
    /// Takes the directory, which must exist.
    pub(super) fn take(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: path.to_owned(), lock: Arc::new(DirectoryLock::acquire(path)?) })
    }

    /// As [`Place::take`], once whoever only looks is done; makes the directory if need be.
    pub(super) fn make(path: &Path, lookers: Duration) -> Result<Self, JournalError> {
        fs::create_dir_all(path).map_err(JournalError::io("create", path.display().to_string()))?;
        let patience = Instant::now() + lookers;
        loop {
            match Self::take(path) {
                Err(JournalError::InUse { .. }) if Instant::now() < patience => std::thread::sleep(RELEASE_LOOK),
                taken => return taken,
            }
        }
    }

    /// Opens what is there, or begins where nothing is.
    pub(super) fn open<S: Storage>(&self, options: IndexOptions, journal: &S) -> Result<IndexStore, JournalError> {
        let number = self.numbers()?.last().copied().unwrap_or(0);
        let directory = self.path.join(format!("{PREFIX}{number}"));
        let patience = Instant::now() + RELEASE_MAX;
        loop {
            let config = sled::Config::new().path(&directory).cache_capacity(options.cache_bytes).flush_every_ms(None);
            match config.open() {
                Ok(db) => return Ok(IndexStore::new(db, journal, self.lock.clone())),
                Err(error) if is_locked(&error) && Instant::now() < patience => std::thread::sleep(RELEASE_LOOK),
                Err(error) if is_locked(&error) => return Err(JournalError::InUse { path: self.path.clone() }),
                Err(source) => return Err(JournalError::Index { doing: "open it", source }),
            }
        }
    }

    /// Opens what is there, if it can be trusted to be a prefix of the journal, of which `held` records are there.
    ///
    /// # Errors
    /// [`JournalError::TailLost`] where it proves that the journal lost what was durable.
    pub(super) fn open_trusted<S: Storage>(
        &self,
        options: IndexOptions,
        storage: &S,
        durable: Durable,
        held: u64,
    ) -> Result<Option<IndexStore>, JournalError> {
        if options.rebuild || in_doubt(&self.path) {
            return Ok(None);
        }
        match self.open(options, storage) {
            Ok(store) => match store.against(storage, durable, held).unwrap_or(Standing::Differs) {
                Standing::Agrees => Ok(Some(store)),
                Standing::Differs => Ok(None),
                Standing::Ahead { records } => {
                    let end = durable.through();
                    let (segment, offset) = (segment::name(end.segment()), u64::from(end.offset()));
                    Err(JournalError::TailLost { segment, offset, records })
                }
            },
            Err(error @ JournalError::InUse { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Throws away what is there and begins an empty index.
    pub(super) fn open_empty<S: Storage>(
        &self,
        options: IndexOptions,
        journal: &S,
    ) -> Result<IndexStore, JournalError> {
        let old = self.numbers()?;
        let next = old.last().map_or(0, |last| last.saturating_add(1));
        let begin = self.path.join(format!("{PREFIX}{next}"));
        fs::create_dir(&begin).map_err(JournalError::io("create", begin.display().to_string()))?;
        for number in old {
            let directory = self.path.join(format!("{PREFIX}{number}"));
            fs::remove_dir_all(&directory).map_err(JournalError::io("remove", directory.display().to_string()))?;
        }
        let store = self.open(options, journal)?;
        let doubt = self.path.join(DOUBT);
        if doubt.exists() {
            fs::remove_file(&doubt).map_err(JournalError::io("remove", doubt.display().to_string()))?;
        }
        Ok(store)
    }

    /// Numbers of the directories there, ascending.
    fn numbers(&self) -> Result<Vec<u32>, JournalError> {
        let failed = || JournalError::io("list", self.path.display().to_string());
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(cause) if cause.to_string().contains("could not acquire lock"))
}

/// Whether such a mark is there.
pub(super) fn in_doubt(path: &Path) -> bool {
    path.join(DOUBT).exists()
}

/// Leaves a mark that makes the next start rebuild the index.
pub(super) fn mark_doubt(path: &Path) -> Result<(), JournalError> {
    let mark = path.join(DOUBT);
    let written = fs::File::create(&mark).and_then(|file| file.sync_all());
    let kept = written.and_then(|()| fs::File::open(path)?.sync_all());
    kept.map_err(JournalError::io("mark", mark.display().to_string()))
}
