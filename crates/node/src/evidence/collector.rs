//! Collects what one block shows, from two operators, and says what it took and what it missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout_at};
use watchfire_evm::{ChainClient, RawFault, evidence};
use watchfire_types::body::{
    Custody, EvidenceCheck, EvidenceCollected, EvidenceItem, EvidenceKind, EvidenceMissed, EvidenceStatement, MissCause,
};
use watchfire_types::{AssetId, B256, BlockRef, Bytes, EventHash, IncidentId, OperatorId};

use super::OBJECT_BYTES_MAX;
use super::store::{Store, digest};
use super::want::{Known, Want, Watched, cause};
use crate::run::now;

/// Operators whose word is wanted.
const OPERATORS: usize = 2;
/// How long an operator has to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// First wait before asking again; doubles up to the last.
const RETRY_MS_MIN: u64 = 250;
const RETRY_MS_MAX: u64 = 4_000;
/// What was taken is said at least this often, so that a restart repeats little.
const SAID_EVERY: Duration = Duration::from_secs(3);
/// Items of one manifest, as the wire bounds them.
const ITEMS_MAX: usize = 32;
/// Texts of an event, as the wire bounds them.
const PARAMS_MAX: usize = 256;
const LINE_MAX: usize = 512;

/// One block to collect.
#[derive(Debug, Clone)]
pub struct Job {
    /// Incident.
    pub incident: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// What set it off.
    pub basis: EventHash,
    /// Block.
    pub block: BlockRef,
    /// Whether the whole block is wanted; of the one before an attack only the state is.
    pub full: bool,
    /// Accounts concerned.
    pub watched: Watched,
    /// With what.
    pub custody: Custody,
    /// How long to try.
    pub patience: Duration,
    /// What an earlier process took and said, by operator and request.
    pub taken: BTreeMap<(OperatorId, B256), EvidenceItem>,
    /// What an earlier process gave up.
    pub missed: BTreeSet<(EvidenceKind, OperatorId)>,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Incident.
    pub incident: IncidentId,
    /// Block.
    pub block: BlockRef,
    /// Whether everything is there from two operators.
    pub complete: bool,
}

/// What the collector tells the loop.
#[derive(Debug)]
pub enum Told {
    /// To become an event.
    Statement(Box<EvidenceStatement>),
    /// The job is over; everything it had to say came before.
    Ended(Ended),
}

/// One answer that was kept.
#[derive(Debug)]
struct Taken {
    item: EvidenceItem,
    bytes: Bytes,
}

/// What became of one want.
#[derive(Debug, Default)]
struct Gathered {
    taken: Vec<Taken>,
    /// Those that are new, to be said.
    items: Vec<EvidenceItem>,
    missed: Vec<EvidenceMissed>,
    complete: bool,
}

/// One operator's state while a want is gathered.
struct Asked {
    operator: OperatorId,
    attempts: u32,
    not_before: Instant,
    last: Option<(MissCause, String)>,
    open: bool,
}

/// A job with what it needs.
pub struct Collector {
    /// What to collect.
    pub job: Job,
    /// Whom to ask.
    pub client: Arc<ChainClient>,
    /// Where to keep it.
    pub store: Store,
    /// Requests at a time.
    pub gate: Arc<Semaphore>,
    /// Where statements go.
    pub out: mpsc::Sender<Told>,
}

impl Collector {
    /// Runs the job to its end. An end of the loop ends it too.
    pub async fn run(self) {
        let deadline = Instant::now() + self.job.patience;
        let complete = self.collect(deadline).await;
        let Some(complete) = complete else { return };
        let ended = Ended { incident: self.job.incident, block: self.job.block, complete };
        // The loop may be gone.
        let _ = self.out.send(Told::Ended(ended)).await;
    }

    async fn collect(&self, deadline: Instant) -> Option<bool> {
        let block = &self.job.block;
        let mut known = Known::default();
        let mut complete = true;
        let mut items = Vec::new();
        let first = self.gather(&Want::block(block), &known, deadline).await;
        known.facts = first.taken.iter().find_map(|taken| evidence::block(&taken.bytes, block).ok());
        self.settle(first, &mut items, &mut complete).await?;
        if self.job.full {
            let receipts = self.gather(&Want::receipts(block), &known, deadline).await;
            let proved = receipts.taken.iter().find(|taken| taken.item.check == EvidenceCheck::ReceiptsRoot);
            known.receipts = proved.map(|taken| taken.bytes.clone());
            if let (Some(taken), Some(facts)) = (proved, &known.facts) {
                items.extend(self.proofs(taken, facts));
            }
            self.settle(receipts, &mut items, &mut complete).await?;
        }
        let wants = Want::rest(block, &self.job.watched, self.job.full);
        let mut running: FuturesUnordered<_> = wants.iter().map(|want| self.gather(want, &known, deadline)).collect();
        let mut say = Instant::now() + SAID_EVERY;
        loop {
            match timeout_at(say, running.next()).await {
                Ok(Some(gathered)) => self.settle(gathered, &mut items, &mut complete).await?,
                Ok(None) => break,
                Err(_) => {
                    self.say(&mut items).await?;
                    say = Instant::now() + SAID_EVERY;
                }
            }
        }
        self.say(&mut items).await?;
        Some(complete)
    }

    async fn settle(&self, gathered: Gathered, items: &mut Vec<EvidenceItem>, complete: &mut bool) -> Option<()> {
        items.extend(gathered.items);
        *complete &= gathered.complete;
        if !gathered.missed.is_empty() {
            self.say(items).await?;
        }
        for missed in gathered.missed {
            self.out.send(Told::Statement(Box::new(EvidenceStatement::Missed(missed)))).await.ok()?;
        }
        Some(())
    }

    async fn say(&self, items: &mut Vec<EvidenceItem>) -> Option<()> {
        let all = std::mem::take(items);
        for some in all.chunks(ITEMS_MAX) {
            let collected = EvidenceCollected {
                incident: self.job.incident,
                asset: self.job.asset.clone(),
                basis: self.job.basis,
                custody: self.job.custody.clone(),
                items: some.to_vec(),
            };
            self.out.send(Told::Statement(Box::new(EvidenceStatement::Collected(collected)))).await.ok()?;
        }
        Some(())
    }

    /// Proofs of the receipts that concern the asset, derived once.
    fn proofs(&self, source: &Taken, facts: &evidence::BlockFacts) -> Option<EvidenceItem> {
        let touched = self.job.watched.touched();
        let key = (source.item.operator.clone(), source.item.object);
        if self.job.taken.contains_key(&key) {
            return None;
        }
        let object = evidence::receipt_proofs(&source.bytes, &self.job.block, facts, &touched).ok()??;
        let digest = self.keep(&object)?;
        Some(EvidenceItem {
            kind: EvidenceKind::ReceiptProofs,
            method: "receipt-proofs".to_owned(),
            params: "[]".to_owned(),
            request: source.item.object,
            object: digest,
            size: object.len() as u64,
            at: now(),
            ..source.item.clone()
        })
    }

    fn keep(&self, bytes: &[u8]) -> Option<B256> {
        match self.store.put(bytes) {
            Ok(object) => Some(object),
            Err(error) => {
                tracing::error!(cause = %error, "evidence could not be kept");
                None
            }
        }
    }

    /// One want from two operators, whoever gives it first; operators that fail are replaced by others, or asked again.
    async fn gather(&self, want: &Want, known: &Known, deadline: Instant) -> Gathered {
        let request = digest(&want.request.body());
        let mut gathered = Gathered::default();
        let mut asked = Vec::new();
        for operator in self.client.evidence_operators() {
            let earlier = self.job.taken.get(&(operator.clone(), request));
            match earlier.and_then(|item| Some((item, self.store.get(&item.object).ok()?))) {
                Some((item, bytes)) if item.check != EvidenceCheck::Contradicts => {
                    gathered.taken.push(Taken { item: item.clone(), bytes });
                }
                Some(_) => {}
                None => asked.push(Asked {
                    open: !self.job.missed.contains(&(want.kind, operator.clone())),
                    operator,
                    attempts: 0,
                    not_before: Instant::now(),
                    last: None,
                }),
            }
        }
        while gathered.taken.len() < OPERATORS {
            asked.sort_by_key(|state| (!state.open, state.attempts));
            let now = Instant::now();
            let missing = OPERATORS - gathered.taken.len();
            let Some(next) = asked.iter().filter(|state| state.open).map(|state| state.not_before).min() else { break };
            if next >= deadline {
                break;
            }
            sleep_until(next.max(now)).await;
            let ready = asked.iter_mut().filter(|state| state.open && state.not_before <= Instant::now());
            let round = ready.take(missing).map(|state| self.ask(want, request, known, deadline, state));
            for (taken, contradicts) in futures::future::join_all(round).await.into_iter().flatten() {
                gathered.items.push(taken.item.clone());
                if contradicts {
                    continue;
                }
                gathered.taken.push(taken);
            }
        }
        self.compare(want, &mut gathered);
        self.miss(want, &asked, &mut gathered);
        gathered
    }

    /// One question to one operator. An answer that contradicts the block is kept too, and counts for nothing.
    async fn ask(
        &self,
        want: &Want,
        request: B256,
        known: &Known,
        deadline: Instant,
        state: &mut Asked,
    ) -> Option<(Taken, bool)> {
        let permit = self.gate.acquire().await.ok()?;
        state.attempts = state.attempts.saturating_add(1);
        let patience = REQUEST_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
        let answer = self.client.raw(&state.operator, &want.request, OBJECT_BYTES_MAX, patience).await;
        drop(permit);
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(fault) => {
                let backoff = RETRY_MS_MIN.saturating_mul(1 << state.attempts.min(8)).min(RETRY_MS_MAX);
                let asked_for = if let RawFault::RateLimited { retry_after_ms } = &fault { *retry_after_ms } else { 0 };
                state.not_before = Instant::now() + Duration::from_millis(backoff.max(asked_for));
                state.open = fault.may_pass();
                state.last = Some((cause(&fault), fault.to_string()));
                return None;
            }
        };
        let at = now();
        state.open = false;
        let judged = want.judge(&bytes, &self.job.block, known, &self.job.watched.touched());
        let check = match &judged {
            Ok(check) => check.unwrap_or(EvidenceCheck::OneOperator),
            Err(why) => {
                state.last = Some((MissCause::Contradicts, why.clone()));
                EvidenceCheck::Contradicts
            }
        };
        let Some(object) = self.keep(&bytes) else {
            state.last = Some((MissCause::Damaged, "it could not be written to the store".to_owned()));
            return None;
        };
        let item = EvidenceItem {
            kind: want.kind,
            block: self.job.block,
            operator: state.operator.clone(),
            method: want.request.method.to_owned(),
            params: cut(&want.request.params, PARAMS_MAX),
            request,
            object,
            size: bytes.len() as u64,
            at,
            check,
        };
        if judged.is_ok() {
            state.last = None;
        }
        Some((Taken { item, bytes }, judged.is_err()))
    }

    /// Where no root proves anything, two operators that say the same do; that they differ is said.
    fn compare(&self, want: &Want, gathered: &mut Gathered) {
        let [first, second, ..] = gathered.taken.as_slice() else { return };
        if first.item.check != EvidenceCheck::OneOperator && second.item.check != EvidenceCheck::OneOperator {
            return;
        }
        if evidence::same_result(&first.bytes, &second.bytes) {
            for item in &mut gathered.items {
                if item.check == EvidenceCheck::OneOperator {
                    item.check = EvidenceCheck::TwoOperators;
                }
            }
        } else if !gathered.items.is_empty() {
            let operators =
                format!("{} and {} answer differently; both are kept", first.item.operator, second.item.operator);
            gathered.missed.push(self.missed(want.kind, None, MissCause::OperatorsDisagree, 1, &operators));
        }
    }

    fn miss(&self, want: &Want, asked: &[Asked], gathered: &mut Gathered) {
        gathered.complete = gathered.taken.len() >= OPERATORS;
        for state in asked {
            let Some((cause, detail)) = &state.last else { continue };
            // A replacement makes up for an operator that has nothing; one that lies is named in any case.
            if !gathered.complete || *cause == MissCause::Contradicts {
                let operator = Some(state.operator.clone());
                gathered.missed.push(self.missed(want.kind, operator, *cause, state.attempts, detail));
            }
        }
        // The tracer is an extra where it is offered; the state's proofs are wanted of everyone.
        if want.kind == EvidenceKind::StateDiff
            && !gathered.complete
            && asked.iter().all(|state| state.last.as_ref().is_none_or(|(cause, _)| *cause == MissCause::Unsupported))
        {
            gathered.complete = true;
            gathered.missed.clear();
        }
        if self.client.evidence_operators().len() < OPERATORS && self.job.missed.is_empty() {
            let detail = "evidence needs endpoints of two operators; add one with evidence_only = true";
            gathered.missed.push(self.missed(want.kind, None, MissCause::TooFewOperators, 0, detail));
        }
    }

    fn missed(
        &self,
        kind: EvidenceKind,
        operator: Option<OperatorId>,
        cause: MissCause,
        attempts: u32,
        detail: &str,
    ) -> EvidenceMissed {
        EvidenceMissed {
            incident: self.job.incident,
            asset: self.job.asset.clone(),
            kind,
            block: self.job.block,
            operator,
            object: None,
            cause,
            attempts,
            detail: cut(detail, LINE_MAX),
            custody: self.job.custody.clone(),
        }
    }
}

/// At most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
