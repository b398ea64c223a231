//! The queryable log: sled follows the journal on a timer, off the decision path, and is rebuilt from it on any doubt.
//!
//! sled's flush on Linux is no barrier against a power cut, and waking it at every commit would halve the log's speed: so it
//! is never asked what is durable, and it reads the journal's files by itself, only up to what the journal made durable.

mod keys;
mod place;
mod query;
mod source;
mod store;
mod worker;

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

pub use keys::{Indexer, RecordKeys, Term, TermKind};
use place::Place;
pub use query::{CANDIDATES, Query};
pub use store::{IndexStore, IndexedRecord};
use worker::{Command, Progress, Worker};

use crate::durable::Watermark;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::position::Position;
use crate::storage::Storage;

/// How the index follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexOptions {
    /// Time between two looks at the journal; 100 to 500 ms keep the log's speed.
    pub interval: Duration,
    /// Bound of sled's page cache, in bytes.
    pub cache_bytes: u64,
    /// Throw away what is there and build it anew.
    pub rebuild: bool,
    /// How long commands that only look are waited for: however slow the machine is, none of them may keep a node from starting.
    pub lookers: Duration,
}

impl Default for IndexOptions {
    /// Every 250 ms, 16 MiB of cache, a minute for those who look.
    fn default() -> Self {
        let (interval, lookers) = (Duration::from_millis(250), Duration::from_secs(60));
        Self { interval, cache_bytes: 16 << 20, rebuild: false, lookers }
    }
}

/// How far the index is behind the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// End of what is indexed.
    pub indexed: Position,
    /// End of what is durable.
    pub durable: Position,
    /// Durable records that are not indexed yet.
    pub records: u64,
    /// Why the index follows no more, if it stopped; the next start rebuilds it.
    pub failure: Option<String>,
    /// It stopped since the journal itself, which it reads, is damaged or cannot be read. Otherwise the journal is not affected.
    pub in_journal: bool,
}

/// The index and the thread that fills it.
#[derive(Debug)]
pub struct LogIndex {
    store: IndexStore,
    watermark: Watermark,
    /// Records that the journal counts and no longer holds: lost to damage, or pruned.
    absent: u64,
    progress: Arc<Mutex<Progress>>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    rebuilt: bool,
}

impl LogIndex {
    /// Opens the index of `journal` in the directory `path` and begins to follow. What cannot be trusted (it does not open,
    /// stopped with an error, is another journal's) is rebuilt. One of this journal that is ahead of it is the only witness of a loss: it
    /// is left as it is, unless the rebuild was asked for.
    ///
    /// # Errors
    /// [`JournalError::TailLost`] when the index is ahead of the journal, [`JournalError::InUse`] when another process holds it, [`JournalError::Index`] and [`JournalError::Io`] when no new one
    /// can be made.
    pub fn open<S: Storage>(
        path: &Path,
        journal: &Journal<S>,
        indexer: impl Indexer,
        options: IndexOptions,
    ) -> Result<Self, JournalError> {
        let storage = journal.storage().clone();
        let watermark = journal.watermark();
        let place = Place::make(path, options.lookers)?;
        let absent = absent(journal);
        let held = watermark.get().records().saturating_sub(absent);
        let trusted = place.open_trusted(options, &storage, watermark.get(), held)?;
        let rebuilt = trusted.is_none();
        let store = match trusted {
            Some(store) => store,
            None => {
                warn!("building the index anew from the journal");
                place.open_empty(options, &storage)?
            }
        };
        let worker = Worker::new(storage, watermark.clone(), store.clone(), Box::new(indexer), path.to_owned())?;
        let progress = worker.progress();
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("log-index".to_owned())
            .spawn(move || worker.run(&inbox, options.interval))
            .map_err(JournalError::io("start the thread of", "the index"))?;
        Ok(Self { store, watermark, absent, progress, commands, thread: Some(thread), rebuilt })
    }

    /// What is indexed so far.
    #[must_use]
    pub fn store(&self) -> &IndexStore {
        &self.store
    }

    /// Whether opening found reason to throw away what was there.
    #[must_use]
    pub fn rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// How far it is behind.
    #[must_use]
    pub fn lag(&self) -> Lag {
        let durable = self.watermark.get();
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Lag {
            indexed: progress.cursor.next,
            durable: durable.through(),
            records: durable.records().saturating_sub(self.absent + progress.cursor.records),
            failure: progress.failure,
            in_journal: progress.in_journal,
        }
    }

    /// Waits until everything that is durable now is indexed.
    ///
    /// # Errors
    /// [`JournalError::IndexStopped`] when the index follows no more.
    pub fn catch_up(&self) -> Result<(), JournalError> {
        let (done, waiting) = channel();
        let asked = self.commands.send(Command::CatchUp(done));
        match asked.map(|()| waiting.recv()) {
            Ok(Ok(())) => Ok(()),
            _ => Err(self.stopped()),
        }
    }

    /// Indexes what is durable, writes it out and ends the thread.
    ///
    /// # Errors
    /// [`JournalError::IndexStopped`] when the index could not follow; the next start rebuilds it.
    pub fn shutdown(mut self) -> Result<(), JournalError> {
        let drained = self.catch_up();
        self.stop();
        drained
    }

    fn stopped(&self) -> JournalError {
        let failure = self.lag().failure;
        JournalError::IndexStopped { cause: failure.unwrap_or_else(|| "its thread ended".to_owned()) }
    }

    fn stop(&mut self) {
        // A thread that is gone has stopped already.
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Records that the journal counts and no longer holds.
fn absent<S: Storage>(journal: &Journal<S>) -> u64 {
    journal.recovery().lost + journal.recovery().pruned
}

/// Records, acknowledged once, that the index in the directory `path` followed and `journal` does not hold any more; 0 where there is no
/// index, or none that can be trusted to be this journal's.
///
/// # Errors
/// [`JournalError::InUse`] when another process holds it, [`JournalError::Io`].
pub fn lost_tail<S: Storage>(path: &Path, journal: &Journal<S>) -> Result<u64, JournalError> {
    if !path.is_dir() {
        return Ok(0);
    }
    let durable = journal.durable();
    let held = durable.records().saturating_sub(absent(journal));
    let options = IndexOptions::default();
    match Place::make(path, options.lookers)?.open_trusted(options, journal.storage(), durable, held) {
        Err(JournalError::TailLost { records, .. }) => Ok(records),
        looked => looked.map(|_| 0),
    }
}

/// Has the next start build the index in the directory `path` anew, durably: its journal is about to be no longer what it followed.
///
/// # Errors
/// [`JournalError::Io`]: the mark cannot be written, so that the journal had better stay.
pub fn distrust(path: &Path) -> Result<(), JournalError> {
    if path.is_dir() { place::mark_doubt(path) } else { Ok(()) }
}

/// Whether the index in the directory `path` waits to be built anew: what it says counts for nothing until then.
#[must_use]
pub fn is_distrusted(path: &Path) -> bool {
    place::in_doubt(path)
}

impl Drop for LogIndex {
    /// Ends the thread without waiting for it to catch up.
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
