//! Who is behind a pseudonym: a table that stays on this machine. The log and gossip hold pseudonyms only, so that removing a row
//! forgets the person while every record stays as it was signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::keys::files::{read_private, replace_private};
use crate::keys::{KeyError, random};

/// Longest name, bytes.
const NAME_MAX: usize = 128;
/// Longest pseudonym that the log takes, bytes.
const PSEUDONYM_MAX: usize = 64;

const HEAD: &str = "# Names behind the pseudonyms in the log. This file never leaves this machine; whoever is removed from it is forgotten.\n";

/// Why the table cannot be used, or a person not named.
#[derive(Debug, Error)]
pub enum PeopleError {
    /// The file cannot be read or written, or others may read it.
    #[error(transparent)]
    File(#[from] KeyError),
    /// Not the table.
    #[error("{}: {reason}; mend it, or remove it and begin anew with `watchfire people set NAME`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nobody of that name.
    #[error("nobody is called {name:?} in {}; add them with `watchfire people set NAME`", path.display())]
    Unknown {
        /// Name given.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// No name.
    #[error("a name has 1 to {NAME_MAX} bytes and no control characters; give one that has")]
    NotAName,
    /// No pseudonym.
    #[error(
        "a pseudonym has 1 to {PSEUDONYM_MAX} characters of a-z, 0-9, '-', '_' and '.'; without one, a random one is made"
    )]
    NotAPseudonym,
    /// Two people under one pseudonym could not be told apart.
    #[error("the pseudonym {pseudonym} is somebody else's; choose another, or leave --pseudonym out for a random one")]
    Taken {
        /// Pseudonym.
        pseudonym: String,
    },
    /// A text that everyone keeps names a person.
    #[error(
        "the text names a person of this node's table; the log is for ever and everyone's: write {pseudonym} instead"
    )]
    Named {
        /// Their pseudonym.
        pseudonym: String,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    people: BTreeMap<String, String>,
}

/// The table of one node directory: `people.toml`, 0600.
#[derive(Debug)]
pub struct People {
    path: PathBuf,
    table: Table,
}

impl People {
    /// Reads it; a missing file is an empty table.
    ///
    /// # Errors
    /// [`PeopleError::File`], [`PeopleError::Malformed`].
    pub fn load(directory: &Path) -> Result<Self, PeopleError> {
        let path = directory.join("people.toml");
        if !path.exists() {
            return Ok(Self { path, table: Table::default() });
        }
        let bytes = read_private(&path)?;
        let malformed = |reason: String| PeopleError::Malformed { path: path.clone(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed("not text".to_owned()))?;
        let table: Table = toml::from_str(text).map_err(|error| malformed(error.message().to_owned()))?;
        if let Some(name) = table.people.iter().find(|(_, pseudonym)| !is_pseudonym(pseudonym)).map(|(name, _)| name) {
            return Err(malformed(format!("{name:?} has no pseudonym of a-z, 0-9, '-', '_' and '.'")));
        }
        Ok(Self { path, table })
    }

    /// Everyone, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table.people.iter().map(|(name, pseudonym)| (name.as_str(), pseudonym.as_str()))
    }

    /// The pseudonym of a person.
    ///
    /// # Errors
    /// [`PeopleError::Unknown`].
    pub fn pseudonym(&self, name: &str) -> Result<&str, PeopleError> {
        let known = self.table.people.get(name).map(String::as_str);
        known.ok_or_else(|| PeopleError::Unknown { name: name.to_owned(), path: self.path.clone() })
    }

    /// Adds a person, under a random pseudonym unless one is given; one who is there keeps theirs. Durable when it returns.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn set(&mut self, name: &str, pseudonym: Option<&str>) -> Result<String, PeopleError> {
        if name.trim().is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(PeopleError::NotAName);
        }
        let pseudonym = match (pseudonym, self.table.people.get(name)) {
            (None, Some(known)) => return Ok(known.clone()),
            (Some(given), _) if !is_pseudonym(given) => return Err(PeopleError::NotAPseudonym),
            (Some(given), _) => given.to_owned(),
            (None, None) => format!("p-{}", hex::encode(random::<8>()?)),
        };
        if self.iter().any(|(other, taken)| taken == pseudonym && other != name) {
            return Err(PeopleError::Taken { pseudonym });
        }
        self.table.people.insert(name.to_owned(), pseudonym.clone());
        self.save()?;
        Ok(pseudonym)
    }

    /// Forgets a person; answers the pseudonym that nobody has any more. Durable when it returns.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn remove(&mut self, name: &str) -> Result<String, PeopleError> {
        let pseudonym = self.pseudonym(name)?.to_owned();
        self.table.people.remove(name);
        self.save()?;
        Ok(pseudonym)
    }

    /// Refuses a text for everyone that names one of these people.
    ///
    /// # Errors
    /// [`PeopleError::Named`].
    pub fn unnamed(&self, text: &str) -> Result<(), PeopleError> {
        let text = text.to_lowercase();
        match self.iter().find(|(name, _)| text.contains(&name.to_lowercase())) {
            Some((_, pseudonym)) => Err(PeopleError::Named { pseudonym: pseudonym.to_owned() }),
            None => Ok(()),
        }
    }

    fn save(&self) -> Result<(), PeopleError> {
        let malformed =
            |error: toml::ser::Error| PeopleError::Malformed { path: self.path.clone(), reason: error.to_string() };
        let text = toml::to_string(&self.table).map_err(malformed)?;
        Ok(replace_private(&self.path, format!("{HEAD}{text}").as_bytes())?)
    }
}

/// Whether a text can stand for a person in the log without looking like a name.
#[must_use]
pub fn is_pseudonym(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= PSEUDONYM_MAX && text.chars().all(allowed)
}

#[cfg(test)]
mod tests;
