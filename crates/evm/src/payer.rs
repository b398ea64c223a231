//! The outer transaction and who signs it. No key is held in this crate.

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::Encodable2718;
use alloy::eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes as AlloyBytes, Signature, TxKind, U256};
use bytes::Bytes;
use watchfire_types::ChainId;

/// Signs the outer transactions of one plain account that is used for nothing else.
pub trait GasPayer: Send + Sync {
    /// The account.
    fn address(&self) -> Address;
    /// r || s || v over [`OuterTransaction::signing_hash`], v being 27 or 28 (or 0 or 1).
    ///
    /// # Errors
    /// One line, such as a locked key.
    fn sign_transaction(&self, transaction: &OuterTransaction) -> Result<[u8; 65], String>;
}

/// A call of `execTransaction` without value, as an EIP-1559 transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OuterTransaction {
    /// Chain.
    pub chain: ChainId,
    /// Nonce of the paying account.
    pub nonce: u64,
    /// The Safe.
    pub to: Address,
    /// Call data.
    pub data: Bytes,
    /// Gas limit.
    pub gas: u64,
    /// Fee cap, wei per gas.
    pub max_fee_per_gas: u128,
    /// Tip, wei per gas.
    pub max_priority_fee_per_gas: u128,
}

/// A signed transaction as it goes to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) hash: B256,
    pub(crate) raw: AlloyBytes,
}

impl OuterTransaction {
    /// What the payer signs: keccak-256 of the EIP-2718 encoding without signature.
    #[must_use]
    pub fn signing_hash(&self) -> B256 {
        self.consensus().signature_hash()
    }

    fn consensus(&self) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain.get(),
            nonce: self.nonce,
            gas_limit: self.gas,
            max_fee_per_gas: self.max_fee_per_gas,
            max_priority_fee_per_gas: self.max_priority_fee_per_gas,
            to: TxKind::Call(self.to),
            value: U256::ZERO,
            access_list: AccessList::default(),
            input: self.data.clone().into(),
        }
    }

    /// Signs through the payer and checks that the signature is the payer's.
    pub(crate) fn signed_by(&self, payer: &dyn GasPayer) -> Result<Signed, String> {
        let bytes = payer.sign_transaction(self)?;
        let signature = Signature::from_raw_array(&bytes).map_err(|error| format!("signature: {error}"))?;
        let signer = signature.recover_address_from_prehash(&self.signing_hash()).map_err(|error| error.to_string())?;
        if signer != payer.address() {
            return Err(format!("signed by {signer}, not by the gas payer {}", payer.address()));
        }
        let envelope = TxEnvelope::from(self.consensus().into_signed(signature));
        Ok(Signed { hash: *envelope.tx_hash(), raw: envelope.encoded_2718().into() })
    }
}
