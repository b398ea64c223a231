//! Private files on a real file system.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

/// A key file is 0600 from its first moment and never written over.
#[test]
fn creates_private_and_never_overwrites() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    create_private(&path, b"one").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(matches!(create_private(&path, b"two"), Err(KeyError::Exists { .. })));
    assert_eq!(read_private(&path).unwrap().as_slice(), b"one");
    replace_private(&path, b"three").unwrap();
    assert_eq!(read_private(&path).unwrap().as_slice(), b"three");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

/// Any right of group or others is refused by name.
#[test]
fn refuses_loose_permissions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    create_private(&path, b"one").unwrap();
    for mode in [0o640, 0o604, 0o610, 0o601, 0o660, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read_private(&path).unwrap_err();
        assert!(matches!(error, KeyError::LoosePermissions { .. }), "{mode:o}: {error}");
        assert!(error.to_string().contains("chmod 600"));
    }
}

/// A file of any size costs a bounded read.
#[test]
fn refuses_large_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    create_private(&path, &vec![0; 65_537]).unwrap();
    assert!(matches!(read_private(&path), Err(KeyError::Malformed { .. })));
}

/// A pipe that nobody writes into is refused at once instead of waited for, whoever else guards the file.
#[test]
fn refuses_pipes_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    for read in [read_private, read_shared] {
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
