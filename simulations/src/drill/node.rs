//! One organisation's node: its directory, its process, its commands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use alloy_primitives::Address;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use watchfire_types::control::{CanPause, Record};
use watchfire_types::{B256, MemberKey, OperatorId, OrganisationId};

use super::DrillError;
use super::control;
use crate::child;
use crate::operator::Operator;
use crate::scenario::Organisation;

/// Protects drill keys, which guard nothing.
pub(super) const PASSWORD: &str = "a drill's keys guard nothing";
/// How long a node has to stop by itself.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What `watchfire init` prints.
#[derive(Debug, Clone, Deserialize)]
struct InitAnswer {
    member: InitMember,
    toml: String,
}

#[derive(Debug, Clone, Deserialize)]
struct InitMember {
    node_key: MemberKey,
    guardian: Address,
    submitter: Address,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) organisation: Organisation,
    pub(super) directory: PathBuf,
    pub(super) key: MemberKey,
    pub(super) guardian: Address,
    pub(super) submitter: Address,
    /// Its `[[member]]` block of the charter.
    pub(super) entry: String,
    pub(super) operator: Operator,
    executable: PathBuf,
    child: Option<Child>,
    follower: Option<JoinHandle<()>>,
}

/// Where one operator answers.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) operator: OperatorId,
    http: String,
    socket: Option<String>,
}

/// Whom a node asks about its chain.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) chain_id: u64,
    pub(super) agree: usize,
    pub(super) patience: u32,
    /// Those that it decides by, its own first.
    pub(super) deciding: Vec<&'a Endpoint>,
    /// One more that gives its evidence a second word.
    pub(super) evidence: Option<&'a Endpoint>,
}

impl Asked<'_> {
    fn to_toml(&self) -> String {
        let (chain_id, agree, patience) = (self.chain_id, self.agree, self.patience);
        let mut text = format!("\n[[chain]]\nid = {chain_id}\nagree = {agree}\npatience = {patience}\n");
        let mut endpoint = |Endpoint { operator, http, .. }: &Endpoint, a_second: u32, more: String| {
            text.push_str(&format!(
                "\n[[chain.endpoint]]\nname = \"{operator}\"\noperator = \"{operator}\"\nhttp = \"{http}\"\n\
                 requests_per_second = {a_second}\n{more}"
            ));
        };
        for asked in &self.deciding {
            let socket = asked.socket.as_ref().map(|socket| format!("ws = \"{socket}\"\n"));
            endpoint(asked, 200, socket.unwrap_or_default());
        }
        if let Some(asked) = self.evidence {
            endpoint(asked, 40, "evidence_only = true\n".to_owned());
        }
        text
    }
}

impl Node {
    /// Makes its directory with `watchfire init`. `public` is where its peers reach it, when that is not where it listens.
    pub(super) async fn init(
        executable: &Path,
        base: &Path,
        organisation: Organisation,
        operator: Operator,
        listens: SocketAddr,
        public: Option<SocketAddr>,
    ) -> Result<Self, DrillError> {
        let directory = base.join(organisation.member.as_str());
        let password = directory.join("password");
        std::fs::create_dir_all(&directory)
            .and_then(|()| write_private(&password, PASSWORD))
            .map_err(DrillError::system(format!("cannot make {}", directory.display())))?;
        let mut arguments = vec!["init".to_owned()];
        let mut argument = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        argument("--organisation", organisation.id.to_string());
        argument("--member", organisation.member.to_string());
        argument("--operator", organisation.operator.to_string());
        argument("--directory", directory.display().to_string());
        argument("--password-file", password.display().to_string());
        for address in multiaddresses(listens, public.is_none()) {
            argument("--listen", address);
        }
        if let Some(public) = public {
            argument("--address", multiaddresses(public, false).concat());
        }
        arguments.extend(["--light-key-derivation".to_owned(), "--json".to_owned()]);
        let printed = command(executable, &organisation.id, &arguments).await?;
        let last = printed.lines().last().unwrap_or_default();
        let answer: InitAnswer = serde_json::from_str(last).map_err(|_| DrillError::Answer {
            member: organisation.member.to_string(),
            request: "init",
            answer: last.to_owned(),
        })?;
        Ok(Self {
            organisation,
            directory,
            key: answer.member.node_key,
            guardian: answer.member.guardian,
            submitter: answer.member.submitter,
            entry: answer.toml,
            operator,
            executable: executable.to_owned(),
            child: None,
            follower: None,
        })
    }

    /// Its operator, and where that one answers.
    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            operator: self.organisation.operator.clone(),
            http: self.operator.http(),
            socket: self.operator.socket(),
        }
    }

    /// Completes its directory: the charter, the chain, and addresses of peers that differ from the charter's.
    pub(super) fn configure(
        &self,
        charter: &str,
        chain: &Asked<'_>,
        peers: &[(String, SocketAddr)],
    ) -> Result<(), DrillError> {
        let path = self.directory.join("config.toml");
        let fault = || DrillError::system(format!("cannot write {}", path.display()));
        let mut config = std::fs::read_to_string(&path).map_err(fault())?;
        if !peers.is_empty() {
            config.push_str("\n[network.peers]\n");
            for (member, address) in peers {
                config.push_str(&format!("{member} = [{:?}]\n", multiaddresses(*address, false).concat()));
            }
        }
        config.push_str(&chain.to_toml());
        write_private(&path, &config).map_err(fault())?;
        let path = self.directory.join("charter.toml");
        std::fs::write(&path, charter).map_err(DrillError::system(format!("cannot write {}", path.display())))
    }

    /// Starts `watchfire run`; its log goes to `node.log` in its directory.
    pub(super) fn start(&mut self, place: usize, records: mpsc::Sender<(usize, Record)>) -> Result<(), DrillError> {
        let path = self.directory.join("node.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(DrillError::system(format!("cannot write {}", path.display())))?;
        let mut command = child::command(&self.executable);
        command
            .args(["run", "--config"])
            .arg(self.directory.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let child =
            child::spawn(command).map_err(DrillError::system(format!("cannot start {}", self.executable.display())))?;
        self.child = Some(child);
        self.follower = Some(tokio::spawn(control::follow(place, self.socket(), records)));
        Ok(())
    }

    /// Its control socket.
    pub(super) fn socket(&self) -> PathBuf {
        control::socket(&self.directory)
    }

    /// Whether its process runs.
    pub(super) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Last lines of its log, for a person who wonders.
    pub(super) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.directory.join("node.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n    ")
    }

    /// Ends its process without a word, as a power cut does.
    pub(super) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already gone is what was wanted.
            let _ = child.kill().await;
        }
        self.hang_up();
    }

    /// Asks it to stop, waits, and insists after ten seconds.
    pub(super) async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
                // Fails only when it is gone.
                let _ = kill_process(pid, Signal::TERM);
            }
            if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
        self.hang_up();
    }

    fn hang_up(&mut self) {
        if let Some(follower) = self.follower.take() {
            follower.abort();
        }
    }

    /// Runs one of its commands with `--config`; answers stdout.
    pub(super) async fn command(&self, arguments: &[&str]) -> Result<String, DrillError> {
        command(&self.executable, &self.organisation.id, &self.with_config(arguments)).await
    }

    /// What `watchfire log verify` says of its log, which must hold.
    pub(super) async fn verify(&self) -> Result<Kept, DrillError> {
        let said = self.command(&["log", "verify", "--json"]).await?;
        serde_json::from_str(said.lines().last().unwrap_or_default()).map_err(|error| DrillError::Command {
            command: "log verify --json".to_owned(),
            organisation: self.organisation.id.clone(),
            output: format!("{error}: {said}"),
        })
    }

    /// What `watchfire status` says about pausing, by its exit code, as a script would read it; `None` where it is none of the three.
    pub(super) async fn can_pause(&self) -> Result<Option<CanPause>, DrillError> {
        let output = output(&self.executable, &self.with_config(&["status"])).await?;
        Ok(match output.status.code() {
            Some(0) => Some(CanPause::Yes),
            Some(1) => Some(CanPause::AtRisk),
            Some(2) => Some(CanPause::No),
            _ => None,
        })
    }

    fn with_config(&self, arguments: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend(["--config".to_owned(), self.directory.join("config.toml").display().to_string()]);
        all
    }
}

/// A log as `watchfire log verify --json` found it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Kept {
    /// Events in it, of all members.
    pub(super) events: u64,
    /// Root of the tree of the member's own newest epoch.
    pub(super) log_root: B256,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn multiaddresses(address: SocketAddr, with_quic: bool) -> Vec<String> {
    let mut all = vec![format!("/ip4/{}/tcp/{}", address.ip(), address.port())];
    if with_quic {
        all.push(format!("/ip4/{}/udp/{}/quic-v1", address.ip(), address.port()));
    }
    all
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

async fn output(executable: &Path, arguments: &[String]) -> Result<Output, DrillError> {
    let mut command = Command::new(executable);
    let running = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    running.await.map_err(DrillError::system(format!("cannot start {}", executable.display())))
}

async fn command(executable: &Path, whose: &OrganisationId, arguments: &[String]) -> Result<String, DrillError> {
    let output = output(executable, arguments).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let skip = said.chars().count().saturating_sub(2_000);
    Err(DrillError::Command {
        command: arguments.join(" "),
        organisation: whose.clone(),
        output: said.chars().skip(skip).collect(),
    })
}
