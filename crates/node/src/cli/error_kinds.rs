//! The stable name of an error, for programs that read `--json`: messages may be reworded, these may not.

use std::error::Error;

use watchfire_driver::DriverError;
use watchfire_evm::{ConnectError, NotAgreed, SnapshotError, TraceError};
use watchfire_gossip::GossipError;
use watchfire_journal::JournalError;
use watchfire_simulations::drill::DrillError;
use watchfire_simulations::scenario::ScenarioError;
use watchfire_simulations::simulate::SimulateError;

use crate::archive::{ExportError, ImportError};
use crate::backtest::Unfit;
use crate::block_file::BlockFileError;
use crate::charter_file::CharterError;
use crate::config::ConfigError;
use crate::control::client::ClientError;
use crate::evidence::store::StoreError;
use crate::intake::IntakeError;
use crate::kept::{KeptError, NoLog};
use crate::keys::sealing::SealError;
use crate::keys::{KeyError, KeyFaults};
use crate::people::PeopleError;
use crate::prune::PruneError;
use crate::release::ReleaseError;
use crate::run::RunError;
use crate::text_file::TextFileError;

/// Its name; `failed` for one without.
pub(super) fn kind_of(error: &(dyn Error + 'static)) -> &'static str {
    macro_rules! first {
        ($($kind:path => $name:expr),+ $(,)?) => {
            $(if let Some(error) = error.downcast_ref::<$kind>() { return $name(error); })+
        };
    }
    first! {
        ConfigError => config,
        CharterError => charter,
        KeyError => KeyError::kind,
        KeyFaults => keys,
        ClientError => client,
        JournalError => journal,
        NoLog => NoLog::kind,
        KeptError => kept,
        PeopleError => people,
        SealError => seal,
        StoreError => store,
        ExportError => export,
        ImportError => import,
        PruneError => prune,
        ReleaseError => release,
        RunError => run,
        ConnectError => connect,
        NotAgreed => not_agreed,
        SnapshotError => snapshot,
        TraceError => traced,
        TextFileError => TextFileError::kind,
        BlockFileError => BlockFileError::kind,
        Unfit => Unfit::kind,
        ScenarioError => scenario,
        SimulateError => simulate,
        DrillError => drill,
        std::io::Error => system,
    }
    "failed"
}

const fn release(error: &ReleaseError) -> &'static str {
    match error {
        ReleaseError::Read { .. } => "file-unreadable",
        ReleaseError::Unfit { .. } => "release-unfit",
        ReleaseError::Note(_) | ReleaseError::Malformed { .. } => "release-malformed",
        ReleaseError::Key(_) => "usage",
        ReleaseError::Unsigned => "release-unsigned",
    }
}

const fn not_agreed(_: &NotAgreed) -> &'static str {
    "not-agreed"
}

const fn system(_: &std::io::Error) -> &'static str {
    "io"
}

const fn config(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::NoConfig { .. } => "config-missing",
        ConfigError::Read { .. } => "file-unreadable",
        ConfigError::TooLarge { .. } => "file-too-large",
        ConfigError::NotText { .. } => "file-not-utf-8",
        ConfigError::Faults { .. } => "config-faults",
    }
}

const fn charter(error: &CharterError) -> &'static str {
    match error {
        CharterError::Read(_) => "charter-unreadable",
        CharterError::Faults { .. } => "charter-faults",
    }
}

fn keys(KeyFaults(all): &KeyFaults) -> &'static str {
    all.first().map_or("failed", KeyError::kind)
}

const fn client(error: &ClientError) -> &'static str {
    match error {
        ClientError::NotRunning { .. } => "not-running",
        ClientError::Open { .. } => "socket-unusable",
        ClientError::Broken { .. } => "no-answer",
        ClientError::Garbage { .. } => "other-answer",
        ClientError::Refused { .. } => "node-refused",
    }
}

fn journal(error: &JournalError) -> &'static str {
    match error {
        JournalError::InUse { .. } => "directory-in-use",
        JournalError::Damaged { .. } | JournalError::TailLost { .. } | JournalError::SegmentsMissing { .. } => {
            "log-damaged"
        }
        JournalError::DiskFull { .. } => "disk-full",
        JournalError::Index { .. } | JournalError::IndexStopped { .. } => "index-unusable",
        _ => "log-unusable",
    }
}

fn kept(error: &KeptError) -> &'static str {
    match error {
        KeptError::Nothing(nothing) => nothing.kind(),
        KeptError::Journal(error) => journal(error),
        KeptError::Base { .. } => "log-damaged",
        KeptError::Member(_) => "not-a-member",
    }
}

const fn people(error: &PeopleError) -> &'static str {
    match error {
        PeopleError::File(error) => error.kind(),
        PeopleError::Malformed { .. } => "people-malformed",
        PeopleError::Unknown { .. } => "unknown-person",
        PeopleError::NotAName => "bad-name",
        PeopleError::NotAPseudonym => "bad-pseudonym",
        PeopleError::Taken { .. } => "pseudonym-taken",
        PeopleError::Named { .. } => "names-a-person",
    }
}

const fn seal(error: &SealError) -> &'static str {
    match error {
        SealError::TooLong { .. } => "text-too-long",
        SealError::UnknownMember { .. } => "unknown-member",
        SealError::Key(error) => error.kind(),
        SealError::UnusableKey { .. } | SealError::NotForUs | SealError::Wrong(_) => "cannot-seal",
    }
}

const fn store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Absent { .. } => "evidence-absent",
        StoreError::Damaged { .. } => "evidence-damaged",
        StoreError::TooLarge { .. } => "evidence-too-large",
        StoreError::System { .. } => "io",
    }
}

fn export(error: &ExportError) -> &'static str {
    match error {
        ExportError::Nothing(nothing) => nothing.kind(),
        ExportError::Journal(error) => journal(error),
        ExportError::DoesNotHold { .. } => "log-damaged",
        ExportError::Write(_) => "io",
    }
}

fn import(error: &ImportError) -> &'static str {
    match error {
        ImportError::Line { .. } => "archive-does-not-hold",
        ImportError::NotEmpty { .. } => "log-exists",
        ImportError::Incomplete { .. } | ImportError::NotCovered { .. } => "archive-missing",
        ImportError::Io { .. } | ImportError::Unsynced { .. } => "io",
        ImportError::Unsound { .. } => "log-damaged",
        ImportError::Journal(error) => journal(error),
    }
}

fn prune(error: &PruneError) -> &'static str {
    match error {
        PruneError::Unsound | PruneError::Record { .. } => "log-damaged",
        PruneError::Kept(error) => kept(error),
        PruneError::Journal(error) => journal(error),
        PruneError::Member(_) => "not-a-member",
        PruneError::Archive { .. } => "archive-does-not-hold",
        PruneError::TooSoon { .. } => "keeps-too-little",
        PruneError::Differs { .. } => "mistake-of-the-program",
    }
}

fn run(error: &RunError) -> &'static str {
    match error {
        RunError::Config(error) => config(error),
        RunError::Charter(error) => charter(error),
        RunError::Place { .. } => "place-faults",
        RunError::Key(error) => keys(error),
        RunError::Log { source, .. } => journal(source),
        RunError::Evidence(error) => store(error),
        RunError::Driver(error) => driver(error),
        RunError::Halted(_) => "halted",
        RunError::Network(error) => network(error),
        RunError::NetworkEnded(_) => "network-ended",
        RunError::Chain(error) => connect(error),
        RunError::Control(_) => "socket-unusable",
        RunError::Intake(IntakeError::File(error)) => error.kind(),
        RunError::Intake(IntakeError::Secret { .. } | IntakeError::Token { .. }) => "secret-unusable",
        RunError::Intake(IntakeError::Client { .. }) => "no-http",
        RunError::Intake(IntakeError::Listen { .. }) => "cannot-listen",
        RunError::System { .. } => "io",
    }
}

fn driver(error: &DriverError) -> &'static str {
    match error {
        DriverError::Journal(error) => journal(error),
        DriverError::Halted(_) => "halted",
        DriverError::UnknownMember(_) => "not-a-member",
        _ => "log-unusable",
    }
}

const fn network(error: &GossipError) -> &'static str {
    match error {
        GossipError::PortInUse { .. } => "port-in-use",
        GossipError::Listen { .. } => "cannot-listen",
        GossipError::Address { .. } | GossipError::NoListenAddress => "bad-address",
        _ => "network-unusable",
    }
}

const fn connect(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::WrongChain { .. } => "wrong-chain",
        ConnectError::TooFewOperators { .. } | ConnectError::Zero { .. } => "chain-unusable",
        ConnectError::Unreachable { .. } => "chain-unreachable",
        ConnectError::Http { .. } => "io",
    }
}

const fn snapshot(error: &SnapshotError) -> &'static str {
    match error {
        SnapshotError::Connect(error) => connect(error),
        SnapshotError::Read(_) => "not-agreed",
    }
}

const fn traced(error: &TraceError) -> &'static str {
    match error {
        TraceError::Http(_) => "io",
        TraceError::NotGiven { .. } => "no-trace",
    }
}

const fn scenario(error: &ScenarioError) -> &'static str {
    match error {
        ScenarioError::Unknown { .. } => "unknown-scenario",
        ScenarioError::Malformed { .. } => "scenario-malformed",
    }
}

const fn simulate(error: &SimulateError) -> &'static str {
    match error {
        SimulateError::Scenario(error) => scenario(error),
        SimulateError::NotSimulated { .. } => "unknown-scenario",
        SimulateError::NoCharter { .. } => "charter-unreadable",
        SimulateError::Charter { .. } | SimulateError::NoPart { .. } => "scenario-malformed",
        SimulateError::NoSeeds { .. } => "usage",
    }
}

const fn drill(error: &DrillError) -> &'static str {
    match error {
        DrillError::Scenario(error) => scenario(error),
        DrillError::NotADrill { .. } => "unknown-scenario",
        DrillError::NeedsAnvil { .. } | DrillError::HalfARemote => "usage",
        DrillError::ChainRefused { .. } => "chain-refused",
        DrillError::Unfunded { .. } => "unfunded",
        DrillError::KeepNotEmpty { .. } => "exists",
        DrillError::Interrupted => "interrupted",
        _ => "no-drill",
    }
}
