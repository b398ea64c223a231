//! Duties: what is new is started, what stays goes on, what is gone is stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use watchfire_evm::{ChainClient, Submitter};
use watchfire_types::body::Submitted;
use watchfire_types::duty::{Duty, Preflight, Submission};
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{ChainId, Epoch, MemberKey};

/// Most simulations at once; the protocol owes few, and what is over the bound starts when one ends.
const PREFLIGHTS_MAX: usize = 32;

/// What the executor keeps between two turns.
pub(super) struct Executor {
    clients: BTreeMap<ChainId, Arc<ChainClient>>,
    submitters: BTreeMap<ChainId, Submitter>,
    duties: BTreeSet<Duty>,
    running: BTreeMap<Preflight, AbortHandle>,
    answered: BTreeSet<Preflight>,
    /// Sends that wait for their event to be durable.
    waiting: Vec<(Submitted, oneshot::Sender<()>)>,
    answers: mpsc::Sender<(Preflight, PreflightOutcome)>,
}

impl Executor {
    pub(super) fn new(answers: mpsc::Sender<(Preflight, PreflightOutcome)>) -> Self {
        Self {
            clients: BTreeMap::new(),
            submitters: BTreeMap::new(),
            duties: BTreeSet::new(),
            running: BTreeMap::new(),
            answered: BTreeSet::new(),
            waiting: Vec::new(),
            answers,
        }
    }

    /// A chain became usable: what is owed there starts now.
    pub(super) fn connected(&mut self, chain: ChainId, client: Arc<ChainClient>, submitter: Option<Submitter>) {
        self.clients.insert(chain, client);
        if let Some(submitter) = submitter {
            self.submitters.insert(chain, submitter);
        }
        let duties = std::mem::take(&mut self.duties);
        self.set(duties);
    }

    pub(super) fn client(&self, chain: ChainId) -> Option<&Arc<ChainClient>> {
        self.clients.get(&chain)
    }

    /// The whole current set. Returns the chains to ask their authors for that were not asked for before.
    pub(super) fn set(&mut self, duties: BTreeSet<Duty>) -> BTreeSet<(MemberKey, Epoch)> {
        let mut wanted = BTreeSet::new();
        let mut submissions: BTreeMap<ChainId, BTreeSet<Submission>> = BTreeMap::new();
        let mut ask = BTreeSet::new();
        for duty in &duties {
            match duty {
                Duty::Preflight(preflight) => drop(wanted.insert(preflight.clone())),
                Duty::Submit(submission) => {
                    submissions.entry(submission.chain).or_default().insert(submission.clone());
                }
                Duty::CatchUp { from, epoch } => {
                    if !self.duties.contains(duty) {
                        ask.insert((*from, *epoch));
                    }
                }
            }
        }
        for (chain, submitter) in &self.submitters {
            submitter.set(submissions.remove(chain).unwrap_or_default());
        }
        self.running.retain(|preflight, task| {
            let stays = wanted.contains(preflight);
            if !stays {
                task.abort();
            }
            stays
        });
        self.answered.retain(|preflight| wanted.contains(preflight));
        for preflight in wanted {
            self.start(preflight);
        }
        self.duties = duties;
        ask
    }

    fn start(&mut self, preflight: Preflight) {
        let known = self.running.contains_key(&preflight) || self.answered.contains(&preflight);
        if known || self.running.len() >= PREFLIGHTS_MAX {
            return;
        }
        let client = self.clients.get(&preflight.chain).map(Arc::clone);
        let (answers, asked) = (self.answers.clone(), preflight.clone());
        let task = tokio::spawn(async move {
            let outcome = match client {
                Some(client) => client.preflight(&asked).await,
                None => PreflightOutcome::Unknown { reason: "the chain is not connected".to_owned() },
            };
            // The loop is gone only when the node stops.
            let _ = answers.send((asked, outcome)).await;
        });
        self.running.insert(preflight, task.abort_handle());
    }

    /// A simulation ended: the same one is not started again while it stays owed.
    pub(super) fn answered(&mut self, preflight: Preflight, outcome: PreflightOutcome) -> Input {
        let answer = Input::Preflighted { safe_tx_hash: preflight.safe_tx_hash, block: preflight.at, outcome };
        if self.running.remove(&preflight).is_some() {
            self.answered.insert(preflight);
        }
        answer
    }

    /// A submitter wants to send: it may once the announcement is durable.
    pub(super) fn announce(&mut self, submitted: Submitted, release: oneshot::Sender<()>) {
        self.waiting.push((submitted, release));
    }

    /// These announcements are durable.
    pub(super) fn release(&mut self, released: &[Submitted]) {
        for submitted in released {
            if let Some(at) = self.waiting.iter().position(|(waiting, _)| waiting == submitted) {
                let (_, release) = self.waiting.swap_remove(at);
                // A submitter that no longer wants to send does not listen.
                let _ = release.send(());
            }
        }
    }

    /// Announcements that the driver refused or that nobody waits for any more never leave.
    pub(super) fn drop_unreleased(&mut self, submitted: &Submitted) {
        self.waiting.retain(|(waiting, release)| waiting != submitted && !release.is_closed());
    }

    /// Whether a simulation or a submission is owed: a decision is under way.
    pub(super) fn decides(&self) -> bool {
        self.duties.iter().any(|duty| matches!(duty, Duty::Preflight(_) | Duty::Submit(_)))
    }

    /// What is owed, a line each.
    pub(super) fn owed(&self) -> Vec<String> {
        self.duties.iter().filter_map(describe).collect()
    }
}

fn describe(duty: &Duty) -> Option<String> {
    match duty {
        Duty::Submit(submission) => Some(format!(
            "submit {} to safe {} on chain {} at nonce {} (rank {})",
            submission.safe_tx_hash, submission.safe, submission.chain, submission.transaction.nonce, submission.rank
        )),
        Duty::CatchUp { from, epoch } => Some(format!("catch up from {} with epoch {epoch}", from.short())),
        // Simulations run all the time: they are how a node knows that it could pause, and owe nobody anything.
        Duty::Preflight(_) => None,
    }
}

#[cfg(test)]
mod tests;
