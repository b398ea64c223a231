//! What is wrong with a charter, where, and what to do about it.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// One reason why a charter does not load. `parse` reports all of them, in line order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Error)]
#[error("{0}")]
pub struct Fault(pub Complaint);

/// Something that a valid charter's partners should know before it matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning(pub Complaint);

/// One line of a charter and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// Line of the file, 1 first.
    pub line: usize,
    /// Key path: `member[2].guardian`; array indexes count from 0.
    pub key: String,
    /// Stable name in kebab-case: `unknown-reference`.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// A line of the text that is wrong, and a line with carets under the part that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}; {}", self.line, self.key, self.message, self.remedy)?;
        self.excerpt.iter().flat_map(|excerpt| excerpt.lines()).try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::ops::Deref for Fault {
    type Target = Complaint;
    fn deref(&self) -> &Complaint {
        &self.0
    }
}

impl std::ops::Deref for Warning {
    type Target = Complaint;
    fn deref(&self) -> &Complaint {
        &self.0
    }
}
