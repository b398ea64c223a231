//! Plays the cases on anvil: each furnishes its own world, then one transaction is sent and traced.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use alloy_sol_types::{SolCall as _, sol};
use serde_json::{Map, Value, json};
use watchfire_simulations::anvil::{self, Anvil};
use watchfire_simulations::npm::{self, Package};
use watchfire_simulations::rpc::Rpc;

sol! {
    function setup(address sender) external payable;
    function before() external view returns (address[] memory targets, bytes[] memory datas);
    function traced() external view returns (address to, bytes memory data, uint256 value);
}

/// Where mainnet keeps its wrapped coin.
const WRAPPED: Address = address!("C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2");
/// Enough for every world.
const RICHES: &str = "0xd3c21bcecceda1000000";
const GAS: &str = "0x1c9c380";
/// Fields of a frame that say nothing to features.
const DROPPED: [&str; 3] = ["gas", "gasUsed", "position"];

/// Plays every case and answers the compressed lines.
///
/// # Errors
/// What went wrong, with the case.
pub async fn record() -> Result<Vec<u8>, String> {
    let modules = npm::install(Package::Contracts, &npm::aloud).map_err(told)?;
    let out = tempfile::tempdir().map_err(told)?;
    let cases = compile(&modules, out.path())?;
    let anvil = anvil::locate(&npm::aloud).map_err(told)?;
    let anvil = Anvil::start(&anvil, 31_337).await.map_err(told)?;
    let stage = Stage::new(&anvil, &cases).await?;
    let mut lines = Vec::new();
    for (name, code) in cases.iter().filter(|(name, _)| name.as_str() != "Wrapped") {
        let trace = stage.play(code.as_str().unwrap_or_default()).await.map_err(|error| format!("{name}: {error}"))?;
        let attack = name.starts_with("Attack");
        lines.push(json!({ "name": name, "attack": attack, "trace": trace }).to_string());
    }
    anvil.stop().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all((lines.join("\n") + "\n").as_bytes()).map_err(told)?;
    encoder.finish().map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Creation code by case.
fn compile(modules: &Path, out: &Path) -> Result<Map<String, Value>, String> {
    let script = Path::new(crate::HERE).join("../../simulations/contracts/compile.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(out).arg("traces").env("WATCHFIRE_CONTRACT_MODULES", modules);
    let run = command.output().map_err(told)?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    let text = std::fs::read_to_string(out.join("Traces.json")).map_err(told)?;
    serde_json::from_str(&text).map_err(told)
}

/// A chain with two rich accounts and wrapped coin where it belongs.
struct Stage {
    rpc: Rpc,
    builder: Address,
    sender: Address,
}

impl Stage {
    async fn new(anvil: &Anvil, cases: &Map<String, Value>) -> Result<Self, String> {
        let rpc = Rpc::new(anvil.url().clone()).map_err(told)?;
        let accounts = rpc.call("eth_accounts", json!([])).await.map_err(told)?;
        let account = |at: usize| accounts[at].as_str().and_then(|text| text.parse().ok()).ok_or("no accounts");
        let stage = Self { rpc, builder: account(0)?, sender: account(1)? };
        for account in [stage.builder, stage.sender] {
            stage.call("anvil_setBalance", json!([account, RICHES])).await?;
        }
        let code = cases.get("Wrapped").and_then(Value::as_str).unwrap_or_default();
        let wrapped = stage.deploy(code).await?;
        let code = stage.call("eth_getCode", json!([wrapped, "latest"])).await?;
        stage.call("anvil_setCode", json!([WRAPPED, code])).await?;
        Ok(stage)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        self.rpc.call(method, params).await.map_err(told)
    }

    /// Sends a transaction of an account that the node signs for, and waits for its success.
    async fn send(&self, from: Address, to: Option<Address>, data: &str, value: U256) -> Result<(B256, Value), String> {
        let order = json!({ "from": from, "to": to, "data": data, "value": value, "gas": GAS });
        let hash = self.call("eth_sendTransaction", json!([order])).await?;
        let hash: B256 = hash.as_str().and_then(|text| text.parse().ok()).ok_or("no hash")?;
        watchfire_simulations::key::wait_for(&self.rpc, "a labelled transaction", hash).await.map_err(told)?;
        let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
        if receipt["status"] != "0x1" {
            return Err(format!("transaction {hash} failed"));
        }
        Ok((hash, receipt))
    }

    async fn deploy(&self, code: &str) -> Result<Address, String> {
        let (_, receipt) = self.send(self.builder, None, code, U256::ZERO).await?;
        receipt["contractAddress"].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| "no contract".to_owned())
    }

    async fn view(&self, to: Address, data: Vec<u8>) -> Result<Bytes, String> {
        let call = json!({ "to": to, "data": format!("0x{}", hex::encode(data)) });
        let answer = self.call("eth_call", json!([call, "latest"])).await?;
        answer.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| "no bytes".to_owned())
    }

    /// Furnishes a case, sends its transaction, and answers the trace.
    async fn play(&self, code: &str) -> Result<Value, String> {
        let world = self.deploy(code).await?;
        let riches = U256::from(30_000_u64) * U256::from(10_u64).pow(U256::from(18_u64)) * U256::from(4_u8);
        let furnish = hex::encode(setupCall { sender: self.sender }.abi_encode());
        self.call("anvil_setBalance", json!([self.builder, RICHES])).await?;
        self.send(self.builder, Some(world), &format!("0x{furnish}"), riches).await?;
        let before = self.view(world, beforeCall {}.abi_encode()).await?;
        let before = beforeCall::abi_decode_returns(&before).map_err(told)?;
        for (target, data) in before.targets.iter().zip(&before.datas) {
            self.send(self.sender, Some(*target), &data.to_string(), U256::ZERO).await?;
        }
        let traced = self.view(world, tracedCall {}.abi_encode()).await?;
        let traced = tracedCall::abi_decode_returns(&traced).map_err(told)?;
        let to = Some(traced.to).filter(|to| !to.is_zero());
        let (hash, _) = self.send(self.sender, to, &traced.data.to_string(), traced.value).await?;
        let tracer = json!([hash, { "tracer": "callTracer", "tracerConfig": { "withLog": true } }]);
        let mut trace = self.call("debug_traceTransaction", tracer).await?;
        trim(&mut trace);
        Ok(trace)
    }
}

/// Leaves out what features do not look at: gas, and code.
fn trim(frame: &mut Value) {
    let Some(fields) = frame.as_object_mut() else { return };
    for field in DROPPED {
        fields.remove(field);
    }
    if fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("CREATE")) {
        fields.remove("input");
        fields.remove("output");
    }
    for list in ["calls", "logs"] {
        for inner in fields.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            trim(inner);
        }
    }
}
