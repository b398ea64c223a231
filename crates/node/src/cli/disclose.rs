//! `watchfire disclose`: the words of a sealed event, for a third party.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use watchfire_charter::Charter;
use watchfire_journal::{Position, scan};
use watchfire_types::body::SealedAbout;
use watchfire_types::{Body, Bytes, EventHash};
use watchfire_wire::decode_signed;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use super::sealed::words;
use crate::charter_file::load;
use crate::config::Config;
use crate::disclosure::{check, disclose};
use crate::durably;
use crate::kept::journal_of;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct DiscloseArgs {
    /// Hash of the sealed event, or its beginning, as `incident show` and `vulnerability list` tell it.
    event: String,
    /// The file to write; it must not exist. Whoever has it can read the words.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
}

/// Runs `disclose`.
pub(super) fn run(arguments: &DiscloseArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let (hash, outer, about) = find(&config, &arguments.event)?;
    let incident = match about {
        SealedAbout::Incident(incident) => Some(incident),
        SealedAbout::Vulnerability(_) => None,
    };
    let told = words(&config, incident)?.into_iter().find(|words| words.event == hash);
    let opened = told.and_then(|words| words.opened);
    let opened = opened.ok_or_else(|| {
        CliError::absent(format!(
            "event {hash} was not sealed to this member; ask one of those whom `incident show` names"
        ))
    })?;
    let file = disclose(&outer, opened.salt, &opened.words, &charter)?;
    let failed = |error: std::io::Error| CliError::unwritten(&arguments.output, &error);
    let mut written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&arguments.output).map_err(failed)?;
    written.write_all(file.as_bytes()).and_then(|()| written.sync_all()).map_err(failed)?;
    durably::name(&arguments.output).map_err(failed)?;
    let text = format!("{}: the words of event {hash}; `watchfire verify` checks them", arguments.output.display());
    output.answer(&text, &serde_json::json!({ "event": hash, "file": arguments.output.display().to_string() }))?;
    Ok(code::OK)
}

/// The sealed event whose hash begins like this.
fn find(config: &Config, begins: &str) -> Result<(EventHash, Bytes, SealedAbout), CliError> {
    let storage = journal_of(&config.directory)?;
    let mut found = Vec::new();
    scan(&storage, Position::START, |record| {
        let Ok(event) = decode_signed(record.bytes.clone()) else { return };
        if let Body::Sealed(sealed) = &event.event().body
            && event.hash().to_string().starts_with(begins)
        {
            found.push((event.hash(), record.bytes, sealed.about.clone()));
        }
    })?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(CliError::absent(format!(
            "the log holds no sealed event whose hash begins with {begins:?}; `watchfire log query --kind sealed` finds them"
        ))),
        (Some(_), Some(_)) => {
            Err(CliError::absent(format!("several sealed events begin with {begins:?}; give more digits")))
        }
    }
}

/// Checks a disclosure.
pub(super) fn verify(file: &str, charter: &Charter, output: Output) -> Result<u8, CliError> {
    match check(file, charter) {
        Ok(disclosed) => {
            let text = format!(
                "it holds: {} sealed these words in event {} (hash {})\n{}",
                disclosed.author, disclosed.event, disclosed.commitment, disclosed.words
            );
            let value = serde_json::json!({ "kind": "disclosure", "holds": true, "disclosed": disclosed });
            output.answer(&text, &value)?;
            Ok(code::OK)
        }
        Err(fault) => {
            let value = serde_json::json!({ "kind": "disclosure", "holds": false, "first_failure": fault.to_string() });
            output.answer(&format!("IT DOES NOT HOLD: {fault}"), &value)?;
            Ok(code::NO)
        }
    }
}
