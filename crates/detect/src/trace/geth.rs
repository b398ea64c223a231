//! Geth's callTracer: objects with their inner calls in `calls`, logs in `logs` where they were asked for.

use super::fault::TraceFault;
use super::fields::Fields;
use super::tree::{CallKind, CallTree, FRAMES_MAX, Frame, TraceLog};
use crate::json::{Kind, Value};

/// Whether an object looks like a frame of the callTracer.
pub(super) fn is_frame(value: Value<'_>) -> bool {
    value.get("action").is_none()
        && value.any(&["result", "trace"]).is_none()
        && (value.get("calls").is_some()
            || (value.get("from").is_some()
                && value.any(&["type", "input", "to", "gasUsed"]).is_some()
                && value.any(&["blockHash", "transactionIndex", "nonce"]).is_none()))
}

/// The tree of a frame. Walks with a list of what is still to read: depth costs no stack.
pub(super) fn tree(fields: Fields<'_>, root: Value<'_>) -> Result<CallTree, TraceFault> {
    let mut frames = Vec::new();
    let mut waiting = vec![(root, 0)];
    while let Some((value, parent)) = waiting.pop() {
        if frames.len() >= FRAMES_MAX {
            let (line, column) = fields.places.at(value.at());
            return Err(TraceFault::TooManyCalls { line, column, most: FRAMES_MAX });
        }
        if value.kind() != Kind::Object {
            return Err(fields.shape(value, "an inner call that is no object"));
        }
        let index = frames.len();
        frames.push(frame(fields, value, parent)?);
        let first = waiting.len();
        let inner = value.get("calls").into_iter().flat_map(Value::items);
        waiting.extend(inner.filter(|inner| inner.kind() != Kind::Null).map(|inner| (inner, index)));
        waiting[first..].reverse();
    }
    CallTree::new(frames).ok_or(TraceFault::Empty)
}

fn frame(fields: Fields<'_>, value: Value<'_>, parent: usize) -> Result<Frame, TraceFault> {
    let object = Some(value);
    let kind = match value.get("type").and_then(Value::text) {
        None => CallKind::Call,
        Some(text) => kind(text),
    };
    let creates = kind == CallKind::Create;
    let (input, output) = match creates {
        true => (Vec::new(), Vec::new()),
        false => (
            fields.data(object, &["input", "data"], "input")?,
            fields.data(object, &["output", "returnData"], "output")?,
        ),
    };
    Ok(Frame {
        kind,
        from: fields.address(object, &["from"], "from")?,
        to: fields.address(object, &["to"], "to")?,
        value: fields.number(object, "value")?,
        input,
        output,
        failed: value.any(&["error", "revertReason"]).is_some_and(|error| !error.bytes().is_empty()),
        reverted: false,
        logs: logs(fields, value)?,
        parent,
        depth: 0,
        end: 0,
        account: Default::default(),
    })
}

fn kind(text: &str) -> CallKind {
    match text.to_ascii_uppercase().as_str() {
        "CALL" => CallKind::Call,
        "CALLCODE" => CallKind::CallCode,
        "DELEGATECALL" => CallKind::DelegateCall,
        "STATICCALL" => CallKind::StaticCall,
        "CREATE" | "CREATE2" => CallKind::Create,
        "SELFDESTRUCT" | "SUICIDE" => CallKind::SelfDestruct,
        _ => CallKind::Other,
    }
}

fn logs(fields: Fields<'_>, frame: Value<'_>) -> Result<Vec<TraceLog>, TraceFault> {
    let mut logs = Vec::new();
    for log in frame.get("logs").into_iter().flat_map(Value::items) {
        let topics = log.get("topics").into_iter().flat_map(Value::items);
        let topic =
            |topic| fields.hash(topic).ok_or_else(|| fields.fault(topic, "topics", "0x and 64 hex digits each"));
        logs.push(TraceLog {
            address: fields.address(Some(log), &["address"], "address")?,
            topics: topics.take(4).map(topic).collect::<Result<_, _>>()?,
            data: fields.data(Some(log), &["data"], "data")?,
        });
    }
    Ok(logs)
}
