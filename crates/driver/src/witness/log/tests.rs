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
