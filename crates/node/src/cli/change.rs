//! `watchfire change`: what is planned, said before it happens, so that rules about authority are quiet about it and about nothing else.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use watchfire_types::body::{Change, ChangeCall, Selector};
use watchfire_types::control::{PlannedChange, Reply, Request};
use watchfire_types::input::HumanAct;
use watchfire_types::{Address, AssetId, B256, BlockTime, Bytes};

use super::NodeArgs;
use super::incident::{WhoArgs, act};
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::ask;

/// What to do about planned changes.
#[derive(Debug, Subcommand)]
pub(super) enum ChangeCommand {
    /// Say that this organisation expects a call in a window; it counts once organisations that meet the charter's `tune` rule do.
    Announce(Box<AnnounceArgs>),
    /// Say that this organisation expects what another one announced: look at it first.
    Support(NamedArgs),
    /// Say that this organisation no longer expects it; the same announcement is never supported again.
    Withdraw(NamedArgs),
    /// List planned changes: who expects each, what is missing, and since when this node's rules are quiet about it.
    List(NodeArgs),
}

/// A change.
#[derive(Debug, Args)]
pub(super) struct AnnounceArgs {
    /// The asset that the contract belongs to, by its id in the charter.
    #[arg(long)]
    asset: AssetId,
    /// The contract that is called, for an inner call of a multisig too.
    #[arg(long, value_name = "ADDRESS")]
    target: Address,
    #[command(flatten)]
    call: CallArgs,
    /// First time at which the call is expected: RFC 3339, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time)]
    opens: BlockTime,
    /// Last time at which it is expected, at most seven days later.
    #[arg(long, value_name = "TIME", value_parser = time)]
    closes: BlockTime,
    /// Tells it from the same one that was withdrawn before.
    #[arg(long, default_value = "0")]
    edition: u32,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// Which call.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct CallArgs {
    /// The whole call data in hex: this call and no other. Only its hash is told.
    #[arg(long, value_name = "HEX")]
    calldata: Option<Bytes>,
    /// The keccak-256 of the whole call data.
    #[arg(long, value_name = "HASH")]
    calldata_hash: Option<B256>,
    /// Any call of this function, whatever its arguments, such as `upgradeTo(address)`.
    #[arg(long, value_name = "SIGNATURE", value_parser = function)]
    function: Option<Selector>,
    /// Any call with this selector of four bytes.
    #[arg(long, value_name = "HEX")]
    selector: Option<Selector>,
}

/// A change that was announced.
#[derive(Debug, Args)]
pub(super) struct NamedArgs {
    /// The change's name, or the beginning of it, as `watchfire change list` shows it.
    change: String,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

impl CallArgs {
    fn call(&self) -> Result<ChangeCall, CliError> {
        let data = self.calldata.as_ref().map(|data| ChangeCall::Data(alloy::primitives::keccak256(data)));
        let hash = self.calldata_hash.map(ChangeCall::Data);
        let selector = self.function.or(self.selector).map(ChangeCall::Selector);
        data.or(hash).or(selector).ok_or_else(|| CliError::usage("say which call: --calldata or --function"))
    }
}

fn time(text: &str) -> Result<BlockTime, String> {
    if let Ok(secs) = text.parse() {
        return Ok(BlockTime::from_secs(secs));
    }
    let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_second()).ok());
    at.map(BlockTime::from_secs).ok_or_else(|| "write such as 2026-11-21T18:00:00Z, or seconds since 1970".to_owned())
}

fn function(text: &str) -> Result<Selector, String> {
    let parsed = watchfire_charter::privileged::selector_of(text);
    parsed.map(|(selector, _)| selector).ok_or_else(|| "write such as upgradeTo(address)".to_owned())
}

/// Runs a `change` command.
pub(super) fn run(command: ChangeCommand, output: Output) -> Result<u8, CliError> {
    match command {
        ChangeCommand::Announce(arguments) => announce(*arguments, output),
        ChangeCommand::Support(NamedArgs { change, who, node }) => {
            let config = Config::load(&node.config)?;
            let change = Box::new(find(&config, &change)?.change);
            let human = who.human(&config)?;
            act(&config, HumanAct::SupportChange { change, human }, output)
        }
        ChangeCommand::Withdraw(NamedArgs { change, who, node }) => {
            let config = Config::load(&node.config)?;
            let change = find(&config, &change)?.id;
            let human = who.human(&config)?;
            act(&config, HumanAct::WithdrawChange { change, human }, output)
        }
        ChangeCommand::List(node) => list(&node, output),
    }
}

fn announce(arguments: AnnounceArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let AnnounceArgs { asset, target, opens, closes, edition, .. } = arguments;
    let Some(chain) = charter.assets.get(&asset).map(|asset| asset.chain) else {
        let names = charter.assets.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(CliError::usage(format!("the charter has no asset {asset}; it has {names}")));
    };
    let window = closes.secs_since(opens);
    if window == 0 || window > watchfire_types::bounds::CHANGE_WINDOW_S_MAX {
        return Err(CliError::usage("the window ends after it begins, and at most seven days later; see --closes"));
    }
    let call = arguments.call.call()?;
    let change = Change { version: charter.version, asset, chain, target, call, opens, closes, edition };
    let human = arguments.who.human(&config)?;
    act(&config, HumanAct::SupportChange { change: Box::new(change), human }, output)
}

fn changes(config: &Config) -> Result<Vec<PlannedChange>, CliError> {
    match ask(&config.directory, &Request::Changes)? {
        Reply::Changes { changes } => Ok(changes),
        _ => Err(CliError::other_answer()),
    }
}

fn find(config: &Config, wanted: &str) -> Result<PlannedChange, CliError> {
    let wanted = wanted.strip_prefix("0x").unwrap_or(wanted).to_ascii_lowercase();
    if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("{wanted:?} is no planned change; give hex digits from the beginning of its name");
        return Err(CliError::usage(message));
    }
    let all = changes(config)?;
    let mut matching = all.into_iter().filter(|change| change.id.to_string().starts_with(&wanted));
    match (matching.next(), matching.next()) {
        (Some(change), None) => Ok(change),
        (Some(_), Some(_)) => Err(CliError::absent(format!("several changes begin with {wanted}; give more digits"))),
        (None, _) => Err(CliError::absent(format!("no change begins with {wanted}; see `watchfire change list`"))),
    }
}

fn list(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let all = changes(&Config::load(&node.config)?)?;
    let text: String = all.iter().map(line).collect();
    let text = if text.is_empty() { "no planned change".to_owned() } else { text };
    output.answer(&text, &serde_json::json!({ "changes": all }))?;
    Ok(code::OK)
}

fn line(planned: &PlannedChange) -> String {
    let PlannedChange { id, change, supported, withdrawn, missing, since, until, over } = planned;
    let at = |at: BlockTime| super::incident::time(at.as_secs().saturating_mul(1_000));
    let names = |names: &[watchfire_types::OrganisationId]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let call = match &change.call {
        ChangeCall::Data(hash) => format!("call data {hash}"),
        ChangeCall::Selector(selector) => format!("any call of {selector}"),
    };
    let state = match (over, missing, since, until) {
        (true, ..) => "over".to_owned(),
        (_, _, _, Some(until)) => format!("withdrawn at block {}", until.number),
        (_, Some(missing), ..) => format!("needs {missing}"),
        (_, None, Some(since), _) => format!("counts after block {}", since.number),
        (_, None, None, _) => "counts once this node sees the chain".to_owned(),
    };
    let mut line = format!(
        "{id}  {state}\n  {} on chain {}: {} {call}\n  {} to {}\n  expected by {}",
        change.asset,
        change.chain,
        change.target,
        at(change.opens),
        at(change.closes),
        if supported.is_empty() { "nobody".to_owned() } else { names(supported) },
    );
    if !withdrawn.is_empty() {
        let _ = write!(line, "; withdrawn by {}", names(withdrawn));
    }
    line.push('\n');
    line
}
