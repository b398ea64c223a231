//! What a command says: progress on stderr, the answer on stdout, with `--json` as one line that is stdout's last.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use serde::Serialize;

use super::error_kinds::kind_of;
use crate::config::{Config, unreadable};

/// Exit codes, the same for every command; `watchfire --help` lists them.
pub mod code {
    /// Done; for `status`: can pause.
    pub const OK: u8 = 0;
    /// The answer is no: faults found, expectations missed; for `status`: at risk.
    pub const NO: u8 = 1;
    /// For `status`: cannot pause.
    pub const CANNOT_PAUSE: u8 = 2;
    /// The command could not be carried out; the error says why.
    pub const FAILED: u8 = 3;
    /// The node stopped because its own log is violated or cannot be made durable.
    pub const HALTED: u8 = 4;
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
}

/// A command that could not be carried out, or whose answer is no without more to say.
#[derive(Debug)]
pub struct CliError {
    /// What was wrong, where, what to do.
    pub message: String,
    /// Stable name in kebab-case, for programs: `not-running`, `charter-faults`.
    pub kind: &'static str,
    /// One of [`code`].
    pub code: u8,
}

impl CliError {
    /// A failure with [`code::FAILED`] and no name of its own.
    #[expect(clippy::needless_pass_by_value, reason = "errors and texts are handed over whole")]
    pub fn failed(message: impl ToString) -> Self {
        Self { message: message.to_string(), kind: "failed", code: code::FAILED }
    }

    /// A wrong command line: [`code::USAGE`].
    #[expect(clippy::needless_pass_by_value, reason = "errors and texts are handed over whole")]
    pub fn usage(message: impl ToString) -> Self {
        Self { message: message.to_string(), kind: "usage", code: code::USAGE }
    }

    /// A file that cannot be read.
    pub fn unread(path: &Path, error: &io::Error) -> Self {
        let remedy = unreadable(error);
        Self::failed(format!("cannot read {}: {error}; {remedy}", path.display())).of("file-unreadable")
    }

    /// A file that cannot be written.
    pub fn unwritten(path: &Path, error: &io::Error) -> Self {
        let (kind, remedy) = match error.kind() {
            ErrorKind::AlreadyExists => ("exists", "nothing is written over, name another file"),
            ErrorKind::NotFound => ("file-unwritable", "make its directory first, or name another"),
            _ => ("file-unwritable", "see that this user may write there and that its disk has room"),
        };
        Self::failed(format!("cannot write {}: {error}; {remedy}", path.display())).of(kind)
    }

    /// Something that was asked for by name and is not there.
    pub fn absent(message: impl ToString) -> Self {
        Self::failed(message).of("not-found")
    }

    /// A node that answers something else than was asked.
    #[must_use]
    pub fn other_answer() -> Self {
        Self::failed("the node answered another question; do both run the same version?").of("other-answer")
    }

    /// A configuration whose member the charter does not have.
    #[must_use]
    pub fn no_member(config: &Config) -> Self {
        let (member, charter) = (&config.member, config.charter.display());
        Self::failed(format!("{member} is no member of {charter}; correct `member` in config.toml, or the charter"))
            .of("not-a-member")
    }

    /// The same under a name of its own.
    #[must_use]
    pub fn of(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The error as `--json` prints it.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::json!({ "error": self.message, "code": self.kind, "exit_code": self.code })
    }
}

impl<E: std::error::Error + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let kind = kind_of(&error);
        Self::failed(error).of(kind)
    }
}

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON line instead of text.
    pub json: bool,
}

impl Output {
    /// Prints the answer of a command.
    ///
    /// # Errors
    /// When it cannot be written: an answer that nobody got is no success.
    pub fn answer(self, text: &str, value: &impl Serialize) -> Result<(), CliError> {
        let written = if self.json {
            line_out(&serde_json::to_string(value).map_err(|error| CliError::failed(format!("no JSON: {error}")))?)
        } else {
            line_out(text.trim_end())
        };
        written.or_else(|error| lost(&error))
    }

    /// Tells progress; never part of the answer.
    pub fn progress(self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Tells how much of a log was checked, as [`crate::kept::look`] says it.
    pub fn checked(self) -> impl FnMut(u64) {
        move |records| self.progress(&format!("{records} events checked"))
    }

    /// Tells an error on stderr, with `--json` on stdout too.
    pub fn error(self, error: &CliError) {
        let _ = writeln!(anstream::stderr(), "watchfire: {}", error.message);
        if self.json {
            // The message is on stderr already, and the exit code tells.
            let _ = line_out(&error.value().to_string());
        }
    }
}

/// One line to stdout, through to the system.
///
/// # Errors
/// Of the system; a reader that hung up (`| head`) is [`ErrorKind::BrokenPipe`].
pub fn line_out(line: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// What a failed write to stdout is: nothing where the reader hung up, who has what he wanted; else a failure.
///
/// # Errors
/// [`CliError`] for all but [`ErrorKind::BrokenPipe`].
pub fn lost(error: &io::Error) -> Result<(), CliError> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(CliError::failed(format!(
            "the answer cannot be written to stdout: {error}; nobody got it, send it elsewhere"
        ))
        .of("io")),
    }
}
