//! What the contracts that matter were when this node first saw them, kept in its directory: a Safe's singleton or a guard's
//! code that was exchanged while the node was down is seen at the next start, and said until a person accepts it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use watchfire_types::{Bytes, ChainId, Read, ReadOutcome};

/// Largest file read: far above what a charter of 1 MiB can ask for.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The first answer to each question, by chain.
#[derive(Debug)]
pub(super) struct Baseline {
    path: PathBuf,
    held: BTreeMap<ChainId, BTreeMap<Read, Bytes>>,
}

impl Baseline {
    /// Reads what an earlier process kept; nothing, where there is no file.
    ///
    /// # Errors
    /// A file that cannot be read: then nothing is known of what was before, and that is to be said.
    pub(super) fn load(directory: &Path) -> Result<Self, (Self, io::Error)> {
        let path = directory.join("baseline.json");
        match read(&path) {
            Ok(held) => Ok(Self { path, held }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, held: BTreeMap::new() }),
            Err(error) => Err((Self { path, held: BTreeMap::new() }, error)),
        }
    }

    /// What is known of a chain.
    pub(super) fn of(&self, chain: ChainId) -> BTreeMap<Read, ReadOutcome> {
        let held = self.held.get(&chain).into_iter().flatten();
        held.map(|(read, value)| (read.clone(), ReadOutcome::Value(value.clone()))).collect()
    }

    /// Takes the answers to slots and codes that were never answered before, durably; what is known stays.
    ///
    /// # Errors
    /// The file cannot be written; what was taken counts for as long as the process lives.
    pub(super) fn note(&mut self, chain: ChainId, answers: &BTreeMap<Read, ReadOutcome>) -> io::Result<()> {
        let held = self.held.entry(chain).or_default();
        let before = held.len();
        for (read, answer) in answers {
            if let (Read::Storage { .. } | Read::CodeHash { .. }, ReadOutcome::Value(value)) = (read, answer) {
                held.entry(read.clone()).or_insert_with(|| value.clone());
            }
        }
        if held.len() == before { Ok(()) } else { self.keep() }
    }

    /// Whole or not at all, and there after a power loss.
    fn keep(&self) -> io::Result<()> {
        let chains: Vec<(ChainId, Vec<(&Read, &Bytes)>)> =
            self.held.iter().map(|(chain, held)| (*chain, held.iter().collect())).collect();
        let new = self.path.with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&chains)?)?;
        file.sync_all()?;
        crate::durably::rename(&new, &self.path)
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<ChainId, BTreeMap<Read, Bytes>>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let chains: Vec<(ChainId, Vec<(Read, Bytes)>)> = serde_json::from_slice(&bytes)?;
    Ok(chains.into_iter().map(|(chain, held)| (chain, held.into_iter().collect())).collect())
}

#[cfg(test)]
mod tests;
