//! Traces of operator labels: a vote names an operator of its author's that really gave the evidence, or there is no vote.

use watchfire_protocol::Rejection;
use watchfire_types::OperatorId;
use watchfire_types::body::{Body, Vote};
use watchfire_types::input::{HumanAct, Input};

use crate::cluster::*;

/// Node 0 of a charter that gives it two operators, with a standing finding, is shown a block that these operators agreed on.
fn shown(agreed: &[&str], finds: bool) -> Cluster {
    let two = charter(|text| text.replace("[\"op-alder\"]", "[\"op-alder\", \"op-spare\"]"));
    let mut c = Cluster::new(two, 100);
    c.silent = [1, 2, 3, 4].into();
    let block = c.chain.mine(&[]).clone();
    let mut seen = view(&c.charter, &block);
    seen.agreed = agreed.iter().map(|label| name::<OperatorId>(label)).collect();
    let node = &mut c.nodes[0];
    node.machine.observe(c.now, &Input::Block(Box::new(seen)));
    let standing = if finds { vec![finding("vault-outflow", block.at)] } else { Vec::new() };
    node.machine.observe(c.now, &Input::Detected { block: block.at, standing });
    c.settle();
    c
}

fn approval() -> HumanAct {
    HumanAct::Approve {
        asset: name("vault-core"),
        playbook: name("contain-vault"),
        step: watchfire_types::StepIndex::new(2),
        human: human("seen it"),
    }
}

fn labels(c: &Cluster) -> Vec<String> {
    let votes = c.nodes[0].machine.events().filter_map(|event| match &event.body {
        Body::Vote(Vote { operator, .. }) => Some(operator.to_string()),
        _ => None,
    });
    votes.collect()
}

/// The label is the first of the member's own operators among those that agreed on the evidence's block.
#[test]
fn a_vote_names_an_operator_that_agreed() {
    for (agreed, label) in [
        (&["op-alder", "op-spare"][..], "op-alder"),
        (&["op-spare"], "op-spare"),
        (&["op-birch", "op-spare"], "op-spare"),
    ] {
        assert_eq!(labels(&shown(agreed, true)), [label], "{agreed:?}");
        let mut c = shown(agreed, false);
        c.act(0, approval()).expect("approves");
        assert_eq!(labels(&c), [label], "{agreed:?}");
    }
}

/// Evidence that none of the member's own operators gave is voted on by nobody here, and said so; the finding itself is told.
#[test]
fn evidence_of_strangers_gets_no_vote() {
    for agreed in [&[][..], &["op-birch", "op-public"]] {
        let c = shown(agreed, true);
        assert_eq!(c.count(0, |body| matches!(body, Body::Finding(_))), 1);
        assert!(labels(&c).is_empty(), "{agreed:?}");
        let owed = c.nodes[0].machine.owed(c.now);
        let alarm = owed.pages.iter().find(|page| page.kind == "operators-disagree").expect("an alarm");
        assert!(alarm.text.contains("op-alder, op-spare") && alarm.text.contains("block 101"), "{}", alarm.text);
        let mut c = shown(agreed, false);
        assert_eq!(c.act(0, approval()), Err(Rejection::NotVouched { number: 101 }));
    }
}

/// Labels that organisations share may force the older of an organisation's votes into a certificate: one of nothing but votes that are over is
/// not made, since a liar could ask for another one with every vote.
#[test]
fn no_certificate_is_made_of_votes_that_are_over() {
    let shared = charter(|text| text.replace("[\"op-alder\"]", "[\"op-alder\", \"op-birch\"]"));
    let mut c = Cluster::new(shared, 100);
    c.silent = [0, 1, 2, 4].into();
    c.mine(&[]);
    let old = c.chain.head().at;
    c.mine_to(216);
    let new = c.chain.head().at;
    c.mine_to(225);
    let certificates = |c: &Cluster| c.count(3, |body| matches!(body, Body::Certificate(_)));
    for (by, label, evidence) in
        [(0, "op-birch", new), (0, "op-alder", old), (1, "op-birch", old), (2, "op-cedar", old)]
    {
        let Body::Vote(vote) = c.forged_vote(2, evidence) else { unreachable!() };
        let event = c.nodes[by].forge(Body::Vote(Vote { operator: name(label), ..vote }));
        c.send(by, event);
        c.settle();
    }
    assert_eq!(certificates(&c), 0);
    // The last of them once more, on evidence that is young.
    let Body::Vote(vote) = c.forged_vote(2, new) else { unreachable!() };
    let event = c.nodes[2].forge(Body::Vote(Vote { operator: name("op-cedar"), ..vote }));
    c.send(2, event);
    c.settle();
    assert_eq!(certificates(&c), 2, "both steps, by votes that include a young one");
}
