//! What the node tells the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use watchfire_types::{MemberKey, Verdict};

use crate::config::limits;
use crate::error::SendError;
use crate::event::{Lane, ReplyToken};

/// One order to the network task.
#[derive(Debug)]
pub(crate) enum Command {
    Publish(Bytes),
    Verdict {
        id: u64,
        verdict: Verdict,
    },
    Ask {
        lane: Lane,
        member: MemberKey,
        bytes: Bytes,
    },
    Reply {
        token: ReplyToken,
        bytes: Bytes,
    },
    /// The sender is dropped when the task has ended.
    Shutdown(oneshot::Sender<()>),
}

/// Counters since the start; each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) unpublished_dropped: AtomicU64,
    pub(crate) publish_lost: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) oversized: AtomicU64,
    pub(crate) verdicts_evicted: AtomicU64,
    pub(crate) strangers_refused: AtomicU64,
    pub(crate) incoming_refused: AtomicU64,
    pub(crate) catch_up_served: AtomicU64,
    pub(crate) catch_up_refused: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What the counters read; each only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Own messages handed to at least one member's queue.
    pub published: u64,
    /// Own messages let go because [`limits::UNPUBLISHED_MAX`] waited while nobody was connected.
    pub unpublished_dropped: u64,
    /// Own messages that found every member's queue full.
    pub publish_lost: u64,
    /// Messages given to the node.
    pub received: u64,
    /// Messages above [`limits::MESSAGE_BYTES_MAX`], rejected unread.
    pub oversized: u64,
    /// Messages ignored because [`limits::VERDICTS_MAX`] newer ones came before their verdict.
    pub verdicts_evicted: u64,
    /// Connections refused because the key belongs to no member.
    pub strangers_refused: u64,
    /// Other incoming connections that failed: limits, broken handshakes.
    pub incoming_refused: u64,
    /// Catch-up and evidence answers sent.
    pub catch_up_served: u64,
    /// Catch-up and evidence requests answered with busy or too large.
    pub catch_up_refused: u64,
}

/// The node's side of the network task. Cloning is cheap; the task ends when all handles or the event receiver are gone.
///
/// Every method waits at most for room in a queue of [`limits::COMMANDS_MAX`] that the task always empties, even while
/// the node does not take events: awaiting one of them in the node's event loop cannot deadlock.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
}

impl Handle {
    pub(crate) fn new(commands: mpsc::Sender<Command>, counters: Arc<Counters>) -> Self {
        Self { commands, counters }
    }

    async fn send(&self, command: Command) -> Result<(), SendError> {
        self.commands.send(command).await.map_err(|_| SendError::Stopped)
    }

    /// Sends own bytes to every connected member. While none is connected they wait, bounded
    /// ([`limits::UNPUBLISHED_MAX`]), for the first that is. Bytes published before are not sent again within [`limits::DUPLICATE_CACHE`].
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`limits::MESSAGE_BYTES_MAX`]; [`SendError::Stopped`].
    pub async fn publish(&self, bytes: Bytes) -> Result<(), SendError> {
        check("message", &bytes, limits::MESSAGE_BYTES_MAX)?;
        self.send(Command::Publish(bytes)).await
    }

    /// Gives the verdict on a received message: accepted ones are forwarded. A second verdict on one id, or one that
    /// comes after [`limits::VERDICTS_MAX`] newer messages, changes nothing.
    ///
    /// # Errors
    /// [`SendError::Stopped`].
    pub async fn verdict(&self, id: u64, verdict: Verdict) -> Result<(), SendError> {
        self.send(Command::Verdict { id, verdict }).await
    }

    /// Asks a member what was missed; the answer is a [`CatchUpResponse`](crate::GossipEvent::CatchUpResponse). While a question to that member is
    /// under way, or its answer waits for the node, a further one is merged into it.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`limits::CATCH_UP_REQUEST_BYTES_MAX`]; [`SendError::Stopped`].
    pub async fn request_catch_up(&self, member: MemberKey, bytes: Bytes) -> Result<(), SendError> {
        check("catch-up request", &bytes, limits::CATCH_UP_REQUEST_BYTES_MAX)?;
        self.send(Command::Ask { lane: Lane::CatchUp, member, bytes }).await
    }

    /// Asks a member for a stretch of an evidence object; the answer is an [`EvidenceResponse`](crate::GossipEvent::EvidenceResponse). While a
    /// question to that member is under way a further one is merged into it.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`limits::CATCH_UP_REQUEST_BYTES_MAX`]; [`SendError::Stopped`].
    pub async fn request_evidence(&self, member: MemberKey, bytes: Bytes) -> Result<(), SendError> {
        check("evidence request", &bytes, limits::CATCH_UP_REQUEST_BYTES_MAX)?;
        self.send(Command::Ask { lane: Lane::Evidence, member, bytes }).await
    }

    /// Answers a member's catch-up or evidence request.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`limits::CATCH_UP_RESPONSE_BYTES_MAX`] (the asker is then told that there is no
    /// answer); [`SendError::Stopped`].
    pub async fn reply(&self, token: ReplyToken, bytes: Bytes) -> Result<(), SendError> {
        check("answer", &bytes, limits::CATCH_UP_RESPONSE_BYTES_MAX)?;
        self.send(Command::Reply { token, bytes }).await
    }

    /// Ends the task: connections are closed, listeners given up, and the ports are free when this returns.
    pub async fn shutdown(&self) {
        let (ended, wait) = oneshot::channel();
        if self.send(Command::Shutdown(ended)).await.is_ok() {
            // The task drops the sender at its very end, which is the answer.
            let _ = wait.await;
        }
    }

    /// The counters, for metrics and status.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let c = &self.counters;
        Figures {
            published: read(&c.published),
            unpublished_dropped: read(&c.unpublished_dropped),
            publish_lost: read(&c.publish_lost),
            received: read(&c.received),
            oversized: read(&c.oversized),
            verdicts_evicted: read(&c.verdicts_evicted),
            strangers_refused: read(&c.strangers_refused),
            incoming_refused: read(&c.incoming_refused),
            catch_up_served: read(&c.catch_up_served),
            catch_up_refused: read(&c.catch_up_refused),
        }
    }
}

fn check(what: &'static str, bytes: &Bytes, max: usize) -> Result<(), SendError> {
    if bytes.len() > max {
        return Err(SendError::TooLarge { what, size: bytes.len(), max });
    }
    Ok(())
}
