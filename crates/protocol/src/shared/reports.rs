//! What was reported from outside the chain, by whom it is asked: the newest of each organisation, and which messages were said. As everything
//! derived, a function of the set of events; an entry costs a few words beside its event, whose number its author's quota bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_charter::REPORT;
use watchfire_types::body::Body;
use watchfire_types::input::PERSON;
use watchfire_types::{AssetId, BlockTime, DetectorId, Event, EventHash, OrganisationId, Verified};

use super::derived::{ByHash, ByTime, Way};

/// The figure that holds a source's own name for a message.
pub(crate) const ID: &str = "id";

/// Reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reports {
    /// By asset, organisation and whether a person said it.
    said: BTreeMap<(AssetId, OrganisationId, bool), ByTime>,
    /// By organisation, source and the source's name for the message.
    messages: BTreeMap<(OrganisationId, DetectorId, String), ByHash>,
}

impl Reports {
    pub(crate) fn put(&mut self, way: Way, organisation: &OrganisationId, event: &Arc<Verified<Event>>) {
        let Body::Finding(finding) = &event.body else { return };
        if finding.kind != REPORT {
            return;
        }
        let by_person = finding.detector.as_str() == PERSON;
        let of = self.said.entry((finding.asset.clone(), organisation.clone(), by_person)).or_default();
        way.put(of, (finding.block.time, event.hash()), event);
        if let Some(id) = finding.figures.get(ID) {
            let message = (organisation.clone(), finding.detector.clone(), id.clone());
            way.put(self.messages.entry(message).or_default(), event.hash(), event);
        }
    }

    /// Who reported of what, whether by a person, and the block time of the newest: sorted by asset.
    pub(crate) fn newest(&self) -> impl Iterator<Item = (&AssetId, &OrganisationId, bool, BlockTime)> {
        self.said.iter().filter_map(|((asset, organisation, by_person), said)| {
            let ((at, _), _) = said.last_key_value()?;
            Some((asset, organisation, *by_person, *at))
        })
    }

    /// The event of an organisation that says this message.
    pub(crate) fn held(&self, organisation: &OrganisationId, source: &DetectorId, id: &str) -> Option<EventHash> {
        let of = self.messages.get(&(organisation.clone(), source.clone(), id.to_owned()))?;
        of.first_key_value().map(|(hash, _)| *hash)
    }
}
