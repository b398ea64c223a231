//! One model, one digest: however the file is laid out, and different for different numbers of any size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{canonical, of};
use crate::parse;
use crate::parse::tests::DRILL;

/// Changing this digest forks every network from its past: a new charter format, never an accident.
#[test]
fn the_drill_charters_digest_is_pinned() {
    let (charter, _) = parse(DRILL).unwrap();
    assert_eq!(charter.digest().to_string(), "6a59541155b6ec71c9433d3a292ff1e48600529a5de565df2e8b6f30a6d509c6");
}

/// Neighbouring integers above 2^53 are one double: as numbers they would share a digest.
#[test]
fn large_numbers_stay_apart() {
    let large = (1_u64 << 53) + 1;
    assert_ne!(of(&[large]).unwrap(), of(&[large - 1]).unwrap());
    assert_ne!(of(&[u64::MAX]).unwrap(), of(&[u64::MAX - 1]).unwrap());
    assert_eq!(canonical(&[large - 2, large]).unwrap(), br#"[9007199254740991,"9007199254740993"]"#);
}

/// Keys that are numbers become text and sort as RFC 8785 sorts text.
#[test]
fn number_keys_are_text() {
    let map = BTreeMap::from([(2_u64, "b"), (10, "a")]);
    assert_eq!(canonical(&map).unwrap(), br#"{"10":"a","2":"b"}"#);
}

/// The blocks of the drill charter that may stand in any order, and the playbooks, which keep theirs.
fn blocks() -> (String, Vec<String>, String) {
    let (root, rest) = DRILL.split_at(DRILL.find("[[organisation]]").unwrap());
    let playbooks = rest.find("[[playbook]]").unwrap();
    let detectors = rest.find("[[detector]]").unwrap();
    let free = format!("{}{}", &rest[..playbooks], &rest[detectors..]);
    let blocks = free.split("\n\n").map(str::trim).filter(|block| !block.is_empty()).map(str::to_owned).collect();
    (root.to_owned(), blocks, rest[playbooks..detectors].to_owned())
}

fn shuffled_block(block: &str) -> BoxedStrategy<String> {
    let mut lines: Vec<String> = block.lines().map(str::to_owned).collect();
    let header = lines.remove(0);
    let pad = prop::collection::vec(prop::sample::select(vec!["", "  ", "\t"]), lines.len());
    (Just(lines).prop_shuffle(), pad)
        .prop_map(move |(lines, pads)| {
            let line = |(line, pad): (String, &str)| {
                format!("{pad}{}{pad} # said\n", line.replacen(" = ", &format!("{pad}={pad} "), 1))
            };
            let body: String = lines.into_iter().zip(pads).map(line).collect();
            format!("{header}\n\n{body}\n")
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn layout_does_not_matter(
        blocks in Just(blocks().1).prop_shuffle().prop_flat_map(|blocks| {
            blocks.iter().map(|block| shuffled_block(block)).collect::<Vec<_>>()
        }),
        playbooks_first in any::<bool>(),
    ) {
        let (root, _, playbooks) = self::blocks();
        let body = blocks.concat();
        let source = if playbooks_first { format!("{root}{playbooks}{body}") } else { format!("{root}{body}{playbooks}") };
        let charter = parse(&source).map_err(|faults| TestCaseError::fail(format!("{faults:#?}")))?.0;
        prop_assert_eq!(charter.digest(), parse(DRILL).unwrap().0.digest());
    }

    #[test]
    fn every_number_matters(limit in 1_u64.., window in 1_u64..600_000) {
        let changed = DRILL
            .replace("25000000000000000000", &limit.to_string())
            .replacen("window_s = 60", &format!("window_s = {window}"), 1);
        let digest = parse(&changed).unwrap().0.digest();
        let next = changed.replace(&format!("limit = \"{limit}\""), &format!("limit = \"{}\"", u128::from(limit) + 1));
        prop_assert_ne!(digest, parse(&next).unwrap().0.digest());
    }
}
