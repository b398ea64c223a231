//! What each single term about recoveries keeps from happening, where no trace breaks it alone: what yields to containment, and what a
//! recovery makes stale.

use watchfire_types::*;

use crate::cluster::*;

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
pub(crate) fn beside_another(text: &str) -> String {
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
