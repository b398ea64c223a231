//! Blocks of every type are proved as alloy proves them; whatever is changed is refused by its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy::consensus::Eip658Value;
use alloy::eips::Encodable2718 as _;
use alloy_primitives::U256;
use alloy_trie::root::ordered_trie_root_with_encoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use watchfire_types::BlockTime;

use super::fixture::{Done, done, entry, entry_with_root, envelope, log};
use super::*;

const PARENT: B256 = B256::repeat_byte(0xaa);

fn read(entry: &Value) -> Result<TextBlock, BlockFault> {
    TextBlock::read(entry.to_string().as_bytes(), |_, _| true)
}

fn topics(count: u8) -> Vec<B256> {
    (1..=count).map(B256::repeat_byte).collect()
}

/// One transaction of each type, one that failed, and logs of zero to four topics.
fn mixed() -> Vec<Done> {
    let mut all: Vec<Done> = (0..=4).map(|kind| done(kind, vec![log(kind + 1, &topics(kind), &[kind; 40])])).collect();
    all.push(Done { status: Eip658Value::Eip658(false), ..done(2, Vec::new()) });
    all
}

/// All types, a block without transactions, and one from before statuses: transactions, logs and the chain are as told, and unknown fields nothing.
#[test]
fn every_type_is_proved() {
    let block = read(&entry(5, PARENT, &mixed())).unwrap();
    assert_eq!(
        (block.number(), block.chain, block.bloom_only, block.transactions),
        (5, Some(ChainId::new(31_337)), None, 6)
    );
    let view = block.on(ChainId::new(31_337));
    assert_eq!((view.block.number, view.block.time, view.parent), (5, BlockTime::from_secs(1_005), PARENT));
    assert_eq!(view.transactions.iter().map(|one| one.kind).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 2]);
    assert_eq!((view.transactions[0].to, view.transactions[1].to), (Some(Address::repeat_byte(10)), None));
    assert_eq!((view.transactions[0].value, &view.transactions[0].input[..]), (U256::from(5), &[1, 2][..]));
    assert_eq!(view.logs.iter().map(|log| log.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(view.logs[3].topics, topics(3));
    assert_eq!((view.logs[4].transaction, &view.logs[4].data[..]), (view.transactions[4].hash, &[4; 40][..]));
    let old = Done { status: Eip658Value::PostState(B256::repeat_byte(3)), ..done(0, vec![log(1, &topics(2), b"")]) };
    for outcomes in [vec![], vec![old]] {
        assert_eq!(read(&entry(6, PARENT, &outcomes)).unwrap().bloom_only, None);
    }
}

/// Replies around the answers, hashes in place of transactions, and a chain said beside the block are taken.
#[test]
fn other_shapes_of_the_same() {
    let whole = entry(5, PARENT, &mixed());
    let logs = read(&whole).unwrap().on(ChainId::new(1)).logs;
    let reply = |answer: &Value| json!({"jsonrpc": "2.0", "id": 1, "result": answer});
    let replies = json!({"block": reply(&whole["block"]), "receipts": reply(&whole["receipts"]), "traces": [[[{}]]]});
    assert_eq!(read(&replies).unwrap().on(ChainId::new(1)).logs, logs);
    let mut hashes = whole.clone();
    for transaction in hashes["block"]["transactions"].as_array_mut().unwrap() {
        *transaction = transaction["hash"].clone();
    }
    hashes["chainId"] = json!("0xa");
    let block = read(&hashes).unwrap();
    assert_eq!((block.chain, block.transactions), (Some(ChainId::new(10)), 6));
    let view = block.on(ChainId::new(10));
    assert_eq!((view.transactions, view.logs), (Vec::new(), logs));
    let refused =
        json!({"block": whole["block"], "receipts": {"error": {"code": -32000, "message": "history pruned"}}});
    assert_eq!(read(&refused).unwrap_err().kind(), "rpc-error");
}

/// A type of later: proved like the others where its receipts are encoded like theirs, else by the bloom, and told.
#[test]
fn unknown_types_are_tolerated() {
    let mut outcomes = mixed();
    outcomes[1].kind = 0x64;
    let encode = |done: &(Done, u64), out: &mut Vec<u8>| {
        let known = Done { kind: if done.0.kind == 0x64 { 1 } else { done.0.kind }, ..done.0.clone() };
        let mut bytes = envelope(&known, 21_000 * done.1).encoded_2718();
        if done.0.kind == 0x64 {
            bytes[0] = 0x64;
        }
        out.extend(bytes);
    };
    let numbered: Vec<(Done, u64)> = outcomes.iter().cloned().zip(1..).collect();
    let root = ordered_trie_root_with_encoder(&numbered, encode);
    let block = read(&entry_with_root(5, PARENT, &outcomes, root)).unwrap();
    assert_eq!(block.bloom_only, None);
    let view = block.on(ChainId::new(1));
    assert_eq!((view.unproved, view.transactions[1].kind), (false, 0x64));
    let mut other = entry_with_root(5, PARENT, &outcomes, B256::repeat_byte(1));
    let block = read(&other).unwrap();
    assert_eq!((block.bloom_only, block.on(ChainId::new(1)).unproved), (Some(0x64), true));
    other["receipts"][1]["logs"][0]["address"] = json!(Address::repeat_byte(77));
    assert_eq!(read(&other).unwrap_err().kind(), "logs-mismatch");
}

/// A receipt's bloom that lacks, or is none, or another one, proves nothing and refutes nothing: its logs do.
#[test]
fn blooms_of_receipts_are_no_more_than_a_hint() {
    let whole = entry(5, PARENT, &mixed());
    let logs = read(&whole).unwrap().on(ChainId::new(1)).logs;
    let full = format!("{}", alloy_primitives::Bloom::repeat_byte(0xff));
    for stated in
        [None, Some(json!(null)), Some(json!("0x")), Some(json!(full)), Some(whole["block"]["logsBloom"].clone())]
    {
        let mut hinted = whole.clone();
        match stated {
            Some(stated) => hinted["receipts"][2]["logsBloom"] = stated,
            None => drop(hinted["receipts"][2].as_object_mut().unwrap().remove("logsBloom")),
        }
        let block = read(&hinted).unwrap();
        assert_eq!((block.bloom_only, block.on(ChainId::new(1)).logs), (None, logs.clone()));
        hinted["receipts"][2]["logs"][0]["address"] = json!(Address::repeat_byte(77));
        assert_eq!(read(&hinted).unwrap_err().kind(), "receipts-mismatch");
    }
    let mut other = whole;
    other["receipts"][2]["logs"][0]["address"] = json!(Address::repeat_byte(77));
    assert_eq!(read(&other).unwrap_err().kind(), "receipts-mismatch", "beside the bloom of what stood there");
}

/// What is done to a block that is whole.
type Change = fn(&mut Value);

/// Whatever of a block is changed, left out or moved is refused, and the fault says what differs.
#[test]
fn what_differs_is_named() {
    let whole = entry(5, PARENT, &mixed());
    let changed = |change: Change| {
        let mut entry = whole.clone();
        change(&mut entry);
        read(&entry).unwrap_err()
    };
    let cases: [(Change, &str, &str); 12] = [
        (|e| e["block"]["timestamp"] = json!("0x1"), "header-mismatch", "hashes to"),
        (|e| e["block"]["hash"] = json!(PARENT), "header-mismatch", "hashes to"),
        (|e| e["receipts"][0]["status"] = json!("0x0"), "receipts-mismatch", "root"),
        (|e| e["receipts"][2]["logs"][0]["data"] = json!("0x"), "receipts-mismatch", "root"),
        (|e| e["receipts"][2]["logs"] = json!([]), "receipts-mismatch", "root"),
        (|e| e["receipts"][2]["cumulativeGasUsed"] = json!("0x1"), "receipts-mismatch", "root"),
        (|e| drop(e["receipts"].as_array_mut().unwrap().pop()), "receipts-mismatch", "6 transactions and 5 receipts"),
        (|e| e["receipts"].as_array_mut().unwrap().swap(1, 2), "receipts-mismatch", "receipt 1 is of"),
        (|e| drop(e.as_object_mut().unwrap().remove("receipts")), "not-a-block", "missing field `receipts`"),
        (|e| e["receipts"][0]["logs"] = json!("0x"), "not-a-block", "`receipts`: "),
        (|e| e["block"]["transactions"][0]["chainId"] = json!("0x1"), "mixed-chains", "chain 1 and of chain 31337"),
        (|e| e["block"] = json!({"traces": []}), "not-a-block", "`block`: "),
    ];
    for (change, kind, words) in cases {
        let fault = changed(change);
        assert_eq!(fault.kind(), kind, "{fault}");
        assert!(fault.to_string().contains(words) && fault.to_string().contains("; "), "{fault}");
    }
}

/// Of the logs those that are wanted are given, with their places and as they are among all; one that nobody wants is proved all the same, and a transaction that
/// does not say whether it succeeded keeps its own.
#[test]
fn unwanted_logs_are_proved_and_left_out() {
    let mut outcomes = mixed();
    outcomes.push(Done { status: Eip658Value::PostState(PARENT), ..done(0, vec![log(9, &topics(1), b"x")]) });
    let whole = entry(5, PARENT, &outcomes);
    let (all, none) = (read(&whole).unwrap(), TextBlock::read(whole.to_string().as_bytes(), |_, _| false).unwrap());
    let all = all.on(ChainId::new(1)).logs;
    assert_eq!(all.len(), 6);
    assert_eq!(none.on(ChainId::new(1)).logs, all[5..], "its receipt has no status");
    let third = |address: &Address, of: &[B256]| *address == Address::repeat_byte(3) && of == topics(2);
    let some = TextBlock::read(whole.to_string().as_bytes(), third).unwrap().on(ChainId::new(1));
    assert_eq!(some.logs, [all[2].clone(), all[5].clone()]);
    assert_eq!((some.logs[0].index, some.transactions.len()), (2, 7));
    let mut changed = whole;
    changed["receipts"][4]["logs"][0]["data"] = json!("0x04");
    let refused = TextBlock::read(changed.to_string().as_bytes(), third).unwrap_err();
    assert_eq!(refused.kind(), "receipts-mismatch");
}

/// What a transaction sends stands under `input`, `data` or both, as Nethermind did; two that differ are neither, and null is absent.
#[test]
fn input_has_two_names() {
    let whole = entry(5, PARENT, &mixed());
    let expected = read(&whole).unwrap().on(ChainId::new(1)).transactions;
    let mut both = whole.clone();
    both["block"]["transactions"][0]["data"] = json!("0x0102");
    both["block"]["transactions"][1]["data"] = json!(null);
    both["block"]["transactions"][2]["input"] = json!(null);
    both["block"]["transactions"][2]["data"] = json!("0x0102");
    assert_eq!(read(&both).unwrap().on(ChainId::new(1)).transactions, expected);
    both["block"]["transactions"][0]["data"] = json!("0x0103");
    let fault = read(&both).unwrap_err();
    let hash = whole["block"]["transactions"][0]["hash"].as_str().unwrap();
    assert_eq!(fault.kind(), "not-a-block");
    assert!(fault.to_string().contains(&format!("transaction {hash}: its `input` and its `data` differ")), "{fault}");
    let mut nothing = whole;
    for member in ["value", "input", "type", "chainId"] {
        nothing["block"]["transactions"][1][member] = json!(null);
    }
    nothing["reads"] = json!(null);
    nothing["traces"] = json!(null);
    nothing["chainId"] = json!(null);
    let block = read(&nothing).unwrap();
    assert!(!block.traced);
    let view = block.on(ChainId::new(1));
    let one = &view.transactions[1];
    assert_eq!((one.value, one.input.len(), one.kind, view.reads.len()), (U256::ZERO, 0, 0, 0));
}

/// A list of both transactions and hashes is none.
#[test]
fn transactions_are_whole_or_hashes() {
    let mut mixture = entry(5, PARENT, &mixed());
    let hash = mixture["block"]["transactions"][1]["hash"].clone();
    mixture["block"]["transactions"][1] = hash;
    let fault = read(&mixture).unwrap_err();
    assert!(fault.kind() == "not-a-block" && fault.to_string().contains("some transactions are whole"), "{fault}");
    mixture["block"].as_object_mut().unwrap().remove("transactions");
    assert!(read(&mixture).unwrap_err().to_string().contains("missing field `transactions`"));
}

/// State kept beside a block is that of this block, and every kind of question is understood.
#[test]
fn reads_are_kept_with_the_block() {
    let mut whole = entry(5, PARENT, &[]);
    let hash = fixture::hash_of(&whole);
    let account = Address::repeat_byte(1);
    whole["reads"] = json!([
        {"method": "eth_getBalance", "params": [account, "0x5"], "result": "0x9"},
        {"method": "eth_call", "params": [{"to": account, "input": "0x01"}, {"blockHash": hash}], "error": {"code": 3, "message": "execution reverted", "data": "0xab"}},
        {"method": "eth_getStorageAt", "params": [account, "0x2", {"blockNumber": "0x5"}], "result": "0x7"},
        {"method": "eth_getCode", "params": [account, "0x5"], "result": "0x"},
    ]);
    let view = read(&whole).unwrap().on(ChainId::new(1));
    let call = Read::Call { to: account, data: vec![1].into() };
    assert_eq!(view.reads.len(), 5);
    assert_eq!(view.reads[&Read::Balance { account }].word(), Some(U256::from(9)));
    assert_eq!(view.reads[&call], ReadOutcome::Reverted(vec![0xab].into()));
    assert_eq!(view.reads[&Read::Storage { account, slot: U256::from(2).into() }].word(), Some(U256::from(7)));
    let mut named = whole.clone();
    for (called, data) in [
        (json!({"to": account, "data": "0x01"}), &[1][..]),
        (json!({"to": account, "data": "0x01", "input": "0x01"}), &[1]),
        (json!({"to": account, "data": "0x01", "input": null}), &[1]),
        (json!({"to": account, "input": null}), &[]),
        (json!({"to": account}), &[]),
    ] {
        named["reads"][1]["params"][0] = called;
        let call = Read::Call { to: account, data: data.to_vec().into() };
        assert!(read(&named).unwrap().on(ChainId::new(1)).reads.contains_key(&call), "{}", named["reads"][1]);
    }
    let differ = json!([{"to": account, "data": "0x01", "input": "0x02"}, "0x5"]);
    for (at, field, value) in [
        (0, "params", json!([account, "latest"])),
        (1, "method", json!("eth_gasPrice")),
        (1, "params", differ),
        (2, "result", json!("nine")),
    ] {
        let mut bad = whole.clone();
        bad["reads"][at][field] = value;
        let fault = read(&bad).unwrap_err();
        assert_eq!(fault.kind(), "read-malformed", "{fault}");
        assert!(fault.to_string().contains(&format!("read {at}: ")), "{fault}");
    }
}

proptest! {
    /// No text makes it panic, and none that lost a part is taken.
    #[test]
    fn any_cut_is_refused(cut in 0_usize..4_000, turned in 0_usize..32_000) {
        let text = entry(5, PARENT, &mixed()).to_string().into_bytes();
        let cut = cut % text.len();
        prop_assert_eq!(TextBlock::read(&text[..cut], |_, _| true).unwrap_err().kind(), "block-cut-off");
        let mut bytes = text;
        let at = turned % (bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        let _ = TextBlock::read(&bytes, |_, _| true);
    }
}
