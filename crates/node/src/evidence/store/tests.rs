//! The evidence store on a real directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Store, StoreError, digest};

/// What was put is read back, is readable by its owner alone, and putting it twice changes nothing.
#[test]
fn objects_are_kept_by_their_digest() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let object = store.put(b"raw bytes").unwrap();
    assert_eq!(object, digest(b"raw bytes"));
    assert_eq!(store.put(b"raw bytes").unwrap(), object);
    assert_eq!(store.get(&object).unwrap(), b"raw bytes".as_slice());
    assert_eq!(fs::metadata(store.path(&object)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.stretch(&object, 4, 3).unwrap(), (9, b"byt".as_slice().into()));
    assert!(matches!(store.get(&digest(b"other")), Err(StoreError::Absent { .. })));
}

/// A file with other bytes than its name says is named as damaged, never served, and replaced by the true bytes.
#[test]
fn damage_is_named_and_mended() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let object = store.put(b"raw bytes").unwrap();
    for damage in [b"raw bytez".as_slice(), b"", b"raw bytes and more"] {
        fs::write(store.path(&object), damage).unwrap();
        assert!(matches!(store.get(&object), Err(StoreError::Damaged { found, .. }) if found == digest(damage)));
        store.put(b"raw bytes").unwrap();
        assert_eq!(store.get(&object).unwrap(), b"raw bytes".as_slice());
    }
}

/// What a write left that power took away is gone at the next start; whole objects stay.
#[test]
fn unfinished_writes_are_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let object = store.put(b"raw bytes").unwrap();
    let part = store.path(&object).with_extension("7.part");
    fs::write(&part, b"raw").unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert!(!part.exists());
    assert!(store.get(&object).is_ok());
}

/// The store's own name and the names in it are synced when it is opened, made or found: whoever is told that an object is there may rely on it
/// though the process that wrote it died before it could sync the name.
#[test]
fn names_are_synced_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let (node, evidence) = (directory.path(), directory.path().join("evidence"));
    let part = evidence.join("left.7.part");
    for found in [false, true] {
        if found {
            fs::write(&part, b"raw").unwrap();
        }
        let synced = RefCell::new(Vec::new());
        let sync = |path: &Path| {
            assert!(evidence.is_dir(), "made before a name is synced");
            assert!(path != evidence || !part.exists(), "what is removed is removed before its directory is synced");
            synced.borrow_mut().push(path.to_owned());
            Ok(())
        };
        Store::open_with(node, sync).unwrap();
        assert_eq!(synced.into_inner(), [node.to_owned(), evidence.clone()], "{found}");
    }
    for lost in [node, &evidence] {
        let sync = |path: &Path| if path == lost { Err(io::Error::other("the disk is gone")) } else { Ok(()) };
        let fault = Store::open_with(node, sync).unwrap_err();
        assert!(matches!(fault, StoreError::System { doing: "sync", path, .. } if path == lost));
    }
}
