//! Loans of votes around what governors say: which are told, and what only looks like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Bytes, keccak256};
use alloy_sol_types::{SolEvent, sol};
use proptest::prelude::*;

use super::*;
use crate::fixture::*;

sol! {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event VoteCast(address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason);
}

const GOVERNOR: Address = Address::repeat_byte(0x60);
const TOKEN: Address = Address::repeat_byte(0x70);
const POOL: Address = Address::repeat_byte(0x01);
const THIEF: Address = Address::repeat_byte(0x02);
const OTHER: Address = Address::repeat_byte(0x03);

/// What happens in a transaction, in order.
#[derive(Debug, Clone, Copy)]
enum Step {
    Moves(Address, Address, u64),
    Votes,
}
use Step::{Moves, Votes};

fn rule() -> BorrowedVotes {
    let decided = B256::repeat_byte(0xde);
    BorrowedVotes {
        from: BTreeSet::from([GOVERNOR]),
        events: BTreeMap::from([(decided, "Decided(uint256)".to_owned())]),
        token: TOKEN,
        least: U256::from(100),
        stands_s: 36,
    }
}

fn log(address: Address, transaction: B256, event: &impl SolEvent) -> Log {
    let data = event.encode_log_data();
    Log { address, topics: data.topics().to_vec(), data: data.data.0, transaction, index: 0 }
}

fn logs(transaction: u8, steps: &[Step]) -> Vec<Log> {
    let hash = B256::repeat_byte(transaction);
    let one = |step: &Step| match *step {
        Moves(from, to, value) => log(TOKEN, hash, &Transfer { from, to, value: U256::from(value) }),
        Votes => {
            let vote = VoteCast {
                voter: THIEF,
                proposalId: U256::ONE,
                support: 1,
                weight: U256::from(100),
                reason: "because".to_owned(),
            };
            log(GOVERNOR, hash, &vote)
        }
    };
    steps.iter().map(one).collect()
}

fn at(rule: &mut VotesWatch, number: u64, logs: Vec<Log>) -> Evaluation {
    let view = BlockView { logs, ..view(number, []) };
    rule.observe(&view, view.logs.iter(), None)
}

fn told(steps: &[&[Step]]) -> bool {
    let logs = steps.iter().zip(1..).flat_map(|(steps, transaction)| logs(transaction, steps)).collect();
    fires(&at(&mut VotesWatch::new(rule()), 7, logs)).unwrap()
}

#[test]
fn a_loan_around_a_vote_is_told_with_its_figures() {
    let steps =
        [Moves(POOL, THIEF, 120), Moves(THIEF, OTHER, 120), Votes, Moves(OTHER, THIEF, 120), Moves(THIEF, POOL, 110)];
    let found = at(&mut VotesWatch::new(rule()), 7, logs(1, &steps));
    let (line, of) = figures(&found);
    let what = "VoteCast(address,uint256,uint8,uint256,string)";
    // The thief's own account gave the votes to be cast by another, and got them back first.
    assert_eq!((of["lender"].as_str(), of["amount"].as_str(), of["what"].as_str()), (&*THIEF.to_string(), "120", what));
    assert!(line.starts_with("120 base units of votes were lent by 0x0202"), "{line}");
    assert!(told(&[&[Moves(Address::ZERO, THIEF, 100), Votes, Moves(THIEF, Address::ZERO, 100)]]), "a flash mint");
    let parts = [Moves(POOL, THIEF, 60), Moves(POOL, THIEF, 40), Votes, Moves(THIEF, POOL, 60), Moves(THIEF, POOL, 40)];
    assert!(told(&[&parts]), "what is lent in parts adds up");
}

#[test]
fn what_only_looks_like_a_loan_is_not_told() {
    let quiet: [&[&[Step]]; 7] = [
        // Bought through somebody in between, and used.
        &[&[Moves(POOL, OTHER, 500), Moves(OTHER, THIEF, 500), Votes]],
        // Given back before, and lent after.
        &[&[Moves(POOL, THIEF, 500), Moves(THIEF, POOL, 500), Votes]],
        &[&[Votes, Moves(POOL, THIEF, 500), Moves(THIEF, POOL, 500)]],
        // Two transactions of one block.
        &[&[Moves(POOL, THIEF, 500), Votes], &[Moves(THIEF, POOL, 500)]],
        // Too little, either way.
        &[&[Moves(POOL, THIEF, 99), Votes, Moves(THIEF, POOL, 500)]],
        &[&[Moves(POOL, THIEF, 500), Votes, Moves(THIEF, POOL, 99)]],
        // To itself.
        &[&[Moves(POOL, POOL, 500), Votes, Moves(POOL, POOL, 500)]],
    ];
    for steps in quiet {
        assert!(!told(steps), "{steps:?}");
    }
}

#[test]
fn only_the_named_token_and_governors_count() {
    let steps = [Moves(POOL, THIEF, 100), Votes, Moves(THIEF, POOL, 100)];
    for stranger in [TOKEN, GOVERNOR] {
        let mut logs = logs(1, &steps);
        logs.iter_mut().filter(|log| log.address == stranger).for_each(|log| log.address = OTHER);
        assert_eq!(fires(&at(&mut VotesWatch::new(rule()), 7, logs)), Some(false), "{stranger}");
    }
    let mut listed = logs(1, &steps);
    listed[1] = Log { topics: vec![B256::repeat_byte(0xde)], data: Bytes::new().0, ..listed[1].clone() };
    let found = at(&mut VotesWatch::new(rule()), 7, listed);
    assert_eq!(figures(&found).1["what"], "Decided(uint256)");
    assert!(VotesWatch::new(rule()).keys().contains(&(TOKEN, Transfer::SIGNATURE_HASH)));
}

#[test]
fn the_known_events_are_those_of_their_signatures() {
    for (topic, signature) in GOVERNING {
        assert_eq!(*topic, keccak256(signature), "{signature}");
    }
}

fn step() -> impl Strategy<Value = Step> + Clone {
    let account = || prop::sample::select(vec![POOL, THIEF, OTHER, Address::ZERO]);
    prop_oneof![
        4 => (account(), account(), 0_u64..150).prop_map(|(from, to, value)| Moves(from, to, value)),
        1 => Just(Votes),
    ]
}

/// Whether some act has so much given by an account before it and back after it.
fn is_loan(steps: &[Step]) -> bool {
    let acts = steps.iter().enumerate().filter(|(_, step)| matches!(step, Votes));
    let sum = |steps: &[Step], side: fn(Address, Address) -> Address, of: Address| {
        let sums = steps.iter().map(|step| match *step {
            Moves(from, to, value) if from != to && side(from, to) == of => value,
            _ => 0,
        });
        sums.sum::<u64>() >= 100
    };
    acts.into_iter().any(|(at, _)| {
        let lent = |of| sum(&steps[..at], |from, _| from, of) && sum(&steps[at..], |_, to| to, of);
        [POOL, THIEF, OTHER, Address::ZERO].into_iter().any(lent)
    })
}

proptest! {
    #[test]
    fn a_loan_is_told_where_there_is_one(steps in prop::collection::vec(step(), 0..24)) {
        prop_assert_eq!(told(&[&steps]), is_loan(&steps));
    }

    #[test]
    fn a_reorg_leaves_what_a_straight_run_would(branches in branches(prop::collection::vec(step(), 0..6))) {
        rollback_is_a_straight_run(
            || VotesWatch::new(rule()),
            |rule, number, steps| at(rule, number, logs(1, steps)),
            VotesWatch::rollback,
            &branches,
        );
    }

    #[test]
    fn data_that_lies_is_read_over(topics in prop::collection::vec(any::<[u8; 32]>(), 0..4), data in any::<Vec<u8>>()) {
        let mut topics: Vec<B256> = topics.into_iter().map(B256::from).collect();
        topics.insert(0, TRANSFER);
        let log = Log { address: TOKEN, topics, data: data.into(), transaction: B256::ZERO, index: 0 };
        prop_assert_eq!(fires(&at(&mut VotesWatch::new(rule()), 7, vec![log])), Some(false));
    }
}
