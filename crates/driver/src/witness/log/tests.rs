//! Which of two directories counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_journal::MemoryStorage;

use super::*;

/// Where a crash left both states whole the newer one is taken, in whichever directory it is.
#[test]
fn the_newer_whole_state_counts() {
    for newer in [0, 1] {
        let storages = [MemoryStorage::new(), MemoryStorage::new()];
        let entry = |text: &str| [Entry::Line(text.to_owned())];
        drop(begin(&storages[newer], 8, &entry("newer")).unwrap());
        drop(begin(&storages[1 - newer], 7, &entry("older")).unwrap());
        assert_eq!(read(&storages).unwrap(), entry("newer"));
        assert_eq!(WitnessLog::open(storages).unwrap().1, entry("newer"));
    }
}

const FIRST: &str = "00000000.log";

/// Damage in either directory is told by name, whatever the other one holds: what cannot be read may be the newer state. Once repaired it is
/// read as far as it goes.
#[test]
fn damage_is_no_empty_state() {
    for (damaged, other) in [(0, None), (1, None), (0, Some("sound")), (1, Some("sound"))] {
        let storages = [MemoryStorage::new(), MemoryStorage::new()];
        let entry = |text: &str| Entry::Line(text.to_owned());
        drop(begin(&storages[damaged], 8, &[entry("damaged"), entry("kept")]).unwrap());
        if let Some(other) = other {
            drop(begin(&storages[1 - damaged], 7, &[entry(other)]).unwrap());
        }
        let mut bytes = storages[damaged].files()[FIRST].clone();
        let at = bytes.windows(7).position(|bytes| bytes == b"damaged").unwrap();
        bytes[at] ^= 1;
        storages[damaged].put(FIRST, bytes);
        let error = read(&storages).unwrap_err().to_string();
        assert!(error.contains(&format!("witness/{damaged}/{FIRST}")), "{error}");
        assert_eq!(WitnessLog::open(storages.clone()).map(drop).unwrap_err().to_string(), error);
        repair(&storages[damaged]).unwrap();
        assert_eq!(read(&storages).unwrap(), [entry("kept")], "{damaged} {other:?}");
        assert_eq!(WitnessLog::open(storages).unwrap().1, [entry("kept")]);
    }
}

/// A rewrite may stop while it empties the old directory: the state that it wrote counts. Without one the old state is lost, which is told.
#[test]
fn what_is_half_removed_is_no_state() {
    for removed in [0, 1] {
        let storages = [MemoryStorage::new(), MemoryStorage::new()];
        let entry = [Entry::Line("x".repeat(4_000))];
        let long: Vec<Entry> = entry.iter().cycle().take(2_000).cloned().collect();
        drop(begin(&storages[removed], 7, &long).unwrap());
        assert!(storages[removed].files().len() > 1);
        storages[removed].remove(FIRST).unwrap();
        assert!(read(&storages).is_err());
        drop(begin(&storages[1 - removed], 8, &entry).unwrap());
        assert_eq!(read(&storages).unwrap(), entry);
        assert_eq!(WitnessLog::open(storages).unwrap().1, entry);
    }
}
