//! Where a drill record is written to, and how.

use std::path::PathBuf;

use watchfire_simulations::record::{DrillRecord, RecordFormat};

use super::output::CliError;

/// A file and what its ending says that is in it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    path: PathBuf,
    format: RecordFormat,
}

/// Reads a path as an argument.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let path = PathBuf::from(text);
    let format = path.extension().and_then(|extension| RecordFormat::of_extension(extension.to_str()?));
    let format = format.ok_or_else(|| format!("{text:?} says no format; end it in .md, .html or .json"))?;
    Ok(Target { path, format })
}

impl Target {
    /// Writes the record there.
    pub(super) fn write(&self, record: &DrillRecord) -> Result<(), CliError> {
        std::fs::write(&self.path, record.render(self.format)).map_err(|error| CliError::unwritten(&self.path, &error))
    }
}
