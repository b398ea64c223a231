//! `watchfire people`, and who speaks on the command line.

use std::path::Path;

use clap::{Args, Subcommand};
use watchfire_types::body::Human;
use watchfire_wire::bounds::{MAX_LABEL, MAX_REASON};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::config::Config;
use crate::people::{People, is_pseudonym};

/// What to do about the names behind pseudonyms.
#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// List names and pseudonyms. The table never leaves this machine.
    List(NodeArgs),
    /// Add a person under a random pseudonym; one who is there keeps theirs.
    Set(SetArgs),
    /// Forget a person: their pseudonym stays in the log, and nobody is behind it any more.
    Remove(RemoveArgs),
}

/// Whom to add.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The person's name, at most 128 bytes; it stays in this node's table.
    name: String,
    /// Pseudonym to use instead of a random one: at most 64 of a-z, 0-9, '-', '_', '.'.
    #[arg(long)]
    pseudonym: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Whom to forget.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The person's name, as `watchfire people list` shows it.
    name: String,
    #[command(flatten)]
    node: NodeArgs,
}

/// Who speaks. The log and gossip get a pseudonym only.
#[derive(Debug, Clone, Args)]
pub(super) struct SpeakerArgs {
    /// Who speaks: a name in this node's table (`watchfire people list`); the log gets their pseudonym.
    #[arg(long = "as", value_name = "NAME", required_unless_present = "person", conflicts_with = "person")]
    name: Option<String>,
    /// Who speaks: a pseudonym as it stands in the log, at most 64 bytes, instead of --as.
    #[arg(long, value_name = "PSEUDONYM")]
    person: Option<String>,
    /// In which role they speak, at most 64 bytes; everyone can read it.
    #[arg(long, default_value = "responder")]
    role: String,
}

impl SpeakerArgs {
    /// The speaker as the log gets them; `reason` is for everyone.
    pub(super) fn human(self, config: &Config, reason: String) -> Result<Human, CliError> {
        human(config, (self.name, self.person), self.role, reason)
    }
}

/// Whoever is named, or has this pseudonym, as the log gets them.
pub(super) fn human(
    config: &Config,
    (name, person): (Option<String>, Option<String>),
    role: String,
    reason: String,
) -> Result<Human, CliError> {
    let people = People::load(&config.directory)?;
    for (what, text, most) in [("role", &role, MAX_LABEL), ("reason", &reason, MAX_REASON)] {
        people.unnamed(text)?;
        if text.len() > most {
            let message = format!("the {what} has {} bytes; at most {most} are taken, shorten it", text.len());
            return Err(CliError::usage(message));
        }
    }
    let person = match (name, person) {
        (Some(name), _) => people.pseudonym(&name)?.to_owned(),
        (None, Some(person)) if is_pseudonym(&person) => person,
        (None, person) => {
            let message = format!(
                "{:?} is no pseudonym (a-z, 0-9, '-', '_', '.'); `--as NAME` finds one in this node's table",
                person.unwrap_or_default()
            );
            return Err(CliError::usage(message));
        }
    };
    Ok(Human { person, role, reason })
}

/// A file's name as an event tells of it: cut to 60 characters, and none of these people.
pub(super) fn file_name(config: &Config, file: &Path) -> Result<String, CliError> {
    let name: String = file.file_name().unwrap_or_default().to_string_lossy().chars().take(60).collect();
    People::load(&config.directory)?.unnamed(&name)?;
    Ok(name)
}

/// Runs a `people` command.
pub(super) fn run(command: &PeopleCommand, output: Output) -> Result<u8, CliError> {
    let table = |node: &NodeArgs| Ok::<_, CliError>(People::load(&Config::load(&node.config)?.directory)?);
    match command {
        PeopleCommand::List(node) => {
            let people = table(node)?;
            let text: String = people.iter().map(|(name, pseudonym)| format!("{pseudonym}  {name}\n")).collect();
            let text = if text.is_empty() { "nobody".to_owned() } else { text };
            let all: std::collections::BTreeMap<&str, &str> = people.iter().collect();
            output.answer(&text, &serde_json::json!({ "people": all }))?;
        }
        PeopleCommand::Set(SetArgs { name, pseudonym, node }) => {
            let pseudonym = table(node)?.set(name, pseudonym.as_deref())?;
            output.answer(&pseudonym, &serde_json::json!({ "name": name, "pseudonym": pseudonym }))?;
        }
        PeopleCommand::Remove(RemoveArgs { name, node }) => {
            let pseudonym = table(node)?.remove(name)?;
            let text = format!("forgotten; nobody is behind {pseudonym} any more");
            output.answer(&text, &serde_json::json!({ "forgotten": pseudonym }))?;
        }
    }
    Ok(code::OK)
}
