//! The real Safe of a drill: deployment, and transactions that its owners sign outside of Watchfire.

use std::path::Path;

use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use bytes::Bytes;
use thiserror::Error;
use watchfire_types::{SafeTransaction, SafeVersion};

use crate::artifact::{self, ArtifactError};
use crate::key::{Account, KeyError, Order};
use crate::rpc::{Rpc, RpcError};

mod abi {
    #![allow(missing_docs, clippy::too_many_arguments, unreachable_pub)]
    super::sol! {
        function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver);
        function createProxyWithNonce(address singleton, bytes initializer, uint256 saltNonce) returns (address);
        function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures);
        function setGuard(address guard);
        function nonce() returns (uint256);
        function getOwners() returns (address[]);
        function getThreshold() returns (uint256);
    }
}

/// Why a Safe could not be set up or used.
#[derive(Debug, Error)]
pub enum SafeError {
    /// No bytecode.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A transaction failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A read failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// A transaction that should make a contract made none, or a read has another shape.
    #[error("the chain answered nothing usable for {what}; see that it is a fresh chain of a current EVM")]
    Shape {
        /// What was wanted.
        what: &'static str,
    },
    /// An owner's key refused.
    #[error("an owner's key cannot sign: {0}")]
    Sign(#[from] alloy::signers::Error),
}

/// A deployed Safe 1.5.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safe {
    /// Chain.
    pub chain_id: u64,
    /// Proxy.
    pub address: Address,
    /// The MultiSendCallOnly deployed beside it.
    pub multi_send_call_only: Address,
    /// keccak-256 of that contract's code.
    pub multi_send_code_hash: B256,
}

impl Safe {
    /// Deploys singleton, factory, MultiSendCallOnly and a proxy with these owners.
    ///
    /// # Errors
    /// When an artifact is missing or the chain refuses.
    pub async fn deploy(
        rpc: &Rpc,
        payer: &mut Account,
        modules: &Path,
        owners: &[Address],
        threshold: u64,
    ) -> Result<Self, SafeError> {
        let chain_id = rpc.chain_id().await?;
        let mut make = async |what: &'static str, contract: &str| -> Result<Address, SafeError> {
            let code = artifact::safe_bytecode(modules, contract)?;
            let receipt = payer.execute(rpc, &Order::deploy(what, code)).await?;
            receipt.contract.ok_or(SafeError::Shape { what })
        };
        let singleton = make("the Safe singleton", artifact::safe::SINGLETON).await?;
        let factory = make("the Safe proxy factory", artifact::safe::FACTORY).await?;
        let multi_send_call_only = make("MultiSendCallOnly", artifact::safe::MULTI_SEND_CALL_ONLY).await?;
        let setup = abi::setupCall {
            owners: owners.to_vec(),
            threshold: U256::from(threshold),
            to: Address::ZERO,
            data: Default::default(),
            fallbackHandler: Address::ZERO,
            paymentToken: Address::ZERO,
            payment: U256::ZERO,
            paymentReceiver: Address::ZERO,
        };
        let initializer = setup.abi_encode().into();
        let create = abi::createProxyWithNonceCall { singleton, initializer, saltNonce: U256::ZERO }.abi_encode();
        let address = read_address(&rpc.view(factory, &create, None).await?)?;
        payer.execute(rpc, &Order::call("the Safe proxy", factory, create, 2_000_000)).await?;
        let code = rpc.call("eth_getCode", serde_json::json!([multi_send_call_only, "latest"])).await?;
        let code = code.as_str().and_then(|text| hex::decode(text.trim_start_matches("0x")).ok());
        let multi_send_code_hash = keccak256(code.ok_or(SafeError::Shape { what: "a contract's code" })?);
        Ok(Self { chain_id, address, multi_send_call_only, multi_send_code_hash })
    }

    /// Its current nonce.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn nonce(&self, rpc: &Rpc) -> Result<u64, SafeError> {
        let answer = rpc.view(self.address, &abi::nonceCall {}.abi_encode(), None).await?;
        let nonce = U256::abi_decode(&answer).map_err(|_| SafeError::Shape { what: "the Safe's nonce" })?;
        u64::try_from(nonce).map_err(|_| SafeError::Shape { what: "the Safe's nonce" })
    }

    /// Its owners, as the chain lists them, and its threshold.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn owners(&self, rpc: &Rpc) -> Result<(Vec<Address>, u64), SafeError> {
        let shape = |_| SafeError::Shape { what: "the Safe's owners" };
        let owners = rpc.view(self.address, &abi::getOwnersCall {}.abi_encode(), None).await?;
        let threshold = rpc.view(self.address, &abi::getThresholdCall {}.abi_encode(), None).await?;
        let threshold = U256::abi_decode(&threshold).map_err(shape)?;
        Ok((Vec::abi_decode(&owners).map_err(shape)?, u64::try_from(threshold).unwrap_or(u64::MAX)))
    }

    /// Hash that owners sign for this transaction.
    #[must_use]
    pub fn hash(&self, transaction: &SafeTransaction) -> B256 {
        transaction.hashes(SafeVersion::LATEST, self.chain_id, self.address).safe_tx_hash
    }

    /// A call from this Safe, signed by these owners, ready to be sent by anyone.
    ///
    /// # Errors
    /// When a key refuses.
    pub fn signed_call(
        &self,
        what: &str,
        transaction: &SafeTransaction,
        owners: &[PrivateKeySigner],
    ) -> Result<Order, SafeError> {
        let hash = self.hash(transaction);
        let mut signatures = Vec::new();
        for owner in owners {
            signatures.push((owner.address(), owner.sign_hash_sync(&hash)?.as_bytes()));
        }
        // The Safe takes signatures in the order of their owners' addresses only.
        signatures.sort();
        let exec = abi::execTransactionCall {
            to: transaction.to,
            value: transaction.value,
            data: transaction.data.clone().into(),
            operation: 0,
            safeTxGas: transaction.safe_tx_gas,
            baseGas: transaction.base_gas,
            gasPrice: transaction.gas_price,
            gasToken: transaction.gas_token,
            refundReceiver: transaction.refund_receiver,
            signatures: signatures.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<_>>().into(),
        };
        Ok(Order::call(what, self.address, exec.abi_encode(), 600_000))
    }

    /// The owners set this guard.
    #[must_use]
    pub fn set_guard(&self, guard: Address, nonce: u64) -> SafeTransaction {
        SafeTransaction::call(self.address, abi::setGuardCall { guard }.abi_encode().into(), U256::from(nonce))
    }

    /// A transaction of no interest to anyone that takes a nonce.
    #[must_use]
    pub fn unrelated(&self, to: Address, nonce: u64) -> SafeTransaction {
        SafeTransaction::call(to, Bytes::new(), U256::from(nonce))
    }
}

fn read_address(answer: &[u8]) -> Result<Address, SafeError> {
    Address::abi_decode(answer).map_err(|_| SafeError::Shape { what: "an address" })
}
