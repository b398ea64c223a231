//! Plain JSON-RPC over HTTP: how the launcher, which stands outside the system, looks at the chain.
//!
//! Bounds: a call takes at most 10 s, an answer at most 32 MiB.

use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use serde_json::{Value, json};
use thiserror::Error;
use url::Url;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum RpcError {
    /// Not reached.
    #[error("{method}: the chain's RPC at {place} does not answer: {source}; see that the chain runs there")]
    Transport {
        /// Method called.
        method: String,
        /// Scheme, host and port: a provider's path is a secret.
        place: String,
        /// Cause, without the URL.
        source: reqwest::Error,
    },
    /// The node answered with an error.
    #[error("{method}: the chain's RPC refused: {message} (code {code}); see that its node is one that drills can use")]
    Refused {
        /// Method called.
        method: String,
        /// JSON-RPC code.
        code: i64,
        /// Its message.
        message: String,
        /// Revert data, if any.
        data: Option<Bytes>,
    },
    /// The answer does not end.
    #[error("{method}: the chain's RPC answered more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge {
        /// Method called.
        method: String,
    },
    /// The answer has another shape than the method's.
    #[error("{method}: the chain's RPC answered something else than {expected}; see that an EVM node answers there")]
    Shape {
        /// Method called.
        method: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// One block's header, as far as a drill needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Seconds since the Unix epoch.
    pub time: u64,
}

/// What became of a mined transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Block that holds it.
    pub block: u64,
    /// Contract made, if any.
    pub contract: Option<Address>,
    /// Sender.
    pub from: Address,
    /// Gas used.
    pub gas_used: u64,
}

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub struct Rpc {
    client: reqwest::Client,
    url: Url,
}

impl Rpc {
    /// A client for this endpoint.
    ///
    /// # Errors
    /// When no TLS roots can be loaded.
    pub fn new(url: Url) -> Result<Self, RpcError> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|source| RpcError::Transport {
            method: "connect".to_owned(),
            place: place(&url),
            source: source.without_url(),
        })?;
        Ok(Self { client, url })
    }

    /// Where it calls.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// One call.
    ///
    /// # Errors
    /// When it is not answered, or answered with an error.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let transport = |source: reqwest::Error| RpcError::Transport {
            method: method.to_owned(),
            place: place(&self.url),
            source: source.without_url(),
        };
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = self.client.post(self.url.clone()).json(&request).send().await.map_err(transport)?;
        // Some endpoints answer a JSON-RPC error with an HTTP one: the status counts when the body says nothing.
        let status = response.error_for_status_ref().err();
        let body =
            body(response).await.map_err(transport)?.ok_or_else(|| RpcError::TooLarge { method: method.to_owned() })?;
        let shape = || RpcError::Shape { method: method.to_owned(), expected: "a JSON-RPC response" };
        let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else {
            return Err(status.map_or_else(shape, transport));
        };
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(RpcError::Refused {
                method: method.to_owned(),
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or("no message").chars().take(500).collect(),
                data: revert_data(error),
            });
        }
        answer.get_mut("result").map(Value::take).ok_or_else(shape)
    }

    async fn typed<T>(
        &self,
        method: &str,
        params: Value,
        expected: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, RpcError> {
        let answer = self.call(method, params).await?;
        read(&answer).ok_or_else(|| RpcError::Shape { method: method.to_owned(), expected })
    }

    /// EIP-155 id.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn chain_id(&self) -> Result<u64, RpcError> {
        self.typed("eth_chainId", json!([]), "a number", number).await
    }

    /// Newest block.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn head(&self) -> Result<Header, RpcError> {
        self.typed("eth_getBlockByNumber", json!(["latest", false]), "a block", header).await
    }

    /// The block at a height, if there is one.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn header(&self, block: u64) -> Result<Option<Header>, RpcError> {
        let params = json!([tag(Some(block)), false]);
        self.typed("eth_getBlockByNumber", params, "a block", |v| {
            if v.is_null() { Some(None) } else { header(v).map(Some) }
        })
        .await
    }

    /// Transactions of a block to one address, by hash.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn transactions_to(&self, block: u64, to: Address) -> Result<Vec<B256>, RpcError> {
        let params = json!([tag(Some(block)), true]);
        self.typed("eth_getBlockByNumber", params, "a block with transactions", |v| {
            let all = v["transactions"].as_array()?.iter();
            let mine = all.filter(|one| one["to"].as_str().is_some_and(|text| text.parse() == Ok(to)));
            Some(mine.filter_map(|one| one["hash"].as_str()?.parse().ok()).collect())
        })
        .await
    }

    /// Base fee of the newest block, wei per gas.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn base_fee(&self) -> Result<u128, RpcError> {
        let params = json!(["latest", false]);
        self.typed("eth_getBlockByNumber", params, "a block with a base fee", |block| {
            u128::from_str_radix(block["baseFeePerGas"].as_str()?.strip_prefix("0x")?, 16).ok()
        })
        .await
    }

    /// Native balance at the newest block, wei.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn balance(&self, account: Address) -> Result<U256, RpcError> {
        self.balance_at(account, None).await
    }

    /// Native balance at a height, wei.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn balance_at(&self, account: Address, block: Option<u64>) -> Result<U256, RpcError> {
        self.typed("eth_getBalance", json!([account, tag(block)]), "a number", |v| v.as_str()?.parse().ok()).await
    }

    /// Transactions that an account has sent, those waiting included.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn transaction_count(&self, account: Address) -> Result<u64, RpcError> {
        self.typed("eth_getTransactionCount", json!([account, "pending"]), "a number", number).await
    }

    /// Calls a contract without a transaction, at the newest block or a height.
    ///
    /// # Errors
    /// As [`Rpc::call`]; a revert is `Refused` with its data.
    pub async fn view(&self, to: Address, data: &[u8], block: Option<u64>) -> Result<Bytes, RpcError> {
        let call = json!({"to": to, "data": format!("0x{}", hex::encode(data))});
        self.typed("eth_call", json!([call, tag(block)]), "bytes", |v| bytes_of(v.as_str()?)).await
    }

    /// Hands a signed transaction over; answers its hash.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn send(&self, raw: &[u8]) -> Result<B256, RpcError> {
        let params = json!([format!("0x{}", hex::encode(raw))]);
        self.typed("eth_sendRawTransaction", params, "a hash", |v| v.as_str()?.parse().ok()).await
    }

    /// The receipt of a transaction, once it is in a block.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn receipt(&self, transaction: B256) -> Result<Option<Receipt>, RpcError> {
        let method = "eth_getTransactionReceipt";
        self.typed(method, json!([transaction]), "a receipt", |v| {
            if v.is_null() {
                return Some(None);
            }
            Some(Some(Receipt {
                succeeded: number(&v["status"])? == 1,
                block: number(&v["blockNumber"])?,
                contract: v["contractAddress"].as_str().and_then(|text| text.parse().ok()),
                from: v["from"].as_str()?.parse().ok()?,
                gas_used: number(&v["gasUsed"])?,
            }))
        })
        .await
    }
}

/// What may be told of an endpoint: `scheme://host:port`. Providers put keys into user, password, path and query.
#[must_use]
pub fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// The body of a response, `None` when it is larger than 32 MiB; what is over the bound is not read.
pub(crate) async fn body(mut response: reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn tag(block: Option<u64>) -> String {
    block.map_or_else(|| "latest".to_owned(), |number| format!("{number:#x}"))
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn header(value: &Value) -> Option<Header> {
    Some(Header {
        number: number(&value["number"])?,
        hash: value["hash"].as_str()?.parse().ok()?,
        time: number(&value["timestamp"])?,
    })
}

fn bytes_of(text: &str) -> Option<Bytes> {
    hex::decode(text.strip_prefix("0x")?).ok().map(Bytes::from)
}

/// Clients put revert data at `data`, or one level deeper.
fn revert_data(error: &Value) -> Option<Bytes> {
    error["data"].as_str().or_else(|| error["data"]["data"].as_str()).and_then(bytes_of)
}

#[cfg(test)]
mod tests;
