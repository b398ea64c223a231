//! Traces in which an old certificate or signature must not act after a recovery, nor an old recovery after a pause.

use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;

fn paused() -> Cluster {
    let mut c = cluster();
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c.clear();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused && !c.chain.head().limited);
    c.clear();
    c.mine(&[]);
    c
}

fn recover(c: &mut Cluster) {
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
}

/// C4, C5, H5: an unexpired certificate for the narrow step neither blocks the recovery nor flags after it.
#[test]
fn c4_c5_the_narrow_certificate_is_satisfied_and_then_void() {
    let mut c = paused();
    recover(&mut c);
    assert_eq!(c.execute(), 1, "recovery is not blocked by the flag that was never needed");
    assert!(!c.chain.head().paused);
    for _ in 0..3 {
        c.mine(&[]);
        assert!(c.submissions().is_empty());
        assert!(c.owed_steps(0).is_empty(), "asset scope: evidence from before the recovery authorises no step");
    }
}

/// C10: a window that still holds the old outflow when the recovery executes begins there anew: no pause of what was just un-paused.
#[test]
fn c10_the_old_outflow_starts_no_unpause_and_pause_loop() {
    let mut c = cluster();
    let asset: AssetId = name("vault-core");
    c.all_find("vault-outflow");
    let outflow = c.nodes[0].standing[0].first.number;
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.mine(&[]);
    recover(&mut c);
    assert_eq!(c.execute(), 1, "though the finding stands all the while");
    for _ in 0..5 {
        for node in &mut c.nodes {
            // A detector's windows, with the floor that its own machine tells it.
            let floor = node.machine.window_floors().get(&asset).map_or(0, |floor| floor.number);
            node.standing.retain(|_| outflow > floor);
        }
        c.mine(&[]);
        assert!(c.owed_steps(0).is_empty() && c.submissions().is_empty());
        assert!(!c.chain.head().paused);
    }
}

/// C6: a recovery approved before a newer pause does not undo it.
#[test]
fn c6_an_old_recovery_certificate_does_not_undo_a_newer_pause() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[Tx::StrangerPauses(true)]);
    c.mine(&[]);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    let recovery = c.submissions().remove(0);
    c.mine(&[Tx::StrangerPauses(false)]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let pause: Vec<_> = c.submissions();
    assert_ne!(pause[0].safe_tx_hash, recovery.safe_tx_hash);
    c.mine(&[Tx::Safe(Box::new(pause[0].clone()))]);
    assert!(c.chain.head().paused);
    assert!(c.submissions().is_empty(), "the older approvals authorise nothing");
}

/// C13a, D4: a stranger pauses and unpauses while containment signatures at the nonce are out: the nonce is consumed by a rejection.
#[test]
fn d4_a_strangers_unpause_is_answered_by_a_rejection() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let old = c.submissions().remove(0);
    c.clear();
    c.mine(&[Tx::StrangerPauses(true)]);
    c.mine(&[Tx::StrangerPauses(false)]);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].transaction.data.is_empty() && sent[0].transaction.to == sent[0].safe, "a rejection");
    assert!(c.rejections(0) >= 3);
    c.mine(&[Tx::Safe(Box::new(sent[0].clone())), Tx::Safe(Box::new(old))]);
    assert!(!c.chain.head().paused, "the old signatures are void");
    assert!(c.submissions().is_empty());
}

pub(crate) fn through_another_safe(text: &str) -> String {
    let (head, tail) = text.split_once("id = \"recover-vault\"").expect("a recovery playbook");
    let other = "[[safe]]\nid = \"recovery-safe\"\nchain = 31337\naddress = \"0x4000000000000000000000000000000000000004\"\n\
                 version = \"1.4.1\"\nthreshold = 4\n\n[[asset]]";
    let tail = tail.replace("safe = \"guardian-safe\"", "safe = \"recovery-safe\"");
    format!("{}id = \"recover-vault\"{tail}", head.replacen("[[asset]]", other, 1))
}

/// D3: before a recovery through another Safe the containing Safe's nonce is consumed by a rejection, whoever knows of signatures there.
#[test]
fn d3_a_recovery_through_another_safe_waits_for_the_rejection() {
    let mut c = Cluster::new(charter(through_another_safe), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    recover(&mut c);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1, "only the rejection first");
    assert!(sent[0].transaction.data.is_empty());
    c.mine(&[Tx::Safe(Box::new(sent[0].clone()))]);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1, "then the recovery");
    assert!(!sent[0].transaction.data.is_empty());
    c.mine(&[Tx::Safe(Box::new(sent[0].clone()))]);
    assert!(!c.chain.head().paused);
    assert!(c.submissions().is_empty());
}

/// A recovery needs its own rule (four here): three approvals do nothing, and a finding is no basis for one.
#[test]
fn recovery_takes_its_own_rule_and_humans() {
    let mut c = paused();
    for index in 0..3 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
    assert!(c.submissions().is_empty());
    let Body::Vote(mut vote) = c.forged_vote(1, c.chain.head().at) else { unreachable!() };
    vote.decision.playbook = name("recover-vault");
    let forged = c.nodes[4].forge(Body::Vote(vote));
    let refused = c.nodes[0].receive(c.now, &forged).expect_err("no finding un-pauses");
    assert_eq!(refused.verdict(), Verdict::Reject);
}

/// R2 (e): while containment is owed, recovery is neither signed nor sent.
#[test]
fn recovery_yields_to_containment() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[Tx::StrangerPauses(true)]);
    c.mine(&[Tx::StrangerPauses(false)]);
    c.mine(&[]);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.all_find("vault-outflow");
    c.mine(&[]);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].severity, Severity::Sev1);
    c.mine(&[Tx::Safe(Box::new(sent[0].clone()))]);
    assert!(c.chain.head().paused);
}

/// C15: the liar that completes a quorum forks below its own vote; the certificate stays, and with it what was signed.
#[test]
fn c15_a_cut_removes_no_certificate() {
    let mut c = cluster();
    let (seq, prev) = c.nodes[4].position();
    c.find(&[0, 1, 4], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
    let fork = c.nodes[4].seal_at(seq, prev, c.forged_vote(1, c.chain.blocks[0].at));
    c.silent.insert(4);
    c.send(4, fork);
    c.settle();
    assert!(c.nodes[0].machine.members()[4].faulty);
    for index in 0..4 {
        assert_eq!(c.owed_steps(index), [2], "every honest log still holds the certificate");
        assert!(c.count(index, |b| matches!(b, Body::Certificate(_))) >= 1, "in an honest author's event");
    }
    assert_eq!(c.execute(), 1);
    assert_eq!(c.digests().len(), 1);
}
