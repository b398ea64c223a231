//! What rules found and what was seen executed, by what the ledger of rules asks: as everything derived, a function of the set of events.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use alloy_primitives::B256;
use watchfire_types::body::Body;
use watchfire_types::{AssetId, BlockTime, DetectorId, Event, EventHash, OrganisationId, Verified};

use super::derived::{ByTime, Way};

/// Events of each organisation, by block time.
pub(crate) type ByOrganisation = BTreeMap<OrganisationId, ByTime>;

/// Findings by rule, executions by Safe transaction. An entry costs a few words beside the event, whose number its author's quota bounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fired {
    by_rule: BTreeMap<(AssetId, DetectorId), ByOrganisation>,
    by_hash: BTreeMap<EventHash, Arc<Verified<Event>>>,
    executed: BTreeMap<B256, ByOrganisation>,
    /// Safe transactions that as many organisations as can contain saw executed: fewer may be liars.
    seen: BTreeSet<B256>,
}

impl Fired {
    /// Folds a finding or an execution in, or takes it back. `needed` organisations make what was seen executed count.
    pub(crate) fn put(&mut self, way: Way, needed: usize, organisation: &OrganisationId, event: &Arc<Verified<Event>>) {
        match &event.body {
            Body::Finding(finding) => {
                let rule = (finding.asset.clone(), finding.detector.clone());
                let of = self.by_rule.entry(rule).or_default().entry(organisation.clone()).or_default();
                way.put(of, (finding.block.time, event.hash()), event);
                way.put(&mut self.by_hash, event.hash(), event);
            }
            Body::Executed(executed) => {
                let by = self.executed.entry(executed.safe_transaction).or_default();
                let of = by.entry(organisation.clone()).or_default();
                way.put(of, (executed.block.time, event.hash()), event);
                if of.is_empty() {
                    by.remove(organisation);
                }
                if by.len() >= needed {
                    self.seen.insert(executed.safe_transaction);
                } else {
                    self.seen.remove(&executed.safe_transaction);
                }
            }
            _ => {}
        }
    }

    /// Who found what by this rule.
    pub(crate) fn by_rule(&self, asset: &AssetId, detector: &DetectorId) -> Option<&ByOrganisation> {
        self.by_rule.get(&(asset.clone(), detector.clone()))
    }

    /// The finding of this hash.
    pub(crate) fn finding(&self, hash: &EventHash) -> Option<&Arc<Verified<Event>>> {
        self.by_hash.get(hash)
    }

    /// Safe transactions that enough organisations saw executed, each with who did.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (&B256, &ByOrganisation)> {
        self.seen.iter().filter_map(|hash| self.executed.get_key_value(hash))
    }
}

/// Events within these block times.
pub(crate) fn within(events: &ByTime, times: RangeInclusive<BlockTime>) -> impl Iterator<Item = &Arc<Verified<Event>>> {
    let (low, high) = (EventHash::from_bytes([0; 32]), EventHash::from_bytes([0xff; 32]));
    let range = (*times.start(), low)..=(*times.end(), high);
    let events = (!times.is_empty()).then(|| events.range(range)).into_iter().flatten();
    events.map(|(_, event)| event)
}
