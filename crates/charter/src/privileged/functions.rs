//! Functions by which somebody with authority uses it, so that a call of one can be told before it is made: in a proposal, or in a timelock.
//!
//! Of the same projects as the events. As they do, the list is closed: nodes that know different functions say different things.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, keccak256};
use watchfire_types::body::Selector;

use super::Privilege::{self, Admin, Fee, Mint, Owner, Parameter, Role, Upgrade};

/// What each changes, with its canonical signature.
pub const FUNCTIONS: &[(Privilege, &str)] = &[
    (Owner, "transferOwnership(address)"),
    (Owner, "renounceOwnership()"),
    (Owner, "setOwner(address)"),
    (Owner, "setAuthority(address)"),
    (Owner, "updateAuthority(address,address)"),
    (Owner, "addOwnerWithThreshold(address,uint256)"),
    (Owner, "removeOwner(address,address,uint256)"),
    (Owner, "swapOwner(address,address,address)"),
    (Owner, "changeThreshold(uint256)"),
    (Role, "grantRole(bytes32,address)"),
    (Role, "revokeRole(bytes32,address)"),
    (Role, "renounceRole(bytes32,address)"),
    (Role, "grantRole(uint64,address,uint32)"),
    (Role, "revokeRole(uint64,address)"),
    (Role, "setRoleAdmin(bytes32,bytes32)"),
    (Role, "setRoleAdmin(uint64,uint64)"),
    (Role, "setRoleGuardian(uint64,uint64)"),
    (Role, "setGrantDelay(uint64,uint32)"),
    (Role, "setTargetFunctionRole(address,bytes4[],uint64)"),
    (Role, "setTargetAdminDelay(address,uint32)"),
    (Role, "setTargetClosed(address,bool)"),
    (Role, "beginDefaultAdminTransfer(address)"),
    (Role, "changeDefaultAdminDelay(uint48)"),
    (Role, "addMinter(address)"),
    (Role, "updateMasterMinter(address)"),
    (Role, "updatePauser(address)"),
    (Role, "setPauser(address)"),
    (Role, "setGuardian(address)"),
    (Role, "_setPauseGuardian(address)"),
    (Role, "setPauseGuardian(address)"),
    (Role, "addPoolAdmin(address)"),
    (Role, "addEmergencyAdmin(address)"),
    (Role, "removeEmergencyAdmin(address)"),
    (Role, "addRiskAdmin(address)"),
    (Role, "addBridge(address)"),
    (Role, "setACLManager(address)"),
    (Role, "setACLAdmin(address)"),
    (Role, "enableModule(address)"),
    (Role, "disableModule(address,address)"),
    (Role, "setGuard(address)"),
    (Role, "setFallbackHandler(address)"),
    (Upgrade, "upgradeTo(address)"),
    (Upgrade, "upgradeToAndCall(address,bytes)"),
    (Upgrade, "upgrade(address,address)"),
    (Upgrade, "upgradeAndCall(address,address,bytes)"),
    (Upgrade, "setImplementation(address)"),
    (Upgrade, "_setImplementation(address)"),
    (Upgrade, "_setImplementation(address,bool,bytes)"),
    (Upgrade, "diamondCut((address,uint8,bytes4[])[],address,bytes)"),
    (Upgrade, "setPoolImpl(address)"),
    (Upgrade, "setPoolConfiguratorImpl(address)"),
    (Upgrade, "setAddressAsProxy(bytes32,address)"),
    (Upgrade, "setAddress(bytes32,address)"),
    (Upgrade, "deployAndUpgradeTo(address,address)"),
    (Admin, "changeAdmin(address)"),
    (Admin, "changeProxyAdmin(address,address)"),
    (Admin, "setAdmin(address)"),
    (Admin, "setPendingAdmin(address)"),
    (Admin, "_setPendingAdmin(address)"),
    (Admin, "acceptAdmin()"),
    (Admin, "_acceptAdmin()"),
    (Admin, "updateDelay(uint256)"),
    (Admin, "setDelay(uint256)"),
    (Admin, "updateTimelock(address)"),
    (Admin, "setGovernor(address)"),
    (Admin, "transferGovernance(address)"),
    (Parameter, "setPriceOracle(address)"),
    (Parameter, "_setPriceOracle(address)"),
    (Parameter, "setAssetSources(address[],address[])"),
    (Parameter, "setFallbackOracle(address)"),
    (Parameter, "setPriceOracleSentinel(address)"),
    (Parameter, "_setCollateralFactor(address,uint256)"),
    (Parameter, "_setCloseFactor(uint256)"),
    (Parameter, "_setLiquidationIncentive(uint256)"),
    (Parameter, "_setInterestRateModel(address)"),
    (Parameter, "_setComptroller(address)"),
    (Parameter, "_supportMarket(address)"),
    (Parameter, "configureReserveAsCollateral(address,uint256,uint256,uint256)"),
    (Parameter, "setSupplyCap(address,uint256)"),
    (Parameter, "setBorrowCap(address,uint256)"),
    (
        Parameter,
        "setConfiguration(address,(address,address,address,address,address,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint104,uint104,uint104,(address,address,uint8,uint64,uint64,uint64,uint128)[]))",
    ),
    (Parameter, "setVotingDelay(uint48)"),
    (Parameter, "setVotingDelay(uint256)"),
    (Parameter, "setVotingPeriod(uint32)"),
    (Parameter, "setVotingPeriod(uint256)"),
    (Parameter, "setProposalThreshold(uint256)"),
    (Parameter, "updateQuorumNumerator(uint256)"),
    (Parameter, "setPeer(uint32,bytes32)"),
    (Mint, "mint(address,uint256)"),
    (Mint, "configureMinter(address,uint256)"),
    (Mint, "issue(uint256)"),
    (Fee, "_setReserveFactor(uint256)"),
    (Fee, "setReserveFactor(address,uint256)"),
    (Fee, "updateFlashloanPremiumTotal(uint128)"),
    (Fee, "updateFlashloanPremiumToProtocol(uint128)"),
    (Fee, "setLiquidationProtocolFee(address,uint256)"),
    (Fee, "setFeeProtocol(uint8,uint8)"),
];

/// The functions by selector.
#[must_use]
pub fn by_selector() -> BTreeMap<Selector, (Privilege, &'static str)> {
    let selector = |signature: &str| {
        let [a, b, c, d, ..] = keccak256(signature).0;
        Selector([a, b, c, d])
    };
    FUNCTIONS.iter().map(|(privilege, signature)| (selector(signature), (*privilege, *signature))).collect()
}

/// First words of a call's arguments that may name what it is about.
const ARGUMENTS_MAX: usize = 8;

/// Which of what is watched a call is about: its target, or else, where its function is known, the first that its first eight arguments name (an
/// admin contract that upgrades a proxy). `arguments` is the call data behind the selector.
#[must_use]
pub fn concerned(watched: &BTreeSet<Address>, target: Address, is_known: bool, arguments: &[u8]) -> Option<Address> {
    if watched.contains(&target) {
        return Some(target);
    }
    let words = if is_known { arguments } else { &[] }.chunks_exact(32).take(ARGUMENTS_MAX);
    let mut named = words.filter_map(|word| {
        let (padding, address) = word.split_last_chunk::<20>()?;
        padding.iter().all(|byte| *byte == 0).then(|| Address::from(*address))
    });
    named.find(|address| watched.contains(address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::privileged::selector_of;

    /// Every entry is a function as Solidity writes it, and no two are taken for each other.
    #[test]
    fn every_function_is_canonical_and_its_own() {
        let all = by_selector();
        assert_eq!(all.len(), FUNCTIONS.len());
        for (privilege, signature) in FUNCTIONS {
            let (selector, canonical) = selector_of(signature).unwrap();
            assert_eq!((canonical.as_str(), all[&selector]), (*signature, (*privilege, *signature)));
        }
        // Known from the contracts themselves.
        assert_eq!(all[&Selector([0xf2, 0xfd, 0xe3, 0x8b])].1, "transferOwnership(address)");
        assert_eq!(all[&Selector([0x36, 0x59, 0xcf, 0xe6])].1, "upgradeTo(address)");
        assert_eq!(all[&Selector([0x2f, 0x2f, 0xf1, 0x5d])].1, "grantRole(bytes32,address)");
        assert_eq!(all[&Selector([0x40, 0xc1, 0x0f, 0x19])].1, "mint(address,uint256)");
    }
}
