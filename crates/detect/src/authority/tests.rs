//! Acts of authority: what is told of them, what an announcement excuses, silence, and reorgs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{U256, keccak256};
use proptest::prelude::*;
use watchfire_types::body::{Announced, Change, ChangeCall, Known};
use watchfire_types::{BlockTime, Bytes, ChangeId, CharterVersion, Timestamp};

use super::*;
use crate::fixture::*;

const ADMIN: Address = Address::repeat_byte(0xad);
const STRANGER: Address = Address::repeat_byte(0x5f);
const SAFE: Address = Address::repeat_byte(0x5a);
const UPGRADE: &str = "upgradeTo(address)";

fn asset() -> AssetId {
    "vault-core".parse().unwrap()
}

fn selector(signature: &str) -> Selector {
    Selector(keccak256(signature)[..4].try_into().unwrap())
}

fn scope() -> Scope {
    Scope {
        targets: BTreeSet::from([VAULT]),
        events: BTreeMap::from([(keccak256("Tuned(uint256)"), "Tuned(uint256)".to_owned())]),
        functions: BTreeMap::from([(selector(UPGRADE), UPGRADE.to_owned())]),
        through: BTreeSet::from([SAFE]),
        mints: true,
        admins: BTreeSet::from([ADMIN]),
        dormant_s: 120,
        stands_s: 36,
    }
}

fn transaction(from: Address, to: Address, input: &[u8], succeeded: bool) -> Transaction {
    let hash = keccak256([&from[..], &to[..], input].concat());
    let (input, succeeded) = (input.to_vec().into(), Some(succeeded));
    Transaction { hash, kind: 2, from, to: Some(to), value: U256::ZERO, input, succeeded }
}

fn log(of: &Transaction, contract: Address, topics: &[B256]) -> Log {
    Log { address: contract, topics: topics.to_vec(), data: Bytes::new(), transaction: of.hash, index: 0 }
}

fn upgrade_to(code: u8) -> Vec<u8> {
    [&selector(UPGRADE).0[..], &[0; 12], &[code; 20]].concat()
}

fn with(number: u64, transactions: Vec<Transaction>, logs: Vec<Log>) -> BlockView {
    BlockView { transactions, logs, ..view(number, []) }
}

fn announced(call: ChangeCall, from: u64, to: u64) -> Announced {
    let change = Change {
        version: CharterVersion::new(1),
        asset: asset(),
        chain: CHAIN,
        target: VAULT,
        call,
        opens: block(from).time,
        closes: block(to).time,
        edition: 0,
    };
    Announced {
        id: ChangeId::from_bytes([1; 32]),
        change,
        since: Known { number: 0, at: Timestamp::from_millis(0) },
        until: None,
    }
}

fn observe(rule: &mut AuthorityWatch, view: &BlockView, announced: &[Announced]) -> Evaluation {
    rule.observe(view, view.logs.iter(), None, &asset(), &Excuses::of(announced, view))
}

fn once(view: &BlockView, announced: &[Announced]) -> Evaluation {
    observe(&mut AuthorityWatch::new(scope()), view, announced)
}

/// Every event of the list, a listed one and a mint fire on a watched contract alone; the line says which account did what.
#[test]
fn events_that_only_authority_causes_are_told() {
    let sent = transaction(STRANGER, VAULT, b"whatever", true);
    for event in EVENTS {
        let view = with(3, vec![sent.clone()], vec![log(&sent, VAULT, &[event.topic])]);
        let told = once(&view, &[]);
        let (line, told) = figures(&told);
        assert_eq!(told["privilege"], event.privilege.name());
        assert_eq!((&told["account"], &told["contract"]), (&STRANGER.to_string(), &VAULT.to_string()));
        assert!(
            line.contains(event.signature) && line.contains("block 3") && line.ends_with("nobody announced it"),
            "{line}"
        );
        let elsewhere = with(3, vec![sent.clone()], vec![log(&sent, STRANGER, &[event.topic])]);
        assert_eq!(once(&elsewhere, &[]), Evaluation::Quiet, "{}", event.signature);
    }
    let tuned = with(3, vec![], vec![log(&sent, VAULT, &[keccak256("Tuned(uint256)")])]);
    let told = once(&tuned, &[]);
    assert_eq!(
        (figures(&told).1["privilege"].as_str(), figures(&told).1["account"].as_str()),
        ("listed", "an account not told")
    );
    let minted = with(3, vec![], vec![log(&sent, VAULT, &[TRANSFER, B256::ZERO, B256::repeat_byte(1)])]);
    assert_eq!(figures(&once(&minted, &[])).1["privilege"], "mint");
    let moved = with(3, vec![], vec![log(&sent, VAULT, &[TRANSFER, B256::repeat_byte(2), B256::repeat_byte(1)])]);
    assert_eq!(once(&moved, &[]), Evaluation::Quiet);
}

/// A listed function that is called and succeeds is told; one that fails anybody can call.
#[test]
fn calls_that_succeed_are_told() {
    let call = |succeeded| transaction(ADMIN, VAULT, &upgrade_to(7), succeeded);
    let told = once(&with(2, vec![call(true)], vec![]), &[]);
    let (line, told) = figures(&told);
    assert!(line.starts_with(&format!("{ADMIN} called {UPGRADE} of {VAULT}, in transaction ")), "{line}");
    assert_eq!((told["what"].as_str(), told["count"].as_str()), (UPGRADE, "1"));
    assert_eq!(once(&with(2, vec![call(false)], vec![]), &[]), Evaluation::Quiet);
    let unknown = Transaction { succeeded: None, ..call(true) };
    assert_eq!(once(&with(2, vec![unknown.clone()], vec![]), &[]), Evaluation::Quiet);
    let logged = log(&unknown, STRANGER, &[B256::repeat_byte(9)]);
    assert!(fires(&once(&with(2, vec![unknown], vec![logged]), &[])).unwrap(), "what emitted an event succeeded");
    let other = transaction(ADMIN, VAULT, b"deposit!", true);
    let short = transaction(ADMIN, VAULT, b"abc", true);
    let elsewhere = transaction(ADMIN, STRANGER, &upgrade_to(7), true);
    assert_eq!(once(&with(2, vec![other, short, elsewhere], vec![]), &[]), Evaluation::Quiet);
}

/// An announcement excuses its call data, or its selector, of its target in its window, and nothing beside.
#[test]
fn only_what_is_announced_is_excused() {
    let data = announced(ChangeCall::Data(keccak256(upgrade_to(7))), 5, 8);
    let any = announced(ChangeCall::Selector(selector(UPGRADE)), 5, 8);
    let block = |number, code| {
        let sent = transaction(ADMIN, VAULT, &upgrade_to(code), true);
        let upgraded = log(&sent, VAULT, &[keccak256("Upgraded(address)")]);
        with(number, vec![sent], vec![upgraded])
    };
    let quiet = |view: &BlockView, announced: &Announced| !fires(&once(view, std::slice::from_ref(announced))).unwrap();
    assert!(quiet(&block(5, 7), &data) && quiet(&block(8, 7), &data));
    assert!(!quiet(&block(5, 8), &data), "another argument");
    assert!(quiet(&block(5, 8), &any));
    for number in [4, 9] {
        assert!(!quiet(&block(number, 7), &data) && !quiet(&block(number, 7), &any), "outside the window");
    }
    let of = |edit: fn(&mut Announced)| {
        let mut changed = any.clone();
        edit(&mut changed);
        quiet(&block(6, 7), &changed)
    };
    assert!(!of(|announced| announced.change.target = STRANGER));
    assert!(!of(|announced| announced.change.asset = "other".parse().unwrap()));
    assert!(!of(|announced| announced.since.number = 6), "known too late by height");
    assert!(!of(|announced| announced.since.at = Timestamp::from_millis(1_072_000)), "known too late by the clock");
    assert!(!of(|announced| announced.until = Some(Known { number: 5, at: Timestamp::from_millis(0) })), "withdrawn");
    assert!(of(|announced| announced.change.closes = BlockTime::from_secs(1_072)));
    // Of an inner call the contract and the window are known alone; so they are where a block comes without its transactions.
    let outer = transaction(ADMIN, STRANGER, b"execTransaction", true);
    let inner = log(&outer, VAULT, &[keccak256("Upgraded(address)")]);
    assert!(quiet(&with(6, vec![outer], vec![inner.clone()]), &data));
    assert!(quiet(&with(6, vec![], vec![inner]), &data));
}

/// An account that was silent long enough is told with how long; what it does next is not, nor what it did before it was watched long enough.
#[test]
fn a_dormant_account_that_acts_is_told() {
    let mut rule = AuthorityWatch::new(Scope { stands_s: 1, ..scope() });
    let mut acts = |number: u64, acts: bool, announced: &[Announced]| {
        let sent = transaction(ADMIN, STRANGER, &number.to_be_bytes(), false);
        let view = with(number, if acts { vec![sent] } else { vec![] }, vec![]);
        observe(&mut rule, &view, announced)
    };
    assert_eq!(acts(1, false, &[]), Evaluation::Quiet);
    assert_eq!(acts(10, true, &[]), Evaluation::Quiet, "108 s after the first block that was seen");
    let told = acts(20, true, &[]);
    let (line, told) = figures(&told);
    assert_eq!((told["privilege"].as_str(), told["what"].as_str()), ("dormant", "120 s of silence"));
    assert!(line.starts_with(&format!("{ADMIN} acted after 120 s of silence, on {STRANGER}")), "{line}");
    assert_eq!(acts(21, true, &[]), Evaluation::Quiet, "it is awake");
    assert_eq!(acts(30, true, &[]), Evaluation::Quiet);
    let mut planned = announced(ChangeCall::Data(keccak256(40_u64.to_be_bytes())), 39, 41);
    planned.change.target = STRANGER;
    assert_eq!(acts(40, true, &[planned]), Evaluation::Quiet, "it is announced");
    assert!(fires(&acts(60, true, &[])).unwrap());
}

/// It stands as long as it says, from its block on, and a recovery ends it.
#[test]
fn it_stands_for_its_time() {
    let mut rule = AuthorityWatch::new(scope());
    let sent = transaction(ADMIN, VAULT, &upgrade_to(7), true);
    assert!(fires(&observe(&mut rule, &with(2, vec![sent.clone(), sent], vec![]), &[])).unwrap());
    let told = observe(&mut rule, &with(5, vec![], vec![]), &[]);
    assert_eq!(figures(&told).1["count"], "2");
    assert!(figures(&told).0.contains("and 1 more acts in it"));
    let view = with(5, vec![], vec![]);
    let recovered = rule.observe(&view, view.logs.iter(), Some(&block(2)), &asset(), &Excuses::default());
    assert_eq!(recovered, Evaluation::Quiet);
    assert_eq!(observe(&mut rule, &with(6, vec![], vec![]), &[]), Evaluation::Quiet);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// After a reorg it says what it would have said without, acts and silences alike, with a change announced in between.
    #[test]
    fn rollback_is_as_if_it_never_was(acts in branches(prop::sample::select(vec![0_u8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]))) {
        let window = [announced(ChangeCall::Data(keccak256(upgrade_to(7))), 20, 60)];
        rollback_is_a_straight_run(
            || AuthorityWatch::new(Scope { dormant_s: 240, ..scope() }),
            |rule, number, act| {
                let sent = match act {
                    1 => vec![transaction(ADMIN, STRANGER, b"awake", true)],
                    2 => vec![transaction(STRANGER, VAULT, &upgrade_to(7), true)],
                    3 => vec![transaction(ADMIN, VAULT, &upgrade_to(8), true)],
                    _ => vec![],
                };
                observe(rule, &with(number, sent, vec![]), &window)
            },
            AuthorityWatch::rollback,
            &acts,
        );
    }
}

/// A call as data tells it: `execute(address,bytes)` of whoever is called.
fn wrapped(target: Address, input: &[u8]) -> Vec<u8> {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    let head =
        [&selector("execute(address,bytes)").0[..], target.into_word().as_slice(), &word(64), &word(input.len())]
            .concat();
    [&head[..], input, &vec![0; input.len().next_multiple_of(32) - input.len()]].concat()
}

/// The same as a Safe's, which may fail within.
fn of_safe(target: Address, input: &[u8]) -> Vec<u8> {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>().to_vec();
    let name = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)";
    let mut head = [selector(name).0.to_vec(), target.into_word().to_vec(), word(0), word(320)].concat();
    (0..7).for_each(|_| head.extend(word(0)));
    head.extend([word(input.len()), input.to_vec(), vec![0; input.len().next_multiple_of(32) - input.len()]].concat());
    head
}

/// A listed function is told where a contract that the rule names is told to call it, and through a stranger's it is nothing.
#[test]
fn a_call_through_a_contract_in_between_is_told() {
    let upgrade = upgrade_to(1);
    let direct = transaction(STRANGER, VAULT, &upgrade, true);
    assert_eq!(figures(&once(&with(3, vec![direct], vec![]), &[])).1["what"], UPGRADE);
    for input in [wrapped(VAULT, &upgrade), of_safe(VAULT, &upgrade), wrapped(SAFE, &of_safe(VAULT, &upgrade))] {
        let sent = transaction(STRANGER, SAFE, &input, true);
        let found = once(&with(3, vec![sent], vec![]), &[]);
        let (line, told) = figures(&found);
        assert_eq!((told["privilege"].as_str(), &told["contract"]), ("call", &VAULT.to_string()));
        assert_eq!(told["what"], format!("{UPGRADE} through {SAFE}"));
        assert!(line.contains(&format!("called {UPGRADE} through {SAFE} of {VAULT}")), "{line}");
        for quiet in [transaction(STRANGER, ADMIN, &input, true), transaction(STRANGER, SAFE, &input, false)] {
            assert_eq!(once(&with(3, vec![quiet], vec![]), &[]), Evaluation::Quiet);
        }
    }
    let of_another = transaction(STRANGER, SAFE, &wrapped(STRANGER, &upgrade), true);
    assert_eq!(once(&with(3, vec![of_another], vec![]), &[]), Evaluation::Quiet, "called, and not watched");
}

#[test]
fn what_failed_within_a_safe_is_nothing() {
    let sent = transaction(STRANGER, SAFE, &of_safe(VAULT, &upgrade_to(1)), true);
    let failure = |contract| log(&sent, contract, &[EXECUTION_FAILURE]);
    let at = |logs| fires(&once(&with(3, vec![sent.clone()], logs), &[])).unwrap();
    assert!(at(vec![]) && at(vec![failure(STRANGER)]) && !at(vec![failure(SAFE)]));
    assert_eq!(EXECUTION_FAILURE, keccak256("ExecutionFailure(bytes32,uint256)"));
    assert!(AuthorityWatch::new(scope()).keys().contains(&(SAFE, EXECUTION_FAILURE)));
}

/// What is announced is held to its call data through contracts in between too, where their data tells what they call.
#[test]
fn an_announcement_excuses_its_own_call_alone() {
    let planned = upgrade_to(1);
    let hash = announced(ChangeCall::Data(keccak256(&planned)), 0, 9);
    let upgraded = EVENTS.iter().find(|event| event.signature == "Upgraded(address)").unwrap().topic;
    let quiet = |input: &[u8]| {
        let sent = transaction(STRANGER, SAFE, input, true);
        let logs = vec![log(&sent, VAULT, &[upgraded])];
        let view = with(3, vec![sent], logs);
        // By the event that it causes alone.
        let mut rule = AuthorityWatch::new(Scope { functions: BTreeMap::new(), ..scope() });
        !fires(&observe(&mut rule, &view, std::slice::from_ref(&hash))).unwrap()
    };
    assert!(quiet(&wrapped(VAULT, &planned)) && quiet(&of_safe(VAULT, &planned)));
    assert!(!quiet(&wrapped(VAULT, &upgrade_to(2))), "another call of the same contract");
    assert!(!quiet(&of_safe(SAFE, &wrapped(VAULT, &upgrade_to(2)))));
    assert!(quiet(&wrapped(STRANGER, b"that upgrades it")), "what cannot be read");
    let both = [&planned[..], &upgrade_to(2)].map(|input| wrapped(VAULT, input));
    let batch = |calls: &[Vec<u8>]| {
        let word = |number: usize| U256::from(number).to_be_bytes::<32>();
        let packed: Vec<u8> =
            calls.iter().flat_map(|input| [&[0], &SAFE[..], &word(0), &word(input.len()), input].concat()).collect();
        let head = [&selector("multiSend(bytes)").0[..], &word(32), &word(packed.len())].concat();
        [head, packed].concat()
    };
    assert!(quiet(&batch(&both[..1])) && !quiet(&batch(&both)), "beside one that was announced");
}
