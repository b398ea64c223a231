//! Why a text gives no call trace, and where.

use std::cell::OnceCell;

use thiserror::Error;

/// Why a text gives no call trace; every one says the line and column (both from 1) where it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TraceFault {
    /// Not UTF-8.
    #[error("line {line}, column {column}: no UTF-8 text; give a JSON file, plain or compressed as .gz, .zst or .xz")]
    NotText {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// No JSON, or cut off.
    #[error("line {line}, column {column}: {what}; is the file whole?")]
    Json {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// What was met or missed.
        what: &'static str,
    },
    /// JSON, but no trace.
    #[error(
        "line {line}, column {column}: {found} is no call trace; give a callTracer result, a Parity trace array, a reply around one, or \
         JSON lines of those"
    )]
    Shape {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// What stands there.
        found: &'static str,
    },
    /// A field of a call holds something that it cannot.
    #[error(
        "line {line}, column {column}: {field} of a call is {wants}, this is something else; fetch the trace again"
    )]
    Field {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Which.
        field: &'static str,
        /// What belongs there.
        wants: &'static str,
    },
    /// A JSON-RPC reply that is an error.
    #[error("line {line}, column {column}: the node answered with an error: {message}; ask one that traces that block")]
    Reply {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Its message, at most 200 characters.
        message: String,
    },
    /// More calls than are looked at.
    #[error(
        "line {line}, column {column}: a transaction of more than {most} calls; no chain makes one, see where the file is from"
    )]
    TooManyCalls {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Bound.
        most: usize,
    },
    /// Nothing inside.
    #[error("no trace is in it; is the file whole?")]
    Empty,
}

/// Where the lines of a text begin, looked for once, when the first place in it is asked for: a text may have as many faults as values.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a [u8],
    lines: OnceCell<Vec<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text, lines: OnceCell::new() }
    }

    /// Line and column, both from 1, of a byte offset.
    pub(super) fn at(&self, at: usize) -> (usize, usize) {
        let ends = || self.text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end + 1);
        let lines = self.lines.get_or_init(|| std::iter::once(0).chain(ends()).collect());
        let at = at.min(self.text.len());
        let line = lines.partition_point(|begins| *begins <= at);
        (line, at - lines.get(line - 1).copied().unwrap_or_default() + 1)
    }
}
