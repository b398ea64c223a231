//! A charter from a file, or every reason why it does not load.

use std::path::{Path, PathBuf};

use thiserror::Error;
use watchfire_charter::{Charter, Complaint, Document, Fault, Warning};

use crate::config::{ConfigError, read_text};

/// Why a charter file cannot be used.
#[derive(Debug, Error)]
pub enum CharterError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// The text is no valid charter.
    #[error("charter {} has {} fault(s):\n{}", path.display(), faults.len(), crate::config::lines(faults))]
    Faults {
        /// File.
        path: PathBuf,
        /// All of them, in line order.
        faults: Vec<Fault>,
    },
}

/// Reads and validates a charter.
///
/// # Errors
/// [`CharterError`]; all faults at once.
pub fn load(path: &Path) -> Result<(Charter, Vec<Warning>), CharterError> {
    read(path)?.into_charter().map_err(|faults| CharterError::Faults { path: path.to_owned(), faults })
}

/// Reads a charter as far as its faults let it be read.
///
/// # Errors
/// [`ConfigError`] where there is no file that could be read.
pub fn read(path: &Path) -> Result<Document, ConfigError> {
    match read_text(path) {
        // A charter in another encoding is a charter with a fault, which has a line.
        Err(ConfigError::NotText { line, .. }) => {
            let (message, remedy) = ("not UTF-8 text".to_owned(), "save the file as UTF-8".to_owned());
            let complaint =
                Complaint { line, key: "charter".to_owned(), kind: "not-utf-8", message, remedy, excerpt: None };
            Ok(Document::refused(vec![Fault(complaint)]))
        }
        text => Ok(watchfire_charter::read(&text?)),
    }
}
