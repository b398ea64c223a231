//! One thread of the lowest ordinary priority for what evidence costs: parsing, proving, hashing, files.
//!
//! The loop and its network tasks never wait for it and it never takes a core that they want; at most [`WAITING_MAX`] pieces wait.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use tokio::sync::{mpsc, oneshot};

/// Pieces of work that wait; whoever brings a further one waits to hand it over.
const WAITING_MAX: usize = 64;
/// Added to the thread's nice value.
const NICE: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The way to the thread, which ends when the last of these is gone.
#[derive(Debug, Clone)]
pub struct Bench(mpsc::Sender<Work>);

impl Bench {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (out, mut waiting) = mpsc::channel::<Work>(WAITING_MAX);
        thread::Builder::new().name("evidence".to_owned()).spawn(move || {
            // On Linux this is the thread's own value. Refused, evidence is merely less polite.
            if let Err(cause) = rustix::process::nice(NICE) {
                tracing::debug!(%cause, "the evidence thread keeps its priority");
            }
            while let Some(work) = waiting.blocking_recv() {
                // A fault in one piece ends that piece: the next one is another operator's.
                if panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
                    tracing::error!("a piece of evidence could not be worked on");
                }
            }
        })?;
        Ok(Self(out))
    }

    /// What the work answered; `None` where it did not come to an end, or the thread is gone.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            // Whoever asked may have gone.
            let _ = answer.send(work());
        });
        self.0.send(work).await.ok()?;
        answered.await.ok()
    }
}
