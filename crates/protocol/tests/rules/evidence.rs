//! What is said of evidence: as much as there is room for beside everything else that a node says.

use watchfire_protocol::Rejection;
use watchfire_types::body::{AccessAction, Custodian, Custody, EvidenceAccessed, EvidenceStatement};
use watchfire_types::input::{HumanAct, Input};
use watchfire_types::*;

use crate::cluster::*;

fn accessed(c: &mut Cluster, index: usize, number: usize) -> Result<(), Rejection> {
    let statement = EvidenceStatement::Accessed(EvidenceAccessed {
        incident: IncidentId::from_bytes([7; 32]),
        action: AccessAction::Read,
        objects: vec![B256::left_padding_from(&number.to_be_bytes())],
        by: Custodian::Node("asked for over the network".to_owned()),
        from: None,
        detail: String::new(),
        custody: Custody { tool: "t".to_owned(), clock: "c".to_owned() },
    });
    c.take(index, &Input::Evidence(Box::new(statement)))
}

/// Others who ask for evidence without end leave a node what it needs to find, to hear its people and to decide; it goes on with evidence as its
/// quota grows, and nothing that it says is refused by anyone.
#[test]
fn evidence_leaves_room_for_everything_else() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    let said = (0..1_000).take_while(|number| accessed(&mut c, 0, *number).is_ok()).count();
    assert!((200..500).contains(&said), "{said}");
    assert_eq!(accessed(&mut c, 0, 1_000), Err(Rejection::QuotaSpent));
    c.all_find("vault-outflow");
    c.mine(&[]);
    let incident = c.nodes[0].machine.incidents()[0].id;
    let note = |c: &mut Cluster, number| c.act(0, HumanAct::Note { incident, human: human(&format!("note {number}")) });
    assert!((0..200).all(|number| note(&mut c, number).is_ok()), "people are heard");
    assert!(c.votes(0, 1) > 0 && c.execute() == 1);
    let (own, epoch) = (c.nodes[0].key(), c.nodes[0].machine.epoch());
    let held = c.nodes[1].machine.heads()[&(own, epoch)].0;
    assert_eq!(Some(held), c.nodes[0].machine.heads().get(&(own, epoch)).map(|(seq, _)| *seq), "others have all of it");
    c.now = c.now.plus_millis(300_000);
    accessed(&mut c, 0, 1_001).expect("the quota grew");
}
