//! The calls inside one transaction, as one endpoint traces them: for people who look, never for a decision.
//!
//! Nodes differ in what they offer: Geth's `debug_traceTransaction` with the callTracer is asked first, then Parity's
//! `trace_transaction`. An answer is at most [`TRACE_BYTES_MAX`] long and comes within a minute, or not at all.

use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use serde_json::json;
use url::Url;

use crate::evidence::{RawFault, RawRequest};
use crate::rpc::Http;

/// Longest trace taken, bytes of JSON.
pub const TRACE_BYTES_MAX: usize = 256 << 20;
/// How long a node may trace.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// No client can be made.
    #[error("no HTTP client: {0}; see that this machine has its certificates")]
    Http(String),
    /// Neither method gave it.
    #[error(
        "{host} gives no trace of {tx}: debug_traceTransaction: {debug}; trace_transaction: {parity}; ask a node that traces and keeps that \
         block's state"
    )]
    NotGiven {
        /// Host asked: the rest of a URL is often a secret.
        host: String,
        /// Transaction.
        tx: B256,
        /// What the first method came to.
        debug: RawFault,
        /// What the second came to.
        parity: RawFault,
    },
}

/// The JSON-RPC reply with the trace of one transaction, in the shape of whichever method gave it.
///
/// # Errors
/// [`TraceError`] with what both methods came to.
pub async fn trace_transaction(url: Url, tx: B256) -> Result<Bytes, TraceError> {
    let host = url.host_str().unwrap_or("the endpoint").to_owned();
    let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy().build();
    let http = Http::new(client.map_err(|error| TraceError::Http(error.to_string()))?, url);
    let tracer = json!([tx, { "tracer": "callTracer", "tracerConfig": { "withLog": true } }]);
    let debug = match ask(&http, &RawRequest::new("debug_traceTransaction", &tracer)).await {
        Ok(bytes) => return Ok(bytes),
        Err(fault) => fault,
    };
    match ask(&http, &RawRequest::new("trace_transaction", &json!([tx]))).await {
        Ok(bytes) => Ok(bytes),
        Err(parity) => Err(TraceError::NotGiven { host, tx, debug, parity }),
    }
}

#[derive(serde::Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default)]
    result: Option<&'a serde_json::value::RawValue>,
}

async fn ask(http: &Http, request: &RawRequest) -> Result<Bytes, RawFault> {
    let bytes = http.raw(request.body(), TRACE_BYTES_MAX, TIMEOUT).await?;
    // Not into a tree of values: a trace may be nested deeper than that takes.
    let answer = serde_json::from_slice::<Reply<'_>>(&bytes).ok().and_then(|reply| reply.result);
    if answer.is_none() { Err(RawFault::UnknownBlock) } else { Ok(bytes) }
}
