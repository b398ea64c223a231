//! The calls inside transactions, asked of whichever operator traces: for detectors that raise attention, never for a vote.
//!
//! One operator after the other is asked, Geth's `debug_traceTransaction` with the callTracer and then Parity's `trace_transaction`, with the lowest
//! priority of its endpoint's budget. Where more than [`TRANSACTIONS_MAX`] transactions of a block are wanted it is asked for as a whole. At most
//! [`TRACE_BYTES_MAX`] bytes are taken of an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use watchfire_detect::trace::{TraceFault, Traced, read_traces};
use watchfire_evm::{ChainClient, RawFault, RawRequest};
use watchfire_types::{B256, BlockRef, OperatorId};

/// Transactions of one block that are traced one by one.
const TRANSACTIONS_MAX: usize = 32;
/// Longest answer taken, bytes of JSON: a full block's.
const TRACE_BYTES_MAX: usize = 128 << 20;
/// How long an operator may trace.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What was traced.
    pub(crate) traces: Vec<Traced>,
    /// Why that is not all.
    pub(crate) fault: Option<String>,
}

/// The calls inside these transactions of a block. Where one cannot be had the rest is not asked for.
pub(crate) async fn traces(client: &ChainClient, block: &BlockRef, transactions: &BTreeSet<B256>) -> Asked {
    let mut asked = Asked::default();
    let mut operators = client.evidence_operators();
    let single = |hash: &B256| Question {
        about: format!("transaction {hash}"),
        tx: Some(*hash),
        debug: RawRequest::new("debug_traceTransaction", &json!([hash, tracer()])),
        parity: RawRequest::new("trace_transaction", &json!([hash])),
    };
    let whole = Question {
        about: format!("block {}", block.number),
        tx: None,
        debug: RawRequest::new("debug_traceBlockByHash", &json!([block.hash, tracer()])),
        parity: RawRequest::new("trace_block", &json!([format!("{:#x}", block.number)])),
    };
    let questions: Vec<Question> = match transactions.len() {
        0..=TRANSACTIONS_MAX => transactions.iter().map(single).collect(),
        _ => vec![whole],
    };
    for question in &questions {
        match of_any(client, &mut operators, question).await {
            Ok(traced) => asked.traces.extend(traced),
            Err(fault) => {
                asked.fault = Some(fault);
                break;
            }
        }
    }
    asked.traces.retain(|traced| traced.tx.is_some_and(|hash| transactions.contains(&hash)));
    let given: BTreeSet<B256> = asked.traces.iter().filter_map(|traced| traced.tx).collect();
    if asked.fault.is_none() && given.len() < transactions.len() {
        asked.fault = Some(format!("{} of {} traces are there", given.len(), transactions.len()));
    }
    asked
}

fn tracer() -> serde_json::Value {
    json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } })
}

/// What is asked for, in both dialects.
struct Question {
    about: String,
    /// The transaction, where it is one.
    tx: Option<B256>,
    debug: RawRequest,
    parity: RawRequest,
}

/// Whoever answered is asked first from then on.
async fn of_any(
    client: &ChainClient,
    operators: &mut [OperatorId],
    question: &Question,
) -> Result<Vec<Traced>, String> {
    let (mut faults, mut most) = (Vec::new(), Vec::new());
    for at in 0..operators.len() {
        let operator = operators[at].clone();
        match of(client, &operator, question).await {
            Ok((traced, None)) => {
                operators[..=at].rotate_right(1);
                return Ok(traced);
            }
            // One that could not be traced says nothing against the others, and another operator may give it.
            Ok((traced, Some(fault))) => {
                faults.push(format!("{operator}: {fault}"));
                if traced.len() > most.len() {
                    most = traced;
                }
            }
            Err(fault) => faults.push(format!("{operator}: {fault}")),
        }
    }
    if !most.is_empty() {
        return Ok(most);
    }
    Err(format!("no operator gives the calls inside {}: {}", question.about, faults.join("; ")))
}

/// What an operator gives, and why it is not all of it.
async fn of(
    client: &ChainClient,
    operator: &OperatorId,
    question: &Question,
) -> Result<(Vec<Traced>, Option<String>), String> {
    let Question { debug, parity, tx, .. } = question;
    let text = match client.raw(operator, debug, TRACE_BYTES_MAX, TIMEOUT).await {
        Ok(text) => text,
        Err(first) => {
            let both = |second: RawFault| format!("{}: {first}; {}: {second}", debug.method, parity.method);
            client.raw(operator, parity, TRACE_BYTES_MAX, TIMEOUT).await.map_err(both)?
        }
    };
    // A long trace takes a while to read, and the loop has other things to do.
    let tx = *tx;
    let read = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        let read = read_traces::<TraceFault>(&text, |traced| {
            found.push(Traced { tx: tx.or(traced.tx), ..traced });
            Ok(())
        });
        (found, read.err().map(|fault| fault.to_string()))
    });
    let (found, fault) = read.await.map_err(|error| error.to_string())?;
    match fault {
        Some(fault) if found.is_empty() => Err(fault),
        fault => Ok((found, fault)),
    }
}
