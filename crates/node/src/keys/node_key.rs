//! The node's identity: an ed25519 key in encrypted PKCS#8 PEM.
//!
//! Written as PKCS#8 v1 (RFC 5208, no public key inside), PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), so that
//! `openssl pkey -in node.pem` reads it. The parameters of a file are bounded before anything is derived from them.

use std::fmt::Display;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::{EncryptionScheme, pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};

use super::files::{create_private, read_private};
use super::keystore::{WORK_MAX, affordable};
use super::{Derivation, KeyError, Password, random};

/// Most iterations that a PBKDF2 file may ask for.
const ITERATIONS_MAX: u32 = 10_000_000;

fn malformed(path: &Path, reason: impl Display) -> KeyError {
    KeyError::Malformed { path: path.to_owned(), reason: reason.to_string() }
}

/// Makes a new key.
///
/// # Errors
/// [`KeyError::Entropy`].
pub fn generate() -> Result<SigningKey, KeyError> {
    Ok(SigningKey::from_bytes(&zeroize::Zeroizing::new(random::<32>()?)))
}

/// Writes the key, encrypted; never over an existing file.
///
/// # Errors
/// [`KeyError::Exists`], [`KeyError::Io`], [`KeyError::Entropy`].
pub fn write(path: &Path, key: &SigningKey, password: &Password, derivation: Derivation) -> Result<(), KeyError> {
    let log_n = match derivation {
        Derivation::Strong => 14,
        Derivation::Light => 4,
    };
    let params = scrypt::Params::new(log_n, 8, 1).map_err(|error| malformed(path, error))?;
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(params, &salt, iv).map_err(|e| malformed(path, e))?;
    let plain = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let der = plain.to_pkcs8_der().map_err(|error| malformed(path, error))?;
    let info = PrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|error| malformed(path, error))?;
    let sealed = info.encrypt_with_params(scheme, password.bytes()).map_err(|error| malformed(path, error))?;
    let pem =
        sealed.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF).map_err(|error| malformed(path, error))?;
    create_private(path, pem.as_bytes())
}

/// Reads and decrypts the key.
///
/// # Errors
/// [`KeyError::WrongPassword`], [`KeyError::LoosePermissions`], [`KeyError::Malformed`], [`KeyError::Io`].
pub fn read(path: &Path, password: &Password) -> Result<SigningKey, KeyError> {
    let bytes = read_private(path)?;
    let pem = std::str::from_utf8(&bytes).map_err(|_| malformed(path, "not PEM text"))?;
    let (label, document) = SecretDocument::from_pem(pem).map_err(|error| malformed(path, error))?;
    EncryptedPrivateKeyInfoRef::validate_pem_label(label)
        .map_err(|_| malformed(path, format!("PEM label {label:?} is not ENCRYPTED PRIVATE KEY")))?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| malformed(path, error))?;
    check_cost(path, &info.encryption_algorithm)?;
    // CBC has no authentication of its own: a wrong password shows as bad padding or as text that is no PKCS#8 at all.
    let wrong = || KeyError::WrongPassword { path: path.to_owned() };
    let plain = info.decrypt(password.bytes()).map_err(|_| wrong())?;
    let kind = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|_| wrong())?.algorithm.oid;
    if kind != ed25519_dalek::pkcs8::ALGORITHM_OID {
        return Err(malformed(
            path,
            format!("it holds a key of kind {kind}, not ed25519 ({})", ed25519_dalek::pkcs8::ALGORITHM_OID),
        ));
    }
    let key = KeypairBytes::from_pkcs8_der(plain.as_bytes()).map_err(|_| wrong())?;
    Ok(SigningKey::from_bytes(&key.secret_key))
}

fn check_cost(path: &Path, scheme: &EncryptionScheme) -> Result<(), KeyError> {
    let parameters = scheme.pbes2().ok_or_else(|| malformed(path, "not encrypted with PBES2"))?;
    if let Some(scrypt) = parameters.kdf.scrypt() {
        let (r, p) = (u32::from(scrypt.block_size), u32::from(scrypt.parallelization));
        if !affordable(scrypt.cost_parameter, r, p) {
            return Err(malformed(
                path,
                format!("its scrypt parameters ask for more work than N * r * p = {WORK_MAX}"),
            ));
        }
    }
    if parameters.kdf.pbkdf2().is_some_and(|pbkdf2| pbkdf2.iteration_count > ITERATIONS_MAX) {
        return Err(malformed(path, format!("it asks for more than {ITERATIONS_MAX} PBKDF2 iterations")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
