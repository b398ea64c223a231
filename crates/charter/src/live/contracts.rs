//! What called and protected contracts say: that they exist, that their conditions can be read, and which power over them
//! the Safe has beyond the pause.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256};
use watchfire_types::{AssetId, ChainId, Read, ReadOutcome};

use super::{Answers, Concern, Facts, call};
use crate::catalogue::ACCESS_MANAGER_CLOSE;
use crate::model::{Action, Charter, Detector, Playbook};
use crate::parse::detectors::ADMIN;

fn actions(charter: &Charter, chain: ChainId) -> impl Iterator<Item = (&Playbook, &Action)> {
    let all = charter.playbooks.values().flat_map(|playbook| playbook.actions().map(move |action| (playbook, action)));
    all.filter(move |(_, action)| action.chain == chain)
}

fn owner_read(contract: Address) -> Read {
    call(contract, "owner()", &[])
}

/// OpenZeppelin AccessControl: DEFAULT_ADMIN_ROLE is zero.
fn admin_role_read(contract: Address, account: Address) -> Read {
    call(contract, "hasRole(bytes32,address)", &[B256::ZERO, account.into_word()])
}

fn proxy_admin_read(contract: Address) -> Read {
    Read::Storage { account: contract, slot: ADMIN }
}

/// OpenZeppelin AccessManager: the delay on closing a target, and the Safe's own execution delay as its ADMIN_ROLE (0).
fn delay_reads(charter: &Charter, action: &Action) -> Option<(Read, Read)> {
    let closed = action.calldata.get(4..36).filter(|_| action.catalogue == ACCESS_MANAGER_CLOSE)?;
    let safe = charter.safes.get(&action.safe)?.address;
    let target = call(action.target, "getTargetAdminDelay(address)", &[B256::from_slice(closed)]);
    Some((target, call(action.target, "hasRole(uint64,address)", &[B256::ZERO, safe.into_word()])))
}

/// Contracts whose ownership is looked at, each with the Safes that act on its chain.
fn protected(charter: &Charter, chain: ChainId) -> BTreeSet<Address> {
    let assets = charter.assets.values().filter(|asset| asset.chain == chain).flat_map(|asset| &asset.contracts);
    assets.copied().chain(actions(charter, chain).map(|(_, action)| action.target)).collect()
}

pub(super) fn reads(charter: &Charter, chain: ChainId, reads: &mut BTreeSet<Read>) {
    for contract in protected(charter, chain) {
        reads.extend([Read::CodeHash { account: contract }, owner_read(contract), proxy_admin_read(contract)]);
        let safes = charter.safes.values().filter(|safe| safe.chain == chain);
        reads.extend(safes.map(|safe| admin_role_read(contract, safe.address)));
    }
    for (_, action) in actions(charter, chain) {
        reads.extend(delay_reads(charter, action).into_iter().flat_map(|(target, caller)| [target, caller]));
        reads.extend(action.conditions().map(|condition| condition.read.clone()));
    }
    for detector in charter.detectors.values() {
        reads.extend(watched(charter, chain, detector).map(|(_, read)| read.clone()));
    }
}

/// The calls that a detector asks of a chain: its asset's, or that of the other asset that it looks at.
fn watched<'a>(
    charter: &'a Charter,
    chain: ChainId,
    detector: &'a Detector,
) -> impl Iterator<Item = (&'a str, &'a Read)> {
    let here = move |asset: &AssetId| charter.assets.get(asset).is_some_and(|asset| asset.chain == chain);
    let own = detector.watch.calls().filter(move |_| here(&detector.asset));
    let elsewhere = detector.watch.elsewhere().filter(move |(asset, _)| here(asset));
    own.chain(elsewhere.and_then(|(_, call)| call))
}

pub(super) fn judge(charter: &Charter, chain: ChainId, answers: Answers<'_>, facts: &mut Facts) {
    for (playbook, action) in actions(charter, chain) {
        called(charter, playbook, action, answers, facts);
    }
    for (id, asset) in charter.assets.iter().filter(|(_, asset)| asset.chain == chain) {
        for contract in &asset.contracts {
            if answers.has_code(*contract) == Some(false) {
                facts.fault("no-contract", format!("{id}: no contract at {contract}"), &Concern::asset(id));
            }
        }
        let Some(named) = asset.owner else { continue };
        for contract in &asset.contracts {
            let owner = answers.address(&owner_read(*contract)).filter(|owner| *owner != named);
            if let Some(owner) = owner {
                let text = format!("{id}: owner of {contract} is {owner} on chain, {named} in the charter");
                facts.fault("asset-owner-differs", text, &Concern::asset(id));
            }
        }
    }
    powers(charter, chain, answers, facts);
    for (id, detector) in &charter.detectors {
        let calls = watched(charter, chain, detector);
        for (what, _) in calls.filter(|(_, read)| matches!(answers.outcome(read), Some(ReadOutcome::Reverted(_)))) {
            let text = format!("detector {id}: {what} cannot be read, the call reverts");
            facts.fault("detector-unreadable", text, &Concern::asset(&detector.asset));
        }
    }
}

fn called(charter: &Charter, playbook: &Playbook, action: &Action, answers: Answers<'_>, facts: &mut Facts) {
    let about = Concern { safe: Some(action.safe.clone()), assets: BTreeSet::from([playbook.asset.clone()]) };
    let (function, target) = (&action.function, action.target);
    if answers.has_code(target) == Some(false) {
        let text = format!("{function} goes to {target}, which has no code: it would succeed and do nothing");
        facts.fault("no-contract", text, &about);
    }
    for condition in action.conditions() {
        let problem = match answers.outcome(&condition.read) {
            Some(ReadOutcome::Reverted(_)) => "the call reverts",
            Some(ReadOutcome::Value(value)) if value.len() != condition.equals.len() => "the answer has another type",
            Some(ReadOutcome::Value(_) | ReadOutcome::Unavailable(_)) | None => continue,
        };
        let text = format!("condition {} of {function} on {target} cannot be read: {problem}", condition.text);
        facts.fault("condition-unreadable", text, &about);
    }
    let Some((target_delay, caller)) = delay_reads(charter, action) else { return };
    let caller = answers.value(&caller).filter(|bytes| bytes.len() == 64);
    let execution = caller.map_or(U256::ZERO, |bytes| U256::from_be_slice(&bytes[32..]));
    let delay = answers.word(&target_delay).unwrap_or_default().max(execution);
    if delay > U256::from(action.delayed_s) {
        let text =
            format!("{function} on {target} only schedules: it is delayed by {delay} s and contains nothing before");
        facts.fault("delayed", text, &about);
    }
    if caller.is_some_and(|bytes| U256::from_be_slice(&bytes[..32]).is_zero()) {
        let text = format!("Safe {} is no admin of {target}: {function} would revert", action.safe);
        facts.fault("no-role", text, &about);
    }
}

/// Power of a guardian Safe over contracts beyond the pause: ownership, proxy administration, the default admin role.
fn powers(charter: &Charter, chain: ChainId, answers: Answers<'_>, facts: &mut Facts) {
    for contract in protected(charter, chain) {
        for (id, safe) in charter.safes.iter().filter(|(_, safe)| safe.chain == chain) {
            let owns = answers.address(&owner_read(contract)) == Some(safe.address);
            let administers = answers.address(&proxy_admin_read(contract)) == Some(safe.address);
            let grants = answers.word(&admin_role_read(contract, safe.address)) == Some(U256::from(1));
            for (held, power) in [(owns, "owns"), (administers, "is proxy admin of"), (grants, "is default admin of")] {
                if held {
                    let text = format!("{id}: {power} {contract}: give it the right to pause and nothing else");
                    facts.warn("power-beyond-pause", text, &Concern::safe(charter, id));
                }
            }
        }
    }
}

pub(super) fn changes(
    charter: &Charter,
    chain: ChainId,
    (before, after): (Answers<'_>, Answers<'_>),
    facts: &mut Facts,
) {
    for (playbook, action) in actions(charter, chain) {
        let read = Read::CodeHash { account: action.target };
        if let (Some(old), Some(new)) = (before.word(&read), after.word(&read))
            && old != new
        {
            let text = format!("the code of {}, which a playbook calls, changed", action.target);
            facts.warn("code-changed", text, &Concern::asset(&playbook.asset));
        }
    }
}
