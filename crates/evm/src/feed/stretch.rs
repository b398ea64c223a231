//! A stretch of blocks that is caught up with: headers are asked for ahead of the blocks, and several blocks at once, each in a task of its own, so
//! that none waits, nor runs out of time, because somebody takes an earlier one slowly.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use alloy_primitives::B256;
use futures::future::ready;
use futures::stream::{self, Stream, StreamExt};
use tokio::task::JoinHandle;
use watchfire_types::{BlockView, Read};

use super::Stop;
use super::branch::HEADERS_AT_ONCE;
use crate::client::ChainClient;
use crate::config::ChainConfig;
use crate::error::NotAgreed;
use crate::head::Head;

/// Requests a second from which on an endpoint has room for more at once.
const ROOMY_PER_SECOND: u32 = 256;

/// How much is asked for at the same time: blocks, and batches of headers.
struct AtOnce {
    blocks: usize,
    headers: usize,
}

impl AtOnce {
    /// A small budget that blocks use up would keep headers waiting until they run out of time.
    fn of(config: &ChainConfig) -> Self {
        let asked = config.endpoints.iter().filter(|endpoint| endpoint.is_asked());
        match asked.map(|endpoint| endpoint.requests_per_second).min() {
            Some(ROOMY_PER_SECOND..) => Self { blocks: 16, headers: 2 },
            _ => Self { blocks: 8, headers: 1 },
        }
    }
}

/// What is asked of each block of a stretch.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) client: Arc<ChainClient>,
    pub(super) reads: Arc<BTreeSet<Read>>,
    pub(super) transactions: bool,
    /// Whether reads are asked for until they come: a new block's are asked for once, since what is decided waits for them.
    pub(super) patient: bool,
    /// Whether it is the newest block alone.
    pub(super) live: bool,
    pub(super) gone: Arc<AtomicBool>,
}

impl Asked {
    /// The agreed blocks `first..=to` in order, each the child of the one before and the first the child of `before`; whoever takes them slowly holds the
    /// rest back. The first that cannot be had ends it.
    pub(super) fn blocks(
        self,
        before: Option<B256>,
        first: u64,
        to: u64,
    ) -> impl Stream<Item = Result<BlockView, Stop>> + Send {
        let AtOnce { blocks, headers } = AtOnce::of(&self.client.config);
        let client = Arc::clone(&self.client);
        let starts = std::iter::successors(Some(first), |from| from.checked_add(HEADERS_AT_ONCE));
        let heads = stream::iter(starts.take_while(move |from| *from <= to)).map(move |from| {
            let client = Arc::clone(&client);
            let until = to.min(from.saturating_add(HEADERS_AT_ONCE - 1));
            beside(async move { client.heads_at((from..=until).collect(), true).await })
        });
        let heads = heads.buffered(headers).flat_map(stream::iter).scan(before, |before, head| {
            let head = head.map_err(not_yet).and_then(|head| linked(before, head));
            ready(Some(head))
        });
        let views = heads.map(move |head| {
            let asked = self.clone();
            async move {
                let head = head?;
                beside(async move { asked.view(&head).await }).await.map_err(not_yet)
            }
        });
        views.buffered(blocks)
    }

    async fn view(&self, head: &Head) -> Result<BlockView, NotAgreed> {
        let Self { client, reads, transactions, patient, live, gone } = self;
        match patient {
            true => client.patient_view(head, reads, *transactions, gone).await,
            false => client.whole_view(head, reads, *live, *transactions).await,
        }
    }
}

fn not_yet(error: NotAgreed) -> Stop {
    Stop::NotYet(error.cause)
}

/// A head whose parent is the one before it, which it then takes the place of.
fn linked(before: &mut Option<B256>, head: Head) -> Result<Head, Stop> {
    if before.is_some_and(|hash| hash != head.parent) {
        let number = head.block.number;
        return Err(Stop::NotYet(format!(
            "block {number} is no child of the one before: the chain moved while it was read"
        )));
    }
    *before = Some(head.block.hash);
    Ok(head)
}

/// Ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Done in a task of its own. A panic in it goes on here.
async fn beside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = Task(tokio::spawn(work));
    match (&mut task.0).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Nobody but its own drop ends it, or the runtime, which ends this too.
            Err(_) => std::future::pending().await,
        },
    }
}
