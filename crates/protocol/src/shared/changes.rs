//! Planned changes by who expects them: as everything derived, a function of the set of events and not of their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::{Charter, Quorum};
use watchfire_types::body::{Body, Change, ChangeSupported};
use watchfire_types::{BlockTime, ChangeId, Event, NetworkId, OperatorId, OrganisationId, Verified};

use super::derived::{ByHash, Way};

/// A change counts for nothing on one organisation's word, whatever the charter's rule says.
const ORGANISATIONS_MIN: usize = 2;

/// Every change of which anything was said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) known: BTreeMap<ChangeId, OfChange>,
    /// Those that enough organisations expect, by the end of their windows.
    pub(crate) met: BTreeSet<(BlockTime, ChangeId)>,
}

/// What was said of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfChange {
    supports: BTreeMap<OrganisationId, ByHash>,
    withdrawals: BTreeMap<OrganisationId, ByHash>,
}

impl OfChange {
    fn supported(event: &Event) -> Option<&ChangeSupported> {
        match &event.body {
            Body::ChangeSupported(supported) => Some(supported),
            _ => None,
        }
    }

    /// The change itself; nothing where it was only withdrawn.
    pub(crate) fn change(&self) -> Option<&Change> {
        let said = self.supports.values().flat_map(BTreeMap::values).next()?;
        Self::supported(said).map(|supported| &supported.change)
    }

    pub(crate) fn withdrew(&self, organisation: &OrganisationId) -> bool {
        self.withdrawals.contains_key(organisation)
    }

    pub(crate) fn withdrawn(&self) -> impl Iterator<Item = &OrganisationId> {
        self.withdrawals.keys()
    }

    /// Organisations that expect it and did not withdraw, each once with one label, however often its members said so: the first by name.
    pub(crate) fn supporters(&self) -> impl Iterator<Item = (&OrganisationId, &OperatorId)> {
        let standing = self.supports.iter().filter(|(organisation, _)| !self.withdrew(organisation));
        standing.filter_map(|(organisation, said)| {
            let labels = said.values().filter_map(|event| Self::supported(event)).map(|said| &said.operator);
            Some((organisation, labels.min()?))
        })
    }

    /// Whether enough organisations expect it: the charter's `tune` rule, and never one organisation alone.
    pub(crate) fn quorum(&self, charter: &Charter) -> Quorum {
        let reached = charter.rules.tune.met_by(charter, self.supporters());
        let supporters = self.supporters().count();
        if reached.is_reached() && supporters < ORGANISATIONS_MIN {
            let organisations = u16::try_from(ORGANISATIONS_MIN - supporters).unwrap_or(u16::MAX);
            return Quorum::Unreached(watchfire_charter::Shortfall { organisations, ..Default::default() });
        }
        reached
    }
}

impl Changes {
    pub(crate) fn support(
        &mut self,
        way: Way,
        (charter, network): (&Charter, NetworkId),
        organisation: &OrganisationId,
        supported: &ChangeSupported,
        event: &Arc<Verified<Event>>,
    ) {
        let id = supported.change.id(network);
        let of = self.known.entry(id).or_default();
        put(way, &mut of.supports, organisation, event);
        self.judge(charter, id, supported.change.closes);
    }

    pub(crate) fn withdraw(
        &mut self,
        way: Way,
        charter: &Charter,
        organisation: &OrganisationId,
        id: ChangeId,
        event: &Arc<Verified<Event>>,
    ) {
        let of = self.known.entry(id).or_default();
        put(way, &mut of.withdrawals, organisation, event);
        let closes = of.change().map(|change| change.closes);
        self.judge(charter, id, closes.unwrap_or_default());
    }

    fn judge(&mut self, charter: &Charter, id: ChangeId, closes: BlockTime) {
        let Some(of) = self.known.get(&id) else { return };
        if of.quorum(charter).is_reached() {
            self.met.insert((closes, id))
        } else {
            self.met.remove(&(closes, id))
        };
        if of.supports.is_empty() && of.withdrawals.is_empty() {
            self.known.remove(&id);
        }
    }
}

fn put(
    way: Way,
    map: &mut BTreeMap<OrganisationId, ByHash>,
    organisation: &OrganisationId,
    event: &Arc<Verified<Event>>,
) {
    let of = map.entry(organisation.clone()).or_default();
    way.put(of, event.hash(), event);
    if of.is_empty() {
        map.remove(organisation);
    }
}
