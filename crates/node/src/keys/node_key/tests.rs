//! The node key file against itself and against OpenSSL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use pkcs8::der::asn1::OctetStringRef;

use super::*;

fn password(text: &str) -> Password {
    Password::new(text.as_bytes()).unwrap()
}

/// What is written is read back; another password is named as such.
#[test]
fn round_trip_and_wrong_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.pem");
    let key = generate().unwrap();
    write(&path, &key, &password("right"), Derivation::Light).unwrap();
    assert_eq!(read(&path, &password("right")).unwrap().to_bytes(), key.to_bytes());
    let error = read(&path, &password("wrong")).unwrap_err();
    assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
    assert!(error.to_string().contains("node.pem"));
}

/// Seals any DER under the password "right", as a file that decrypts but holds something else.
fn sealed(path: &Path, plain: &[u8]) {
    let params = scrypt::Params::new(4, 8, 1).unwrap();
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(params, &[1; 16], [2; 16]).unwrap();
    let encrypted = scheme.encrypt("right", plain).unwrap();
    let data = OctetStringRef::new(&encrypted).unwrap();
    let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: scheme.into(), encrypted_data: data };
    let pem = SecretDocument::try_from(info).unwrap().to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
    create_private(path, pem.unwrap().as_bytes()).unwrap();
}

/// CBC lets a wrong password through now and then: what comes out is told as a wrong password, not as another kind of key.
/// A key that really is of another kind is told as such.
#[test]
fn tells_a_wrong_password_from_another_kind_of_key() {
    let directory = tempfile::tempdir().unwrap();
    let (nonsense, other) = (directory.path().join("nonsense.pem"), directory.path().join("other.pem"));
    // A DER sequence with a null inside, which happens to have good padding.
    sealed(&nonsense, &[0x30, 0x02, 0x05, 0x00]);
    let error = read(&nonsense, &password("right")).unwrap_err().to_string();
    assert!(error.contains("wrong password") && error.contains("damaged") && error.contains("backup"), "{error}");
    // X25519 (1.3.101.110) in the frame of `version_is_one`.
    sealed(&other, &hex::decode(format!("302e020100300506032b656e04220420{}", "07".repeat(32))).unwrap());
    let error = read(&other, &password("right")).unwrap_err().to_string();
    assert!(error.contains("of kind 1.3.101.110, not ed25519"), "{error}");
}

/// OpenSSL, the tool an operator has, reads the file.
#[test]
fn openssl_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.pem");
    let key = generate().unwrap();
    write(&path, &key, &password("right"), Derivation::Strong).unwrap();
    let output =
        Command::new("openssl").args(["pkey", "-passin", "pass:right", "-noout", "-text", "-in"]).arg(&path).output();
    // A machine without openssl cannot run this comparison; the encoding is pinned by `version_is_one` as well.
    let Ok(output) = output else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).replace([':', ' ', '\n'], "");
    assert!(text.contains(&hex::encode(key.verifying_key().as_bytes())));
}

/// PKCS#8 v1: version 0 and no public key inside.
#[test]
fn version_is_one() {
    let plain = KeypairBytes { secret_key: [7; 32], public_key: None };
    let der = plain.to_pkcs8_der().unwrap();
    assert_eq!(hex::encode(der.as_bytes()), format!("302e020100300506032b657004220420{}", "07".repeat(32)));
}

/// A file that asks for gigabytes is refused before anything is derived.
#[test]
fn refuses_excessive_cost() {
    let params = scrypt::Params::new(24, 8, 1).unwrap();
    let scheme: EncryptionScheme =
        pbes2::Parameters::generate_scrypt_aes256cbc(params, &[0; 16], [0; 16]).unwrap().into();
    let error = check_cost(Path::new("node.pem"), &scheme).unwrap_err();
    assert!(error.to_string().contains("more work than"), "{error}");
}
