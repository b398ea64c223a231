//! What is known of evidence, and handing it out: an access is durable before its bytes are.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::oneshot;
use watchfire_types::body::{AccessAction, Body, Custodian, EvidenceAccessed, EvidenceStatement};
use watchfire_types::control::{EvidenceObject, Reply};
use watchfire_types::{B256, ChainId, IncidentId};

use crate::evidence::owed::Owed;
use crate::evidence::retention::{Kept, may_go};
use crate::evidence::store::StoreError;
use crate::evidence::told::{Look, Told};
use crate::run::node::Node;
use crate::run::{RunError, now};

/// Objects of one access, as the wire bounds them.
const OBJECTS_MAX: usize = 256;

impl Node {
    /// Everything known of evidence, by incident, block and object.
    pub(in crate::run) fn evidence_objects(&self) -> Vec<EvidenceObject> {
        let objects = self.evidence.ledger.all().map(|((incident, object), entry)| EvidenceObject {
            object: *object,
            incident: *incident,
            asset: entry.asset.clone(),
            kind: entry.kind,
            block: entry.block,
            size: entry.size(),
            here: self.evidence.ledger.is_here(object),
            organisations: entry.organisations.iter().cloned().collect(),
        });
        let mut objects: Vec<EvidenceObject> = objects.collect();
        objects.sort_by_key(|object| (object.incident, object.block.number, object.kind, object.object));
        objects
    }

    /// The incidents that exist.
    pub(super) fn existing(&self) -> BTreeSet<IncidentId> {
        self.driver.machine().incidents().into_iter().map(|incident| incident.id).collect()
    }

    /// Looks at the objects beside the loop, then hands them out: the reply follows when the access is durable.
    pub(in crate::run) fn access_evidence(
        &mut self,
        objects: BTreeSet<B256>,
        action: AccessAction,
        by: Custodian,
        detail: String,
        reply: oneshot::Sender<Reply>,
    ) {
        let existing = self.existing();
        let refused = if objects.is_empty() || objects.len() > OBJECTS_MAX {
            Some(format!("name 1 to {OBJECTS_MAX} objects at a time"))
        } else if let Some(object) =
            objects.iter().find(|object| self.evidence.ledger.cases_of(object, &existing).is_empty())
        {
            Some(format!("no evidence object {object} is in this log; see `watchfire evidence list`"))
        } else if action == AccessAction::Copied {
            Some("a copy is said by the node that takes it".to_owned())
        } else if action == AccessAction::Disposed {
            self.disposal(&objects, &by)
        } else {
            None
        };
        if let Some(error) = refused {
            // Whoever asked may have hung up.
            let _ = reply.send(Reply::Error { error });
            return;
        }
        let (store, bench, out) = (self.evidence.store.clone(), self.evidence.bench.clone(), self.evidence.out.clone());
        tokio::spawn(async move {
            let all = objects.clone();
            let look = move || all.into_iter().filter_map(|object| Some((object, store.get(&object).err()?))).collect();
            let Some(faults) = bench.run(look).await else { return };
            // The loop may be gone.
            let _ = out.send(Told::Looked(Box::new(Look { objects, action, by, detail, reply, faults }))).await;
        });
    }

    /// Why objects may not be disposed of, if so.
    fn disposal(&self, objects: &BTreeSet<B256>, by: &Custodian) -> Option<String> {
        let incidents = self.driver.machine().incidents();
        let open: BTreeSet<IncidentId> =
            incidents.iter().filter(|incident| incident.is_open()).map(|incident| incident.id).collect();
        let at = now();
        objects.iter().find_map(|object| {
            let of: Vec<_> = self.evidence.ledger.incidents_of(object).collect();
            let kept = Kept {
                object: *object,
                at: of.iter().map(|(_, entry)| entry.at).max().unwrap_or(at),
                exported: of.iter().any(|(_, entry)| entry.exported),
                // One of which nothing else is left was pruned: only what is closed is.
                closed: !of.iter().any(|(incident, _)| open.contains(*incident)),
                by,
            };
            may_go(kept, self.config.retention_days, at).err().map(|stays| stays.to_string())
        })
    }

    /// Makes an access durable before anything is handed out. Damaged objects are named, and fetched again from who holds them.
    pub(super) async fn hand_out(&mut self, look: Look) -> Result<(), RunError> {
        let Look { objects, action, by, detail, reply, faults } = look;
        let answer = match faults.first() {
            Some((_, error)) => {
                let error = error.to_string();
                for (object, fault) in &faults {
                    self.damaged(object, fault);
                }
                self.copy().await?;
                Reply::Error { error }
            }
            None => self.state_access(objects, action, by, detail, false).await?,
        };
        // Whoever asked may have hung up.
        let _ = reply.send(answer);
        Ok(())
    }

    pub(super) fn damaged(&mut self, object: &B256, fault: &StoreError) {
        if matches!(fault, StoreError::Damaged { .. }) {
            let path = self.evidence.store.path(object);
            // Moved aside, so that the next copy takes its place; the bytes stay for whoever looks into it.
            if let Err(cause) = std::fs::rename(&path, path.with_extension("damaged")) {
                tracing::error!(%cause, "damaged evidence could not be moved aside");
            }
            self.alarm(fault.to_string());
        }
        self.evidence.ledger.lost(object);
    }

    /// Says what was handed out while no node ran. What is not said now, as on a full disk, is at the next start.
    pub(super) async fn say_owed(&mut self) -> Result<(), RunError> {
        for (path, owed) in std::mem::take(&mut self.evidence.owed) {
            let detail = owed.detail();
            let Owed { objects, action, by, .. } = owed;
            if let Reply::Error { error } = self.state_access(objects, action, by, detail, true).await? {
                tracing::warn!(path = %path.display(), cause = error, "an access from while no node ran is not said yet");
                continue;
            }
            if let Err(cause) = std::fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %cause, "an access that is said now could not be removed");
            }
        }
        Ok(())
    }

    /// Whether an access that was noted while no node ran is in the log: said by a process that could not remove the note.
    fn is_said(&self, accessed: &EvidenceAccessed) -> bool {
        let own = self.own_key();
        let of = |said: &EvidenceAccessed| (said.incident, said.action, said.objects.clone(), said.detail.clone());
        self.driver.machine().events().any(|event| match &event.body {
            Body::EvidenceAccessed(said) => Some(event.author) == own && of(said) == of(accessed),
            _ => false,
        })
    }

    /// Says an access in each of the objects' incidents; one that was `noted` is said there once.
    async fn state_access(
        &mut self,
        objects: BTreeSet<B256>,
        action: AccessAction,
        by: Custodian,
        detail: String,
        noted: bool,
    ) -> Result<Reply, RunError> {
        let mut by_incident: BTreeMap<IncidentId, (ChainId, Vec<B256>)> = BTreeMap::new();
        let existing = self.existing();
        for object in &objects {
            for (incident, chain) in self.evidence.ledger.cases_of(object, &existing) {
                by_incident.entry(incident).or_insert((chain, Vec::new())).1.push(*object);
            }
        }
        let mut events = Vec::new();
        for (incident, (chain, objects)) in by_incident {
            let custody = self.custody(chain);
            let (by, detail) = (by.clone(), detail.clone());
            let accessed = EvidenceAccessed { incident, action, objects, by, from: None, detail, custody };
            if noted && self.is_said(&accessed) {
                continue;
            }
            match self.state(EvidenceStatement::Accessed(accessed)).await? {
                Ok(made) => events.extend(made),
                Err(refused) => return Ok(Reply::Error { error: refused.to_string() }),
            }
        }
        if action == AccessAction::Disposed {
            for object in &objects {
                self.evidence.ledger.lost(object);
                if let Err(error) = std::fs::remove_file(self.evidence.store.path(object)) {
                    let error = format!("disposal of {object} is said, and its file could not be removed: {error}");
                    return Ok(Reply::Error { error });
                }
            }
        }
        Ok(Reply::Done { events })
    }
}
