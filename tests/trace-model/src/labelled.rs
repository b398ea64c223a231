//! Traces with their labels: JSON lines `{"name", "attack", "trace"}`, gzip.
//!
//! Each trace is taken twice, as it is and without its logs: many nodes and archives give none.

use std::io::Read as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use watchfire_detect::trace::{CallTree, FEATURES, TraceFault, features, read_traces};

/// The committed file.
pub const LABELLED: &[u8] = include_bytes!("../labelled.jsonl.gz");

/// One labelled trace, as what is met in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Name of the case.
    pub name: String,
    /// Whether it is an attack.
    pub attack: bool,
    /// Whether its logs were looked at.
    pub logs: bool,
    /// Level of each feature, in the order of [`FEATURES`].
    pub levels: Vec<i64>,
}

#[derive(Deserialize)]
struct Line<'a> {
    name: String,
    attack: bool,
    #[serde(borrow)]
    trace: &'a RawValue,
}

/// The lines' names, labels and trees, with their logs.
///
/// # Errors
/// When the file is damaged, says the line.
pub fn trees(compressed: &[u8]) -> Result<Vec<(String, bool, CallTree)>, String> {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(compressed);
    decoder.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = |what: &dyn std::fmt::Display| format!("line {}: {what}", number + 1);
        let line: Line<'_> = serde_json::from_str(line).map_err(|error| at(&error))?;
        let mut tree = None;
        read_traces::<TraceFault>(line.trace.get().as_bytes(), |traced| {
            tree = Some(traced.tree);
            Ok(())
        })
        .map_err(|fault| at(&fault))?;
        all.push((line.name, line.attack, tree.ok_or_else(|| at(&"no trace"))?));
    }
    Ok(all)
}

/// What is met in each, with and without logs.
///
/// # Errors
/// As [`trees`].
pub fn examples(compressed: &[u8]) -> Result<Vec<Example>, String> {
    let mut all = Vec::new();
    for (name, attack, tree) in trees(compressed)? {
        let bare = without_logs(&tree).ok_or("a trace without frames")?;
        for (logs, tree) in [(true, &tree), (false, &bare)] {
            all.push(Example { name: name.clone(), attack, logs, levels: levels(tree) });
        }
    }
    Ok(all)
}

fn levels(tree: &CallTree) -> Vec<i64> {
    let seen = features(tree);
    let level = |name: &str| seen.iter().find(|one| one.name == name).map_or(0, |one| i64::from(one.level));
    FEATURES.iter().map(|feature| level(feature.name)).collect()
}

/// The same calls as a tracer without logs tells them.
#[must_use]
pub fn without_logs(tree: &CallTree) -> Option<CallTree> {
    let mut frames = tree.frames().to_vec();
    for frame in &mut frames {
        frame.logs.clear();
    }
    CallTree::new(frames)
}
