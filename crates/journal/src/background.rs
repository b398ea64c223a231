//! Work that the writer need not wait for: more zeros ahead in the current segment, and the next segment whole.
//!
//! Real files have a thread for it. Memory does it at once and the faulty disk, where told so, when driven, so that tests and
//! the simulator stay deterministic. The next segment costs the disk as much as the records of a whole one, so the thread lets a burst
//! pass before it begins with one, unless it is told to hurry. The thread opens its files by itself: Linux reports a failed write-back once to each open
//! file, so that a sync here can never take the error away from the writer's own sync.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use crate::error::is_full;
use crate::segment;
use crate::storage::{BackgroundMode, Storage, StorageFile};

/// Zeros written at once, and made durable before more: what is dirty delays every sync on the same disk, the writer's too.
const AT_ONCE: u64 = 256 << 10;

/// A writer that begins no commit for one to two such spans is at rest.
const REST: Duration = Duration::from_millis(20);

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

/// What the thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Extend at once; prepare once the writer rests.
    Do(Job),
    /// Prepare now what waits for that.
    Hurry,
}

/// What the thread does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Run(Job),
    Listen,
    End,
}

/// The job that waits until the writer rests, if there is one.
#[derive(Debug, Default)]
struct Patient(Option<Job>);

impl Patient {
    /// Takes what was heard, or that nothing was for a span of [`REST`]; `writes` says whether a commit was begun since that was asked last.
    fn hear(&mut self, heard: Result<Order, RecvTimeoutError>, writes: impl FnOnce() -> bool) -> Turn {
        let now = match heard {
            Ok(Order::Do(job @ Job::Prepare { .. })) => {
                self.0 = Some(job);
                None
            }
            Ok(Order::Do(job)) => Some(job),
            Ok(Order::Hurry) => self.0.take(),
            Err(RecvTimeoutError::Timeout) => {
                if writes() {
                    None
                } else {
                    self.0.take()
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Turn::End,
        };
        now.map_or(Turn::Listen, Turn::Run)
    }
}

/// Who does the work.
#[derive(Debug)]
enum Hands {
    Thread(Worker),
    Inline,
    Driven(VecDeque<Job>),
}

/// The thread, as its owner holds it.
#[derive(Debug)]
struct Worker {
    orders: Option<Sender<Order>>,
    done: Receiver<Done>,
    /// A commit was begun since the thread looked.
    writes: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Whether the thread is there to hear it.
    fn tell(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }
}

/// The queue of jobs and of results. At most one job of each kind is under way.
#[derive(Debug)]
pub(crate) struct Background<S: Storage> {
    storage: S,
    hands: Hands,
    finished: VecDeque<Done>,
    /// A segment is to be prepared, and nobody said yet that it is urgent.
    patient: bool,
}

impl<S: Storage> Background<S> {
    pub(crate) fn new(storage: S) -> Self {
        let hands = match storage.background() {
            BackgroundMode::Thread => thread(&storage),
            BackgroundMode::Inline => Hands::Inline,
            BackgroundMode::Driven => Hands::Driven(VecDeque::new()),
        };
        Self { storage, hands, finished: VecDeque::new(), patient: false }
    }

    /// Begins `job`; what prepares a segment when the writer rests, or with [`Background::hurry`].
    pub(crate) fn start(&mut self, job: Job) {
        self.patient = matches!(job, Job::Prepare { .. }) || self.patient;
        match &mut self.hands {
            Hands::Thread(worker) => {
                if !worker.tell(Order::Do(job)) {
                    self.run(job);
                }
            }
            Hands::Inline => self.run(job),
            Hands::Driven(waiting) => waiting.push_back(job),
        }
    }

    /// The segment that is to be prepared is needed soon.
    pub(crate) fn hurry(&mut self) {
        if std::mem::take(&mut self.patient)
            && let Hands::Thread(worker) = &self.hands
        {
            // A thread that is gone has nothing that waits.
            let _ = worker.tell(Order::Hurry);
        }
    }

    /// A commit begins.
    pub(crate) fn writes(&self) {
        if let Hands::Thread(worker) = &self.hands {
            worker.writes.store(true, Ordering::Relaxed);
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
            Hands::Thread(worker) => worker.done.try_recv().ok(),
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
        self.hurry();
        match &self.hands {
            Hands::Thread(worker) => worker.done.recv().ok(),
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
        if let Hands::Thread(worker) = &mut self.hands {
            worker.stop.store(true, Ordering::Relaxed);
            worker.orders.take();
            if let Some(thread) = worker.thread.take() {
                // A thread that panicked has given up everything too.
                let _ = thread.join();
            }
        }
    }
}

fn thread<S: Storage>(storage: &S) -> Hands {
    let (orders, inbox) = channel();
    let (out, done) = channel();
    let (writes, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (storage, begun, stopped) = (storage.clone(), Arc::clone(&writes), Arc::clone(&stop));
    let work = move || {
        let mut patient = Patient::default();
        loop {
            let heard = match patient.0 {
                Some(_) => inbox.recv_timeout(REST),
                None => inbox.recv().map_err(RecvTimeoutError::from),
            };
            let job = match patient.hear(heard, || begun.swap(false, Ordering::Relaxed)) {
                Turn::Run(job) => job,
                Turn::Listen => continue,
                Turn::End => return,
            };
            let result = run(&storage, job, &stopped);
            if out.send(Done { job, result }).is_err() {
                return;
            }
        }
    };
    match std::thread::Builder::new().name("journal-ahead".to_owned()).spawn(work) {
        Ok(thread) => Hands::Thread(Worker { orders: Some(orders), done, writes, stop, thread: Some(thread) }),
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

#[cfg(test)]
mod tests;
