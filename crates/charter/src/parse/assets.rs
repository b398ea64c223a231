//! Assets: groups of contracts that are contained together.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use watchfire_types::AssetId;
use watchfire_types::bounds::ASSETS_MAX;

use super::chains::Safes;
use super::references::{Declared, address, refer, refer_chain, unique};
use crate::model::{Asset, Criticality};
use crate::reader::{Section, Value};

const CONTRACTS_MAX: usize = 256;
const YEAR_S: u64 = 366 * 24 * 3600;

/// Reads `[[asset]]`.
pub(crate) fn read(root: &mut Section<'_>, declared: &Declared, safes: &Safes) -> BTreeMap<AssetId, Asset> {
    let mut assets = BTreeMap::new();
    for mut section in root.sections("asset", ASSETS_MAX) {
        let id = section.parsed::<AssetId>("id", "a short name such as vault-core");
        if let Some(id) = &id {
            unique(&section, id, &declared.assets);
        }
        let asset = asset(&mut section, declared, safes, id.as_ref());
        section.finish();
        if let (Some(id), Some(asset)) = (id, asset) {
            assets.insert(id, asset);
        }
    }
    assets
}

fn asset(section: &mut Section<'_>, declared: &Declared, safes: &Safes, id: Option<&AssetId>) -> Option<Asset> {
    let name = section.text("name", "the asset's name");
    let chain = section.need("chain", "a declared chain's id").and_then(|value| refer_chain(&value, declared));
    let mut contracts: BTreeSet<Address> = BTreeSet::new();
    if let Some(values) = section.need("contracts", "a list of addresses").and_then(|value| value.list(CONTRACTS_MAX)) {
        if values.is_empty() {
            let at = section.place_of("contracts");
            section.log.fault(&at, "empty", "an asset has at least one contract", "name the contracts to contain");
        }
        for value in &values {
            let Some(contract) = address(value) else { continue };
            if chain.is_some_and(|chain| safes.addresses.contains(&(chain, contract))) {
                value.fault(
                    "safe-as-asset",
                    format!("{contract} is a guardian Safe"),
                    "keep what you protect off the Safe",
                );
            }
            contracts.insert(contract);
        }
    }
    let internal = section.values("internal", CONTRACTS_MAX).iter().filter_map(address).collect();
    let owner = section.get("owner").map_or(Some(None), |value| address(&value).map(Some));
    let mut dependencies = BTreeSet::new();
    for value in section.values("dependencies", 64) {
        let Some(other) = refer::<AssetId>(&value, &declared.assets, "asset") else { continue };
        if Some(&other) == id {
            value.fault("self-dependency", "an asset does not depend on itself", "remove it");
        }
        dependencies.insert(other);
    }
    let criticality = section.need("criticality", "low, medium, high or critical").and_then(|v| criticality(&v));
    let rto_s = section.number("rto_s", 1..=YEAR_S, "recovery time objective in seconds");
    let rpo_s = section.number("rpo_s", 0..=YEAR_S, "recovery point objective in seconds");
    Some(Asset {
        name: name?,
        chain: chain?,
        contracts,
        internal,
        owner: owner?,
        dependencies,
        criticality: criticality?,
        rto_s: rto_s?,
        rpo_s: rpo_s?,
    })
}

fn criticality(value: &Value<'_>) -> Option<Criticality> {
    match value.text()?.as_str() {
        "low" => Some(Criticality::Low),
        "medium" => Some(Criticality::Medium),
        "high" => Some(Criticality::High),
        "critical" => Some(Criticality::Critical),
        other => {
            value.fault("malformed", format!("{other:?} is no criticality"), "write low, medium, high or critical");
            None
        }
    }
}
