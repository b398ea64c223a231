//! Files that are there after a power loss too: a file's own sync says nothing about its name, which stands in its directory.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Puts a synced file in its place: whole or not at all, and durable under that name when this returns.
///
/// # Errors
/// What the system says; the file may then stand there already.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    rename_with(from, to, |directory| File::open(directory)?.sync_all())
}

/// Makes the name of a file that was made here durable.
///
/// # Errors
/// What the system says.
pub(crate) fn name(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn rename_with(from: &Path, to: &Path, sync: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    fs::rename(from, to)?;
    sync(directory(to))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
