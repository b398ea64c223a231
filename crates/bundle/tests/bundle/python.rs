//! The second verifier, tests/verify_bundle.py, against the first: on good bundles and on damaged ones they say the same.

use std::collections::BTreeMap;
use std::fs;

use watchfire_bundle::{Outcome, verify};
use watchfire_types::Bytes;
use watchfire_wire::bundle::Bundle;

use crate::fixture::{charter, whole};
use crate::operators::{self, FALSE, ONE, SAME};
use crate::second_verifier::{LEFT_OUT, Verdict, has_python, outcomes, verdicts};
use crate::verdicts::{falsehoods, omissions};
use crate::writer;
use crate::{deep, hostile};

/// What the second verifier says of each file.
fn second(files: &[(String, Bytes)]) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    let written = files.iter().enumerate().map(|(index, (_, bytes))| {
        let path = folder.path().join(format!("{index}.bundle"));
        fs::write(&path, bytes).unwrap();
        path
    });
    verdicts(&written.collect::<Vec<_>>(), &charter().digest().to_string())
}

/// The worst outcome under each name, of the checks that both make.
fn first_outcomes(file: &Bytes) -> BTreeMap<String, String> {
    let report = verify(file, Some(&charter()));
    let name = |outcome| match outcome {
        Outcome::Holds => "holds",
        Outcome::Open => "open",
        Outcome::Fails => "fails",
    };
    outcomes(report.checks.iter().map(|check| (check.name, name(check.outcome))))
}

/// On the whole story both make the same checks with the same outcomes.
#[test]
fn both_accept_the_whole_story() {
    if !has_python() {
        return;
    }
    let verdicts = second(&[("whole".to_owned(), whole())]);
    let why: Vec<_> =
        verdicts[0].checks.iter().filter(|check| check.outcome != "holds").map(|c| (&c.name, &c.detail)).collect();
    assert!(verdicts[0].holds, "{why:?}");
    assert_eq!(verdicts[0].outcomes(), first_outcomes(&whole()), "{why:?}");
}

/// On every falsehood and omission that the first verifier is tested with, the second says the same.
#[test]
fn both_name_the_same_failure() {
    if !has_python() {
        return;
    }
    let mut files: Vec<(String, Bytes)> = Vec::new();
    for (what, change) in falsehoods().into_iter().map(|(what, _, change)| (what, change)).chain(omissions()) {
        let mut bundle = Bundle::decode(&whole()).unwrap();
        change(&mut bundle);
        files.push((what.to_owned(), bundle.encode().unwrap()));
    }
    files.extend(hostile::odd().into_iter().map(|(what, file)| (what.to_owned(), file)));
    files.extend(writer::mutations().into_iter().map(|mutation| (mutation.what.to_owned(), mutation.file)));
    let more = [
        ("a liar's versions and clock", hostile::liar().bundle()),
        ("a liar's size", hostile::sizes().bundle()),
        ("filler", hostile::filler(false).bundle()),
        ("too many words", hostile::filler(true).bundle()),
        ("a gap", hostile::gap()),
        ("a pruned chain", hostile::pruned(&[])),
        ("a pruned chain of which something was kept", hostile::pruned(&[0, 1])),
        ("state that nobody collected", hostile::uncollected()),
        ("slots that hold zero", hostile::zeros()),
        ("nodes deeper than a key", deep::written()),
        ("two trees", hostile::checkpoint_fault(true, false).bundle()),
        ("one checkpoint", hostile::checkpoint_fault(false, false).bundle()),
        ("two trees with a forged path", hostile::checkpoint_fault(true, true).bundle()),
    ];
    files.extend(more.map(|(what, file)| (what.to_owned(), file)));
    files.push(("by number and by hash".to_owned(), operators::by_number(|_| {}).bundle()));
    let apart = operators::APART.map(|(what, damage)| (what.to_owned(), operators::by_number(damage).bundle()));
    files.extend(apart);
    for (second, said) in [
        (r#"{"id":1,"result":{"b":1.0,"a":[true]}}"#, SAME),
        (r#"{"result":{"a":[1],"b":1}}"#, SAME),
        (r#"{"error":{}}"#, SAME),
        (r#"{"result":2}"#, ONE),
        (r#"{"result":2}"#, FALSE),
    ] {
        let story =
            operators::answered(&[("op-alder", r#"{"result":{"a":[true],"b":1}}"#, said), ("op-birch", second, said)]);
        files.push((format!("two operators, {said:?}: {second}"), story.bundle()));
    }
    let whole = whole();
    for length in [0, 1, 18, 26, 27, 500, whole.len() - 33, whole.len() - 1] {
        files.push((format!("cut to {length}"), whole.slice(..length)));
    }
    for at in (0..whole.len()).step_by(3_999) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 4;
        files.push((format!("flipped at {at}"), bytes.into()));
    }
    for ((what, file), verdict) in files.iter().zip(second(&files)) {
        // What it leaves out it does not see: it goes on to the next failure of a check that it makes, or finds none.
        let report = verify(file, Some(&charter()));
        let first = report.checks.iter().find(|check| !check.passed && !LEFT_OUT.contains(&check.name));
        let found = verdict.first_failure.as_ref().map(|check| check.name.as_str());
        let detail = verdict.first_failure.as_ref().map(|check| &check.detail);
        assert_eq!(found, first.map(|check| check.name), "{what}: {detail:?} against {first:?}");
        if report.holds {
            assert_eq!(verdict.outcomes(), first_outcomes(file), "{what}");
        }
    }
}
