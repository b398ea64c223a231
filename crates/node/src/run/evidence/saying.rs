//! What the keeper says: gathered for a few seconds, so that evidence costs the log and the other members few events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use thiserror::Error;
use watchfire_driver::Answer;
use watchfire_journal::Space;
use watchfire_protocol::Rejection;
use watchfire_types::body::{
    AccessAction, Body, Custodian, EvidenceAccessed, EvidenceCollected, EvidenceItem, EvidenceMissed,
    EvidenceStatement, MissCause,
};
use watchfire_types::input::Input;
use watchfire_types::{B256, ChainId, EventHash, IncidentId, MemberKey, Timestamp};

use crate::evidence::{FETCHED, SAID_MS};
use crate::run::node::Node;
use crate::run::{RunError, describe, now};

/// Items of one manifest and objects of one access, as the wire bounds them.
const ITEMS_MAX: usize = 32;
const OBJECTS_MAX: usize = 256;
/// Statements that wait for room in the log; of what comes beyond one miss an incident is remembered.
const REFUSED_MAX: usize = 256;

/// Why a statement is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refused {
    /// What this node may say has to grow first.
    #[error("{0}")]
    NotYet(Rejection),
    /// The log did not take it, for want of room or for good.
    #[error("{0}")]
    Untaken(String),
}

/// Copies of one incident that came from one member.
#[derive(Debug)]
struct Copies {
    chain: ChainId,
    since: Timestamp,
    objects: BTreeSet<B256>,
}

/// What was done and is not yet said; a process that ends before repeats it, but for what others fetched.
#[derive(Debug, Default)]
pub(super) struct Unsaid {
    items: BTreeMap<IncidentId, (Timestamp, EvidenceCollected)>,
    copies: BTreeMap<(IncidentId, Option<MemberKey>), Copies>,
    /// What other members had of this one's store.
    fetched: BTreeMap<(IncidentId, MemberKey), Copies>,
    /// What the log did not take, in order: said again until it does.
    refused: VecDeque<EvidenceStatement>,
    /// What is said in place of statements that were too many.
    lost: BTreeMap<IncidentId, EvidenceMissed>,
}

impl Unsaid {
    /// Items that are in the store.
    pub(super) fn items(&mut self, collected: EvidenceCollected, at: Timestamp) {
        match self.items.get_mut(&collected.incident) {
            Some((_, held)) => {
                held.custody = collected.custody;
                held.items.extend(collected.items);
            }
            None => drop(self.items.insert(collected.incident, (at, collected))),
        }
    }

    /// A copy that is in the store.
    pub(super) fn copy(
        &mut self,
        incident: IncidentId,
        from: Option<MemberKey>,
        chain: ChainId,
        object: B256,
        at: Timestamp,
    ) {
        let copies = || Copies { chain, since: at, objects: BTreeSet::new() };
        self.copies.entry((incident, from)).or_insert_with(copies).objects.insert(object);
    }

    /// An object that a member asks for, for the first time.
    pub(super) fn fetch(&mut self, incident: IncidentId, by: MemberKey, chain: ChainId, object: B256, at: Timestamp) {
        let fetched = || Copies { chain, since: at, objects: BTreeSet::new() };
        self.fetched.entry((incident, by)).or_insert_with(fetched).objects.insert(object);
    }

    /// Whether a copy waits to be said.
    pub(super) fn has_copy(&self, incident: &IncidentId, object: &B256) -> bool {
        self.copies.iter().any(|((of, _), copies)| of == incident && copies.objects.contains(object))
    }

    /// Whether something that was taken of an incident waits to be said.
    fn is_waiting(&self, of: &IncidentId) -> bool {
        let refused = self.refused.iter().any(|statement| match statement {
            EvidenceStatement::Collected(collected) => collected.incident == *of,
            EvidenceStatement::Missed(missed) => missed.incident == *of,
            EvidenceStatement::Accessed(_) => false,
        });
        refused || self.items.contains_key(of) || self.lost.contains_key(of)
    }

    /// A statement that the log did not take.
    fn refused(&mut self, statement: EvidenceStatement) {
        if self.refused.len() < REFUSED_MAX {
            self.refused.push_back(statement);
        } else if let Some(missed) = in_place(&statement, "more waited to be said than is kept") {
            self.lost.entry(missed.incident).or_insert(missed);
        }
    }

    /// Manifests that are full or, `all` or old enough, begun.
    fn manifests(&mut self, at: Timestamp, all: bool) -> Vec<EvidenceCollected> {
        let mut due = Vec::new();
        for (since, held) in self.items.values_mut() {
            let old = all || at.millis_since(*since) >= SAID_MS;
            while held.items.len() >= ITEMS_MAX || old && !held.items.is_empty() {
                let left = held.items.split_off(held.items.len().min(ITEMS_MAX));
                let items: Vec<EvidenceItem> = std::mem::replace(&mut held.items, left);
                due.push(EvidenceCollected { items, ..held.clone_head() });
                *since = at;
            }
        }
        self.items.retain(|_, (_, held)| !held.items.is_empty());
        due
    }

    fn copied(&mut self, at: Timestamp, all: bool) -> Vec<((IncidentId, Option<MemberKey>), Copies)> {
        due(&mut self.copies, at, all)
    }
}

/// Takes out those that are full or, `all` or old enough, begun.
fn due<K: Ord + Copy>(waiting: &mut BTreeMap<K, Copies>, at: Timestamp, all: bool) -> Vec<(K, Copies)> {
    let due = |copies: &Copies| all || copies.objects.len() >= OBJECTS_MAX || at.millis_since(copies.since) >= SAID_MS;
    let keys: Vec<K> = waiting.iter().filter(|(_, copies)| due(copies)).map(|(key, _)| *key).collect();
    keys.into_iter().filter_map(|key| Some((key, waiting.remove(&key)?))).collect()
}

/// What is said in place of a statement that cannot be said; an access that cannot be said has no place of its own.
fn in_place(statement: &EvidenceStatement, why: &str) -> Option<EvidenceMissed> {
    match statement {
        EvidenceStatement::Collected(collected) => {
            let item = collected.items.first()?;
            let detail = format!("what was taken of {} objects is not in the log: {why}", collected.items.len());
            Some(EvidenceMissed {
                incident: collected.incident,
                asset: collected.asset.clone(),
                kind: item.kind,
                block: item.block,
                operator: None,
                object: Some(item.object),
                cause: MissCause::Refused,
                attempts: 1,
                detail,
                custody: collected.custody.clone(),
            })
        }
        EvidenceStatement::Missed(missed) => Some(missed.clone()),
        EvidenceStatement::Accessed(_) => None,
    }
}

/// A manifest without its items.
trait Head {
    fn clone_head(&self) -> EvidenceCollected;
}

impl Head for EvidenceCollected {
    fn clone_head(&self) -> EvidenceCollected {
        EvidenceCollected {
            incident: self.incident,
            asset: self.asset.clone(),
            basis: self.basis,
            custody: self.custody.clone(),
            items: Vec::new(),
        }
    }
}

impl Node {
    /// Makes a statement durable; its event, or why there is none.
    pub(super) async fn state(
        &mut self,
        statement: EvidenceStatement,
    ) -> Result<Result<Vec<EventHash>, Refused>, RunError> {
        Ok(match self.input(Input::Evidence(Box::new(statement))).await? {
            Some(Answer { result: Ok(events), .. }) => Ok(events),
            Some(Answer { result: Err(rejection @ Rejection::QuotaSpent), .. }) => Err(Refused::NotYet(rejection)),
            Some(Answer { result: Err(rejection), .. }) => {
                tracing::warn!(cause = %rejection, "an evidence event was refused");
                Err(Refused::Untaken(rejection.to_string()))
            }
            None => Err(Refused::Untaken("the statement was not answered; look at the node's log".to_owned())),
        })
    }

    /// Says what was taken and copied: what is old enough or fills an event; `all` says everything.
    pub(in crate::run) async fn say_evidence(&mut self, all: bool) -> Result<(), RunError> {
        let at = now();
        self.say_refused().await?;
        if !self.evidence.unsaid.refused.is_empty() {
            // What was gathered stays gathered, whatever there is of it.
            return Ok(());
        }
        for manifest in self.evidence.unsaid.manifests(at, all) {
            self.say(EvidenceStatement::Collected(manifest)).await?;
        }
        for ((incident, from), copies) in self.evidence.unsaid.copied(at, all) {
            let objects: Vec<B256> = copies.objects.into_iter().collect();
            let (reason, detail) = match from {
                Some(_) => (
                    "one of two copies with other organisations, or in place of a damaged one",
                    "into evidence/, digests checked on arrival",
                ),
                None => ("held already, for another incident", "in evidence/"),
            };
            for objects in objects.chunks(OBJECTS_MAX) {
                let accessed = EvidenceAccessed {
                    incident,
                    action: AccessAction::Copied,
                    objects: objects.to_vec(),
                    by: Custodian::Node(reason.to_owned()),
                    from,
                    detail: detail.to_owned(),
                    custody: self.custody(copies.chain),
                };
                self.say(EvidenceStatement::Accessed(accessed)).await?;
            }
        }
        for ((incident, by), fetched) in due(&mut self.evidence.unsaid.fetched, at, all) {
            let Some((by, _)) = self.charter.member_by_key(&by) else { continue };
            let (name, objects) = (by.to_string(), fetched.objects.into_iter().collect::<Vec<B256>>());
            for objects in objects.chunks(OBJECTS_MAX) {
                let accessed = EvidenceAccessed {
                    incident,
                    action: AccessAction::Read,
                    objects: objects.to_vec(),
                    by: Custodian::Node(FETCHED.to_owned()),
                    from: None,
                    detail: name.clone(),
                    custody: self.custody(fetched.chain),
                };
                self.say(EvidenceStatement::Accessed(accessed)).await?;
            }
        }
        Ok(())
    }

    /// Says it now, or once the log takes it.
    async fn say(&mut self, statement: EvidenceStatement) -> Result<(), RunError> {
        // What is refused now is not said before what was refused earlier.
        if !self.evidence.unsaid.refused.is_empty() || self.state(statement.clone()).await?.is_err() {
            self.evidence.unsaid.refused(statement);
        }
        Ok(())
    }

    /// Says what the log did not take before. What it does not take though it has room, it never will: that is missed.
    async fn say_refused(&mut self) -> Result<(), RunError> {
        while let Some(statement) = self.evidence.unsaid.refused.pop_front() {
            let Err(why) = self.state(statement.clone()).await? else { continue };
            if matches!(why, Refused::NotYet(_)) || !matches!(self.driver.journal().space(), Space::Ample) {
                self.evidence.unsaid.refused.push_front(statement);
                return Ok(());
            }
            let missed = in_place(&statement, &why.to_string());
            match missed.filter(|_| !matches!(statement, EvidenceStatement::Missed(_))) {
                Some(missed) => drop(self.evidence.unsaid.lost.entry(missed.incident).or_insert(missed)),
                None => self.alarm(format!("what was to be said of evidence is lost: {why}")),
            }
        }
        for missed in std::mem::take(&mut self.evidence.unsaid.lost).into_values() {
            // What no event will ever tell of makes no evidence complete.
            self.evidence.unbegun.narrowed.insert(missed.incident);
            if self.state(EvidenceStatement::Missed(missed.clone())).await?.is_err() {
                self.evidence.unsaid.lost.insert(missed.incident, missed);
            }
        }
        Ok(())
    }

    /// What could not be had is said at once: there is little of it.
    pub(super) async fn say_missed(&mut self, missed: EvidenceMissed) -> Result<(), RunError> {
        self.say(EvidenceStatement::Missed(missed)).await
    }

    /// Says once for each extent of an incident's evidence that nothing is missing: every block begun is there from two operators, a
    /// pause's among them, and every object is said in the log, and with two other organisations (or with all there are).
    pub(super) fn say_complete(&mut self, incident: IncidentId) {
        let of = self.evidence.begun.iter().filter(|((of, _), _)| *of == incident);
        let begun: Vec<Option<bool>> = of.map(|(_, begun)| begun.ended).collect();
        let narrowed = self.evidence.unbegun.narrowed.contains(&incident);
        let whole = !narrowed && !begun.is_empty() && begun.iter().all(|ended| *ended == Some(true));
        let (objects, copied) = self.evidence.ledger.copied(&incident);
        if !whole || !copied || self.evidence.said.contains(&(incident, begun.len())) {
            return;
        }
        let machine = self.driver.machine();
        let Some(status) = machine.incidents().into_iter().find(|status| status.id == incident) else { return };
        let contained = machine.incident_events(&status).into_iter().any(|event| match &event.body {
            Body::Executed(_) => true,
            Body::PostconditionChecked(checked) => checked.holds,
            _ => false,
        });
        if !contained || self.evidence.unsaid.is_waiting(&incident) {
            // Looked at again with the next block or second. What is not said yet, others do not know to copy.
            self.evidence.changed.insert(incident);
            return;
        }
        self.evidence.said.insert((incident, begun.len()));
        let text = format!("evidence of {} is complete: {} blocks, {objects} objects", status.asset, begun.len());
        tracing::info!("{text}");
        let mut record = describe::plain(now().as_millis(), "evidence-complete", text);
        record.asset = Some(status.asset);
        self.records.push(record);
    }
}

#[cfg(test)]
mod tests;
