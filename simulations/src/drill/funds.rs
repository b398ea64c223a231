//! The money of a drill: what the funder must hold, and whom it pays.

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, U256};

use super::DrillError;
use crate::key::{self, Account, Order};
use crate::rpc::Rpc;
use crate::safe::SafeError;
use crate::scenario::{AttackKind, Scenario};
use crate::vault;

/// Gas of everything that the funder sends, rounded up: the Safe's contracts, the vault, the guard, payments.
const GAS: u64 = 20_000_000;

/// Ten ether in wei.
fn ten() -> U256 {
    U256::from(10_000_000_000_000_000_000_u64)
}

/// What the attacker is given.
fn stake(scenario: &Scenario) -> U256 {
    let attack = &scenario.attack;
    attack.wei.saturating_mul(U256::from(attack.transactions.max(1))).saturating_add(ten())
}

/// What a drill takes out of the funder's account, wei: the vault's content, ten ether for each submitter, the attacker's
/// stake, and gas at twenty times the base fee, which is what its transactions bid.
pub(super) fn needed(scenario: &Scenario, base_fee: u128) -> U256 {
    let submitters = ten().saturating_mul(U256::from(scenario.organisations.len()));
    let gas = U256::from(GAS).saturating_mul(U256::from(key::fee_cap(base_fee)));
    [scenario.vault.wei, submitters, stake(scenario), gas].into_iter().fold(U256::ZERO, U256::saturating_add)
}

/// Gives the submitters gas money and the attacker what the attack takes.
pub(super) async fn pay_out(
    scenario: &Scenario,
    rpc: &Rpc,
    funder: &mut Account,
    submitters: &[Address],
    vault: Address,
) -> Result<(Account, Address), DrillError> {
    let pay = |to: Address, wei: U256| Order::call("funding", to, Vec::new(), 21_000).with_value(wei);
    let mut sent = Vec::new();
    for submitter in submitters {
        sent.push(funder.send(rpc, &pay(*submitter, ten())).await?);
    }
    let attack = &scenario.attack;
    let signer = PrivateKeySigner::random();
    sent.push(funder.send(rpc, &pay(signer.address(), stake(scenario))).await?);
    for transaction in sent {
        key::wait_for(rpc, "funding", transaction).await?;
    }
    let mut attacker = Account::open(signer, rpc.chain_id().await?, rpc).await?;
    let contract = match attack.kind {
        AttackKind::Reentrancy => {
            let receipt = attacker.execute(rpc, &vault::attacker(vault)?).await?;
            receipt.contract.ok_or(SafeError::Shape { what: "the attacker's contract" })?
        }
        AttackKind::Withdrawal => {
            attacker.execute(rpc, &vault::deposit(vault, attack.wei)).await?;
            attacker.address()
        }
        AttackKind::None
        | AttackKind::OracleManipulation
        | AttackKind::InfiniteMint
        | AttackKind::OwnerStolen
        | AttackKind::UpgradeStolen
        | AttackKind::ForgedMessage => attacker.address(),
    };
    Ok((attacker, contract))
}
