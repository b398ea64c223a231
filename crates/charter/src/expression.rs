//! Rules in CEL: one expression over the fields of an event, a call or a transaction that answers yes or no.
//!
//! The text is CEL ([the specification](https://github.com/google/cel-spec)): its grammar, precedence and the way `&&` and `||` absorb errors. It is
//! read here and not by an interpreter, because a rule may carry a vote: every type is known from the ABI when the rule is checked, so that
//! nothing is left to fail but what depends on figures; numbers are exact whole numbers of 256 bits and a sign, for CEL's own have 64; and
//! every step is bounded. What CEL has and a rule may not have (floating point, maps, messages, regular expressions, clocks) is refused
//! by name.
//!
//! Bounds: [`SOURCE_MAX`] bytes, [`DEPTH_MAX`] levels, [`NODES_MAX`] parts of an expression; [`LIST_MAX`] entries of a list; [`STEPS_MAX`]
//! steps of an evaluation, which is all that `exists` and `all` could use up: there is no other loop.

mod check;
mod declaration;
mod integer;
mod lexer;
mod run;
mod shape;
mod subject;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use std::ops::Range;

use serde::{Serialize, Serializer};
use thiserror::Error;

pub use integer::Integer;
pub use subject::{Facts, Subject};
pub(crate) use syntax::is_name;
pub use value::Value;

/// Most bytes of an expression's text.
pub const SOURCE_MAX: usize = 2_000;
/// Most levels of parts within parts.
pub const DEPTH_MAX: usize = 32;
/// Most parts: names, numbers, operators, calls.
pub const NODES_MAX: usize = 512;
/// Most entries of a list, and most bytes of a text or of bytes in thousands: what is longer is not judged.
pub const LIST_MAX: usize = 256;
/// Most parts that one evaluation visits.
pub const STEPS_MAX: u32 = 20_000;

/// An expression that was checked against what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    source: String,
    program: check::Program,
}

/// Why a text is no expression about its subject, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}; {remedy}")]
pub struct Mistake {
    /// Stable name in kebab-case.
    pub kind: &'static str,
    /// Bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Why an expression has no answer about something: never yes, and never a reason to judge nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum NoAnswer {
    /// The data is not what the declared ABI says.
    #[error("the data does not decode as declared")]
    Undecodable,
    /// A number left 256 bits.
    #[error("a number is beyond 256 bits")]
    Overflow,
    /// Division or remainder by zero.
    #[error("a division by zero")]
    DivisionByZero,
    /// An index outside its list.
    #[error("an index outside its list")]
    Index,
    /// A list or text that is too long to be judged.
    #[error("a list of more than 256 entries, or data of more than 64 KiB")]
    TooLong,
    /// More steps than an evaluation may take.
    #[error("more than 20,000 steps")]
    TooManySteps,
}

impl NoAnswer {
    /// Stable name in kebab-case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division-by-zero",
            Self::Index => "index",
            Self::TooLong => "too-long",
            Self::TooManySteps => "too-many-steps",
        }
    }
}

impl Mistake {
    fn new(kind: &'static str, at: &Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, at: at.clone(), message: message.into(), remedy: remedy.into() }
    }

    /// The line of `source` with the mistake, and carets under it.
    #[must_use]
    pub fn excerpt(&self, source: &str) -> String {
        let start = self.at.start.min(source.len());
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = source.get(line_start..start).unwrap_or_default().chars().count();
        let marked = source.get(start..self.at.end.min(line_start + line.len())).unwrap_or_default().chars().count();
        format!("{}\n{}{}", line.replace('\t', " "), " ".repeat(column), "^".repeat(marked.max(1)))
    }
}

impl Expression {
    /// Checks a text against what it is about.
    ///
    /// # Errors
    /// The first [`Mistake`].
    pub fn compile(source: &str, subject: &Subject) -> Result<Self, Mistake> {
        let tree = syntax::parse(source)?;
        let program = check::check(&tree, subject)?;
        Ok(Self { source: source.to_owned(), program })
    }

    /// As written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The fields that it names, in the order of the subject's.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.program.used.iter().map(|(_, name)| name.as_str())
    }

    /// Whether it holds of these facts: where it does, the fields that it names with their values, short enough for a line.
    ///
    /// # Errors
    /// [`NoAnswer`], which is neither yes nor no.
    pub fn holds(&self, subject: &Subject, facts: &Facts<'_>) -> Result<Option<Vec<(String, String)>>, NoAnswer> {
        let values = subject.values(&self.program.used, facts)?;
        if !run::run(&self.program.code, &values)? {
            return Ok(None);
        }
        let shown = self.program.used.iter().map(|(slot, name)| {
            let value = values.get(*slot).and_then(Option::as_ref);
            (name.clone(), value.map(Value::shown).unwrap_or_default())
        });
        Ok(Some(shown.collect()))
    }
}

impl Serialize for Expression {
    /// The text alone: what it means follows from it and from the subject.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}
