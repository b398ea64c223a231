//! `watchfire verify`: what a file says is checked offline, on a machine that needs no node.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use watchfire_bundle::{Check, MAX_BUNDLE_FILE, Outcome, Report};
use watchfire_charter::Charter;
use watchfire_protocol::{Conviction, judge};
use watchfire_transparency::text::{CONSISTENCY, INCLUSION};
use watchfire_types::Bytes;
use watchfire_wire::{FAULT_HEADER, decode_fault};

use super::incident::time;
use super::output::{CliError, Output, code};
use super::{disclose, log_trees};
use crate::archive::{self, ARCHIVE_HEADER, ArchiveReport, KeysOf};
use crate::charter_file::load;
use crate::disclosure::DISCLOSURE_HEADER;

/// What to verify.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The file; what it is shows by its content.
    file: PathBuf,
    /// A charter that you know from elsewhere: the one in a bundle or an archive must be the same. Without one, the members' keys are what the
    /// file says.
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
}

/// Runs `verify`.
pub(super) fn run(arguments: &VerifyArgs, output: Output) -> Result<u8, CliError> {
    let failed = |error: std::io::Error| CliError::unread(&arguments.file, &error);
    let mut file = BufReader::new(File::open(&arguments.file).map_err(failed)?);
    let charter = arguments.charter.as_deref().map(load).transpose()?.map(|(charter, _)| charter);
    if file.fill_buf().map_err(failed)?.starts_with(ARCHIVE_HEADER) {
        let (charter, keys) = match charter {
            Some(charter) => (charter, KeysOf::Known),
            None => {
                let charter = archive::charter_in(&mut file).map_err(CliError::failed)?;
                file.rewind().map_err(failed)?;
                (charter, KeysOf::Archive)
            }
        };
        let report = archive::verify(file, &charter, keys).map_err(CliError::failed)?;
        output.answer(&archive_text(&report), &report)?;
        return Ok(if report.holds { code::OK } else { code::NO });
    }
    let file = read(file).map_err(failed)?;
    if file.starts_with(FAULT_HEADER) {
        return fault(&file, &known(charter)?, output);
    }
    if let Some(text) = text_of_tree(&file) {
        return log_trees::check_with(text, &known(charter)?, output);
    }
    if let Some(text) = std::str::from_utf8(&file).ok().filter(|text| text.starts_with(DISCLOSURE_HEADER)) {
        return disclose::verify(text, &known(charter)?, output);
    }
    bundle(&file, charter.as_ref(), output)
}

/// Whoever is accused or vouches is named by a charter that you know from elsewhere: such a file holds none.
fn known(charter: Option<Charter>) -> Result<Charter, CliError> {
    let message = "this file holds no charter; give the members' keys by --charter FILE".to_owned();
    charter.ok_or(CliError::usage(message))
}

/// A checkpoint or a proof, if that is what the file begins like.
fn text_of_tree(file: &Bytes) -> Option<&str> {
    let begins = [INCLUSION, CONSISTENCY, "watchfire/"].iter().any(|first| file.starts_with(first.as_bytes()));
    std::str::from_utf8(file).ok().filter(|_| begins)
}

/// What is said of a fault object.
fn fault(file: &Bytes, charter: &Charter, output: Output) -> Result<u8, CliError> {
    let object = decode_fault(file).map_err(|error| {
        CliError::failed(format!("no fault object: {error}; get the file again from where it came")).of("not-a-fault")
    })?;
    match judge(&object, charter) {
        Ok(Conviction { member, author, epoch, cut, checks, verdict }) => {
            let mut text: String = checks.iter().map(|check| format!("holds  {check}\n")).collect();
            text.push_str(&format!("CONVICTED: {verdict}; nothing of it counts from position {cut} on"));
            let value = json!({
                "kind": "fault", "holds": true, "member": member, "author": author, "epoch": epoch, "cut": cut,
                "checks": checks, "verdict": verdict,
            });
            output.answer(&text, &value)?;
            Ok(code::OK)
        }
        Err(acquittal) => {
            let value = json!({ "kind": "fault", "holds": false, "first_failure": acquittal.to_string() });
            output.answer(&format!("IT CONVICTS NOBODY: {acquittal}"), &value)?;
            Ok(code::NO)
        }
    }
}

fn bundle(file: &Bytes, charter: Option<&Charter>, output: Output) -> Result<u8, CliError> {
    let report = watchfire_bundle::verify(file, charter);
    output.answer(&text(&report), &report)?;
    Ok(if report.holds { code::OK } else { code::NO })
}

/// The whole file; one byte over the bound is enough to be refused by whoever reads it.
fn read(file: BufReader<File>) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(MAX_BUNDLE_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn line(check: &Check) -> String {
    let outcome = match check.outcome {
        Outcome::Holds => "holds",
        Outcome::Open => "open ",
        Outcome::Fails => "FAILS",
    };
    format!("{outcome}  {:<15}  {}: {}\n", check.name, check.subject, check.detail)
}

/// The report on an archive for people.
fn archive_text(report: &ArchiveReport) -> String {
    let mut text: String = report.checks.iter().map(line).collect();
    for limit in &report.not_proved {
        text.push_str(&format!("not proved: {limit}\n"));
    }
    let [holds, open, fail] = [Outcome::Holds, Outcome::Open, Outcome::Fails].map(|outcome| report.count(outcome));
    let counts = format!("{holds} checks hold, {open} are open, {fail} fail");
    match &report.first_failure {
        Some(Check { name, subject, detail, .. }) => {
            text.push_str(&format!("DOES NOT HOLD: {counts}; first: {name} of {subject}: {detail}"));
        }
        None => {
            let ArchiveReport { events, chains, .. } = report;
            text.push_str(&format!("holds: an archive of {events} events of {chains} epochs: {counts}"));
        }
    }
    text
}

/// The report for people.
pub(super) fn text(report: &Report) -> String {
    let mut text: String = report.checks.iter().map(line).collect();
    let counts = format!(
        "{} checks hold, {} are open, {} fail",
        report.count(Outcome::Holds),
        report.count(Outcome::Open),
        report.count(Outcome::Fails)
    );
    for limit in &report.not_proved {
        text.push_str(&format!("not proved: {limit}\n"));
    }
    if let Some(failure) = &report.first_failure {
        let Check { name, subject, detail, .. } = failure;
        text.push_str(&format!("DOES NOT HOLD: {counts}; first: {name} of {subject}: {detail}"));
        return text;
    }
    let incident = report.incident.map(|incident| incident.short()).unwrap_or_default();
    let asset = report.asset.as_ref().map(ToString::to_string).unwrap_or_default();
    let seen = report.witnessed_s.map_or_else(
        || "no witness of another organisation says when it saw them".to_owned(),
        |time_s| format!("other organisations saw the logs last on {}", time(time_s.saturating_mul(1_000))),
    );
    text.push_str(&format!("holds: incident {incident} of {asset}: {counts}; {} events; {seen}", report.events));
    text
}
