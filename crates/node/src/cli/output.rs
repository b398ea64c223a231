//! What a command says: progress on stderr, the answer on stdout, with `--json` as one line that is stdout's last.

use std::io::{self, ErrorKind, Write as _};

use serde::Serialize;

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
    /// One of [`code`].
    pub code: u8,
}

impl CliError {
    /// A failure with [`code::FAILED`].
    #[expect(clippy::needless_pass_by_value, reason = "errors and texts are handed over whole")]
    pub fn failed(message: impl ToString) -> Self {
        Self { message: message.to_string(), code: code::FAILED }
    }
}

impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::failed(error)
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

    /// Tells an error on stderr, with `--json` on stdout too.
    pub fn error(self, error: &CliError) {
        let _ = writeln!(anstream::stderr(), "watchfire: {}", error.message);
        if self.json {
            let line = serde_json::json!({ "error": error.message, "exit_code": error.code }).to_string();
            // The message is on stderr already, and the exit code tells.
            let _ = line_out(&line);
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
        _ => Err(CliError::failed(format!("the answer cannot be written to stdout: {error}"))),
    }
}
