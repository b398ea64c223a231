//! `watchfire charter check | digest`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use watchfire_charter::{Charter, Fault, Warning};

use super::finding::Finding;
use super::output::{CliError, Output, code};
use crate::charter_file::{CharterError, load, read};

/// What to do about a charter.
#[derive(Debug, Subcommand)]
pub(super) enum CharterCommand {
    /// Report all faults at once, each with line, key and what to do: those of the text, of entries, and of what the chain says.
    Check {
        /// The charter, a TOML file.
        file: PathBuf,
        /// Also judge what the chain says: owners, threshold, version, modules, guard, whether each step would succeed now.
        /// Asked for each chain of the charter that the endpoint serves; may be given several times, one per chain.
        #[arg(long, value_name = "URL")]
        rpc: Vec<url::Url>,
        /// Also check a member's entry, the line that its `init --json` printed: that its own keys signed it, and that the
        /// charter has it as signed.
        #[arg(long, value_name = "FILE", num_args = 1..)]
        entry: Vec<PathBuf>,
    },
    /// Print the charter's digest; that of version 1 is the network's id.
    Digest {
        /// The charter, a TOML file.
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    faults: &'a [Fault],
    warnings: &'a [Warning],
    live: &'a [Finding],
    entries: &'a [Finding],
}

/// Runs a `charter` command.
pub(super) fn run(command: CharterCommand, output: Output) -> Result<u8, CliError> {
    match command {
        CharterCommand::Check { file, rpc, entry } => check(&file, &rpc, &entry, output),
        CharterCommand::Digest { file } => digest(&file, output),
    }
}

fn digest(file: &Path, output: Output) -> Result<u8, CliError> {
    let (charter, _) = load(file).map_err(|error| match &error {
        CharterError::Faults { .. } => CliError { code: code::NO, ..error.into() },
        CharterError::Read(_) => error.into(),
    })?;
    let (digest, network) = (charter.digest(), charter.network_id());
    let value = serde_json::json!({
        "file": file.display().to_string(), "version": charter.version, "digest": digest, "network": network,
    });
    output.answer(&digest.to_string(), &value)?;
    Ok(code::OK)
}

fn check(file: &Path, rpc: &[url::Url], entry: &[PathBuf], output: Output) -> Result<u8, CliError> {
    let name = file.display().to_string();
    let document = read(file).map_err(CharterError::Read)?;
    let (faults, warnings) = (document.faults(), document.warnings());
    let entries: Vec<Finding> = entry.iter().flat_map(|path| super::entries::check(&document, path)).collect();
    let live = if rpc.is_empty() { Vec::new() } else { super::charter_live::check(&document, rpc, output)? };
    let around: Vec<&Finding> = entries.iter().chain(&live).collect();
    let found = around.iter().filter(|finding| finding.is_fault()).count();
    let mut text: String = faults.iter().map(|fault| format!("fault: {name}: {fault}\n")).collect();
    text.extend(warnings.iter().map(|warning| format!("warning: {name}: {warning}\n")));
    text.extend(around.iter().map(|finding| format!("{finding}\n")));
    text.push_str(&match document.charter() {
        Some(charter) => summary(charter, found),
        None if found == 0 => format!("{} fault(s); the charter does not load", faults.len()),
        None => format!("{} fault(s), and {found} around it; the charter does not load", faults.len()),
    });
    let ok = faults.is_empty() && found == 0;
    let digest = document.charter().map(|charter| charter.digest().to_string());
    output.answer(&text, &Checked { file: name, ok, digest, faults, warnings, live: &live, entries: &entries })?;
    Ok(if ok { code::OK } else { code::NO })
}

fn summary(charter: &Charter, found: usize) -> String {
    let Charter { name, version, .. } = charter;
    let counts = format!(
        "{} organisations, {} members, {} assets, {} playbooks",
        charter.organisations.len(),
        charter.members.len(),
        charter.assets.len(),
        charter.playbooks.len()
    );
    let verdict =
        if found == 0 { "holds".to_owned() } else { format!("loads, but {found} fault(s) were found around it") };
    format!("charter {name:?} version {version} {verdict}: {counts}; digest {}", charter.digest())
}
