//! What this node looks at by itself outside the chain, again and again, and reports as the intake's sources do.
//!
//! Each lookout is a task of its own: what it asks may be down, slow or hostile, and no other one waits for it. A look says what stands now; what began
//! to stand is reported once, and again only after it ended. What could not be seen is neither: it is counted, told in status, and an alarm after a few
//! looks in a row. Bounds: one look at a time, each with a deadline and a bound on what is read, and what [`crate::intake::rate`] lets a source say.

mod certificates;
pub mod decimal;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod fixture;
mod front_end;
mod http;
mod prometheus;
mod registration;
mod safe_queue;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use watchfire_charter::Charter;
use watchfire_types::control::LookoutStatus;
use watchfire_types::input::{Channel, Report};
use watchfire_types::{AssetId, B256, DetectorId, Timestamp, sha256};

use self::certificates::Certificates;
use self::front_end::FrontEnd;
use self::http::{ANSWER_MAX, Http};
use self::prometheus::Prometheus;
use self::registration::Registration;
use self::safe_queue::SafeQueue;
use crate::config::lookout::{Asks, LookoutSection};
use crate::intake::{Counts, Delivery, IntakeError, Refusal, deliver, outcome};
use crate::run::now;

/// How long a look may take, however many questions it asks.
const LOOK_MAX: Duration = Duration::from_secs(120);
/// Most characters of another's words in a fault.
const WORDS_MAX: usize = 200;

/// Why a look saw nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum LookFault {
    /// No connection, or it broke.
    #[error("it cannot be reached: {0}; see that it runs, and its address in config.toml")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("it does not answer in time; see how busy it is")]
    TooSlow,
    /// More than is read.
    #[error("its answer is longer than {0} bytes; see that its address is right")]
    TooLarge(usize),
    /// Its TLS certificate does not hold.
    #[error("its certificate is refused: {0}; see who answers there")]
    Certificate(String),
    /// Nothing to hold what is served against.
    #[error("no release is there to hold it against: {0}")]
    NoRelease(String),
    /// An HTTP status that is no success.
    #[error("it answers with HTTP status {0}; see its address, and token_file where it wants one")]
    Status(u16),
    /// It says why not.
    #[error("it refuses: {0}; correct what is asked for in config.toml")]
    Refused(String),
    /// Not what its API answers.
    #[error("its answer is not understood: {0}")]
    WrongShape(String),
}

impl LookFault {
    /// An answer that is no JSON, or none of this API.
    fn unread(error: &serde_json::Error) -> Self {
        Self::WrongShape(format!("{}; see that its address is right", cut(&error.to_string())))
    }
}

/// Another's words in a line, bounded.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect()
}

/// Something that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its name, the same for as long as it stands: at most 128 printable ASCII characters. One that the log holds is not said again.
    pub(crate) id: String,
    /// What it is, in a line.
    pub(crate) summary: String,
    /// SHA-256 of the answer that shows it.
    pub(crate) digest: B256,
    /// The figures of its finding.
    pub(crate) figures: BTreeMap<&'static str, String>,
}

/// Since when each thing stands, by what it is: what ended and begins again has another name.
#[derive(Debug, Default)]
struct Since(BTreeMap<String, Timestamp>);

impl Since {
    /// Names what was found, which is everything that stands.
    fn name(&mut self, found: Vec<(String, Standing)>, now: Timestamp) -> Vec<Standing> {
        self.0.retain(|key, _| found.iter().any(|(one, _)| one == key));
        let named = |(key, one): (String, Standing)| {
            let name = hex::encode(&sha256(&[key.as_bytes()])[..8]);
            let since = *self.0.entry(key).or_insert(now);
            Standing { id: format!("{}-{name}", since.as_millis()), ..one }
        };
        found.into_iter().map(named).collect()
    }
}

/// Something to look at.
pub(crate) trait Look: Send + 'static {
    /// Everything that stands now.
    ///
    /// # Errors
    /// [`LookFault`]: nothing is known by this look, and nothing that stood has ended.
    fn look(&mut self, now: Timestamp) -> impl Future<Output = Result<Vec<Standing>, LookFault>> + Send;
}

/// How a lookout reports.
pub(crate) struct Post {
    /// Its name.
    pub(crate) source: DetectorId,
    /// What it is about.
    pub(crate) asset: AssetId,
    /// Where answers are counted.
    pub(crate) counts: Counts,
    /// To the loop.
    pub(crate) out: mpsc::Sender<Delivery>,
}

/// What became of every lookout's looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sights(Arc<Mutex<BTreeMap<DetectorId, LookoutStatus>>>);

impl Sights {
    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<LookoutStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn begin(&self, source: &DetectorId, asks: &Asks) {
        let status = LookoutStatus {
            source: source.clone(),
            asks: asks.name().to_owned(),
            seen: 0,
            failed: 0,
            blind: 0,
            fault: None,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.clone(), status);
    }

    fn note(&self, source: &DetectorId, fault: Option<&LookFault>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = all.get_mut(source) else { return };
        status.fault = fault.map(ToString::to_string);
        match fault {
            None => (status.seen, status.blind) = (status.seen + 1, 0),
            Some(_) => (status.failed, status.blind) = (status.failed + 1, status.blind + 1),
        }
    }
}

/// Whether a lookout could be had as it is configured.
///
/// # Errors
/// [`IntakeError`].
pub(crate) fn check(section: &LookoutSection) -> Result<(), IntakeError> {
    http(&section.asks).map(drop)
}

/// Looks from now on, until the loop that `post` leads to has ended. Within a runtime.
///
/// # Errors
/// [`IntakeError`].
pub(crate) fn spawn(
    section: &LookoutSection,
    charter: &Charter,
    post: Post,
    sights: &Sights,
) -> Result<(), IntakeError> {
    sights.begin(&post.source, &section.asks);
    tracing::info!(source = %post.source, asks = section.asks.name(), "looks outside the chain");
    let (every, http, sights) = (Duration::from_secs(section.every_s), http(&section.asks)?, sights.clone());
    match &section.asks {
        Asks::Prometheus(asks) => {
            let eye = Prometheus::new(asks, http);
            tokio::spawn(watch(eye, Channel::Prometheus, every, post, sights));
        }
        Asks::SafeQueue(asks) => {
            let eye = SafeQueue::new(asks, charter, &section.asset, http);
            tokio::spawn(watch(eye, Channel::SafeQueue, every, post, sights));
        }
        Asks::FrontEnd(asks) => {
            let eye = FrontEnd::new(asks, http);
            tokio::spawn(watch(eye, Channel::FrontEnd, every, post, sights));
        }
        Asks::Registration(asks) => {
            let eye = Registration::new(asks, http);
            tokio::spawn(watch(eye, Channel::Registration, every, post, sights));
        }
        Asks::Certificates(asks) => {
            let eye = Certificates::new(asks, http);
            tokio::spawn(watch(eye, Channel::Certificates, every, post, sights));
        }
    }
    Ok(())
}

fn http(asks: &Asks) -> Result<Http, IntakeError> {
    match asks {
        Asks::Prometheus(asks) => Http::new(asks.token_file.as_deref(), ANSWER_MAX),
        Asks::SafeQueue(asks) => Http::new(asks.token_file.as_deref(), ANSWER_MAX),
        Asks::FrontEnd(asks) => Http::through(asks.proxy.as_ref(), ANSWER_MAX),
        Asks::Registration(_) => Http::new(None, ANSWER_MAX),
        Asks::Certificates(asks) => Http::new(asks.token_file.as_deref(), ANSWER_MAX),
    }
}

async fn watch(mut eye: impl Look, channel: Channel, every: Duration, post: Post, sights: Sights) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = BTreeSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = post.out.closed() => return,
        }
        let at = now();
        let seen = tokio::time::timeout(LOOK_MAX, eye.look(at)).await.unwrap_or(Err(LookFault::TooSlow));
        sights.note(&post.source, seen.as_ref().err());
        match seen {
            Ok(standing) => say(&post, channel, standing, &mut said, at).await,
            Err(fault) => tracing::debug!(source = %post.source, cause = %fault, "look saw nothing"),
        }
    }
}

/// Reports what is not said yet; what cannot be said now is tried again at the next look.
async fn say(post: &Post, channel: Channel, standing: Vec<Standing>, said: &mut BTreeSet<String>, at: Timestamp) {
    said.retain(|id| standing.iter().any(|one| one.id == *id));
    for Standing { id, summary, digest, figures } in standing {
        if said.contains(&id) {
            continue;
        }
        let (asset, source) = (post.asset.clone(), post.source.clone());
        let report = Report { asset, source, channel, id: id.clone(), sent: at, summary, digest, figures };
        let result = deliver(&post.out, report).await;
        post.counts.count(Some(&post.source), outcome(&result));
        match result {
            Ok(_) | Err(Refusal::Replayed(_)) => drop(said.insert(id)),
            Err(refusal) => tracing::debug!(source = %post.source, cause = %refusal, "not said yet"),
        }
    }
}

#[cfg(test)]
mod tests;
