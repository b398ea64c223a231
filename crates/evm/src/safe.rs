//! The Safe's contract as far as a node calls it, and its error codes by name.
//!
//! Source: Safe `Safe.sol`, `base/*Manager.sol`, `docs/error_codes.md`, 1.3.0 to 1.5.0.

use alloy_primitives::{Address, B256, U256, b256, keccak256};
use alloy_sol_types::{SolCall, SolError, sol};
use bytes::Bytes;
use watchfire_types::{Operation, SafeTransaction};

mod abi {
    #![allow(missing_docs, unreachable_pub, clippy::too_many_arguments, clippy::pub_underscore_fields)]
    super::sol! {
        function execTransaction(
            address to,
            uint256 value,
            bytes data,
            uint8 operation,
            uint256 safeTxGas,
            uint256 baseGas,
            uint256 gasPrice,
            address gasToken,
            address refundReceiver,
            bytes signatures
        ) returns (bool success);
        function nonce() view returns (uint256);
    }
}

/// `threshold` of the Safe: slot 4 of its storage since 1.0.0.
pub(crate) const THRESHOLD_SLOT: u8 = 4;
/// `approvedHashes` of the Safe: slot 8 of its storage since 1.0.0.
const APPROVED_HASHES_SLOT: u8 = 8;
/// keccak256("guard_manager.guard.address"): where the transaction guard is stored.
pub(crate) const GUARD_SLOT: B256 = b256!("4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8");

/// Call data of `execTransaction`.
#[must_use]
pub fn exec_transaction(transaction: &SafeTransaction, signatures: &Bytes) -> Bytes {
    let call = abi::execTransactionCall {
        to: transaction.to,
        value: transaction.value,
        data: transaction.data.clone().into(),
        operation: match transaction.operation {
            Operation::Call => 0,
            Operation::DelegateCall => 1,
        },
        safeTxGas: transaction.safe_tx_gas,
        baseGas: transaction.base_gas,
        gasPrice: transaction.gas_price,
        gasToken: transaction.gas_token,
        refundReceiver: transaction.refund_receiver,
        signatures: signatures.clone().into(),
    };
    call.abi_encode().into()
}

/// Call data of `nonce()`.
#[must_use]
pub fn nonce_call() -> Bytes {
    abi::nonceCall {}.abi_encode().into()
}

/// The 65 bytes by which `owner` approves a hash: r = owner, s = 0, v = 1.
#[must_use]
pub fn approved_signature(owner: Address) -> Bytes {
    let mut signature = [0u8; 65];
    signature[12..32].copy_from_slice(owner.as_slice());
    signature[64] = 1;
    Bytes::copy_from_slice(&signature)
}

/// Storage key of `approvedHashes[owner][hash]`.
pub(crate) fn approved_hash_key(owner: Address, hash: B256) -> B256 {
    let outer = keccak256([owner.into_word(), B256::with_last_byte(APPROVED_HASHES_SLOT)].concat());
    keccak256([hash, outer].concat())
}

/// What a Safe's error code means; `None` for texts that are no code of the Safe.
#[must_use]
pub fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "GS000" => "could not finish initialization",
        "GS001" => "threshold needs to be defined",
        "GS002" => "call to an address without code",
        "GS010" => "not enough gas to execute the transaction",
        "GS011" => "could not pay gas costs with ether",
        "GS012" => "could not pay gas costs with token",
        "GS013" => "the inner call failed",
        "GS020" => "signatures data too short",
        "GS021" => "invalid contract signature location: inside the static part",
        "GS022" => "invalid contract signature location: length not present",
        "GS023" => "invalid contract signature location: data not complete",
        "GS024" => "invalid contract signature provided",
        "GS025" => "hash has not been approved",
        "GS026" => "invalid owner provided",
        "GS030" => "only owners can approve a hash",
        "GS031" => "method can only be called from this contract",
        "GS100" => "modules have already been initialized",
        "GS101" => "invalid module address provided",
        "GS102" => "module has already been added",
        "GS103" => "invalid prevModule, module pair provided",
        "GS104" => "method can only be called from an enabled module",
        "GS105" => "invalid starting point for fetching paginated modules",
        "GS106" => "invalid page size for fetching paginated modules",
        "GS200" => "owners have already been set up",
        "GS201" => "threshold cannot exceed owner count",
        "GS202" => "threshold needs to be greater than 0",
        "GS203" => "invalid owner address provided",
        "GS204" => "address is already an owner",
        "GS205" => "invalid prevOwner, owner pair provided",
        "GS300" => "guard does not implement IERC165",
        "GS301" => "module guard does not implement IERC165",
        "GS400" => "fallback handler cannot be set to self",
        _ => return None,
    })
}

/// What a revert said, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revert {
    /// A code of the Safe itself: `GS013`.
    Safe(String),
    /// Anything else: `EnforcedPause()`, a reason text, or the bare selector.
    Other(String),
}

impl Revert {
    /// Reads revert data.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        if let Ok(error) = alloy_sol_types::Revert::abi_decode(data) {
            let reason: String = error.reason.chars().filter(|c| !c.is_control()).take(120).collect();
            return if meaning(&reason).is_some() { Self::Safe(reason) } else { Self::Other(format!("{reason:?}")) };
        }
        if let Ok(panic) = alloy_sol_types::Panic::abi_decode(data) {
            return Self::Other(format!("Panic({:#x})", panic.code));
        }
        Self::Other(match data.first_chunk::<4>() {
            None => "reverted without a reason".to_owned(),
            Some(selector) => custom_error(*selector).map_or_else(
                || format!("custom error 0x{}", alloy_primitives::hex::encode(selector)),
                ToOwned::to_owned,
            ),
        })
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Safe(name) | Self::Other(name) => name,
        }
    }
}

/// Custom errors of OpenZeppelin 5 that pause paths end in.
fn custom_error(selector: [u8; 4]) -> Option<&'static str> {
    const KNOWN: [&str; 8] = [
        "EnforcedPause()",
        "ExpectedPause()",
        "OwnableUnauthorizedAccount(address)",
        "AccessControlUnauthorizedAccount(address,bytes32)",
        "AccessManagedUnauthorized(address)",
        "AccessManagerUnauthorizedAccount(address,uint64)",
        "AccessManagerNotScheduled(bytes32)",
        "ReentrancyGuardReentrantCall()",
    ];
    KNOWN.into_iter().find(|signature| keccak256(signature.as_bytes())[..4] == selector)
}

/// A number as a storage word.
pub(crate) fn word(value: u64) -> B256 {
    B256::from(U256::from(value))
}
