//! A renamed file is only called written once its directory is synced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// The directory of the new name is synced after the rename, and what that says counts.
#[test]
fn a_name_is_synced_after_the_rename() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("a.part"), place.path().join("a"));
    fs::write(&from, "whole").unwrap();
    let mut synced = None;
    rename_with(&from, &to, |directory| {
        assert!(to.exists() && !from.exists());
        synced = Some(directory.to_owned());
        Ok(())
    })
    .unwrap();
    assert_eq!(synced.as_deref(), Some(place.path()));
    fs::write(&from, "whole").unwrap();
    let lost = rename_with(&from, &to, |_| Err(io::Error::other("the disk is gone")));
    assert_eq!(lost.unwrap_err().to_string(), "the disk is gone");
    // Nothing is synced for a file that is not there.
    let absent = rename_with(&from, &to, |_| panic!("nothing was renamed"));
    assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// A bare name stands in the working directory.
#[test]
fn a_bare_name_has_a_directory() {
    assert_eq!(directory(Path::new("bundle")), Path::new("."));
    assert_eq!(directory(Path::new("/x/bundle")), Path::new("/x"));
    let place = tempfile::tempdir().unwrap();
    name(&place.path().join("file")).unwrap();
}
