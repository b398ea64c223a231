//! Rules out of OpenZeppelin Monitor's JSON monitors: what can be said in a charter is, and all else is named, item by item.
//!
//! Such a monitor matches transactions: those that meet one of its transaction conditions, and one of its function or event conditions. Here each of
//! these becomes a rule of its own for each address on each network, as TOML to paste. Where a part of what a monitor asks for cannot be asked here
//! (a script that filters, whether a call succeeded), the rule finds more than the monitor did: it is `context` then, and the part is named.
//! A condition that cannot be translated at all becomes no rule.
//!
//! Bounds: those of a charter's text for each file; [`RULES_MAX`] rules.

mod condition;
mod declared;
mod rule;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use watchfire_types::Severity;

use crate::reader::short;
use shape::Monitor;

/// Most rules that one import makes.
pub const RULES_MAX: usize = 1_024;

/// How rules are to be made.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The charter's asset for what is on each network; one that is not here goes by the network's own name.
    pub assets: BTreeMap<String, String>,
    /// Severity of every rule: monitors have none.
    pub severity: Severity,
    /// How long every finding stands, seconds of block time.
    pub stands_s: u64,
}

/// A rule that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The monitor that asked for it.
    pub monitor: String,
    /// As charters have it.
    pub toml: String,
}

/// Something that was not translated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The file that it is in.
    pub file: String,
    /// The monitor, where it is of one.
    pub monitor: String,
    /// Which part.
    pub item: String,
    /// Why, and what became of it.
    pub why: String,
}

/// What an import came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The rules.
    pub rules: Vec<Made>,
    /// All else.
    pub left: Vec<Left>,
}

/// Translates monitors. `files` are names with texts: monitors, one or a list of them in a file, and networks, which tell what chain a name stands for.
#[must_use]
pub fn import(files: &[(String, String)], wishes: &Wishes) -> Import {
    let mut import = Import::default();
    let mut objects = Vec::new();
    for (file, text) in files {
        match serde_json::from_str(text) {
            Ok(Value::Array(all)) => objects.extend(all.into_iter().map(|one| (file, one))),
            Ok(one) => objects.push((file, one)),
            Err(error) => import.leave(file, "", "file", format!("it is no JSON: {error}; nothing of it was read")),
        }
    }
    let networks = objects.iter().filter_map(|(_, object)| shape::network(object)).collect();
    let mut taken = BTreeSet::new();
    for (file, object) in &objects {
        let Value::Object(object) = object else {
            import.leave(file, "", "file", "it holds neither a monitor nor a network".to_owned());
            continue;
        };
        if object.contains_key("match_conditions") {
            let monitor = Monitor::read(file, object, &mut import);
            rule::translate(&monitor, &networks, wishes, &mut taken, &mut import);
        } else if !shape::is_network(object) {
            not_read(file, object, &mut import);
        }
    }
    import
}

fn not_read(file: &str, object: &Map<String, Value>, import: &mut Import) {
    for (name, value) in object {
        let why = if value.get("trigger_type").is_some() {
            "it tells people; whom a node tells stands in its own configuration, so it was left out"
        } else {
            "it is no part of a monitor or a network; it was left out"
        };
        import.leave(file, "", &short(name), why.to_owned());
    }
}

impl Import {
    fn leave(&mut self, file: &str, monitor: &str, item: &str, why: String) {
        self.left.push(Left { file: file.to_owned(), monitor: short(monitor), item: short(item), why });
    }

    /// All rules as one text to paste.
    #[must_use]
    pub fn toml(&self) -> String {
        self.rules.iter().map(|rule| rule.toml.as_str()).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
#[path = "monitors_tests.rs"]
mod tests;
