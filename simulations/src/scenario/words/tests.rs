//! People read names and decimal amounts, no type of the program's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::words;
use crate::scenario::find;

/// Every fault of the library, every moment and adversary is told without a trace of how the program writes it.
#[test]
fn nothing_of_the_program_shows() {
    let mut told = Vec::new();
    for name in crate::scenario::NAMES {
        let scenario = find(name).unwrap().unwrap();
        told.extend(scenario.faults.iter().flat_map(|fault| [words(&fault.at), words(&fault.what)]));
        told.extend(scenario.adversaries.iter().map(|adversary| words(&adversary.kind)));
        told.extend(scenario.humans.iter().flat_map(|human| [words(&human.at), words(&human.act)]));
    }
    assert!(told.len() > 100, "{}", told.len());
    let shows = |line: &&String| line.is_empty() || line.contains(['{', '"', '(', '_']) || line.contains("0x");
    assert_eq!(told.iter().filter(shows).collect::<Vec<_>>(), Vec::<&String>::new());
    let minority = find("minority").unwrap().unwrap();
    let lie = "lie: blocks 3, operators op-birch and op-dune, wei per block 10000000000000000000";
    assert_eq!(words(&minority.faults[0].what), lie);
}
