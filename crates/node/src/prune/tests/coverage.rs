//! Whose line under which checkpoint covers own events.

use watchfire_protocol::Machine;
use watchfire_transparency::Witnessed;

use super::*;
use crate::prune::coverage::Coverage;

/// Only a line of another organisation covers own events, and only under the root of what is held: neither the node's own word nor a
/// colleague's proves anything to others, nor does what was witnessed of another history.
#[test]
fn others_cover_what_is_held() {
    let mut own = Author::new("alder-1", 1, 0xa1, LONG_AGO);
    let mut records = vec![own.start(&[])];
    records.extend((0..4).map(|number| own.note(number)));
    let second = format!(
        "[[member]]\nid = \"alder-2\"\norganisation = \"alder\"\nkind = \"watcher\"\nnode_key = \"{}\"\n",
        fixture::key(6)
    );
    let charter = watchfire_charter::parse(&(fixture::charter_text(None) + &second)).unwrap().0;
    let network = super::charter().network_id();
    let mut machine =
        Machine::new(Arc::new(charter), network, member("alder-1"), Epoch::from_bytes([0xa9; 16])).unwrap();
    for record in records {
        machine.apply(&decode_signed(record.into()).unwrap().verify(network).unwrap());
    }
    let through = |checkpoint: Checkpoint, witness: &str| {
        let line = Witnessed { witness: member(witness), time_s: 1, signature: [0; 64] };
        Coverage::of(&machine, [(checkpoint, line)].iter(), &BTreeMap::new()).through(own.member_key(), own.epoch).get()
    };
    let covered = |witness| through(own.stated(), witness);
    assert_eq!(["birch-1", "alder-1", "alder-2"].map(covered), [5, 0, 0]);
    assert_eq!(through(Checkpoint { root: [7; 32], ..own.stated() }, "birch-1"), 0);
}
