//! The baseline on disk: first answers stay, restarts know them, damage is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::{Address, B256};

use super::*;

const CHAIN: ChainId = ChainId::new(31337);

fn answers(slot: u8, code: u8, balance: u8) -> BTreeMap<Read, ReadOutcome> {
    let account = Address::repeat_byte(1);
    let value = |byte| ReadOutcome::Value(Bytes::copy_from_slice(&[byte; 32]));
    BTreeMap::from([
        (Read::Storage { account, slot: B256::ZERO }, value(slot)),
        (Read::CodeHash { account }, value(code)),
        (Read::Balance { account }, value(balance)),
        (Read::CodeHash { account: Address::ZERO }, ReadOutcome::Unavailable("busy".to_owned())),
    ])
}

/// What was seen first is what another process knows; later answers change nothing, and what was not answered is open.
#[test]
fn the_first_answers_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Baseline::load(directory.path()).unwrap();
    assert!(first.of(CHAIN).is_empty());
    first.note(CHAIN, &answers(1, 2, 3)).unwrap();
    let mut second = Baseline::load(directory.path()).unwrap();
    let known = second.of(CHAIN);
    assert_eq!(known.len(), 2, "slots and codes alone: {known:?}");
    second.note(CHAIN, &answers(9, 9, 9)).unwrap();
    assert_eq!(Baseline::load(directory.path()).unwrap().of(CHAIN), known);
    assert!(second.of(ChainId::new(1)).is_empty());
}

/// A file that is none is told, not taken for an empty one.
#[test]
fn damage_is_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("baseline.json"), "[[31337, [").unwrap();
    let (_, error) = Baseline::load(directory.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
}
