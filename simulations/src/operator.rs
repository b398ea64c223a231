//! The proxy that stands for one RPC operator: HTTP JSON-RPC and WebSocket before the real chain, which it can serve
//! honestly, late, not at all, in rations, without old state, or with fabricated balances.
//!
//! Bounds: a request body is at most 4 MiB, an answer of the chain 32 MiB; a connection's answers wait in a queue of 256.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, U256};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::rpc;

mod http;
mod sent;
mod socket;

pub(crate) use sent::Sent;

/// How an operator behaves now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conduct {
    /// How it answers.
    pub answering: Answering,
    /// What it makes up.
    pub lie: Option<Lie>,
    /// Keeps transactions to itself until this is false again.
    pub holds_transactions: bool,
    /// Requests over HTTP that it answers in a second; "too many requests" and `Retry-After` beyond.
    pub ration: Option<u32>,
    /// Serves what every client has and nothing else.
    pub plain: bool,
    /// Blocks below the head whose state it still knows; older state is "missing trie node".
    pub keeps: Option<u64>,
}

/// How an operator answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answering {
    /// At once.
    #[default]
    Promptly,
    /// After this long.
    Late(Duration),
    /// With a server error.
    Failing,
    /// Never; connections stay open.
    Silent,
    /// With "too many requests".
    Throttling,
}

/// What an account's balance is told to be from a block on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lie {
    /// Account.
    pub account: Address,
    /// First block that is told of falsely.
    pub from_block: u64,
    /// What is told of it.
    pub tale: Tale,
}

/// An untruth about a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tale {
    /// A drain that nobody else sees: less by `wei_per_block` for each block, and no further after so many blocks.
    Drain {
        /// Wei that seem to leave in each block.
        wei_per_block: U256,
        /// Blocks after which the fabricated drain stops.
        blocks: u64,
    },
    /// Nothing left, whatever left.
    Untouched {
        /// What is told to be there, wei.
        wei: U256,
    },
}

/// One operator; its servers end when it is dropped.
#[derive(Debug)]
pub struct Operator {
    http: SocketAddr,
    socket: Option<SocketAddr>,
    conduct: watch::Sender<Conduct>,
    desk: Arc<Desk>,
    tasks: Vec<JoinHandle<()>>,
}

impl Operator {
    /// Starts serving on free ports of the loopback; without an upstream WebSocket it offers none.
    ///
    /// # Errors
    /// When no port is free or no TLS roots can be loaded.
    pub async fn start(upstream: Url, upstream_socket: Option<Url>) -> io::Result<Self> {
        let (conduct, watched) = watch::channel(Conduct::default());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().map_err(io::Error::other)?;
        let desk = Arc::new(Desk {
            client,
            upstream,
            conduct: watched,
            answered: Mutex::new((Instant::now(), 0)),
            sent: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let http = listener.local_addr()?;
        let mut tasks = vec![tokio::spawn(http::serve(listener, Arc::clone(&desk)))];
        let mut socket = None;
        if let Some(upstream) = upstream_socket {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            socket = Some(listener.local_addr()?);
            tasks.push(tokio::spawn(socket::serve(listener, Arc::clone(&desk), upstream)));
        }
        Ok(Self { http, socket, conduct, desk, tasks })
    }

    /// HTTP endpoint.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}", self.http)
    }

    /// WebSocket endpoint, if the chain has one.
    #[must_use]
    pub fn socket(&self) -> Option<String> {
        self.socket.map(|address| format!("ws://{address}"))
    }

    /// Changes how it behaves, from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Conduct)) {
        self.conduct.send_modify(change);
    }

    /// Transactions that this operator was handed, in that order; the newest 1,024 of them.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.desk.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Answers requests as the present conduct says.
#[derive(Debug)]
struct Desk {
    client: reqwest::Client,
    upstream: Url,
    conduct: watch::Receiver<Conduct>,
    /// The second that is being counted, and what was answered in it.
    answered: Mutex<(Instant, u32)>,
    sent: Mutex<Vec<Sent>>,
}

/// What a request gets.
#[derive(Debug)]
enum Answer {
    /// A JSON-RPC body.
    Body(Value),
    /// An HTTP error.
    Status(StatusCode),
}

impl Desk {
    fn conduct(&self) -> Conduct {
        self.conduct.borrow().clone()
    }

    /// Answers one JSON-RPC request or batch.
    async fn answer(&self, request: &Value) -> Answer {
        let conduct = self.conduct();
        match conduct.answering {
            Answering::Promptly => {}
            Answering::Late(delay) => tokio::time::sleep(delay).await,
            Answering::Failing => return Answer::Status(StatusCode::SERVICE_UNAVAILABLE),
            Answering::Throttling => return Answer::Status(StatusCode::TOO_MANY_REQUESTS),
            Answering::Silent => return std::future::pending().await,
        }
        if conduct.ration.is_some_and(|ration| !self.within(ration)) {
            return Answer::Status(StatusCode::TOO_MANY_REQUESTS);
        }
        if conduct.plain
            && let Some(refusal) = beyond_plain(request)
        {
            return Answer::Body(refusal);
        }
        if methods(request).any(|method| method == "eth_sendRawTransaction") {
            sent::keep(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner), request);
            let mut conduct = self.conduct.clone();
            // The sender is gone only with the whole operator.
            let _ = conduct.wait_for(|now| !now.holds_transactions).await;
        }
        if let Some(keeps) = conduct.keeps
            && self.is_pruned(request, keeps).await
        {
            let error = json!({"code": -32000, "message": "missing trie node (path ) state is not available"});
            return Answer::Body(json!({"jsonrpc": "2.0", "id": request["id"], "error": error}));
        }
        let Some(mut answer) = self.forward(request).await else {
            return Answer::Status(StatusCode::BAD_GATEWAY);
        };
        if let Some(lie) = conduct.lie {
            self.falsify(lie, request, &mut answer).await;
        }
        Answer::Body(answer)
    }

    /// Counts one more answer of this second.
    fn within(&self, ration: u32) -> bool {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.0.elapsed() >= Duration::from_secs(1) {
            *answered = (Instant::now(), 0);
        }
        answered.1 = answered.1.saturating_add(1);
        answered.1 <= ration
    }

    /// Whether a request (not a batch: those are about the head) is about state that is no longer kept.
    async fn is_pruned(&self, request: &Value, keeps: u64) -> bool {
        let at = match request["method"].as_str() {
            Some("eth_getProof" | "eth_getStorageAt") => 2,
            Some("eth_getBalance" | "eth_getCode" | "eth_call") => 1,
            Some("debug_traceBlockByHash") => 0,
            _ => return false,
        };
        let head = json!({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []});
        let head = self.forward(&head).await.and_then(|answer| parse_number(answer["result"].as_str()?));
        match (self.height(&request["params"][at]).await, head) {
            (Some(asked), Some(head)) => head.saturating_sub(asked) > keeps,
            _ => false,
        }
    }

    async fn forward(&self, request: &Value) -> Option<Value> {
        let response = self.client.post(self.upstream.clone()).json(request).send().await.ok()?;
        serde_json::from_slice(&rpc::body(response).await.ok()??).ok()
    }

    async fn falsify(&self, lie: Lie, request: &Value, answer: &mut Value) {
        let requests = request.as_array().map_or_else(|| vec![request], |batch| batch.iter().collect());
        for request in requests {
            if !asks_balance(request, lie.account) {
                continue;
            }
            let Some(number) = self.height(&request["params"][1]).await else { continue };
            if number < lie.from_block {
                continue;
            }
            let entry = match answer.as_array_mut() {
                Some(batch) => batch.iter_mut().find(|entry| entry["id"] == request["id"]),
                None => Some(&mut *answer),
            };
            let Some(result) = entry.and_then(|entry| entry.get_mut("result")) else { continue };
            if let Some(honest) = result.as_str().and_then(|text| text.parse::<U256>().ok()) {
                let told = match lie.tale {
                    Tale::Drain { wei_per_block, blocks } => {
                        let past = (number - lie.from_block).saturating_add(1).min(blocks);
                        honest.saturating_sub(wei_per_block.saturating_mul(U256::from(past)))
                    }
                    Tale::Untouched { wei } => wei,
                };
                *result = json!(format!("{told:#x}"));
            }
        }
    }

    /// Height that a block parameter means: a tag, a number, a hash, or EIP-1898's object.
    async fn height(&self, block: &Value) -> Option<u64> {
        let hash = block["blockHash"].as_str().or_else(|| block.as_str().filter(|text| text.len() == 66));
        let number = block["blockNumber"].as_str().or(block.as_str());
        let (method, parameter) = match (hash, number) {
            (Some(hash), _) => ("eth_getBlockByHash", hash),
            (None, Some(number)) if number.starts_with("0x") => return parse_number(number),
            (None, tag) => ("eth_getBlockByNumber", tag.unwrap_or("latest")),
        };
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": [parameter, false]});
        parse_number(self.forward(&request).await?["result"]["number"].as_str()?)
    }
}

/// What a client that has only the plain methods says to a request for more; `None` where it answers.
fn beyond_plain(request: &Value) -> Option<Value> {
    let refuse = |code: i32, message: String| {
        Some(json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}))
    };
    if request.is_array() {
        return refuse(-32600, "batched requests are not supported".to_owned());
    }
    let method = request["method"].as_str().unwrap_or_default();
    let missing = ["debug_", "trace_", "anvil_", "ots_"].iter().any(|space| method.starts_with(space));
    if missing || matches!(method, "eth_getBlockReceipts" | "eth_simulateV1") {
        return refuse(-32601, format!("the method {method} does not exist/is not available"));
    }
    let parameters = request["params"].as_array().map_or(&[][..], Vec::as_slice);
    if parameters.iter().any(|parameter| parameter.get("blockHash").is_some() && method != "eth_getLogs") {
        return refuse(-32602, "invalid argument: cannot unmarshal object into a block number".to_owned());
    }
    None
}

fn methods(request: &Value) -> impl Iterator<Item = &str> {
    let batch = request.as_array().map_or(std::slice::from_ref(request), Vec::as_slice);
    batch.iter().filter_map(|one| one["method"].as_str())
}

fn asks_balance(request: &Value, account: Address) -> bool {
    request["method"] == "eth_getBalance"
        && request["params"][0].as_str().is_some_and(|text| text.parse() == Ok(account))
}

fn parse_number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests;
