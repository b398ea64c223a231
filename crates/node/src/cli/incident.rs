//! `watchfire incident`: what happened, and what this organisation's people say to it.

use clap::{Args, Subcommand};
use watchfire_charter::PlaybookPurpose;
use watchfire_types::body::{Human, Outcome, SNOOZE_MAX_S};
use watchfire_types::control::{Incident, Reply, Request};
use watchfire_types::input::HumanAct;
use watchfire_types::{AssetId, DetectorId, IncidentId, PlaybookId, Severity, StepIndex};

use super::NodeArgs;
use super::incident_bundle::BundleArgs;
use super::incident_show::ShowArgs;
use super::output::{CliError, Output, code};
use super::people::SpeakerArgs;
use super::sealed::{self, NoteArgs};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::ask;

/// What to do about incidents.
#[derive(Debug, Subcommand)]
pub(super) enum IncidentCommand {
    /// List all incidents: open ones first, then the newest.
    List(NodeArgs),
    /// Show one incident with everything that happened in it.
    Show(ShowArgs),
    /// Write one file about an incident that anyone can check offline with `watchfire verify`.
    Bundle(BundleArgs),
    /// Vote for a step of a playbook, as a human: containment or recovery.
    Approve(ApproveArgs),
    /// Decline to support containment; binds nobody.
    Reject(SpeakArgs),
    /// Vote to cancel a decision, and mute this organisation's automatic votes for it.
    Veto(DecideArgs),
    /// Acknowledge: say that somebody took notice.
    Ack(SpeakArgs),
    /// Support closing, and say what it was: closed once as many organisations as the contain rule asks for do, on one block that all come to know.
    /// Of a closed one, say what it was.
    Close(CloseArgs),
    /// Tell this organisation's people nothing for a while of what only gives context of the incident's asset. It quiets no rule that votes,
    /// no other organisation, no vote and no event, and ends by itself.
    Snooze(SnoozeArgs),
    /// Say what no rule found: it opens or joins the asset's incident as a finding that only gives context, and wakes people. It votes for nothing.
    Report(ReportArgs),
    /// Set the severity, over what the findings say.
    Classify(ClassifyArgs),
    /// Leave words about an incident, for everyone or sealed to named members.
    Note(NoteArgs),
}

/// Who speaks, and why. People appear by pseudonym only.
#[derive(Debug, Clone, Args)]
pub(super) struct WhoArgs {
    #[command(flatten)]
    speaker: SpeakerArgs,
    /// Why, at most 1,024 bytes, fewer where more than 17 organisations must vote; everyone can read it.
    #[arg(long)]
    reason: String,
}

impl WhoArgs {
    /// The speaker, as the log gets them.
    pub(super) fn human(self, config: &Config) -> Result<Human, CliError> {
        self.speaker.human(config, self.reason)
    }
}

/// A word about an incident.
#[derive(Debug, Args)]
pub(super) struct SpeakArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// A human's vote.
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    /// The playbook voted for; needed where the asset has several of the purpose.
    #[arg(long)]
    playbook: Option<PlaybookId>,
    /// Widest step supported, counted from 1.
    #[arg(long, default_value = "1")]
    step: u8,
    /// Approve recovery instead of containment.
    #[arg(long)]
    recover: bool,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// A human's vote to close.
#[derive(Debug, Args)]
pub(super) struct CloseArgs {
    #[command(flatten)]
    decide: DecideArgs,
    /// What it was: `confirmed`, or `false` for a false alarm; it counts once as many organisations say the same, and a rule that carried a false
    /// pause then asks people until it is promoted.
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let named = [Outcome::Confirmed, Outcome::False].into_iter().find(|outcome| outcome.name() == text);
    named.ok_or_else(|| "give confirmed or false".to_owned())
}

/// A human's veto.
#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    /// The playbook meant; needed where the asset has several for containment.
    #[arg(long)]
    playbook: Option<PlaybookId>,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// Something that people know of.
#[derive(Debug, Args)]
pub(super) struct SnoozeArgs {
    #[command(flatten)]
    speak: SpeakArgs,
    /// One rule of class context; without it every such rule of the asset.
    #[arg(long)]
    rule: Option<DetectorId>,
    /// For how many minutes of the chain's time, at most 10,080 (seven days); 0 ends a snooze of the same scope.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(0..=SNOOZE_MAX_S / 60))]
    minutes: u64,
}

/// What somebody saw.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The asset concerned, by its id in the charter.
    #[arg(long)]
    asset: AssetId,
    /// What happened, in a line of at most 320 bytes; everyone can read it. What is not for everyone goes into `watchfire vulnerability report`.
    #[arg(long)]
    summary: String,
    #[command(flatten)]
    speaker: SpeakerArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// A severity, set by a person.
#[derive(Debug, Args)]
pub(super) struct ClassifyArgs {
    #[command(flatten)]
    speak: SpeakArgs,
    /// SEV1 (funds lost, active exploit) to SEV5 (information).
    #[arg(long, value_parser = severity)]
    severity: Severity,
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4, Severity::Sev5];
    let named = all.into_iter().find(|severity| severity.to_string().eq_ignore_ascii_case(text));
    named.ok_or_else(|| "give one of SEV1, SEV2, SEV3, SEV4, SEV5".to_owned())
}

/// Runs an `incident` command.
pub(super) fn run(command: IncidentCommand, output: Output) -> Result<u8, CliError> {
    match command {
        IncidentCommand::List(node) => list(&node, output),
        IncidentCommand::Show(arguments) => super::incident_show::run(&arguments, output),
        IncidentCommand::Bundle(arguments) => super::incident_bundle::run(&arguments, output),
        IncidentCommand::Approve(arguments) => approve(arguments, output),
        IncidentCommand::Veto(arguments) => {
            decide(arguments, output, |asset, playbook, _, human| HumanAct::Veto { asset, playbook, human })
        }
        IncidentCommand::Reject(arguments) => {
            speak(arguments, output, |incident, human| HumanAct::Reject { incident, human })
        }
        IncidentCommand::Close(CloseArgs { decide: arguments, outcome }) => {
            decide(arguments, output, |asset, playbook, incident, human| {
                let incident = Some(incident);
                HumanAct::Close { asset, playbook, incident, outcome, human }
            })
        }
        IncidentCommand::Classify(ClassifyArgs { speak: arguments, severity }) => {
            speak(arguments, output, |incident, human| HumanAct::Classify { incident, severity, human })
        }
        IncidentCommand::Snooze(arguments) => snooze(arguments, output),
        IncidentCommand::Report(ReportArgs { asset, summary, speaker, node }) => {
            let config = Config::load(&node.config)?;
            let human = speaker.human(&config, summary)?;
            act(&config, HumanAct::Report { asset, human }, output)
        }
        IncidentCommand::Note(arguments) => sealed::note(arguments, output),
        IncidentCommand::Ack(arguments) => {
            speak(arguments, output, |incident, human| HumanAct::Acknowledge { incident, human })
        }
    }
}

fn incidents(config: &Config) -> Result<Vec<Incident>, CliError> {
    match ask(&config.directory, &Request::Incidents)? {
        Reply::Incidents { incidents } => Ok(incidents),
        _ => Err(CliError::other_answer()),
    }
}

pub(super) fn find(config: &Config, wanted: &str) -> Result<Incident, CliError> {
    spelled(wanted)?;
    choose(incidents(config)?, wanted, |incident| (incident.id, &incident.asset, incident.phase != "closed"))
}

/// What may name an incident, digits in lower case.
fn spelled(wanted: &str) -> Result<String, CliError> {
    let wanted = wanted.strip_prefix("0x").unwrap_or(wanted).to_ascii_lowercase();
    let digits = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits || wanted == "latest" {
        return Ok(wanted);
    }
    let message = format!("{wanted:?} is no incident: give hex digits from the beginning of its id, or `latest`");
    Err(CliError::usage(message))
}

/// The incident meant: by the beginning of its id, or `latest`. That is the only one that is open, or where all are closed the newest; of several
/// open ones whoever acts says which, lest they act on another asset. `about`: id, asset, whether it is open; `all`: open ones first.
pub(super) fn choose<T>(
    all: Vec<T>,
    wanted: &str,
    about: impl Fn(&T) -> (IncidentId, &AssetId, bool),
) -> Result<T, CliError> {
    let wanted = spelled(wanted)?;
    if wanted == "latest" {
        let open: Vec<String> = all
            .iter()
            .map(&about)
            .filter(|(.., open)| *open)
            .map(|(id, asset, _)| format!("{} of {asset}", id.short()))
            .collect();
        if open.len() > 1 {
            let message = format!("several incidents are open; name one: {}", open.join(", "));
            return Err(CliError::usage(message).of("ambiguous"));
        }
        return all.into_iter().next().ok_or_else(|| {
            CliError::absent("there is no incident here; they come with findings, see `watchfire status`")
        });
    }
    let mut matching = all.into_iter().filter(|incident| about(incident).0.to_string().starts_with(&wanted));
    match (matching.next(), matching.next()) {
        (Some(incident), None) => Ok(incident),
        (Some(_), Some(_)) => Err(CliError::absent(format!("several incidents begin with {wanted}; give more digits"))),
        (None, _) => Err(CliError::absent(format!("no incident begins with {wanted}; see `watchfire incident list`"))),
    }
}

fn list(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let all = incidents(&Config::load(&node.config)?)?;
    let line = |incident: &Incident| {
        let first = incident.records.first().map(|record| time(record.at_ms)).unwrap_or_default();
        format!("{}  {}  {}  {:<11} {first}\n", incident.id.short(), incident.severity, incident.asset, phase(incident))
    };
    let text: String = all.iter().map(line).collect();
    let text = if text.is_empty() { "no incident".to_owned() } else { text };
    output.answer(&text, &serde_json::json!({ "incidents": all }))?;
    Ok(code::OK)
}

/// Its phase, and what it was.
pub(super) fn phase(incident: &Incident) -> String {
    let outcome = incident.outcome.map(|outcome| format!(", {}", outcome.name())).unwrap_or_default();
    format!("{}{outcome}", incident.phase)
}

pub(super) fn time(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| at_ms.to_string(), |at| format!("{at:.3}"))
}

/// The one playbook of the purpose, or the one that was named.
fn playbook(
    config: &Config,
    incident: &Incident,
    named: Option<PlaybookId>,
    purpose: PlaybookPurpose,
) -> Result<PlaybookId, CliError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let (charter, _) = load(&config.charter)?;
    let of: Vec<_> = charter
        .playbooks_of(&incident.asset)
        .filter(|(_, playbook)| playbook.purpose == purpose)
        .map(|(id, _)| id)
        .collect();
    match of.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(CliError::absent(format!(
            "the charter has no playbook of that purpose for {}; containment and recovery have one each",
            incident.asset
        ))),
        several => {
            let names = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(CliError::usage(format!("give --playbook: one of {names}")))
        }
    }
}

fn approve(arguments: ApproveArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let incident = find(&config, &arguments.incident)?;
    let purpose = if arguments.recover { PlaybookPurpose::Recover } else { PlaybookPurpose::Contain };
    let playbook = playbook(&config, &incident, arguments.playbook, purpose)?;
    let step = StepIndex::new(arguments.step);
    let human = arguments.who.human(&config)?;
    about(&incident, output);
    output.progress(&supported(&config, &playbook, step)?);
    act(&config, HumanAct::Approve { asset: incident.asset, playbook, step, human }, output)
}

fn decide(
    arguments: DecideArgs,
    output: Output,
    say: impl FnOnce(AssetId, PlaybookId, IncidentId, Human) -> HumanAct,
) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let incident = find(&config, &arguments.incident)?;
    let playbook = playbook(&config, &incident, arguments.playbook, PlaybookPurpose::Contain)?;
    let human = arguments.who.human(&config)?;
    about(&incident, output);
    act(&config, say(incident.asset, playbook, incident.id, human), output)
}

fn speak(
    arguments: SpeakArgs,
    output: Output,
    say: impl FnOnce(IncidentId, Human) -> HumanAct,
) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let incident = find(&config, &arguments.incident)?;
    let human = arguments.who.human(&config)?;
    about(&incident, output);
    act(&config, say(incident.id, human), output)
}

/// What a vote for a step supports, told before it is given: a wider step than the first has to be asked for.
fn supported(config: &Config, playbook: &PlaybookId, step: StepIndex) -> Result<String, CliError> {
    let (charter, _) = load(&config.charter)?;
    let of = charter.playbooks.get(playbook).map_or(&[][..], |playbook| &playbook.steps);
    let Some(named) = usize::from(step.get()).checked_sub(1).and_then(|index| of.get(index)) else {
        let message = format!("playbook {playbook} has no step {}; it has {}, counted from 1", step.get(), of.len());
        return Err(CliError::usage(message));
    };
    Ok(format!("playbook {playbook}, step {} of {} ({})", step.get(), of.len(), named.name))
}

fn snooze(arguments: SnoozeArgs, output: Output) -> Result<u8, CliError> {
    let SnoozeArgs { speak: SpeakArgs { incident, who, node }, rule, minutes } = arguments;
    let config = Config::load(&node.config)?;
    let incident = find(&config, &incident)?;
    let human = who.human(&config)?;
    about(&incident, output);
    let lasts_s = minutes.saturating_mul(60);
    act(&config, HumanAct::Snooze { asset: incident.asset, detector: rule, lasts_s, human }, output)
}

/// Which incident a person's word is about, told before it is said.
fn about(incident: &Incident, output: Output) {
    output.progress(&format!("incident {} of {}", incident.id.short(), incident.asset));
}

pub(super) fn act(config: &Config, act: HumanAct, output: Output) -> Result<u8, CliError> {
    match ask(&config.directory, &Request::Act { act })? {
        Reply::Done { events } => {
            let hashes: Vec<String> = events.iter().map(ToString::to_string).collect();
            output.answer(&format!("done: {}", hashes.join(", ")), &serde_json::json!({ "events": hashes }))?;
            Ok(code::OK)
        }
        _ => Err(CliError::other_answer()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn known() -> Vec<(IncidentId, AssetId, bool)> {
        let of = |byte: u8, asset: &str, open| (IncidentId::from_bytes([byte; 32]), asset.parse().unwrap(), open);
        vec![of(0xa1, "vault", true), of(0xb1, "market", false), of(0xb2, "bridge", false)]
    }

    fn meant(all: &[(IncidentId, AssetId, bool)], wanted: &str) -> Result<AssetId, CliError> {
        let found = choose(all.iter().collect(), wanted, |(id, asset, open)| (*id, asset, *open));
        found.map(|(_, asset, _)| asset.clone())
    }

    /// `latest` is what one person can mean by it: of two attacks at once neither.
    #[test]
    fn latest_is_never_one_of_several() {
        let mut all = known();
        assert_eq!(meant(&all, "latest").unwrap().as_str(), "vault");
        assert_eq!(meant(&all[1..], "latest").unwrap().as_str(), "market", "all are closed: the newest");
        all[1].2 = true;
        let refused = meant(&all, "latest").unwrap_err();
        assert!(refused.message.contains("a1a1a1") && refused.message.contains("b1b1b1"), "{}", refused.message);
        assert_eq!((refused.kind, refused.code), ("ambiguous", code::USAGE));
        assert_eq!(meant(&[], "latest").unwrap_err().kind, "not-found");
    }

    #[test]
    fn an_id_may_be_cut_as_far_as_it_names_one() {
        let all = known();
        assert_eq!(meant(&all, "0xB2").unwrap().as_str(), "bridge");
        assert!(meant(&all, "b").unwrap_err().message.contains("more digits"));
        assert_eq!(meant(&all, "c").unwrap_err().kind, "not-found");
        assert_eq!(meant(&all, "newest").unwrap_err().code, code::USAGE);
    }
}
