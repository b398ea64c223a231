//! A whole node (real log, real keys, real files, its own loop) that is told blocks of a small chain and asks operators about them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod chain;
mod limited;
mod peers;
#[path = "../../../../../simulations/src/port.rs"]
mod port;
mod running;
mod served;
mod singly;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use watchfire_types::body::{AccessAction, Body, EvidenceItem, EvidenceKind, EvidenceMissed, MissCause};
use watchfire_types::{B256, BlockRef, OperatorId};

use self::chain::{Answers, Operator, block};
use self::peers::Peer;
use self::running::{Running, events};
use crate::evidence::store::{Store, digest};
use crate::evidence::told::Told;
use crate::evidence::{copies, fixture};

/// Kinds of objects of a whole block.
const KINDS: usize = 5;

fn items(config: &Path) -> Vec<EvidenceItem> {
    let collected = events(config).into_iter().filter_map(|body| match body {
        Body::EvidenceCollected(collected) => Some(collected.items),
        _ => None,
    });
    collected.flatten().collect()
}

fn missed(config: &Path) -> Vec<EvidenceMissed> {
    let missed = events(config).into_iter().filter_map(|body| match body {
        Body::EvidenceMissed(missed) => Some(missed),
        _ => None,
    });
    missed.collect()
}

/// By block and kind: the operators whose answers are kept.
fn by_operator(items: &[EvidenceItem]) -> BTreeMap<(u64, EvidenceKind), BTreeSet<OperatorId>> {
    let mut all: BTreeMap<_, BTreeSet<OperatorId>> = BTreeMap::new();
    for item in items.iter().filter(|item| item.kind != EvidenceKind::ReceiptProofs) {
        all.entry((item.block.number, item.kind)).or_default().insert(item.operator.clone());
    }
    all
}

fn operator(name: &str) -> OperatorId {
    name.parse().unwrap()
}

/// An attack over thirty blocks: sixteen are collected and the one before it, each question goes to two operators once, and every object
/// lies in the store under its digest. An operator that fails is replaced by a third one, and only where it fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_attack_costs_a_bounded_number_of_questions() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch"), Operator::start("op-cedar")];
    operators[1]
        .now(|method, _| if method == "debug_traceBlockByHash" { Answers::Unsupported } else { Answers::Truly });
    let (directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    for number in 98..=130 {
        node.block(number, number >= 100).await;
    }
    node.ended(17).await;
    node.stop().await;

    let items = items(&config);
    let by = by_operator(&items);
    let blocks: BTreeSet<u64> = by.keys().map(|(number, _)| *number).collect();
    assert_eq!(blocks, (99..=115).collect());
    for ((number, kind), operators) in &by {
        assert!(operators.len() >= 2, "{kind:?} of block {number}: {operators:?}");
        let failing = *kind == EvidenceKind::StateDiff && operators.contains(&operator("op-birch"));
        assert!(!failing, "what op-birch does not offer is from others: {operators:?}");
    }
    assert_eq!(by.len(), 16 * KINDS + 2, "whole blocks, and header and state of the one before");
    assert_eq!(missed(&config), []);
    // Six questions about each whole block and three about the one before it, each to two operators; sixteen that op-birch refuses. A slow
    // machine may add some to a third one.
    let asked: usize = operators.iter().map(|operator| operator.asked().values().sum::<usize>()).sum();
    assert!(asked < 2 * (16 * 6 + 3) + 16 + 60, "{asked} questions");
    let store = Store::look(directory.path());
    for item in &items {
        assert_eq!(digest(&store.get(&item.object).unwrap()), item.object);
    }
    let manifests = events(&config).iter().filter(|body| matches!(body, Body::EvidenceCollected(_))).count();
    assert!(manifests <= items.len() / 8, "{manifests} events for {} objects", items.len());
}

/// A node that is killed while it collects goes on where it was: what it said is not asked for again, blocks that the new process never
/// saw are looked up, and everything is there in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_goes_on() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    let hold = |operator: &Operator| {
        operator.now(|method, block| match method {
            "eth_getProof" | "eth_getBlockReceipts" if block > 102 => Answers::Down,
            _ => Answers::Truly,
        });
    };
    operators.iter().for_each(hold);
    let (_directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    for number in 98..=106 {
        node.block(number, number >= 100).await;
    }
    node.said("evidence-collected").await;
    node.kill().await;
    let before = items(&config);
    let said: BTreeSet<_> = before.iter().map(|item| (item.operator.clone(), item.request)).collect();
    assert!(!said.is_empty());

    operators.iter().for_each(|operator| {
        operator.forget();
        operator.now(|_, _| Answers::Truly);
    });
    let mut node = Running::start(&config, &operators).await;
    node.block(130, false).await;
    node.ended(17).await;
    node.stop().await;
    let after = items(&config);
    let by = by_operator(&after);
    assert_eq!(by.keys().map(|(number, _)| *number).collect::<BTreeSet<_>>(), (99..=115).collect());
    assert!(by.values().all(|operators| operators.len() == 2), "{by:?}");
    let mut seen = BTreeSet::new();
    for item in &after {
        assert!(
            seen.insert((item.operator.clone(), item.request)),
            "{} of block {} was taken twice",
            item.method,
            item.block.number
        );
    }
    for (operator, request) in said {
        let place = operators.iter().find(|one| operator == one.name.parse().unwrap()).unwrap();
        assert!(!place.asked().contains_key(&request), "asked again for what was said");
    }
}

/// What no wait can mend stays missed after a restart and is not asked for again; what an operator that was merely away owes is had then.
#[tokio::test(flavor = "multi_thread")]
async fn a_final_miss_stays_and_a_passing_one_is_mended() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    operators[1].now(|method, _| match method {
        "eth_getProof" => Answers::Pruned,
        "eth_getBlockReceipts" => Answers::Down,
        _ => Answers::Truly,
    });
    let (_directory, config) = running::directory();
    let mut node = Running::start_patient(&config, &operators, 20_000).await;
    for number in [99, 100] {
        node.block(number, number == 100).await;
    }
    node.said("evidence-missed").await;
    node.ended(2).await;
    node.stop().await;
    let causes = |missed: &[EvidenceMissed]| {
        // Whoever is down may be heard too late on a slow machine: both pass.
        let cause = |cause| if cause == MissCause::Timeout { MissCause::Unreachable } else { cause };
        missed.iter().map(|missed| (missed.block.number, missed.kind, cause(missed.cause))).collect::<BTreeSet<_>>()
    };
    let first = causes(&missed(&config));
    let pruned = [99, 100].map(|number| (number, EvidenceKind::StateProof, MissCause::Pruned));
    assert_eq!(first, pruned.into_iter().chain([(100, EvidenceKind::Receipts, MissCause::Unreachable)]).collect());

    operators.iter().for_each(|operator| {
        operator.forget();
        operator.now(|_, _| Answers::Truly);
    });
    let mut node = Running::start(&config, &operators).await;
    node.block(100, true).await;
    node.ended(2).await;
    node.stop().await;
    assert_eq!(causes(&missed(&config)), first);
    let by = by_operator(&items(&config));
    assert_eq!(by[&(100, EvidenceKind::Receipts)].len(), 2);
    assert_eq!(by[&(100, EvidenceKind::StateProof)], [operator("op-alder")].into());
    assert!(operators[1].methods().iter().all(|method| method != "eth_getProof"), "{:?}", operators[1].methods());
}

/// An answer that is larger than an object may be is missed as such, also where another operator makes up for it; so is one operator's lie.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_false_is_said() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch"), Operator::start("op-cedar")];
    operators[0].now(|method, _| match method {
        "eth_getLogs" => Answers::Endlessly,
        "eth_getBlockReceipts" => Answers::Falsely,
        _ => Answers::Truly,
    });
    let (_directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    for number in [99, 100] {
        node.block(number, number == 100).await;
    }
    node.ended(2).await;
    node.stop().await;
    let said: BTreeSet<_> =
        missed(&config).iter().map(|missed| (missed.kind, missed.operator.clone(), missed.cause)).collect();
    let alder = Some(operator("op-alder"));
    let expected = [(EvidenceKind::Receipts, MissCause::Contradicts), (EvidenceKind::Logs, MissCause::OverBound)];
    assert_eq!(said, expected.map(|(kind, cause)| (kind, alder.clone(), cause)).into());
    let by = by_operator(&items(&config));
    assert_eq!(by[&(100, EvidenceKind::Logs)], ["op-birch", "op-cedar"].map(operator).into());
    assert_eq!(by[&(100, EvidenceKind::Receipts)].len(), 3, "a lie is kept too");
}

/// Blocks of an attack that this process never saw and that lie too far back to be looked for are a miss, said once, also after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_never_begun_is_missed() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    let (_directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    for (number, drained) in [(99, false), (100, true), (250, false)] {
        node.block(number, drained).await;
    }
    node.said("evidence-missed").await;
    node.ended(2).await;
    node.stop().await;
    let unbegun = |missed: &[EvidenceMissed]| {
        let blocks = |missed: &EvidenceMissed| missed.detail.split(" were not begun").next().unwrap().to_owned();
        missed.iter().map(|missed| (missed.cause, blocks(missed))).collect::<Vec<_>>()
    };
    let said = [(MissCause::UnknownBlock, "blocks 101 to 115".to_owned())];
    assert_eq!(unbegun(&missed(&config)), said);
    assert!(items(&config).iter().all(|item| [99, 100].contains(&item.block.number)));

    let mut node = Running::start(&config, &operators).await;
    node.block(250, false).await;
    node.said("block").await;
    node.stop().await;
    assert_eq!(unbegun(&missed(&config)), said, "said once");
}

/// A manifest that the log does not take, though it has room, is a miss like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_refused_is_missed() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    let (directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    let charter = crate::charter_file::load(&directory.path().join("charter.toml")).unwrap().0;
    let incident = watchfire_protocol::incident_id(charter.network_id(), &"vault-core".parse().unwrap(), 0);
    let object = B256::repeat_byte(8);
    let Body::EvidenceCollected(mut manifest) = fixture::collected(1, incident, &[object], 100).body.clone() else {
        panic!("a manifest")
    };
    manifest.items[0].params = "x".repeat(100_000);
    node.told.send(Told::Items(Box::new(manifest))).await.unwrap();
    node.said("evidence-missed").await;
    node.stop().await;
    let missed = missed(&config);
    let said: Vec<_> = missed.iter().map(|missed| (missed.cause, missed.kind, missed.object)).collect();
    assert_eq!(said, [(MissCause::Refused, EvidenceKind::Receipts, Some(object))], "{missed:?}");
    assert_eq!(items(&config), []);
}

/// With one operator there is half of it, and it is said once that the other half is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn one_operator_is_too_few_and_that_is_said_once() {
    let operators = [Operator::start("op-alder")];
    let (_directory, config) = running::directory();
    let mut node = Running::start(&config, &operators).await;
    for number in 98..=104 {
        node.block(number, number >= 100).await;
    }
    node.ended(6).await;
    node.stop().await;
    let said: Vec<_> = missed(&config).iter().map(|missed| missed.cause).collect();
    assert_eq!(said, [MissCause::TooFewOperators]);
    let blocks: BTreeSet<BlockRef> = items(&config).iter().map(|item| item.block).collect();
    assert_eq!(blocks, (99..=104).map(block).collect());
}

/// An asset of more contracts than its evidence is about: what is left out is missed, said once over a restart too, and the evidence is not called
/// complete; the Safe and the owner are never among it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_bounds_leave_out_is_missed() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    let (directory, config) = running::directory();
    let charter = directory.path().join("charter.toml");
    let text = std::fs::read_to_string(&charter).unwrap();
    let more: Vec<String> = running::further().iter().map(|account| format!("\"{account}\"")).collect();
    let (before, rest) = text.split_once("\ncontracts = [").unwrap();
    std::fs::write(&charter, format!("{before}\ncontracts = [{}, {rest}", more.join(", "))).unwrap();
    for (from, to) in [(98, 101), (102, 103)] {
        let mut node = Running::start(&config, &operators).await;
        for number in from..=to {
            node.block(number, number >= 100).await;
        }
        node.ended(if from == 98 { 3 } else { 2 }).await;
        node.stop().await;
    }
    let said: Vec<_> = missed(&config).into_iter().map(|missed| (missed.cause, missed.detail)).collect();
    let [(MissCause::OverBound, detail)] = &said[..] else { panic!("{said:?}") };
    assert!(detail.contains("accounts and 0 slots of this asset are left out"), "{detail}");
    let kept = events(&config).into_iter().any(|body| matches!(body, Body::EvidenceCollected(_)));
    assert!(kept, "the rest is collected");
}

/// A member that serves garbage in the middle of an object is named and left alone; another holder is asked, and what is kept and said is the
/// object. The same for one that serves another object of the same size.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_named_and_another_holder_is_asked() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    let (directory, config) = running::directory();
    let ports = [(); 3].map(|()| port::free().unwrap().port());
    peers::connect(&config, ports[0], &[("birch-1", ports[1]), ("cedar-1", ports[2])]);
    // An object of two stretches, such that this member is the next in line for it.
    let next = |object: &B256| {
        let rank = |member: &str| copies::rank(object, &member.parse().unwrap());
        rank("alder-1") < rank("dogwood-1") && rank("alder-1") < rank("elm-1")
    };
    let made = |salt: u8| vec![salt; copies::STRETCH_BYTES_MAX + 1_000];
    let truth = (0..=255).map(made).find(|bytes| next(&digest(bytes))).unwrap();
    let object = digest(&truth);
    let mut garbage = truth.clone();
    garbage[copies::STRETCH_BYTES_MAX + 500] ^= 1;
    let charter = crate::charter_file::load(&directory.path().join("charter.toml")).unwrap().0;
    let incident = watchfire_protocol::incident_id(charter.network_id(), &"vault-core".parse().unwrap(), 0);
    // Holders are asked in the order of their keys: the first one is the liar.
    let (liar, honest) = if peers::key(2) < peers::key(3) { (2, 3) } else { (3, 2) };
    let manifest = fixture::collected(liar, incident, &[object], truth.len() as u64).body.clone();
    let copy = fixture::accessed(honest, incident, AccessAction::Copied, object).body.clone();
    // Both holders' words come in one answer, so that there is a choice as soon as there is anything.
    let mut said = peers::chain(&charter, liar, vec![manifest]);
    said.extend(peers::chain(&charter, honest, vec![copy]));
    let port = |member: u8| ports[usize::from(member) - 1];
    let mut node = Running::start(&config, &operators).await;
    let _liar = Peer::start(&config, liar, port(liar), ports[0], said, garbage);
    let _honest = Peer::start(&config, honest, port(honest), ports[0], Vec::new(), truth.clone());
    for number in [99, 100] {
        node.block(number, number == 100).await;
    }
    node.until_text("evidence-accessed", "in place of a damaged one").await;
    let name = if liar == 2 { "birch-1" } else { "cedar-1" };
    node.until_text("alarm", &format!("{name} gave a wrong copy of evidence object {object}")).await;
    node.stop().await;
    assert_eq!(Store::look(directory.path()).get(&object).unwrap(), truth);
    let copied = events(&config).into_iter().find_map(|body| match body {
        Body::EvidenceAccessed(accessed) if accessed.from.is_some() => Some(accessed),
        _ => None,
    });
    let copied = copied.unwrap();
    assert_eq!((copied.from, copied.objects), (Some(peers::key(honest)), vec![object]));
}
