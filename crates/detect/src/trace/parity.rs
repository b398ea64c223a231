//! Parity's traces (OpenEthereum, Erigon, Nethermind, Reth): one row a call, its place in `traceAddress`.

use super::fault::TraceFault;
use super::fields::Fields;
use super::tree::{CallKind, CallTree, FRAMES_MAX, Frame};
use crate::json::{Kind, Value};

/// Whether an object looks like a row.
pub(super) fn is_row(value: Value<'_>) -> bool {
    value.get("action").is_some() || value.any(&["traceAddress", "trace_address"]).is_some()
}

/// The hash of the transaction that a row belongs to.
pub(super) fn transaction<'a>(row: Value<'a>) -> Option<Value<'a>> {
    row.any(&["transactionHash", "transaction_hash", "txHash", "tx_hash"])
}

/// Where a row stands; `None` where it does not say.
pub(super) fn address(fields: Fields<'_>, row: Value<'_>) -> Result<Option<Vec<u32>>, TraceFault> {
    let Some(list) = row.any(&["traceAddress", "trace_address"]) else { return Ok(None) };
    let wrong = || fields.fault(list, "traceAddress", "a list of numbers");
    if list.kind() != Kind::Array {
        return Err(wrong());
    }
    let step = |step: Value<'_>| std::str::from_utf8(step.bytes()).ok().and_then(|text| text.parse().ok());
    list.items().map(|item| step(item).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
}

/// Whether a row is a call of a transaction, and not a block's reward.
pub(super) fn is_call(row: Value<'_>) -> bool {
    row.get("type").and_then(Value::text) != Some("reward")
}

/// The tree of one transaction's rows. Rows are put in the order of their addresses; one without an address, or whose parents are
/// missing, hangs on the nearest one around it that is there.
pub(super) fn tree(fields: Fields<'_>, rows: &[Value<'_>]) -> Result<CallTree, TraceFault> {
    if let Some(first) = rows.first().filter(|_| rows.len() > FRAMES_MAX) {
        let (line, column) = fields.places.at(first.at());
        return Err(TraceFault::TooManyCalls { line, column, most: FRAMES_MAX });
    }
    let mut placed = Vec::with_capacity(rows.len());
    for (order, row) in rows.iter().enumerate() {
        let address = match (address(fields, *row)?, order) {
            (Some(address), _) => address,
            (None, 0) => Vec::new(),
            (None, _) => vec![u32::try_from(order).unwrap_or(u32::MAX)],
        };
        placed.push((address, *row));
    }
    placed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut frames = Vec::with_capacity(rows.len());
    let mut open: Vec<(usize, usize)> = Vec::new();
    for (index, (address, row)) in placed.iter().enumerate() {
        while let Some((above, _)) = open.last() {
            let around = &placed[*above].0;
            if around.len() < address.len() && address.starts_with(around) {
                break;
            }
            open.pop();
        }
        let parent = open.last().map_or(0, |(_, frame)| *frame);
        open.push((index, index));
        frames.push(frame(fields, *row, parent)?);
    }
    CallTree::new(frames).ok_or(TraceFault::Empty)
}

fn frame(fields: Fields<'_>, row: Value<'_>, parent: usize) -> Result<Frame, TraceFault> {
    let (action, result) = (row.get("action"), row.get("result"));
    let within = |names: &[&str]| action.and_then(|action| action.any(names)).and_then(Value::text);
    let kind = match (row.get("type").and_then(Value::text), within(&["callType", "call_type"])) {
        (Some("create"), _) => CallKind::Create,
        (Some("suicide" | "selfdestruct"), _) => CallKind::SelfDestruct,
        (Some("call") | None, Some("call") | None) => CallKind::Call,
        (Some("call") | None, Some("delegatecall")) => CallKind::DelegateCall,
        (Some("call") | None, Some("staticcall")) => CallKind::StaticCall,
        (Some("call") | None, Some("callcode")) => CallKind::CallCode,
        _ => CallKind::Other,
    };
    let calls = !matches!(kind, CallKind::Create | CallKind::SelfDestruct);
    let (from, to, value) = match kind {
        CallKind::SelfDestruct => (
            fields.address(action, &["address"], "address")?,
            fields.address(action, &["refundAddress", "refund_address"], "refundAddress")?,
            fields.number(action, "balance")?,
        ),
        CallKind::Create => (
            fields.address(action, &["from"], "from")?,
            fields.address(result, &["address"], "address")?,
            fields.number(action, "value")?,
        ),
        _ => (
            fields.address(action, &["from"], "from")?,
            fields.address(action, &["to"], "to")?,
            fields.number(action, "value")?,
        ),
    };
    let input = if calls { fields.data(action, &["input"], "input")? } else { Vec::new() };
    let output = if calls { fields.data(result, &["output"], "output")? } else { Vec::new() };
    Ok(Frame {
        kind,
        from,
        to,
        value,
        input,
        output,
        failed: row.get("error").is_some_and(|error| !error.bytes().is_empty()),
        reverted: false,
        logs: Vec::new(),
        parent,
        depth: 0,
        end: 0,
        account: Default::default(),
    })
}
