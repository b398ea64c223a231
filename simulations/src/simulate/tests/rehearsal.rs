//! A charter of one's own in the place of the scenarios': the shipped example holds, and what it cannot hold is named.

use super::{Kind, SimulateOptions, options, simulate};
use crate::record::RecordFormat;
use crate::simulate::{SimulateError, record};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/charter.example.toml");

fn with(scenarios: &[&str], charter: &str) -> SimulateOptions {
    SimulateOptions { charter: Some(charter.to_owned()), ..options(scenarios, 0..1, 1) }
}

fn changed(change: impl Fn(&str) -> String) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), change(&std::fs::read_to_string(EXAMPLE).unwrap())).unwrap();
    file
}

/// The example's five partners contain a drain, with two of them silent, with one operator that lies, and after a taken nonce; on its own
/// chain of twelve seconds a block. Its record names them.
#[test]
fn the_example_charter_holds() {
    let options = with(&["vault-drain", "two-silent", "operator-says-paused", "nonce-stolen"], EXAMPLE);
    for report in simulate(&options, |_| {}).unwrap() {
        assert_eq!(report.failed, 0, "{}", report.summary());
        assert!(report.scores.include_ms.is_some_and(|ms| ms >= 12_000), "{report:?}");
    }
    let made = record("two-silent", 0, &options, "2026-12-15").unwrap();
    assert!(made.passed && made.loss.taken < made.loss.without_response && !made.loss.curve.is_empty());
    let text = made.render(RecordFormat::Markdown);
    for said in ["| dogwood | dogwood-1 |", "elm-1 (silent)", "acted against the protocol", "| elm | 2027-03-15 |"] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
}

/// A rule that two silent partners keep from being met is found out, and the command that shows it names the charter.
#[test]
fn a_charter_that_is_too_strict_is_found_out() {
    let file = changed(|text| {
        let stricter = |text: &str, least: u8| {
            text.replace(&format!("{{ security = {least} }}"), &format!("{{ security = {least}, responder = 1 }}"))
        };
        stricter(&stricter(text, 1), 2)
    });
    let path = file.path().to_str().unwrap();
    let report = &simulate(&with(&["two-silent"], path), |_| {}).unwrap()[0];
    let failure = report.failures.first().expect("elm is silent, and nobody else is a responder");
    assert_eq!(failure.kind, Kind::Liveness);
    assert!(failure.replay.ends_with(&format!("--charter {path}")), "{}", failure.replay);
}

/// What is no charter, what is none that can be played, and a part that nobody has.
#[test]
fn what_cannot_be_played_is_named() {
    let refused = |scenario: &str, path: &str| simulate(&with(&[scenario], path), |_| {}).unwrap_err();
    assert!(matches!(refused("vault-drain", "/no/such/file"), SimulateError::NoCharter { .. }));
    let unsound = changed(|text| text.replace("threshold = 3", "threshold = 9"));
    let message = refused("vault-drain", unsound.path().to_str().unwrap()).to_string();
    assert!(message.contains("threshold"), "{message}");
    let message = refused("bad-night", EXAMPLE).to_string();
    assert!(message.contains("has a part for org-06"), "{message}");
}
