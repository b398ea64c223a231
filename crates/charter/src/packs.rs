//! Rule packs: reviewed detector rules for contracts that many projects have, to be pasted into a charter.
//!
//! A charter stays one whole text that its partners read and digest: a pack is expanded into it and referred to by nothing. Each is a file
//! of `crates/charter/packs`: its head, TOML, says what it is for and what it has to be told; below the line `# ---` stands the text, in which
//! `{{key}}` is replaced by a parameter and `{{events parameter class severity` to `}}` by an event detector a line. What stands between `{{with key}}`
//! and `{{end}}`, each a line, is left out where that parameter is not said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use thiserror::Error;
use toml::de::DeTable;

use crate::reader::{Log, Section, short};

/// Every pack: its name and its text.
const TEXTS: &[(&str, &str)] = &[
    ("aave-v3", include_str!("../packs/aave-v3.toml")),
    ("bridge", include_str!("../packs/bridge.toml")),
    ("compound-v2", include_str!("../packs/compound-v2.toml")),
    ("compound-v3", include_str!("../packs/compound-v3.toml")),
    ("erc20", include_str!("../packs/erc20.toml")),
    ("erc4626", include_str!("../packs/erc4626.toml")),
    ("governor-timelock", include_str!("../packs/governor-timelock.toml")),
    ("proxy", include_str!("../packs/proxy.toml")),
    ("safe-guard", include_str!("../packs/safe-guard.toml")),
];
/// Begins and ends a part that stands only where its parameter is said.
const WITH: &str = "{{with ";
const END: &str = "{{end}}\n";
/// Between the head and the text.
const LINE: &str = "\n# ---\n";
/// Most characters of a parameter's value.
const VALUE_MAX: usize = 128;

/// Rules to paste, with blanks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pack {
    /// Name.
    pub name: &'static str,
    /// What it watches, in a line.
    pub about: String,
    /// What it has to be told, those of every pack last.
    pub parameters: Vec<Parameter>,
    #[serde(skip)]
    text: &'static str,
}

/// One blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Name.
    pub key: String,
    /// What belongs there.
    pub what: String,
    /// What stands there where nothing is said; without one it must be said.
    pub default: Option<String>,
    /// Whether the rules that need it are left out where it is not said.
    pub optional: bool,
    /// A value of the right shape, for people and tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
}

/// Why a pack was not expanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackError {
    /// No such pack.
    #[error("there is no rule pack {name:?}; there are: {known}")]
    Unknown {
        /// As asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A parameter that must be said and is not.
    #[error("rule pack {pack} needs {key}: {what}; say it with --set {key}=VALUE")]
    Missing {
        /// The pack.
        pack: &'static str,
        /// The parameter.
        key: String,
        /// What belongs there.
        what: String,
    },
    /// A parameter that the pack does not have.
    #[error("rule pack {pack} has no parameter {key:?}; it has: {known}")]
    NoParameter {
        /// The pack.
        pack: &'static str,
        /// As given.
        key: String,
        /// All keys.
        known: String,
    },
    /// A value that would not stay within its place.
    #[error(
        "{value:?} cannot be the value of {key}; use letters, digits, spaces and . , _ - ( ) alone, at most {VALUE_MAX} of them"
    )]
    Value {
        /// The parameter.
        key: String,
        /// As given, cut.
        value: String,
    },
    /// A pack of the program that is none.
    #[error("rule pack {pack} is malformed: {why}; this is a mistake of the program")]
    Malformed {
        /// The pack.
        pack: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// Every pack, by name.
///
/// # Errors
/// [`PackError::Malformed`], which a test of the program excludes.
pub fn all() -> Result<Vec<Pack>, PackError> {
    TEXTS.iter().map(|(name, text)| Pack::read(name, text)).collect()
}

/// The pack of this name.
///
/// # Errors
/// [`PackError::Unknown`] with the names that there are.
pub fn named(name: &str) -> Result<Pack, PackError> {
    let Some((name, text)) = TEXTS.iter().find(|(known, _)| *known == name) else {
        let known = TEXTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(PackError::Unknown { name: short(name), known });
    };
    Pack::read(name, text)
}

impl Pack {
    fn read(name: &'static str, source: &'static str) -> Result<Self, PackError> {
        let malformed = |why: String| PackError::Malformed { pack: name, why };
        let (head, text) = source.split_once(LINE).ok_or_else(|| malformed("no line between head and text".into()))?;
        let log = Log::new("pack", head);
        let table = log.syntax(head);
        let read = table.as_ref().and_then(|table| Self::head(&log, table));
        let fault = log.into_parts().0.into_iter().next();
        let (about, mut parameters) = match (read, fault) {
            (Some(read), None) => read,
            (_, fault) => return Err(malformed(fault.map(|fault| fault.to_string()).unwrap_or_default())),
        };
        let common = |key: &str, what: &str, default: &str| Parameter {
            key: key.to_owned(),
            what: what.to_owned(),
            default: Some(default.to_owned()),
            optional: false,
            sample: None,
        };
        for parameter in &mut parameters {
            parameter.optional = text.contains(&format!("{WITH}{}}}}}\n", parameter.key));
        }
        parameters.push(common("prefix", "what the ids of its detectors begin with", name));
        parameters.push(common("stands_s", "how long a change stands, seconds", "3600"));
        Ok(Self { name, about, parameters, text })
    }

    fn head(log: &Log, table: &DeTable<'_>) -> Option<(String, Vec<Parameter>)> {
        let mut root = Section::root(log, table);
        let about = root.text("about", "what the pack watches");
        let mut parameters = Vec::new();
        for mut section in root.sections("parameter", 16) {
            let (key, what) = (section.text("key", "its name"), section.text("what", "what belongs there"));
            let default = section.get("default").and_then(|value| value.text());
            let sample = section.get("sample").and_then(|value| value.text());
            section.finish();
            parameters.push(Parameter { key: key?, what: what?, default, optional: false, sample });
        }
        root.finish();
        Some((about?, parameters))
    }

    /// The TOML to paste into a charter: detectors for this asset with these values in the blanks.
    ///
    /// # Errors
    /// A parameter that is missing, unknown, or whose value could leave its place in the text.
    pub fn expand(&self, asset: &str, values: &BTreeMap<String, String>) -> Result<String, PackError> {
        let known: BTreeSet<&str> = self.parameters.iter().map(|parameter| parameter.key.as_str()).collect();
        if let Some(key) = values.keys().find(|key| !known.contains(key.as_str())) {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(PackError::NoParameter { pack: self.name, key: short(key), known });
        }
        let mut filled = BTreeMap::from([("asset", plain("asset", asset)?)]);
        for Parameter { key, what, default, optional, .. } in &self.parameters {
            let value = values.get(key).or(default.as_ref());
            if value.is_none() && *optional {
                continue;
            }
            let missing = || PackError::Missing { pack: self.name, key: key.clone(), what: what.clone() };
            filled.insert(key, plain(key, value.ok_or_else(missing)?)?);
        }
        self.fill(&filled)
    }

    fn fill(&self, values: &BTreeMap<&str, &str>) -> Result<String, PackError> {
        let malformed = |why: &str| PackError::Malformed { pack: self.name, why: why.to_owned() };
        let mut told = format!("# Rule pack {}: {}\n", self.name, self.about);
        let text = chosen(self.text, values).ok_or_else(|| malformed("a part without an end"))?;
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            let (blank, after) = after.split_once("}}").ok_or_else(|| malformed("a blank without an end"))?;
            told.push_str(before);
            match blank.strip_prefix("events ") {
                Some(list) => events(&mut told, list, values).ok_or_else(|| malformed("a list of events"))?,
                None => told.push_str(values.get(blank).ok_or_else(|| malformed("a blank without a parameter"))?),
            }
            rest = after;
        }
        told.push_str(rest);
        Ok(told)
    }
}

/// The text without the parts whose parameter is not said.
fn chosen(text: &str, values: &BTreeMap<&str, &str>) -> Option<String> {
    let (mut told, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(WITH) {
        let (key, after) = after.split_once("}}\n")?;
        let (part, after) = after.split_once(END)?;
        told.push_str(before);
        told.push_str(if values.contains_key(key) { part } else { "" });
        rest = after;
    }
    told.push_str(rest);
    Some(told)
}

/// `parameter class severity`, then a line each: the end of the detector's id and the event.
fn events(told: &mut String, list: &str, values: &BTreeMap<&str, &str>) -> Option<()> {
    let (head, list) = list.split_once('\n')?;
    let [parameter, class, severity] = head.split(' ').collect::<Vec<_>>()[..] else { return None };
    let [address, asset, prefix, stands_s] =
        [values.get(parameter)?, values.get("asset")?, values.get("prefix")?, values.get("stands_s")?];
    let class = if class == "context" { "class = \"context\"\n" } else { "" };
    for (at, line) in list.lines().enumerate() {
        let (name, event) = line.split_once(' ')?;
        let gap = if at == 0 { "" } else { "\n" };
        let _ = write!(
            told,
            "{gap}[[detector]]\nid = \"{prefix}-{name}\"\nasset = \"{asset}\"\nseverity = \"{severity}\"\n{class}kind = \"event\"\n\
             address = \"{address}\"\nevent = \"{event}\"\nstands_s = {stands_s}\n",
        );
    }
    Some(())
}

/// A value that neither ends the string that it stands in nor begins a line.
fn plain<'a>(key: &str, value: &'a str) -> Result<&'a str, PackError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " .,_-()".contains(c);
    let sound = !value.is_empty() && value.len() <= VALUE_MAX && value.chars().all(allowed);
    if sound { Ok(value) } else { Err(PackError::Value { key: key.to_owned(), value: short(value) }) }
}

#[cfg(test)]
#[path = "packs_tests.rs"]
mod tests;
