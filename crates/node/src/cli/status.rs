//! `watchfire status`: can this network pause?

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use owo_colors::OwoColorize as _;
use watchfire_charter::PlaybookPurpose;
use watchfire_types::control::{
    AssetStatus, CanPause, IntakeStatus, LookoutStatus, OpenIncident, PeerStatus, Reply, ReportCount, Request, Snooze,
    Status,
};
use watchfire_types::{AssetId, DetectorId};

use super::NodeArgs;
use super::incident::time;
use super::output::{CliError, Output, code, line_out, lost};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::kept::look;
use crate::run::describe::cause_name;
use crate::run::open_incidents;

/// Between two looks of `--watch`.
const WATCH: Duration = Duration::from_secs(1);

/// Arguments of `watchfire status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Show it again every second until interrupted; with --json one object a line.
    #[arg(long)]
    watch: bool,
}

/// Shows the status; the exit code is the worst verdict of all assets.
pub(super) fn run(arguments: &StatusArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    if !arguments.watch {
        let status = status(&config, output)?;
        output.answer(&text(&status), &status)?;
        return Ok(verdict(&status));
    }
    let mut stdout = anstream::stdout();
    let clear = !output.json && std::io::stdout().is_terminal();
    loop {
        let shown = match status(&config, output) {
            Ok(status) if output.json => serde_json::to_string(&status).unwrap_or_default(),
            Ok(status) => text(&status),
            Err(error) if output.json => error.value().to_string(),
            Err(error) => error.message,
        };
        if clear {
            // Home, the text, and away with what is left of the one before.
            let _ = write!(stdout, "\x1b[H\x1b[2J");
        }
        if let Err(error) = line_out(&shown) {
            return lost(&error).map(|()| code::OK);
        }
        std::thread::sleep(WATCH);
    }
}

fn status(config: &Config, output: Output) -> Result<Status, CliError> {
    match ask(&config.directory, &Request::Status) {
        Ok(Reply::Status(status)) => Ok(*status),
        Ok(_) => Err(CliError::other_answer()),
        Err(ClientError::NotRunning { .. }) if config.directory.join("journal").is_dir() => kept(config, output),
        Err(error) => Err(error.into()),
    }
}

/// What the directory of a node that does not run still tells.
fn kept(config: &Config, output: Output) -> Result<Status, CliError> {
    output.progress("no node runs here; reading the kept log");
    let (charter, _) = load(&config.charter)?;
    let charter = Arc::new(charter);
    let kept = look(&config.directory, &charter, &config.member, output.checked())?;
    let mut alarms = kept.machine.alarms();
    alarms.insert(0, "not-running: this node does not run and cannot help to pause".to_owned());
    if !kept.is_sound() {
        alarms.insert(1, "log: it does not verify; see `watchfire log verify`".to_owned());
    }
    let outlooks = kept.machine.outlooks();
    let contained =
        |id: &&AssetId| charter.playbooks_of(id).any(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain);
    let assets = charter.assets.keys().filter(contained).map(|id| {
        let outlook = outlooks.iter().find(|outlook| outlook.asset == *id);
        let why = outlook.and_then(|outlook| outlook.why_not.as_ref());
        AssetStatus {
            asset: id.clone(),
            can_pause: CanPause::No,
            line: format!("CAN PAUSE {id}: NO (this node does not run; what the others can do is not known here)"),
            contained: outlook.is_some_and(|outlook| outlook.contained),
            owed_step: outlook.and_then(|outlook| outlook.owed_step).map(|step| step.get()),
            cause: why.map(|why| cause_name(why.cause)),
            cause_detail: why.map(|why| why.detail.clone()),
            asks: outlook.and_then(|outlook| outlook.asks.clone()),
        }
    });
    let peers = kept.machine.members().into_iter().filter(|member| member.member != config.member);
    Ok(Status {
        member: config.member.clone(),
        organisation: config.organisation.clone(),
        running: false,
        ready: false,
        events: kept.report.records,
        state_digest: kept.machine.state_digest(),
        log_root: kept.log_root,
        epoch: kept.epoch,
        index_lag: kept.report.index_behind,
        assets: assets.collect(),
        peers: peers
            .map(|member| PeerStatus {
                member: member.member,
                connected: false,
                heartbeat_age_ms: None,
                state_digest: None,
                restored: member.restored,
                faulty: member.faulty,
            })
            .collect(),
        chains: Vec::new(),
        alarms,
        owed: Vec::new(),
        incidents: open_incidents(&kept.machine),
        snoozes: kept.machine.snoozes(),
        intake: None,
    })
}

fn verdict(status: &Status) -> u8 {
    match status.assets.iter().map(|asset| asset.can_pause).max() {
        Some(CanPause::Yes) => code::OK,
        Some(CanPause::AtRisk) => code::NO,
        // Nothing to pause is nothing that can be paused.
        Some(CanPause::No) | None => code::CANNOT_PAUSE,
    }
}

/// What is open, and what this organisation's people are not told of.
fn incidents(status: &Status) -> Vec<String> {
    let open = status.incidents.iter().map(|OpenIncident { id, asset, severity, phase }| {
        format!("  {severity} {asset}: incident {} is open, {phase}", id.short())
    });
    let quiet = status.snoozes.iter().map(|Snooze { asset, detector, until, human }| {
        let scope =
            detector.as_ref().map_or_else(|| "what only gives context".to_owned(), |rule| format!("rule {rule}"));
        let until = time(until.as_secs().saturating_mul(1_000));
        format!("  quiet until {until}: {scope} of {asset}; {} ({})", human.person, human.role)
    });
    open.chain(quiet).collect()
}

/// Where reports are taken, what is asked for, and how often whose were answered how.
fn reports(intake: &IntakeStatus) -> Vec<String> {
    let counts = intake.counts.iter().map(|ReportCount { source, outcome, count }| {
        let source = source.as_ref().map_or("strangers", DetectorId::as_str);
        format!("{source} {outcome} {count}")
    });
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { "none came".to_owned() } else { counts.join(", ") };
    let place = intake.listen.as_ref().map_or_else(String::new, |listen| format!(" at {listen}"));
    let lookouts = intake.lookouts.iter().map(|LookoutStatus { source, asks, seen, failed, fault, .. }| {
        let fault = fault.as_ref().map_or_else(String::new, |fault| format!("; the last saw nothing: {fault}"));
        format!("  asks {source} ({asks}): {seen} looks, {failed} failed{fault}")
    });
    std::iter::once(format!("  reports{place}: {counts}")).chain(lookouts).collect()
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for asset in &status.assets {
        say(match asset.can_pause {
            CanPause::Yes => asset.line.green().bold().to_string(),
            CanPause::AtRisk => asset.line.yellow().bold().to_string(),
            CanPause::No => asset.line.red().bold().to_string(),
        });
        if asset.contained {
            say(format!("  {} is contained", asset.asset));
        }
        if let Some(asks) = &asset.asks {
            say(format!("  {asks}"));
        }
        if let Some(step) = asset.owed_step {
            say(format!("  step {step} is owed now"));
        }
        if let Some(cause) = &asset.cause {
            say(format!("  not contained: {cause}: {}", asset.cause_detail.as_deref().unwrap_or("")));
        }
    }
    incidents(status).into_iter().for_each(&mut say);
    status.intake.iter().flat_map(reports).for_each(&mut say);
    let state = if !status.running {
        "not running"
    } else if status.ready {
        "ready"
    } else {
        "starting"
    };
    let lag = if status.index_lag > 0 { format!(" (index {} behind)", status.index_lag) } else { String::new() };
    say(format!(
        "{} of {}, {state}: {} events{lag}, state {}, log root {}",
        status.member,
        status.organisation,
        status.events,
        &status.state_digest.to_string()[..10],
        &status.log_root.to_string()[..10]
    ));
    status.alarms.iter().for_each(|alarm| say(format!("  ! {alarm}").red().to_string()));
    for peer in &status.peers {
        let heard = peer
            .heartbeat_age_ms
            .map_or_else(|| "no heartbeat".to_owned(), |ms| format!("heartbeat {:.1} s ago", seconds(ms)));
        let connected = if peer.connected { "connected" } else { "not connected" };
        let marks = [(peer.restored, ", restored"), (peer.faulty, ", FORKED")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let same = match peer.state_digest {
            Some(digest) if digest == status.state_digest => ", same state",
            Some(_) => ", other state",
            None => "",
        };
        say(format!("  {}: {connected}, {heard}{same}{marks}", peer.member));
    }
    for chain in &status.chains {
        let head = chain.head.map_or_else(|| "no head".to_owned(), |head| format!("block {}", head.number));
        let age = chain.head_age_ms.map(|ms| format!(", {:.1} s ago", seconds(ms))).unwrap_or_default();
        let last = chain.finalized.map(|block| format!(", final up to {}", block.number)).unwrap_or_default();
        let count = chain.unproved_blocks;
        let unproved =
            chain.first_unproved_block.map(|first| format!(", logs of {count} blocks from {first} on not proved"));
        let last = format!("{last}{}", unproved.unwrap_or_default());
        say(format!("  chain {}: {head}{age}{last}; {}", chain.chain, chain.endpoints.join("; ")));
    }
    status.owed.iter().for_each(|duty| say(format!("  owed: {duty}")));
    text
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
mod tests;
