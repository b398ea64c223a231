//! A real Safe, 1.5.0 where nothing else is said, with a vault that it may pause.

use std::collections::BTreeSet;

use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use bytes::Bytes;
use serde_json::json;
use watchfire_types::duty::{Postcondition, Preflight, Submission};
use watchfire_types::{BlockRef, Operation, Read, SafeTransaction, SafeVersion, Severity, multi_send};

use super::anvil::{Anvil, CHAIN, own_artifact, safe_artifact};
use crate::payer::{GasPayer, OuterTransaction};

sol! {
    function setup(address[] owners, uint256 threshold, address to, bytes data, address handler, address token, uint256 payment, address receiver);
    function createProxyWithNonce(address singleton, bytes initializer, uint256 salt) returns (address);
    function getTransactionHash(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce) returns (bytes32);
    function pause();
    function paused() returns (bool);
}

pub(super) struct World {
    pub(super) anvil: Anvil,
    pub(super) safe: Address,
    pub(super) vault: Address,
    /// Ascending by address.
    pub(super) owners: Vec<PrivateKeySigner>,
}

pub(super) struct Payer(pub(super) PrivateKeySigner);

impl GasPayer for Payer {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign_transaction(&self, transaction: &OuterTransaction) -> Result<[u8; 65], String> {
        self.0.sign_hash_sync(&transaction.signing_hash()).map(|s| s.as_bytes()).map_err(|error| error.to_string())
    }
}

pub(super) fn payer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256("payer")).unwrap()
}

impl World {
    /// A 3-of-5 Safe that is the vault's pauser, and a funded gas payer.
    pub(super) async fn new() -> Self {
        Self::with_safe_of(safe_artifact).await
    }

    /// The same with the Safe contracts that `artifact` gives.
    pub(super) async fn with_safe_of(artifact: impl Fn(&str) -> alloy_primitives::Bytes) -> Self {
        let anvil = Anvil::start();
        let singleton = anvil.deploy(artifact("Safe.sol/Safe.json")).await;
        let factory = anvil.deploy(artifact("proxies/SafeProxyFactory.sol/SafeProxyFactory.json")).await;
        let mut owners: Vec<_> =
            (0..5).map(|i| PrivateKeySigner::from_bytes(&keccak256(format!("owner {i}"))).unwrap()).collect();
        owners.sort_by_key(PrivateKeySigner::address);
        let initializer = setupCall {
            owners: owners.iter().map(PrivateKeySigner::address).collect(),
            threshold: U256::from(3),
            to: Address::ZERO,
            data: Default::default(),
            handler: Address::ZERO,
            token: Address::ZERO,
            payment: U256::ZERO,
            receiver: Address::ZERO,
        };
        let create =
            createProxyWithNonceCall { singleton, initializer: initializer.abi_encode().into(), salt: U256::ZERO };
        let receipt = anvil.send(Some(factory), create.abi_encode().into()).await;
        let logs = receipt["logs"].as_array().unwrap();
        let created = keccak256("ProxyCreation(address,address)").to_string();
        let proxy = logs.iter().find(|log| log["topics"][0] == created.as_str()).unwrap();
        let safe = Address::from_word(proxy["topics"][1].as_str().unwrap().parse().unwrap());
        let arguments = (safe, U256::from(1)).abi_encode();
        let vault = anvil.deploy([own_artifact("Vault").to_vec(), arguments].concat().into()).await;
        anvil.fund(payer().address(), U256::from(10).pow(U256::from(18))).await;
        Self { anvil, safe, vault, owners }
    }

    pub(super) fn pause(&self, nonce: u64) -> SafeTransaction {
        SafeTransaction::call(self.vault, pauseCall {}.abi_encode().into(), U256::from(nonce))
    }

    /// Two calls of the vault in one transaction, over a MultiSendCallOnly of the Safe's own release: whether it is paused, then the pause.
    pub(super) async fn look_and_pause(
        &self,
        nonce: u64,
        artifact: impl Fn(&str) -> alloy_primitives::Bytes,
    ) -> SafeTransaction {
        let several = self.anvil.deploy(artifact("libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json")).await;
        let calls = [pausedCall {}.abi_encode(), pauseCall {}.abi_encode()];
        let data = multi_send::pack(calls.iter().map(|data| (self.vault, data.as_slice())));
        let mut transaction = SafeTransaction::call(several, data, U256::from(nonce));
        transaction.operation = Operation::DelegateCall;
        transaction
    }

    pub(super) fn hash(&self, transaction: &SafeTransaction) -> B256 {
        transaction.hashes(SafeVersion::LATEST, CHAIN.get(), self.safe).safe_tx_hash
    }

    pub(super) fn signatures(&self, transaction: &SafeTransaction, count: usize) -> Bytes {
        let hash = self.hash(transaction);
        let each = self.owners.iter().take(count).map(|owner| owner.sign_hash_sync(&hash).unwrap().as_bytes());
        each.flatten().collect::<Vec<u8>>().into()
    }

    pub(super) fn paused(&self) -> Read {
        Read::Call { to: self.vault, data: pausedCall {}.abi_encode().into() }
    }

    fn is_paused_after(&self) -> Postcondition {
        Postcondition { chain: CHAIN, read: self.paused(), equals: U256::ONE.to_be_bytes::<32>().to_vec().into() }
    }

    pub(super) fn preflight(&self, transaction: SafeTransaction, at: BlockRef) -> Preflight {
        Preflight {
            chain: CHAIN,
            safe: self.safe,
            safe_tx_hash: self.hash(&transaction),
            transaction,
            signatures: None,
            owner: self.owners[1].address(),
            submitter: payer().address(),
            postconditions: BTreeSet::from([self.is_paused_after()]),
            at,
        }
    }

    pub(super) fn submission(&self, transaction: SafeTransaction, rank: u16) -> Submission {
        Submission {
            chain: CHAIN,
            safe: self.safe,
            safe_tx_hash: self.hash(&transaction),
            signatures: self.signatures(&transaction, 3),
            postconditions: BTreeSet::from([self.is_paused_after()]),
            transaction,
            rank,
            severity: Severity::Sev1,
        }
    }

    /// Executes a Safe transaction from anvil's own account.
    pub(super) async fn execute(&self, transaction: &SafeTransaction) {
        let data = crate::safe::exec_transaction(transaction, &self.signatures(transaction, 3));
        self.anvil.send(Some(self.safe), data.into()).await;
    }

    /// From now on the vault answers `pause()` with `EnforcedPause()`, and every other call with a word of zeros: it is not paused.
    pub(super) async fn feign_pause(&self) {
        let code = "0x60003560e01c638456cb5914601457602060\
                    00f35b63d93c066560e01b60005260046000fd";
        self.anvil.call("anvil_setCode", json!([self.vault, code])).await;
        self.anvil.mine(1).await;
    }

    pub(super) async fn is_paused(&self) -> bool {
        let data: alloy_primitives::Bytes = pausedCall {}.abi_encode().into();
        let answer = self.anvil.call("eth_call", json!([{ "to": self.vault, "data": data }, "latest"])).await;
        answer.as_str().unwrap().ends_with('1')
    }
}

/// Goal: the hash that owners sign is the one that the deployed Safe computes, for every field.
#[tokio::test]
async fn safe_tx_hash_equals_the_deployed_safes() {
    let world = World::new().await;
    let mut odd = SafeTransaction::call(
        address!("1111111111111111111111111111111111111111"),
        vec![1, 2, 3].into(),
        U256::from(9),
    );
    odd.value = U256::from(7);
    odd.operation = Operation::DelegateCall;
    odd.safe_tx_gas = U256::from(1);
    odd.base_gas = U256::from(2);
    odd.gas_price = U256::from(3);
    odd.gas_token = address!("2222222222222222222222222222222222222222");
    odd.refund_receiver = address!("3333333333333333333333333333333333333333");
    for tx in [world.pause(0), world.pause(41), SafeTransaction::rejection(world.safe, U256::from(5)), odd] {
        let call = getTransactionHashCall {
            to: tx.to,
            value: tx.value,
            data: tx.data.clone().into(),
            operation: u8::from(tx.operation == Operation::DelegateCall),
            safeTxGas: tx.safe_tx_gas,
            baseGas: tx.base_gas,
            gasPrice: tx.gas_price,
            gasToken: tx.gas_token,
            refundReceiver: tx.refund_receiver,
            nonce: tx.nonce,
        };
        let data: alloy_primitives::Bytes = call.abi_encode().into();
        let onchain = world.anvil.call("eth_call", json!([{ "to": world.safe, "data": data }, "latest"])).await;
        assert_eq!(onchain.as_str().unwrap().parse::<B256>().unwrap(), world.hash(&tx));
    }
}
