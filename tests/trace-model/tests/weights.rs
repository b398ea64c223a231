//! The committed weights are those of the committed traces, and do with them what they are for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;

use watchfire_detect::trace::{Model, Verdict};
use watchfire_trace_model::fit::fit;
use watchfire_trace_model::labelled::{LABELLED, examples, trees, without_logs};

/// `fit` makes exactly the file that the detect crate reads.
#[test]
fn the_weights_are_what_the_command_makes() {
    let made = fit(&examples(LABELLED).unwrap()).text();
    let committed = include_str!("../../../crates/detect/src/trace/weights.txt");
    assert!(made == committed, "run `cargo run -p watchfire-trace-model -- fit` and read what changes:\n{made}");
}

/// Every labelled attack is called one and no honest transaction is, with logs and without; the scores are those that were read before.
#[test]
fn labelled_traces_score_as_they_did() {
    let model = Model::shipped().unwrap();
    let (mut told, mut wrong) = (String::new(), Vec::new());
    for (name, attack, tree) in trees(LABELLED).unwrap() {
        let bare = without_logs(&tree).unwrap();
        let (one, other) = (model.score(&tree), model.score(&bare));
        writeln!(told, "{name:<28} {:>4} {:>4}", one.score, other.score).unwrap();
        for score in [one, other] {
            if (score.verdict == Verdict::Attack) != attack {
                wrong.push(format!("{name}: {score:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(told, include_str!("scores.txt"), "read what changed, then put this into scores.txt:\n{told}");
}
