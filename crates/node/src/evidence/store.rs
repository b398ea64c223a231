//! The content-addressed store `DIR/evidence/<sha256 hex>`: written whole or not at all, checked on every read.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use watchfire_types::{B256, Bytes, sha256};

use super::OBJECT_BYTES_MAX;
use crate::durably;

/// Why an object cannot be read or kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Not there.
    #[error("evidence object {object} is not in {}; ask a node that holds it, `watchfire evidence list` names the organisations", directory.display())]
    Absent {
        /// Object.
        object: B256,
        /// The store.
        directory: PathBuf,
    },
    /// There, with other bytes than its name says.
    #[error("evidence object {} is damaged: it has SHA-256 {found}; a copy is taken from another member", path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// Digest of what is there.
        found: B256,
    },
    /// Larger than an object may be.
    #[error("an evidence object of {found} bytes is over the bound of {OBJECT_BYTES_MAX}; it is not kept")]
    TooLarge {
        /// Its size.
        found: usize,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}; {}", path.display(), crate::config::unreadable(source))]
    System {
        /// What was attempted.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The store of one node directory.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// The name of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> B256 {
    B256::new(sha256(&[bytes]))
}

fn system(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::System { doing, path, source }
}

impl Store {
    /// Opens `evidence/` in a node directory, making it (0700), and removes what a write that never ended left behind.
    ///
    /// # Errors
    /// [`StoreError::System`].
    pub fn open(node: &Path) -> Result<Self, StoreError> {
        Self::open_with(node, |directory| File::open(directory)?.sync_all())
    }

    fn open_with(node: &Path, sync: impl Fn(&Path) -> io::Result<()>) -> Result<Self, StoreError> {
        let directory = node.join("evidence");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(system("make", &directory))?;
        // Without its own name on the disk nothing in it is.
        sync(node).map_err(system("sync", node))?;
        let entries = fs::read_dir(&directory).map_err(system("list", &directory))?;
        for entry in entries {
            let path = entry.map_err(system("list", &directory))?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(&path).map_err(system("remove", &path))?;
            }
        }
        // What a process left under its name before it could sync that: it is believed to be there from now on.
        sync(&directory).map_err(system("sync", &directory))?;
        Ok(Self { directory })
    }

    /// Looks into `evidence/` of a node directory, changing nothing.
    #[must_use]
    pub fn look(node: &Path) -> Self {
        Self { directory: node.join("evidence") }
    }

    /// Where an object is.
    #[must_use]
    pub fn path(&self, object: &B256) -> PathBuf {
        self.directory.join(format!("{object:x}"))
    }

    /// Whether a file of this name is there; its content is judged when it is read.
    #[must_use]
    pub fn has(&self, object: &B256) -> bool {
        self.path(object).is_file()
    }

    /// Keeps bytes under their digest: temporary file, fsync, rename, fsync of the directory. On return a power loss cannot take them.
    /// What is there and whole stays; what is damaged is replaced.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put(&self, bytes: &[u8]) -> Result<B256, StoreError> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(StoreError::TooLarge { found: bytes.len() });
        }
        let object = digest(bytes);
        if self.get(&object).is_ok() {
            return Ok(object);
        }
        let path = self.path(&object);
        let part = self.directory.join(format!("{object:x}.{}.part", next()));
        let write = || {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            durably::rename(&part, &path)
        };
        write().map_err(system("write", &path))?;
        Ok(object)
    }

    /// An object's bytes, which have its digest.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::Damaged`], [`StoreError::TooLarge`], [`StoreError::System`].
    pub fn get(&self, object: &B256) -> Result<Bytes, StoreError> {
        let path = self.path(object);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Absent { object: *object, directory: self.directory.clone() });
            }
            Err(source) => return Err(StoreError::System { doing: "read", path, source }),
        };
        let mut bytes = Vec::new();
        file.take(OBJECT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(system("read", &path))?;
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(StoreError::TooLarge { found: bytes.len() });
        }
        let found = digest(&bytes);
        if found == *object { Ok(bytes.into()) } else { Err(StoreError::Damaged { path, found }) }
    }

    /// Total size and a stretch of an object as it lies there; who asked for it checks the whole.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::System`].
    pub fn stretch(&self, object: &B256, from: u64, bytes_max: usize) -> Result<(u64, Bytes), StoreError> {
        let path = self.path(object);
        let read = || {
            let mut file = File::open(&path)?;
            let total = file.metadata()?.len();
            file.seek(SeekFrom::Start(from.min(total)))?;
            let mut bytes = Vec::new();
            file.take(bytes_max as u64).read_to_end(&mut bytes)?;
            Ok((total, Bytes::from(bytes)))
        };
        read().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Absent { object: *object, directory: self.directory.clone() },
            _ => StoreError::System { doing: "read", path: path.clone(), source: error },
        })
    }
}

/// Tells apart temporary files of one process that writes the same object twice at a time.
fn next() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
