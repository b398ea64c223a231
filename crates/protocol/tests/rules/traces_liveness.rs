//! Traces in which nobody can be allowed to stop, starve or delay a true pause.

use watchfire_types::body::Body;
use watchfire_types::input::{Input, PreflightOutcome, SubmissionFailure, SubmissionReport};
use watchfire_types::*;

use crate::cluster::*;

/// C1: a liar's vote on evidence from before the last recovery spoils no certificate.
#[test]
fn c1_one_stale_vote_does_not_stop_the_pause() {
    let mut c = recovered();
    c.silent.insert(4);
    let stale = c.forged_vote(2, c.chain.blocks[1].at);
    let stale = c.nodes[4].forge(stale);
    c.send(4, stale);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    assert!(c.owed_steps(0).is_empty(), "two honest votes and a stale one are no quorum");
    c.find(&[2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// C1, the other way round: a liar's vote that is about to die takes nothing with it when it does.
#[test]
fn c1_one_vote_that_dies_next_block_does_not_stop_the_pause() {
    let mut c = cluster();
    c.silent.insert(4);
    let evidence = c.chain.head().at;
    let dying = c.forged_vote(2, evidence);
    let dying = c.nodes[4].forge(dying);
    c.send(4, dying);
    c.settle();
    c.mine_to(evidence.number + EXPIRY_S - 1);
    c.find(&[0], "vault-outflow");
    c.mine(&[]);
    c.find(&[1], "vault-outflow");
    c.mine(&[]);
    assert!(c.owed_steps(0).is_empty(), "the liar's vote died before the second honest one came");
    c.find(&[2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// C2a: a dead wider certificate suppresses nothing; C9: the second attack is voted on at once, within half a vote's life.
#[test]
fn c2a_c9_the_second_attack_is_owed_its_own_narrower_step_at_once() {
    let mut c = recovered();
    c.find(&[0, 1, 2], "vault-outflow-early");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [1]);
    c.execute();
    assert!(c.chain.head().limited && !c.chain.head().paused);
}

/// C2b: while the wider step is refuted the next narrower is owed; once it is not, the wider is.
#[test]
fn c2b_a_refuted_step_falls_back_to_the_narrower() {
    let mut c = cluster();
    c.simulate = refuses_pause;
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [1]);
    assert!(c.nodes[0].machine.signatures().iter().all(|s| s.step.as_ref().is_some_and(|(_, step)| step.get() == 1)));
    let outlook = &c.nodes[0].machine.outlooks()[0];
    assert!(!outlook.can_pause, "{}", outlook.detail);
    c.simulate = passes;
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
}

/// C3: another's Executed is a statement; the last recovery comes from the own view alone.
#[test]
fn c3_a_false_execution_in_the_far_future_changes_nothing() {
    let mut c = cluster();
    c.silent.insert(4);
    let far = BlockRef { number: 1_000_000_000, ..c.chain.head().at };
    let hash = far.hash;
    let lie =
        Body::Executed(body::Executed { block: far, safe: Address::ZERO, safe_transaction: hash, transaction: hash });
    let lie = c.nodes[4].forge(lie);
    c.send(4, lie);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// C7, C17: guardians sign both steps at one nonce, honest nodes send the widest only, and a taken nonce re-targets by itself (L6).
#[test]
fn c7_c17_any_number_of_effects_at_one_nonce() {
    let mut c = cluster();
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c.clear();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let signed = c.nodes[0].machine.signatures();
    assert_eq!(signed.len(), 2, "flag and pause");
    assert!(signed.iter().all(|count| count.owners.len() == 5 && count.nonce == U256::from(7)));
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    c.mine(&[Tx::TakesNonce, Tx::Safe(Box::new(sent[0].clone()))]);
    assert!(!c.chain.head().paused);
    let again = c.submissions();
    assert_eq!(again[0].transaction.nonce, U256::from(8));
    c.mine(&[Tx::Safe(Box::new(again[0].clone()))]);
    assert!(c.chain.head().paused);
}

fn two_calls(text: &str) -> String {
    let text = text.replace(
        "stagger_ms_min = 500",
        "stagger_ms_min = 500\nmulti_send_call_only = { address = \"0x9641d764fc13c8B624c04430C7356C1C7C8102e2\", code_hash = \
         \"0x1111111111111111111111111111111111111111111111111111111111111111\" }",
    );
    let flag =
        text.split("name = \"flag\"").nth(1).and_then(|rest| rest.split("[[playbook.step]]").next()).expect("flag");
    text.replace("name = \"pause\"\n", &format!("name = \"pause\"\n{flag}"))
}

/// C8: a stranger makes half of a batch; every guardian signs the variant without it though it signed the other at that nonce.
#[test]
fn c8_variants_are_signed_beside_each_other() {
    let mut c = Cluster::new(charter(two_calls), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let whole = c.submissions();
    assert_eq!(whole[0].transaction.operation, Operation::DelegateCall);
    c.mine(&[Tx::StrangerLimits(true)]);
    let rest = c.submissions();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].transaction.operation, Operation::Call);
    assert_eq!(rest[0].transaction.nonce, whole[0].transaction.nonce);
    c.mine(&[Tx::Safe(Box::new(rest[0].clone()))]);
    assert!(c.chain.head().paused);
}

/// Calls are packed by the code that the charter pins, whatever stands at its address: another code there is never given the Safe, the step
/// counts as refused, the narrower one is made instead, and the cause is named before and after.
#[test]
fn other_code_at_the_pinned_address_is_never_called() {
    let mut c = Cluster::new(charter(two_calls), 98);
    c.mine(&[Tx::Code(Some(PINNED_CODE + 1))]);
    let said = c.nodes[0].machine.outlooks()[0].clone();
    assert!(!said.can_pause && said.detail.contains("is not the MultiSendCallOnly"), "{said:?}");
    c.all_find("vault-outflow");
    c.mine(&[]);
    let made = c.submissions();
    assert!(made.iter().all(|made| made.transaction.operation == Operation::Call) && !made.is_empty(), "{made:?}");
    assert!(
        c.nodes.iter().all(|node| node
            .machine
            .signatures()
            .iter()
            .all(|count| count.safe_tx_hash == made[0].safe_tx_hash))
    );
    c.mine(&[Tx::Safe(Box::new(made[0].clone()))]);
    assert!(c.chain.head().limited && !c.chain.head().paused);
}

/// Code does not change by itself: once it was told, an endpoint that keeps silent about it holds up nothing; before, nothing is packed.
#[test]
fn code_that_was_never_told_packs_nothing() {
    let charter = charter(two_calls);
    let mut c = Cluster::new(std::sync::Arc::clone(&charter), 98);
    for index in 0..5 {
        let node = Node::new(&charter, index, 0x20 + index);
        let began = node.log.to_vec();
        c.nodes[usize::from(index)] = node;
        began.into_iter().for_each(|event| c.send(index.into(), event));
    }
    c.mine(&[Tx::Code(None)]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert!(c.submissions().is_empty());
    c.mine(&[Tx::Code(Some(PINNED_CODE))]);
    assert_eq!(c.submissions()[0].transaction.operation, Operation::DelegateCall);
    c.mine(&[Tx::Code(None)]);
    assert_eq!(c.submissions()[0].transaction.operation, Operation::DelegateCall);
}

/// C16: a certificate of votes spread over almost a whole life still lives a whole expiry after its newest evidence.
#[test]
fn c16_a_certificate_outlives_its_oldest_vote() {
    let mut c = cluster();
    for (index, at) in [(0, 100), (1, 100 + EXPIRY_S / 2), (2, 99 + EXPIRY_S)] {
        c.clear();
        c.find(&[index], "vault-outflow");
        c.nodes[index].standing[0].first = block(at, 0);
        c.mine_to(at);
    }
    c.clear();
    assert_eq!(c.owed_steps(3), [2], "certified in the last block of the first vote's life");
    c.mine_to(99 + 2 * EXPIRY_S);
    assert_eq!(c.owed_steps(3), [2], "alive until the newest evidence plus expiry");
    c.mine_to(100 + 2 * EXPIRY_S);
    assert!(c.owed_steps(3).is_empty(), "expired by block time");
}

/// D1: where the step that was found is refuted for as long as escalation takes, the next wider one is voted.
#[test]
fn d1_escalation_passes_a_refuted_step() {
    fn refuses_flag(_: &Block, transaction: &SafeTransaction) -> PreflightOutcome {
        if transaction.data.len() > 4 {
            return PreflightOutcome::Refuted { reason: "not the owner".into(), by_guard: false };
        }
        PreflightOutcome::Passes
    }
    let mut c = cluster();
    c.simulate = refuses_flag;
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    assert_eq!(c.votes(0, 2), 0);
    for _ in 0..4 {
        c.mine(&[]);
    }
    assert!(c.votes(0, 2) > 0);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// D2: a step that cannot be simulated and reverts on chain does not suppress the narrower one: both are sent.
#[test]
fn d2_a_reverting_submission_lets_the_narrower_step_go_as_well() {
    let mut c = cluster();
    c.simulate = |_, _| PreflightOutcome::Unknown { reason: "no method".into() };
    c.all_find("vault-outflow");
    c.mine(&[]);
    let pause = c.submissions().remove(0);
    for node in &mut c.nodes {
        let block = c.chain.head().at;
        let reason = SubmissionFailure::InnerReverted { reason: "GS013".into() };
        let report = SubmissionReport::Reverted { safe_tx_hash: pause.safe_tx_hash, block, reason };
        node.machine.observe(c.now, &Input::Submission(report));
    }
    c.settle();
    assert_eq!(c.owed_steps(0), [1, 2]);
    assert_eq!(c.submissions().len(), 2);
}

/// D6: a window that still holds the old outflow does not escalate; a balance that falls further does.
#[test]
fn d6_escalation_takes_new_evidence() {
    let mut c = cluster();
    c.all_find("vault-outflow-early");
    let balance = |c: &mut Cluster, left: &str| {
        for node in &mut c.nodes {
            node.standing[0].figures.insert("balance_now".into(), left.into());
        }
    };
    balance(&mut c, "80");
    c.mine(&[]);
    c.execute();
    assert!(c.chain.head().limited);
    for _ in 0..6 {
        c.mine(&[]);
    }
    assert_eq!(c.votes(0, 2), 0, "the attack is over, only the window remembers it");
    balance(&mut c, "70");
    c.mine(&[]);
    assert!(c.votes(0, 2) > 0, "it goes on");
}

/// D7: whoever flips the narrow flag every block does not starve the wide step.
#[test]
fn d7_flipping_the_flag_does_not_starve_the_pause() {
    let mut c = cluster();
    c.mine(&[Tx::StrangerLimits(true)]);
    c.find(&[0], "vault-outflow");
    c.mine(&[Tx::StrangerLimits(false)]);
    c.find(&[1], "vault-outflow");
    c.mine(&[Tx::StrangerLimits(true)]);
    c.find(&[2], "vault-outflow");
    c.mine(&[Tx::StrangerLimits(false)]);
    assert_eq!(c.owed_steps(3), [2]);
    let pause = c.submissions().remove(0);
    c.mine(&[Tx::StrangerLimits(true), Tx::Safe(Box::new(pause))]);
    assert!(c.chain.head().paused);
}

/// L1, L3: with two nodes silent the other three pause, and every rank sends within a block.
#[test]
fn three_of_five_pause_alone() {
    let mut c = cluster();
    c.silent.extend([3, 4]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.submissions().len(), 1);
    let senders = c.nodes[..3].iter().filter(|n| n.duties.iter().any(|d| matches!(d, duty::Duty::Submit(_)))).count();
    assert_eq!(senders, 3, "after its turn everyone sends");
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Two votes never pause, and the cause has a name.
#[test]
fn a_minority_pauses_nothing() {
    let mut c = cluster();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    assert!(c.submissions().is_empty());
    let why = c.nodes[0].machine.outlooks()[0].why_not.clone().expect("a cause");
    assert_eq!(why.cause, body::Cause::QuorumNotReached, "{}", why.detail);
    c.clear();
    c.mine_to(101 + EXPIRY_S + 5);
    assert_eq!(c.count(0, |b| matches!(b, Body::NotContained(_))), 2, "each of the two says so once");
}
