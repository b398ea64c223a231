//! Collects what one block shows, from two operators, and says what it took and what it missed.

mod putting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use watchfire_evm::{ChainClient, evidence};
use watchfire_types::body::{
    Custody, EvidenceCheck, EvidenceCollected, EvidenceItem, EvidenceKind, EvidenceMissed, MissCause,
};
use watchfire_types::{AssetId, B256, BlockRef, Bytes, EventHash, IncidentId, OperatorId};

use self::putting::Put;
use super::bench::Bench;
use super::store::{Store, digest};
use super::told::{Ended, Told};
use super::want::{Known, Want, Watched};
use crate::run::now;

/// Operators whose word is wanted.
const OPERATORS: usize = 2;
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
    /// How long a block is tried for; the waits between attempts follow it.
    pub patience: Duration,
    /// Until when: counted from the arrival of the finding's block or of this one, whichever came later.
    pub deadline: Instant,
    /// What this member took and said before, by operator and request: in an earlier process, or for another incident.
    pub taken: BTreeMap<(OperatorId, B256), Earlier>,
    /// What an earlier process gave up, and why: what no wait can mend is not asked for again.
    pub missed: BTreeMap<(EvidenceKind, OperatorId), MissCause>,
    /// Bytes that the incident may still take; shared by its jobs.
    pub room: Arc<AtomicU64>,
}

/// Something taken before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// As it was said.
    pub item: EvidenceItem,
    /// Whether it was said for this incident.
    pub said: bool,
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
    /// Of one that gives no receipts of a whole block: those that came one by one, in order.
    singly: Option<Vec<Bytes>>,
}

/// A job with what it needs.
pub struct Collector {
    /// What to collect.
    pub job: Job,
    /// Whom to ask.
    pub client: Arc<ChainClient>,
    /// Where to keep it.
    pub store: Store,
    /// Who parses, proves and writes.
    pub bench: Bench,
    /// Requests at a time.
    pub gate: Arc<Semaphore>,
    /// Where it is told.
    pub out: mpsc::Sender<Told>,
}

/// Misses of one job: the same lack of several accounts is one.
type Misses = BTreeMap<(EvidenceKind, Option<OperatorId>, MissCause), EvidenceMissed>;

impl Collector {
    /// Runs the job to its end. An end of the loop ends it too.
    pub async fn run(self) {
        let complete = self.collect(self.job.deadline).await;
        let Some(complete) = complete else { return };
        let ended = Ended { incident: self.job.incident, block: self.job.block, complete };
        // The loop may be gone.
        let _ = self.out.send(Told::Ended(ended)).await;
    }

    /// Everything at once: an operator that does not give one thing holds up nothing else.
    async fn collect(&self, deadline: Instant) -> Option<bool> {
        let block = self.job.block;
        let mut wants = vec![Want::block(&block)];
        wants.extend(self.job.full.then(|| Want::receipts(&block)));
        wants.extend(Want::rest(&block, &self.job.watched, self.job.full));
        let known = watch::Sender::new(Known::default());
        let mut running: FuturesUnordered<_> = wants.iter().map(|want| self.gather(want, &known, deadline)).collect();
        let (mut complete, mut missed) = (true, Misses::new());
        while let Some(gathered) = running.next().await {
            self.settle(gathered, &mut missed, &mut complete).await?;
        }
        for missed in missed.into_values() {
            self.out.send(Told::Missed(Box::new(missed))).await.ok()?;
        }
        Some(complete)
    }

    async fn settle(&self, gathered: Gathered, missed: &mut Misses, complete: &mut bool) -> Option<()> {
        *complete &= gathered.complete;
        for lost in gathered.missed {
            let attempts = lost.attempts;
            let held = missed.entry((lost.kind, lost.operator.clone(), lost.cause)).or_insert(lost);
            held.attempts = held.attempts.max(attempts);
        }
        if gathered.items.is_empty() {
            return Some(());
        }
        let collected = EvidenceCollected {
            incident: self.job.incident,
            asset: self.job.asset.clone(),
            basis: self.job.basis,
            custody: self.job.custody.clone(),
            items: gathered.items,
        };
        self.out.send(Told::Items(Box::new(collected))).await.ok()
    }

    /// Proofs of the receipts that concern the asset, derived once.
    async fn proofs(&self, source: &Taken, facts: evidence::BlockFacts) -> Option<EvidenceItem> {
        let (touched, block, bytes) = (self.job.watched.touched(), self.job.block, source.bytes.clone());
        let earlier = self.job.taken.get(&(source.item.operator.clone(), source.item.object));
        if let Some(earlier) = earlier {
            return (!earlier.said).then(|| earlier.item.clone());
        }
        let derive = move || evidence::receipt_proofs(&bytes, &block, &facts, &touched).ok().flatten();
        let object = self.bench.run(derive).await??;
        let digest = self.keep(object.clone()).await.ok()?;
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

    /// Keeps an object within the incident's room, or says why not.
    async fn keep(&self, bytes: Bytes) -> Result<B256, (MissCause, String)> {
        let size = bytes.len() as u64;
        let left = self.job.room.fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| room.checked_sub(size));
        if left.is_err() {
            let text = format!("{size} bytes are beyond the {} that one incident may hold", super::INCIDENT_BYTES_MAX);
            return Err((MissCause::OverBound, text));
        }
        let store = self.store.clone();
        match self.bench.run(move || store.put(&bytes)).await {
            Some(Ok(object)) => Ok(object),
            Some(Err(error)) => {
                tracing::error!(cause = %error, "evidence could not be kept");
                Err((MissCause::Damaged, "it could not be written to the store".to_owned()))
            }
            None => Err((MissCause::Damaged, "the node is stopping".to_owned())),
        }
    }

    /// What was taken before, whole.
    async fn earlier(&self, operator: &OperatorId, request: B256) -> Option<(Earlier, Bytes)> {
        let earlier = self.job.taken.get(&(operator.clone(), request))?.clone();
        let (store, object) = (self.store.clone(), earlier.item.object);
        let bytes = self.bench.run(move || store.get(&object).ok()).await??;
        Some((earlier, bytes))
    }

    /// One want from two operators, whoever gives it first; operators that fail are replaced by others, or asked again.
    async fn gather(&self, want: &Want, known: &watch::Sender<Known>, deadline: Instant) -> Gathered {
        let mut news = known.subscribe();
        // Past the deadline it is judged by what is known then, as nothing.
        let _ = timeout_at(deadline, news.wait_for(|known| want.is_judgeable(known))).await;
        let request = digest(&want.request.body());
        let mut gathered = Gathered::default();
        let mut asked = Vec::new();
        let by_number = want.by_number.as_ref().map(|request| digest(&request.body()));
        for operator in self.client.evidence_operators() {
            let mut earlier = self.earlier(&operator, request).await;
            if let (None, Some(by_number)) = (&earlier, by_number) {
                earlier = self.earlier(&operator, by_number).await;
            }
            match earlier {
                Some((Earlier { item, said }, bytes)) => {
                    if !said {
                        gathered.items.push(item.clone());
                    }
                    if item.check != EvidenceCheck::Contradicts {
                        self.learn(&item, &bytes, known).await;
                        gathered.taken.push(Taken { item, bytes });
                    }
                }
                None => asked.push(Asked {
                    open: self.job.missed.get(&(want.kind, operator.clone())).is_none_or(|cause| may_pass(*cause)),
                    operator,
                    attempts: 0,
                    not_before: Instant::now(),
                    last: None,
                    singly: None,
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
            let round = ready.take(missing).map(|state| self.ask(want, known, deadline, state));
            for (taken, contradicts) in futures::future::join_all(round).await.into_iter().flatten() {
                gathered.items.push(taken.item.clone());
                if contradicts {
                    continue;
                }
                self.learn(&taken.item, &taken.bytes, known).await;
                gathered.taken.push(taken);
            }
        }
        if want.kind == EvidenceKind::Receipts {
            let facts = known.borrow().facts.clone();
            let proved = gathered.taken.iter().find(|taken| taken.item.check == EvidenceCheck::ReceiptsRoot);
            if let (Some(taken), Some(facts)) = (proved, facts) {
                let derived = self.proofs(taken, facts).await;
                gathered.items.extend(derived);
            }
        }
        known.send_modify(|known| known.over(want.kind));
        self.compare(want, &mut gathered).await;
        let nothing = want.is_nothing(&known.borrow());
        self.miss(want, nothing, &asked, &mut gathered);
        gathered
    }

    /// Everything else is held against the first header and the first receipts that hold.
    async fn learn(&self, item: &EvidenceItem, bytes: &Bytes, known: &watch::Sender<Known>) {
        match item.kind {
            EvidenceKind::Block => {
                let (answer, block) = (bytes.clone(), self.job.block);
                let facts = self.bench.run(move || evidence::block(&answer, &block).ok()).await.flatten();
                known.send_modify(|known| known.facts = known.facts.take().or(facts));
            }
            EvidenceKind::Receipts if item.check == EvidenceCheck::ReceiptsRoot => {
                known.send_modify(|known| {
                    known.receipts.get_or_insert_with(|| bytes.clone());
                });
            }
            _ => {}
        }
    }

    /// One question to one operator. An answer that contradicts the block is kept too, and counts for nothing.
    async fn ask(
        &self,
        want: &Want,
        known: &watch::Sender<Known>,
        deadline: Instant,
        state: &mut Asked,
    ) -> Option<(Taken, bool)> {
        let Put { way, answer, patience } = self.put(want, known, deadline, state).await?;
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(fault) => {
                let singly = want.singly(&known.borrow()).is_some();
                self.refused(state, &way, &fault, singly, patience);
                return None;
            }
        };
        let at = now();
        state.open = false;
        let (judging, block, facts) = (want.clone(), self.job.block, known.borrow().clone());
        let (touched, answer) = (self.job.watched.touched(), bytes.clone());
        let put = way.clone();
        let judged = match self.bench.run(move || put.judge(&judging, &answer, &block, &facts, &touched)).await {
            Some(Ok(judged)) => judged,
            Some(Err(elsewhere)) => {
                state.last = Some((MissCause::UnknownBlock, elsewhere));
                return None;
            }
            None => {
                let detail = "the answer could not be judged; look at the node's log";
                state.last = Some((MissCause::Refused, detail.to_owned()));
                return None;
            }
        };
        let check = match &judged {
            Ok(check) => check.unwrap_or(EvidenceCheck::OneOperator),
            Err(why) => {
                state.last = Some((MissCause::Contradicts, why.clone()));
                EvidenceCheck::Contradicts
            }
        };
        let object = match self.keep(bytes.clone()).await {
            Ok(object) => object,
            Err(lost) => {
                state.last = Some(lost);
                return None;
            }
        };
        let (method, params, request) = way.told(want);
        let item = EvidenceItem {
            kind: want.kind,
            block: self.job.block,
            operator: state.operator.clone(),
            method,
            params: cut(&params, PARAMS_MAX),
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
    async fn compare(&self, want: &Want, gathered: &mut Gathered) {
        let [first, second, ..] = gathered.taken.as_slice() else { return };
        if first.item.check != EvidenceCheck::OneOperator && second.item.check != EvidenceCheck::OneOperator {
            return;
        }
        let (one, other) = (first.bytes.clone(), second.bytes.clone());
        let Some(same) = self.bench.run(move || evidence::same_result(&one, &other)).await else { return };
        if same {
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

    fn miss(&self, want: &Want, nothing: bool, asked: &[Asked], gathered: &mut Gathered) {
        gathered.complete = gathered.taken.len() >= OPERATORS;
        let unasked = !gathered.complete && asked.iter().any(|state| state.open && state.attempts == 0);
        if unasked {
            let detail = "its time was over before everybody was asked";
            gathered.missed.push(self.missed(want.kind, None, MissCause::Timeout, 0, detail));
        }
        for state in asked {
            let Some((cause, detail)) = &state.last else { continue };
            // A replacement makes up for an operator that has nothing; one that lies is named in any case, and what is too large.
            if !gathered.complete || matches!(cause, MissCause::Contradicts | MissCause::OverBound) {
                let operator = Some(state.operator.clone());
                gathered.missed.push(self.missed(want.kind, operator, *cause, state.attempts, detail));
            }
        }
        // The tracer is an extra where it is offered; the state's proofs are wanted of everyone, and receipts where there are any.
        if (want.kind == EvidenceKind::StateDiff || nothing)
            && !gathered.complete
            && !unasked
            && asked.iter().all(|state| state.last.as_ref().is_none_or(|(cause, _)| *cause == MissCause::Unsupported))
        {
            gathered.complete = true;
            gathered.missed.clear();
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

/// Whether asking again after a restart may bring what was missed for this cause.
fn may_pass(cause: MissCause) -> bool {
    matches!(cause, MissCause::RateLimited | MissCause::Timeout | MissCause::Unreachable | MissCause::UnknownBlock)
}

/// At most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
