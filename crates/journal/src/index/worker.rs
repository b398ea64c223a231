//! The thread that follows the journal.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::error;
use watchfire_types::EventHash;

use super::keys::Indexer;
use super::place::mark_doubt;
use super::store::{Cursor, IndexStore};
use crate::durable::Watermark;
use crate::error::JournalError;
use crate::replay::Tail;
use crate::storage::Storage;

/// Records stored at once: bounds memory and the time in which a stop is not heard.
const BATCH: usize = 512;

/// What the index's owner asks of the thread.
pub(super) enum Command {
    /// Index everything durable, write it out and answer; hang up when that failed.
    CatchUp(Sender<()>),
    /// End.
    Stop,
}

/// What the thread says of itself.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) cursor: Cursor,
    pub(super) failure: Option<String>,
    /// The failure is of the journal, not of the index.
    pub(super) in_journal: bool,
}

pub(super) struct Worker<S: Storage> {
    tail: Tail<S>,
    watermark: Watermark,
    store: IndexStore,
    indexer: Box<dyn Indexer>,
    path: PathBuf,
    progress: Arc<Mutex<Progress>>,
}

impl<S: Storage> Worker<S> {
    pub(super) fn new(
        storage: S,
        watermark: Watermark,
        store: IndexStore,
        indexer: Box<dyn Indexer>,
        path: PathBuf,
    ) -> Result<Self, JournalError> {
        let cursor = store.cursor()?.unwrap_or(Cursor::START);
        let tail = Tail::new(storage, cursor.next)?;
        let progress = Arc::new(Mutex::new(Progress { cursor, failure: None, in_journal: false }));
        Ok(Self { tail, watermark, store, indexer, path, progress })
    }

    pub(super) fn progress(&self) -> Arc<Mutex<Progress>> {
        self.progress.clone()
    }

    /// Follows until told to stop or until it fails.
    pub(super) fn run(mut self, inbox: &Receiver<Command>, interval: Duration) {
        loop {
            let asker = match inbox.recv_timeout(interval) {
                Err(RecvTimeoutError::Timeout) => None,
                Ok(Command::CatchUp(done)) => Some(done),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let followed = self.follow().and_then(|()| if asker.is_some() { self.store.flush() } else { Ok(()) });
            if let Err(cause) = followed {
                error!(%cause, "the index stopped; the next start rebuilds it");
                if let Err(cause) = mark_doubt(&self.path) {
                    // The checks at the next start stand alone then.
                    error!(%cause, "that the index is in doubt cannot be noted");
                }
                let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.in_journal = !matches!(cause, JournalError::Index { .. });
                progress.failure = Some(cause.to_string());
                return;
            }
            if let Some(done) = asker {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn follow(&mut self) -> Result<(), JournalError> {
        let mut cursor = self.progress.lock().unwrap_or_else(PoisonError::into_inner).cursor;
        let until = self.watermark.get().through();
        loop {
            let records = Vec::from(self.tail.read(until)?);
            if records.is_empty() {
                return Ok(());
            }
            let mut rest = records.into_iter().peekable();
            while rest.peek().is_some() {
                let batch: Vec<_> = rest
                    .by_ref()
                    .take(BATCH)
                    .map(|record| {
                        let hash = EventHash::of(&record.bytes);
                        let keys = self.indexer.keys(&record.bytes);
                        (record, hash, keys)
                    })
                    .collect();
                let Some((last, hash, _)) = batch.last() else { return Ok(()) };
                cursor.records += batch.len() as u64;
                cursor.last = Some((last.position, *hash));
                cursor.next = rest.peek().map_or(self.tail.position(), |next| next.position);
                self.store.put(cursor, &batch)?;
                self.progress.lock().unwrap_or_else(PoisonError::into_inner).cursor = cursor;
            }
        }
    }
}
