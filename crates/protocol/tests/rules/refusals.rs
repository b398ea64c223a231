//! What each single term of the rules keeps from happening: a case of its own for terms that no trace breaks alone.

use watchfire_protocol::{CertificateFault, Rejection};
use watchfire_types::body::{Basis, Body, Certificate, CloseVote, Decision, Purpose, Vote};
use watchfire_types::*;

use crate::cluster::*;

fn cluster() -> Cluster {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    c
}

/// Attack, pause, four approvals, unpause; the chain is open again and nothing stands.
fn recovered() -> Cluster {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    c.clear();
    c.mine(&[]);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(!c.chain.head().paused);
    c
}

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

fn co_signatures(c: &Cluster, index: usize) -> usize {
    let key = c.nodes[index].key();
    let own = c.nodes[index].log.iter().filter(|event| event.author == key);
    own.filter(|event| matches!(event.body, Body::CoSignature(_))).count()
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

/// R2: who is no owner of the Safe any more signs nothing for it, and nobody counts or sends a signature that it gave before.
#[test]
fn a_removed_owner_signs_nothing_and_counts_for_nothing() {
    let mut c = cluster();
    let gone = c.charter.members[&name::<MemberId>("alder-1")].guardian.expect("a guardian");
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(co_signatures(&c, 0), 1, "an owner still");
    let sent = c.submissions().remove(0);
    let own = c.nodes[0].sign(sent.safe_tx_hash);
    c.mine(&[Tx::RemovesOwner(gone)]);
    let sent = c.submissions().remove(0);
    assert_eq!(sent.signatures.len(), 3 * 65);
    assert!(sent.signatures.chunks(65).all(|signature| signature != own), "the Safe would refuse it");
    c.mine(&[Tx::TakesNonce]);
    assert_eq!(co_signatures(&c, 0), 1, "not at the next nonce");
    assert_eq!(co_signatures(&c, 1), 2);
}

/// R2 (b): a nonce that nobody could read at the head is no current nonce: nothing is built, signed or sent until it is read again.
#[test]
fn a_nonce_that_cannot_be_read_is_not_guessed() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[Tx::Hides(Some("nonce()"))]);
    assert_eq!((0..5).map(|index| co_signatures(&c, index)).sum::<usize>(), 0);
    assert!(c.submissions().is_empty());
    c.mine(&[Tx::Hides(None)]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// A playbook that un-limits, so that a recovery can be owed beside a pause, through the Safe of this name.
fn unlimits(text: &str, safe: &str) -> String {
    let (head, tail) = text.split_once("id = \"recover-vault\"").expect("a recovery playbook");
    let tail = tail
        .replace(
            "function = \"unpause()\"\narguments = []",
            "function = \"setWithdrawalsLimited(bool)\"\narguments = [\"false\"]",
        )
        .replace(
            "paused() returns (bool)\", arguments = [], equals = \"false\"",
            "withdrawalsLimited() returns (bool)\", arguments = [], equals = \"false\"",
        )
        .replace("safe = \"guardian-safe\"", &format!("safe = \"{safe}\""));
    format!("{head}id = \"recover-vault\"{tail}")
}

/// Whether anybody signed something of this playbook.
fn signed(c: &Cluster, playbook: &str) -> bool {
    let signed = c.nodes[0].machine.signatures();
    signed.iter().filter_map(|count| count.step.as_ref()).any(|(decision, _)| decision.playbook.as_str() == playbook)
}

fn approve_recovery(c: &mut Cluster) {
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
}

/// R2 (e): while a pause is owed no recovery of the asset is signed; once the pause holds it is.
#[test]
fn a_recovery_is_not_signed_beside_owed_containment() {
    let mut c = Cluster::new(charter(|text| unlimits(text, "guardian-safe")), 98);
    c.mine(&[Tx::StrangerLimits(true)]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    approve_recovery(&mut c);
    assert!(signed(&c, "contain-vault") && !signed(&c, "recover-vault"));
    let pause = c.submissions();
    assert_eq!(pause.len(), 1);
    c.mine(&[Tx::Safe(Box::new(pause[0].clone()))]);
    assert!(c.chain.head().paused);
    c.clear();
    c.mine(&[]);
    approve_recovery(&mut c);
    assert!(signed(&c, "recover-vault"));
}

/// R2 (e), any Safe: the rejection that a recovery through another Safe waited for executes in the very block in which an attack is found.
#[test]
fn a_recovery_through_another_safe_is_not_signed_beside_owed_containment() {
    let through = |text: &str| unlimits(&crate::traces_recovery::through_another_safe(text), "recovery-safe");
    let mut c = Cluster::new(charter(through), 98);
    c.mine(&[Tx::StrangerLimits(true)]);
    c.mine(&[]);
    approve_recovery(&mut c);
    let rejection = c.submissions();
    assert!(rejection.len() == 1 && rejection[0].transaction.data.is_empty());
    c.all_find("vault-outflow");
    c.mine(&[Tx::Safe(Box::new(rejection[0].clone()))]);
    assert_eq!(c.owed_steps(0), [2]);
    assert!(!signed(&c, "recover-vault"));
}

/// A second asset, contained through the same Safe.
fn beside_another(text: &str) -> String {
    let text = unlimits(text, "guardian-safe");
    let part = |from: &str, to: &str| {
        let start = text.find(from).expect("begins");
        text[start..start + text[start..].find(to).expect("ends")].to_owned()
    };
    let asset = part("[[asset]]", "[rules.contain]");
    let playbook = part("[[playbook]]", "[[playbook]]\nid = \"recover-vault\"");
    let detector = part("[[detector]]", "[[detector]]\nid = \"vault-outflow-early\"");
    let other = |text: &str| {
        let text = text.replace("vault-core", "vault-other").replace("contain-vault", "contain-other");
        let text = text.replace("vault-outflow", "other-outflow");
        text.replace("0x1000000000000000000000000000000000000001", "0x1000000000000000000000000000000000000003")
    };
    let text = text.replacen("[rules.contain]", &format!("{}[rules.contain]", other(&asset)), 1);
    format!("{text}\n{}{}", other(&playbook), other(&detector))
}

/// R2 (e), any asset on that Safe: a recovery yields to the containment of another asset at the same nonces.
#[test]
fn a_recovery_is_not_signed_where_another_asset_is_to_be_contained() {
    let mut c = Cluster::new(charter(beside_another), 98);
    c.mine(&[Tx::StrangerLimits(true)]);
    c.all_find("other-outflow");
    for node in &mut c.nodes {
        node.standing[0].asset = name("vault-other");
        node.standing[0].severity = Severity::Sev1;
    }
    c.mine(&[]);
    assert!(signed(&c, "contain-other"));
    approve_recovery(&mut c);
    assert!(!signed(&c, "recover-vault"));
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
        let body =
            Body::CloseVote(CloseVote { decision: decision(&c, "contain-vault"), closed_at, human: human("over") });
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

/// The widest step of *another* containment playbook of the asset that turned false makes evidence stale for every step of this one.
#[test]
fn another_playbooks_recovery_makes_evidence_stale() {
    let two = charter(|text| {
        let start = text.find("[[playbook]]").expect("begins");
        let end = text.find("[[playbook.step]]\nname = \"pause\"").expect("a wider step");
        let narrow = text[start..end].replace("contain-vault", "z-flag").replace("step = 2", "step = 1");
        format!("{text}\n{narrow}")
    });
    for (charter, owed) in [(charter(str::to_owned), vec![2]), (two, Vec::new())] {
        let mut c = Cluster::new(charter, 98);
        c.mine(&[]);
        c.all_find("vault-outflow");
        c.mine(&[]);
        c.clear();
        c.mine(&[Tx::StrangerLimits(true)]);
        c.mine(&[Tx::StrangerLimits(false)]);
        assert_eq!(c.owed_steps(0), owed);
    }
}

/// An executed recovery makes evidence stale for all steps, be it that it took only a narrow one back; and there windows begin anew.
#[test]
fn an_executed_recovery_makes_evidence_stale_for_wider_steps() {
    let mut c = Cluster::new(charter(|text| unlimits(text, "guardian-safe")), 98);
    c.mine(&[Tx::StrangerLimits(true)]);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let attacked = c.chain.head().at;
    c.clear();
    c.mine(&[]);
    approve_recovery(&mut c);
    assert_eq!(c.execute(), 1);
    assert!(!c.chain.head().limited);
    let floor = c.nodes[0].machine.window_floors().get(&name::<AssetId>("vault-core")).copied();
    assert_eq!(floor, Some(c.chain.head().at));
    c.silent.insert(4);
    let late = c.forged_vote(2, attacked);
    let late = c.nodes[4].forge(late);
    c.send(4, late);
    c.settle();
    assert!(c.owed_steps(0).is_empty(), "two votes from before the recovery and a third");
}

/// Who signs under another's certificate publishes it too, before the signature: no liar can take it away again.
#[test]
fn a_signer_publishes_the_certificate_it_signs_under() {
    let mut c = cluster();
    c.silent.insert(3);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    let certificate = c.nodes[0].log.iter().find(|event| matches!(event.body, Body::Certificate(_)));
    let certificate = certificate.expect("a certificate").clone();
    c.silent = [0, 1, 2, 4].into();
    c.send(0, certificate);
    c.settle();
    let key = c.nodes[3].key();
    let own: Vec<&str> =
        c.nodes[3].log.iter().filter(|event| event.author == key).map(|event| event.body.kind()).collect();
    let place = |kind: &str| own.iter().position(|found| *found == kind);
    let (published, signed) = (place("certificate"), place("co-signature"));
    assert!(published.is_some() && signed.is_some() && published < signed, "{own:?}");
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

/// R2 (c): a rejection that a simulation refutes is not signed either, and one that passes is.
#[test]
fn a_refuted_rejection_is_not_signed() {
    fn refuses_rejections(_: &Block, transaction: &SafeTransaction) -> input::PreflightOutcome {
        if transaction.data.is_empty() {
            return input::PreflightOutcome::Refuted { reason: "guard: no".into(), by_guard: true };
        }
        input::PreflightOutcome::Passes
    }
    let mut c = cluster();
    c.simulate = refuses_rejections;
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.submissions();
    assert_eq!(c.rejections(0), 0);
    c.simulate = passes;
    c.mine(&[]);
    assert!(c.rejections(0) >= 3);
}

/// Nothing leaves below the Safe's threshold, however long it takes: two signatures of three are waited upon, and that is the cause.
#[test]
fn two_signatures_of_three_are_not_sent() {
    let mut c = cluster();
    c.silent = [2, 3, 4].into();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let third = c.forged_vote(2, c.chain.head().at);
    let third = c.nodes[4].forge(third);
    c.send(4, third);
    c.settle();
    assert_eq!((co_signatures(&c, 0), co_signatures(&c, 1)), (1, 1));
    assert!(c.submissions().is_empty());
    let why = c.nodes[0].machine.outlooks()[0].why_not.clone().expect("a cause");
    assert_eq!(why.cause, body::Cause::ThresholdNotReached);
    c.silent = [3, 4].into();
    for event in c.nodes[0].log.clone() {
        c.send(0, event);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Windows begin anew also where a stranger took the pause back.
#[test]
fn windows_begin_where_a_stranger_recovered() {
    let mut c = cluster();
    c.mine(&[Tx::StrangerPauses(true)]);
    assert!(c.nodes[0].machine.window_floors().is_empty());
    c.mine(&[Tx::StrangerPauses(false)]);
    let floor = c.nodes[0].machine.window_floors().get(&name::<AssetId>("vault-core")).copied();
    assert_eq!(floor, Some(c.chain.head().at));
}
