//! Reports from outside the chain over HTTP: who says something is checked here, what it becomes is the protocol's.
//!
//! A source posts JSON to `/reports/NAME` and signs it. It is answered 200 with the event's hash once that event is durable, and else by a status and
//! a stable name ([`Refusal`]); whatever is refused changes nothing and may be sent again. Bounds: [`server::CONNECTIONS_MAX`] connections of at most
//! [`server::CONNECTION_MAX`], [`server::BODY_BYTES_MAX`] of body, [`server::WAITING_MAX`] reports that wait for the loop, and of each source what
//! [`rate`] says. Which messages were said is read from the log, so that nothing is remembered beside it and a restart forgets nothing.

mod mapping;
pub mod rate;
pub mod secret;
pub mod server;
mod signature;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use watchfire_types::control::ReportCount;
use watchfire_types::input::Report;
use watchfire_types::{AssetId, DetectorId, EventHash};

use crate::config::intake::{IntakeSection, Mapping, Scheme, SourceSection};
use crate::keys::KeyError;
use secret::Secret;

/// Why reports cannot be taken, or nothing be asked for, at all.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// A secret's file cannot be read, or others can.
    #[error(transparent)]
    File(#[from] KeyError),
    /// What it holds is no secret.
    #[error("{}: {reason}; put the secret that the sender signs with there, or correct secret_file or signature in [[intake.source]]", path.display())]
    Secret {
        /// File.
        path: PathBuf,
        /// What it should be.
        reason: &'static str,
    },
    /// What is sent to be let in cannot be sent.
    #[error("{}: its first line is no token of visible ASCII characters; put the token there, or correct token_file", path.display())]
    Token {
        /// File.
        path: PathBuf,
    },
    /// HTTP cannot be spoken.
    #[error("cannot speak HTTP: {cause}; see to this system's TLS roots")]
    Client {
        /// Why.
        cause: String,
    },
    /// Nothing can listen there.
    #[error(
        "cannot listen on {address} for reports: {source}; give [intake] in config.toml an address of this machine that is free"
    )]
    Listen {
        /// Address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Why a request is answered by no event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such source.
    #[error("no source has this name; post to /reports/NAME of an [[intake.source]]")]
    UnknownSource,
    /// Another method than POST.
    #[error("reports are posted; use POST")]
    NotPosted,
    /// A header is missing, or given twice, or no text.
    #[error("header {0} is not there once, as plain text; have the sender sign its messages")]
    NoHeader(&'static str),
    /// The message's id cannot stand in a log.
    #[error("the message's id must have 1 to 128 printable ASCII characters; have the sender give it such a one")]
    BadId,
    /// The time is none.
    #[error("header {0} is no whole number; have the sender write it in digits")]
    BadTimestamp(&'static str),
    /// Sent too long ago.
    #[error("it was sent {0} s ago, by both clocks, and 300 s are allowed; see to the clocks, or sign it anew")]
    TooOld(u64),
    /// Sent in the future.
    #[error("it was sent {0} s from now, by both clocks, and 300 s are allowed; see to the clocks")]
    TooNew(u64),
    /// No signature of the source's secret.
    #[error("no signature of it is one with this source's secret; see that sender and node have the same one")]
    BadSignature,
    /// Longer than a report may be.
    #[error("it is longer than {} bytes; send less", server::BODY_BYTES_MAX)]
    TooLarge,
    /// The connection broke.
    #[error("it did not arrive whole; send it again")]
    CutOff,
    /// Not JSON.
    #[error("it is no JSON: {0}; send an object")]
    NotJson(String),
    /// JSON, but not what the mapping reads.
    #[error("it is not as the mapping of this source says: {0}; correct the sender, or `mapping` in config.toml")]
    WrongShape(String),
    /// Said already.
    #[error("it is in the log already, as event {0}; there is nothing to send again")]
    Replayed(EventHash),
    /// More than a source may say at once.
    #[error("this source says too much at once; send it again in {0} s")]
    TooMany(u64),
    /// The node cannot say it now.
    #[error("{0}")]
    NotTaken(String),
    /// The node is busy or stops.
    #[error("the node is busy or stopping; send it again")]
    Busy,
}

impl Refusal {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown-source",
            Self::NotPosted => "not-posted",
            Self::NoHeader(_) => "no-header",
            Self::BadId => "bad-id",
            Self::BadTimestamp(_) => "bad-timestamp",
            Self::TooOld(_) => "too-old",
            Self::TooNew(_) => "too-new",
            Self::BadSignature => "bad-signature",
            Self::TooLarge => "too-large",
            Self::CutOff => "cut-off",
            Self::NotJson(_) => "not-json",
            Self::WrongShape(_) => "wrong-shape",
            Self::Replayed(_) => "replayed",
            Self::TooMany(_) => "too-many",
            Self::NotTaken(_) => "not-taken",
            Self::Busy => "busy",
        }
    }

    /// HTTP status: 4xx where sending the same again is in vain, 429 and 503 where it is not.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownSource => 404,
            Self::NotPosted => 405,
            Self::NoHeader(_) | Self::BadId | Self::BadTimestamp(_) | Self::CutOff | Self::NotJson(_) => 400,
            Self::TooOld(_) | Self::TooNew(_) | Self::BadSignature => 401,
            Self::TooLarge => 413,
            Self::WrongShape(_) => 422,
            Self::Replayed(_) => 409,
            Self::TooMany(_) => 429,
            Self::NotTaken(_) | Self::Busy => 503,
        }
    }

    /// Seconds after which sending it again is worth while, where that is known.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::NotTaken(_) | Self::Busy => Some(5),
            _ => None,
        }
    }
}

/// What is answered to a report that is in the log.
#[derive(Debug, Serialize)]
struct Accepted {
    event: EventHash,
}

/// What is answered to any other.
#[derive(Debug, Serialize)]
struct Refused {
    error: String,
    code: &'static str,
}

/// A report on its way to the loop.
#[derive(Debug)]
pub struct Delivery {
    /// What is reported; who says it is checked.
    pub report: Report,
    /// Where the answer goes; dropped, the sender is told to send it again.
    pub reply: oneshot::Sender<Result<EventHash, Refusal>>,
}

/// Brings a report to the loop, and its answer back.
///
/// # Errors
/// [`Refusal`].
pub(crate) async fn deliver(out: &mpsc::Sender<Delivery>, report: Report) -> Result<EventHash, Refusal> {
    let (reply, answered) = oneshot::channel();
    out.try_send(Delivery { report, reply }).map_err(|_| Refusal::Busy)?;
    answered.await.unwrap_or(Err(Refusal::Busy))
}

/// What an answer is counted as.
pub(crate) fn outcome(result: &Result<EventHash, Refusal>) -> &'static str {
    result.as_ref().map_or_else(Refusal::code, |_| "accepted")
}

/// One source with its secret.
#[derive(Debug)]
pub struct Source {
    asset: AssetId,
    mapping: Mapping,
    scheme: Scheme,
    secret: Secret,
}

/// Reads the secrets of all sources.
///
/// # Errors
/// [`IntakeError`] of the first that cannot be had.
pub fn sources(section: &IntakeSection) -> Result<BTreeMap<DetectorId, Source>, IntakeError> {
    let read = |(name, of): (&DetectorId, &SourceSection)| {
        let secret = Secret::read(&of.secret_file, of.signature)?;
        let source = Source { asset: of.asset.clone(), mapping: of.mapping, scheme: of.signature, secret };
        Ok((name.clone(), source))
    };
    section.sources.iter().map(read).collect()
}

/// How often each source was answered how; as many entries as there are sources, with one for everybody else, and outcomes.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<Answered, u64>>>);

/// A source, or everybody else, and how it was answered.
type Answered = (Option<DetectorId>, &'static str);

impl Counts {
    /// Counts an answer.
    pub(crate) fn count(&self, source: Option<&DetectorId>, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((source.cloned(), outcome)).or_default() += 1;
    }

    /// All of them, by source and outcome.
    #[must_use]
    pub fn all(&self) -> Vec<ReportCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |((source, outcome), count): (&Answered, &u64)| ReportCount {
            source: source.clone(),
            outcome: (*outcome).to_owned(),
            count: *count,
        };
        counts.iter().map(count).collect()
    }
}
