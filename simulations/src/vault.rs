//! The drill's vault and the attacker's contract, as calls.

use alloy_primitives::{Address, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};

use crate::artifact::{self, ArtifactError};
use crate::key::{Account, Order};
use crate::rpc::{Rpc, RpcError};
use crate::safe::SafeError;

mod abi {
    #![allow(missing_docs, unreachable_pub)]
    super::sol! {
        function attack(uint256 times);
        function pause();
        function paused() returns (bool);
        function deposit();
        function withdraw();
    }
}

/// Deploys the vault with this much native coin in it; `pauser` is the Safe, `limit` what a withdrawal may pay while flagged.
///
/// # Errors
/// When the chain refuses.
pub async fn deploy(
    rpc: &Rpc,
    payer: &mut Account,
    pauser: Address,
    limit: U256,
    wei: U256,
) -> Result<Address, SafeError> {
    let code = [artifact::bytecode("Vault", artifact::VAULT)?.as_ref(), &(pauser, limit).abi_encode()].concat();
    let receipt = payer.execute(rpc, &Order::deploy("the vault", code).with_value(wei)).await?;
    receipt.contract.ok_or(SafeError::Shape { what: "the vault's address" })
}

/// Creation order of the attacker's contract.
///
/// # Errors
/// Never with the committed artifact.
pub fn attacker(vault: Address) -> Result<Order, ArtifactError> {
    let code = [artifact::bytecode("Attacker", artifact::ATTACKER)?.as_ref(), &vault.abi_encode()].concat();
    Ok(Order::deploy("the attacker's contract", code))
}

/// Creation order of the guard that blocks everything.
///
/// # Errors
/// Never with the committed artifact.
pub fn blocking_guard() -> Result<Order, ArtifactError> {
    Ok(Order::deploy("the blocking guard", artifact::bytecode("BlockingGuard", artifact::BLOCKING_GUARD)?))
}

/// One attack: deposits `value`, is paid `times` times.
#[must_use]
pub fn attack(contract: Address, times: u64, value: U256) -> Order {
    let gas = 200_000 + 60_000 * times;
    let data = abi::attackCall { times: U256::from(times) }.abi_encode();
    Order::call("the attack", contract, data, gas).with_value(value)
}

/// A deposit.
#[must_use]
pub fn deposit(vault: Address, value: U256) -> Order {
    Order::call("a deposit", vault, abi::depositCall {}.abi_encode(), 200_000).with_value(value)
}

/// A legitimate withdrawal of a whole deposit.
#[must_use]
pub fn withdraw(vault: Address) -> Order {
    Order::call("a withdrawal", vault, abi::withdrawCall {}.abi_encode(), 200_000)
}

/// Call data of `pause()`.
#[must_use]
pub fn pause() -> Vec<u8> {
    abi::pauseCall {}.abi_encode()
}

/// Whether the vault is paused at a height.
///
/// # Errors
/// When the chain does not answer.
pub async fn paused(rpc: &Rpc, vault: Address, block: Option<u64>) -> Result<bool, RpcError> {
    let answer = rpc.view(vault, &abi::pausedCall {}.abi_encode(), block).await?;
    Ok(answer.last() == Some(&1))
}

/// Names the error that an order reverts with at a height: `EnforcedPause()`, another selector as hex, or `None` when it passes.
///
/// # Errors
/// When the chain does not answer.
pub async fn revert_reason(rpc: &Rpc, from: Address, order: &Order, block: u64) -> Result<Option<String>, RpcError> {
    let call = serde_json::json!({
        "from": from, "to": order.to, "value": format!("{:#x}", order.value), "data": format!("0x{}", hex::encode(&order.data)),
    });
    match rpc.call("eth_call", serde_json::json!([call, format!("{block:#x}")])).await {
        Ok(_) => Ok(None),
        Err(RpcError::Refused { data: Some(data), .. }) => Ok(Some(name_of(&data))),
        Err(RpcError::Refused { message, .. }) => Ok(Some(message)),
        Err(other) => Err(other),
    }
}

fn name_of(data: &[u8]) -> String {
    let known = ["EnforcedPause()", "PaymentRefused()", "NothingDeposited()", "WithdrawalsAreLimited(uint256,uint256)"];
    known
        .into_iter()
        .find(|name| data.get(..4) == Some(&keccak256(name)[..4]))
        .map_or_else(|| format!("0x{}", hex::encode(data.get(..4).unwrap_or(data))), str::to_owned)
}

#[cfg(test)]
mod tests;
