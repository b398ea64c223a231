//! Web3 secret storage, version 3, written and read here: scrypt (read also: PBKDF2 with HMAC-SHA-256), AES-128-CTR, keccak-256 as the
//! authentication code.
//!
//! Source: the Web3 Secret Storage Definition of ethereum.org. Every number of a file is bounded before it costs memory
//! or time.
//!
//! Every file written here carries one more member, `watchfire`: the network that the key serves, or that it serves none
//! yet, authenticated under the password. A guardian key without it is not used, so that nobody moves a guardian key to
//! another network by editing or cutting its file. What this cannot stop: whoever puts back an older copy of the file, from
//! before it was bound, has a key that can be bound anew. Keep no copies of unbound files.

use std::fmt::Display;
use std::path::Path;

use aes::cipher::{KeyIvInit, StreamCipher};
use alloy::primitives::{Address, B256, Keccak256};
use k256::ecdsa::SigningKey;
use serde::{Deserialize, Serialize};
use watchfire_types::NetworkId;
use zeroize::Zeroizing;

use super::files::{create_private, read_private, replace_private};
use super::{Derivation, KeyError, Password, random};

/// Most work that a file may make scrypt do: N * r * p, four times geth's standard (2^18 * 8 * 1). It bounds the memory too:
/// 128 * N * r is 1 GiB at most.
pub(super) const WORK_MAX: u64 = 1 << 23;
/// Most rounds that a file may make PBKDF2 do, forty times what the definition's vector takes: some seconds.
const ROUNDS_MAX: u32 = 10_000_000;
/// Fewest rounds that are taken for a derivation at all, by RFC 8018.
const ROUNDS_MIN: u32 = 1_000;
const BOUND: &[u8] = b"watchfire/v1/keystore-network\0";
const UNBOUND: &[u8] = b"watchfire/v1/keystore-unbound\0";

type Cipher = ctr::Ctr128BE<aes::Aes128>;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    crypto: Crypto,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watchfire: Option<Binding>,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    ciphertext: String,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

/// By the members that are there; `kdf` must name the same.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KdfParams {
    Scrypt(ScryptParams),
    Pbkdf2(Pbkdf2Params),
}

#[derive(Serialize, Deserialize)]
struct Pbkdf2Params {
    dklen: u32,
    c: u32,
    prf: String,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct ScryptParams {
    dklen: u32,
    n: u64,
    r: u32,
    p: u32,
    salt: String,
}

/// Without a network: made here and not bound yet.
#[derive(Serialize, Deserialize)]
struct Binding {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<NetworkId>,
    mac: String,
}

impl Binding {
    fn new(network: Option<NetworkId>, mac_key: &[u8]) -> Self {
        let mac = match network {
            Some(network) => digest(&[mac_key, BOUND, network.as_bytes()]),
            None => digest(&[mac_key, UNBOUND]),
        };
        Self { network, mac: hex::encode(mac) }
    }
}

/// A decrypted keystore: the key, and what it takes to bind its file.
pub struct Unlocked {
    key: SigningKey,
    mac_key: Zeroizing<[u8; 16]>,
    file: File,
}

fn malformed(path: &Path, reason: impl Display) -> KeyError {
    KeyError::Malformed { path: path.to_owned(), reason: reason.to_string() }
}

/// Makes a new secp256k1 key.
///
/// # Errors
/// [`KeyError::Entropy`].
pub fn generate() -> Result<SigningKey, KeyError> {
    loop {
        let secret = Zeroizing::new(random::<32>()?);
        // Fails only for 0 and values at or above the curve's order: 2^-128.
        if let Ok(key) = SigningKey::from_slice(secret.as_slice()) {
            return Ok(key);
        }
    }
}

/// The address that a key signs as.
#[must_use]
pub fn address_of(key: &SigningKey) -> Address {
    Address::from_public_key(key.verifying_key())
}

/// Writes the key, encrypted and bound to no network yet; never over an existing file.
///
/// # Errors
/// [`KeyError::Exists`], [`KeyError::Io`], [`KeyError::Entropy`].
pub fn write(path: &Path, key: &SigningKey, password: &Password, derivation: Derivation) -> Result<(), KeyError> {
    let n = match derivation {
        Derivation::Strong => 1 << 18,
        Derivation::Light => 1 << 4,
    };
    let (salt, iv) = (random::<32>()?, random::<16>()?);
    let kdfparams = ScryptParams { dklen: 32, n, r: 8, p: 1, salt: hex::encode(salt) };
    let derived = scrypt(path, &kdfparams, password)?;
    let mut cipher = Cipher::new_from_slices(&derived[..16], &iv).map_err(|error| malformed(path, error))?;
    let mut ciphertext = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
    cipher.apply_keystream(ciphertext.as_mut_slice());
    let file = File {
        version: 3,
        id: uuid(random::<16>()?),
        address: Some(hex::encode(address_of(key))),
        crypto: Crypto {
            cipher: "aes-128-ctr".to_owned(),
            mac: hex::encode(digest(&[&derived[16..], ciphertext.as_slice()])),
            ciphertext: hex::encode(ciphertext.as_slice()),
            cipherparams: CipherParams { iv: hex::encode(iv) },
            kdf: "scrypt".to_owned(),
            kdfparams: KdfParams::Scrypt(kdfparams),
        },
        watchfire: Some(Binding::new(None, &derived[16..])),
    };
    create_private(path, &json(path, &file)?)
}

/// keccak-256 over the parts, without joining key bytes in a buffer that nobody wipes.
fn digest(parts: &[&[u8]]) -> B256 {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// RFC 9562 version 4, which the format wants as `id`; not secret.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn json(path: &Path, file: &File) -> Result<Vec<u8>, KeyError> {
    let mut bytes = serde_json::to_vec_pretty(file).map_err(|error| malformed(path, error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Whether scrypt with these parameters stays within [`WORK_MAX`].
pub(super) fn affordable(n: u64, r: u32, p: u32) -> bool {
    let work = n.checked_mul(u64::from(r)).and_then(|product| product.checked_mul(u64::from(p)));
    work.is_some_and(|work| (1..=WORK_MAX).contains(&work))
}

fn derive(path: &Path, crypto: &Crypto, password: &Password) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    match (crypto.kdf.as_str(), &crypto.kdfparams) {
        ("scrypt", KdfParams::Scrypt(params)) => scrypt(path, params, password),
        ("pbkdf2", KdfParams::Pbkdf2(params)) => pbkdf2(path, params, password),
        (other, _) => {
            let other: String = other.chars().take(40).collect();
            Err(malformed(path, format!("kdf {other:?} with these kdfparams; wanted: scrypt or pbkdf2 with its own")))
        }
    }
}

fn pbkdf2(path: &Path, params: &Pbkdf2Params, password: &Password) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let Pbkdf2Params { dklen, c, prf, .. } = params;
    if !(ROUNDS_MIN..=ROUNDS_MAX).contains(c) || *dklen != 32 || prf != "hmac-sha256" {
        let prf: String = prf.chars().take(40).collect();
        let reason = format!(
            "pbkdf2 parameters c={c} prf={prf} dklen={dklen} are not supported (c from {ROUNDS_MIN} to {ROUNDS_MAX}, prf \
             hmac-sha256, dklen 32)"
        );
        return Err(malformed(path, reason));
    }
    let salt = salt(path, &params.salt)?;
    let mut derived = Zeroizing::new([0; 32]);
    ::pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.bytes(), &salt, *c, derived.as_mut_slice());
    Ok(derived)
}

fn salt(path: &Path, text: &str) -> Result<Vec<u8>, KeyError> {
    hex::decode(text).map_err(|_| malformed(path, "kdfparams.salt is not hex"))
}

fn scrypt(path: &Path, params: &ScryptParams, password: &Password) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let ScryptParams { dklen, n, r, p, .. } = params;
    if !n.is_power_of_two() || *n < 2 || !affordable(*n, *r, *p) || *dklen != 32 {
        let reason = format!(
            "scrypt parameters n={n} r={r} p={p} dklen={dklen} are not supported (n a power of two, n*r*p from 2 to \
             {WORK_MAX}, dklen 32)"
        );
        return Err(malformed(path, reason));
    }
    let log_n = u8::try_from(params.n.trailing_zeros()).unwrap_or(u8::MAX);
    let scrypt_params = scrypt::Params::new(log_n, params.r, params.p).map_err(|error| malformed(path, error))?;
    let salt = salt(path, &params.salt)?;
    let mut derived = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.bytes(), &salt, &scrypt_params, derived.as_mut_slice())
        .map_err(|error| malformed(path, error))?;
    Ok(derived)
}

/// Reads and decrypts a keystore, from this or any other tool that writes version 3 with scrypt or PBKDF2.
///
/// # Errors
/// [`KeyError::WrongPassword`], [`KeyError::LoosePermissions`], [`KeyError::Malformed`], [`KeyError::Io`].
pub fn read(path: &Path, password: &Password) -> Result<Unlocked, KeyError> {
    let bytes = read_private(path)?;
    let file: File = serde_json::from_slice(&bytes)
        .map_err(|error| malformed(path, format!("not a version 3 keystore with scrypt or pbkdf2: {error}")))?;
    let crypto = &file.crypto;
    if file.version != 3 || crypto.cipher != "aes-128-ctr" {
        let reason = format!("version {} with {}; wanted: 3, aes-128-ctr", file.version, crypto.cipher);
        return Err(malformed(path, reason.chars().take(200).collect::<String>()));
    }
    let mut iv = [0; 16];
    hex::decode_to_slice(&crypto.cipherparams.iv, &mut iv).map_err(|_| malformed(path, "iv is not 16 bytes of hex"))?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(&crypto.ciphertext, secret.as_mut_slice())
        .map_err(|_| malformed(path, "ciphertext is not 32 bytes of hex"))?;
    let derived = derive(path, crypto, password)?;
    let mac = digest(&[&derived[16..], secret.as_slice()]);
    if !crypto.mac.eq_ignore_ascii_case(&hex::encode(mac)) {
        return Err(KeyError::WrongPassword { path: path.to_owned() });
    }
    let mut cipher = Cipher::new_from_slices(&derived[..16], &iv).map_err(|error| malformed(path, error))?;
    cipher.apply_keystream(secret.as_mut_slice());
    let key = SigningKey::from_slice(secret.as_slice()).map_err(|_| malformed(path, "not a secp256k1 key"))?;
    // The format's authentication code leaves the IV out: a damaged IV decrypts to some other key, which the address tells.
    let stated = file.address.as_deref().map(|text| text.strip_prefix("0x").unwrap_or(text));
    if stated.is_some_and(|stated| !stated.eq_ignore_ascii_case(&hex::encode(address_of(&key)))) {
        return Err(malformed(path, "its key is not that of the address it states: the file is damaged"));
    }
    let mut mac_key = Zeroizing::new([0; 16]);
    mac_key.copy_from_slice(&derived[16..]);
    Ok(Unlocked { key, mac_key, file })
}

impl Unlocked {
    /// The key.
    #[must_use]
    pub fn into_key(self) -> SigningKey {
        self.key
    }

    /// The address that the key signs as.
    #[must_use]
    pub fn address(&self) -> Address {
        address_of(&self.key)
    }

    /// The network that the key is bound to; `None` when it is bound to none, or when another tool wrote the file.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the binding was edited.
    pub fn network(&self, path: &Path) -> Result<Option<NetworkId>, KeyError> {
        let Some(Binding { network, mac }) = &self.file.watchfire else { return Ok(None) };
        if *mac != Binding::new(*network, self.mac_key.as_slice()).mac {
            return Err(malformed(path, "its network binding was changed by hand; restore the file from its backup"));
        }
        Ok(*network)
    }

    /// Binds the key to a network: at the first call the file is rewritten, durably, before this returns; later calls
    /// check it.
    ///
    /// # Errors
    /// [`KeyError::BoundElsewhere`] for another network, [`KeyError::Malformed`] when the binding was edited or is not there,
    /// [`KeyError::Io`].
    pub fn bind(&mut self, path: &Path, network: NetworkId) -> Result<(), KeyError> {
        if self.file.watchfire.is_none() {
            let reason = "it does not say which network it serves: its network binding was removed, or another tool wrote \
                          it; restore the file from its backup, or take the key in with `watchfire init --import-guardian`";
            return Err(malformed(path, reason));
        }
        match self.network(path)? {
            Some(bound) if bound == network => Ok(()),
            Some(bound) => Err(KeyError::BoundElsewhere { path: path.to_owned(), bound, network }),
            None => {
                self.file.watchfire = Some(Binding::new(Some(network), self.mac_key.as_slice()));
                replace_private(path, &json(path, &self.file)?)
            }
        }
    }
}

#[cfg(test)]
mod tests;
