//! Work done on all cores, and taken in the order in which it was given.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Work = Box<dyn FnOnce() + Send>;

/// As many threads as there are cores, which end after this is gone.
#[derive(Debug)]
pub struct InOrder<T> {
    work: Sender<Work>,
    given: VecDeque<Receiver<thread::Result<T>>>,
}

impl<T: Send + 'static> InOrder<T> {
    /// Begins the threads. Where the system has none to give, work is done as it is given.
    #[must_use]
    pub fn new() -> Self {
        let (work, waiting) = channel::<Work>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..Self::cores() {
            let waiting = Arc::clone(&waiting);
            let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let run = move || {
                while let Ok(work) = next() {
                    work();
                }
            };
            if thread::Builder::new().name("ahead".to_owned()).spawn(run).is_err() {
                break;
            }
        }
        Self { work, given: VecDeque::new() }
    }

    /// How many threads there are, unless the system has fewer to give.
    #[must_use]
    pub fn cores() -> usize {
        // Where the system does not tell, one is right, only slower.
        thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }

    /// Has something done.
    pub fn give(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        let (out, done) = channel();
        let work = Box::new(move || {
            // Nobody waits where all of it was dropped.
            let _ = out.send(catch_unwind(AssertUnwindSafe(work)));
        });
        if let Err(refused) = self.work.send(work) {
            (refused.0)();
        }
        self.given.push_back(done);
    }

    /// What came of the work that was given first, of what was not taken yet. A panic in it goes on here.
    pub fn take(&mut self) -> Option<T> {
        match self.given.pop_front()?.recv().ok()? {
            Ok(done) => Some(done),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// How much was given and not taken.
    #[must_use]
    pub fn given(&self) -> usize {
        self.given.len()
    }
}

impl<T: Send + 'static> Default for InOrder<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// The first to be given ends last, and is taken first.
    #[test]
    fn order_is_kept() {
        let mut ahead = InOrder::new();
        let (go, wait) = channel();
        ahead.give(move || wait.recv().unwrap());
        (1..100).for_each(|number| ahead.give(move || number));
        let (work, waiting) = channel();
        ahead.work = work;
        drop(waiting);
        ahead.give(|| 100);
        assert_eq!(ahead.given(), 101);
        go.send(0).unwrap();
        assert_eq!(std::iter::from_fn(|| ahead.take()).collect::<Vec<_>>(), (0..=100).collect::<Vec<_>>());
        assert_eq!((ahead.given(), ahead.take()), (0, None));
    }

    /// A panic reaches whoever takes what it would have been, and what was given before is there.
    #[test]
    fn a_panic_goes_on() {
        let mut ahead = InOrder::new();
        ahead.give(|| 1);
        ahead.give(|| panic!("a mistake"));
        assert_eq!(ahead.take(), Some(1));
        let panic = catch_unwind(AssertUnwindSafe(|| ahead.take())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a mistake"));
    }
}
