//! Work that the writer need not wait for: more zeros ahead in the current segment, and the next segment whole.
//!
//! Real files have a thread for it. Memory does it at once and the faulty disk, where told so, when driven, so that tests and
//! the simulator stay deterministic. The thread opens its files by itself: Linux reports a failed write-back once to each open
//! file, so that a sync here can never take the error away from the writer's own sync.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tracing::warn;

use crate::error::is_full;
use crate::segment;
use crate::storage::{BackgroundMode, Storage, StorageFile};

/// Zeros written at once, and made durable before more: what is dirty delays every sync on the same disk, the writer's too.
const AT_ONCE: u64 = 256 << 10;

/// One piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// Zeros in a segment from `from` to `to`.
    Extend { number: u32, from: u64, to: u64 },
    /// A segment of `length` zeros under its final name, which its header will begin.
    Prepare { number: u32, length: u64 },
}

/// A job and what became of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) job: Job,
    pub(crate) result: io::Result<()>,
}

/// Who does the work.
#[derive(Debug)]
enum Hands {
    Thread { jobs: Option<Sender<Job>>, done: Receiver<Done>, stop: Arc<AtomicBool>, thread: Option<JoinHandle<()>> },
    Inline,
    Driven(VecDeque<Job>),
}

/// The queue of jobs and of results. At most one job of each kind is under way.
#[derive(Debug)]
pub(crate) struct Background<S: Storage> {
    storage: S,
    hands: Hands,
    finished: VecDeque<Done>,
}

impl<S: Storage> Background<S> {
    pub(crate) fn new(storage: S) -> Self {
        let hands = match storage.background() {
            BackgroundMode::Thread => thread(&storage),
            BackgroundMode::Inline => Hands::Inline,
            BackgroundMode::Driven => Hands::Driven(VecDeque::new()),
        };
        Self { storage, hands, finished: VecDeque::new() }
    }

    /// Begins `job`.
    pub(crate) fn start(&mut self, job: Job) {
        match &mut self.hands {
            Hands::Thread { jobs, .. } => {
                if jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
                    self.run(job);
                }
            }
            Hands::Inline => self.run(job),
            Hands::Driven(waiting) => waiting.push_back(job),
        }
    }

    fn run(&mut self, job: Job) {
        let result = run(&self.storage, job, &AtomicBool::new(false));
        self.finished.push_back(Done { job, result });
    }

    /// A job that has ended, if there is one.
    pub(crate) fn finished(&mut self) -> Option<Done> {
        if let Some(done) = self.finished.pop_front() {
            return Some(done);
        }
        match &self.hands {
            Hands::Thread { done, .. } => done.try_recv().ok(),
            Hands::Inline | Hands::Driven(_) => None,
        }
    }

    /// Waits for a job to end; `None` when none is under way.
    pub(crate) fn wait(&mut self) -> Option<Done> {
        if let Some(done) = self.finished() {
            return Some(done);
        }
        if self.step() {
            return self.finished.pop_front();
        }
        match &self.hands {
            Hands::Thread { done, .. } => done.recv().ok(),
            Hands::Inline | Hands::Driven(_) => None,
        }
    }

    /// Does one job that waits to be driven; whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let Hands::Driven(waiting) = &mut self.hands else { return false };
        let Some(job) = waiting.pop_front() else { return false };
        self.run(job);
        true
    }
}

impl<S: Storage> Drop for Background<S> {
    /// Ends the thread and waits for it: it holds the directory.
    fn drop(&mut self) {
        if let Hands::Thread { jobs, stop, thread, .. } = &mut self.hands {
            stop.store(true, Ordering::Relaxed);
            jobs.take();
            if let Some(thread) = thread.take() {
                // A thread that panicked has given up everything too.
                let _ = thread.join();
            }
        }
    }
}

fn thread<S: Storage>(storage: &S) -> Hands {
    let (jobs, inbox) = channel();
    let (out, done) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let (storage, stopped) = (storage.clone(), Arc::clone(&stop));
    let work = move || {
        while let Ok(job) = inbox.recv() {
            let result = run(&storage, job, &stopped);
            if out.send(Done { job, result }).is_err() {
                return;
            }
        }
    };
    match std::thread::Builder::new().name("journal-ahead".to_owned()).spawn(work) {
        Ok(thread) => Hands::Thread { jobs: Some(jobs), done, stop, thread: Some(thread) },
        Err(cause) => {
            warn!(%cause, "no thread to prepare the journal's room; the writer does it itself");
            Hands::Inline
        }
    }
}

fn run<S: Storage>(storage: &S, job: Job, stop: &AtomicBool) -> io::Result<()> {
    match job {
        Job::Extend { number, from, to } => {
            let file = storage.open(&segment::name(number))?;
            fill_until(&file, from, to, stop)?;
            file.sync()
        }
        Job::Prepare { number, length } => {
            let prepared = prepare(storage, number, length, stop);
            if prepared.as_ref().is_err_and(is_full) {
                // It only takes room; if it cannot be removed, the next attempt replaces it.
                let _ = storage.remove(segment::PREPARED);
            }
            prepared
        }
    }
}

/// Written under another name, synced, renamed, and the name synced: a prepared segment is there whole or not at all.
fn prepare<S: Storage>(storage: &S, number: u32, length: u64, stop: &AtomicBool) -> io::Result<()> {
    let file = storage.create(segment::PREPARED)?;
    fill_until(&file, 0, length, stop)?;
    file.sync()?;
    storage.rename(segment::PREPARED, &segment::name(number))?;
    storage.sync_directory()
}

/// Writes zeros from `from` to `to`.
pub(crate) fn fill(file: &impl StorageFile, from: u64, to: u64) -> io::Result<()> {
    fill_until(file, from, to, &AtomicBool::new(false))
}

fn fill_until(file: &impl StorageFile, from: u64, to: u64, stop: &AtomicBool) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(to.saturating_sub(from).min(AT_ONCE)).unwrap_or(0)];
    let mut at = from;
    while at < to {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the journal was closed"));
        }
        let length = usize::try_from((to - at).min(AT_ONCE)).unwrap_or(0);
        file.write_at(at, &zeros[..length])?;
        at += length as u64;
        if at < to {
            file.sync()?;
        }
    }
    Ok(())
}
