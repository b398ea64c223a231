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

fn attested(can_pause: bool) -> Body {
    let head = BlockRef {
        chain: ChainId::new(31_337),
        number: 1,
        hash: B256::ZERO,
        time: BlockTime::from_secs(LONG_AGO / 1_000),
    };
    let (asset, detail) = ("vault-core".parse().unwrap(), String::new());
    Body::Attested(body::Attested { asset, can_pause, detail, head, scanned_from: 1 })
}

fn checked(holds: bool) -> Body {
    let block = BlockRef {
        chain: ChainId::new(31_337),
        number: 1,
        hash: B256::ZERO,
        time: BlockTime::from_secs(LONG_AGO / 1_000),
    };
    let (asset, playbook) = ("vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
    Body::PostconditionChecked(body::PostconditionChecked { asset, playbook, step: StepIndex::new(1), holds, block })
}

/// Which of these records a pruning of everything old keeps for what they say.
fn kept(records: &[Vec<u8>]) -> Vec<bool> {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(FileStorage::open(&directory.path().join("journal")).unwrap(), SMALL).unwrap();
    for record in records {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let machine = look(directory.path(), &charter(), &member("alder-1"), |_| {}).unwrap().machine;
    let keeper = Keeper::new(&machine, &[], 0, Timestamp::from_millis(NOW), Store::look(directory.path()));
    let held = |record: &Vec<u8>| {
        let event = decode_signed(Bytes::copy_from_slice(record)).unwrap().verify(charter().network_id()).unwrap();
        assert!(machine.events().any(|known| known.hash() == event.hash()), "{event:?}");
        keeper.keeps(&event)
    };
    records.iter().map(held).collect()
}

/// The last word about what is said only when it changes stays, where the author's clock went back too: within an epoch, and from one to the next.
#[test]
fn the_last_word_is_not_the_clocks_to_tell() {
    let mut first = Author::new("alder-1", 1, 0xa2, LONG_AGO);
    let mut records = vec![first.start(&[]), first.say(attested(true)), first.say(checked(true))];
    first.time -= 5_000_000;
    records.extend([first.say(attested(false)), first.say(checked(false))]);
    assert_eq!(kept(&records), [true, false, false, true, true], "within an epoch");

    first.time += 9_000_000;
    records.extend([first.say(attested(true)), first.say(checked(true))]);
    let mut second = Author::new("alder-1", 1, 0xa1, LONG_AGO - 20_000_000);
    records.extend([second.start(&[&first]), second.say(attested(false))]);
    let both = [true, false, false, false, false, false, true, true, true];
    assert_eq!(kept(&records), both, "what only the first epoch spoke of is its last word");

    // Begun from an older copy of the directory: it knows nothing of the second.
    let mut third = Author::new("alder-1", 1, 0xa3, LONG_AGO - 90_000_000);
    records.extend([third.start(&[&first]), third.say(attested(true)), third.say(attested(false))]);
    let three = [&both[..], &[true, false, true]].concat();
    assert_eq!(kept(&records), three, "of two that know nothing of each other both stay");
}
