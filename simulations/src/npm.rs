//! Installs the drill's npm packages: pinned by the committed lock files, without scripts, once, safely from several processes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;
use watchfire_types::sha256;

use super::HERE;

/// Written inside `node_modules` after a successful install; holds the hash of the lock file it was made from.
const STAMP: &str = ".watchfire-installed";

/// A set of packages with its own lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// The EVM node and the Safe's prebuilt contracts: what a drill runs on.
    Drill,
    /// The Solidity compiler, OpenZeppelin's contracts and an older Safe: only to compile the drill's own contracts again, and to test.
    Contracts,
}

/// Why the packages are not there.
#[derive(Debug, Error)]
pub enum NpmError {
    /// npm cannot be started.
    #[error("npm cannot be started ({source}): install Node.js 20 or later with npm and run this again")]
    Missing {
        /// What the system said.
        source: io::Error,
    },
    /// npm ran and failed.
    #[error(
        "`npm ci` failed in {directory}; make npm's registry reachable (`npm config get registry` names it) and run this again:\n\
         {output}",
        directory = directory.display()
    )]
    Failed {
        /// Where it ran.
        directory: PathBuf,
        /// Its last lines, at most 2,000 characters.
        output: String,
    },
    /// A file or directory is out of reach.
    #[error("cannot use {path} for the drill's npm packages: {source}; see that this user may write there, or set XDG_CACHE_HOME", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No place to install into.
    #[error("no cache directory: set XDG_CACHE_HOME or HOME")]
    NoCache,
}

impl Package {
    const fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::Drill => (include_str!("../package.json"), include_str!("../package-lock.json")),
            Self::Contracts => {
                (include_str!("../contracts/package.json"), include_str!("../contracts/package-lock.json"))
            }
        }
    }

    /// Beside its lock file when run from the checkout it was built from, else in the user's cache, named by the lock's hash.
    fn directory(self, lock: &str, hash: &str) -> Result<PathBuf, NpmError> {
        let source = Path::new(HERE);
        let source = match self {
            Self::Drill => source.to_owned(),
            Self::Contracts => source.join("contracts"),
        };
        if fs::read_to_string(source.join("package-lock.json")).is_ok_and(|text| text == lock) {
            return Ok(source);
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(NpmError::NoCache)?;
        Ok(cache.join("watchfire").join(&hash[..16]))
    }
}

/// Makes sure that the packages are installed and answers their `node_modules` directory. `say` is told before anything is
/// fetched. Blocks: for the time of the download when they are missing, or while another process installs them.
///
/// # Errors
/// When npm is missing or fails, or the directory cannot be written.
pub fn install(package: Package, say: &dyn Fn(&str)) -> Result<PathBuf, NpmError> {
    let (manifest, lock) = package.files();
    let hash = hex::encode(sha256(&[lock.as_bytes()]));
    let directory = package.directory(lock, &hash)?;
    let modules = directory.join("node_modules");
    let installed = || fs::read_to_string(modules.join(STAMP)).is_ok_and(|stamp| stamp.trim() == hash);
    if installed() {
        return Ok(modules);
    }
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| NpmError::File { path, source }
    };
    fs::create_dir_all(&directory).map_err(file(&directory))?;
    let guard_path = std::env::temp_dir().join(format!("watchfire-npm-{}.lock", &hash[..16]));
    let guard = File::options().create(true).append(true).open(&guard_path).map_err(file(&guard_path))?;
    guard.lock().map_err(file(&guard_path))?;
    if installed() {
        return Ok(modules);
    }
    for (name, text) in [("package.json", manifest), ("package-lock.json", lock)] {
        let path = directory.join(name);
        if !fs::read_to_string(&path).is_ok_and(|held| held == text) {
            fs::write(&path, text).map_err(file(&path))?;
        }
    }
    say(&format!("fetching npm packages into {} ... (`npm ci` of the lock file beside it)", modules.display()));
    run_npm(&directory)?;
    let stamp = modules.join(STAMP);
    fs::write(&stamp, &hash).map_err(file(&stamp))?;
    Ok(modules)
}

fn run_npm(directory: &Path) -> Result<(), NpmError> {
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| NpmError::Missing { source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let skip = text.chars().count().saturating_sub(2_000);
    Err(NpmError::Failed { directory: directory.to_owned(), output: text.chars().skip(skip).collect() })
}

/// Tells on stderr, also from within a test that keeps what it prints to itself.
pub fn aloud(line: &str) {
    use std::io::Write as _;
    // Nobody may be listening.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
