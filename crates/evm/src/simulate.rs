//! One endpoint simulates one call and what holds after it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, U64, U256, address};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use watchfire_types::{BlockRef, Read};

use crate::budget::Priority;
use crate::endpoint::{Remote, decode};
use crate::error::RpcError;
use crate::probe::{self, Check};
use crate::read::{by_hash, is_canonical, quantity};
use crate::rpc::Request;
use crate::safe;

/// Where the simulation puts code that answers a balance or a code hash; nothing lives there.
const BALANCE_PROBE: Address = address!("57617463686669726500000000000000000000b1");
const CODE_PROBE: Address = address!("57617463686669726500000000000000000000b2");
/// `CALLDATALOAD(0)`, one opcode, `RETURN` of the word.
const fn word_probe(opcode: u8) -> [u8; 12] {
    [0x60, 0x00, 0x35, opcode, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3]
}

/// What is simulated.
#[derive(Debug, Clone)]
pub(crate) struct Simulation {
    pub(crate) block: BlockRef,
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    /// Calls of `to` by the same sender that come first; each must execute.
    pub(crate) before: Vec<Bytes>,
    /// Storage of `to` replaced before all of them.
    pub(crate) storage: Vec<(B256, B256)>,
    /// Must hold after.
    pub(crate) checks: Vec<Check>,
    /// Most gas that the call may have; without it what the endpoint gives a call of its own accord.
    pub(crate) gas: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Simulated {
    /// It executed; bit i says whether check i holds after it.
    Executed { holds: Vec<bool> },
    /// It reverted with these bytes.
    Reverted(Bytes),
    /// It executes, and not with the gas that it may have.
    WantsMoreGas(u64),
}

#[derive(Deserialize)]
struct SimulatedBlock {
    calls: Vec<SimulatedCall>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimulatedCall {
    status: U64,
    #[serde(default)]
    return_data: AlloyBytes,
    #[serde(default)]
    error: Option<CallError>,
}

#[derive(Deserialize)]
struct CallError {
    #[serde(default)]
    data: Option<AlloyBytes>,
}

impl Simulation {
    /// By `eth_simulateV1` where the endpoint has it, else by `eth_call` with state override: the call itself, with the caller that it is
    /// given, and where something is to be read after it, creation code that makes the call and then reads. That code is another caller,
    /// which a guard would see: behind one the second is not believed, and what holds after is not known.
    pub(crate) async fn run(&self, remote: &Remote, timeout: Duration) -> Result<Simulated, RpcError> {
        if self.checks.iter().any(|check| matches!(check.read, Read::Delegation { .. })) {
            return Err(RpcError::Garbage("a delegation cannot be read within a simulation".to_owned()));
        }
        let Some(cap) = self.gas else { return self.once(remote, timeout).await };
        let uncapped = Simulation { gas: None, ..self.clone() };
        match self.once(remote, timeout).await {
            // A call that ran out of gas reverts in any way or none; that it executes with more tells. The other revert is the fuller one.
            Ok(Simulated::Reverted(_)) => Ok(match uncapped.once(remote, timeout).await? {
                Simulated::Executed { .. } => Simulated::WantsMoreGas(cap),
                other => other,
            }),
            // Some refuse to simulate a call with more gas than a block has; then the block's own limit is the lower one.
            Err(RpcError::Node { .. }) => uncapped.once(remote, timeout).await,
            other => other,
        }
    }

    async fn once(&self, remote: &Remote, timeout: Duration) -> Result<Simulated, RpcError> {
        let lacks = &remote.lacks.simulate;
        if !lacks.at(Instant::now()) {
            match self.simulate_v1(remote, timeout).await {
                Err(error) if error.method_missing() => {
                    if lacks.note(&error, Instant::now()) {
                        tracing::info!(endpoint.name = %remote.config.name, "endpoint has no eth_simulateV1");
                    }
                }
                other => return other,
            }
        }
        self.eth_call(remote, timeout).await
    }

    fn call_of(&self, data: &Bytes) -> Value {
        json!({ "from": self.from, "to": self.to, "data": AlloyBytes::from(data.clone()) })
    }

    fn call(&self) -> Value {
        let mut call = self.call_of(&self.data);
        if let (Some(gas), Some(call)) = (self.gas, call.as_object_mut()) {
            call.insert("gas".to_owned(), quantity(gas));
        }
        call
    }

    fn overrides(&self) -> Value {
        if self.storage.is_empty() {
            return json!({});
        }
        let slots: Map<String, Value> =
            self.storage.iter().map(|(slot, value)| (slot.to_string(), json!(value))).collect();
        json!({ self.to.to_string(): { "stateDiff": slots } })
    }

    async fn simulate_v1(&self, remote: &Remote, timeout: Duration) -> Result<Simulated, RpcError> {
        let call = self.call();
        let reads: Vec<Value> = self.checks.iter().map(|check| probe_call(&check.read)).collect();
        let mut second = Map::new();
        for check in &self.checks {
            let (account, opcode) = match &check.read {
                Read::Call { .. } | Read::Delegation { .. } => continue,
                Read::Balance { .. } => (BALANCE_PROBE, 0x31),
                Read::CodeHash { .. } => (CODE_PROBE, 0x3f),
                // The account itself answers its slots, after the call and in place of its own code.
                Read::Storage { account, .. } => (*account, 0x54),
            };
            second.insert(account.to_string(), json!({ "code": AlloyBytes::copy_from_slice(&word_probe(opcode)) }));
        }
        // Storage reads replace code that other checks may call, so they run in a block of their own, last.
        let of_storage = |check: &Check| matches!(check.read, Read::Storage { .. });
        let pick = |storage: bool| -> Vec<&Value> {
            self.checks
                .iter()
                .zip(&reads)
                .filter(|(check, _)| of_storage(check) == storage)
                .map(|(_, call)| call)
                .collect()
        };
        let (plain, stored) = (pick(false), pick(true));
        let mut first = self.overrides();
        let storage_accounts: Vec<String> = self
            .checks
            .iter()
            .filter_map(|check| match &check.read {
                Read::Storage { account, .. } => Some(account.to_string()),
                _ => None,
            })
            .collect();
        let (last, early): (Map<_, _>, Map<_, _>) =
            second.into_iter().partition(|(account, _)| storage_accounts.contains(account));
        if let Some(first) = first.as_object_mut() {
            first.extend(early);
        }
        let before: Vec<Value> = self.before.iter().map(|data| self.call_of(data)).collect();
        let calls: Vec<&Value> = before.iter().chain([&call]).chain(plain).collect();
        let mut blocks = vec![json!({ "stateOverrides": first, "calls": calls })];
        if !stored.is_empty() {
            blocks.push(json!({ "stateOverrides": last, "calls": stored }));
        }
        let payload =
            |at: Value| Request::new("eth_simulateV1", json!([{ "blockStateCalls": blocks, "validation": false }, at]));
        let answered: Vec<SimulatedBlock> = pinned(remote, &self.block, payload, timeout).await?;
        self.judge(answered)
    }

    fn judge(&self, blocks: Vec<SimulatedBlock>) -> Result<Simulated, RpcError> {
        let short = || RpcError::Garbage("fewer results than calls were simulated".to_owned());
        let mut calls = blocks.into_iter().flat_map(|block| block.calls);
        for _ in &self.before {
            if calls.next().ok_or_else(short)?.status.is_zero() {
                return Err(RpcError::Unable("what comes before it does not execute".to_owned()));
            }
        }
        let main = calls.next().ok_or_else(short)?;
        if main.status.is_zero() {
            let data = main.error.and_then(|error| error.data).unwrap_or(main.return_data);
            return Ok(Simulated::Reverted(data.0));
        }
        let mut holds = vec![false; self.checks.len()];
        let order = |storage: bool| {
            self.checks
                .iter()
                .enumerate()
                .filter(move |(_, check)| matches!(check.read, Read::Storage { .. }) == storage)
        };
        for (index, check) in order(false).chain(order(true)) {
            let call = calls.next().ok_or_else(short)?;
            let answer = !call.status.is_zero() && call.return_data.0 == check.equals;
            if let Some(slot) = holds.get_mut(index) {
                *slot = answer;
            }
        }
        Ok(Simulated::Executed { holds })
    }

    async fn eth_call(&self, remote: &Remote, timeout: Duration) -> Result<Simulated, RpcError> {
        if !self.before.is_empty() {
            return Err(RpcError::Unable("one transaction after another needs eth_simulateV1".to_owned()));
        }
        let call = self.call();
        if self.checks.is_empty() {
            let executed = Simulated::Executed { holds: Vec::new() };
            return Ok(self.called(remote, call, timeout).await?.map_or_else(Simulated::Reverted, |_| executed));
        }
        let (direct, guarded) =
            tokio::join!(self.called(remote, call, timeout), guarded(remote, &self.block, self.to, timeout));
        if let Err(data) = direct? {
            return Ok(Simulated::Reverted(data));
        }
        if guarded? {
            return Err(RpcError::Unable(
                "a guard is set, and what holds after the call needs eth_simulateV1".to_owned(),
            ));
        }
        let code = probe::execute_then_check(self.to, &self.data, &self.checks)
            .ok_or_else(|| RpcError::Unable("a postcondition in storage needs eth_simulateV1".to_owned()))?;
        let creation = json!({ "from": self.from, "data": AlloyBytes::from(code) });
        let answer = match self.called(remote, creation, timeout).await? {
            Ok(answer) => answer,
            Err(data) => return Ok(Simulated::Reverted(data)),
        };
        let word = U256::try_from_be_slice(&answer).ok_or_else(|| RpcError::Garbage("no word".to_owned()))?;
        Ok(Simulated::Executed { holds: (0..self.checks.len()).map(|bit| word.bit(bit)).collect() })
    }

    /// What one `eth_call` under the overrides returns, or reverts with.
    async fn called(&self, remote: &Remote, call: Value, timeout: Duration) -> Result<Result<Bytes, Bytes>, RpcError> {
        let overrides = self.overrides();
        let payload = |at: Value| {
            // Nodes without overrides refuse the third parameter, even an empty one.
            let plain = overrides.as_object().is_none_or(Map::is_empty);
            let params = if plain { json!([call, at]) } else { json!([call, at, overrides]) };
            Request::new("eth_call", params)
        };
        match pinned::<AlloyBytes>(remote, &self.block, payload, timeout).await {
            Ok(bytes) => Ok(Ok(bytes.0)),
            Err(error) => error.revert_data().map(Err).ok_or(error),
        }
    }
}

/// Whether the Safe has a transaction guard at this block.
async fn guarded(remote: &Remote, block: &BlockRef, safe: Address, timeout: Duration) -> Result<bool, RpcError> {
    let payload = |at: Value| Request::new("eth_getStorageAt", json!([safe, safe::GUARD_SLOT, at]));
    Ok(!pinned::<B256>(remote, block, payload, timeout).await?.is_zero())
}

/// Runs at a block hash; where that is not understood, at its number, which must have the hash before and after.
async fn pinned<T: serde::de::DeserializeOwned>(
    remote: &Remote,
    block: &BlockRef,
    payload: impl Fn(Value) -> Request,
    timeout: Duration,
) -> Result<T, RpcError> {
    let lacks = remote.lacks.block_hash_parameter.load(Ordering::Relaxed);
    let at = if lacks { quantity(block.number) } else { by_hash(block) };
    if lacks {
        is_canonical(remote, block, Priority::Decision, timeout).await?;
    }
    let request = payload(at);
    let mut answers = remote.ask(Priority::Decision, std::slice::from_ref(&request), timeout).await;
    let answer = answers.pop().unwrap_or(Err(RpcError::BackingOff));
    if lacks {
        is_canonical(remote, block, Priority::Decision, timeout).await?;
    }
    decode(&answer?)?.ok_or_else(|| RpcError::Garbage("null in answer to a simulation".to_owned()))
}

fn probe_call(read: &Read) -> Value {
    match read {
        Read::Call { to, data } => json!({ "to": to, "data": AlloyBytes::from(data.clone()) }),
        Read::Balance { account } => json!({ "to": BALANCE_PROBE, "data": account.into_word() }),
        Read::CodeHash { account } | Read::Delegation { account } => {
            json!({ "to": CODE_PROBE, "data": account.into_word() })
        }
        Read::Storage { account, slot } => json!({ "to": account, "data": slot }),
    }
}
