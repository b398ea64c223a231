//! That the names of directories are made durable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io;
use std::path::{Path, PathBuf};

use super::make;

/// Each directory's name is durable before the next is made inside it, and so is the name of one that a process made which was killed
/// before it came to that.
#[test]
fn names_of_directories_are_durable() {
    let place = tempfile::tempdir().unwrap();
    let (a, b) = (place.path().join("a"), place.path().join("a/b"));
    let c = b.join("c");
    let mut synced: Vec<(PathBuf, bool)> = Vec::new();
    let mut look = |parent: &Path| {
        synced.push((parent.to_owned(), c.is_dir()));
        Ok(())
    };
    make(&c, &mut look).unwrap();
    make(&c, &mut look).unwrap();
    let above = place.path().parent().unwrap().to_owned();
    let expected = [(above, false), (place.path().to_owned(), false), (a, false), (b.clone(), true), (b, true)];
    assert_eq!(synced, expected);
}

/// A name that cannot be made durable is an error; of a directory that is there already and above which this user cannot look it is not.
#[test]
fn names_that_cannot_be_made_durable() {
    let place = tempfile::tempdir().unwrap();
    let fails = |kind: io::ErrorKind| move |_: &Path| Err(io::Error::from(kind));
    let new = place.path().join("new");
    let told = make(&new, &mut fails(io::ErrorKind::StorageFull)).unwrap_err();
    assert!(told.to_string().contains("sync the name of"), "{told}");
    make(place.path(), &mut fails(io::ErrorKind::PermissionDenied)).unwrap();
    assert!(make(place.path(), &mut fails(io::ErrorKind::Other)).is_err());
}
