//! The ledger of rules: what counts as fired and as wrong, which rule a false pause demotes, what that holds back, and what promotes it again.

use std::collections::BTreeSet;

use watchfire_protocol::{Machine, Rejection};
use watchfire_types::body::{
    Basis, Body, Cause, Certificate, CloseVote, Decision, Finding, Outcome, PromotionSupported, Purpose, Vote,
};
use watchfire_types::control::RuleStats;
use watchfire_types::input::HumanAct;
use watchfire_types::*;

use crate::cluster::*;

pub(crate) const RULE: &str = "vault-outflow";

pub(crate) fn close(c: &mut Cluster, index: usize, outcome: Option<Outcome>) {
    let (asset, playbook) = (name("vault-core"), name("contain-vault"));
    let act = HumanAct::Close { asset, playbook, incident: None, outcome, human: human("looked into it") };
    c.act(index, act).expect("closes");
}

fn judge(c: &mut Cluster, index: usize, incident: IncidentId, outcome: Option<Outcome>) -> Result<(), Rejection> {
    let (asset, playbook) = (name("vault-core"), name("contain-vault"));
    let incident = Some(incident);
    c.act(index, HumanAct::Close { asset, playbook, incident, outcome, human: human("looked again") })
}

pub(crate) fn promote(c: &mut Cluster, index: usize, rule: &str) -> Result<(), Rejection> {
    c.act(index, HumanAct::Promote { detector: name(rule), human: human("its limit was raised") })
}

pub(crate) fn stats(machine: &Machine, rule: &str) -> RuleStats {
    let rule: DetectorId = name(rule);
    machine.rule_stats().into_iter().find(|stats| stats.rule == rule).expect("a rule")
}

fn counts(c: &Cluster, index: usize, rule: &str) -> [u32; 6] {
    let RuleStats { fired, confirmed, wrong, unjudged, open, alone, .. } = stats(&c.nodes[index].machine, rule);
    [fired, confirmed, wrong, unjudged, open, alone]
}

pub(crate) fn demoted(c: &Cluster, rule: &str) -> bool {
    let demoted: BTreeSet<bool> = c.nodes.iter().map(|node| stats(&node.machine, rule).demoted.is_some()).collect();
    assert_eq!(demoted.len(), 1, "every node holds the same");
    demoted.contains(&true)
}

/// Automatic votes of all nodes, for any step.
fn automatic(c: &Cluster) -> usize {
    c.count(0, |body| matches!(body, Body::Vote(Vote { basis: Basis::Finding(_), .. })))
}

fn pages(c: &Cluster, index: usize, kind: &str) -> Vec<String> {
    let pages = c.nodes[index].machine.owed(c.now).pages;
    pages.into_iter().filter(|page| page.kind == kind).map(|page| page.text).collect()
}

/// A pause, a recovery, and three organisations that call it a false alarm.
pub(crate) fn false_pause() -> Cluster {
    let mut c = recovered();
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    c.mine(&[]);
    c
}

/// After a false pause the same pattern asks people, who are told why and how often the rule was wrong; they can pause as ever.
#[test]
fn a_rule_that_paused_for_nothing_asks_people() {
    let mut c = false_pause();
    assert!(demoted(&c, RULE));
    assert_eq!(counts(&c, 4, RULE), [1, 0, 1, 0, 0, 0]);
    assert_eq!(c.nodes[1].machine.incidents()[0].outcome, Some(Outcome::False));
    let before = automatic(&c);
    c.all_find(RULE);
    c.mine(&[]);
    assert_eq!(automatic(&c), before, "nobody votes by itself");
    let incident = c.nodes[0].machine.incidents().pop().expect("the first").id.short();
    for index in 0..5 {
        let asked = pages(&c, index, "approval-wanted");
        let because = format!("would ask people: rule {RULE} demoted after incident {incident}");
        assert!(asked.len() == 1 && asked[0].contains(&because), "{asked:?}");
        assert!(asked[0].contains("fired once before: 0 confirmed, 1 false"), "{asked:?}");
        assert!(pages(&c, index, "rule-demoted").len() == 1);
        let outlook = c.nodes[index].machine.outlooks().remove(0);
        let why = outlook.why_not.expect("a cause");
        assert_eq!(why.cause, Cause::AwaitingHumans);
        assert!(why.detail.contains(&because), "{}", why.detail);
        assert!(outlook.can_pause, "people can");
        assert!(outlook.asks.expect("says so").contains(&format!("rule {RULE} demoted after incident {incident}")));
    }
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
    assert_eq!(counts(&c, 0, RULE), [2, 0, 1, 0, 1, 0]);
}

/// Two organisations promote nothing, three do; what stands then is voted on at once, by every node.
#[test]
fn as_many_as_can_contain_promote_it() {
    let mut c = false_pause();
    c.all_find(RULE);
    c.mine(&[]);
    let before = automatic(&c);
    for index in [1, 3] {
        promote(&mut c, index, RULE).expect("supports");
        assert!(demoted(&c, RULE));
    }
    let told = stats(&c.nodes[0].machine, RULE).demoted.expect("demoted still");
    assert_eq!((told.promoted_by.len(), told.missing.as_str()), (2, "1 more organisations, 1 more operators"));
    assert_eq!(told.steps, [(name("contain-vault"), StepIndex::new(2))].into());
    assert_eq!(automatic(&c), before);
    let twice = promote(&mut c, 3, RULE).expect_err("said already");
    assert!(twice.to_string().contains("supports it already"), "{twice}");
    promote(&mut c, 4, RULE).expect("supports");
    assert!(!demoted(&c, RULE));
    assert_eq!(automatic(&c), before + 5);
    assert!(pages(&c, 0, "rule-demoted").is_empty());
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
    let idle = promote(&mut c, 0, RULE).expect_err("it is not demoted");
    assert!(idle.to_string().contains("not demoted"), "{idle}");
    assert!(matches!(promote(&mut c, 0, "no-such-rule"), Err(Rejection::UnknownRule { .. })));
}

/// A promotion forgives what was: the next false pause demotes the rule again.
#[test]
fn a_promotion_is_no_licence() {
    let mut c = false_pause();
    for index in 0..3 {
        promote(&mut c, index, RULE).expect("supports");
    }
    c.all_find(RULE);
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    assert!(!demoted(&c, RULE));
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    assert!(demoted(&c, RULE));
    assert_eq!(counts(&c, 2, RULE), [2, 0, 2, 0, 0, 0]);
}

/// What was confirmed, what nobody judged, what only two call false, what was never carried out and what people alone decided demotes nothing.
#[test]
fn nothing_less_than_a_false_pause_demotes() {
    for outcome in [Some(Outcome::Confirmed), None] {
        let mut c = recovered();
        for index in 0..3 {
            close(&mut c, index, outcome);
        }
        assert_eq!(c.nodes[0].machine.incidents()[0].outcome, outcome);
        assert!(!demoted(&c, RULE));
    }
    let mut c = recovered();
    for index in 0..2 {
        close(&mut c, index, Some(Outcome::False));
    }
    assert!(!demoted(&c, RULE), "two organisations close nothing");
    close(&mut c, 2, None);
    let last = &c.nodes[0].machine.incidents()[0];
    assert_eq!((last.phase, last.outcome), ("closed", None), "three close it, two say what it was");
    assert!(!demoted(&c, RULE));
    close(&mut c, 3, Some(Outcome::Confirmed));
    assert!(!demoted(&c, RULE));

    let mut c = cluster();
    c.all_find(RULE);
    c.mine(&[]);
    c.clear();
    c.mine(&[]);
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    assert_eq!(counts(&c, 0, RULE), [1, 0, 1, 0, 0, 0]);
    assert!(!demoted(&c, RULE), "certified and never executed");

    let mut c = cluster();
    c.find(&[0], RULE);
    c.mine(&[]);
    for index in 1..4 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    assert!(!demoted(&c, RULE), "one organisation's finding is no firing");
    assert_eq!(counts(&c, 0, RULE), [0, 0, 0, 0, 0, 1]);
}

/// Of two certificates the one that confirms holds: an organisation that says both, or two halves of a large network, take no vote from a rule.
#[test]
fn confirmed_holds_against_false() {
    let mut c = false_pause();
    assert!(demoted(&c, RULE));
    let incident = c.nodes[0].machine.incidents()[0].id;
    for index in [2, 3, 4] {
        judge(&mut c, index, incident, Some(Outcome::Confirmed)).expect("judges");
    }
    assert_eq!(c.nodes[0].machine.incidents()[0].outcome, Some(Outcome::Confirmed));
    assert!(!demoted(&c, RULE));
}

/// A closed incident is judged afterwards; one who only closes it again is told to say what it was.
#[test]
fn a_closed_incident_can_be_judged() {
    let mut c = recovered();
    for index in 0..3 {
        close(&mut c, index, None);
    }
    let incident = c.nodes[0].machine.incidents()[0].id;
    let refused = judge(&mut c, 0, incident, None).expect_err("says nothing");
    assert!(refused.to_string().contains("--outcome"), "{refused}");
    c.mine(&[]);
    c.mine(&[]);
    for index in [4, 1, 3] {
        assert!(!demoted(&c, RULE));
        judge(&mut c, index, incident, Some(Outcome::False)).expect("judges");
    }
    assert!(demoted(&c, RULE));
    assert_eq!(c.nodes[0].machine.incidents().len(), 1, "no incident was opened or closed by it");
}

/// A liar's vote in the certificate that rests on a rule which only it found demotes that rule nowhere, nor does any number of its claims that it
/// fired, executed, or was closed as false, under whatever name.
#[test]
fn a_liar_demotes_nothing() {
    let mut c = cluster();
    c.find(&[0, 1], RULE);
    c.mine(&[]);
    let head = c.chain.head().at;
    let other = Finding { kind: "state".into(), severity: Severity::Sev1, ..finding("vault-owner", head) };
    let mut basis = EventHash::from_bytes([0; 32]);
    for _ in 0..4 {
        let event = c.nodes[4].author(Body::Finding(other.clone()));
        basis = event.hash();
        c.send(4, event);
    }
    let decision = Decision { version: c.charter.version, asset: name("vault-core"), playbook: name("contain-vault") };
    let vote = Vote {
        decision: decision.clone(),
        step: StepIndex::new(2),
        basis: Basis::Finding(basis),
        operator: name("op-elm"),
        evidence: head,
    };
    let event = c.nodes[4].author(Body::Vote(vote));
    c.send(4, event);
    c.settle();
    assert_eq!(c.owed_steps(0), [2], "its vote is the third");
    c.find(&[2, 3], RULE);
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    let closed_at = c.chain.head().at;
    for reason in ["one", "two", "three"] {
        let said =
            CloseVote { decision: decision.clone(), closed_at, outcome: Some(Outcome::False), human: human(reason) };
        let event = c.nodes[4].author(Body::CloseVote(said));
        c.send(4, event);
    }
    c.settle();
    assert!(!demoted(&c, RULE) && !demoted(&c, "vault-owner"));
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    assert!(demoted(&c, RULE), "what it voted with others was wrong");
    assert!(!demoted(&c, "vault-owner"));
    assert_eq!(counts(&c, 0, "vault-owner"), [0, 0, 0, 0, 0, 1]);
    let through = c.chain.head().at;
    for head in [through, c.chain.head().at] {
        let said = PromotionSupported {
            version: c.charter.version,
            asset: name("vault-core"),
            detector: name(RULE),
            through: head.time,
            operator: name("op-elm"),
            head,
            human: human("trust me"),
        };
        let event = c.nodes[4].author(Body::PromotionSupported(said));
        c.send(4, event);
    }
    c.settle();
    assert!(demoted(&c, RULE), "and its own word promotes nothing");
}

/// What was certified before people said what the last one was authorises as before: a demotion holds back votes that are still to be given.
#[test]
fn a_certificate_that_stands_is_not_undone() {
    let mut c = recovered();
    let closed_at = c.chain.head().at;
    c.all_find(RULE);
    c.mine(&[]);
    assert_eq!(c.owed_steps(4), [2]);
    let decision = Decision { version: c.charter.version, asset: name("vault-core"), playbook: name("contain-vault") };
    for index in 0..3 {
        let outcome = Some(Outcome::False);
        let said = CloseVote { decision: decision.clone(), closed_at, outcome, human: human("late word") };
        let event = c.nodes[index].author(Body::CloseVote(said));
        c.send(index, event);
    }
    c.settle();
    assert!(demoted(&c, RULE));
    for index in 0..5 {
        assert_eq!(c.owed_steps(index), [2], "{index}");
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// A false flag holds the rule back for the flag; where the same rule finds what takes the pause it votes by itself, and so does any other rule.
#[test]
fn a_wider_step_and_other_rules_are_not_held_back() {
    let early = "vault-outflow-early";
    let flagged = || {
        let mut c = cluster();
        c.all_find(early);
        c.mine(&[]);
        assert_eq!(c.execute(), 1);
        c.clear();
        c.mine(&[Tx::StrangerLimits(false)]);
        c.mine(&[]);
        for index in 0..3 {
            close(&mut c, index, Some(Outcome::False));
        }
        c.mine(&[]);
        assert!(demoted(&c, early) && !demoted(&c, RULE));
        let before = automatic(&c);
        c.all_find(early);
        c.mine(&[]);
        assert_eq!(automatic(&c), before, "the flag asks people");
        c
    };
    let mut c = flagged();
    let before = automatic(&c);
    c.all_find(RULE);
    c.mine(&[]);
    assert_eq!(automatic(&c), before + 5, "another rule");
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);

    let mut c = flagged();
    for node in &mut c.nodes {
        node.standing.iter_mut().for_each(|finding| finding.severity = Severity::Sev1);
    }
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2], "the same rule, a wider step");
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Where two kinds have to stand together, a demoted rule is none of them.
#[test]
fn a_demoted_rule_is_no_partner() {
    let both = |text: &str| {
        text.replacen("severity = \"SEV2\"\nstep = 1", "severity = \"SEV2\"\nstep = 1\ntogether = 2\nwithin_s = 600", 1)
    };
    let mut c = Cluster::new(charter(both), 98);
    c.mine(&[]);
    c.all_find(RULE);
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[Tx::StrangerPauses(false)]);
    c.mine(&[]);
    for index in 0..3 {
        close(&mut c, index, Some(Outcome::False));
    }
    c.mine(&[]);
    assert!(demoted(&c, RULE));
    let event = |c: &mut Cluster| {
        let first = block(c.chain.head().at.number + 1, c.chain.branch);
        for node in &mut c.nodes {
            node.standing.push(Finding { kind: "event".into(), ..finding("vault-unpaused", first) });
        }
    };
    let before = automatic(&c);
    c.all_find(RULE);
    event(&mut c);
    c.mine(&[]);
    c.mine(&[]);
    assert_eq!(automatic(&c), before, "the other one alone is not enough");
    assert_eq!(pages(&c, 0, "approval-wanted").len(), 1);
    c.clear();
    c.mine(&[]);
    c.all_find("vault-outflow-early");
    event(&mut c);
    c.mine(&[]);
    assert_eq!(automatic(&c), before + 5, "two others are");
}

/// Labels that are not the author's, rules of other assets, other chains' heads, and forgiveness in stock are refused from the bytes.
#[test]
fn words_that_cannot_count_are_refused() {
    let mut c = false_pause();
    let head = c.chain.head().at;
    let fine = PromotionSupported {
        version: c.charter.version,
        asset: name("vault-core"),
        detector: name(RULE),
        through: head.time,
        operator: name("op-elm"),
        head,
        human: human("fine"),
    };
    let elsewhere = BlockRef { chain: ChainId::new(1), ..head };
    let cases = [
        PromotionSupported { operator: name("op-alder"), ..fine.clone() },
        PromotionSupported { asset: name("other"), ..fine.clone() },
        PromotionSupported { detector: name("no-such-rule"), ..fine.clone() },
        PromotionSupported { head: elsewhere, ..fine.clone() },
    ];
    let now = c.now;
    for said in cases {
        let (seq, prev) = c.nodes[4].position();
        let event = c.nodes[4].seal_at(seq, prev, Body::PromotionSupported(said));
        let refused = c.nodes[0].receive(now, &event).expect_err("refused");
        assert!(matches!(refused, Rejection::Malformed { .. }), "{refused}");
    }
    let event = c.nodes[4].author(Body::PromotionSupported(fine));
    assert_eq!(c.nodes[0].receive(now, &event).expect("taken"), Verdict::Accept);
}

/// The certificate that says what an incident was is one that anybody can check: its votes all say so.
#[test]
fn the_outcome_is_certified() {
    let c = false_pause();
    let closes = |body: &Body| match body {
        Body::Certificate(certificate @ Certificate { purpose: Purpose::Close(_), .. }) => Some(certificate.clone()),
        _ => None,
    };
    let certificates: Vec<Certificate> = c.nodes[4].machine.events().filter_map(|event| closes(&event.body)).collect();
    assert!(!certificates.is_empty());
    for certificate in certificates {
        assert_eq!(watchfire_protocol::check_certificate(&c.charter, c.charter.network_id(), &certificate), Ok(()));
        let says = |vote: &Unverified| matches!(&vote.event().body, Body::CloseVote(close) if close.outcome == Some(Outcome::False));
        assert!(certificate.votes.len() == 3 && certificate.votes.iter().all(says));
    }
}
