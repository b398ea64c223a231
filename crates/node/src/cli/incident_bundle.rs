//! `watchfire incident bundle`: one file about one incident, from what a node's directory holds. Works beside a running node and
//! on a directory that was kept.
//!
//! Beside a running node the export is an event before any object is read, so that the bundle tells of itself; and the node
//! makes a checkpoint first, so that others' lines under it cover what it says. Of a directory whose node does not run the export is noted first,
//! and an event of the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use watchfire_bundle::{Bounds, CharterText, Check, Outcome, Parts, ROOM, Report, build_within, verify};
use watchfire_charter::Charter;
use watchfire_driver::SOFTWARE;
use watchfire_protocol::IncidentStatus;
use watchfire_types::body::{AccessAction, Custodian};
use watchfire_types::{B256, Body, Bytes, CharterDigest, IncidentId, Verified, sha256};
use watchfire_wire::bundle::Bundle;

use super::NodeArgs;
use super::handing_out::{Recorded, Recorder};
use super::incident::choose;
use super::log_trees::fresh;
use super::output::{CliError, Output, code};
use super::people::{file_name, human};
use crate::charter_file::load;
use crate::config::{Config, read_text};
use crate::durably;
use crate::kept::{Kept, look};
use crate::trees::witnessed;

/// Which incident, and where to.
#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    /// The file to write; it must not exist.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Who exports: a name in this node's table (`watchfire people list`); the log gets their pseudonym. Recorded with the reason as a custody
    /// event, of the next start where no node runs.
    #[arg(long = "as", value_name = "NAME", requires = "reason", conflicts_with = "person")]
    name: Option<String>,
    /// Who exports: a pseudonym as it stands in the log, instead of --as.
    #[arg(long, value_name = "PSEUDONYM", requires = "reason")]
    person: Option<String>,
    /// In which role they export, at most 64 bytes; everyone can read it.
    #[arg(long, default_value = "responder")]
    role: String,
    /// Why it is exported, at most 1,024 bytes; everyone can read it.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Serialize)]
struct Written {
    file: String,
    bytes: usize,
    sha256: B256,
    incident: IncidentId,
    charter: CharterDigest,
    events: usize,
    belonging: usize,
    objects: usize,
    /// Whether a running node recorded that its objects were handed out.
    custody_recorded: bool,
    /// Whether no node runs, and the next start records it.
    custody_owed: bool,
    /// What to do to have back what was pruned of it here, if anything was.
    pruned: Option<String>,
    holds: bool,
    open: usize,
    first_failure: Option<Check>,
}

/// Runs `incident bundle`.
pub(super) fn run(arguments: &BundleArgs, output: Output) -> Result<u8, CliError> {
    let file = &arguments.output;
    if file.exists() {
        let message = format!("{} exists; evidence is not written over, name another file", file.display());
        return Err(CliError::usage(message).of("exists"));
    }
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let toml = Bytes::from(read_text(&config.charter)?);
    let charter = Arc::new(charter);
    let mut kept = read(&config, &charter, output)?;
    let mut incident = find(&kept, &arguments.incident)?;
    let (by, name) = (custodian(&config, arguments)?, file_name(&config, file)?);
    let mut custody = Recorder::new(&config, by);
    let reading = format!("for the evidence bundle {name}");
    custody.take(named(&kept, &incident), &reading)?;
    if fresh(&config, output)?.is_some() || custody.recorded == Recorded::Said {
        kept = read(&config, &charter, output)?;
        incident = find(&kept, &incident.id.to_string())?;
        // What came meanwhile.
        custody.take(named(&kept, &incident), &reading)?;
    }
    output.progress(&format!("incident {} of {}", incident.id, incident.asset));
    // What is not here or is damaged stays open in the bundle; `watchfire verify` says of what.
    let parts = parts(&config, &kept, &incident, custody.read()?, CharterText { charter: (*charter).clone(), toml })?;
    let pruned = kept.pruned.as_ref().map(|pruned| pruned.chains.as_slice()).unwrap_or_default();
    let built = build_within(&parts, Bounds { pruned, room: ROOM });
    let (objects, bytes) = (parts.objects.len(), built.map_err(CliError::failed)?);
    output.progress("verifying what was made");
    let report = verify(&bytes, Some(&charter));
    write(file, &bytes).map_err(|error| CliError::unwritten(file, &error))?;
    // Only what stands in a whole file counts as held outside this node.
    let written = format!("SHA-256 {:x}, evidence bundle {name}", B256::new(sha256(&[&bytes])));
    let exported = custody.taken.clone();
    custody.record(&exported, AccessAction::Exported, &written)?;
    let recorded = custody.recorded;
    let mut answer = answer(file, &bytes, &incident, &charter, (objects, recorded), &report);
    answer.pruned = lacking(&bytes)?.then(|| kept.way_back()).flatten();
    output.answer(&text(&answer), &answer)?;
    Ok(if report.holds { code::OK } else { code::NO })
}

fn read(config: &Config, charter: &Arc<Charter>, output: Output) -> Result<Kept, CliError> {
    output.progress("reading the log");
    let kept = look(&config.directory, charter, &config.member, output.checked())?;
    if !kept.is_sound() {
        output.progress("the log does not hold as a whole; what does is taken. See `watchfire log verify`");
    }
    Ok(kept)
}

/// The objects that the incident's manifests name.
fn named(kept: &Kept, incident: &IncidentStatus) -> BTreeSet<B256> {
    let collected = kept.machine.events().filter_map(|event| match &event.body {
        Body::EvidenceCollected(collected) if collected.incident == incident.id => Some(&collected.items),
        _ => None,
    });
    collected.flatten().map(|item| item.object).collect()
}

fn custodian(config: &Config, arguments: &BundleArgs) -> Result<Custodian, CliError> {
    let BundleArgs { name, person, role, reason, .. } = arguments;
    match (name.as_ref().or(person.as_ref()), reason) {
        (Some(_), Some(reason)) => {
            let human = human(config, (name.clone(), person.clone()), role.clone(), reason.clone())?;
            Ok(Custodian::Human(human))
        }
        (None, None) => Ok(Custodian::Node("evidence bundle asked for at the control socket".to_owned())),
        _ => Err(CliError::usage("a reason is somebody's; say whose with --as or --person")),
    }
}

fn find(kept: &Kept, wanted: &str) -> Result<IncidentStatus, CliError> {
    let found = choose(kept.machine.incidents(), wanted, |incident| (incident.id, &incident.asset, incident.is_open()));
    // One that was closed long ago may be in an archive.
    found.map_err(|error| match kept.way_back() {
        Some(way_back) if error.kind == "not-found" => {
            CliError { message: format!("{}; if it was pruned, {way_back}", error.message), ..error }
        }
        _ => error,
    })
}

/// Whether the bundle lacks something that was pruned here: an event, or the path of one.
fn lacking(bytes: &Bytes) -> Result<bool, CliError> {
    let bundle = Bundle::decode(bytes).map_err(CliError::failed)?;
    let events = bundle.left_out.iter().any(|left| left.pruned > 0);
    Ok(events || bundle.segments.iter().any(|segment| segment.pruned > 0))
}

fn parts<'a>(
    config: &Config,
    kept: &'a Kept,
    incident: &IncidentStatus,
    objects: BTreeMap<B256, Bytes>,
    charter: CharterText,
) -> Result<Parts<'a>, CliError> {
    let events: Vec<&Verified<_>> = kept.machine.events().collect();
    Ok(Parts {
        network: kept.machine.network(),
        asset: incident.asset.clone(),
        generation: incident.generation,
        charters: vec![charter],
        events,
        witnessed: witnessed(&config.directory, kept.machine.charter())?,
        objects,
        software: SOFTWARE.to_owned(),
    })
}

/// Readable by the user alone, whole or not at all, and there after a power loss.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    durably::rename(&part, path)
}

fn answer(
    file: &Path,
    bytes: &Bytes,
    incident: &IncidentStatus,
    charter: &Charter,
    (objects, recorded): (usize, Recorded),
    report: &Report,
) -> Written {
    Written {
        file: file.display().to_string(),
        bytes: bytes.len(),
        sha256: B256::new(sha256(&[bytes])),
        incident: incident.id,
        charter: charter.digest(),
        events: report.events,
        belonging: report.belonging,
        objects,
        custody_recorded: recorded == Recorded::Said,
        custody_owed: recorded == Recorded::Owed,
        pruned: None,
        holds: report.holds,
        open: report.count(Outcome::Open),
        first_failure: report.first_failure.clone(),
    }
}

fn text(written: &Written) -> String {
    let Written { file, bytes, sha256, events, belonging, objects, .. } = written;
    let mut text = format!(
        "{file}: {bytes} bytes, SHA-256 {sha256:x}\nincident {} of {events} events, {belonging} its own; {objects} objects\n",
        written.incident
    );
    match &written.first_failure {
        Some(Check { name, subject, detail, .. }) => {
            text.push_str(&format!("IT DOES NOT HOLD: {name} of {subject}: {detail}"));
        }
        None if written.open > 0 => {
            text.push_str(&format!("it holds; {} check(s) are open, `watchfire verify` lists them", written.open));
        }
        None => text.push_str("it holds"),
    }
    if let Some(way_back) = &written.pruned {
        text.push_str(&format!("\nsome of it was pruned here: {way_back}, and a bundle made then has it all"));
    }
    if written.custody_owed {
        text.push_str("\nno node runs here: the next start says that these objects were handed out");
    } else if written.objects > 0 && !written.custody_recorded {
        text.push_str("\nno node runs here, and nothing can be written here: no custody event says that these objects were handed out");
    }
    text
}
