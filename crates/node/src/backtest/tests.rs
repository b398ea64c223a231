//! A replay says what fired and what the charter makes of it; blocks without a place in it are refused and change nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::{Address, BlockTime, ChainId, Log, ReadOutcome, U256};

use super::*;
use crate::run::fixture::charter_text;

const CHAIN: ChainId = ChainId::new(31_337);
const EVENT: &str = "[[detector]]\nid = \"vault-unpaused\"\nasset = \"vault-core\"\nseverity = \"SEV2\"\nkind = \"event\"\n\
                     address = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\nevent = \"Unpaused(address)\"\nstands_s = 3\n";

fn charter(mode: &str) -> Charter {
    let text = charter_text(None).replace("mode = \"auto\"", &format!("mode = \"{mode}\"")) + EVENT;
    watchfire_charter::parse(&text).unwrap().0
}

fn vault() -> Address {
    "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512".parse().unwrap()
}

fn hash(number: u64) -> B256 {
    B256::from(U256::from(number))
}

/// A block at which the vault holds so many ether, if it was read.
fn view(number: u64, ether: Option<u64>) -> BlockView {
    let reads = ether.map(|ether| {
        let wei = U256::from(ether) * U256::from(10).pow(U256::from(18));
        (Read::Balance { account: vault() }, ReadOutcome::Value(wei.to_be_bytes_vec().into()))
    });
    BlockView {
        block: BlockRef { chain: CHAIN, number, hash: hash(number), time: BlockTime::from_secs(number) },
        parent: hash(number.saturating_sub(1)),
        base_fee: None,
        transactions: Vec::new(),
        logs: Vec::new(),
        reads: reads.into_iter().collect(),
        agreed: BTreeSet::new(),
        unproved: false,
    }
}

fn unpaused(transaction: u8) -> Log {
    let topics = vec![alloy::primitives::keccak256("Unpaused(address)")];
    Log { address: vault(), topics, data: Default::default(), transaction: B256::repeat_byte(transaction), index: 0 }
}

/// A drain is told once, at its first block; the first vote is that block's; what left after the next one is what a pause would have kept.
#[test]
fn a_drain_and_what_a_pause_would_have_kept() {
    let charter = charter("auto");
    let mut replay = Replay::new(&charter, None);
    let mut told = Vec::new();
    for (number, ether) in [(1, 100), (2, 70), (3, 60), (4, 20), (5, 25)] {
        told.extend(replay.take(&view(number, Some(ether)), 2).unwrap().told);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].block, told[0].kind.as_str(), told[0].class, told[0].tx),
        (2, "outflow", Class::Decisive, None)
    );
    let summary = replay.summary(1.0, 0);
    assert_eq!((summary.blocks, summary.transactions, summary.findings, summary.decisive), (5, 10, 1, 1));
    assert_eq!((summary.would_contain, summary.first_containment_block), (true, Some(2)));
    let saved = &summary.saved[0];
    assert_eq!((saved.from_block, saved.to_block, saved.amount.as_str()), (3, 5, "40000000000000000000"));
    assert!(summary.blind.is_empty() && summary.gaps.is_empty() && summary.proposal.is_none());
}

/// A block that came without its transactions has the one behind a finding named afterwards, and only where there is but one.
#[test]
fn the_transaction_behind_a_finding_is_named_afterwards() {
    let charter = charter("auto");
    let mut replay = Replay::new(&charter, None);
    assert!(!replay.wants_transactions(CHAIN), "nothing here is about transactions");
    replay.take(&view(1, Some(100)), 2).unwrap();
    let drained = view(2, Some(50));
    let told = replay.take(&drained, 2).unwrap().told;
    let sent = |hash: u8, to| Transaction {
        hash: B256::repeat_byte(hash),
        kind: 2,
        from: Address::ZERO,
        to: Some(to),
        value: U256::ZERO,
        input: Default::default(),
        succeeded: None,
    };
    let (call, other) = (sent(1, vault()), sent(2, Address::repeat_byte(9)));
    let emits = BlockView { logs: vec![unpaused(2)], ..drained.clone() };
    let table = [
        (&drained, vec![], None),
        (&drained, vec![call.clone(), other.clone()], Some(B256::repeat_byte(1))),
        (&drained, vec![call.clone(), sent(3, vault())], None),
        (&emits, vec![call, other], None),
    ];
    for (row, (view, transactions, expected)) in table.into_iter().enumerate() {
        let mut told = told.clone();
        replay.name(&mut told, view, &transactions);
        assert_eq!((told.len(), told[0].tx, told[0].is_unnamed()), (1, expected, true), "row {row}");
    }
}

/// Where people are asked nothing would have been contained by itself, and where nobody is asked nothing is said.
#[test]
fn the_mode_decides() {
    for (mode, asks) in [("propose", true), ("observe", false)] {
        let charter = charter(mode);
        let mut replay = Replay::new(&charter, None);
        replay.take(&view(1, Some(100)), 0).unwrap();
        replay.take(&view(2, Some(10)), 0).unwrap();
        let summary = replay.summary(1.0, 0);
        assert_eq!((summary.would_contain, summary.proposal.is_some(), summary.findings), (false, asks, 1), "{mode}");
    }
}

/// Without state a detector that reads is unknown, told once; events are found all the same, again once they stopped standing, with their
/// transaction. A finding that triggers no playbook contains nothing.
#[test]
fn events_go_on_without_state() {
    let charter = charter("auto");
    let mut replay = Replay::new(&charter, Some(CHAIN));
    let (mut told, mut blinded) = (Vec::new(), Vec::new());
    for number in 1..=9_u8 {
        let mut view = view(number.into(), None);
        view.logs.extend([1, 2, 7].contains(&number).then(|| unpaused(number)));
        let taken = replay.take(&view, 0).unwrap();
        told.extend(taken.told);
        blinded.extend(taken.blinded);
    }
    let told: Vec<_> = told.iter().map(|told| (told.block, told.tx)).collect();
    assert_eq!(told, [(1, Some(B256::repeat_byte(1))), (7, Some(B256::repeat_byte(7)))]);
    let summary = replay.summary(1.0, 0);
    assert_eq!((blinded.len(), summary.blind.len(), summary.blind[0].blocks), (1, 1, 9));
    assert_eq!((summary.would_contain, summary.findings), (false, 2));
}

/// Gaps are told and go on; blocks of another chain, out of order or of another branch are refused and leave everything as it was.
#[test]
fn blocks_have_a_place() {
    let charter = charter("auto");
    let mut replay = Replay::new(&charter, None);
    replay.take(&view(5, Some(1)), 0).unwrap();
    let mut other = view(6, Some(1));
    other.block.chain = ChainId::new(1);
    let mut fork = view(6, Some(1));
    fork.parent = hash(77);
    for (bad, kind) in [(other, "other-chain"), (fork, "not-a-child"), (view(4, Some(1)), "blocks-out-of-order")] {
        assert_eq!(replay.take(&bad, 9).unwrap_err().kind(), kind);
    }
    assert!(replay.take(&view(5, Some(1)), 9).unwrap().told.is_empty(), "the same once more is nothing");
    assert!(replay.take(&view(6, Some(1)), 0).unwrap().gap.is_none());
    let gap = replay.take(&view(9, Some(1)), 0).unwrap().gap.unwrap();
    assert_eq!((gap.first, gap.last), (7, 8));
    let summary = replay.summary(1.0, 3);
    assert_eq!((summary.blocks, summary.transactions, summary.gaps, summary.gap_count), (3, 0, vec![gap], 1));
    assert_eq!(replay.chain_of(1, None), Ok(CHAIN));
    assert_eq!(replay.chain_of(1, Some(ChainId::new(10))).unwrap_err().kind(), "other-chain");
}

/// Traces of a block are judged with it; those of transactions that are not its own are nothing, and where what touched the asset was not traced
/// that is told once.
#[test]
fn traces_are_judged_with_their_block() {
    let text = charter_text(None)
        + "[[detector]]\nid = \"vault-code\"\nasset = \"vault-core\"\nseverity = \"SEV3\"\nkind = \"calls\"\npatterns = [\"foreign-code\"]\n\
           limits = { native = \"1\" }\nstands_s = 3\n";
    let charter = watchfire_charter::parse(&text).unwrap().0;
    let mut replay = Replay::new(&charter, None);
    assert!(replay.wants_traces());
    let touched = |number: u64, transaction: u8| {
        let mut view = view(number, None);
        view.transactions = vec![Transaction {
            hash: B256::repeat_byte(transaction),
            kind: 2,
            from: Address::repeat_byte(1),
            to: Some(vault()),
            value: U256::ZERO,
            input: Default::default(),
            succeeded: Some(true),
        }];
        view
    };
    let trace = |transaction: u8| {
        let text = format!(
            r#"[{{"txHash": "{}", "result": {{"type": "CALL", "from": "{}", "to": "{vault}", "calls": [
               {{"type": "DELEGATECALL", "from": "{vault}", "to": "{}", "input": "0x01020304"}}]}}}}]"#,
            B256::repeat_byte(transaction),
            Address::repeat_byte(1),
            Address::repeat_byte(7),
            vault = vault(),
        );
        let mut traces = Vec::new();
        watchfire_detect::trace::read_traces::<watchfire_detect::trace::TraceFault>(text.as_bytes(), |traced| {
            traces.push(traced);
            Ok(())
        })
        .unwrap();
        traces
    };
    let told =
        |taken: Taken| taken.told.iter().map(|told| (told.kind.clone(), told.class, told.tx)).collect::<Vec<_>>();
    let blinded = |taken: &Taken| taken.blinded.iter().filter(|(id, _)| id.as_str() == "vault-code").count();
    let first = replay.take_traced(&touched(1, 5), 1, trace(5)).unwrap();
    assert_eq!(blinded(&first), 0);
    assert_eq!(told(first), [("calls".to_owned(), Class::Context, Some(B256::repeat_byte(5)))]);
    let foreign = replay.take_traced(&touched(9, 6), 1, trace(7)).unwrap();
    assert_eq!((blinded(&foreign), told(foreign)), (1, vec![]));
    assert_eq!(blinded(&replay.take(&touched(10, 8), 1).unwrap()), 0, "told once");
    let blind = replay.summary(1.0, 0).blind;
    let blind = blind.iter().find(|blind| blind.detector.as_str() == "vault-code").unwrap();
    assert_eq!((blind.blocks, blind.why), (2, Blindness::Untraced));
}

/// A second chain with a vault of the same code and two rules that look from it at the first: what is found there is raised here two seconds later, and what
/// is held here is compared with what was held there.
const TWIN: &str = "[[chain]]\nid = 1337\nname = \"drill-two\"\nblock_time_ms = 1000\nfinality = \"finalized\"\ngas_cap = 16777216\nroute = \"public\"\n\
                    stagger_ms_min = 500\n[[asset]]\nid = \"vault-twin\"\nname = \"Twin\"\nchain = 1337\n\
                    contracts = [\"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"]\ncriticality = \"critical\"\nrto_s = 3600\nrpo_s = 60\n\
                    [[detector]]\nid = \"twin-sister\"\nasset = \"vault-twin\"\nkind = \"sister\"\nelsewhere = \"vault-core\"\nlag_s = 2\n\
                    contract = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\nelsewhere_contract = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\n\
                    [[detector]]\nid = \"twin-backed\"\nasset = \"vault-twin\"\nkind = \"cross-chain\"\nleft = { held = \"native\" }\ncompare = \"<=\"\n\
                    elsewhere = \"vault-core\"\nright = { held = \"native\" }\nlag_s = 3\n";

/// The history of two chains is one: what happens on one is found on the other, where the blocks come in the order of their times.
#[test]
fn what_happens_on_one_chain_is_found_on_the_other() {
    let text = charter_text(None) + TWIN;
    let (charter, _) = watchfire_charter::parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let on = |chain: u64, number: u64, ether: u64| {
        let mut view = view(number, Some(ether));
        view.block.chain = ChainId::new(chain);
        view.reads.insert(Read::CodeHash { account: vault() }, ReadOutcome::Value(vec![7; 32].into()));
        view
    };
    let mut replay = Replay::new(&charter, None);
    assert_eq!(replay.reads(CHAIN), replay.reads(ChainId::new(1337)));
    let mut told = Vec::new();
    for number in 1..=12 {
        told.extend(replay.take(&on(31_337, number, if number < 5 { 100 } else { 50 }), 0).unwrap().told);
        told.extend(replay.take(&on(1_337, number, 80), 0).unwrap().told);
    }
    let told: Vec<_> = told.iter().map(|told| (told.block, told.detector.to_string(), told.class)).collect();
    let expected = [
        (5, "vault-outflow", Class::Decisive),
        (7, "twin-sister", Class::Context),
        (8, "twin-backed", Class::Decisive),
    ];
    assert_eq!(told, expected.map(|(block, detector, class)| (block, detector.to_owned(), class)));
    let blind = replay.summary(0.0, 0).blind;
    let blind: Vec<_> = blind.iter().map(|blind| (blind.detector.to_string(), blind.blocks, blind.why)).collect();
    assert_eq!(
        blind,
        [("twin-backed".to_owned(), 3, Blindness::Behind), ("twin-sister".to_owned(), 2, Blindness::Behind)]
    );

    // The other way round nobody can know yet, and it is said.
    let mut replay = Replay::new(&charter, Some(ChainId::new(1337)));
    let blinded: Vec<_> = replay.take(&on(1_337, 9, 80), 0).unwrap().blinded;
    assert_eq!(blinded.len(), 2);
}

/// A rule of that vault that holds what it pays against what the first one locked.
const PAID: &str = "[[detector]]\nid = \"twin-forged\"\nasset = \"vault-twin\"\nkind = \"release\"\nevent = \"Paid(uint256 id)\"\n\
                    address = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\nelsewhere = \"vault-core\"\nelsewhere_event = \"Locked(uint256 id)\"\n\
                    elsewhere_address = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\nsame = { id = \"id\" }\n\
                    within_s = 20\nlag_s = 8\nskew_s = 3\nstands_s = 30\n";

/// Two chains in the order of their times: a message that was locked once and paid twice is told when the second payment is looked at, one that was paid once never.
#[test]
fn what_was_locked_once_is_paid_once() {
    let text = charter_text(None) + TWIN + PAID;
    let (charter, _) = watchfire_charter::parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let mut replay = Replay::new(&charter, None);
    let message = |name: &str, id: u64| {
        let topics = vec![alloy::primitives::keccak256(format!("{name}(uint256)"))];
        Log { topics, data: U256::from(id).to_be_bytes_vec().into(), ..unpaused(u8::try_from(id).unwrap()) }
    };
    let mut told = Vec::new();
    for number in 1..=70 {
        for (chain, name, at) in [
            (CHAIN, "Locked", [(40, 1), (40, 2)].as_slice()),
            (ChainId::new(1337), "Paid", [(41, 1), (42, 2), (44, 1)].as_slice()),
        ] {
            let logs = at.iter().filter(|(block, _)| *block == number).map(|(_, id)| message(name, *id));
            let view = view(number, Some(100));
            let block = BlockRef { chain, ..view.block };
            let view = BlockView { block, logs: logs.collect(), ..view };
            told.extend(replay.take(&view, 0).unwrap().told);
        }
    }
    let said: Vec<_> =
        told.iter().map(|told| (told.block, told.kind.as_str(), told.figures["again"].as_str())).collect();
    assert_eq!(said, [(52, "release", "1")], "{told:?}");
    assert!(told[0].explanation.starts_with("1 release(s) of what was released before"), "{told:?}");
}
