//! Accounts of a drill: the funder, the attacker, and, for what owners do beside Watchfire, the owners' own keys.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aes::cipher::{KeyIvInit, StreamCipher};
use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use bytes::Bytes;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::rpc::{Receipt, Rpc, RpcError};

/// Base fee below which the fee cap is not computed: an idle drill chain lets it fall to next to nothing, 5 gwei.
const BASE_FEE_LEAST: u128 = 5_000_000_000;
/// How long a transaction may wait for its block.
const INCLUSION_MAX: Duration = Duration::from_secs(90);
/// Largest file with a bare key.
const KEY_FILE_BYTES_MAX: usize = 4 << 10;
/// Most scrypt work taken from a keystore file: n * r.
const SCRYPT_WORK_MAX: u64 = 1 << 22;

/// Why a key or a transaction failed.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A key file cannot be used.
    #[error("key file {path}: {cause}; name a file of mode 0600 with one private key of 64 hex digits", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Others than its owner may use a key file.
    #[error("key file {path} has mode {mode:04o}: others than its owner may use it; run chmod 600 on it", path = path.display())]
    LoosePermissions {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// The chain did not take or answer it.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// It could not be signed.
    #[error("{what}: cannot sign: {source}")]
    Sign {
        /// What for.
        what: String,
        /// Cause.
        source: alloy::signers::Error,
    },
    /// Mined and failed.
    #[error(
        "{what}: transaction {transaction} reverted in block {block}; see that the chain is fresh and its gas limit at least 30 million, then run this again"
    )]
    Reverted {
        /// What for.
        what: String,
        /// Hash.
        transaction: B256,
        /// Block.
        block: u64,
    },
    /// Not mined.
    #[error("{what}: transaction {transaction} was not included within {} s; see that the chain makes blocks, then run this again", INCLUSION_MAX.as_secs())]
    NotIncluded {
        /// What for.
        what: String,
        /// Hash.
        transaction: B256,
    },
}

/// What to send.
#[derive(Debug, Clone)]
pub struct Order {
    /// What it is for; appears in errors.
    pub what: String,
    /// Called contract; `None` makes one.
    pub to: Option<Address>,
    /// Wei.
    pub value: U256,
    /// Call data or creation code.
    pub data: Bytes,
    /// Gas limit.
    pub gas: u64,
    /// Tip, wei per gas: decides the order inside a block.
    pub tip: u128,
}

impl Order {
    /// A call with an ordinary tip.
    #[must_use]
    pub fn call(what: &str, to: Address, data: impl Into<Bytes>, gas: u64) -> Self {
        let tip = 1_000_000_000;
        Self { what: what.to_owned(), to: Some(to), value: U256::ZERO, data: data.into(), gas, tip }
    }

    /// A new contract.
    #[must_use]
    pub fn deploy(what: &str, code: impl Into<Bytes>) -> Self {
        Self { to: None, ..Self::call(what, Address::ZERO, code, 8_000_000) }
    }

    /// With this value.
    #[must_use]
    pub fn with_value(self, value: U256) -> Self {
        Self { value, ..self }
    }

    /// With this tip.
    #[must_use]
    pub fn with_tip(self, tip: u128) -> Self {
        Self { tip, ..self }
    }
}

/// An account with its key and next nonce.
#[derive(Debug)]
pub struct Account {
    signer: PrivateKeySigner,
    chain_id: u64,
    nonce: u64,
}

impl Account {
    /// The account of this key, with its nonce read from the chain.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn open(signer: PrivateKeySigner, chain_id: u64, rpc: &Rpc) -> Result<Self, KeyError> {
        let nonce = rpc.transaction_count(signer.address()).await?;
        Ok(Self { signer, chain_id, nonce })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Signs and hands over, without waiting for a block. The fee cap leaves room for the base fee to rise 20-fold.
    ///
    /// # Errors
    /// When the chain refuses.
    pub async fn send(&mut self, rpc: &Rpc, order: &Order) -> Result<B256, KeyError> {
        let base = rpc.base_fee().await?;
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: order.gas,
            max_fee_per_gas: fee_cap(base).saturating_add(order.tip),
            max_priority_fee_per_gas: order.tip,
            to: order.to.map_or(TxKind::Create, TxKind::Call),
            value: order.value,
            access_list: Default::default(),
            input: order.data.clone().into(),
        };
        let signature = self
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|source| KeyError::Sign { what: order.what.clone(), source })?;
        let envelope: TxEnvelope = transaction.into_signed(signature).into();
        let hash = rpc.send(&envelope.encoded_2718()).await?;
        self.nonce += 1;
        Ok(hash)
    }

    /// Sends, waits for the block, and takes a revert as an error.
    ///
    /// # Errors
    /// When it is refused, reverts, or is not included within 90 s.
    pub async fn execute(&mut self, rpc: &Rpc, order: &Order) -> Result<Receipt, KeyError> {
        let transaction = self.send(rpc, order).await?;
        let receipt = wait_for(rpc, &order.what, transaction).await?;
        if receipt.succeeded {
            Ok(receipt)
        } else {
            Err(KeyError::Reverted { what: order.what.clone(), transaction, block: receipt.block })
        }
    }
}

/// Fee cap without the tip, wei per gas: room for the base fee to rise 20-fold.
#[must_use]
pub fn fee_cap(base_fee: u128) -> u128 {
    base_fee.max(BASE_FEE_LEAST).saturating_mul(20)
}

/// Waits until a transaction is in a block.
///
/// # Errors
/// When it is not included within 90 s.
pub async fn wait_for(rpc: &Rpc, what: &str, transaction: B256) -> Result<Receipt, KeyError> {
    let poll = async {
        loop {
            if let Some(receipt) = rpc.receipt(transaction).await? {
                return Ok(receipt);
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    tokio::time::timeout(INCLUSION_MAX, poll)
        .await
        .unwrap_or_else(|_| Err(KeyError::NotIncluded { what: what.to_owned(), transaction }))
}

/// Reads a private key as 64 hex digits, with or without 0x, from a regular file of at most 4 KiB that only its owner may
/// use. What was read is wiped.
///
/// # Errors
/// [`KeyError::LoosePermissions`] when group or others have any right, [`KeyError::File`] when the file cannot be read or
/// holds something else. The error never shows its content.
pub fn read_hex(path: &Path) -> Result<PrivateKeySigner, KeyError> {
    let fault = |cause: &str| KeyError::File { path: path.to_owned(), cause: cause.to_owned() };
    let told = |error: std::io::Error| fault(&error.to_string());
    // Asked before it is opened, which alone would wait for the writer of a pipe; and again of what was opened.
    if !path.metadata().map_err(told)?.is_file() {
        return Err(fault("not a regular file"));
    }
    let file = File::open(path).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    if !metadata.is_file() {
        return Err(fault("not a regular file"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::LoosePermissions { path: path.to_owned(), mode });
    }
    // The whole capacity at once: a growing buffer would leave copies of the secret behind.
    let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(told)?;
    if text.len() > KEY_FILE_BYTES_MAX {
        return Err(fault("larger than 4096 bytes"));
    }
    let digits = std::str::from_utf8(&text).ok().map(str::trim);
    digits.and_then(from_hex).ok_or_else(|| fault("expected a private key as 64 hex digits, nothing else"))
}

/// A private key from 64 hex digits, with or without 0x.
#[must_use]
pub fn from_hex(text: &str) -> Option<PrivateKeySigner> {
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), secret.as_mut_slice()).ok()?;
    PrivateKeySigner::from_slice(secret.as_slice()).ok()
}

#[derive(Deserialize)]
struct Keystore {
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    ciphertext: String,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    n: u64,
    r: u32,
    p: u32,
    salt: String,
}

/// Opens a Web3 keystore v3 (scrypt, aes-128-ctr) that `watchfire init` made for this drill: the person who owns it acts
/// beside Watchfire, as owners of a Safe can at any time.
///
/// # Errors
/// When it is no such file or the password is another.
pub fn read_keystore(path: &Path, password: &str) -> Result<PrivateKeySigner, KeyError> {
    let fault = |cause: &str| KeyError::File { path: path.to_owned(), cause: cause.to_owned() };
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error.to_string()))?;
    let crypto = serde_json::from_str::<Keystore>(&text).map_err(|_| fault("no Web3 keystore"))?.crypto;
    let kdf = &crypto.kdfparams;
    if crypto.cipher != "aes-128-ctr" || crypto.kdf != "scrypt" {
        return Err(fault("not aes-128-ctr with scrypt"));
    }
    if !kdf.n.is_power_of_two() || kdf.n.saturating_mul(u64::from(kdf.r)) > SCRYPT_WORK_MAX || kdf.p > 16 {
        return Err(fault("key derivation out of bounds"));
    }
    let bytes = |text: &str| hex::decode(text).map_err(|_| fault("not hex where hex must be"));
    let log_n = u8::try_from(kdf.n.trailing_zeros()).map_err(|_| fault("key derivation out of bounds"))?;
    let params = scrypt::Params::new(log_n, kdf.r, kdf.p).map_err(|_| fault("key derivation out of bounds"))?;
    let mut derived = [0; 32];
    scrypt::scrypt(password.as_bytes(), &bytes(&kdf.salt)?, &params, &mut derived)
        .map_err(|_| fault("key derivation out of bounds"))?;
    let mut secret = bytes(&crypto.ciphertext)?;
    if keccak256([&derived[16..], &secret].concat()).as_slice() != bytes(&crypto.mac)?.as_slice() {
        return Err(fault("wrong password"));
    }
    let mut cipher = ctr::Ctr128BE::<aes::Aes128>::new_from_slices(&derived[..16], &bytes(&crypto.cipherparams.iv)?)
        .map_err(|_| fault("cipher parameters of a wrong length"))?;
    cipher.apply_keystream(&mut secret);
    PrivateKeySigner::from_slice(&secret).map_err(|_| fault("holds no private key"))
}

#[cfg(test)]
mod tests;
