//! `watchfire incident note` and `watchfire vulnerability`: words for everyone, or for named members only.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use watchfire_charter::{Charter, MemberKind};
use watchfire_types::body::{SEALED_TEXT_MAX, SealedAbout};
use watchfire_types::control::{Reply, Request, SealedWords};
use watchfire_types::input::HumanAct;
use watchfire_types::{AssetId, IncidentId, MemberId};

use super::NodeArgs;
use super::incident::{act, find, time};
use super::output::{CliError, Output, code};
use super::people::SpeakerArgs;
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::ask;
use crate::keys::sealing::seal;

/// Free words about an incident.
#[derive(Debug, Args)]
pub(super) struct NoteArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    /// The words: at most 1,024 bytes for everyone, 12,288 sealed.
    text: String,
    /// Only these members (and this one) can read it; everyone keeps it and its hash.
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    seal_to: Vec<MemberId>,
    #[command(flatten)]
    speaker: SpeakerArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// What to do about vulnerability reports.
#[derive(Debug, Subcommand)]
pub(super) enum VulnerabilityCommand {
    /// Report a vulnerability, sealed: to all guardians unless named otherwise.
    Report(ReportArgs),
    /// List reports, opened where this member can.
    List(NodeArgs),
}

/// A report.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// File with the report, text of at most 12,288 bytes; `-` is standard input.
    file: PathBuf,
    /// The asset concerned, by its id in the charter.
    #[arg(long)]
    asset: AssetId,
    /// Only these members (and this one) can read it; all guardians unless given.
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    to: Vec<MemberId>,
    #[command(flatten)]
    speaker: SpeakerArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// Runs `incident note`.
pub(super) fn note(arguments: NoteArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let incident = find(&config, &arguments.incident)?.id;
    if arguments.seal_to.is_empty() {
        let human = arguments.speaker.human(&config, arguments.text)?;
        return act(&config, HumanAct::Note { incident, human }, output);
    }
    let (charter, _) = load(&config.charter)?;
    let to = arguments.seal_to.into_iter().collect();
    let about = SealedAbout::Incident(incident);
    say(&config, &charter, about, arguments.speaker, to, &arguments.text, output)
}

/// Runs a `vulnerability` command.
pub(super) fn vulnerability(command: VulnerabilityCommand, output: Output) -> Result<u8, CliError> {
    match command {
        VulnerabilityCommand::Report(arguments) => report(arguments, output),
        VulnerabilityCommand::List(node) => {
            let words = words(&Config::load(&node.config)?, None)?;
            let text: String = words.iter().map(text).collect();
            let text = if text.is_empty() { "no report".to_owned() } else { text };
            output.answer(&text, &serde_json::json!({ "reports": words }))?;
            Ok(code::OK)
        }
    }
}

fn report(arguments: ReportArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let words = read(&arguments.file)?;
    let guardians = charter.members.iter().filter(|(_, member)| member.kind == MemberKind::Guardian);
    let to: BTreeSet<MemberId> = if arguments.to.is_empty() {
        guardians.map(|(id, _)| id.clone()).collect()
    } else {
        arguments.to.into_iter().collect()
    };
    let about = SealedAbout::Vulnerability(arguments.asset);
    say(&config, &charter, about, arguments.speaker, to, &words, output)
}

/// The text of a file, read no further than its bound.
fn read(file: &PathBuf) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError::unread(file, &error);
    let limit = SEALED_TEXT_MAX as u64 + 1;
    let mut text = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(file).map_err(failed)?.take(limit).read_to_end(&mut text).map_err(failed)?;
    }
    if text.len() > SEALED_TEXT_MAX {
        let message = format!(
            "{} is longer than the {SEALED_TEXT_MAX} bytes that are sealed; seal where the whole can be had, and its hash",
            file.display()
        );
        return Err(CliError::failed(message));
    }
    String::from_utf8(text).map_err(|_| {
        CliError::failed(format!("{} is not UTF-8 text; save it as UTF-8", file.display())).of("file-not-utf-8")
    })
}

/// Seals here, so that the node and its socket never see the words.
fn say(
    config: &Config,
    charter: &Charter,
    about: SealedAbout,
    speaker: SpeakerArgs,
    mut to: BTreeSet<MemberId>,
    words: &str,
    output: Output,
) -> Result<u8, CliError> {
    let own = charter.members.get(&config.member).ok_or_else(|| CliError::no_member(config))?;
    // Whoever wrote it can read it again.
    to.insert(config.member.clone());
    let reason = match about {
        SealedAbout::Incident(_) => "a sealed note",
        SealedAbout::Vulnerability(_) => "a sealed vulnerability report",
    };
    let human = speaker.human(config, reason.to_owned())?;
    let sealed = Box::new(seal(charter, &own.node_key, about, human, &to, words)?);
    act(config, HumanAct::Seal { sealed }, output)
}

/// What was sealed about an incident, or about vulnerabilities, as the running node opens it.
pub(super) fn words(config: &Config, incident: Option<IncidentId>) -> Result<Vec<SealedWords>, CliError> {
    match ask(&config.directory, &Request::Sealed { incident })? {
        Reply::Sealed { words } => Ok(words),
        _ => Err(CliError::other_answer()),
    }
}

/// As a person reads it.
pub(super) fn text(words: &SealedWords) -> String {
    let to: Vec<&str> = words.to.iter().map(MemberId::as_str).collect();
    let about = match &words.about {
        SealedAbout::Incident(_) => String::new(),
        SealedAbout::Vulnerability(asset) => format!(" {asset}"),
    };
    let head = format!(
        "{}  sealed{about} by {} ({}) at {} to {} (hash {})",
        time(words.at_ms),
        words.human.person,
        words.human.role,
        words.author,
        to.join(", "),
        words.commitment
    );
    match (&words.opened, &words.fault) {
        (Some(opened), _) => {
            format!("{head}\n    salt {}\n    {}\n", opened.salt, opened.words.replace('\n', "\n    "))
        }
        (None, Some(fault)) => format!("{head}\n    cannot be opened: {fault}\n"),
        (None, None) => format!("{head}\n"),
    }
}
