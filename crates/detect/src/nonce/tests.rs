#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::keccak256;
use proptest::prelude::*;
use watchfire_charter::PinnedCode;
use watchfire_types::body::{Announced, Change, ChangeCall, Known as Since};
use watchfire_types::{ChangeId, CharterVersion, Operation, Timestamp, multi_send};

use super::*;
use crate::fixture::*;

const SAFE: Address = Address::new([0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
const PACKER: Address = Address::repeat_byte(0x40);

/// The drill's charter, with a step of three calls at its end.
fn charter() -> Charter {
    let mut charter =
        watchfire_charter::parse(include_str!("../../../charter/tests-data/drill.charter.toml")).unwrap().0;
    let pinned = PinnedCode { address: PACKER, code_hash: B256::ZERO };
    charter.chains.get_mut(&CHAIN).unwrap().multi_send_call_only = Some(pinned);
    let steps = &mut charter.playbooks.get_mut(&"contain-vault".parse().unwrap()).unwrap().steps;
    let mut wide = steps[1].clone();
    wide.actions =
        (0..3).map(|nth| watchfire_charter::Action { calldata: vec![nth].into(), ..wide.actions[0].clone() }).collect();
    steps.push(wide);
    charter
}

fn watch() -> NonceWatch {
    NonceWatch::new(&charter(), CHAIN, SAFE, 60)
}

fn hash(transaction: &SafeTransaction) -> B256 {
    transaction.hashes(SafeVersion::LATEST, CHAIN.get(), SAFE).safe_tx_hash
}

/// What the Safe says of it, with the hash indexed or not.
fn log(hash: B256, succeeded: bool, indexed: bool) -> Log {
    let topic = if succeeded { EXECUTION_SUCCESS } else { EXECUTION_FAILURE };
    let (topics, data) = match indexed {
        true => (vec![topic, hash], vec![0; 32]),
        false => (vec![topic], [&hash[..], &[0; 32]].concat()),
    };
    Log { address: SAFE, topics, data: data.into(), transaction: B256::repeat_byte(0x77), index: 0 }
}

fn executed(number: u64, nonce: u64, hashes: &[B256]) -> BlockView {
    let logs = hashes.iter().map(|hash| log(*hash, true, true)).collect();
    BlockView { logs, ..view(number, [(watch().read(), word(U256::from(nonce)))]) }
}

fn look(rule: &mut NonceWatch, view: &BlockView, announced: &[Announced]) -> Evaluation {
    rule.observe(view, view.logs.iter(), None, &"vault-core".parse().unwrap(), &Excuses::of(announced, view))
}

fn foreign(nonce: u64) -> B256 {
    hash(&SafeTransaction::call(VAULT, Bytes::from_static(b"drain"), U256::from(nonce)))
}

#[test]
fn topics_and_selector_are_the_hashes_of_their_names() {
    assert_eq!(EXECUTION_SUCCESS, keccak256("ExecutionSuccess(bytes32,uint256)"));
    assert_eq!(EXECUTION_FAILURE, keccak256("ExecutionFailure(bytes32,uint256)"));
    assert_eq!(NONCE, keccak256("nonce()")[..4]);
}

/// Goal: every step of a playbook, whole or without some of its calls, and a rejection are no news; the same at another nonce are.
#[test]
fn what_the_playbooks_make_is_known() {
    let charter = charter();
    let steps = charter.playbooks.values().flat_map(|playbook| &playbook.steps);
    let mut transactions = vec![SafeTransaction::rejection(SAFE, U256::from(5))];
    for step in steps {
        let calls: Vec<_> = step.actions.iter().map(|action| (action.target, action.calldata.clone())).collect();
        for left in 1_u32..1 << calls.len() {
            let left: Vec<_> = (0..calls.len()).filter(|at| left >> at & 1 == 1).map(|at| &calls[at]).collect();
            transactions.push(match left.as_slice() {
                [one] => SafeTransaction::call(one.0, one.1.clone(), U256::from(5)),
                several => SafeTransaction {
                    operation: Operation::DelegateCall,
                    ..SafeTransaction::call(
                        PACKER,
                        multi_send::pack(several.iter().map(|(to, data)| (*to, &data[..]))),
                        U256::from(5),
                    )
                },
            });
        }
    }
    assert_eq!(transactions.len(), 1 + 3 + 7);
    for transaction in &transactions {
        let mut rule = watch();
        assert_eq!(look(&mut rule, &executed(1, 6, &[hash(transaction)]), &[]), Evaluation::Quiet, "{transaction:?}");
        let mut rule = watch();
        assert_eq!(fires(&look(&mut rule, &executed(1, 7, &[hash(transaction)]), &[])), Some(true), "{transaction:?}");
    }
}

/// Goal: any other execution is told with its nonce and hash, whichever form its event has and whether or not it failed, and stands.
#[test]
fn an_execution_of_no_playbook_is_told() {
    for (succeeded, indexed) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rule = watch();
        let mut seen = executed(1, 9, &[]);
        let rejection = hash(&SafeTransaction::rejection(SAFE, U256::from(8)));
        seen.logs = vec![log(foreign(7), succeeded, indexed), log(rejection, true, indexed)];
        let found = look(&mut rule, &seen, &[]);
        let (line, told) = figures(&found);
        let failed = if succeeded { "" } else { ", and failed at," };
        assert_eq!(
            line,
            format!(
                "Safe {SAFE} executed{failed} {} with nonce 7 at block 1 in transaction {}: no step of a playbook, no rejection",
                foreign(7),
                B256::repeat_byte(0x77)
            )
        );
        assert_eq!(
            (told["nonce"].as_str(), &told["safe_tx_hash"], told["count"].as_str()),
            ("7", &foreign(7).to_string(), "1")
        );
        for (number, stands) in [(2, true), (6, true), (7, false)] {
            assert_eq!(fires(&look(&mut rule, &executed(number, 9, &[]), &[])), Some(stands), "{number}");
        }
    }
}

/// Goal: a nonce that moved though nothing was executed is told, up or down; over blocks that nobody saw nothing is concluded, and an answer that is
/// missing is made up for by what was executed.
#[test]
fn a_nonce_that_moves_by_itself_is_told() {
    let mut rule = watch();
    let mut said = |number, nonce: u64, hashes: &[B256]| {
        let told = look(&mut rule, &executed(number, nonce, hashes), &[]);
        (fires(&told) == Some(true)).then(|| figures(&told).1.clone())
    };
    assert_eq!(said(1, 4, &[]), None);
    let told = said(2, 6, &[hash(&SafeTransaction::rejection(SAFE, U256::from(5)))]).unwrap();
    assert_eq!((told["nonce_before"].as_str(), told["nonce"].as_str()), ("4", "6"));
    assert_eq!(said(20, 6, &[]), None);
    assert_eq!(said(21, 5, &[]).unwrap()["nonce"], "5");
    assert_eq!(said(40, 9, &[]), None, "blocks between were not seen");

    let mut rule = watch();
    let mut unread = executed(1, 0, &[foreign(3)]);
    unread.reads.clear();
    assert_eq!(look(&mut rule, &unread, &[]), Evaluation::Unknown);
    assert_eq!(look(&mut rule, &executed(2, 3, &[]), &[]), Evaluation::Quiet);
    unread.block = block(3);
    let found = look(&mut rule, &unread, &[]);
    assert_eq!(figures(&found).1["nonce"], "3");
    assert_eq!(rule.nonces.back().unwrap().1, U256::from(4));
}

/// Goal: what the Safe does in the window of an announced change of it is no news, after it it is.
#[test]
fn an_announced_change_of_the_safe_excuses() {
    let time = |number| block(number).time;
    let change = Change {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        chain: CHAIN,
        target: SAFE,
        call: ChangeCall::Data(B256::ZERO),
        opens: time(2),
        closes: time(3),
        edition: 0,
    };
    let announced = [Announced {
        id: ChangeId::from_bytes([1; 32]),
        change,
        since: Since { number: 0, at: Timestamp::from_millis(0) },
        until: None,
    }];
    for (number, stands) in [(1, true), (2, false), (3, false), (4, true)] {
        let told = look(&mut watch(), &executed(number, 8, &[foreign(7)]), &announced);
        assert_eq!(fires(&told), Some(stands), "{number}");
    }
}

/// Of a step of very many calls the whole and what lacks one or two is known.
#[test]
fn what_may_be_left_of_a_step() {
    assert_eq!(left(3).collect::<Vec<_>>(), (1..8).collect::<Vec<_>>());
    let of_eleven: BTreeSet<u32> = left(11).collect();
    assert_eq!(of_eleven.len(), 1 + 11 + 11 * 10 / 2);
    assert!(of_eleven.iter().all(|left| left.count_ones() >= 9 && *left < 1 << 11));
}

proptest! {
    // Each execution costs the hashes of all that the playbooks could make.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rollback(blocks in branches((0_u64..4, prop::bool::weighted(0.04)))) {
        rollback_is_a_straight_run(
            watch,
            |rule, number, (nonce, acts): &(u64, bool)| {
                let hashes = if *acts { vec![foreign(*nonce)] } else { Vec::new() };
                look(rule, &executed(number, *nonce, &hashes), &[])
            },
            NonceWatch::rollback,
            &blocks,
        );
    }
}
