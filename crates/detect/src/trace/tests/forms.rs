//! Every shape that holds a trace gives the same tree.

use alloy_primitives::U256;
use proptest::prelude::*;

use super::writing::{account, any_tree, call, geth, input, parity, read, word};
use crate::trace::selector::{Class, class, selector};
use crate::trace::{CallKind, CallTree, Model, Traced};

const TX: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

fn small() -> CallTree {
    let mut created = call(0, 2, 5, Vec::new());
    created.kind = CallKind::Create;
    let mut failed = call(1, 3, 2, input("withdraw(uint256)", &[U256::from(7)]));
    failed.failed = true;
    CallTree::new(vec![
        call(0, 1, 2, vec![1, 2, 3, 4]),
        call(0, 2, 3, input("transfer(address,uint256)", &[word(account(4)), U256::from(9)])),
        failed,
        created,
    ])
    .unwrap()
}

/// The hashes and trees that a text holds.
#[track_caller]
fn assert_holds(text: &str, tx: &[Option<&str>]) {
    let found = read(text).unwrap();
    let hashes: Vec<_> = found.iter().map(|one| one.tx).collect();
    let expected: Vec<_> = tx.iter().map(|tx| tx.map(|tx| tx.parse().unwrap())).collect();
    assert_eq!(hashes, expected, "{text}");
    for Traced { tree, .. } in found {
        assert_eq!(tree, small(), "{text}");
    }
}

/// A callTracer result bare, in a reply, in a block's reply, keyed by hash, in JSON lines, in lists; and a byte order mark before it.
#[test]
fn call_tracer_shapes() {
    let tree = geth(&small());
    assert_holds(&tree, &[None]);
    assert_holds(&format!("\u{feff} {tree}\n"), &[None]);
    assert_holds(&format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{tree}}}"), &[None]);
    assert_holds(&format!("{{\"tx\":\"{TX}\",\"label\":1,\"trace\":{tree}}}"), &[Some(TX)]);
    assert_holds(&format!("{{\"txHash\":\"{TX}\",\"result\":{{\"result\":{tree}}}}}"), &[Some(TX)]);
    assert_holds(&format!("{{\"{TX}\":{tree},\"{OTHER}\":{tree}}}"), &[Some(TX), Some(OTHER)]);
    assert_holds(&format!("{{\"12\":{{\"traces\":[{tree}]}}}}"), &[None]);
    let block = format!("[{{\"txHash\":\"{TX}\",\"result\":{tree}}},{{\"txHash\":\"{OTHER}\",\"result\":{tree}}}]");
    assert_holds(&block, &[Some(TX), Some(OTHER)]);
    assert_holds(&format!("{{\"result\":{block}}}"), &[Some(TX), Some(OTHER)]);
    assert_holds(&format!("{tree}\n\n{tree}"), &[None, None]);
    assert_holds(&format!("[{tree},{tree}]"), &[None, None]);
    let file = format!(
        "{{\"block\":{{\"transactions\":[{{\"hash\":\"{TX}\"}},\"{OTHER}\"]}},\"receipts\":[],\"traces\":[{tree},{{\"result\":{tree}}}]}}"
    );
    assert_holds(&file, &[Some(TX), Some(OTHER)]);
    assert_holds("{\"traces\":[]}", &[]);
}

/// Parity rows of one transaction and of a block, in a reply, as JSON lines, in a replay, in snake case, with a reward between.
#[test]
fn parity_shapes() {
    let rows = parity(&small(), TX);
    assert_holds(&rows, &[Some(TX)]);
    assert_holds(&format!("{{\"result\":{rows}}}"), &[Some(TX)]);
    assert_holds(&format!("{{\"output\":\"0x\",\"trace\":{rows},\"vmTrace\":null}}"), &[Some(TX)]);
    let others = parity(&small(), OTHER);
    let reward = "{\"type\":\"reward\",\"action\":{\"author\":\"0x\"},\"traceAddress\":[],\"transactionHash\":null}";
    let block = format!("{},{},{reward}]", &rows[..rows.len() - 1], &others[1..others.len() - 1]);
    assert_holds(&block, &[Some(TX), Some(OTHER)]);
    assert_holds(&format!("{rows}\n{others}"), &[Some(TX), Some(OTHER)]);
    let snake = block
        .replace("traceAddress", "trace_address")
        .replace("transactionHash", "transaction_hash")
        .replace("callType", "call_type")
        .replace("refundAddress", "refund_address");
    assert_holds(&snake, &[Some(TX), Some(OTHER)]);
    let unnamed = block.replace(&format!("\"{TX}\""), "null").replace(&format!("\"{OTHER}\""), "null");
    assert_holds(&unnamed, &[None, None]);
    assert_holds(&format!("{{\"12\":{{\"miner\":\"0x\",\"traces\":{rows},\"receipts\":[]}}}}"), &[Some(TX)]);
}

/// Fields that are absent or null are nothing, unknown fields and types do no harm, numbers may be plain, and rows may come in any order.
#[test]
fn what_is_missing_is_tolerated() {
    let traced = read(
        "{\"from\":\"0x1111111111111111111111111111111111111111\",\"type\":null,\"new\":[{}],\"calls\":[{\"to\":null,\"value\":7},{\"type\":\"FUTURE\"},null]}",
    );
    let traced = traced.unwrap();
    let frames = traced[0].tree.frames();
    assert_eq!(
        frames.iter().map(|frame| frame.kind).collect::<Vec<_>>(),
        [CallKind::Call, CallKind::Call, CallKind::Other]
    );
    assert_eq!(frames[1].value, U256::from(7));
    let rows = "[{\"action\":{},\"traceAddress\":[0,1]},{\"action\":null,\"result\":null,\"traceAddress\":[]},{\"action\":{\"callType\":\"call\"},\"traceAddress\":[0]}]";
    let depths: Vec<_> = read(rows).unwrap().iter().map(|one| one.tree.frames().len()).collect();
    // Without hashes a new root begins a new transaction.
    assert_eq!(depths, [1, 2]);
}

/// A trace 10,000 deep is read and scored, in both shapes, on a stack as small as a thread's.
#[test]
fn depth_costs_no_stack() {
    const DEPTH: usize = 10_000;
    let frames =
        (0..DEPTH).map(|index| call(index.saturating_sub(1), 2, 3, input("withdraw(uint256)", &[U256::from(1)])));
    let tree = CallTree::new(frames.collect()).unwrap();
    assert_eq!(tree.frames()[DEPTH - 1].depth, DEPTH - 1);
    let read = read(&geth(&tree)).unwrap();
    assert_eq!(read[0].tree, tree);
    let score = Model::shipped().unwrap().score(&tree);
    assert!(score.score <= 1000);
    let open = "{\"calls\":[".repeat(200_000);
    super::writing::read(&open).unwrap_err();
    super::writing::read(&"[".repeat(500_000)).unwrap_err();
}

/// The table of functions has no function twice, and the selectors are those that everybody knows.
#[test]
fn selectors_are_right() {
    let all: Vec<_> = crate::trace::selector::all().collect();
    let distinct: std::collections::BTreeSet<_> = all.iter().map(|(signature, _)| selector(signature)).collect();
    assert_eq!(distinct.len(), all.len(), "a selector stands twice");
    for (known, signature) in [
        ([0xa9, 0x05, 0x9c, 0xbb], "transfer(address,uint256)"),
        ([0x23, 0xb8, 0x72, 0xdd], "transferFrom(address,address,uint256)"),
        ([0xd0, 0xe3, 0x0d, 0xb0], "deposit()"),
        ([0x02, 0x2c, 0x0d, 0x9f], "swap(uint256,uint256,address,bytes)"),
        ([0x12, 0x8a, 0xcb, 0x08], "swap(address,bool,int256,uint160,bytes)"),
        ([0xab, 0x9c, 0x4b, 0x5d], "flashLoan(address,address[],uint256[],uint256[],address,bytes,uint16)"),
        ([0x10, 0xd1, 0xe8, 0x5c], "uniswapV2Call(address,uint256,uint256,bytes)"),
    ] {
        assert_eq!(selector(signature), known, "{signature}");
    }
    assert_eq!(class(Some([0xa9, 0x05, 0x9c, 0xbb])), Some(Class::Transfer));
    assert_eq!(class(Some([0, 0, 0, 0])), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the tree, both tracers' writing of it gives the same tree, the same features and the same score.
    #[test]
    fn both_writings_are_one_tree(tree in any_tree()) {
        let (one, other) = (read(&geth(&tree)).unwrap(), read(&parity(&tree, TX)).unwrap());
        prop_assert_eq!(&one[0].tree, &tree);
        prop_assert_eq!(&other[0].tree, &tree);
        prop_assert_eq!(crate::trace::features(&one[0].tree), crate::trace::features(&other[0].tree));
    }
}
