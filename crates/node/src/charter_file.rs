//! A charter from a file, or every reason why it does not load.

use std::path::{Path, PathBuf};

use thiserror::Error;
use watchfire_charter::{Charter, Fault, Warning};

use crate::config::{ConfigError, read_text};

/// Why a charter file cannot be used.
#[derive(Debug, Error)]
pub enum CharterError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// The text is no valid charter.
    #[error("charter {} has {} fault(s):\n{}", path.display(), faults.len(), lines(faults))]
    Faults {
        /// File.
        path: PathBuf,
        /// All of them, in line order.
        faults: Vec<Fault>,
    },
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n")
}

/// Reads and validates a charter.
///
/// # Errors
/// [`CharterError`]; all faults at once.
pub fn load(path: &Path) -> Result<(Charter, Vec<Warning>), CharterError> {
    let text = read_text(path)?;
    watchfire_charter::parse(&text).map_err(|faults| CharterError::Faults { path: path.to_owned(), faults })
}
