//! Promotions of rules by who supports them: a function of the set of events, as everything derived.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_charter::{Charter, Quorum, Shortfall};
use watchfire_types::body::{Body, PromotionSupported};
use watchfire_types::{AssetId, BlockTime, DetectorId, Event, OperatorId, OrganisationId, Verified};

use super::derived::Way;
use super::fired::ByOrganisation;

/// A promotion counts for nothing on one organisation's word, whatever the charter's rule says.
const ORGANISATIONS_MIN: usize = 2;

/// Every promotion of which anything was said: by rule and organisation, in the order of the closes through which they forgive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promotions(BTreeMap<(AssetId, DetectorId), ByOrganisation>);

impl Promotions {
    pub(crate) fn put(
        &mut self,
        way: Way,
        organisation: &OrganisationId,
        said: &PromotionSupported,
        event: &Arc<Verified<Event>>,
    ) {
        let rule = self.0.entry((said.asset.clone(), said.detector.clone())).or_default();
        let of = rule.entry(organisation.clone()).or_default();
        way.put(of, (said.through, event.hash()), event);
    }

    /// Who wants a rule promoted that an incident closed at this time demoted: whoever forgives a later one forgives this one too. Each once,
    /// with the label of what it said of the latest close.
    pub(crate) fn supporters(
        &self,
        asset: &AssetId,
        detector: &DetectorId,
        closed_at: BlockTime,
    ) -> BTreeMap<&OrganisationId, &OperatorId> {
        let rule = self.0.get(&(asset.clone(), detector.clone())).into_iter().flatten();
        let supporters = rule.filter_map(|(organisation, said)| {
            let ((through, _), event) = said.last_key_value()?;
            match &event.body {
                Body::PromotionSupported(said) if *through >= closed_at => Some((organisation, &said.operator)),
                _ => None,
            }
        });
        supporters.collect()
    }

    /// Whether enough organisations want it: the charter's `contain` rule, and never one organisation alone. Whoever may pause together may let
    /// machines do it again.
    pub(crate) fn quorum(
        &self,
        charter: &Charter,
        asset: &AssetId,
        detector: &DetectorId,
        closed_at: BlockTime,
    ) -> Quorum {
        let supporters = self.supporters(asset, detector, closed_at);
        let found = supporters.len();
        let reached = charter.rules.contain.met_by(charter, supporters);
        if reached.is_reached() && found < ORGANISATIONS_MIN {
            let organisations = u16::try_from(ORGANISATIONS_MIN - found).unwrap_or(u16::MAX);
            return Quorum::Unreached(Shortfall { organisations, ..Default::default() });
        }
        reached
    }
}
