//! What is known of evidence, and handing it out: an access is durable before its bytes are.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::{AccessAction, Custodian, EvidenceAccessed, EvidenceStatement};
use watchfire_types::control::{EvidenceObject, Reply};
use watchfire_types::{B256, ChainId, IncidentId};

use crate::evidence::store::StoreError;
use crate::run::RunError;
use crate::run::node::Node;

/// Objects of one access, as the wire bounds them.
const OBJECTS_MAX: usize = 256;

impl Node {
    /// Everything known of evidence, by incident, block and object.
    pub(in crate::run) fn evidence_objects(&self) -> Vec<EvidenceObject> {
        let objects = self.evidence.objects.iter().map(|(object, known)| EvidenceObject {
            object: *object,
            incident: known.incident,
            asset: known.asset.clone(),
            kind: known.kind,
            block: known.block,
            size: known.size,
            here: self.evidence.store.has(object),
            organisations: known.organisations.iter().cloned().collect(),
        });
        let mut objects: Vec<EvidenceObject> = objects.collect();
        objects.sort_by_key(|object| (object.incident, object.block.number, object.kind, object.object));
        objects
    }

    /// Makes an access durable before anything is handed out. Damaged objects are named, and fetched again from who holds them.
    pub(in crate::run) async fn access_evidence(
        &mut self,
        objects: &BTreeSet<B256>,
        action: AccessAction,
        by: Custodian,
        detail: String,
    ) -> Result<Reply, RunError> {
        let refuse = |error: String| Ok(Reply::Error { error });
        if objects.is_empty() || objects.len() > OBJECTS_MAX {
            return refuse(format!("name 1 to {OBJECTS_MAX} objects at a time"));
        }
        let mut by_incident: BTreeMap<IncidentId, (ChainId, Vec<B256>)> = BTreeMap::new();
        for object in objects {
            let Some(known) = self.evidence.objects.get(object) else {
                return refuse(format!("no evidence object {object} is in this log; see `watchfire evidence list`"));
            };
            let (incident, chain) = (known.incident, known.block.chain);
            if let Err(error) = self.evidence.store.get(object) {
                if matches!(error, StoreError::Damaged { .. }) {
                    let path = self.evidence.store.path(object);
                    // Moved aside, so that the next copy takes its place; the bytes stay for whoever looks into it.
                    let aside = path.with_extension("damaged");
                    if let Err(cause) = std::fs::rename(&path, &aside) {
                        tracing::error!(%cause, "damaged evidence could not be moved aside");
                    }
                    self.alarm(error.to_string());
                    self.copy().await?;
                }
                return refuse(error.to_string());
            }
            by_incident.entry(incident).or_insert((chain, Vec::new())).1.push(*object);
        }
        let mut events = Vec::new();
        for (incident, (chain, objects)) in by_incident {
            let gone = objects.clone();
            let custody = self.custody(chain);
            let (by, detail) = (by.clone(), detail.clone());
            let accessed = EvidenceAccessed { incident, action, objects, by, from: None, detail, custody };
            match self.state(EvidenceStatement::Accessed(accessed)).await? {
                Ok(made) => events.extend(made),
                Err(error) => return refuse(error),
            }
            if action == AccessAction::Disposed {
                for object in gone {
                    if let Err(error) = std::fs::remove_file(self.evidence.store.path(&object)) {
                        return refuse(format!(
                            "disposal of {object} is said, and its file could not be removed: {error}"
                        ));
                    }
                }
            }
        }
        Ok(Reply::Done { events })
    }
}
