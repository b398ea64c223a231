//! `watchfire evidence`: what was collected on chain, and taking it out. Every look at bytes is an event, durable before they are shown.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use watchfire_types::B256;
use watchfire_types::body::{AccessAction, Custodian, EvidenceKind};
use watchfire_types::control::{EvidenceObject, Reply, Request};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use super::people::{SpeakerArgs, file_name};
use crate::config::Config;
use crate::control::client::ask;
use crate::durably;
use crate::evidence::store::Store;

/// Objects of one access, as the wire bounds them.
const OBJECTS_MAX: usize = 256;

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// List what was collected: which block, from whom, who holds copies. Shows no content.
    List(ListArgs),
    /// Show an object's bytes; who looked, and why, is an event.
    Show(ShowArgs),
    /// Take an object, or all of an incident, out of the store; who, where to, and why is an event.
    Export(ExportArgs),
    /// Remove an object, or all of an incident, from this node's store: closed, exported before, and older than the retention; who and why
    /// is an event.
    Dispose(DisposeArgs),
}

/// Of which incident.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The incident's id, or the beginning of it; all unless given.
    incident: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Who wants it, and why.
#[derive(Debug, Clone, Args)]
struct AccessArgs {
    #[command(flatten)]
    speaker: SpeakerArgs,
    /// Why, at most 1,024 bytes; everyone can read it.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    node: NodeArgs,
}

/// Which object.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// SHA-256 of the object, or the beginning of it.
    object: String,
    #[command(flatten)]
    access: AccessArgs,
}

/// What, and where to.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// SHA-256 of an object or id of an incident, or the beginning of one.
    what: String,
    /// The file to write, for an incident a directory; it must not exist.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    access: AccessArgs,
}

/// What.
#[derive(Debug, Args)]
pub(super) struct DisposeArgs {
    /// SHA-256 of an object or id of an incident, or the beginning of one.
    what: String,
    #[command(flatten)]
    access: AccessArgs,
}

/// Runs an `evidence` command.
pub(super) fn run(command: EvidenceCommand, output: Output) -> Result<u8, CliError> {
    match command {
        EvidenceCommand::List(arguments) => list(&arguments, output),
        EvidenceCommand::Show(arguments) => show(arguments, output),
        EvidenceCommand::Export(arguments) => export(arguments, output),
        EvidenceCommand::Dispose(arguments) => dispose(arguments, output),
    }
}

fn objects(config: &Config) -> Result<Vec<EvidenceObject>, CliError> {
    match ask(&config.directory, &Request::Evidence)? {
        Reply::Evidence { objects } => Ok(objects),
        _ => Err(CliError::other_answer()),
    }
}

fn digits(wanted: &str) -> Result<String, CliError> {
    let wanted = wanted.strip_prefix("0x").unwrap_or(wanted).to_ascii_lowercase();
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(wanted);
    }
    let message =
        format!("{wanted:?} is neither an object nor an incident: give hex digits from the beginning of its id");
    Err(CliError::usage(message))
}

/// The objects that are meant: one by its digest, or all of one incident.
fn find(all: &[EvidenceObject], wanted: &str, incidents: bool) -> Result<Vec<EvidenceObject>, CliError> {
    let wanted = digits(wanted)?;
    let mut named: Vec<_> =
        all.iter().filter(|object| format!("{:x}", object.object).starts_with(&wanted)).cloned().collect();
    // One object may belong to several incidents.
    named.dedup_by_key(|object| object.object);
    let of: Vec<_> =
        all.iter().filter(|object| incidents && object.incident.to_string().starts_with(&wanted)).cloned().collect();
    let incidents: BTreeSet<_> = of.iter().map(|object| object.incident).collect();
    match (named.len(), incidents.len()) {
        (1, 0) => Ok(named),
        (0, 1) => Ok(of),
        (0, 0) => Err(CliError::absent(format!("nothing begins with {wanted}; see `watchfire evidence list`"))),
        _ => Err(CliError::absent(format!("several things begin with {wanted}; give more digits"))),
    }
}

fn kind(kind: EvidenceKind) -> String {
    crate::run::describe::json_name(kind)
}

fn list(arguments: &ListArgs, output: Output) -> Result<u8, CliError> {
    let mut all = objects(&Config::load(&arguments.node.config)?)?;
    if let Some(wanted) = &arguments.incident {
        let wanted = digits(wanted)?;
        all.retain(|object| object.incident.to_string().starts_with(&wanted));
    }
    let line = |object: &EvidenceObject| {
        let here = if object.here { "here" } else { "not here" };
        let holders: Vec<_> = object.organisations.iter().map(ToString::to_string).collect();
        format!(
            "{:x}  {}  block {}  {:<14} {:>9} bytes  {here}; {}\n",
            object.object,
            object.incident.short(),
            object.block.number,
            kind(object.kind),
            object.size,
            holders.join(", ")
        )
    };
    let text: String = all.iter().map(line).collect();
    let text = if text.is_empty() { "no evidence".to_owned() } else { text };
    output.answer(&text, &serde_json::json!({ "objects": all }))?;
    Ok(code::OK)
}

/// Has the node say it, which is durable on return.
fn say(
    config: &Config,
    access: AccessArgs,
    objects: &[EvidenceObject],
    action: AccessAction,
    detail: &str,
) -> Result<(), CliError> {
    let human = access.speaker.human(config, access.reason)?;
    for some in objects.chunks(OBJECTS_MAX) {
        let objects = some.iter().map(|object| object.object).collect();
        let by = Custodian::Human(human.clone());
        match ask(&config.directory, &Request::AccessEvidence { objects, action, by, detail: detail.to_owned() })? {
            Reply::Done { .. } => {}
            _ => return Err(CliError::other_answer()),
        }
    }
    Ok(())
}

/// Has the node say it, then reads the bytes, which must have their digests.
fn access(
    config: &Config,
    access: AccessArgs,
    objects: &[EvidenceObject],
    action: AccessAction,
    detail: &str,
) -> Result<Vec<(B256, Vec<u8>)>, CliError> {
    say(config, access, objects, action, detail)?;
    let store = Store::look(&config.directory);
    let read =
        |object: &EvidenceObject| Ok((object.object, store.get(&object.object).map_err(CliError::failed)?.to_vec()));
    objects.iter().map(read).collect()
}

fn dispose(arguments: DisposeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.access.node.config)?;
    let mut found = find(&objects(&config)?, &arguments.what, true)?;
    found.retain(|object| object.here);
    if found.is_empty() {
        return Err(CliError::absent(
            "none of it is in this node's store; `watchfire evidence list` says what is here",
        ));
    }
    say(&config, arguments.access, &found, AccessAction::Disposed, "removed from the node's store")?;
    let bytes: u64 = found.iter().map(|object| object.size).sum();
    let text = format!("{} objects, {bytes} bytes, are no longer in this node's store", found.len());
    output.answer(&text, &serde_json::json!({ "objects": found, "bytes": bytes }))?;
    Ok(code::OK)
}

fn show(arguments: ShowArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.access.node.config)?;
    let found = find(&objects(&config)?, &arguments.object, false)?;
    let read = access(&config, arguments.access, &found, AccessAction::Read, "shown on the command line")?;
    let content = read.first().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    output.answer(&content, &serde_json::json!({ "object": found.first(), "content": content }))?;
    Ok(code::OK)
}

fn export(arguments: ExportArgs, output: Output) -> Result<u8, CliError> {
    let target = &arguments.output;
    if target.exists() {
        let message = format!("{} exists; evidence is not written over, name another", target.display());
        return Err(CliError::usage(message).of("exists"));
    }
    let config = Config::load(&arguments.access.node.config)?;
    let mut found = find(&objects(&config)?, &arguments.what, true)?;
    let absent = found.iter().filter(|object| !object.here).count();
    found.retain(|object| object.here);
    if found.is_empty() {
        return Err(CliError::failed(
            "none of it is in this node's store; ask a node of an organisation that holds it",
        ));
    }
    // Where to, without the path of this machine.
    let name = file_name(&config, target)?;
    let by = arguments.access.clone();
    let read = access(&config, arguments.access, &found, AccessAction::Read, &format!("for the file {name}"))?;
    let whole = digits(&arguments.what)?;
    let single = read.len() == 1 && format!("{:x}", found[0].object).starts_with(&whole);
    let failed = |error: io::Error| CliError::unwritten(target, &error);
    if let (true, Some((_, bytes))) = (single, read.first()) {
        write(target, bytes).map_err(failed)?;
    } else {
        fs::DirBuilder::new().mode(0o700).create(target).map_err(failed)?;
        for (object, bytes) in &read {
            write(&target.join(format!("{object:x}")), bytes).map_err(failed)?;
        }
        let manifest = serde_json::to_vec_pretty(&found)?;
        write(&target.join("manifest.json"), &manifest).map_err(failed)?;
        durably::name(target).map_err(failed)?;
    }
    // Only what is written whole counts as held outside this node.
    say(&config, by, &found, AccessAction::Exported, &format!("to the file {name}"))?;
    let bytes: usize = read.iter().map(|(_, bytes)| bytes.len()).sum();
    let left = if absent == 0 { String::new() } else { format!("; {absent} objects are not in this store") };
    let text = format!("{} objects, {bytes} bytes, written to {}{left}", read.len(), target.display());
    let value =
        serde_json::json!({ "file": target.display().to_string(), "objects": found, "bytes": bytes, "absent": absent });
    output.answer(&text, &value)?;
    Ok(code::OK)
}

/// Readable by its owner alone, and durable.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    durably::name(path)
}
