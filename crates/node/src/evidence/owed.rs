//! Accesses to a stopped node's objects: each is a file `DIR/evidence/<sha256 hex>.owed`, durable before a byte is handed out, and an event of
//! the node's next start.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watchfire_types::body::{AccessAction, Custodian};
use watchfire_types::{B256, Timestamp};

use super::store::digest;
use crate::durably;

/// What a file of an access is called after its digest.
const EXTENSION: &str = "owed";

/// One access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// When, by the clock of the machine.
    pub at: Timestamp,
    /// What was handed out.
    pub objects: BTreeSet<B256>,
    /// What was done.
    pub action: AccessAction,
    /// By whom.
    pub by: Custodian,
    /// To what end.
    pub detail: String,
}

impl Owed {
    /// Keeps it in a node directory; on return a power loss cannot take it.
    ///
    /// # Errors
    /// What the system says, and with which file.
    pub fn keep(&self, node: &Path) -> Result<(), (PathBuf, io::Error)> {
        let directory = node.join("evidence");
        let bytes = serde_json::to_vec(self).map_err(|error| (directory.clone(), error.into()))?;
        let path = directory.join(format!("{:x}.{EXTENSION}", digest(&bytes)));
        // What is left of one that was never whole is removed with the store's own.
        let part = path.with_extension("owed.part");
        let write = || {
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            durably::rename(&part, &path)
        };
        write().map_err(|error| (path.clone(), error))
    }

    /// Those that are kept in a node directory, oldest first, each with its file. One that cannot be read is told in the node's own log and stays.
    #[must_use]
    pub fn kept(node: &Path) -> Vec<(PathBuf, Self)> {
        let listed = fs::read_dir(node.join("evidence")).into_iter().flatten().flatten();
        let paths = listed.map(|entry| entry.path());
        let owed = paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        let mut kept: Vec<(PathBuf, Self)> = owed.filter_map(|path| Some((path.clone(), read(&path)?))).collect();
        kept.sort_by(|(one, a), (other, b)| (a.at, one).cmp(&(b.at, other)));
        kept
    }

    /// What its event says of it.
    #[must_use]
    pub fn detail(&self) -> String {
        let at = i64::try_from(self.at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let at = at.map_or_else(|| "beyond the calendar".to_owned(), |at| at.to_string());
        format!("{}; while no node ran, {at}", self.detail)
    }
}

fn read(path: &Path) -> Option<Owed> {
    let read = fs::read(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    read.inspect_err(|cause| tracing::error!(path = %path.display(), %cause, "an access to evidence cannot be read, and is not said"))
        .ok()
}
