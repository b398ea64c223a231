//! The incident every reader is told first: five organisations, a ladder of two steps, one liar, a backup, a reorg, a recovery, a second attack.

use watchfire_types::body::{Body, Certificate, Executed, Purpose};
use watchfire_types::*;

use crate::cluster::*;

fn steps_certified(cluster: &Cluster, index: usize) -> Vec<u8> {
    let decisions = cluster.nodes[index].machine.decisions();
    let certificates = decisions.iter().filter(|d| d.decision.playbook.as_str() == "contain-vault");
    let mut steps: Vec<u8> = certificates
        .flat_map(|decision| &decision.certificates)
        .filter(|(_, _, authorises)| *authorises)
        .filter_map(|(_, purpose, _)| match purpose {
            Purpose::Step(step) => Some(step.get()),
            _ => None,
        })
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The whole walk: certificates accumulate, the liar changes nothing, old evidence authorises nothing, the second attack is stopped too.
#[test]
fn the_walk_through() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    five_find_it_and_one_lies(&mut c);
    the_pause_outlasts_a_backup_a_reorg_and_a_lie(&mut c);
    what_was_recovered_is_attacked_again(&mut c);
}

fn five_find_it_and_one_lies(c: &mut Cluster) {
    // Block 100: O1, O2 find SEV2 and vote step 1.
    c.mine(&[]);
    c.find(&[0, 1], "vault-outflow-early");
    c.mine(&[]);
    assert_eq!(c.chain.head().at.number, 100);
    assert!(steps_certified(c, 0).is_empty(), "two of three");

    // Block 101: O3, O4 find SEV1; O5 lies, 1 to X (O1), 2 to Y (O2).
    c.find(&[2, 3], "vault-outflow");
    let evidence = c.chain.head().at;
    c.silent.insert(4);
    let (seq, prev) = c.nodes[4].position();
    let one = c.nodes[4].seal_at(seq, prev, c.forged_vote(1, evidence));
    let two = c.nodes[4].seal_at(seq, prev, c.forged_vote(2, evidence));
    c.mine(&[]);
    for index in 0..4 {
        assert_eq!(steps_certified(c, index), [1], "any three votes certify step 1 everywhere");
    }
    assert_eq!(c.nodes[0].machine.signatures()[0].owners.len(), 4, "flag is signed at nonce 7");
    c.nodes[0].receive(c.now, &one).expect("X takes the one");
    c.nodes[1].receive(c.now, &two).expect("Y takes the other");
    c.settle();
    for index in 0..4 {
        assert_eq!(steps_certified(c, index), [1, 2], "both stand at {index}, the fork proven");
        assert!(c.nodes[index].machine.members()[4].faulty);
        assert!(c.count(index, |b| matches!(b, Body::FaultProof(_))) >= 1);
    }
    let signatures = c.nodes[0].machine.signatures();
    let pause = signatures.iter().find(|s| s.step.as_ref().is_some_and(|(_, step)| step.get() == 2)).expect("pause");
    assert!(pause.owners.len() >= 3, "threshold-signed at 7: {}", pause.owners.len());
    assert_eq!(pause.nonce, U256::from(7));
    assert_eq!(c.digests().len(), 1, "digests are equal");
}

fn the_pause_outlasts_a_backup_a_reorg_and_a_lie(c: &mut Cluster) {
    // Pause executes, nonce 8; flag is no longer owed.
    let sent = c.submissions();
    assert_eq!(sent.len(), 1, "an honest node sends pause only");
    let pause = sent[0].clone();
    c.mine(&[Tx::Safe(Box::new(pause.clone()))]);
    assert!(c.chain.head().paused);
    assert!(c.submissions().is_empty(), "nothing is owed");
    assert!(c.count(0, |b| matches!(b, Body::Executed(_))) >= 4);

    // O2 restarts from an old backup: new epoch, catches up, same state.
    let old: Vec<_> = c.nodes[1].log.clone();
    c.nodes[1] = Node::new(&c.charter, 1, 0x77);
    for event in c.nodes[0].log.clone().iter().chain(&old) {
        let _ = c.nodes[1].receive(c.now, event);
    }
    let started = c.nodes[1].log[0].clone();
    c.send(1, started);
    c.show();
    assert_eq!(c.digests().len(), 1, "complete again");

    // A reorg drops the pause: owed again, the same signatures are resent.
    c.reorg(1);
    c.mine(&[]);
    assert!(!c.chain.head().paused);
    let again = c.submissions();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].safe_tx_hash, pause.safe_tx_hash, "the same transaction");
    assert!(c.count(0, |b| matches!(b, Body::Retracted(_))) >= 1);
    c.mine(&[Tx::Safe(Box::new(again[0].clone()))]);
    assert!(c.chain.head().paused);

    // O5's false Executed changes nothing.
    let lie = Body::Executed(Executed {
        block: BlockRef { number: 1_000_000_000, ..c.chain.head().at },
        safe: pause.safe,
        safe_transaction: pause.safe_tx_hash,
        transaction: pause.safe_tx_hash,
    });
    let lie = c.nodes[4].forge(lie);
    let _ = c.nodes[0].receive(c.now, &lie);
    assert!(c.submissions().is_empty());
}

fn what_was_recovered_is_attacked_again(c: &mut Cluster) {
    // Recovery by four humans executes at block 900: evidence up to 900 authorises nothing more.
    c.clear();
    c.mine_to(897);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1, "recovery is sent");
    assert!(!c.chain.head().paused);
    let recovered = c.nodes[0].machine.window_floors()[&name::<AssetId>("vault-core")];
    assert_eq!(recovered.number, c.chain.head().at.number);
    c.mine(&[]);
    assert!(steps_certified(c, 0).is_empty());
    assert!(c.submissions().is_empty(), "nothing re-pauses");

    // Attack at 950: new votes, same decision, new certificate.
    c.mine_to(949);
    let before =
        c.count(0, |b| matches!(b, Body::Certificate(Certificate { purpose: Purpose::Step(s), .. }) if s.get() == 2));
    c.find(&[0, 1, 2, 3], "vault-outflow");
    c.mine(&[]);
    let after =
        c.count(0, |b| matches!(b, Body::Certificate(Certificate { purpose: Purpose::Step(s), .. }) if s.get() == 2));
    assert!(after > before, "a new certificate");
    c.execute();
    assert!(c.chain.head().paused);
    assert!(c.submissions().is_empty(), "every incident ends with nothing owed");
    assert_eq!(c.digests().len(), 1);
}
