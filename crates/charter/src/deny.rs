//! Calls that are never signed, whatever the charter says: what moves value, hands out power, replaces code, or hides
//! another call. Judged by selector, which is what executes, and by name, which catches overloads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_dyn_abi::DynSolValue;
use thiserror::Error;

use crate::call::{Signature, selector};
use crate::model::PlaybookPurpose;

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

/// First words of names that are refused with any arguments; leading underscores do not count.
const FIRST_WORDS: &[(Kind, &[&str])] = &[
    (Kind::Value, &["transfer"]),
    (Kind::Value, &["safe", "transfer"]),
    (Kind::Value, &["safe", "batch", "transfer"]),
    (Kind::Value, &["approve"]),
    (Kind::Value, &["safe", "approve"]),
    (Kind::Value, &["force", "approve"]),
    (Kind::Value, &["increase", "allowance"]),
    (Kind::Value, &["decrease", "allowance"]),
    (Kind::Value, &["permit"]),
    (Kind::Value, &["set", "approval"]),
    (Kind::Value, &["authorize", "operator"]),
    (Kind::Value, &["send"]),
    (Kind::Value, &["operator", "send"]),
    (Kind::Value, &["mint"]),
    (Kind::Value, &["burn"]),
    (Kind::Value, &["withdraw"]),
    (Kind::Value, &["redeem"]),
    (Kind::Value, &["sweep"]),
    (Kind::Value, &["rescue"]),
    (Kind::Power, &["grant"]),
    (Kind::Power, &["renounce"]),
    (Kind::Power, &["set", "role"]),
    (Kind::Power, &["set", "owner"]),
    (Kind::Power, &["set", "admin"]),
    (Kind::Power, &["set", "authority"]),
    (Kind::Power, &["update", "authority"]),
    (Kind::Power, &["set", "pending"]),
    (Kind::Power, &["change", "owner"]),
    (Kind::Power, &["change", "admin"]),
    (Kind::Power, &["change", "proxy"]),
    (Kind::Power, &["accept", "ownership"]),
    (Kind::Power, &["accept", "admin"]),
    (Kind::Power, &["assign", "role"]),
    (Kind::Power, &["assign", "roles"]),
    (Kind::Code, &["upgrade"]),
    (Kind::Code, &["set", "implementation"]),
    (Kind::Code, &["set", "code"]),
    (Kind::Code, &["diamond", "cut"]),
    (Kind::Code, &["initialize"]),
    (Kind::Code, &["reinitialize"]),
    (Kind::Code, &["selfdestruct"]),
    (Kind::Code, &["self", "destruct"]),
    (Kind::Code, &["destroy"]),
    (Kind::Wrapped, &["exec", "transaction"]),
    (Kind::Wrapped, &["execute", "batch"]),
    (Kind::Wrapped, &["execute", "transaction"]),
    (Kind::Wrapped, &["schedule", "batch"]),
    (Kind::Wrapped, &["multicall"]),
    (Kind::Wrapped, &["multi", "call"]),
    (Kind::Wrapped, &["multi", "send"]),
    (Kind::Wrapped, &["delegatecall"]),
    (Kind::Wrapped, &["delegate", "call"]),
];

/// Words that name the un-pause direction wherever they stand in a name.
const UNPAUSE_WORDS: &[&str] = &[
    "unpause",
    "unpaused",
    "unfreeze",
    "unfrozen",
    "unseal",
    "unlock",
    "unhalt",
    "resume",
    "reopen",
    "reactivate",
    "unclose",
];

/// Words that make a `false` argument mean the un-pause direction; stems.
const PAUSE_STEMS: &[&str] = &[
    "paus", "freez", "frozen", "froze", "clos", "halt", "stop", "lock", "disabl", "shutdown", "seal", "suspend",
    "limit",
];

/// Judges one call by its selector and name, and by its arguments where the direction hangs on them. Calls that a Zodiac
/// Roles module makes are judged by the caller at the call inside.
pub(crate) fn judge(call: &Signature, arguments: &[DynSolValue], purpose: PlaybookPurpose) -> Result<(), Denied> {
    let function = call.canonical();
    by_selector(call.selector())?;
    let words = words(call.name());
    let starts = |first: &[&str]| words.iter().map(String::as_str).take(first.len()).eq(first.iter().copied());
    if let Some((kind, _)) = FIRST_WORDS.iter().find(|(_, first)| starts(first)) {
        return Err(Denied::rank(*kind, function));
    }
    // A bare `execute(...)` with arguments carries a call; without any it is a constant effect of the contract.
    let bare = matches!(words.as_slice(), [word] if matches!(word.as_str(), "execute" | "schedule" | "exec" | "call" | "aggregate"));
    if bare && !arguments.is_empty() {
        return Err(Denied::Wrapped { function });
    }
    if purpose == PlaybookPurpose::Contain && unpauses(&words, arguments) {
        return Err(Denied::Unpause { function });
    }
    Ok(())
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

fn unpauses(words: &[String], arguments: &[DynSolValue]) -> bool {
    let named = words.iter().any(|word| UNPAUSE_WORDS.contains(&word.as_str()))
        || words.windows(2).any(|pair| pair[0] == "un" && PAUSE_STEMS.iter().any(|stem| pair[1].starts_with(stem)));
    let pauses = words.iter().any(|word| PAUSE_STEMS.iter().any(|stem| word.starts_with(stem)));
    named || (pauses && arguments.contains(&DynSolValue::Bool(false)))
}

/// `_setMintPaused` is `set`, `mint`, `paused`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous_lower = false;
    for c in name.chars() {
        let boundary = !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && previous_lower);
        if boundary || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        previous_lower = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
#[path = "deny_tests.rs"]
mod tests;
