//! A node that goes on from a pruned log.

use watchfire_driver::{Driver, KeyError, Keys};
use watchfire_types::{Address, SafeTransaction, SafeVersion};
use watchfire_wire::CatchUpRequest;

use super::*;

struct TestKeys(SigningKey);

impl Keys for TestKeys {
    fn author(&self) -> MemberKey {
        MemberKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, input: &[u8]) -> [u8; 64] {
        self.0.sign(input).to_bytes()
    }

    fn sign_statement(&self, statement: Statement<'_>) -> [u8; 64] {
        self.0.sign(statement.text().as_bytes()).to_bytes()
    }

    fn guardian(&self) -> Option<Address> {
        None
    }

    fn co_sign(&self, _: SafeVersion, _: ChainId, _: Address, _: &SafeTransaction) -> Result<[u8; 65], KeyError> {
        Err(KeyError::NoGuardian)
    }
}

fn driver(place: &Place) -> Driver<FileStorage, TestKeys> {
    let storage = FileStorage::open(&place.path().join("journal")).unwrap();
    let journal = Journal::open(storage, SMALL).unwrap();
    let keys = TestKeys(SigningKey::from_bytes(&[1; 32]));
    let epoch = Epoch::from_bytes([0xa3; 16]);
    let (charter, now) = (charter(), Timestamp::from_millis(NOW));
    let network = charter.network_id();
    Driver::open(journal, keys, charter, network, member("alder-1"), epoch, now).unwrap().0
}

/// A node goes on from a pruned log: it asks for nothing that it pruned, names its whole past, and tells those who lack it what it no longer
/// holds; what the bases say survives the next pruning.
#[test]
fn a_node_goes_on_from_what_is_left() {
    let place = place([true, true]);
    let heads = place.look().machine.heads();
    let outcome = place.pruned();
    let mut node = driver(&place);
    // It proves the liar's fork at once, as it would have before.
    let asked = node.catch_up_request();
    let named: BTreeMap<_, _> = asked.vector.iter().map(|at| ((at.author, at.epoch), (at.seq, at.hash))).collect();
    assert!(heads.iter().all(|(key, head)| named.get(key) == Some(head)), "it asks for what follows");

    let birch = charter().members[&member("birch-1")].node_key;
    let base = node.machine().base(birch, Epoch::from_bytes([0xb1; 16])).unwrap();
    let answer = node.answer_catch_up(&CatchUpRequest::default(), |error| panic!("{error}"));
    let told = answer.pruned.iter().find(|chain| chain.author == birch).unwrap();
    assert_eq!(told.before, base);
    let of = |events: &[watchfire_types::Bytes]| {
        let seqs = events.iter().map(|bytes| decode_signed(bytes.clone()).unwrap());
        seqs.filter(|event| event.event().author == birch).map(|event| event.event().seq).collect::<Vec<_>>()
    };
    assert_eq!(of(&answer.events)[0], Seq::new(0), "its first event is kept");
    // Who holds only that gets what is held without gaps, and nothing again and again.
    let hash = node.machine().events().find(|event| event.author == birch && event.seq == Seq::new(0)).unwrap().hash();
    let position = watchfire_wire::EpochPosition { author: birch, epoch: told.epoch, seq: Seq::new(0), hash };
    let answer = node
        .answer_catch_up(&CatchUpRequest { vector: vec![position], ..Default::default() }, |error| panic!("{error}"));
    assert!(of(&answer.events).iter().all(|seq| *seq >= base), "{:?}", of(&answer.events));
    assert!(answer.pruned.iter().any(|chain| chain.author == birch));
    // Who lacks nothing is told nothing.
    let answer = node.answer_catch_up(&asked, |error| panic!("{error}"));
    assert!(answer.pruned.is_empty() && answer.complete);
    drop(node);
    let left = place.look();
    assert!(left.report.is_sound() && left.report.pruned == outcome.pruned);
}
