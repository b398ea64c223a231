//! `watchfire rules stats | promote`: how often each rule was right, and the people's word that one may vote by itself again.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use watchfire_types::control::{Reply, Request, RuleStats};
use watchfire_types::input::HumanAct;
use watchfire_types::{BlockTime, DetectorId};

use super::NodeArgs;
use super::incident::{WhoArgs, act, time};
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::kept::look;

/// A rule that people trust again.
#[derive(Debug, Args)]
pub(super) struct PromoteArgs {
    /// The rule, by its id in the charter.
    #[arg(value_name = "RULE")]
    rule: DetectorId,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// Proposes or supports a promotion.
pub(super) fn promote(arguments: PromoteArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let human = arguments.who.human(&config)?;
    act(&config, HumanAct::Promote { detector: arguments.rule, human }, output)
}

/// Shows the ledger: of the running node, or of the log that a node left.
pub(super) fn stats(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&node.config)?;
    let rules = match ask(&config.directory, &Request::Rules) {
        Ok(Reply::Rules { rules }) => rules,
        Ok(_) => return Err(CliError::other_answer()),
        Err(ClientError::NotRunning { .. }) => kept(&config, output)?,
        Err(error) => return Err(error.into()),
    };
    let text: String = rules.iter().map(line).collect();
    let text = if text.is_empty() { "the charter has no rule".to_owned() } else { text };
    output.answer(&text, &serde_json::json!({ "rules": rules }))?;
    Ok(code::OK)
}

fn kept(config: &Config, output: Output) -> Result<Vec<RuleStats>, CliError> {
    output.progress("no node runs here; reading the kept log");
    let (charter, _) = load(&config.charter)?;
    let kept = look(&config.directory, &Arc::new(charter), &config.member, output.checked())?;
    if !kept.is_sound() {
        output.progress("the log does not verify; see `watchfire log verify`");
    }
    Ok(kept.machine.rule_stats())
}

fn line(stats: &RuleStats) -> String {
    let RuleStats { asset, rule, kind, class, fired, confirmed, wrong, unjudged, open, alone, last_fired, demoted } =
        stats;
    let at = |at: &BlockTime| time(at.as_secs().saturating_mul(1_000));
    let last = last_fired.as_ref().map_or_else(|| "never".to_owned(), at);
    let mut line = format!(
        "{asset}  {rule}: {kind}, {class}; fired {fired}: {confirmed} confirmed, {wrong} false, {unjudged} not judged, {open} open; last {last}"
    );
    if *alone > 0 {
        let _ = write!(line, "; {alone} by too few to count");
    }
    line.push('\n');
    if let Some(demoted) = demoted {
        let steps = demoted.steps.iter().map(|(playbook, step)| format!("step {step} of {playbook}"));
        let _ = writeln!(
            line,
            "  asks people instead of voting since incident {}, closed {}: {} was carried out on it",
            demoted.incident.short(),
            at(&demoted.closed_at),
            steps.collect::<Vec<_>>().join(", ")
        );
        let names = demoted.promoted_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let by = if names.is_empty() { "nobody".to_owned() } else { names };
        let _ = writeln!(line, "  promotion supported by {by}; needs {}", demoted.missing);
    }
    line
}
