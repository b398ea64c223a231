//! A disk that is really full: the kernel itself says so. This test binary is also the process that writes until then.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::{all, record};
use crate::error::JournalError;
use crate::journal::{Journal, JournalOptions};
use crate::space::Space;
use crate::storage::FileStorage;

const DIRECTORY: &str = "WATCHFIRE_TEST_FULL_DIRECTORY";
const TOLD: &str = "acknowledged ";
const LENGTH: usize = 1_500;
const OPTIONS: JournalOptions =
    JournalOptions { segment_bytes: 256 << 10, chunk_bytes: 32 << 10, reserve_bytes: 96 << 10 };

/// Appends until the kernel refuses; says how many records were acknowledged.
fn fill(directory: &Path) {
    let mut journal = Journal::open(FileStorage::open(directory).unwrap(), OPTIONS).unwrap();
    let (mut acknowledged, mut warned) = (0, None);
    let error = loop {
        if matches!(journal.space(), Space::Reserve { .. }) {
            warned.get_or_insert(acknowledged);
        }
        match journal.append(&record(acknowledged, LENGTH)).and_then(|_| journal.sync()) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        journal.tend().unwrap();
        assert!(acknowledged < 100_000, "it never became full");
    };
    assert!(matches!(error, JournalError::DiskFull { poisoned: false, .. }), "{error}");
    let warned = warned.expect("it is announced before");
    assert!(acknowledged >= warned + 10, "announced at {warned}, full at {acknowledged}");
    // It stays whole and says the same again; whoever opens it anew finds all of it.
    assert!(matches!(journal.append(&record(0, LENGTH)), Err(JournalError::DiskFull { poisoned: false, .. })));
    assert_eq!(all(&journal).len(), acknowledged);
    drop(journal);
    holds(directory, acknowledged);
    println!("{TOLD}{acknowledged}");
}

fn holds(directory: &Path, acknowledged: usize) {
    let journal = Journal::open(FileStorage::open(directory).unwrap(), OPTIONS).unwrap();
    let expected: Vec<_> = (0..acknowledged).map(|number| record(number, LENGTH)).collect();
    assert!(all(&journal) == expected, "of {acknowledged} records {} are there", all(&journal).len());
}

/// Runs this test again as the process that fills the disk, in a shell that first does this.
fn filled(directory: &Path, unshared: bool, first: &str) -> Option<usize> {
    let name = "journal::tests::full::the_kernel_says_that_the_disk_is_full";
    let script = format!("{first} && exec \"$0\" --exact {name} --nocapture");
    let binary = std::env::current_exe().unwrap();
    let mut command = if unshared { Command::new("unshare") } else { Command::new("sh") };
    if unshared {
        command.args(["-Urm", "sh"]);
    }
    let output = command.args(["-c", &script]).arg(binary).env(DIRECTORY, directory).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text.lines().find_map(|line| line.split_once(TOLD)).map(|(_, count)| count.trim().parse().unwrap());
    assert!(told.is_some() || !text.contains("running 1 test"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// Told past the test's own output; `WATCHFIRE_MOUNT=required`, as `.ci/run` has it where it can, makes it a failure.
fn untried() {
    let required = std::env::var("WATCHFIRE_MOUNT").is_ok_and(|value| value == "required");
    assert!(!required, "no filesystem can be mounted here without privileges");
    let told = "NOT CHECKED: a log on a full filesystem: none can be mounted here without privileges";
    writeln!(std::io::stderr().lock(), "{told}").unwrap();
}

/// A file that may not grow (EFBIG) and, where a small filesystem can be mounted without privileges, one without room (ENOSPC): announced before,
/// refused without harm, and everything acknowledged is there.
#[test]
fn the_kernel_says_that_the_disk_is_full() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        fill(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The signal that comes with EFBIG is ignored, as a service manager may have it; 512 bytes a unit.
    let acknowledged = filled(directory.path(), false, "trap '' XFSZ; ulimit -f 600").expect("a shell runs");
    assert!(acknowledged > 100, "{acknowledged}");
    holds(directory.path(), acknowledged);
    let place = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=1m none '{}'", place.path().display());
    match filled(place.path(), true, &mount) {
        Some(acknowledged) => assert!(acknowledged > 100, "{acknowledged}"),
        None => untried(),
    }
}
