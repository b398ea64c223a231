//! A charter without people, to try rules with that stand in none.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use watchfire_types::{AssetId, ChainId, CharterDigest, CharterVersion, DetectorId};

use crate::model::{Asset, Chain, Charter, Criticality, Detector, Finality, Route, Rule, Rules};

impl Charter {
    /// These detectors on one chain; each asset that they name is made of `contracts`. It has no members, so that nothing can come of what they
    /// find, and no digest of its own: it is for replays alone.
    #[must_use]
    pub fn trial(detectors: BTreeMap<DetectorId, Detector>, chain: ChainId, contracts: &BTreeSet<Address>) -> Self {
        let asset = |id: &AssetId| Asset {
            name: id.to_string(),
            chain,
            contracts: contracts.clone(),
            internal: BTreeSet::new(),
            owner: None,
            dependencies: BTreeSet::new(),
            criticality: Criticality::Low,
            rto_s: 0,
            rpo_s: 0,
        };
        let named = |detector: &Detector| {
            let elsewhere = detector.watch.elsewhere().map(|(elsewhere, _)| elsewhere.clone());
            [Some(detector.asset.clone()), elsewhere].into_iter().flatten()
        };
        let assets = detectors.values().flat_map(named).map(|id| (id.clone(), asset(&id))).collect();
        let facts = Chain {
            name: "trial".to_owned(),
            block_time_ms: 1,
            finality: Finality::Finalized,
            gas_cap: 0,
            route: Route::Public,
            stagger_ms_min: 0,
            multi_send_call_only: None,
        };
        Self {
            name: "trial".to_owned(),
            version: CharterVersion::new(1),
            drill: false,
            organisations: BTreeMap::new(),
            members: BTreeMap::new(),
            chains: BTreeMap::from([(chain, facts)]),
            safes: BTreeMap::new(),
            assets,
            rules: Rules::least(),
            playbooks: BTreeMap::new(),
            detectors,
            severities: Vec::new(),
            network: None,
            digest: CharterDigest::from_bytes([0; 32]),
            by_key: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// Anybody alone may do anything: where nobody acts on it.
    pub(crate) fn least() -> Self {
        let rule = || Rule { organisations: 1, operators: 1, roles: BTreeMap::new() };
        Self { contain: rule(), extend: rule(), recover: rule(), amend: rule(), tune: rule() }
    }
}
