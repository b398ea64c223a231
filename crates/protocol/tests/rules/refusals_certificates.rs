//! What each single term of R1 keeps from happening, where no trace breaks it alone: votes and what they certify.

use watchfire_protocol::{CertificateFault, Rejection};
use watchfire_types::body::{Basis, Body, Certificate, CloseVote, Decision, Purpose, Vote};
use watchfire_types::*;

use crate::cluster::*;
use crate::refusals_recovery::beside_another;

fn decision(c: &Cluster, playbook: &str) -> Decision {
    Decision { version: c.charter.version, asset: name("vault-core"), playbook: name(playbook) }
}

/// A vote of this member, under its own label.
fn vote(c: &Cluster, member: usize, edit: impl Fn(&mut Vote)) -> Unverified {
    let labels = ["op-alder", "op-birch", "op-cedar", "op-dogwood", "op-elm"];
    let Body::Vote(mut vote) = c.forged_vote(2, c.chain.head().at) else { unreachable!() };
    vote.operator = name(labels[member]);
    edit(&mut vote);
    c.nodes[member].seal_at(30, EventHash::from_bytes([7; 32]), Body::Vote(vote)).to_unverified()
}

fn told(c: &mut Cluster, by: usize, certificate: Certificate) -> Result<Verdict, Rejection> {
    let event = c.nodes[by].forge(Body::Certificate(certificate));
    let now = c.now;
    c.nodes[0].receive(now, &event)
}

/// R1: every vote in a certificate carries its author's own signature, whoever made the certificate.
#[test]
fn a_vote_in_anothers_name_certifies_nothing() {
    let mut c = cluster();
    let purpose = Purpose::Step(StepIndex::new(2));
    let honest: Vec<Unverified> = (0..3).map(|member| vote(&c, member, |_| {})).collect();
    let pretended = c.nodes[4].pretend(c.nodes[2].key(), 30, honest[2].event().body.clone());
    let forged = Certificate {
        decision: decision(&c, "contain-vault"),
        purpose: purpose.clone(),
        votes: vec![honest[0].clone(), honest[1].clone(), pretended],
    };
    let refused = told(&mut c, 4, forged).expect_err("refused");
    assert_eq!(refused, Rejection::InvalidCertificate(CertificateFault::Signature { index: 2 }));
    let sound = Certificate { decision: decision(&c, "contain-vault"), purpose, votes: honest };
    assert_eq!(told(&mut c, 4, sound), Ok(Verdict::Accept));
}

/// R1: votes certify the decision that they name and no other: approvals of a recovery are none of a containment.
#[test]
fn votes_for_another_decision_certify_nothing() {
    let mut c = cluster();
    let approvals = (0..4).map(|member| {
        vote(&c, member, |vote| {
            vote.decision.playbook = name("recover-vault");
            vote.step = StepIndex::new(1);
            vote.basis = Basis::Human(human("over"));
        })
    });
    let votes: Vec<Unverified> = approvals.collect();
    let purpose = Purpose::Step(StepIndex::new(1));
    let crossed =
        Certificate { decision: decision(&c, "contain-vault"), purpose: purpose.clone(), votes: votes.clone() };
    let refused = told(&mut c, 4, crossed).expect_err("refused");
    assert!(
        matches!(refused, Rejection::InvalidCertificate(CertificateFault::Foreign { index: 0, .. })),
        "{refused:?}"
    );
    let sound = Certificate { decision: decision(&c, "recover-vault"), purpose, votes };
    assert_eq!(told(&mut c, 4, sound), Ok(Verdict::Accept));
}

/// What happened before the first block of the view was not seen, so evidence of that very block authorises nothing; of the next it does.
#[test]
fn evidence_where_the_view_begins_is_not_later() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 0);
    assert!(!c.chain.head().paused);
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// *Every* vote's evidence is later than the last recovery: a liar's certificate of two fresh votes and its own stale one is valid, is held,
/// and authorises nothing.
#[test]
fn one_stale_vote_in_a_held_certificate_is_enough_not_to_authorise() {
    let mut c = recovered();
    c.silent.insert(4);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let head = c.chain.head().at;
    let fresh = |member: usize| {
        let key = c.nodes[member].key();
        let own = c.nodes[member]
            .log
            .iter()
            .rev()
            .find(|event| event.author == key && matches!(&event.body, Body::Vote(vote) if vote.evidence == head));
        own.expect("a fresh vote").to_unverified()
    };
    let before = c.chain.blocks[2].at;
    let votes = vec![fresh(0), fresh(1), vote(&c, 4, |vote| vote.evidence = before)];
    let purpose = Purpose::Step(StepIndex::new(2));
    let certificate = Certificate { decision: decision(&c, "contain-vault"), purpose, votes };
    let event = c.nodes[4].forge(Body::Certificate(certificate));
    c.send(4, event);
    c.settle();
    let status =
        c.nodes[0].machine.decisions().into_iter().find(|status| status.decision == decision(&c, "contain-vault"));
    let authorising: Vec<bool> = status.expect("status").certificates.iter().map(|(.., now)| *now).collect();
    assert!(authorising.len() >= 2 && authorising.iter().all(|now| !now), "{authorising:?}");
    assert!(c.owed_steps(0).is_empty());
    assert_eq!(c.execute(), 0);
}

/// R1: a vote names the asset of its playbook; a close certificate binds the very time that its votes bind.
#[test]
fn a_vote_names_its_playbooks_asset_and_a_close_its_votes_time() {
    let mut c = Cluster::new(charter(beside_another), 98);
    let crossed = vote(&c, 4, |vote| vote.decision.asset = name("vault-other"));
    let crossed = crossed.verify(c.nodes[4].machine.network()).expect("sound");
    let now = c.now;
    assert_eq!(c.nodes[0].receive(now, &crossed), Err(Rejection::Malformed { why: "playbook of another asset" }));

    let of = |member: usize, closed_at: BlockRef| {
        let body = Body::CloseVote(CloseVote {
            decision: decision(&c, "contain-vault"),
            closed_at,
            outcome: None,
            human: human("over"),
        });
        c.nodes[member].seal_at(30, EventHash::from_bytes([7; 32]), body).to_unverified()
    };
    let at = block(98, 0);
    let close = |last: BlockRef| Certificate {
        decision: decision(&c, "contain-vault"),
        purpose: Purpose::Close(at.time),
        votes: vec![of(0, at), of(1, at), of(2, last)],
    };
    let (wrong, sound) = (close(block(99, 0)), close(at));
    let refused = told(&mut c, 4, wrong).expect_err("refused");
    assert!(
        matches!(refused, Rejection::InvalidCertificate(CertificateFault::Foreign { index: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(told(&mut c, 4, sound), Ok(Verdict::Accept));
}

/// A vote is said once: a human's narrower vote on a newer block, while the finding stands on an older one, is no occasion to repeat it.
#[test]
fn a_vote_is_not_repeated_beside_a_newer_narrower_one() {
    let mut c = cluster();
    c.find(&[0], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.votes(0, 2), 1);
    c.unread = true;
    c.mine(&[]);
    c.approve(0, "contain-vault", 1);
    assert_eq!((c.votes(0, 1), c.votes(0, 2)), (2, 1));
}

/// A finding that a reorg took is the basis of nothing: where its block comes back it is found, and voted on, anew.
#[test]
fn a_retracted_finding_is_no_basis() {
    let mut c = cluster();
    c.find(&[0], "vault-outflow");
    c.mine(&[]);
    let found = |c: &Cluster| c.count(0, |body| matches!(body, Body::Finding(_)));
    let standing = c.nodes[0].standing.clone();
    assert_eq!(found(&c), 1);
    c.reorg(1);
    c.mine(&[]);
    assert_eq!(c.count(0, |body| matches!(body, Body::Retracted(_))), 1);
    c.reorg(1);
    c.chain.branch = 0;
    c.nodes[0].standing = standing;
    c.mine(&[]);
    assert_eq!(found(&c), 2);
}

/// While a certificate of a step authorises nobody makes another, however many votes follow.
#[test]
fn a_step_that_is_certified_is_not_certified_again() {
    let mut c = cluster();
    c.simulate = |_, _| input::PreflightOutcome::Refuted { reason: "no".into(), by_guard: false };
    c.all_find("vault-outflow");
    c.mine(&[]);
    let certificates = |c: &Cluster| c.count(0, |body| matches!(body, Body::Certificate(_)));
    let before = certificates(&c);
    assert!(before > 0);
    let number = c.chain.head().at.number;
    let votes = c.votes(0, 2);
    c.mine_to(number + EXPIRY_S / 2);
    assert!(c.votes(0, 2) > votes, "voted again");
    assert_eq!(certificates(&c), before);
}

/// Voters beyond the five of the fixture.
const MORE: u8 = 21;

/// A rule of 25 of 26 organisations.
fn many() -> Cluster {
    let charter = charter(|text| {
        let mut more = String::new();
        for index in 5..5 + MORE {
            let key = ed25519_dalek::SigningKey::from_bytes(&[index + 1; 32]).verifying_key();
            let key: String = key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            more.push_str(&format!(
                "[[organisation]]\nid = \"org-{index}\"\nname = \"Organisation {index}\"\nroles = []\n\
                 [[member]]\nid = \"org-{index}-1\"\norganisation = \"org-{index}\"\nkind = \"voter\"\nnode_key = \"{key}\"\n\
                 operators = [\"op-alder\"]\naddresses = [\"/ip4/127.0.0.1/tcp/{}\"]\n",
                9_100 + u16::from(index)
            ));
        }
        let rule = "mode = \"auto\"\nrule = { organisations = 25, operators = 3 }";
        let chain = text.find("[[chain]]").expect("chains");
        let text = format!("{}{more}{}", &text[..chain], &text[chain..]);
        let amend = "[rules.amend]\norganisations = ";
        text.replacen("mode = \"auto\"", rule, 1).replace(&format!("{amend}4"), &format!("{amend}20"))
    });
    let mut c = Cluster::new(charter.clone(), 100);
    for index in 5..5 + MORE {
        let node = Node::new(&charter, index, 0x10 + index);
        let place = c.nodes.len();
        c.nodes.push(node);
        let started = c.nodes[place].log[0].clone();
        c.send(place, started);
    }
    c.mine(&[]);
    c
}

fn approves(c: &mut Cluster, index: usize, bytes: usize) -> Result<(), Rejection> {
    let human = human(&"w".repeat(bytes - "p1lead".len()));
    let (asset, playbook) = (name("vault-core"), name("contain-vault"));
    c.act(index, input::HumanAct::Approve { asset, playbook, step: StepIndex::new(2), human })
}

/// Where many must vote, each has so many bytes for its words that all votes together still make a certificate: more is refused by name, and
/// one who says more all the same is left out.
#[test]
fn long_words_keep_no_certificate_from_being_made() {
    let mut c = many();
    let refused = approves(&mut c, 0, 635).expect_err("too long");
    assert_eq!(refused, Rejection::WordsTooLong { found: 635, bound: 634, votes: 25 });
    assert!(refused.to_string().contains("room for 634"), "{refused}");
    let certified = |c: &Cluster| c.count(0, |body| matches!(body, Body::Certificate(_)));
    for index in 1..25 {
        approves(&mut c, index, 634).expect("approves");
    }
    // The last one's words are as long as the wire takes them.
    let decision = c.nodes[1].log.iter().find_map(|event| match &event.body {
        Body::Vote(vote) => Some(vote.clone()),
        _ => None,
    });
    let basis = Basis::Human(human(&"w".repeat(1_024)));
    let liar = c.nodes[25].forge(Body::Vote(Vote { basis, ..decision.expect("a vote") }));
    c.send(25, liar);
    c.settle();
    assert_eq!(certified(&c), 0, "24 of 25");
    approves(&mut c, 0, 634).expect("approves");
    assert!(certified(&c) > 0, "25 of 25 with all the words that they may have");
}
