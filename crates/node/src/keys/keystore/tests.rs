//! The keystore against its published test vector, against itself and against damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::keys::files::create_private;

fn password(text: &str) -> Password {
    Password::new(text.as_bytes()).unwrap()
}

fn written(directory: &Path) -> (PathBuf, SigningKey) {
    let path = directory.join("guardian.json");
    let key = generate().unwrap();
    write(&path, &key, &password("right"), Derivation::Light).unwrap();
    (path, key)
}

/// The scrypt vector of the Web3 Secret Storage Definition decrypts to its published secret.
#[test]
fn reads_the_published_vector() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vector.json");
    let vector = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",
        "kdfparams":{"dklen":32,"n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    create_private(&path, vector.as_bytes()).unwrap();
    let key = read(&path, &password("testpassword")).unwrap().into_key();
    assert_eq!(hex::encode(key.to_bytes()), "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
}

/// The PBKDF2 vector of the same definition.
const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
    "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
    "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
    "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

/// It decrypts to its published secret too, and another password does not open it.
#[test]
fn reads_the_published_pbkdf2_vector() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vector.json");
    create_private(&path, PBKDF2.as_bytes()).unwrap();
    let key = read(&path, &password("testpassword")).unwrap().into_key();
    assert_eq!(hex::encode(key.to_bytes()), "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
    assert!(matches!(read(&path, &password("wrong")), Err(KeyError::WrongPassword { .. })));
}

/// Rounds are bounded both ways, before any is made; what is not exactly this derivation is refused by name.
#[test]
fn pbkdf2_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    for (name, from, to, words) in [
        ("few", "262144", "999", "c=999"),
        ("none", "262144", "0", "c=0"),
        ("many", "262144", "10000001", "c=10000001"),
        ("endless", "262144", "4294967295", "c=4294967295"),
        ("prf", "hmac-sha256", "hmac-sha1", "prf=hmac-sha1"),
        ("length", "\"dklen\":32", "\"dklen\":64", "dklen=64"),
        ("salt", "ae3cd4e7", "xx", "kdfparams.salt is not hex"),
        ("mixed", "\"kdf\":\"pbkdf2\"", "\"kdf\":\"scrypt\"", "kdf \"scrypt\" with these kdfparams"),
        ("other", "\"kdf\":\"pbkdf2\"", "\"kdf\":\"argon2id\"", "kdf \"argon2id\" with these kdfparams"),
    ] {
        let path = directory.path().join(name);
        create_private(&path, PBKDF2.replace(from, to).as_bytes()).unwrap();
        let Err(error) = read(&path, &password("testpassword")) else { panic!("{name} was read") };
        assert!(matches!(error, KeyError::Malformed { .. }) && error.to_string().contains(words), "{name}: {error}");
    }
}

/// What is written is read back, with its address; another password is named.
#[test]
fn round_trip_and_wrong_password() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = written(directory.path());
    let unlocked = read(&path, &password("right")).unwrap();
    assert_eq!(unlocked.address(), address_of(&key));
    assert_eq!(unlocked.into_key().to_bytes(), key.to_bytes());
    let Err(error) = read(&path, &password("wrong")) else { panic!("a wrong password opened the key") };
    assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&hex::encode(key.to_bytes())));
}

/// The first network stays; another is refused and so is a binding that was edited.
#[test]
fn binds_to_one_network() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let (ours, other) = (NetworkId::from_bytes([1; 32]), NetworkId::from_bytes([2; 32]));
    read(&path, &password("right")).unwrap().bind(&path, ours).unwrap();
    read(&path, &password("right")).unwrap().bind(&path, ours).unwrap();
    let error = read(&path, &password("right")).unwrap().bind(&path, other).unwrap_err();
    assert!(matches!(error, KeyError::BoundElsewhere { .. }), "{error}");
    let edited = fs::read_to_string(&path).unwrap().replace(&ours.to_string(), &other.to_string());
    fs::write(&path, edited).unwrap();
    let error = read(&path, &password("right")).unwrap().bind(&path, other).unwrap_err();
    assert!(error.to_string().contains("changed by hand"), "{error}");
}

/// Cutting the binding out, or the network out of it, frees no key: neither before nor after it is bound.
#[test]
fn a_removed_binding_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let (ours, other) = (NetworkId::from_bytes([1; 32]), NetworkId::from_bytes([2; 32]));
    let edit = |change: &dyn Fn(&mut serde_json::Map<String, serde_json::Value>)| {
        let whole = fs::read(&path).unwrap();
        let mut file: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        change(file.as_object_mut().unwrap());
        fs::write(&path, file.to_string()).unwrap();
        let error = read(&path, &password("right")).unwrap().bind(&path, other).unwrap_err();
        fs::write(&path, whole).unwrap();
        error.to_string()
    };
    let removed = edit(&|file| drop(file.remove("watchfire")));
    assert!(removed.contains("binding was removed"), "{removed}");
    let unbound = fs::read(&path).unwrap();
    read(&path, &password("right")).unwrap().bind(&path, ours).unwrap();
    let removed = edit(&|file| drop(file.remove("watchfire")));
    assert!(removed.contains("binding was removed"), "{removed}");
    let cut = edit(&|file| drop(file["watchfire"].as_object_mut().unwrap().remove("network")));
    assert!(cut.contains("changed by hand"), "{cut}");
    // The state of another file does not open this one.
    let strange = directory.path().join("other.json");
    write(&strange, &generate().unwrap(), &password("right"), Derivation::Light).unwrap();
    let strange: serde_json::Value = serde_json::from_slice(&fs::read(&strange).unwrap()).unwrap();
    let pasted = edit(&|file| file["watchfire"] = strange["watchfire"].clone());
    assert!(pasted.contains("changed by hand"), "{pasted}");
    // What the module says that it cannot stop.
    fs::write(&path, unbound).unwrap();
    assert_eq!(read(&path, &password("right")).unwrap().network(&path).unwrap(), None);
}

/// A crash between writing the bound file and renaming it leaves the temporary one, which stops no later binding.
#[test]
fn binds_after_a_crash_amid_binding() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let left = directory.path().join("guardian.json.new");
    create_private(&left, b"{ half a fi").unwrap();
    let ours = NetworkId::from_bytes([1; 32]);
    read(&path, &password("right")).unwrap().bind(&path, ours).unwrap();
    assert_eq!(read(&path, &password("right")).unwrap().network(&path).unwrap(), Some(ours));
    assert!(!left.exists());
}

/// The format's code leaves the IV out; the stated address tells that another key came out of the file.
#[test]
fn refuses_a_damaged_iv() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    file["crypto"]["cipherparams"]["iv"] = "00".repeat(16).into();
    fs::write(&path, file.to_string()).unwrap();
    let Err(error) = read(&path, &password("right")) else { panic!("another key came out") };
    assert!(error.to_string().contains("damaged"), "{error}");
}

/// A file that asks for gigabytes is refused before anything is derived.
#[test]
fn refuses_excessive_cost() {
    for (n, r, p, dklen) in [
        (1 << 30, 8, 1, 32),
        (1 << 18, 1 << 20, 1, 32),
        (1 << 18, 8, 5, 32),
        (1 << 20, 8, 2, 32),
        (1 << 23, 0, 1, 32),
        (1 << 23, 1, 0, 32),
        (2, u32::MAX, u32::MAX, 32),
        (15, 8, 1, 32),
        (16, 8, 1, 16),
        (0, 8, 1, 32),
    ] {
        let params = ScryptParams { dklen, n, r, p, salt: String::new() };
        let error = scrypt(Path::new("x"), &params, &password("x")).unwrap_err();
        assert!(error.to_string().contains("not supported"), "n={n} r={r} p={p} dklen={dklen}: {error}");
    }
    assert!(affordable(1 << 18, 8, 4), "four times geth's standard");
}

proptest! {
    /// No damage to a file panics, and none yields a key other than the written one.
    #[test]
    fn damage_never_opens(at in 0usize..600, byte in any::<u8>()) {
        let directory = tempfile::tempdir().unwrap();
        let (path, key) = written(directory.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        fs::write(&path, &bytes).unwrap();
        if let Ok(unlocked) = read(&path, &password("right")) {
            prop_assert_eq!(unlocked.into_key().to_bytes(), key.to_bytes());
        }
    }
}
