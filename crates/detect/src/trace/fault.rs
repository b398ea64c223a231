//! Why a text gives no call trace, and where.

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

/// Line and column, both from 1, of a byte offset.
pub(super) fn place(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}
