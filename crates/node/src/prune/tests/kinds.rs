//! What stays whatever its age, by its kind alone.

use watchfire_protocol::Machine;
use watchfire_types::body::{Authority, CoSignature, Decision};
use watchfire_types::{Address, Bytes, SafeTransaction, StepIndex, U256};

use super::*;
use crate::prune::keep::Keeper;

/// A co-signature may still be at large, and an epoch's beginning names what came before; words of people go with their incident.
#[test]
fn what_binds_stays() {
    let author = Author::new("birch-1", 2, 0xb1, LONG_AGO);
    let machine =
        Machine::new(charter(), charter().network_id(), member("alder-1"), Epoch::from_bytes([1; 16])).unwrap();
    let keeper = Keeper::new(&machine, &[], 0, Timestamp::from_millis(NOW));
    let keeps = |event: watchfire_types::Unverified| keeper.keeps(&event.verify(charter().network_id()).unwrap());
    let block = BlockRef { chain: ChainId::new(31_337), number: 1, hash: B256::ZERO, time: BlockTime::from_secs(1) };
    let (version, asset, playbook) =
        (charter().version, "vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
    let decision = Decision { version, asset, playbook };
    let co_signature = Body::CoSignature(CoSignature {
        version,
        authority: Authority::Step { decision, step: StepIndex::new(1), certificate: B256::ZERO },
        chain: ChainId::new(31_337),
        safe: Address::repeat_byte(2),
        transaction: SafeTransaction::call(Address::repeat_byte(3), Bytes::new(), U256::ZERO),
        omitted: BTreeSet::new(),
        agreed: block,
        signature: [1; 65],
    });
    assert!(keeps(author.sealed(co_signature)));
    let (charter_version, charter_digest) = (version, charter().digest());
    let started = Started { earlier: Vec::new(), charter_version, charter_digest, software: "test".into() };
    assert!(keeps(author.sealed(Body::Started(started))));
    assert!(!keeps(author.sealed(finding(LONG_AGO / 1_000))));
}
