//! What is refused at the door, and what each refusal says of its sender.

use watchfire_protocol::Rejection;
use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;

fn pair() -> (Node, Node, Timestamp) {
    let charter = charter(str::to_owned);
    let (a, mut b) = (Node::new(&charter, 0, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    b.receive(now, &a.log[0]).expect("Started");
    (a, b, now)
}

fn note(text: &str) -> Body {
    let human = human(text);
    Body::Note(body::HumanStatement { incident: IncidentId::from_bytes([1; 32]), human })
}

/// Duplicates, own echoes, gaps, foreign futures: Ignore. What the bytes alone refute: Reject.
#[test]
fn verdicts_follow_causes() {
    let (mut a, mut b, now) = pair();
    let duplicate = b.receive(now, &a.log[0].clone()).expect_err("held");
    assert_eq!((duplicate.clone(), duplicate.verdict()), (Rejection::Duplicate, Verdict::Ignore));
    let echo = a.seal_at(5, EventHash::from_bytes([3; 32]), note("not mine"));
    let refused = a.receive(now, &echo).expect_err("own epoch");
    assert_eq!(refused, Rejection::OwnEpoch { seq: Seq::new(5) });
    assert!(!a.machine.alarms().is_empty(), "identity in use twice is said");
    let second = a.seal_at(1, EventHash::from_bytes([3; 32]), started(a.machine.charter()));
    assert_eq!(b.receive(now, &second).expect_err("second Started").verdict(), Verdict::Reject);
    let first = a.seal_at(0, EventHash::from_bytes([0; 32]), note("no Started"));
    assert_eq!(b.receive(now, &first).expect_err("no Started first").verdict(), Verdict::Reject);
    let late = b.receive(Timestamp::from_millis(1_600_000_000_000), &a.forge(note("x"))).expect_err("future");
    assert!(matches!(late, Rejection::Future { .. }));
    assert_eq!(late.verdict(), Verdict::Ignore);
}

/// Six epochs within ten minutes: the sixth waits; after them it is taken.
#[test]
fn epochs_are_taken_slowly() {
    let charter = charter(str::to_owned);
    let (_, mut b, now) = pair();
    for epoch in 10..14 {
        b.receive(now, &Node::new(&charter, 0, epoch).log[0]).expect("up to five");
    }
    let sixth = Node::new(&charter, 0, 20).log[0].clone();
    let refused = b.receive(now, &sixth).expect_err("sixth");
    assert_eq!(refused.verdict(), Verdict::Ignore);
    b.receive(now.plus_millis(600_001), &sixth).expect("later");
}

/// Over quota is back-pressure; a gap is filled by what was missing, in any order.
#[test]
fn quota_and_gaps() {
    let (mut a, mut b, now) = pair();
    let events: Vec<_> = (0..5).map(|index| a.forge(note(&index.to_string()))).collect();
    for event in events.iter().rev() {
        b.receive(now, event).expect("waits");
    }
    assert_eq!(b.machine.heads().values().map(|(seq, _)| seq.get()).max(), Some(5));
    let far = a.seal_at(1_500, EventHash::from_bytes([3; 32]), note("far"));
    assert!(matches!(b.receive(now.plus_millis(60_000), &far), Err(Rejection::OverQuota { .. })));
}

/// A vote counts ahead of its epoch's `Started`, and is let go of when that comes and says that its author cannot have come to its position;
/// whoever knew `Started` refused it. Whichever came first, two nodes hold the same set and count the same votes, and go on to.
#[test]
fn a_vote_ahead_of_its_started_is_judged_by_it() {
    let mut c = cluster();
    let liar = Node::new(&c.charter, 4, 0x77);
    let begun = &liar.log[0];
    let at = c.chain.head().at;
    let [near, far] = [900, 1_500].map(|seq| liar.seal_at(seq, EventHash::from_bytes([7; 32]), c.forged_vote(2, at)));
    let now = Timestamp::from_millis(1_700_000_060_000);
    let counted = |node: &Node| {
        let of =
            node.machine.events().filter(|event| event.author == liar.key() && matches!(event.body, Body::Vote(_)));
        of.map(|event| event.seq.get()).collect::<Vec<_>>()
    };
    let (early, late) = (1, 2);
    c.nodes[early].receive(now, begun).expect("Started");
    c.nodes[early].receive(now, &near).expect("within the quota");
    assert!(matches!(c.nodes[early].receive(now, &far), Err(Rejection::OverQuota { .. })));
    for vote in [&near, &far] {
        c.nodes[late].receive(now, vote).expect("its Started is missing");
    }
    assert_eq!(counted(&c.nodes[late]), [900, 1_500]);
    let supporters =
        |node: &Node| node.machine.decisions().iter().flat_map(|of| of.votes.values()).map(|by| by.len()).max();
    c.nodes[late].receive(now, begun).expect("Started");
    for node in [early, late] {
        assert_eq!(counted(&c.nodes[node]), [900]);
        assert_eq!(supporters(&c.nodes[node]), Some(1));
        assert!(matches!(c.nodes[node].receive(now, &far), Err(Rejection::OverQuota { .. })));
    }
    assert_eq!(c.nodes[early].machine.state_digest(), c.nodes[late].machine.state_digest());
    // Alone, the vote that is let go of counts for nothing.
    let mut alone = Node::new(&c.charter, 1, 0x78);
    for event in [&far, begun] {
        alone.receive(now, event).expect("taken");
    }
    assert!(counted(&alone).is_empty() && supporters(&alone).is_none());
}

/// A co-signature that recovers to no owner, a certificate without a quorum and a pair that convicts nobody are refused from the bytes.
#[test]
fn content_is_judged_from_its_bytes() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    c.silent.insert(4);
    let held: Vec<Body> = c.nodes[0].machine.events().map(|event| event.body.clone()).collect();
    let mut forged = Vec::new();
    for body in held {
        match body {
            Body::CoSignature(mut signature) => {
                signature.signature[3] ^= 1;
                forged.push(Body::CoSignature(signature.clone()));
                signature.transaction.value = U256::from(1);
                forged.push(Body::CoSignature(signature));
            }
            Body::Certificate(mut certificate) => {
                certificate.votes.pop();
                forged.push(Body::Certificate(certificate));
            }
            _ => {}
        }
    }
    let pair = c.nodes[0].log[..2].iter().map(|event| Box::new(event.to_unverified())).collect::<Vec<_>>();
    forged.push(Body::FaultProof(body::FaultProof { first: pair[0].clone(), second: pair[1].clone() }));
    assert!(forged.len() > 4);
    for body in forged {
        let event = c.nodes[4].forge(body);
        assert_eq!(c.nodes[0].receive(c.now, &event).expect_err("forged").verdict(), Verdict::Reject);
    }
}

/// An act that names what the charter has not, or comes before the first head, says what to do instead.
#[test]
fn human_acts_are_refused_with_a_reason() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let approve = |playbook: &str, step| input::HumanAct::Approve {
        asset: name("vault-core"),
        playbook: name(playbook),
        step: StepIndex::new(step),
        human: human("x"),
    };
    assert!(matches!(c.act(0, approve("nothing", 1)), Err(Rejection::UnknownPlaybook { .. })));
    assert!(matches!(c.act(0, approve("contain-vault", 3)), Err(Rejection::UnknownStep { .. })));
    let charter = c.charter.clone();
    c.nodes[0] = Node::new(&charter, 0, 0x55);
    assert!(matches!(c.act(0, approve("contain-vault", 1)), Err(Rejection::NoHead { .. })));
}

/// People of three organisations close one after the other, blocks apart: who comes later supports what was proposed before. A new finding
/// in between makes the old proposal too early, and a new one is made.
#[test]
fn people_close_blocks_apart() {
    let mut c = Cluster::new(charter(str::to_owned), 97);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    c.clear();
    c.mine(&[]);
    c.act(0, close_act()).expect("proposes");
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.clear();
    c.mine(&[]);
    c.act(1, close_act()).expect("proposes anew");
    c.mine(&[]);
    c.act(2, close_act()).expect("supports");
    assert_ne!(
        c.nodes[4].machine.incidents()[0].phase,
        "closed",
        "one of the three named a time before the second finding"
    );
    c.mine(&[]);
    c.act(0, close_act()).expect("supports");
    let incidents = c.nodes[4].machine.incidents();
    assert_eq!((incidents.len(), incidents[0].phase), (1, "closed"));
}

/// Incidents group, close by certificate, and the next finding opens a new one that continues it.
#[test]
fn incidents_close_and_continue() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    let opened = c.nodes[0].machine.incidents();
    assert_eq!((opened.len(), opened[0].phase, opened[0].severity), (1, "containment", Severity::Sev1));
    let words = input::HumanAct::Acknowledge { incident: opened[0].id, human: human("on it") };
    c.act(1, words).expect("acknowledges");
    c.clear();
    c.mine(&[]);
    for index in 0..3 {
        c.act(index, close_act()).expect("closes");
    }
    assert_eq!(c.nodes[4].machine.incidents()[0].phase, "closed");
    c.all_find("vault-outflow");
    c.mine(&[]);
    let both = c.nodes[4].machine.incidents();
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].continues, Some(opened[0].id));
}

fn close_act() -> input::HumanAct {
    let (asset, playbook) = (name("vault-core"), name("contain-vault"));
    input::HumanAct::Close { asset, playbook, incident: None, outcome: None, human: human("over") }
}
