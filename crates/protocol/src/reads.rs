//! What the view asks of every block of a chain.

use std::collections::BTreeSet;

use alloy_primitives::{B256, keccak256};
use watchfire_charter::{Charter, PlaybookPurpose, Safe};
use watchfire_types::{Bytes, ChainId, Read};

/// Slot of a Safe's transaction guard, since 1.3.0: `keccak256("guard_manager.guard.address")`.
#[must_use]
pub fn guard_slot() -> B256 {
    keccak256(b"guard_manager.guard.address")
}

/// Slot of a Safe's module guard, since 1.5.0: `keccak256("module_manager.module_guard.address")`.
#[must_use]
pub fn module_guard_slot() -> B256 {
    keccak256(b"module_manager.module_guard.address")
}

fn call(safe: &Safe, signature: &str) -> Read {
    let selector = keccak256(signature.as_bytes());
    Read::Call { to: safe.address, data: Bytes::copy_from_slice(&selector[..4]) }
}

pub(crate) fn nonce(safe: &Safe) -> Read {
    call(safe, "nonce()")
}

pub(crate) fn owners(safe: &Safe) -> Read {
    call(safe, "getOwners()")
}

pub(crate) fn threshold(safe: &Safe) -> Read {
    call(safe, "getThreshold()")
}

pub(crate) fn guard(safe: &Safe) -> Read {
    Read::Storage { account: safe.address, slot: guard_slot() }
}

pub(crate) fn module_guard(safe: &Safe) -> Read {
    Read::Storage { account: safe.address, slot: module_guard_slot() }
}

/// Nonce, owners, threshold and both guard slots of every Safe of the chain, every postcondition and `stays` of every playbook there, and the
/// code of what packs several calls.
#[must_use]
pub fn reads(charter: &Charter, chain: ChainId) -> BTreeSet<Read> {
    let safes = charter.safes.values().filter(|safe| safe.chain == chain);
    let of_safes = safes.flat_map(|safe| [nonce(safe), owners(safe), threshold(safe), guard(safe), module_guard(safe)]);
    let pinned = charter.chains.get(&chain).and_then(|chain| chain.multi_send_call_only);
    let code = pinned.map(|pinned| Read::CodeHash { account: pinned.address });
    of_safes.chain(charter.condition_reads(chain)).chain(code).collect()
}

/// How far back a starting node must look for the certificates that may still authorise something on a chain, s: the longest life of one of
/// containment. Their evidence counts only where the own view holds the block. Recoveries live up to days; people ask for one again.
#[must_use]
pub fn lookback_s(charter: &Charter, chain: ChainId) -> u64 {
    let contain = charter.playbooks.values().filter(|playbook| playbook.purpose == PlaybookPurpose::Contain);
    let on_chain =
        contain.filter(|playbook| charter.assets.get(&playbook.asset).is_some_and(|asset| asset.chain == chain));
    on_chain.map(|playbook| playbook.expiry_s).max().unwrap_or_default()
}
