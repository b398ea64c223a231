//! `charter check --entry`: whether a member's entry is signed by its own keys, and stands in the charter as signed.

use std::path::Path;

use watchfire_charter::{Document, Member};

use super::finding::Finding;
use super::output::CliError;
use crate::config::read_text;
use crate::keys::member_entry::{MemberEntry, SignedEntry};

const SIGNED: &str =
    "ask the member for the last line that `watchfire init --json` printed, and compare keys by another channel";

/// What is wrong with the entry in this file; nothing if it holds.
pub(super) fn check(document: &Document, path: &Path) -> Vec<Finding> {
    let subject = path.display().to_string();
    let text = match read_text(path).map_err(CliError::from) {
        Ok(text) => text,
        Err(error) => return vec![Finding::fault(error.kind, subject, error.message, "")],
    };
    let entry: SignedEntry = match serde_json::from_str(text.trim()) {
        Ok(entry) => entry,
        Err(error) => {
            let message = format!("it is no signed member entry: {error}");
            return vec![Finding::fault("entry-malformed", subject, message, SIGNED)];
        }
    };
    let id = &entry.member.id;
    if !entry.holds() {
        let message = format!("the entry of {id} is not signed by the keys that it names");
        return vec![Finding::fault("entry-not-signed", subject, message, SIGNED)];
    }
    let Some(member) = document.member(id) else {
        let (message, remedy) = match document.charter() {
            Some(_) => (format!("the charter has no member {id}"), "add its [[member]] block"),
            None => {
                let message = format!("no member {id} could be read in the charter");
                (message, "mend the faults of its [[member]] block, or add one")
            }
        };
        return vec![Finding::fault("entry-not-in-charter", subject, message, remedy)];
    };
    let differing = differing(&entry.member, member);
    differing
        .into_iter()
        .map(|key| {
            let message = format!("{key} of {id} is not in the charter what its keys signed");
            Finding::fault(
                "entry-differs",
                subject.clone(),
                message,
                "write the [[member]] block as signed, or get a new entry",
            )
        })
        .collect()
}

/// Keys of the entry whose values differ; lists are compared as sets, as the charter means them.
fn differing(entry: &MemberEntry, member: &Member) -> Vec<&'static str> {
    let sorted = |values: Vec<String>| {
        let mut values = values;
        values.sort();
        values
    };
    let operators = |operators: &mut dyn Iterator<Item = String>| sorted(operators.collect());
    let same = [
        ("organisation", entry.organisation == member.organisation),
        (
            "kind",
            entry.kind
                == serde_json::to_value(member.kind)
                    .ok()
                    .and_then(|kind| kind.as_str().map(str::to_owned))
                    .unwrap_or_default(),
        ),
        ("node_key", entry.node_key == member.node_key),
        ("guardian", entry.guardian == member.guardian),
        ("submitter", entry.submitter == member.submitter),
        (
            "operators",
            operators(&mut entry.operators.iter().map(ToString::to_string))
                == operators(&mut member.operators.iter().map(ToString::to_string)),
        ),
        ("addresses", sorted(entry.addresses.clone()) == sorted(member.addresses.clone())),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}
