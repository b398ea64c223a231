//! `watchfire config check`: whether this node could run, all that is wrong at once.

use clap::Subcommand;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::keys::UnboundKeys;
use crate::place;

/// What to do about a configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check configuration, keys and the node's place in its charter; starts nothing.
    Check(NodeArgs),
}

/// Runs a `config` command.
pub(super) fn run(command: &ConfigCommand, output: Output) -> Result<u8, CliError> {
    let ConfigCommand::Check(node) = command;
    let config = Config::load(&node.config)?;
    let (charter, warnings) = load(&config.charter)?;
    let mut faults = place::faults(&config, &charter);
    let guardian = charter.members.get(&config.member).is_none_or(|member| member.guardian.is_some());
    let unlocked =
        config.password.take().and_then(|password| UnboundKeys::unlock(&config.directory, &password, guardian));
    match unlocked {
        Ok(keys) => faults.extend(place::key_faults(&config, &charter, &keys)),
        Err(error) => faults.push(error.to_string()),
    }
    let ok = faults.is_empty();
    let mut text: String =
        warnings.iter().map(|warning| format!("warning: {}: {warning}\n", config.charter.display())).collect();
    faults.iter().for_each(|fault| text.push_str(&format!("fault: {fault}\n")));
    text.push_str(&if ok {
        format!("{}: member {} of {:?} can run", config.path.display(), config.member, charter.name)
    } else {
        format!("{} fault(s); this node would not start", faults.len())
    });
    let value = serde_json::json!({ "config": config.path, "ok": ok, "faults": faults, "warnings": warnings });
    output.answer(&text, &value)?;
    Ok(if ok { code::OK } else { code::NO })
}
