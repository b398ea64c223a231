//! A charter from a file, or every reason why it does not load.

use std::path::{Path, PathBuf};

use thiserror::Error;
use watchfire_charter::{Charter, Complaint, Fault, Warning};

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
    let text = match read_text(path) {
        // A charter in another encoding is a charter with a fault, which has a line.
        Err(ConfigError::NotText { line, .. }) => {
            let (message, remedy) = ("not UTF-8 text".to_owned(), "save the file as UTF-8".to_owned());
            let complaint =
                Complaint { line, key: "charter".to_owned(), kind: "not-utf-8", message, remedy, excerpt: None };
            return Err(CharterError::Faults { path: path.to_owned(), faults: vec![Fault(complaint)] });
        }
        text => text?,
    };
    watchfire_charter::parse(&text).map_err(|faults| CharterError::Faults { path: path.to_owned(), faults })
}
