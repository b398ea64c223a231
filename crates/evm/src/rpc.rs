//! JSON-RPC 2.0 over HTTP with a deadline and a size bound on every answer.
//!
//! Written here and not taken from alloy's transport because that one reads answers of any length and hides the HTTP status
//! and `Retry-After` that back-off needs. Answers are at most [`ANSWER_BYTES_MAX`] long.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::error::RpcError;

/// Longest answer read, a whole batch included; the receipts of a full mainnet block are below 10 MB.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Longest message of a node kept.
const MESSAGE_CHARS_MAX: usize = 200;

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl Request {
    pub(crate) fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// What one call answered, undecoded; `null` is an answer.
pub(crate) type Answer = Result<Box<RawValue>, RpcError>;

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    url: Url,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    id: Value,
    result: Option<Box<RawValue>>,
    error: Option<ErrorObject>,
}

/// What a node says in place of a result.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorObject {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

impl Http {
    pub(crate) fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    /// One call.
    pub(crate) async fn call(&self, request: &Request, timeout: Duration) -> Answer {
        let body = envelope(0, request);
        let bytes = self.post(&body, timeout).await?;
        answer(serde_json::from_slice::<Response>(&bytes).map_err(|error| garbage(&error))?)
    }

    /// Several calls in one round trip, answers in the order of the calls. The outer error is the endpoint's, such as one
    /// that knows no batches and answers a single object.
    pub(crate) async fn batch(&self, requests: &[Request], timeout: Duration) -> Result<Vec<Answer>, RpcError> {
        let body = Value::Array(requests.iter().enumerate().map(|(id, request)| envelope(id, request)).collect());
        let bytes = self.post(&body, timeout).await?;
        if let Ok(single) = serde_json::from_slice::<Response>(&bytes) {
            answer(single)?;
            return Err(RpcError::Garbage("one object in answer to a batch".to_owned()));
        }
        let responses: Vec<Response> = serde_json::from_slice(&bytes).map_err(|error| garbage(&error))?;
        let mut by_id: BTreeMap<u64, Answer> =
            responses.into_iter().filter_map(|response| Some((response.id.as_u64()?, answer(response)))).collect();
        let missing = || Err(RpcError::Garbage("a call of the batch was not answered".to_owned()));
        Ok((0..requests.len() as u64).map(|id| by_id.remove(&id).unwrap_or_else(missing)).collect())
    }

    /// One call, answered with the body exactly as it came; a JSON-RPC error inside it is an error here too.
    pub(crate) async fn raw(&self, body: Bytes, max: usize, timeout: Duration) -> Result<Bytes, RpcError> {
        let request = self.client.post(self.url.clone()).header("content-type", "application/json").body(body);
        let bytes = Bytes::from(self.send(request, timeout, max).await?);
        let response = serde_json::from_slice::<Response>(&bytes).map_err(|error| garbage(&error))?;
        answer(response).map(|_| bytes)
    }

    async fn post(&self, body: &Value, timeout: Duration) -> Result<Vec<u8>, RpcError> {
        self.send(self.client.post(self.url.clone()).json(body), timeout, ANSWER_BYTES_MAX).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, timeout: Duration, max: usize) -> Result<Vec<u8>, RpcError> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                RpcError::Timeout(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
            } else {
                // The URL of an endpoint often holds an access key: it never reaches a message.
                RpcError::Unreachable(cut(&root_cause(&error.without_url())))
            }
        };
        let sent = request.timeout(timeout).send().await;
        let mut response = sent.map_err(failed)?;
        let status = response.status().as_u16();
        if status == 429 {
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let retry_after_ms = after.and_then(|text| text.parse::<u64>().ok()).map(|s| s.saturating_mul(1000));
            return Err(RpcError::RateLimited { retry_after_ms });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > max {
                return Err(RpcError::TooLong(max));
            }
            bytes.extend_from_slice(&chunk);
        }
        // Some nodes send a JSON-RPC error with a 4xx or 5xx status; the error inside says more than the status.
        let is_rpc_error = || serde_json::from_slice::<Response>(&bytes).is_ok_and(|response| response.error.is_some());
        if (200..300).contains(&status) || is_rpc_error() { Ok(bytes) } else { Err(RpcError::Http(status)) }
    }
}

fn envelope(id: usize, request: &Request) -> Value {
    serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": request.method, "params": request.params })
}

fn answer(response: Response) -> Answer {
    match (response.error, response.result) {
        (Some(error), _) => Err(node_error(&error)),
        (None, Some(result)) => Ok(result),
        // `"result": null` and an absent result look alike to serde; absent ones are rare and mean the same.
        (None, None) => Ok(RawValue::NULL.to_owned()),
    }
}

pub(crate) fn node_error(error: &ErrorObject) -> RpcError {
    let text = error.message.to_ascii_lowercase();
    let limited = error.code == -32005
        || text.contains("rate limit")
        || text.contains("too many requests")
        || text.contains("request limit");
    if limited {
        return RpcError::RateLimited { retry_after_ms: None };
    }
    let unknown_block = ["header not found", "unknown block", "block not found", "header for hash not found"];
    if unknown_block.iter().any(|known| text.contains(known)) {
        return RpcError::UnknownBlock;
    }
    let data = find_hex(&error.data, 0);
    RpcError::Node { code: error.code, message: cut(&error.message), data }
}

/// Revert data is a hex string, `Reverted 0x..`, or sits in `data`, `result` or `originalError` of an object.
fn find_hex(value: &Value, depth: u8) -> Option<Bytes> {
    match value {
        Value::String(text) => {
            let hex = &text[text.find("0x")?..];
            alloy_primitives::hex::decode(hex.trim()).ok().map(Bytes::from)
        }
        Value::Object(fields) if depth < 3 => {
            ["data", "result", "originalError"].iter().find_map(|key| find_hex(fields.get(*key)?, depth + 1))
        }
        _ => None,
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn garbage(error: &serde_json::Error) -> RpcError {
    RpcError::Garbage(cut(&error.to_string()))
}

/// A remote text as it may enter a message: one line, bounded.
pub(crate) fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect()
}
