//! What stays whatever its age, by its kind alone.

use watchfire_protocol::Machine;
use watchfire_types::body::{AccessAction, Authority, CoSignature, Decision};
use watchfire_types::{Address, Bytes, SafeTransaction, StepIndex, U256};

use super::*;
use crate::evidence::store::Store;
use crate::prune::keep::Keeper;

/// A co-signature may still be at large, and an epoch's beginning names what came before; words of people go with their incident.
#[test]
fn what_binds_stays() {
    let author = Author::new("birch-1", 2, 0xb1, LONG_AGO);
    let machine =
        Machine::new(charter(), charter().network_id(), member("alder-1"), Epoch::from_bytes([1; 16])).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let keeper = Keeper::new(&machine, &[], 0, Timestamp::from_millis(NOW), Store::look(directory.path()));
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

/// What says where an object came from, and who had it, stays for as long as the object is here.
#[test]
fn custody_stays_with_its_object() {
    use crate::evidence::fixture::{accessed, collected, incident};

    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let (held, gone) = (store.put(b"held").unwrap(), B256::repeat_byte(7));
    let machine =
        Machine::new(charter(), charter().network_id(), member("alder-1"), Epoch::from_bytes([1; 16])).unwrap();
    let keeper = Keeper::new(&machine, &[], 0, Timestamp::from_millis(NOW), store);
    for (objects, stays) in [(vec![gone, held], true), (vec![gone], false)] {
        let object = *objects.last().unwrap();
        assert_eq!(keeper.keeps(&collected(2, incident(1), &objects, 4)), stays);
        assert_eq!(keeper.keeps(&accessed(3, incident(1), AccessAction::Copied, object)), stays);
    }
}
