//! `watchfire config check`: whether this node could run, all that is wrong at once.

use std::path::Path;

use clap::Subcommand;
use watchfire_charter::{Charter, Warning};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::read;
use crate::config::{Config, ConfigError, Reading, directory_of};
use crate::keys::{KeyFiles, PasswordSource, UnboundKeys};
use crate::place::{self, PlaceFault};

/// What to do about a configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration, the charter that it names, the keys, and that the three fit together: all faults at once, each
    /// with where and what to do. Starts nothing.
    Check(NodeArgs),
}

/// Runs a `config` command.
pub(super) fn run(command: &ConfigCommand, output: Output) -> Result<u8, CliError> {
    let ConfigCommand::Check(NodeArgs { config: path }) = command;
    let mut faults = Vec::new();
    let (mut charter_file, mut password, mut config) = (None, None, None);
    match Config::read(path) {
        // Without a file there is nothing to judge.
        Err(error @ ConfigError::NoConfig { .. }) => return Err(error.into()),
        Err(error) => faults.push(PlaceFault::of_file("config-unreadable", path, &error)),
        Ok(reading) => {
            let Reading { charter, password: source, config: whole } = reading;
            (charter_file, password) = (charter, source);
            match whole {
                Ok(whole) => config = Some(whole),
                Err(all) => faults.extend(all.iter().map(|fault| PlaceFault::of_text(path, fault))),
            }
        }
    }
    let (charter, warnings) = charter_file.as_deref().map(|file| charter(file, &mut faults)).unwrap_or_default();
    if let (Some(config), Some(charter)) = (&config, &charter) {
        faults.extend(place::faults(config, charter));
    }
    let member =
        config.as_ref().zip(charter.as_ref()).and_then(|(config, charter)| charter.members.get(&config.member));
    // Where the charter cannot tell, the files do.
    let guardian =
        member.map_or_else(|| KeyFiles::of(directory_of(path)).guardian.exists(), |member| member.guardian.is_some());
    output.progress("opening the keys");
    let keys = password.and_then(|source| keys(directory_of(path), &source, guardian, &mut faults));
    if let (Some(config), Some(charter), Some(keys)) = (&config, &charter, &keys) {
        faults.extend(place::key_faults(config, charter, keys));
    }
    let own = config.as_ref().zip(charter.as_ref()).map(|(config, charter)| place::warnings(config, charter));
    let warnings = Warnings { charter: warnings, own: own.unwrap_or_default() };
    tell(path, charter_file.as_deref(), config.as_ref(), &faults, &warnings, output)?;
    Ok(if faults.is_empty() { code::OK } else { code::NO })
}

/// What does not keep a node from running: of the charter's text, and of this node's own settings.
struct Warnings {
    charter: Vec<Warning>,
    own: Vec<PlaceFault>,
}

fn charter(file: &Path, faults: &mut Vec<PlaceFault>) -> (Option<Charter>, Vec<Warning>) {
    match read(file) {
        Ok(document) => {
            faults.extend(document.faults().iter().map(|fault| PlaceFault::of_text(file, fault)));
            (document.charter().cloned(), document.warnings().to_vec())
        }
        Err(error) => {
            faults.push(PlaceFault::of_file("charter-unreadable", file, &error));
            (None, Vec::new())
        }
    }
}

fn keys(
    directory: &Path,
    source: &PasswordSource,
    guardian: bool,
    faults: &mut Vec<PlaceFault>,
) -> Option<UnboundKeys> {
    match source.take() {
        Ok(password) => match UnboundKeys::unlock(directory, &password, guardian) {
            Ok(keys) => return Some(keys),
            Err(all) => faults.extend(all.0.iter().map(|error| PlaceFault::of_key(directory, error))),
        },
        Err(error) => faults.push(PlaceFault::of_key(directory, &error)),
    }
    None
}

fn tell(
    path: &Path,
    charter_file: Option<&Path>,
    config: Option<&Config>,
    faults: &[PlaceFault],
    warnings: &Warnings,
    output: Output,
) -> Result<(), CliError> {
    let charter = charter_file.map(|file| file.display().to_string()).unwrap_or_default();
    let of_charter = warnings.charter.iter().map(|warning| format!("warning: {charter}: {warning}\n"));
    let mut text: String = of_charter.chain(warnings.own.iter().map(|own| format!("warning: {own}\n"))).collect();
    faults.iter().for_each(|fault| text.push_str(&format!("fault: {fault}\n")));
    text.push_str(&match config.filter(|_| faults.is_empty()) {
        Some(config) => format!("{}: member {} can run", path.display(), config.member),
        None => format!("{} fault(s); this node would not start", faults.len()),
    });
    let all = serde_json::to_value(&warnings.charter).and_then(|all| Ok((all, serde_json::to_value(&warnings.own)?)));
    let (mut all, own) = all.map_err(|error| CliError::failed(error.to_string()))?;
    if let (Some(all), serde_json::Value::Array(own)) = (all.as_array_mut(), own) {
        all.extend(own);
    }
    let value = serde_json::json!({ "config": path.display().to_string(), "ok": faults.is_empty(), "faults": faults, "warnings": all });
    output.answer(&text, &value)
}
