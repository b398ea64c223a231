//! Traces of what a node says of itself before an attack: whether it could pause, how sure that is, and the one cause why not.

use alloy_primitives::{Address, B256, address};
use watchfire_protocol::AssetOutlook;
use watchfire_types::body::{Body, Cause};
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::{Input, PreflightOutcome, SubmissionFailure, SubmissionReport};
use watchfire_types::{BlockRef, Log, OperatorId, Read, ReadOutcome, SafeId, SafeTransaction, U256};

use crate::cluster::*;

const SECOND: Address = address!("4000000000000000000000000000000000000004");
const VAULT: Address = address!("1000000000000000000000000000000000000001");

fn outlook(c: &Cluster, node: usize) -> AssetOutlook {
    c.nodes[node].machine.outlooks().first().expect("an outlook").clone()
}

fn simulations(c: &Cluster, node: usize) -> Vec<Preflight> {
    let duties = c.nodes[node].duties.iter();
    duties
        .filter_map(|duty| if let Duty::Preflight(preflight) = duty { Some(preflight.clone()) } else { None })
        .collect()
}

/// A step through two Safes: the vault is paused by both.
fn two_safes() -> Cluster {
    let charter = charter(|text| {
        let safe = text.find("[[safe]]").unwrap()..text.find("[[asset]]").unwrap();
        let second = text[safe.clone()]
            .replace("guardian-safe", "second-safe")
            .replace("0x2000000000000000000000000000000000000002", &SECOND.to_checksum(None));
        let pause = text.find("name = \"pause\"").unwrap();
        let action = pause + text[pause..].find("[[playbook.step.action]]").unwrap()..;
        let action = action.start..action.start + text[action.start..].find("[[playbook]]").unwrap();
        let again = text[action.clone()].replace("guardian-safe", "second-safe");
        let (before, between, after) = (&text[..safe.end], &text[safe.end..action.end], &text[action.end..]);
        format!("{before}{second}{between}{again}{after}")
    });
    let mut c = Cluster::new(charter, 100);
    c.silent = [0, 1, 2, 3, 4].into();
    c.answers = false;
    // What was simulated at the former nonce says nothing.
    c.mine(&[Tx::TakesNonce]);
    c
}

fn told(c: &mut Cluster, of: &Preflight, block: BlockRef, outcome: PreflightOutcome) {
    let safe_tx_hash = of.safe_tx_hash;
    c.nodes[0].machine.observe(c.now, &Input::Preflighted { safe_tx_hash, block, outcome });
}

/// Of a step through two Safes both are judged: what refutes goes before what is not known, whichever is first; what passed is as
/// old as the older answer; and one Safe that cannot be read is no half of an ok.
#[test]
fn all_safes_of_a_step_or_none() {
    let mut c = two_safes();
    let owed = c.nodes[0].machine.owed(c.now).duties;
    let of = |safe: Address| {
        owed.iter().find_map(|duty| match duty {
            Duty::Preflight(preflight) if preflight.safe == safe && preflight.postconditions.len() == 1 => {
                preflight.transaction.data.starts_with(&[0x84, 0x56, 0xcb, 0x59]).then(|| preflight.clone())
            }
            _ => None,
        })
    };
    let first = of(address!("2000000000000000000000000000000000000002")).expect("pause through the first");
    let second = of(SECOND).expect("pause through the second");
    let unknown = || PreflightOutcome::Unknown { reason: "no method".into() };
    let refuted = || PreflightOutcome::Refuted { reason: "GS013".into(), by_guard: false };
    let at = c.chain.head().at;

    told(&mut c, &first, at, unknown());
    let said = outlook(&c, 0);
    assert!(said.can_pause && said.doubt.is_some(), "{said:?}");
    told(&mut c, &second, at, refuted());
    let said = outlook(&c, 0);
    assert!(!said.can_pause && said.detail.contains("GS013"), "{said:?}");

    let next = block(at.number + 1, 0);
    told(&mut c, &first, at, PreflightOutcome::Passes);
    told(&mut c, &second, next, PreflightOutcome::Passes);
    let said = outlook(&c, 0);
    assert!(said.can_pause && said.doubt.is_none(), "{said:?}");
    assert_eq!(said.detail, format!("simulated ok at block {}", at.number));

    let head = c.chain.mine(&[]).clone();
    let mut half = view(&c.charter, &head);
    half.reads.retain(|read, _| !matches!(read, Read::Call { to, .. } if *to == SECOND));
    c.nodes[0].machine.observe(c.now, &Input::Block(Box::new(half)));
    let said = outlook(&c, 0);
    assert!(!said.can_pause && said.detail.contains("second-safe"), "{said:?}");
}

/// A simulation runs with one owner's word for all signatures: whether there are enough guardians among the owners is asked beside it.
#[test]
fn fewer_guardians_than_signatures_pause_nothing() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    let selector = |text: &str| alloy_primitives::keccak256(text)[..4].to_vec();
    let seen = |c: &mut Cluster, owners: usize, threshold: u64| {
        let head = c.chain.mine(&[]).clone();
        let mut changed = view(&c.charter, &head);
        for (read, answer) in &mut changed.reads {
            let Read::Call { data, .. } = read else { continue };
            let ReadOutcome::Value(word) = answer else { continue };
            if data.starts_with(&selector("getThreshold()")) {
                *word = U256::from(threshold).to_be_bytes_vec().into();
            }
            if data.starts_with(&selector("getOwners()")) {
                *word =
                    [&word[..32], &U256::from(owners).to_be_bytes::<32>(), &word[64..64 + 32 * owners]].concat().into();
            }
        }
        c.nodes[0].machine.observe(c.now, &Input::Block(Box::new(changed)));
        outlook(c, 0)
    };
    for (owners, threshold) in [(5, 5), (3, 3)] {
        let said = seen(&mut c, owners, threshold);
        assert!(said.can_pause, "{owners} of {threshold}: {said:?}");
    }
    for (owners, threshold, named) in [(2, 3, "3 signatures, and 2 guardians"), (5, 6, "6 signatures, and 5 guardians")]
    {
        let said = seen(&mut c, owners, threshold);
        assert!(!said.can_pause && said.detail.contains(named), "{owners} of {threshold}: {said:?}");
    }
}

/// Until the answer comes an asset is shown, as unsure: at the start, and after each nonce that was taken.
#[test]
fn an_asset_is_shown_before_it_is_simulated() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    assert!(outlook(&c, 0).doubt.is_none(), "{:?}", outlook(&c, 0));
    c.answers = false;
    let attested = |c: &Cluster| c.count(0, |body| matches!(body, Body::Attested(_)));
    let before = attested(&c);
    c.mine(&[Tx::TakesNonce]);
    let said = outlook(&c, 0);
    assert!(said.can_pause && said.doubt.as_deref().is_some_and(|why| why.contains("not simulated yet")), "{said:?}");
    assert_eq!(attested(&c), before, "what is stated for good rests on an answer");
    c.answers = true;
    c.mine(&[]);
    assert!(outlook(&c, 0).doubt.is_none(), "{:?}", outlook(&c, 0));
}

/// Who only votes or watches simulates too, and says by its own knowledge whether the network could pause.
#[test]
fn voters_and_watchers_have_an_outlook() {
    for kind in ["voter", "watcher"] {
        let charter = charter(|text| {
            let elm = text.find("id = \"elm-1\"").unwrap();
            let keep = |line: &&str| !line.starts_with("guardian = ") && !line.starts_with("submitter = ");
            let end = elm + text[elm..].find("[[chain]]").unwrap();
            let entry: String = text[elm..end].lines().filter(keep).map(|line| format!("{line}\n")).collect();
            let entry = entry.replace("kind = \"guardian\"", &format!("kind = \"{kind}\""));
            let text = format!("{}{entry}{}", &text[..elm], &text[end..]);
            // Four organisations vote where one only watches.
            if kind == "voter" {
                return text;
            }
            let text = text.replace("organisations = 3", "organisations = 2").replace("operators = 3", "operators = 2");
            text.replace("organisations = 4", "organisations = 3")
        });
        let c = Cluster::new(charter, 100);
        let said = outlook(&c, 4);
        assert!(said.can_pause && said.detail.starts_with("simulated ok"), "{kind}: {said:?}");
    }
}

/// A node none of whose operators agreed on the head says that its votes would not count, and what to look at; one that does
/// not vote has nothing to say of it.
#[test]
fn a_node_whose_votes_would_not_count_says_so() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    assert_eq!(outlook(&c, 0).mute, None);
    let block = c.chain.mine(&[]).clone();
    let mut seen = view(&c.charter, &block);
    seen.agreed = [name::<OperatorId>("op-birch")].into();
    c.nodes[0].machine.observe(c.now, &Input::Block(Box::new(seen)));
    let said = outlook(&c, 0);
    assert!(said.mute.as_deref().is_some_and(|why| why.contains("op-alder")), "{said:?}");
}

/// Idle, a step is simulated again at once when a contract that it calls says something, and only then; once a block at most.
#[test]
fn a_log_of_a_target_is_an_occasion() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    c.answers = false;
    c.mine(&[]);
    assert_eq!(simulations(&c, 0), [], "nothing happened");
    for (contract, expected) in [(Address::repeat_byte(9), 0), (VAULT, 2)] {
        let head = c.chain.mine(&[]).clone();
        let mut seen = view(&c.charter, &head);
        let topics = vec![B256::repeat_byte(1)];
        seen.logs.push(Log { address: contract, topics, data: Default::default(), transaction: B256::ZERO, index: 0 });
        c.nodes[0].machine.observe(c.now, &Input::Block(Box::new(seen)));
        c.settle();
        let due = simulations(&c, 0);
        assert_eq!(due.len(), expected, "{contract}: {due:?}");
        assert!(due.iter().all(|preflight| preflight.at == head.at));
    }
    for preflight in simulations(&c, 0) {
        told(&mut c, &preflight.clone(), preflight.at, PreflightOutcome::Passes);
    }
    c.settle();
    assert_eq!(simulations(&c, 0), [], "answered at that block");
}

/// One partner's people want the flag and another's the pause: at each new head both are simulated, for the widest wanted step takes the narrower
/// ones along. Where nobody wants more than the flag, the flag alone is.
#[test]
fn the_widest_vote_is_simulated() {
    for (wanted, expected) in [(&[1][..], 1), (&[1, 2], 2), (&[2, 1], 2)] {
        let mut c = Cluster::new(charter(str::to_owned), 100);
        for (index, step) in (1..).zip(wanted) {
            c.approve(index, "contain-vault", *step);
        }
        c.answers = false;
        c.mine(&[]);
        let due = simulations(&c, 0);
        assert_eq!(due.len(), expected, "{wanted:?}: {due:?}");
    }
}

/// Each way in which a submission fails has its cause, with the submitter's own words.
#[test]
fn every_failure_of_a_submission_has_its_cause() {
    let failed = |reason: SubmissionFailure| move |safe_tx_hash, _| SubmissionReport::Failed { safe_tx_hash, reason };
    type Report = Box<dyn FnOnce(B256, BlockRef) -> SubmissionReport>;
    let reason = || "GS013: EnforcedPause()".to_owned();
    let contained = move || SubmissionFailure::AlreadyContained { reason: reason() };
    let inner = move || SubmissionFailure::InnerReverted { reason: reason() };
    let guard = || SubmissionFailure::GuardRefuses { reason: "no".to_owned() };
    let reverted = |reason: SubmissionFailure| {
        move |safe_tx_hash, block| SubmissionReport::Reverted { safe_tx_hash, block, reason }
    };
    let cases: Vec<(Report, Cause, &str)> = vec![
        (Box::new(failed(SubmissionFailure::Unfunded)), Cause::SubmitterUnfunded, "cannot pay"),
        (Box::new(failed(SubmissionFailure::NonceTaken)), Cause::NonceTaken, "took the nonce"),
        (Box::new(failed(SubmissionFailure::BadSignatures)), Cause::ThresholdNotReached, "GS026"),
        (Box::new(failed(SubmissionFailure::TooFewSignatures)), Cause::ThresholdNotReached, "GS020"),
        (Box::new(failed(SubmissionFailure::Capped)), Cause::NotIncluded, "as high as it may be"),
        (Box::new(failed(SubmissionFailure::Refused("nonce too low".into()))), Cause::NotIncluded, "nonce too low"),
        (Box::new(failed(contained())), Cause::PreflightRefuted, "already contained at the submitter's head (GS013"),
        (Box::new(failed(inner())), Cause::PreflightRefuted, "its call reverts: GS013: EnforcedPause()"),
        (
            Box::new(failed(SubmissionFailure::AboveGasCap { cap: 9 })),
            Cause::PreflightRefuted,
            "more gas than the chain's cap of 9",
        ),
        (Box::new(failed(guard())), Cause::GuardBlocks, "a guard refuses it: no"),
        (
            Box::new(reverted(inner())),
            Cause::PreflightRefuted,
            "reverted on chain at block 101: its call reverts: GS013",
        ),
        (Box::new(reverted(guard())), Cause::GuardBlocks, "reverted on chain at block 101: a guard"),
        (Box::new(reverted(SubmissionFailure::NonceTaken)), Cause::NonceTaken, "reverted on chain at block 101: GS026"),
        (
            Box::new(reverted(SubmissionFailure::Refused("out of gas".into()))),
            Cause::PreflightRefuted,
            "reverted on chain at block 101: out of gas",
        ),
        (
            Box::new(|safe_tx_hash, block| SubmissionReport::NotIncluded { safe_tx_hash, block }),
            Cause::NotIncluded,
            "two blocks",
        ),
    ];
    for (report, cause, words) in cases {
        let mut c = Cluster::new(charter(str::to_owned), 100);
        c.all_find("vault-outflow");
        c.mine(&[]);
        let sent = c.submissions();
        let report = report(sent[0].safe_tx_hash, c.chain.head().at);
        c.nodes[0].machine.observe(c.now, &Input::Submission(report));
        let why = outlook(&c, 0).why_not.expect("a cause");
        assert!(why.cause == cause && why.detail.contains(words), "{cause:?}: {why:?}");
    }
}

fn guarded(_: &Block, _: &SafeTransaction) -> PreflightOutcome {
    PreflightOutcome::Refuted { reason: "guard: no".into(), by_guard: true }
}

fn unsimulated(_: &Block, _: &SafeTransaction) -> PreflightOutcome {
    PreflightOutcome::Unknown { reason: "no method".into() }
}

/// What a simulation has refuted stays the named cause while later ones have no answer, and ends when one passes.
#[test]
fn a_refutation_stays_named_until_a_simulation_passes() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    c.simulate = guarded;
    c.all_find("vault-outflow");
    c.mine(&[]);
    let why = |c: &Cluster| outlook(c, 0).why_not.expect("a cause");
    let named = |c: &Cluster| why(c).cause == Cause::GuardBlocks && why(c).detail == "refuted at block 101: guard: no";
    assert!(named(&c), "{:?}", why(&c));
    c.simulate = unsimulated;
    c.silent = [1, 2, 3, 4].into();
    c.mine(&[]);
    assert!(named(&c), "one signature of three: {:?}", why(&c));
    let doubt = outlook(&c, 0).doubt.expect("not sure");
    assert!(doubt.contains("no method") && doubt.contains("guard: no"), "{doubt}");
    c.silent.clear();
    c.mine(&[]);
    assert_eq!(c.submissions().len(), 1, "what is not known is signed and sent");
    assert!(named(&c), "threshold-signed: {:?}", why(&c));
    c.simulate = passes;
    c.mine(&[]);
    assert_eq!(why(&c).cause, Cause::NotIncluded);
}

/// What is stated for good once a refuted pause is no longer wanted is the refutation, not that its certificate is over or that the last
/// simulation had no answer; of a block that a reorg took nothing is told.
#[test]
fn a_refutation_is_what_is_stated_for_good() {
    for (orphaned, cause) in [(false, Cause::GuardBlocks), (true, Cause::Expired)] {
        let mut c = Cluster::new(charter(str::to_owned), 100);
        c.all_find("vault-outflow");
        c.unread = true;
        c.mine(&[]);
        c.simulate = guarded;
        c.mine(&[]);
        if orphaned {
            c.answers = false;
            c.reorg(1);
            c.mine(&[]);
            c.answers = true;
        }
        c.simulate = unsimulated;
        c.mine(&[]);
        c.clear();
        let over = c.chain.head().at.number + 2 * EXPIRY_S;
        c.mine_to(over);
        let stated = c.nodes[0].log.iter().find_map(|event| match &event.body {
            Body::NotContained(stated) => Some((stated.cause, stated.detail.clone())),
            _ => None,
        });
        assert_eq!(stated.as_ref().map(|(cause, _)| *cause), Some(cause), "{stated:?}");
    }
}

/// A finding on which nobody votes, since every node asks its people and nobody answers, is stated with its cause once it is over: by every
/// node, once.
#[test]
fn what_nobody_answered_is_stated_too() {
    let mut c = Cluster::new(charter(|text| text.replace("mode = \"auto\"", "mode = \"propose\"")), 100);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.clear();
    let stated = |c: &Cluster| -> Vec<Cause> {
        let stated = c.nodes[0].log.iter().filter_map(|event| match &event.body {
            Body::NotContained(stated) => Some(stated.cause),
            _ => None,
        });
        stated.collect()
    };
    assert_eq!(stated(&c), [], "people may still answer");
    let over = c.chain.head().at.number + 2 * EXPIRY_S;
    c.mine_to(over);
    assert_eq!(stated(&c), [Cause::AwaitingHumans; 5]);
    assert_eq!(outlook(&c, 0).why_not.expect("a cause").cause, Cause::AwaitingHumans);
    c.mine_to(over + EXPIRY_S);
    assert_eq!(stated(&c).len(), 5, "once");
}

/// A chain whose Safe cannot be read is what stands in the way of a certified step, not the certificate's age.
#[test]
fn an_unreadable_safe_is_named_as_such() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let head = c.chain.mine(&[]).clone();
    let mut blind = view(&c.charter, &head);
    let safe = c.charter.safes[&name::<SafeId>("guardian-safe")].address;
    blind.reads.retain(|read, _| !matches!(read, Read::Call { to, .. } if *to == safe));
    c.nodes[0].machine.observe(c.now, &Input::Block(Box::new(blind)));
    let why = outlook(&c, 0).why_not.expect("a cause");
    assert!(why.cause == Cause::ChainUnavailable && why.detail.contains("guardian-safe"), "{why:?}");
}

/// A second containment playbook, in order before or after the first, through a Safe of its own.
fn second_playbook(id: &str, triggered: bool) -> std::sync::Arc<watchfire_charter::Charter> {
    charter(|text| {
        let safe = text.find("[[safe]]").unwrap()..text.find("[[asset]]").unwrap();
        let second = text[safe.clone()]
            .replace("guardian-safe", "second-safe")
            .replace("0x2000000000000000000000000000000000000002", &SECOND.to_checksum(None));
        let playbook = text.find("[[playbook]]").unwrap()..text.find("[[playbook]]\nid = \"recover-vault\"").unwrap();
        let mut again = text[playbook.clone()].replace("contain-vault", id).replace("guardian-safe", "second-safe");
        if !triggered {
            let triggers = again.find("[[playbook.trigger]]").unwrap()..again.find("[[playbook.step]]").unwrap();
            again.replace_range(triggers, "");
            again = again.replace("mode = \"auto\"", "mode = \"propose\"");
        }
        let (before, between, after) = (&text[..safe.end], &text[safe.end..playbook.end], &text[playbook.end..]);
        format!("{before}{second}{between}{again}{after}")
    })
}

/// Every containment playbook that a finding could choose is judged, in whatever order they come, and the one that cannot is named.
#[test]
fn every_playbook_that_a_finding_could_choose_is_judged() {
    for (id, triggered) in [("a-contain", true), ("z-contain", true), ("a-contain", false), ("z-contain", false)] {
        let mut c = Cluster::new(second_playbook(id, triggered), 100);
        c.silent = [0, 1, 2, 3, 4].into();
        c.answers = false;
        c.mine(&[Tx::TakesNonce]);
        for preflight in c.nodes[0].machine.owed(c.now).duties {
            let Duty::Preflight(preflight) = preflight else { continue };
            let refused = preflight.safe == SECOND && preflight.transaction.data.starts_with(&[0x84, 0x56, 0xcb, 0x59]);
            let refuted = PreflightOutcome::Refuted { reason: "GS013".into(), by_guard: false };
            let at = preflight.at;
            told(&mut c, &preflight, at, if refused { refuted } else { PreflightOutcome::Passes });
        }
        let said = outlook(&c, 0);
        assert_eq!(said.can_pause, !triggered, "{id}: {said:?}");
        let named = said.detail.contains(id) && said.detail.contains("GS013");
        assert_eq!(named, triggered, "{id}: {said:?}");
    }
}

/// Of several playbooks the one that is wanted says why it did not happen, wherever it comes in order.
#[test]
fn the_wanted_playbook_says_why_not() {
    for id in ["a-contain", "z-contain"] {
        let mut c = Cluster::new(second_playbook(id, false), 100);
        c.find(&[0, 1], "vault-outflow");
        c.mine(&[]);
        let why = outlook(&c, 0).why_not.expect("a cause");
        assert_eq!((why.cause, why.decision.playbook.as_str()), (Cause::QuorumNotReached, "contain-vault"));
        c.all_find("vault-outflow");
        c.mine(&[]);
        assert_eq!(outlook(&c, 0).owed_step.map(|step| step.get()), Some(2));
    }
}

/// Whoever reports that the asset is contained is not believed: what is owed stays owed until the own view reads that it is.
#[test]
fn a_report_of_containment_ends_nothing() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let sent = c.submissions();
    let read: Vec<bool> =
        sent[0].postconditions.iter().map(|p| matches!(p.read, Read::Call { to: VAULT, .. })).collect();
    assert_eq!(read, [true], "it is told what the step is for");
    let reason = SubmissionFailure::AlreadyContained { reason: "EnforcedPause()".to_owned() };
    let report = SubmissionReport::Failed { safe_tx_hash: sent[0].safe_tx_hash, reason };
    for node in &mut c.nodes {
        node.machine.observe(c.now, &Input::Submission(report.clone()));
    }
    c.settle();
    assert_eq!(c.submissions(), sent, "still owed");
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
    c.mine(&[]);
    assert_eq!(c.submissions(), [], "the own view reads that it holds");
}
