//! Equal answers from k operators.
//!
//! The preferred endpoints of k operators are asked first; whenever one fails, differs or is slow, the next one is asked too.
//! An operator counts once however many endpoints it runs. Operators whose word this member's vote needs are asked first; what
//! is agreed without them waits a little for one of them, since a view that none of them vouches for cannot be voted on.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use watchfire_types::OperatorId;

use crate::endpoint::Remote;
use crate::error::RpcError;
#[cfg(doc)]
use crate::limits::Limits;

/// How long an endpoint that does not know the block yet is left alone.
const LAG_RETRY: Duration = Duration::from_millis(40);

/// What the operators said about one item.
pub(crate) type Agreement<T> = Result<T, String>;

struct Tally<T> {
    answers: Vec<(T, BTreeSet<OperatorId>)>,
    failures: Vec<(OperatorId, RpcError)>,
}

impl<T: Eq> Tally<T> {
    fn add(&mut self, operator: &OperatorId, answer: Result<T, RpcError>) {
        match answer {
            Ok(value) => match self.answers.iter_mut().find(|(known, _)| *known == value) {
                Some((_, operators)) => drop(operators.insert(operator.clone())),
                None => self.answers.push((value, BTreeSet::from([operator.clone()]))),
            },
            Err(error) => {
                self.failures.retain(|(known, _)| known != operator);
                self.failures.push((operator.clone(), error));
            }
        }
    }

    fn settled(&self, agree: usize) -> bool {
        self.answers.iter().any(|(_, operators)| operators.len() >= agree)
    }

    /// The operators behind what is agreed.
    fn by(&self, agree: usize) -> Option<&BTreeSet<OperatorId>> {
        self.answers.iter().map(|(_, operators)| operators).find(|operators| operators.len() >= agree)
    }

    fn agreement(self, agree: usize) -> Agreement<(T, BTreeSet<OperatorId>)> {
        let mut said: Vec<String> = Vec::new();
        if self.answers.len() > 1 {
            let sides = self.answers.iter().map(|(_, operators)| join(operators)).collect::<Vec<_>>();
            said.push(format!("answers differ: {}", sides.join(" against ")));
        } else if let Some((_, operators)) = self.answers.first() {
            said.push(format!("answered by {} alone", join(operators)));
        }
        said.extend(self.failures.iter().map(|(operator, error)| format!("{operator}: {error}")));
        let agreed = self.answers.into_iter().find(|(_, operators)| operators.len() >= agree);
        agreed.ok_or_else(|| if said.is_empty() { "nobody answered".to_owned() } else { said.join("; ") })
    }
}

fn join(operators: &BTreeSet<OperatorId>) -> String {
    operators.iter().map(OperatorId::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether one of the operators behind everything that is agreed vouches for this member.
fn vouched<T: Eq>(tallies: &[Tally<T>], agree: usize, vouching: &BTreeSet<OperatorId>) -> bool {
    let behind = |operator: &&OperatorId| {
        tallies.iter().filter_map(|tally| tally.by(agree)).all(|operators| operators.contains(*operator))
    };
    vouching.iter().any(|operator| behind(&operator))
}

/// As [`gather_by`], without the names, and without a wait for any particular one.
pub(crate) async fn gather<T, F, Fut>(
    remotes: &[Arc<Remote>],
    agree: usize,
    items: usize,
    deadline: Instant,
    patient: bool,
    ask: F,
) -> Vec<Agreement<T>>
where
    T: Eq,
    F: Fn(Arc<Remote>) -> Fut,
    Fut: Future<Output = Vec<Result<T, RpcError>>>,
{
    let agreed = collect(remotes, agree, items, deadline, patient, false, ask).await;
    agreed.into_iter().map(|agreement| agreement.map(|(value, _)| value)).collect()
}

/// Each item's answer with the operators that gave it, of a block that is named by its hash: who says otherwise is wrong about it, and shown so.
/// Asks until every item has `agree` equal answers, every endpoint has
/// answered, or the deadline passes; then for at most [`Limits::vouch`] until an operator that vouches for this member is among those
/// that agreed. With `patient`, an endpoint that does not know the block yet is asked again until the deadline.
pub(crate) async fn gather_by<T, F, Fut>(
    remotes: &[Arc<Remote>],
    agree: usize,
    items: usize,
    deadline: Instant,
    patient: bool,
    ask: F,
) -> Vec<Agreement<(T, BTreeSet<OperatorId>)>>
where
    T: Eq,
    F: Fn(Arc<Remote>) -> Fut,
    Fut: Future<Output = Vec<Result<T, RpcError>>>,
{
    collect(remotes, agree, items, deadline, patient, true, ask).await
}

async fn collect<T, F, Fut>(
    remotes: &[Arc<Remote>],
    agree: usize,
    items: usize,
    mut deadline: Instant,
    patient: bool,
    named: bool,
    ask: F,
) -> Vec<Agreement<(T, BTreeSet<OperatorId>)>>
where
    T: Eq,
    F: Fn(Arc<Remote>) -> Fut,
    Fut: Future<Output = Vec<Result<T, RpcError>>>,
{
    let limits = remotes.first().map(|remote| remote.limits).unwrap_or_default();
    let mut waiting = in_order(remotes);
    // Those whose word may still come: one that has answered, agreeing or not, is not waited for again.
    let vouching = waiting.iter().filter(|remote| named && remote.config.vouches);
    let mut missing: BTreeSet<String> = vouching.clone().map(|remote| remote.config.name.clone()).collect();
    let vouching: BTreeSet<OperatorId> = vouching.map(|remote| remote.config.operator.clone()).collect();
    let mut settled = false;
    let mut tallies: Vec<Tally<T>> = (0..items).map(|_| Tally { answers: Vec::new(), failures: Vec::new() }).collect();
    let ask = &ask;
    let launch = |remote: Arc<Remote>, delay: Duration| async move {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answers = ask(Arc::clone(&remote)).await;
        (remote, answers)
    };
    let mut running = FuturesUnordered::new();
    for _ in 0..agree {
        running.extend(waiting.pop_front().map(|remote| launch(remote, Duration::ZERO)));
    }
    while !running.is_empty() {
        let hedge = tokio::time::sleep(limits.hedge);
        tokio::select! {
            biased;
            Some((remote, answers)) = running.next() => {
                let mut lags = false;
                for (tally, answer) in tallies.iter_mut().zip(answers) {
                    lags |= matches!(answer, Err(RpcError::UnknownBlock));
                    tally.add(&remote.config.operator, answer);
                }
                let again = lags && patient;
                if !again {
                    missing.remove(&remote.config.name);
                }
                if tallies.iter().all(|tally| tally.settled(agree)) {
                    if missing.is_empty() || vouched(&tallies, agree, &vouching) {
                        break;
                    }
                    if !settled {
                        settled = true;
                        deadline = deadline.min(Instant::now() + limits.vouch);
                        let asked: Vec<_> = waiting.drain(..).filter(|remote| remote.config.vouches).collect();
                        running.extend(asked.into_iter().map(|remote| launch(remote, Duration::ZERO)));
                    }
                }
                if again {
                    running.push(launch(remote, LAG_RETRY));
                }
                running.extend(waiting.pop_front().map(|remote| launch(remote, Duration::ZERO)));
            }
            () = hedge, if !waiting.is_empty() => running.extend(waiting.pop_front().map(|remote| launch(remote, Duration::ZERO))),
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    if named && agree > 1 {
        note_votes(remotes, &tallies, agree);
    }
    tallies.into_iter().map(|tally| tally.agreement(agree)).collect()
}

/// Tells each endpoint that answered whether those who agree said the same of everything.
fn note_votes<T: Eq>(remotes: &[Arc<Remote>], tallies: &[Tally<T>], agree: usize) {
    for remote in remotes.iter().filter(|remote| remote.config.is_asked()) {
        let operator = &remote.config.operator;
        let said = tallies.iter().filter(|tally| tally.settled(agree)).filter_map(|tally| {
            let (_, by) = tally.answers.iter().find(|(_, by)| by.contains(operator))?;
            Some(by.len() < agree)
        });
        if let Some(outvoted) = said.reduce(|one, other| one || other) {
            remote.note_vote(outvoted);
        }
    }
}

/// Healthy before unhealthy, those that vouch for this member before others, and endpoints of distinct operators before an
/// operator's second one.
fn in_order(remotes: &[Arc<Remote>]) -> std::collections::VecDeque<Arc<Remote>> {
    let mut order: Vec<_> = remotes.iter().filter(|remote| remote.config.is_asked()).cloned().collect();
    order.sort_by_key(|remote| (!remote.healthy(), !remote.config.vouches));
    let mut seen = BTreeSet::new();
    let (mut first, second): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|remote| seen.insert(remote.config.operator.clone()));
    first.extend(second);
    first.into()
}
