//! What is made of a simulation's answers, lies and gaps among them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::{BlockTime, Bytes, ChainId};

use super::told::{NATIVE, TRANSFER};
use super::*;

const VAULT: Address = Address::repeat_byte(0xaa);
const THIEF: Address = Address::repeat_byte(0xee);
const TOKEN: Address = Address::repeat_byte(0x22);

fn moved(coin: Address, from: Address, to: Address, amount: u64) -> Value {
    let data = format!("0x{}", hex::encode(U256::from(amount).to_be_bytes::<32>()));
    json!({ "address": coin, "topics": [TRANSFER, from.into_word(), to.into_word()], "data": data })
}

fn call(status: u8, answer: u8, logs: &[Value]) -> Called {
    let answer = format!("0x{}", hex::encode(U256::from(answer).to_be_bytes::<32>()));
    serde_json::from_value(json!({ "status": format!("{status:#x}"), "returnData": answer, "logs": logs })).unwrap()
}

fn group() -> BTreeSet<Address> {
    BTreeSet::from([VAULT])
}

/// A block with one transaction that takes this much.
fn scene(lost: u64) -> Scene {
    let chain = ChainId::new(1);
    let block = BlockRef { chain, number: 7, hash: B256::ZERO, time: BlockTime::from_secs(1) };
    let sent = json!({ "hash": B256::ZERO, "from": THIEF, "to": VAULT, "value": "0x0", "input": "0x", "gas": "0x1" });
    let body = json!({ "number": "0x7", "timestamp": "0x1", "gasLimit": "0x10", "transactions": [sent] });
    let body = serde_json::from_value(body).unwrap();
    Scene { block, body, accounts: group(), at: vec![0], lost: [(Address::ZERO, U256::from(lost))].into(), held: None }
}

fn condition() -> Condition {
    let read = Read::Call { to: VAULT, data: Bytes::new() };
    Condition { text: "open()".to_owned(), read, equals: U256::ONE.to_be_bytes::<32>().to_vec().into() }
}

fn tried() -> Tried {
    let playbook = "contain".parse().unwrap();
    let (step, name) = (StepIndex::new(1), "pause".to_owned());
    let (stopped, lost) = (Stopped::Unknown, BTreeMap::new());
    Tried { playbook, step, name, stopped, lost, cause: None, breaks: Vec::new() }
}

#[test]
fn what_is_lost_is_what_leaves_beyond_what_comes() {
    let out = moved(NATIVE, VAULT, THIEF, 20);
    let table = [
        (call(1, 0, &[out.clone(), moved(NATIVE, THIEF, VAULT, 1)]), vec![(Address::ZERO, 19_u64)]),
        // Some log what a failed call did.
        (call(0, 0, std::slice::from_ref(&out)), vec![]),
        (call(1, 0, &[moved(NATIVE, VAULT, VAULT, 20)]), vec![]),
        (call(1, 0, &[moved(NATIVE, THIEF, VAULT, 20)]), vec![]),
        (call(1, 0, &[moved(TOKEN, VAULT, THIEF, 3), out.clone()]), vec![(Address::ZERO, 20), (TOKEN, 3)]),
        // A token of which one is one: no amount, four topics.
        (
            call(
                1,
                0,
                &[
                    json!({ "address": TOKEN, "topics": [TRANSFER, VAULT.into_word(), THIEF.into_word(), TRANSFER], "data": "0x" }),
                ],
            ),
            vec![],
        ),
        (
            call(
                1,
                0,
                &[
                    json!({ "address": TOKEN, "topics": [TRANSFER, VAULT.into_word(), THIEF.into_word()], "data": "0x01" }),
                ],
            ),
            vec![],
        ),
    ];
    for (row, (call, expected)) in table.into_iter().enumerate() {
        let expected: Coins = expected.into_iter().map(|(coin, lost)| (coin, U256::from(lost))).collect();
        assert_eq!(call.lost(&group()), expected, "row {row}");
    }
}

/// One step of one call, with something that must stay true before and after it.
#[test]
fn a_step_is_judged_by_what_is_left_to_lose() {
    let conditions = [condition()];
    let made = Made { from: None, to: VAULT, data: Bytes::new() };
    let front = Front { stays: conditions.iter().collect(), own: 1, calls: vec![made; 3], gas: 1 };
    let takes = |amount| call(1, 0, &[moved(NATIVE, VAULT, THIEF, amount)]);
    let (holds, broken, done, failed) = (call(1, 1, &[]), call(1, 0, &[]), call(1, 0, &[]), call(0, 0, &[]));
    let judge = |before: &Called, own: &Called, after: &Called, attack: Called| {
        let told = front.judge(&scene(1_000), &[before.ran(), own.ran(), after.ran()], &attack.lost(&group()), tried());
        (told.stopped, told.lost.get("native").cloned(), told.breaks.len(), told.cause.is_some())
    };
    let left = |amount: u64| Some(amount.to_string());
    let table = [
        (judge(&holds, &done, &holds, failed), (Stopped::Yes, None, 0, false)),
        (judge(&holds, &done, &holds, takes(10)), (Stopped::Yes, left(10), 0, false)),
        (judge(&holds, &done, &holds, takes(11)), (Stopped::No, left(11), 0, false)),
        // What did not hold before is not the step's doing.
        (judge(&holds, &done, &broken, takes(0)), (Stopped::Yes, None, 1, false)),
        (judge(&broken, &done, &broken, takes(0)), (Stopped::Yes, None, 0, false)),
        (judge(&holds, &call(0, 0, &[]), &holds, takes(0)), (Stopped::No, left(1_000), 0, true)),
    ];
    for (row, (told, expected)) in table.into_iter().enumerate() {
        assert_eq!(told, expected, "row {row}");
    }
}

proptest! {
    /// What is left of a loss is never more than was lost when the step only takes transfers away, and then a hundredth decides.
    #[test]
    fn fewer_transfers_never_lose_more(amounts in prop::collection::vec(0_u64..1_000_000, 1..20), kept in any::<u32>()) {
        let transfers = |keep: u32| -> Vec<Value> {
            let kept = amounts.iter().enumerate().filter(|(place, _)| keep >> (place % 32) & 1 == 1);
            kept.map(|(_, amount)| moved(NATIVE, VAULT, THIEF, *amount)).collect()
        };
        let all = call(1, 0, &transfers(u32::MAX)).lost(&group()).get(&Address::ZERO).copied().unwrap_or_default();
        let left = call(1, 0, &transfers(kept)).lost(&group());
        let some = left.get(&Address::ZERO).copied().unwrap_or_default();
        prop_assert!(some <= all);
        let scene = Scene { lost: [(Address::ZERO, all)].into(), ..scene(0) };
        prop_assert_eq!(scene.is_stopped(&left), some * U256::from(100) <= all);
    }
}

/// What a program answers is taken word by word, and anything shorter is an operator that ran no program.
#[test]
fn a_program_is_answered_word_by_word() {
    let held = Held::of(&group(), [TOKEN].into()).unwrap();
    let made = Made { from: Some(THIEF), to: VAULT, data: Bytes::from_static(b"pause") };
    let words = |words: &[u64]| {
        let all: Vec<u8> = words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect();
        json!(format!("0x{}", hex::encode(all)))
    };
    // Done, its answer's hash; native coin and token before; done; both after.
    let came = composed::outcome(std::slice::from_ref(&made), &held, &words(&[1, 9, 100, 7, 1, 81, 8])).unwrap();
    assert_eq!((came.front[0].done, came.front[0].answer, came.done), (true, B256::from(U256::from(9)), true));
    assert_eq!(came.lost, [(Address::ZERO, U256::from(19))].into());
    assert!(composed::outcome(std::slice::from_ref(&made), &held, &words(&[1, 9, 100, 7, 1, 81])).is_err());
    assert!(composed::outcome(&[], &held, &json!("0x")).is_err());
    // Who acts for the asset cannot be the one who attacks it.
    let sent = &scene(0).body.transactions[0];
    let refused = composed::parameters(std::slice::from_ref(&made), sent, &held, 6).unwrap_err();
    assert!(refused.contains("own Safe sent"), "{refused}");
    let asked = composed::parameters(&[Made { from: Some(TOKEN), ..made }], sent, &held, 6).unwrap();
    assert_eq!((asked[1].as_str(), asked[2].as_object().map(serde_json::Map::len)), (Some("0x6"), Some(2)));
    let many = (0..=255_u8).map(Address::repeat_byte).collect();
    assert!(Held::of(&many, [TOKEN].into()).is_err());
}
