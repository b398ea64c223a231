//! The table of names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

const ADA: &str = "Ada \"Countess\" Lovelace";

/// A person gets one random pseudonym and keeps it over restarts; removed, nothing of them is left on disk.
#[test]
fn a_person_is_set_kept_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let mut people = People::load(directory.path()).unwrap();
    let pseudonym = people.set(ADA, None).unwrap();
    assert!(pseudonym.starts_with("p-") && pseudonym.len() == 18 && is_pseudonym(&pseudonym), "{pseudonym}");
    let path = directory.path().join("people.toml");
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut people = People::load(directory.path()).unwrap();
    assert_eq!(people.set(ADA, None).unwrap(), pseudonym);
    assert_eq!(people.pseudonym(ADA).unwrap(), pseudonym);
    assert_ne!(people.set("Bob", None).unwrap(), pseudonym);
    assert_eq!(people.remove(ADA).unwrap(), pseudonym);
    assert!(matches!(people.pseudonym(ADA), Err(PeopleError::Unknown { .. })));
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(!left.contains("Lovelace") && !left.contains(&pseudonym), "{left}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no older copy stays");
}

/// No two people share a pseudonym, and what is no name or pseudonym is refused.
#[test]
fn names_and_pseudonyms_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let mut people = People::load(directory.path()).unwrap();
    people.set(ADA, Some("p-ada")).unwrap();
    assert!(matches!(people.set("Bob", Some("p-ada")), Err(PeopleError::Taken { .. })));
    for wrong in ["", "Ada Lovelace", "ADA", &"p".repeat(65)] {
        assert!(matches!(people.set("Bob", Some(wrong)), Err(PeopleError::NotAPseudonym)), "{wrong}");
    }
    for wrong in ["", "  ", "a\nb", &"n".repeat(129)] {
        assert!(matches!(people.set(wrong, None), Err(PeopleError::NotAName)), "{wrong:?}");
    }
    assert!(matches!(people.unnamed("told ada \"countess\" lovelace so"), Err(PeopleError::Named { .. })));
    assert!(people.unnamed("told p-ada so").is_ok());
}

/// A table that others may read, or that is none, is refused by name.
#[test]
fn a_bad_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    People::load(directory.path()).unwrap().set(ADA, None).unwrap();
    let path = directory.path().join("people.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(People::load(directory.path()), Err(PeopleError::File(KeyError::LoosePermissions { .. }))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["people = 3", "[people]\nAda = \"Ada Lovelace\"\n", "[peple]\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(People::load(directory.path()), Err(PeopleError::Malformed { .. })), "{text}");
    }
}
