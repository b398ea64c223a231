//! What `charter check` finds outside the charter's text: on chain, and in members' signed entries.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The answer is no.
    Fault,
    /// Worth a look; or not known.
    Warning,
    /// As it should be, and good to know.
    Info,
}

/// One finding; faults come first in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    /// How bad.
    pub(super) severity: Severity,
    /// Stable name in kebab-case.
    pub(super) kind: &'static str,
    /// What it is about: a chain, a Safe, assets, a playbook's step, a file.
    pub(super) subject: String,
    /// What was found.
    pub(super) message: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Finding {
    /// A fault.
    pub(super) fn fault(kind: &'static str, subject: impl Into<String>, message: String, remedy: &str) -> Self {
        Self { severity: Severity::Fault, kind, subject: subject.into(), message, remedy: remedy.to_owned() }
    }

    /// A warning.
    pub(super) fn warning(kind: &'static str, subject: impl Into<String>, message: String, remedy: &str) -> Self {
        Self { severity: Severity::Warning, ..Self::fault(kind, subject, message, remedy) }
    }

    /// Whether it makes the answer no.
    pub(super) fn is_fault(&self) -> bool {
        self.severity == Severity::Fault
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fault => "fault",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        write!(f, "{severity}: {}: {}: {}", self.kind, self.subject, self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}
