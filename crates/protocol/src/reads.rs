//! What the view asks of every block of a chain.

use std::collections::BTreeSet;

use watchfire_charter::live::{GUARD_SLOT, MODULE_GUARD_SLOT};
use watchfire_charter::{Charter, PlaybookPurpose, Safe};
use watchfire_types::{Bytes, ChainId, Read};

/// First four bytes of the Keccak-256 of `nonce()`, `getOwners()` and `getThreshold()`.
const NONCE: [u8; 4] = [0xaf, 0xfe, 0xd0, 0xe0];
const OWNERS: [u8; 4] = [0xa0, 0xe6, 0x7e, 0x2b];
const THRESHOLD: [u8; 4] = [0xe7, 0x52, 0x35, 0xb8];

fn call(safe: &Safe, selector: &'static [u8; 4]) -> Read {
    Read::Call { to: safe.address, data: Bytes::from_static(selector) }
}

pub(crate) fn nonce(safe: &Safe) -> Read {
    call(safe, &NONCE)
}

pub(crate) fn owners(safe: &Safe) -> Read {
    call(safe, &OWNERS)
}

pub(crate) fn threshold(safe: &Safe) -> Read {
    call(safe, &THRESHOLD)
}

pub(crate) fn guard(safe: &Safe) -> Read {
    Read::Storage { account: safe.address, slot: GUARD_SLOT }
}

pub(crate) fn module_guard(safe: &Safe) -> Read {
    Read::Storage { account: safe.address, slot: MODULE_GUARD_SLOT }
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

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    #[test]
    fn selectors_and_slots_are_the_hashes_of_their_names() {
        let selectors = [(NONCE, "nonce()"), (OWNERS, "getOwners()"), (THRESHOLD, "getThreshold()")];
        for (selector, signature) in selectors {
            assert_eq!(selector, keccak256(signature)[..4], "{signature}");
        }
        assert_eq!(GUARD_SLOT, keccak256("guard_manager.guard.address"));
        assert_eq!(MODULE_GUARD_SLOT, keccak256("module_manager.module_guard.address"));
    }
}
