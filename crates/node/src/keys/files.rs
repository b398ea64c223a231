//! Private files: created 0600 and never over another, synced with their directory, refused when others can read them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyError;
use crate::durably;

/// Largest key or password file that is read: 64 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Where the keys of a node directory are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// `keys/node.pem`: encrypted PKCS#8.
    pub node: PathBuf,
    /// `keys/guardian.json`: Web3 keystore v3.
    pub guardian: PathBuf,
    /// `keys/submitter.json`: Web3 keystore v3.
    pub submitter: PathBuf,
}

impl KeyFiles {
    /// The key files of this node directory.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let keys = directory.join("keys");
        Self {
            node: keys.join("node.pem"),
            guardian: keys.join("guardian.json"),
            submitter: keys.join("submitter.json"),
        }
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { action, path, source }
}

/// Makes a directory 0700 with its parents; an existing one is left as it is.
///
/// # Errors
/// [`KeyError::Io`].
pub fn create_directory(path: &Path) -> Result<(), KeyError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create", path))
}

/// Creates a file 0600 with these bytes; durable when it returns.
///
/// # Errors
/// [`KeyError::Exists`] when there is one already, [`KeyError::Io`] otherwise.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
            match source.kind() {
                ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
                _ => KeyError::Io { action: "create", path: path.to_owned(), source },
            }
        })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(source) = written {
        // Half a key file is worse than none: it would block the next try.
        let _ = fs::remove_file(path);
        return Err(KeyError::Io { action: "write", path: path.to_owned(), source });
    }
    durably::name(path).map_err(io("sync the name of", path))
}

/// Replaces a private file by a synced rename, so that a crash leaves the old or the new one whole.
///
/// # Errors
/// [`KeyError::Io`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // Left by a crash before the rename: the old file is whole and still the one that counts.
    match fs::remove_file(&new) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            return Err(KeyError::Io { action: "remove the unfinished", path: new, source });
        }
        _ => {}
    }
    create_private(&new, bytes)?;
    durably::rename(&new, path).map_err(io("replace", path))
}

/// Reads a private file of at most 64 KiB.
///
/// # Errors
/// [`KeyError::LoosePermissions`] when group or others have any right, [`KeyError::Malformed`] when it is too large or no
/// regular file, [`KeyError::Io`] otherwise.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = open_regular(path)?;
    let mode = file.metadata().map_err(io("read", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::LoosePermissions { path: path.to_owned(), mode });
    }
    read_bounded(file, path)
}

/// Reads a file of at most 64 KiB whatever its permissions: for files whose protection is another's matter.
///
/// # Errors
/// [`KeyError::Malformed`] when it is too large or no regular file, [`KeyError::Io`] otherwise.
pub fn read_shared(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read_bounded(open_regular(path)?, path)
}

/// Opens a regular file only: to open a pipe would wait for a writer, for ever if none comes.
fn open_regular(path: &Path) -> Result<File, KeyError> {
    let metadata = fs::metadata(path).map_err(io("read", path))?;
    if !metadata.is_file() {
        return Err(KeyError::Malformed { path: path.to_owned(), reason: "not a regular file".to_owned() });
    }
    File::open(path).map_err(io("read", path))
}

fn read_bounded(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // The whole capacity at once: a growing buffer would leave copies of the secret behind.
    let capacity = usize::try_from(FILE_BYTES_MAX + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(KeyError::Malformed {
            path: path.to_owned(),
            reason: format!("larger than {FILE_BYTES_MAX} bytes"),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
