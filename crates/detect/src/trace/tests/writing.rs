//! A small language for call trees, and the same tree written as every tracer writes it.

use alloy_primitives::{Address, U256, hex};
use proptest::prelude::*;

use crate::trace::selector::{all, selector};
use crate::trace::{CallKind, CallTree, Frame, TraceFault, Traced, read_traces};

/// An account by a number.
pub(super) fn account(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// Call data of a signature with words.
pub(super) fn input(signature: &str, words: &[U256]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
    selector(signature).into_iter().chain(words).collect()
}

/// An account as a word.
pub(super) fn word(account: Address) -> U256 {
    account.into_word().into()
}

/// A plain call.
pub(super) fn call(parent: usize, from: u8, to: u8, input: Vec<u8>) -> Frame {
    Frame {
        kind: CallKind::Call,
        from: account(from),
        to: account(to),
        value: U256::ZERO,
        input,
        output: Vec::new(),
        failed: false,
        reverted: false,
        logs: Vec::new(),
        parent,
        depth: 0,
        end: 0,
        account: Address::ZERO,
    }
}

fn bytes(bytes: &[u8]) -> String {
    format!("\"0x{}\"", hex::encode(bytes))
}

fn kind(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Call => "call",
        CallKind::CallCode => "callcode",
        CallKind::DelegateCall => "delegatecall",
        CallKind::StaticCall => "staticcall",
        CallKind::Create => "create",
        CallKind::SelfDestruct => "selfdestruct",
        CallKind::Other => "eofcreate",
    }
}

/// As the callTracer writes it.
pub(super) fn geth(tree: &CallTree) -> String {
    let mut text = String::new();
    let mut open: Vec<usize> = Vec::new();
    for (index, frame) in tree.frames().iter().enumerate() {
        while open.last().is_some_and(|end| *end <= index) {
            text.push_str("]}");
            open.pop();
        }
        if index > 0 && !text.ends_with('[') {
            text.push(',');
        }
        let error = if frame.failed { ",\"error\":\"execution reverted\"" } else { "" };
        text.push_str(&format!(
            "{{\"type\":\"{}\",\"from\":\"{}\",\"to\":\"{}\",\"value\":\"{:#x}\",\"input\":{},\"output\":{}{error},\"calls\":[",
            kind(frame.kind).to_uppercase(),
            frame.from,
            frame.to,
            frame.value,
            bytes(&frame.input),
            bytes(&frame.output),
        ));
        open.push(frame.end);
    }
    text.push_str(&"]}".repeat(open.len()));
    text
}

/// As Parity writes it.
pub(super) fn parity(tree: &CallTree, tx: &str) -> String {
    let mut addresses: Vec<Vec<usize>> = Vec::new();
    let mut children = vec![0; tree.frames().len()];
    let mut rows = Vec::new();
    for (index, frame) in tree.frames().iter().enumerate() {
        let mut address = if index == 0 { Vec::new() } else { addresses[frame.parent].clone() };
        if index > 0 {
            address.push(children[frame.parent]);
            children[frame.parent] += 1;
        }
        let (from, to, value) = (frame.from, frame.to, frame.value);
        let row = match frame.kind {
            CallKind::Create => format!(
                "\"type\":\"create\",\"action\":{{\"from\":\"{from}\",\"value\":\"{value:#x}\",\"init\":\"0x\"}},\"result\":{{\"address\":\"{to}\"}}"
            ),
            CallKind::SelfDestruct => format!(
                "\"type\":\"suicide\",\"action\":{{\"address\":\"{from}\",\"refundAddress\":\"{to}\",\"balance\":\"{value:#x}\"}},\"result\":null"
            ),
            CallKind::Other => format!(
                "\"type\":\"eofcreate\",\"action\":{{\"from\":\"{from}\",\"to\":\"{to}\",\"value\":\"{value:#x}\",\"input\":{}}},\"result\":{{\"output\":{}}}",
                bytes(&frame.input),
                bytes(&frame.output)
            ),
            _ => format!(
                "\"type\":\"call\",\"action\":{{\"callType\":\"{}\",\"from\":\"{from}\",\"to\":\"{to}\",\"value\":\"{value:#x}\",\"input\":{}}},\"result\":{{\"output\":{}}}",
                kind(frame.kind),
                bytes(&frame.input),
                bytes(&frame.output)
            ),
        };
        let error = if frame.failed { "\"Reverted\"" } else { "null" };
        rows.push(format!("{{{row},\"error\":{error},\"traceAddress\":{address:?},\"transactionHash\":\"{tx}\"}}"));
        addresses.push(address);
    }
    format!("[{}]", rows.join(","))
}

/// Everything in a text.
pub(super) fn read(text: &str) -> Result<Vec<Traced>, TraceFault> {
    let mut found = Vec::new();
    read_traces(text.as_bytes(), |traced| {
        found.push(traced);
        Ok::<(), TraceFault>(())
    })?;
    Ok(found)
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let signatures: Vec<&'static str> = all().map(|(signature, _)| signature).collect();
    let words = proptest::collection::vec(
        prop_oneof![
            (0_u8..8).prop_map(|number| word(account(number))),
            any::<u64>().prop_map(U256::from),
            Just(U256::MAX)
        ],
        0..4,
    );
    prop_oneof![
        4 => (proptest::sample::select(signatures), words).prop_map(|(signature, words)| input(signature, &words)),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(Vec::new()),
    ]
}

fn any_kind() -> impl Strategy<Value = CallKind> {
    prop_oneof![
        6 => Just(CallKind::Call),
        1 => Just(CallKind::CallCode),
        1 => Just(CallKind::DelegateCall),
        2 => Just(CallKind::StaticCall),
        1 => Just(CallKind::Create),
        1 => Just(CallKind::SelfDestruct),
        1 => Just(CallKind::Other),
    ]
}

/// Any tree among a few accounts, with functions that mean something.
pub(super) fn any_tree() -> impl Strategy<Value = CallTree> {
    let frame = (any_kind(), 1_u8..8, 0_u8..8, any_input(), any::<u64>(), 0_u8..10, any::<u16>());
    proptest::collection::vec(frame, 1..60).prop_map(|drawn| {
        let mut frames: Vec<Frame> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (index, (kind, from, to, data, value, failed, up)) in drawn.into_iter().enumerate() {
            open.truncate(open.len() - usize::from(up) % open.len().max(1));
            let mut frame = call(open.last().copied().unwrap_or(0), from, to, data);
            frame.kind = kind;
            frame.value = if value % 3 == 0 { U256::from(value) } else { U256::ZERO };
            frame.failed = failed == 0;
            frame.output = if failed < 5 { vec![failed; 32] } else { Vec::new() };
            if matches!(kind, CallKind::Create | CallKind::SelfDestruct) {
                (frame.input, frame.output) = (Vec::new(), Vec::new());
            }
            open.push(index);
            frames.push(frame);
        }
        CallTree::new(frames).unwrap()
    })
}
