//! What the index leaves out is nothing: findings are byte-equal to those of every rule judged at every block with every log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, U256, b256};
use proptest::prelude::*;
use watchfire_charter::expression::{Expression, Subject};
use watchfire_charter::{Rate, Rated, StateExpectation};
use watchfire_types::body::{Announced, Change, ChangeCall, Finding, Known, Selector};
use watchfire_types::{
    AssetId, BlockRef, BlockTime, BlockView, ChainId, ChangeId, CharterVersion, Log, Read, ReadOutcome, Severity,
    Timestamp, Transaction,
};

use super::{Detectors, Rule, Watching};
use crate::authority::{AuthorityWatch, Scope};
use crate::event::EventWatch;
use crate::excuse::Excuses;
use crate::expression::ExpressionWatch;
use crate::outflow::OutflowWatch;
use crate::rate::RateWatch;
use crate::state::StateWatch;

const CHAIN: ChainId = ChainId::new(31337);
const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

fn asset() -> AssetId {
    "vault".parse().unwrap()
}

fn address(nth: u8) -> Address {
    Address::repeat_byte(0xa0 + nth)
}

fn topic(nth: u8) -> B256 {
    if nth == 0 { TRANSFER } else { B256::repeat_byte(nth) }
}

/// What an expression is about, by a number: transfers, calls of a function, transactions; and one that has no answer about a zero.
fn expression(contract: u8, nth: u8, stands_s: u64) -> ExpressionWatch {
    let (over, source) = match nth {
        0 => (Subject::event("Transfer(address indexed from, address indexed to, uint256 value)"), "from != to"),
        1 => (Subject::event("Transfer(address indexed from)"), "10 / size(tx.hash) >= 0"),
        2 => (Subject::call("withdraw(uint256 amount)"), "10 / amount > 2"),
        _ => (Ok(Subject::Transaction), "10 / tx.value > 2"),
    };
    let over = over.unwrap();
    let expression = Expression::compile(source, &over).unwrap();
    ExpressionWatch::new(over, address(contract), expression, stands_s)
}

/// Event rules of these (contract, event, second topic, seconds), expressions, a token's outflow and a storage slot.
fn detectors(events: &[(u8, u8, Option<u8>, u64)], expressions: &[(u8, u8, u64)]) -> Detectors {
    let mut watching: Vec<Watching> = events
        .iter()
        .map(|(contract, event, second, stands_s)| {
            let topics = second.map(|second| (1, topic(second))).into_iter().collect();
            Watching::Event(EventWatch::new(address(*contract), "E()".into(), topic(*event), topics, *stands_s))
        })
        .collect();
    let about =
        |(contract, nth, stands_s): &(u8, u8, u64)| Watching::Expression(expression(*contract, *nth, *stands_s));
    watching.extend(expressions.iter().map(about));
    let group = BTreeSet::from([Address::repeat_byte(1)]);
    watching.push(Watching::Outflow(OutflowWatch::new(group, Some(address(0)), 30, Some(U256::from(3)), None)));
    let read = Read::Storage { account: address(0), slot: B256::ZERO };
    watching.push(Watching::State(StateWatch::new("slot".into(), read, StateExpectation::Unchanged, 9)));
    watching.push(Watching::Authority(AuthorityWatch::new(Scope {
        targets: BTreeSet::from([address(0), address(1)]),
        events: BTreeMap::from([(topic(1), "Tuned()".to_owned())]),
        functions: BTreeMap::from([(Selector([0x2e, 0x1a, 0x7d, 0x4d]), "tune()".to_owned())]),
        through: BTreeSet::from([address(3)]),
        mints: true,
        admins: BTreeSet::from([address(2)]),
        dormant_s: 20,
        stands_s: 9,
    })));
    let rate = |of: Rated| {
        let bounds = Rate { of, window_s: 7, windows: 4, floor: U256::from(1), deviations: Some(1), ewma: None };
        Watching::Rate(RateWatch::new(bounds, BTreeSet::new()))
    };
    watching.push(rate(Rated::Events { address: address(0), event: "E()".into(), topic: topic(1) }));
    watching.push(rate(Rated::Transactions { address: address(1) }));
    let rules = watching.into_iter().enumerate().map(|(place, watching)| Rule {
        id: format!("rule-{place:03}").parse().unwrap(),
        asset: asset(),
        severity: Severity::Sev1,
        watching,
        history: VecDeque::new(),
        unread: 0,
    });
    Detectors::of(CHAIN, rules.collect())
}

/// Every rule at every block, with every log and every transaction.
fn naive(
    detectors: &mut Detectors,
    view: &BlockView,
    floors: &BTreeMap<AssetId, BlockRef>,
    announced: &[Announced],
) -> Vec<Finding> {
    let rules: Vec<u32> = (0..u32::try_from(detectors.rules.len()).unwrap()).collect();
    let places = u32::try_from(view.logs.len().max(view.transactions.len())).unwrap();
    let hits: Vec<(u32, u32)> = rules.iter().flat_map(|rule| (0..places).map(|place| (*rule, place))).collect();
    detectors.judge(view, floors, &Excuses::of(announced, view), &rules, &hits)
}

/// From, to (nobody: it creates), its figure, and whether it calls the function with it.
type Sent = (u8, Option<u8>, u8, bool);

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    /// A block so many seconds later: logs as (contract, event, second topic), transactions, a balance and a slot's value where they were read.
    Block { after_s: u64, logs: Vec<(u8, u8, Option<u8>)>, sent: Vec<Sent>, balance: Option<u64>, slot: Option<u8> },
    /// So many blocks are taken back.
    Rollback(usize),
    /// A recovery at so many blocks below the newest, or none any more.
    Floor(Option<usize>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let log = (0_u8..3, 0_u8..3, prop::option::of(0_u8..3));
    let logs = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(log, 0..4)];
    let one = (0_u8..3, prop::option::of(0_u8..3), 0_u8..9, any::<bool>());
    let sent = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(one, 0..4)];
    let block = (0_u64..8, logs, sent, prop::option::of(0_u64..9), prop::option::of(0_u8..2))
        .prop_map(|(after_s, logs, sent, balance, slot)| Act::Block { after_s, logs, sent, balance, slot });
    let act = prop_oneof![
        12 => block,
        1 => (1_usize..64).prop_map(Act::Rollback),
        1 => prop::option::of(0_usize..5).prop_map(Act::Floor),
    ];
    prop::collection::vec(act, 1..200)
}

/// A change of the first contract that is announced for a while, and is no other's.
fn announced() -> Vec<Announced> {
    let change = Change {
        version: CharterVersion::new(1),
        asset: asset(),
        chain: CHAIN,
        target: address(0),
        call: ChangeCall::Selector(Selector([0x2e, 0x1a, 0x7d, 0x4d])),
        opens: BlockTime::from_secs(1_040),
        closes: BlockTime::from_secs(1_200),
        edition: 0,
    };
    let since = Known { number: 5, at: Timestamp::from_millis(1_020_000) };
    vec![Announced { id: ChangeId::from_bytes([1; 32]), change, since, until: None }]
}

fn block(number: u64, time: u64, salt: usize) -> BlockRef {
    let hash = B256::from(U256::from(number) << 64 | U256::from(salt));
    BlockRef { chain: CHAIN, number, hash, time: BlockTime::from_secs(time) }
}

fn transaction((from, to, figure, calls): &Sent) -> Transaction {
    let word = U256::from(*figure).to_be_bytes::<32>();
    let input = if *calls { [&[0x2e, 0x1a, 0x7d, 0x4d][..], &word].concat() } else { Vec::new() };
    Transaction {
        hash: B256::repeat_byte(*figure),
        kind: 2,
        from: address(*from),
        to: to.map(address),
        value: U256::from(*figure),
        input: input.into(),
        succeeded: Some(*figure != 1),
    }
}

fn view(
    block: BlockRef,
    logs: &[(u8, u8, Option<u8>)],
    sent: &[Sent],
    balance: Option<u64>,
    slot: Option<u8>,
) -> BlockView {
    let logs = logs.iter().zip(0..).map(|((contract, event, second), index)| Log {
        address: address(*contract),
        topics: [Some(*event), *second].into_iter().flatten().map(topic).collect(),
        data: Default::default(),
        transaction: B256::repeat_byte(7),
        index,
    });
    let word = |value: u64| ReadOutcome::Value(U256::from(value).to_be_bytes_vec().into());
    let balance_of =
        OutflowWatch::new(BTreeSet::from([Address::repeat_byte(1)]), Some(address(0)), 1, None, None).reads().next();
    let balance = balance.and_then(|balance| Some((balance_of?, word(balance))));
    let slot = slot.map(|slot| (Read::Storage { account: address(0), slot: B256::ZERO }, word(slot.into())));
    BlockView {
        block,
        parent: B256::ZERO,
        base_fee: None,
        transactions: sent.iter().map(transaction).collect(),
        logs: logs.collect(),
        reads: balance.into_iter().chain(slot).collect(),
        agreed: BTreeSet::new(),
        unproved: false,
    }
}

proptest! {
    // Each case is a hundred blocks and more.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Blocks, reorgs and recoveries in any order: the same findings, byte for byte, and the same detectors that see nothing, with nothing but the logs that
    /// concern the rules.
    #[test]
    fn indexed_equals_naive(
        events in prop::collection::vec((0_u8..3, 0_u8..3, prop::option::of(0_u8..3), 0_u64..40), 0..12),
        expressions in prop::collection::vec((0_u8..3, 0_u8..4, 0_u64..40), 0..8),
        acts in acts(),
    ) {
        let (mut indexed, mut plain) = (detectors(&events, &expressions), detectors(&events, &expressions));
        let (announced, interest) = (announced(), indexed.interest());
        let (mut chain, mut floors) = (vec![block(1, 1_000, 0)], BTreeMap::new());
        for (salt, act) in acts.iter().enumerate() {
            let newest = *chain.last().unwrap();
            match act {
                Act::Block { after_s, logs, sent, balance, slot } => {
                    let next = block(newest.number + 1, newest.time.as_secs() + after_s, salt);
                    let view = BlockView { parent: newest.hash, ..view(next, logs, sent, *balance, *slot) };
                    let plainly = naive(&mut plain, &view, &floors, &announced);
                    let mut concerning = view;
                    concerning.logs.retain(|log| interest.concerns(&log.address, &log.topics));
                    prop_assert_eq!(indexed.observe_announced(&concerning, &floors, &announced), plainly);
                    prop_assert_eq!(indexed.blind(1).collect::<Vec<_>>(), plain.blind(1).collect::<Vec<_>>());
                    prop_assert_eq!(indexed.unanswered().collect::<Vec<_>>(), plain.unanswered().collect::<Vec<_>>());
                    chain.push(next);
                }
                Act::Rollback(depth) => {
                    chain.truncate(chain.len().saturating_sub(*depth).max(1));
                    let to = chain.last().unwrap();
                    indexed.rollback(to);
                    plain.rollback(to);
                }
                Act::Floor(depth) => {
                    let at = depth.and_then(|depth| chain.iter().rev().nth(depth));
                    floors = at.map(|at| (asset(), *at)).into_iter().collect();
                }
            }
        }
    }
}
