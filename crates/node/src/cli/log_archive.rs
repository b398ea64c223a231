//! `watchfire log export` and `watchfire log import`.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::archive::{ImportError, Mended, export, import};
use crate::charter_file::load;
use crate::config::{Config, read_text};

/// A format of archives.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line.
    Jsonl,
}

/// Where to.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Format of the archive.
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// The file to write; it must not exist. Standard output otherwise.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Where from.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The archives, oldest first: each that `log verify` names where something was pruned.
    #[arg(required = true)]
    archives: Vec<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Runs `log export`.
pub(super) fn to(arguments: &ExportArgs, output: Output) -> Result<u8, CliError> {
    let Format::Jsonl = arguments.format;
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let toml = read_text(&config.charter)?;
    let charter = (&charter, toml.as_str());
    let told = |events| output.progress(&format!("{events} events exported"));
    let Some(file) = &arguments.output else {
        // The archive itself is the answer, and its last line is JSON.
        export(&config.directory, charter, &mut BufWriter::new(std::io::stdout().lock()), told)?;
        return Ok(code::OK);
    };
    let mut unfinished = file.clone().into_os_string();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let failed = |path: &Path, error: &std::io::Error| CliError::unwritten(path, error);
    if file.exists() {
        let message = format!("{} exists; archives are not written over, name another file", file.display());
        return Err(CliError::usage(message).of("exists"));
    }
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let mut out = BufWriter::new(opened.map_err(|error| failed(&unfinished, &error))?);
    let exported = match export(&config.directory, charter, &mut out, told) {
        Ok(exported) => exported,
        Err(error) => {
            let _ = std::fs::remove_file(&unfinished);
            return Err(error.into());
        }
    };
    let synced = out.flush().and_then(|()| out.get_ref().sync_all());
    synced.and_then(|()| crate::durably::rename(&unfinished, file)).map_err(|error| failed(file, &error))?;
    let text = format!(
        "{}: {} events of {} epochs, {} lines of witnesses; SHA-256 before its last line {}; `watchfire verify` checks it",
        file.display(),
        exported.events,
        exported.trees,
        exported.witnesses,
        exported.sha256
    );
    output.answer(&text, &exported)?;
    Ok(code::OK)
}

/// Runs `log import`.
pub(super) fn from(arguments: &ImportArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let own = charter.members.get(&config.member).ok_or_else(|| CliError::no_member(&config))?;
    let open = |path: &PathBuf| {
        let file = File::open(path);
        file.map(BufReader::new).map_err(|error| CliError::unread(path, &error))
    };
    let archives = arguments.archives.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let told = |events| output.progress(&format!("{events} events imported"));
    let imported =
        import(&config.directory, &charter, &own.node_key, archives, told).map_err(|error| match &error {
            ImportError::Line { archive: number @ 1.., .. } => {
                let path =
                    arguments.archives.get(number - 1).map(|path| path.display().to_string()).unwrap_or_default();
                CliError::failed(format!("{path}: {error}")).of("archive-does-not-hold")
            }
            _ => error.into(),
        })?;
    let mut text = format!("{} events imported; `watchfire run` continues with a new epoch", imported.events);
    if imported.forked > 0 {
        text.push_str(&format!("; {} of them are of authors that signed two histories", imported.forked));
    }
    if imported.witnesses > 0 {
        text.push_str(&format!("; {} lines of witnesses are new here", imported.witnesses));
    }
    if let Some(Mended { set_aside }) = &imported.mended {
        text.push_str(&format!(
            "; the log here was damaged in its base and is in {set_aside} as it was: {} sound events of it are kept",
            imported.kept
        ));
    }
    if imported.missing > 0 {
        text.push_str(&format!(
            "; {} positions before or between them are missing and are asked of peers",
            imported.missing
        ));
    }
    output.answer(&text, &imported)?;
    Ok(code::OK)
}
