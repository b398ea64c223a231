//! A real EVM node, one per test, killed on drop. Its own methods are called only from here.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};
use url::Url;
use watchfire_types::{ChainId, OperatorId};

use super::npm::{self, Package};
use crate::config::{ChainConfig, Endpoint, Finality, Route};
use crate::limits::Limits;

pub(super) const CHAIN: ChainId = ChainId::new(31_337);

fn simulations() -> PathBuf {
    PathBuf::from(super::HERE)
}

fn installed(package: Package) -> PathBuf {
    npm::install(package, &npm::aloud).unwrap_or_else(|error| panic!("{error}"))
}

/// The npm packages of the drill.
pub(super) fn modules() -> PathBuf {
    installed(Package::Drill)
}

/// Creation code from a JSON artifact.
pub(super) fn bytecode(path: &std::path::Path) -> Bytes {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str::<Value>(&text).unwrap()["bytecode"].as_str().unwrap().parse().unwrap()
}

pub(super) fn safe_artifact(path: &str) -> Bytes {
    let base = modules().join("@safe-global/safe-smart-account/build/artifacts/contracts");
    bytecode(&base.join(path))
}

/// A contract of Safe 1.4.1, which many a treasury still runs.
pub(super) fn safe_1_4_1_artifact(path: &str) -> Bytes {
    let modules = installed(Package::Contracts);
    bytecode(&modules.join("@safe-global/safe-contracts/build/artifacts/contracts").join(path))
}

pub(super) fn own_artifact(name: &str) -> Bytes {
    bytecode(&simulations().join("contracts").join(format!("{name}.json")))
}

pub(super) struct Anvil {
    child: Child,
    pub(super) http: Url,
    pub(super) ws: Url,
    client: reqwest::Client,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Anvil {
    pub(super) fn start() -> Self {
        Self::start_with(CHAIN.get(), &[])
    }

    pub(super) fn start_with(chain: u64, more: &[&str]) -> Self {
        let packaged = modules().join("@foundry-rs/anvil-linux-amd64/bin/anvil");
        let program = if packaged.is_file() { packaged } else { PathBuf::from("anvil") };
        let mut child = Command::new(program)
            .args(["--port", "0", "--chain-id", &chain.to_string()])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil starts: install it, or npm's package for this platform");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.ok()?.strip_prefix("Listening on ").map(ToOwned::to_owned)).unwrap();
        // Keeps reading, so that anvil never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            http: format!("http://{address}").parse().unwrap(),
            ws: format!("ws://{address}").parse().unwrap(),
            client: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(),
        }
    }

    /// Sends a signal to this process.
    pub(super) fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    pub(super) async fn try_call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.client.post(self.http.clone()).json(&body).send().await.unwrap().json().await.unwrap();
        if answer["error"].is_null() { Ok(answer["result"].clone()) } else { Err(answer["error"].clone()) }
    }

    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(super) async fn mine(&self, blocks: u64) {
        self.call("anvil_mine", json!([format!("{blocks:#x}"), "0x1"])).await;
    }

    pub(super) async fn number(&self) -> u64 {
        let text = self.call("eth_blockNumber", json!([])).await;
        u64::from_str_radix(text.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    pub(super) async fn hash(&self, number: u64) -> B256 {
        let block = self.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await;
        block["hash"].as_str().unwrap().parse().unwrap()
    }

    pub(super) async fn account(&self) -> Address {
        self.call("eth_accounts", json!([])).await[0].as_str().unwrap().parse().unwrap()
    }

    pub(super) async fn fund(&self, account: Address, wei: U256) {
        self.call("anvil_setBalance", json!([account, wei])).await;
    }

    /// Sends from anvil's first account and waits for the receipt (auto-mine must be on).
    pub(super) async fn send(&self, to: Option<Address>, data: Bytes) -> Value {
        let from = self.account().await;
        let mut request = json!({ "from": from, "data": data, "gas": "0xe00000" });
        if let Some(to) = to {
            request["to"] = json!(to);
        }
        let hash = self.call("eth_sendTransaction", json!([request])).await;
        // Auto-mine answers the hash before the block is there.
        let receipt = loop {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                break receipt;
            }
        };
        assert!(receipt["status"] == "0x1", "{receipt}");
        receipt
    }

    pub(super) async fn deploy(&self, code: Bytes) -> Address {
        self.send(None, code).await["contractAddress"].as_str().unwrap().parse().unwrap()
    }
}

pub(super) fn operator(name: &str) -> OperatorId {
    name.parse().unwrap()
}

pub(super) fn endpoint(name: &str, http: &Url) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        operator: operator(name),
        http: http.clone(),
        ws: None,
        requests_per_second: 10_000,
        submit_only: false,
        evidence_only: false,
        vouches: false,
    }
}

/// Longest wait for anything that comes on its own time.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// Waits that no slow machine outlasts. The hedge asks the next operator where one hangs, which is a test's business now and then.
pub(super) fn patient() -> Limits {
    Limits {
        connect: PATIENCE,
        request: PATIENCE,
        block: Some(PATIENCE),
        preflight: PATIENCE,
        send: PATIENCE,
        vouch: PATIENCE,
        head: Some(PATIENCE),
        ..Limits::default()
    }
}

pub(super) fn config(agree: usize, endpoints: Vec<Endpoint>) -> ChainConfig {
    ChainConfig {
        chain: CHAIN,
        block_time_ms: 1_000,
        finality: Finality::Depth(2),
        agree,
        endpoints,
        gas_cap: 16_777_216,
        route: Route::Public,
        silence_ms: Some(600_000),
        limits: patient(),
    }
}
