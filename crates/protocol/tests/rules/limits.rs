//! What turns a node's own automatic vote into a question, and what is no vote at all.

use watchfire_protocol::{CertificateFault, Rejection};
use watchfire_types::body::{Body, Certificate, Decision, Purpose, Veto, Vote};
use watchfire_types::*;

use crate::cluster::*;

fn with(edit: &str) -> Cluster {
    let mut c = Cluster::new(charter(|text| text.replacen("cooldown_s = 0", edit, 1)), 98);
    c.mine(&[]);
    c
}

fn asks(c: &Cluster, index: usize, why: &str) -> bool {
    let pages = c.nodes[index].machine.owed(c.now).pages;
    pages.iter().any(|page| page.kind == "approval-wanted" && page.text.contains(why))
}

/// The flag was set by a certified step, a stranger took it back, and the early detector stands again.
fn flagged_lately() -> Cluster {
    let mut c = with("cooldown_s = 600");
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().limited);
    c.clear();
    c.mine(&[Tx::StrangerLimits(false)]);
    c.mine(&[]);
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c
}

/// Within the cooldown of an execution a node asks instead of voting; a human's approval is a vote, and a wider step is voted on.
#[test]
fn a_cooldown_asks_and_binds_neither_humans_nor_wider_steps() {
    let mut c = flagged_lately();
    let before = c.votes(0, 1);
    c.mine(&[]);
    assert_eq!(c.votes(0, 1), before);
    assert!(asks(&c, 0, "executed less than 600 s ago"));
    c.approve(0, "contain-vault", 1);
    assert_eq!(c.votes(0, 1), before + 1);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.votes(1, 2), 1);
}

/// After the cooldown the node votes by itself again.
#[test]
fn a_cooldown_ends() {
    let mut c = flagged_lately();
    let before = c.votes(0, 1);
    let number = c.chain.head().at.number;
    c.mine_to(number + 500);
    assert_eq!(c.votes(0, 1), before);
    c.mine_to(number + 601);
    assert_eq!(c.votes(0, 1), before + 1);
    assert!(!asks(&c, 0, "executed less than"));
}

/// A spent budget asks: another finding is not voted on by itself within the window, the same one is voted on again, a wider step is voted on.
#[test]
fn a_budget_counts_findings_and_binds_no_wider_step() {
    let mut c = with("cooldown_s = 0\nbudget = { count = 1, window_s = 600 }");
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    assert_eq!(c.votes(0, 1), 1);
    let number = c.chain.head().at.number;
    c.mine_to(number + 60);
    assert_eq!(c.votes(0, 1), 2, "the same finding at half the vote's life");
    c.clear();
    c.mine(&[]);
    c.all_find("vault-outflow-early");
    c.mine_to(number + 130);
    assert_eq!(c.votes(0, 1), 2, "another finding");
    assert!(asks(&c, 0, "1 automatic decisions within 600 s are spent"));
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.votes(0, 2), 1);
}

/// The window of a budget moves on with the chain.
#[test]
fn a_budget_is_there_again_after_its_window() {
    let mut c = with("cooldown_s = 0\nbudget = { count = 1, window_s = 600 }");
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c.clear();
    c.mine(&[]);
    c.all_find("vault-outflow-early");
    let number = c.chain.head().at.number;
    c.mine_to(number + 590);
    assert_eq!(c.votes(0, 1), 1);
    c.mine_to(number + 700);
    assert_eq!(c.votes(0, 1), 2);
}

fn vote(c: &Cluster, edit: impl Fn(&mut Vote)) -> Body {
    let Body::Vote(mut vote) = c.forged_vote(2, c.chain.head().at) else { unreachable!() };
    edit(&mut vote);
    Body::Vote(vote)
}

fn received(c: &mut Cluster, seq: u64, body: Body) -> Result<Verdict, Rejection> {
    let event = c.nodes[4].seal_at(seq, EventHash::from_bytes([7; 32]), body);
    let now = c.now;
    c.nodes[0].receive(now, &event)
}

/// A vote counts under its author's own label, on the asset's chain, for a step and a playbook that the charter has, and a
/// finding is no basis of a recovery: all else is refused from the bytes, everywhere.
#[test]
fn a_vote_is_judged_from_its_bytes() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let wrong = [
        vote(&c, |vote| vote.operator = name("op-alder")),
        vote(&c, |vote| vote.evidence.chain = ChainId::new(1)),
        vote(&c, |vote| vote.step = StepIndex::new(3)),
        vote(&c, |vote| vote.decision.playbook = name("no-such")),
        vote(&c, |vote| vote.decision.asset = name("no-such")),
        vote(&c, |vote| {
            vote.decision.playbook = name("recover-vault");
            vote.step = StepIndex::new(1);
        }),
    ];
    for (index, body) in (10..).zip(wrong) {
        let refused = received(&mut c, 2 * index, body).expect_err("refused");
        assert!(matches!(refused, Rejection::Malformed { .. }), "{index}: {refused:?}");
        assert_eq!(refused.verdict(), Verdict::Reject);
    }
    let good = vote(&c, |_| {});
    assert_eq!(received(&mut c, 40, good), Ok(Verdict::Accept));
}

/// Who only watches neither votes nor vetoes, whatever it signs.
#[test]
fn a_watchers_word_is_no_vote() {
    let watching = charter(|text| {
        let elm = text.find("id = \"elm-1\"").unwrap();
        let keep = |line: &&str| !line.starts_with("guardian = ") && !line.starts_with("submitter = ");
        let end = elm + text[elm..].find("[[chain]]").unwrap();
        let entry: String = text[elm..end].lines().filter(keep).map(|line| format!("{line}\n")).collect();
        let entry = entry.replace("kind = \"guardian\"", "kind = \"watcher\"");
        let text = format!("{}{entry}{}", &text[..elm], &text[end..]);
        let text = text.replace("organisations = 3", "organisations = 2").replace("operators = 3", "operators = 2");
        text.replace("organisations = 4", "organisations = 3")
    });
    let mut c = Cluster::new(watching, 98);
    let (vote, head) = (vote(&c, |_| {}), c.chain.head().at);
    let veto = Body::Veto(veto(&c, head, head));
    for (seq, body) in [(20, vote), (22, veto)] {
        assert!(matches!(received(&mut c, seq, body), Err(Rejection::Malformed { why: "author is a watcher" })));
    }
}

fn veto(c: &Cluster, head: BlockRef, act: BlockRef) -> Veto {
    let asset = name("vault-core");
    let decision = Decision { version: c.charter.version, asset, playbook: name("contain-vault") };
    Veto { decision, head, act, human: human("false alarm") }
}

/// A veto's head is not before its act, and both are on the asset's chain; two vetoes are no cancel where three organisations contain.
#[test]
fn a_veto_is_judged_from_its_bytes() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let (early, late) = (block(98, 0), block(99, 0));
    let elsewhere = BlockRef { chain: ChainId::new(1), ..early };
    for (seq, wrong) in [(20, veto(&c, early, late)), (22, veto(&c, elsewhere, early)), (24, veto(&c, late, elsewhere))]
    {
        assert!(matches!(received(&mut c, seq, Body::Veto(wrong)), Err(Rejection::Malformed { .. })), "{seq}");
    }
    let word = Body::Veto(veto(&c, late, early));
    let of = |index: usize| c.nodes[index].seal_at(30, EventHash::from_bytes([7; 32]), word.clone()).to_unverified();
    let votes: Vec<Unverified> = (1..4).map(of).collect();
    let cancel = |count: usize| {
        let decision = veto(&c, late, early).decision;
        Body::Certificate(Certificate { decision, purpose: Purpose::Cancel, votes: votes[..count].to_vec() })
    };
    let (two, three) = (cancel(2), cancel(3));
    let refused = received(&mut c, 50, two);
    assert_eq!(refused, Err(Rejection::InvalidCertificate(CertificateFault::Quorum)));
    assert_eq!(received(&mut c, 52, three), Ok(Verdict::Accept));
}

/// Votes of liars on blocks that are not there keep nobody from a veto; those of as many organisations as can contain say that the own head is
/// old, and that it would stop nothing.
#[test]
fn few_cannot_talk_a_veto_away() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.silent = [1, 2, 3, 4].into();
    let ahead = block(c.chain.head().at.number + 5, 0);
    let claim = |c: &mut Cluster, by: usize, label: &str| {
        let Body::Vote(vote) = c.forged_vote(2, ahead) else { unreachable!() };
        let event = c.nodes[by].forge(Body::Vote(Vote { operator: name(label), ..vote }));
        let now = c.now;
        c.nodes[0].receive(now, &event).expect("taken");
    };
    let act = || input::HumanAct::Veto {
        asset: name("vault-core"),
        playbook: name("contain-vault"),
        human: human("false alarm"),
    };
    claim(&mut c, 4, "op-elm");
    claim(&mut c, 3, "op-dogwood");
    c.act(0, act()).expect("two liars do not count");
    claim(&mut c, 2, "op-cedar");
    let refused = c.act(0, act()).expect_err("too old");
    assert!(matches!(refused, Rejection::VetoTooOld { evidence, .. } if evidence == ahead.number), "{refused:?}");
}
