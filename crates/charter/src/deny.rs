//! Calls that are never signed, whatever the charter says: what moves value, hands out power, replaces code, or hides
//! another call. Judged by selector, which is what executes; by the words of the name, which catch overloads and a
//! project's own functions; and by what the arguments carry.

mod name;
mod words;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::Address;
use thiserror::Error;

use crate::call::{Signature, selector};
use crate::model::PlaybookPurpose;
use name::{Direction, Name};

/// Why a call is never signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Denied {
    /// Tokens or approvals.
    #[error("{function} moves tokens or lets others move them")]
    Value { function: String },
    /// Roles, ownership, administration.
    #[error("{function} hands out or takes over power over contracts")]
    Power { function: String },
    /// New code.
    #[error("{function} replaces code")]
    Code { function: String },
    /// A call that wraps another one which cannot be judged.
    #[error("{function} carries another call that cannot be judged")]
    Wrapped { function: String },
    /// A Safe's own settings.
    #[error("{function} changes a Safe itself")]
    Safe { function: String },
    /// The other direction.
    #[error("{function} goes in the un-pause direction")]
    Unpause { function: String },
}

impl Denied {
    fn rank(kind: Kind, function: String) -> Self {
        match kind {
            Kind::Value => Self::Value { function },
            Kind::Power => Self::Power { function },
            Kind::Code => Self::Code { function },
            Kind::Wrapped => Self::Wrapped { function },
            Kind::Safe => Self::Safe { function },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value,
    Power,
    Code,
    Wrapped,
    Safe,
}

/// Signatures whose selectors are refused under any name.
const SIGNATURES: &[(Kind, &str)] = &[
    (Kind::Value, "transfer(address,uint256)"),
    (Kind::Value, "transfer(address,uint256,bytes)"),
    (Kind::Value, "transferFrom(address,address,uint256)"),
    (Kind::Value, "safeTransfer(address,address,uint256)"),
    (Kind::Value, "safeTransferFrom(address,address,uint256)"),
    (Kind::Value, "safeTransferFrom(address,address,uint256,bytes)"),
    (Kind::Value, "safeTransferFrom(address,address,uint256,uint256,bytes)"),
    (Kind::Value, "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)"),
    (Kind::Value, "transferAndCall(address,uint256)"),
    (Kind::Value, "transferAndCall(address,uint256,bytes)"),
    (Kind::Value, "transferFromAndCall(address,address,uint256)"),
    (Kind::Value, "transferFromAndCall(address,address,uint256,bytes)"),
    (Kind::Value, "approve(address,uint256)"),
    (Kind::Value, "approve(address,address,uint160,uint48)"),
    (Kind::Value, "approveAndCall(address,uint256)"),
    (Kind::Value, "approveAndCall(address,uint256,bytes)"),
    (Kind::Value, "increaseAllowance(address,uint256)"),
    (Kind::Value, "decreaseAllowance(address,uint256)"),
    (Kind::Value, "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
    (Kind::Value, "setApprovalForAll(address,bool)"),
    (Kind::Value, "send(address,uint256,bytes)"),
    (Kind::Value, "operatorSend(address,address,uint256,bytes,bytes)"),
    (Kind::Value, "authorizeOperator(address)"),
    (Kind::Value, "mint(address,uint256)"),
    (Kind::Value, "burn(uint256)"),
    (Kind::Value, "burn(address,uint256)"),
    (Kind::Value, "burnFrom(address,uint256)"),
    (Kind::Value, "withdraw()"),
    (Kind::Value, "withdraw(uint256)"),
    (Kind::Value, "withdraw(address,uint256)"),
    (Kind::Value, "withdraw(uint256,address,address)"),
    (Kind::Value, "redeem(uint256,address,address)"),
    (Kind::Value, "sweep(address)"),
    (Kind::Value, "sweepToken(address)"),
    (Kind::Power, "grantRole(bytes32,address)"),
    (Kind::Power, "grantRole(uint64,address,uint32)"),
    (Kind::Power, "renounceRole(bytes32,address)"),
    (Kind::Power, "setRoleAdmin(bytes32,bytes32)"),
    (Kind::Power, "setRoleAdmin(uint64,uint64)"),
    (Kind::Power, "setRoleGuardian(uint64,uint64)"),
    (Kind::Power, "setTargetFunctionRole(address,bytes4[],uint64)"),
    (Kind::Power, "updateAuthority(address,address)"),
    (Kind::Power, "setAuthority(address)"),
    (Kind::Power, "setOwner(address)"),
    (Kind::Power, "transferOwnership(address)"),
    (Kind::Power, "transferOwnership(address,bool,bool)"),
    (Kind::Power, "acceptOwnership()"),
    (Kind::Power, "renounceOwnership()"),
    (Kind::Power, "beginDefaultAdminTransfer(address)"),
    (Kind::Power, "acceptDefaultAdminTransfer()"),
    (Kind::Power, "setPendingAdmin(address)"),
    (Kind::Power, "_setPendingAdmin(address)"),
    (Kind::Power, "acceptAdmin()"),
    (Kind::Power, "_acceptAdmin()"),
    (Kind::Power, "changeAdmin(address)"),
    (Kind::Power, "changeProxyAdmin(address,address)"),
    (Kind::Power, "assignRoles(address,bytes32[],bool[])"),
    (Kind::Power, "setDefaultRole(address,bytes32)"),
    (Kind::Code, "upgradeTo(address)"),
    (Kind::Code, "upgradeToAndCall(address,bytes)"),
    (Kind::Code, "upgrade(address,address)"),
    (Kind::Code, "upgradeAndCall(address,address,bytes)"),
    (Kind::Code, "setImplementation(address)"),
    (Kind::Code, "_setImplementation(address)"),
    (Kind::Code, "_setImplementation(address,bool,bytes)"),
    (Kind::Code, "diamondCut((address,uint8,bytes4[])[],address,bytes)"),
    (Kind::Wrapped, "execute(address,uint256,bytes)"),
    (Kind::Wrapped, "execute(address,bytes)"),
    (Kind::Wrapped, "execute(address,uint256,bytes,bytes32,bytes32)"),
    (Kind::Wrapped, "execute(bytes32,bytes)"),
    (Kind::Wrapped, "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)"),
    (Kind::Wrapped, "schedule(address,bytes,uint48)"),
    (Kind::Wrapped, "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"),
    (Kind::Wrapped, "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)"),
    (Kind::Wrapped, "multicall(bytes[])"),
    (Kind::Wrapped, "multicall(uint256,bytes[])"),
    (Kind::Wrapped, "aggregate((address,bytes)[])"),
    (Kind::Wrapped, "aggregate3((address,bool,bytes)[])"),
    (Kind::Wrapped, "multiSend(bytes)"),
    (Kind::Wrapped, "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"),
    (Kind::Wrapped, "execTransactionFromModule(address,uint256,bytes,uint8)"),
    (Kind::Wrapped, "execTransactionFromModuleReturnData(address,uint256,bytes,uint8)"),
    (Kind::Wrapped, "execTransactionWithRoleReturnData(address,uint256,bytes,uint8,bytes32,bool)"),
    (Kind::Safe, "setup(address[],uint256,address,bytes,address,address,uint256,address)"),
    (Kind::Safe, "addOwnerWithThreshold(address,uint256)"),
    (Kind::Safe, "removeOwner(address,address,uint256)"),
    (Kind::Safe, "swapOwner(address,address,address)"),
    (Kind::Safe, "changeThreshold(uint256)"),
    (Kind::Safe, "enableModule(address)"),
    (Kind::Safe, "disableModule(address,address)"),
    (Kind::Safe, "setGuard(address)"),
    (Kind::Safe, "setModuleGuard(address)"),
    (Kind::Safe, "setFallbackHandler(address)"),
    (Kind::Safe, "approveHash(bytes32)"),
];

/// Judges one call by its selector, its name and its arguments. Calls that a Zodiac Roles module makes are judged by the
/// caller at the call inside.
pub(crate) fn judge(call: &Signature, arguments: &[DynSolValue], purpose: PlaybookPurpose) -> Result<(), Denied> {
    by_selector(call.selector())?;
    let function = call.canonical();
    if carries_a_call(arguments) {
        return Err(Denied::Wrapped { function });
    }
    let name = Name::of(call.name());
    if let Some(kind) = name.denied(arguments, purpose) {
        return Err(Denied::rank(kind, function));
    }
    if purpose == PlaybookPurpose::Contain && name.direction(arguments) == Some(Direction::Release) {
        return Err(Denied::Unpause { function });
    }
    Ok(())
}

/// Whether the name says that less can happen after such a call; where it does not, only its author knows.
pub(crate) fn is_known_restraint(call: &Signature, arguments: &[DynSolValue]) -> bool {
    let name = Name::of(call.name());
    name.direction(arguments) == Some(Direction::Restrain) && !name.bounds_to_some(arguments)
}

/// Whether a view of this name answers so where nothing is stopped: `paused()` with `false`.
pub(crate) fn says_released(view: &str, answer: bool) -> bool {
    Name::of(view).state(answer) == Some(Direction::Release)
}

/// Whether a call takes power or service away from one of these addresses: against the own Safe it disarms the guardians.
pub(crate) fn disarms(call: &Signature, arguments: &[DynSolValue], own: impl Fn(Address) -> bool) -> bool {
    let names_own = leaves(arguments).iter().any(|leaf| leaf.as_address().is_some_and(&own));
    names_own && Name::of(call.name()).restrains(arguments)
}

/// Whether the arguments could hold another call: bytes of any length, whoever they would be sent to.
fn carries_a_call(arguments: &[DynSolValue]) -> bool {
    leaves(arguments).iter().any(|leaf| leaf.as_bytes().is_some())
}

/// The values inside arrays and tuples, in order.
fn leaves(values: &[DynSolValue]) -> Vec<&DynSolValue> {
    let mut found = Vec::new();
    for value in values {
        match value.as_array().or_else(|| value.as_fixed_array()).or_else(|| value.as_tuple()) {
            Some(nested) => found.extend(leaves(nested)),
            None => found.push(value),
        }
    }
    found
}

/// The listed signatures by selector, hashed once.
static BY_SELECTOR: LazyLock<BTreeMap<[u8; 4], (Kind, &str)>> =
    LazyLock::new(|| SIGNATURES.iter().map(|(kind, signature)| (selector(signature), (*kind, *signature))).collect());

/// Judges what executes, whatever it is called.
pub(crate) fn by_selector(found: [u8; 4]) -> Result<(), Denied> {
    match BY_SELECTOR.get(&found) {
        Some((kind, signature)) => Err(Denied::rank(*kind, (*signature).to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "deny_tests.rs"]
mod tests;
