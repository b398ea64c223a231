//! Proposals and operations as contracts log them, by another encoder than ours: what is told of them, and what of data that lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolEvent, sol};
use proptest::prelude::*;

use super::*;
use crate::fixture::*;

sol! {
    event ProposalCreated(
        uint256 id, address proposer, address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, uint256 start, uint256 end,
        string description
    );
    event CallScheduled(
        bytes32 indexed id, uint256 indexed index, address target, uint256 value, bytes data, bytes32 predecessor, uint256 delay
    );
    event QueueTransaction(
        bytes32 indexed txHash, address indexed target, uint256 value, string signature, bytes data, uint256 eta
    );
    function transferOwnership(address newOwner);
    function upgradeAndCall(address proxy, address implementation, bytes data);
    function tune(uint256 value);
    function execute(address target, bytes data);
    function schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay);
}

const GOVERNOR: Address = Address::repeat_byte(0x60);
const TIMELOCK: Address = Address::repeat_byte(0x71);
const ELSEWHERE: Address = Address::repeat_byte(0xee);
const TRANSACTION: B256 = B256::repeat_byte(0x7a);

fn rule() -> Governance {
    let tune = Selector(tuneCall::SELECTOR);
    Governance {
        from: BTreeSet::from([GOVERNOR, TIMELOCK]),
        targets: BTreeSet::new(),
        functions: BTreeMap::from([(tune, "tune(uint256)".to_owned())]),
        stands_s: 36,
    }
}

fn watch() -> PlansWatch {
    PlansWatch::new(&rule(), &BTreeSet::from([VAULT]))
}

fn log(address: Address, event: &impl SolEvent) -> Log {
    let data = event.encode_log_data();
    Log { address, topics: data.topics().to_vec(), data: data.data.0, transaction: TRANSACTION, index: 0 }
}

/// A call: where to, its function as a text beside it or in front of its data, and the data.
type Part = (Address, &'static str, Vec<u8>);

fn proposal(parts: &[Part]) -> Log {
    let event = ProposalCreated {
        id: U256::from(12),
        proposer: ELSEWHERE,
        targets: parts.iter().map(|(target, ..)| *target).collect(),
        values: parts.iter().map(|_| U256::ZERO).collect(),
        signatures: parts.iter().map(|(_, signature, _)| (*signature).to_owned()).collect(),
        calldatas: parts.iter().map(|(.., data)| data.clone().into()).collect(),
        start: U256::from(1),
        end: U256::from(2),
        description: "nothing to see".to_owned(),
    };
    log(GOVERNOR, &event)
}

fn transfer() -> Vec<u8> {
    transferOwnershipCall { newOwner: ELSEWHERE }.abi_encode()
}

fn at(rule: &mut PlansWatch, number: u64, logs: Vec<Log>) -> Evaluation {
    let view = BlockView { logs, ..view(number, []) };
    rule.observe(&view, view.logs.iter(), None)
}

fn told(logs: Vec<Log>) -> Option<(String, String, String, String)> {
    let evaluation = at(&mut watch(), 7, logs);
    fires(&evaluation).unwrap().then(|| {
        let (_, of) = figures(&evaluation);
        (of["privilege"].clone(), of["what"].clone(), format!("{} of {}", of["call"], of["calls"]), of["count"].clone())
    })
}

fn is(privilege: &str, what: &str, call: &str, count: &str) -> Option<(String, String, String, String)> {
    Some((privilege.to_owned(), what.to_owned(), call.to_owned(), count.to_owned()))
}

#[test]
fn topics_are_those_of_the_contracts() {
    let rule = watch();
    let topics: BTreeSet<B256> = rule.keys().into_iter().map(|(_, topic)| topic).collect();
    let known = [ProposalCreated::SIGNATURE_HASH, CallScheduled::SIGNATURE_HASH, QueueTransaction::SIGNATURE_HASH];
    assert_eq!(topics, known.into());
    assert_eq!(rule.keys().len(), 6);
}

/// OpenZeppelin's form, with the function before its arguments; the call that matters is found among others.
#[test]
fn a_proposal_that_takes_the_vault_is_told() {
    let harmless = (ELSEWHERE, "", tuneCall { value: U256::from(1) }.abi_encode());
    let logs = vec![proposal(&[harmless.clone(), (VAULT, "", transfer()), (VAULT, "", vec![])])];
    assert_eq!(told(logs.clone()), is("owner", "transferOwnership(address)", "2 of 3", "2"));
    let evaluation = at(&mut watch(), 7, logs);
    let (explanation, of) = figures(&evaluation);
    assert_eq!(
        explanation,
        format!(
            "proposal 12 of {GOVERNOR} would change the owner of {VAULT}: transferOwnership(address) (call 2 of 3), in transaction {TRANSACTION} \
             of block 7, and 1 more such calls in it"
        )
    );
    assert_eq!((of["governor"].as_str(), of["plan"].as_str()), (&*GOVERNOR.to_string(), "proposal 12"));
    assert_eq!(told(vec![proposal(&[harmless])]), None, "elsewhere, a listed function that names nothing watched");
    assert_eq!(told(vec![proposal(&[])]), None);
}

/// GovernorBravo's form, with the function as a text and the data its arguments alone.
#[test]
fn the_form_with_signatures_is_read_too() {
    let arguments = transfer().split_off(4);
    let bravo = proposal(&[(VAULT, "transferOwnership(address)", arguments.clone())]);
    assert_eq!(told(vec![bravo]), is("owner", "transferOwnership(address)", "1 of 1", "1"));
    // Arguments that begin like a function are none where the function is named.
    let disguised = [&Selector(tuneCall::SELECTOR).0[..], &arguments].concat();
    let bravo = proposal(&[(VAULT, "transferOwnership(address)", disguised)]);
    assert_eq!(told(vec![bravo]), is("owner", "transferOwnership(address)", "1 of 1", "1"));
}

/// A timelock's operations, an admin contract that names the vault, a function the rule lists, one that nobody knows, and bare value.
#[test]
fn operations_are_told_by_what_they_touch() {
    let scheduled = |target, data: Vec<u8>| {
        let (id, predecessor) = (B256::repeat_byte(1), B256::ZERO);
        let (index, value, delay) = (U256::ZERO, U256::ZERO, U256::from(172_800));
        log(TIMELOCK, &CallScheduled { id, index, target, value, data: data.into(), predecessor, delay })
    };
    let upgrade = upgradeAndCallCall { proxy: VAULT, implementation: ELSEWHERE, data: Bytes::new() }.abi_encode();
    assert_eq!(
        told(vec![scheduled(ELSEWHERE, upgrade)]),
        is("upgrade", "upgradeAndCall(address,address,bytes)", "1 of 1", "1")
    );
    let tune = tuneCall { value: U256::from(1) }.abi_encode();
    assert_eq!(told(vec![scheduled(VAULT, tune)]), is("listed", "tune(uint256)", "1 of 1", "1"));
    let unknown = is("call", "a function that is not known here, 0x01020304", "1 of 1", "1");
    assert_eq!(told(vec![scheduled(VAULT, vec![1, 2, 3, 4])]), unknown);
    assert_eq!(told(vec![scheduled(VAULT, vec![])]), is("call", "a transfer of value", "1 of 1", "1"));
    // The timelock's own delay and roles are watched as well.
    let delay = [&keccak256("updateDelay(uint256)")[..4], &[0; 32]].concat();
    assert_eq!(told(vec![scheduled(TIMELOCK, delay)]), is("admin", "updateDelay(uint256)", "1 of 1", "1"));
    let queued = QueueTransaction {
        txHash: B256::repeat_byte(2),
        target: VAULT,
        value: U256::ZERO,
        signature: "_setPauseGuardian(address)".to_owned(),
        data: B256::ZERO.to_vec().into(),
        eta: U256::from(9),
    };
    assert_eq!(told(vec![log(TIMELOCK, &queued)]), is("role", "_setPauseGuardian(address)", "1 of 1", "1"));
    // The same words of somebody else are nobody's plan.
    assert_eq!(told(vec![log(ELSEWHERE, &queued)]), None);
}

/// It stands for its time and no longer, and a reorg takes it.
#[test]
fn a_plan_stands_for_its_time() {
    let mut rule = watch();
    let logs = || vec![proposal(&[(VAULT, "", transfer())])];
    assert_eq!(fires(&at(&mut rule, 1, logs())), Some(true));
    assert_eq!(fires(&at(&mut rule, 4, vec![])), Some(true));
    assert_eq!(fires(&at(&mut rule, 5, vec![])), Some(false));
    assert_eq!(fires(&at(&mut rule, 6, logs())), Some(true));
    rule.rollback(&block(5));
    assert_eq!(fires(&at(&mut rule, 6, vec![])), Some(false));
}

/// Lists of other lengths, offsets beyond the data, too many calls, addresses with dirt before them: named and counted, and no finding.
#[test]
fn data_that_lies_is_a_named_note() {
    let honest = proposal(&[(VAULT, "", transfer())]);
    let changed = |word: usize, value: U256| {
        let mut data = honest.data.to_vec();
        data[word * 32..][..32].copy_from_slice(&value.to_be_bytes::<32>());
        Log { data: data.into(), ..honest.clone() }
    };
    let short = Log { data: honest.data.slice(..64), ..honest.clone() };
    let dirty = changed(10, U256::MAX);
    let cases = [short, changed(2, U256::MAX), changed(5, U256::from(1_u64 << 40)), changed(9, U256::from(2)), dirty];
    let mut rule = watch();
    for (number, log) in (1..).zip(cases) {
        assert_eq!(fires(&at(&mut rule, number, vec![log])), Some(false), "case {number}");
        assert_eq!(rule.unanswered().collect::<Vec<_>>(), [(NoAnswer::Undecodable, number)]);
    }
    let many = proposal(&vec![(VAULT, "", transfer()); 257]);
    assert_eq!(fires(&at(&mut rule, 9, vec![many])), Some(false));
    assert_eq!(rule.unanswered().last(), Some((NoAnswer::TooLong, 1)));
    // What is sound in the same block is told all the same.
    assert_eq!(fires(&at(&mut rule, 10, vec![changed(2, U256::MAX), honest.clone()])), Some(true));
}

proptest! {
    /// An honest plan with lengths and places of somebody's choice, cut anywhere: no panic, and never more calls than it may have.
    #[test]
    fn no_bytes_panic(cut in 0..1_200_usize, topic in 0..3_usize, words in prop::collection::vec((0..36_usize, 0..1_200_u64), 0..5)) {
        let honest = proposal(&[(VAULT, "", transfer()), (VAULT, "tune(uint256)", vec![0; 40])]);
        let mut data = honest.data.to_vec();
        for (at, value) in words {
            if let Some(word) = data.get_mut(at * 32..at * 32 + 32) {
                word.copy_from_slice(&U256::from(value).to_be_bytes::<32>());
            }
        }
        data.truncate(cut);
        let topics = vec![[PROPOSAL_CREATED, CALL_SCHEDULED, QUEUE_TRANSACTION][topic], B256::ZERO, B256::ZERO];
        let log = Log { topics, data: data.into(), ..honest };
        if let Some(Ok(plan)) = plan(&log) {
            prop_assert!(plan.calls.len() <= 256);
        }
        at(&mut watch(), 1, vec![log]);
    }

    /// Every call of every proposal that the other encoder writes is read as it was written.
    #[test]
    fn what_is_encoded_is_read(parts in prop::collection::vec((any::<[u8; 20]>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..70)), 0..9)) {
        let parts: Vec<Part> = parts.into_iter().map(|(to, named, data)| (to.into(), if named { "tune(uint256)" } else { "" }, data)).collect();
        let log = proposal(&parts);
        let Some(Ok(plan)) = plan(&log) else { panic!("unread") };
        prop_assert_eq!(plan.calls.len(), parts.len());
        for (call, (target, signature, data)) in plan.calls.iter().zip(&parts) {
            prop_assert_eq!(call.target, *target);
            if signature.is_empty() {
                prop_assert_eq!(call.selector.map(|selector| selector.0.to_vec()), data.get(..4).map(<[u8]>::to_vec));
            } else {
                prop_assert_eq!((call.selector, call.arguments), (Some(Selector(tuneCall::SELECTOR)), &data[..]));
            }
        }
    }
}

/// What a call of a plan calls in turn, or schedules, is read as if it stood there itself.
#[test]
fn calls_within_calls_are_told() {
    let wrapped = executeCall { target: VAULT, data: transfer().into() }.abi_encode();
    assert_eq!(
        told(vec![proposal(&[(ELSEWHERE, "", wrapped.clone())])]),
        is("owner", "transferOwnership(address)", "1 of 1", "1")
    );
    let (value, word) = (U256::ZERO, B256::ZERO);
    let planned = |data: Vec<u8>| {
        let call =
            scheduleCall { target: ELSEWHERE, value, data: data.into(), predecessor: word, salt: word, delay: value };
        vec![proposal(&[(TIMELOCK, "", call.abi_encode())])]
    };
    // The timelock is called, which alone would be told as a function that is not known.
    assert_eq!(told(planned(wrapped)), is("owner", "transferOwnership(address)", "1 of 1", "1"));
    let (privilege, ..) = told(planned(vec![1; 4])).unwrap();
    assert_eq!(privilege, "call");
}
