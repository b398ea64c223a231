//! One endpoint: its budget, its back-off and what it was found not to know.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::broadcast;
use tokio::time::Instant;
use watchfire_types::{ChainId, OperatorId};

use crate::absent::Absent;
use crate::budget::{Budget, Priority};
use crate::config::Endpoint;
use crate::error::RpcError;
use crate::limits::Limits;
use crate::pace::Pace;
use crate::rpc::{Answer, Http, Request};

/// First back-off; doubles with every failure in a row.
const BACKOFF_MS_MIN: u64 = 100;
/// Longest back-off that the endpoint did not ask for itself.
const BACKOFF_MS_MAX: u64 = 10_000;
/// Longest `Retry-After` obeyed.
pub(crate) const RETRY_AFTER_MS_MAX: u64 = 60_000;
/// An endpoint whose newest block is this much older than what the others agree on lags, s.
const LAG_S_MIN: u64 = 60;
/// Most calls sent in one batch: what public providers take.
const BATCH_MAX: usize = 100;

/// An endpoint became usable or stopped being so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Endpoint.
    pub name: String,
    /// Who runs it.
    pub operator: OperatorId,
    /// Usable now.
    pub healthy: bool,
    /// Why not, or empty.
    pub cause: String,
}

#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) config: Endpoint,
    pub(crate) limits: Limits,
    chain: ChainId,
    http: Http,
    budget: Budget,
    pace: Pace,
    backoff: Mutex<Backoff>,
    health: broadcast::Sender<EndpointHealth>,
    /// Time of the newest block that it named, s; 0 before the first.
    newest_s: AtomicU64,
    /// The chain id was asked and is right. An endpoint that was down at the start is asked when it comes back.
    chain_checked: AtomicBool,
    pub(crate) lacks: Lacks,
}

/// What the endpoint was found not to know; found by trying. What there is a way around that costs only requests is never forgotten.
#[derive(Debug, Default)]
pub(crate) struct Lacks {
    pub(crate) batches: AtomicBool,
    pub(crate) block_hash_parameter: AtomicBool,
    pub(crate) block_receipts: Absent,
    pub(crate) simulate: Absent,
    /// Its receipts are of kinds unknown here: none are asked for below this height, then once more.
    pub(crate) known_receipts_until: AtomicU64,
}

#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
    until: Option<Instant>,
    cause: Option<String>,
    /// It answers, and not what it was asked.
    nonsense: Option<String>,
    /// As many others as have to agree say otherwise of the same block.
    outvoted: bool,
    /// Why its WebSocket is not used; what it answers over HTTP is.
    socket: Option<String>,
}

impl Backoff {
    fn told(&self) -> Option<String> {
        let outvoted = || self.outvoted.then(|| "says otherwise of a block than those who agree".to_owned());
        let doubt = self.cause.clone().or_else(|| self.nonsense.clone()).or_else(outvoted);
        doubt.or_else(|| self.socket.clone())
    }
}

impl Remote {
    pub(crate) fn new(
        chain: ChainId,
        config: Endpoint,
        limits: Limits,
        client: reqwest::Client,
        health: broadcast::Sender<EndpointHealth>,
    ) -> Self {
        let http = Http::new(client, config.http.clone());
        let budget = Budget::new(config.requests_per_second, Instant::now());
        let pace = Pace::new(config.requests_per_second, Instant::now());
        Self {
            chain,
            http,
            budget,
            pace,
            backoff: Mutex::default(),
            health,
            newest_s: AtomicU64::new(0),
            chain_checked: AtomicBool::new(false),
            lacks: Lacks::default(),
            config,
            limits,
        }
    }

    /// Several calls, each with its own answer, all within `timeout`.
    pub(crate) async fn ask(&self, priority: Priority, requests: &[Request], timeout: Duration) -> Vec<Answer> {
        let deadline = Instant::now() + timeout;
        let _deciding = (priority == Priority::Decision).then(|| self.pace.decide());
        if let Err(error) = self.ready(priority, timeout).await {
            return requests.iter().map(|_| Err(error.clone())).collect();
        }
        let portion = if priority == Priority::Watch { self.budget.portion().min(BATCH_MAX) } else { BATCH_MAX };
        let chunks = requests.chunks(portion).map(|chunk| async move {
            let Ok(()) = tokio::time::timeout_at(deadline, self.budget.acquire(chunk.len(), priority)).await else {
                return chunk.iter().map(|_| Err(RpcError::RateLimited { retry_after_ms: Some(0) })).collect();
            };
            self.send(chunk, deadline.saturating_duration_since(Instant::now())).await
        });
        let answers: Vec<Vec<Answer>> = futures::future::join_all(chunks).await;
        answers.into_iter().flatten().collect()
    }

    /// One call, decoded; `None` is a JSON null.
    pub(crate) async fn one<T: DeserializeOwned>(
        &self,
        priority: Priority,
        request: Request,
        timeout: Duration,
    ) -> Result<Option<T>, RpcError> {
        let mut answers = self.ask(priority, std::slice::from_ref(&request), timeout).await;
        let decoded = decode(&answers.pop().unwrap_or(Err(RpcError::BackingOff))?);
        if let Err(error) = &decoded {
            self.doubt(|backoff| backoff.nonsense = Some(error.to_string()));
        }
        decoded
    }

    /// One call whose answer is wanted as it came, byte for byte: it waits at most `timeout` for its turn behind everything that
    /// decides, then at most `timeout` for the answer. What it meets slows evidence alone: no feed rests because evidence was refused.
    pub(crate) async fn raw(&self, body: Bytes, max: usize, timeout: Duration) -> Result<Bytes, RpcError> {
        self.ready(Priority::Evidence, timeout).await?;
        let turn = async {
            self.pace.turn().await;
            self.budget.acquire(1, Priority::Evidence).await;
        };
        if tokio::time::timeout(timeout, turn).await.is_err() {
            return Err(RpcError::RateLimited { retry_after_ms: Some(0) });
        }
        let result = self.http.raw(body, max, timeout).await;
        match &result {
            Err(error @ RpcError::RateLimited { .. }) => self.limited(error),
            _ => self.pace.answered(),
        }
        // Nobody else asks such an endpoint: how it is is known from here alone.
        if self.config.evidence_only {
            self.note(result.as_ref().err());
        }
        result
    }

    fn limited(&self, error: &RpcError) {
        if let RpcError::RateLimited { retry_after_ms } = error {
            let wait_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
            self.pace.limited(Duration::from_millis(wait_ms), Instant::now());
        }
    }

    /// It named a block of this time, s.
    pub(crate) fn note_head(&self, time_s: u64) {
        self.newest_s.fetch_max(time_s, Ordering::Relaxed);
    }

    /// Why it is not to be relied on, where the chain has a block of this time: it names none, or says so itself.
    pub(crate) fn lags(&self, agreed_s: u64) -> Option<String> {
        let newest_s = self.newest_s.load(Ordering::Relaxed);
        let behind_s = agreed_s.saturating_sub(newest_s);
        (newest_s > 0 && behind_s >= LAG_S_MIN)
            .then(|| format!("its newest block is {behind_s} s older than the agreed one"))
    }

    /// Questions are answered now, as far as known.
    pub(crate) fn healthy(&self) -> bool {
        self.lock().cause.is_none()
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn cause(&self) -> Option<String> {
        self.lock().told()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ready(&self, priority: Priority, timeout: Duration) -> Result<(), RpcError> {
        // A decision tries an endpoint that backs off all the same: it has nothing to lose by asking.
        let waiting = self.lock().until.is_some_and(|until| Instant::now() < until);
        if waiting && priority != Priority::Decision {
            return Err(RpcError::BackingOff);
        }
        // A private builder answers no questions; a transaction signed for this chain is worth nothing on another.
        if self.config.submit_only || self.chain_checked.load(Ordering::Relaxed) {
            Ok(())
        } else {
            self.check_chain(timeout).await
        }
    }

    /// Asks for the chain id and marks the endpoint unusable if it is another chain's.
    pub(crate) async fn check_chain(&self, timeout: Duration) -> Result<(), RpcError> {
        let result = match self.http.call(&Request::new("eth_chainId", json!([])), timeout).await {
            Ok(raw) => decode::<alloy_primitives::U64>(&raw).and_then(|id| match id.map(|id| id.to::<u64>()) {
                Some(id) if id == self.chain.get() => Ok(()),
                Some(id) => Err(RpcError::WrongChain(id)),
                None => Err(RpcError::Garbage("no chain id".to_owned())),
            }),
            Err(error) => Err(error),
        };
        self.note(result.as_ref().err());
        if result.is_ok() {
            self.chain_checked.store(true, Ordering::Relaxed);
        }
        result
    }

    async fn send(&self, requests: &[Request], timeout: Duration) -> Vec<Answer> {
        let mut batch_refused = false;
        if requests.len() > 1 && !self.lacks.batches.load(Ordering::Relaxed) {
            match self.http.batch(requests, timeout).await {
                Ok(answers) => {
                    self.note_all(&answers);
                    return answers;
                }
                Err(error) if error.backs_off() => {
                    self.note(Some(&error));
                    return requests.iter().map(|_| Err(error.clone())).collect();
                }
                Err(_) => batch_refused = true,
            }
        }
        let answers = futures::future::join_all(requests.iter().map(|request| self.http.call(request, timeout))).await;
        self.note_all(&answers);
        // Only what answers single calls knows no batches; an endpoint that talks nonsense to both may recover.
        if batch_refused && answers.iter().any(Result::is_ok) {
            tracing::info!(endpoint.name = %self.config.name, "endpoint takes no batches");
            self.lacks.batches.store(true, Ordering::Relaxed);
        }
        answers
    }

    /// Keeps what a request's answers say of the endpoint.
    fn note_all(&self, answers: &[Answer]) {
        let failed = |is: fn(&RpcError) -> bool| {
            answers.iter().find_map(move |answer| answer.as_ref().err().filter(|error| is(error)))
        };
        self.note(failed(RpcError::backs_off));
        match failed(RpcError::is_nonsense) {
            Some(error) => self.doubt(|backoff| backoff.nonsense = Some(error.to_string())),
            None if answers.iter().any(Result::is_ok) => self.doubt(|backoff| backoff.nonsense = None),
            None => {}
        }
    }

    /// Keeps whether as many others as have to agree said otherwise of a block.
    pub(crate) fn note_vote(&self, outvoted: bool) {
        self.doubt(|backoff| backoff.outvoted = outvoted);
    }

    fn doubt(&self, change: impl FnOnce(&mut Backoff)) {
        let mut backoff = self.lock();
        let before = backoff.told();
        change(&mut backoff);
        let after = backoff.told();
        drop(backoff);
        self.tell(before.as_deref(), after);
    }

    /// Keeps the health state: a failure of the endpoint as a whole backs off, anything else ends the back-off.
    fn note(&self, failure: Option<&RpcError>) {
        if let Some(error) = failure {
            self.limited(error);
        }
        let mut backoff = self.lock();
        let before = backoff.told();
        let cause = failure.filter(|error| error.backs_off()).map(ToString::to_string);
        if let Some(error) = failure.filter(|error| error.backs_off()) {
            // A process that was restarted or suspended may be anything when it answers again.
            if matches!(error, RpcError::Unreachable(_)) {
                self.chain_checked.store(false, Ordering::Relaxed);
            }
            let doubled = BACKOFF_MS_MIN.saturating_mul(1 << backoff.failures.min(16)).min(BACKOFF_MS_MAX);
            let wait_ms = match error {
                RpcError::RateLimited { retry_after_ms: Some(ms) } => doubled.max((*ms).min(RETRY_AFTER_MS_MAX)),
                _ => doubled,
            };
            backoff.failures = backoff.failures.saturating_add(1);
            backoff.until = Some(Instant::now() + Duration::from_millis(wait_ms));
        } else {
            backoff.failures = 0;
            backoff.until = None;
        }
        backoff.cause = cause;
        let after = backoff.told();
        drop(backoff);
        self.tell(before.as_deref(), after);
    }

    /// Keeps whether the WebSocket is of this chain: a foreign one is not used, and said by the endpoint's name.
    pub(crate) fn note_socket(&self, chain: u64) {
        let foreign = chain != self.chain.get();
        let why = foreign.then(|| format!("its websocket {}; heads are polled", RpcError::WrongChain(chain)));
        self.doubt(|backoff| backoff.socket = why);
    }

    fn tell(&self, before: Option<&str>, after: Option<String>) {
        if before.is_some() != after.is_some() {
            let (name, operator) = (self.config.name.clone(), self.config.operator.clone());
            tracing::warn!(endpoint.name = %name, healthy = after.is_none(), cause = after.as_deref().unwrap_or(""), "endpoint health changed");
            // Nobody may be listening; the state itself is kept.
            let event = EndpointHealth { name, operator, healthy: after.is_none(), cause: after.unwrap_or_default() };
            drop(self.health.send(event));
        }
    }
}

/// Decodes a result; JSON null is `None`.
pub(crate) fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<Option<T>, RpcError> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Option::<T>::deserialize(&mut deserializer).map_err(|error| RpcError::Garbage(crate::rpc::cut(&error.to_string())))
}
