//! The Safe's transaction and its EIP-712 hashes, for every Safe version since 1.0.0.
//!
//! Sources: EIP-712; Safe `Safe.sol` (`SAFE_TX_TYPEHASH` 0xbb8310d4..86d8, `DOMAIN_SEPARATOR_TYPEHASH` 0x47e79534..9218).
//! The domain has a chain id since 1.3.0. Since 1.0.0 the field is `baseGas`, before it was `dataGas` (not supported).

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, sol};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::multi_send;

mod typed {
    #![allow(missing_docs, clippy::pub_underscore_fields, unreachable_pub)]
    super::sol! {
        struct SafeTx {
            address to;
            uint256 value;
            bytes data;
            uint8 operation;
            uint256 safeTxGas;
            uint256 baseGas;
            uint256 gasPrice;
            address gasToken;
            address refundReceiver;
            uint256 nonce;
        }
    }
}

/// How the Safe runs a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Plain call (0).
    Call,
    /// Delegate call (1): only to the pinned MultiSendCallOnly.
    DelegateCall,
}

/// A Safe contract version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeVersion {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Patch.
    pub patch: u8,
}

/// Why a text is no supported Safe version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("safe version {0:?} is not MAJOR.MINOR.PATCH of 1.0.0 or later")]
pub struct SafeVersionError(String);

impl FromStr for SafeVersion {
    type Err = SafeVersionError;
    fn from_str(text: &str) -> Result<Self, SafeVersionError> {
        let wrong = || SafeVersionError(text.chars().take(32).collect());
        // Safe L2 and forks append "+L2" and the like to the number.
        let number = text.split('+').next().unwrap_or_default();
        let mut parts = number.split('.').map(|part| part.parse::<u8>());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) if major >= 1 => Ok(Self { major, minor, patch }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SafeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl SafeVersion {
    /// The newest version, assumed where a user names none.
    pub const LATEST: Self = Self { major: 1, minor: 5, patch: 0 };
    /// The first version whose EIP-712 domain has a chain id.
    pub const WITH_CHAIN_ID: Self = Self { major: 1, minor: 3, patch: 0 };
}

/// The transaction that a Safe's owners sign. Nodes only ever sign one whose hash they computed from this struct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SafeTransaction {
    /// Target.
    pub to: Address,
    /// Wei sent along; Watchfire signs 0 only.
    pub value: U256,
    /// Call data.
    pub data: Bytes,
    /// Call or delegate call.
    pub operation: Operation,
    /// Gas for the inner call; 0 makes a failing inner call revert the whole and keep the nonce.
    pub safe_tx_gas: U256,
    /// Refund base gas.
    pub base_gas: U256,
    /// Refund gas price.
    pub gas_price: U256,
    /// Refund token.
    pub gas_token: Address,
    /// Refund receiver.
    pub refund_receiver: Address,
    /// Safe nonce.
    pub nonce: U256,
}

/// The three hashes that a hardware wallet shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SafeHashes {
    /// EIP-712 domain separator.
    pub domain_hash: B256,
    /// EIP-712 struct hash.
    pub message_hash: B256,
    /// What the owners sign.
    pub safe_tx_hash: B256,
}

impl SafeTransaction {
    /// A plain call with no value and no refund at this nonce.
    #[must_use]
    pub fn call(to: Address, data: Bytes, nonce: U256) -> Self {
        Self {
            to,
            value: U256::ZERO,
            data,
            operation: Operation::Call,
            safe_tx_gas: U256::ZERO,
            base_gas: U256::ZERO,
            gas_price: U256::ZERO,
            gas_token: Address::ZERO,
            refund_receiver: Address::ZERO,
            nonce,
        }
    }

    /// Several calls in one, by a delegate call to the `MultiSendCallOnly` at `packer`.
    #[must_use]
    pub fn packed<'a>(packer: Address, calls: impl IntoIterator<Item = (Address, &'a [u8])>, nonce: U256) -> Self {
        Self { operation: Operation::DelegateCall, ..Self::call(packer, multi_send::pack(calls), nonce) }
    }

    /// The rejection of a nonce: to the Safe itself, empty. It can only consume the nonce.
    #[must_use]
    pub fn rejection(safe: Address, nonce: U256) -> Self {
        Self::call(safe, Bytes::new(), nonce)
    }

    /// Domain, message and transaction hash for a Safe of this version on this chain.
    #[must_use]
    pub fn hashes(&self, version: SafeVersion, chain_id: u64, safe: Address) -> SafeHashes {
        let chain_id = (version >= SafeVersion::WITH_CHAIN_ID).then(|| U256::from(chain_id));
        let domain = Eip712Domain::new(None, None, chain_id, Some(safe), None);
        let message = typed::SafeTx {
            to: self.to,
            value: self.value,
            data: self.data.clone().into(),
            operation: match self.operation {
                Operation::Call => 0,
                Operation::DelegateCall => 1,
            },
            safeTxGas: self.safe_tx_gas,
            baseGas: self.base_gas,
            gasPrice: self.gas_price,
            gasToken: self.gas_token,
            refundReceiver: self.refund_receiver,
            nonce: self.nonce,
        };
        let domain_hash = domain.separator();
        let message_hash = message.eip712_hash_struct();
        let safe_tx_hash = keccak256([&[0x19, 0x01], domain_hash.as_slice(), message_hash.as_slice()].concat());
        SafeHashes { domain_hash, message_hash, safe_tx_hash }
    }
}

#[cfg(test)]
mod tests;
