//! One real node process for a measurement: five members' directories under one charter, of which the first one runs and the others are down.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchfire_simulations::anvil::{self, Anvil};
use watchfire_simulations::rpc::Rpc;

/// Chain of the charter.
pub(crate) const CHAIN: u64 = 31_337;
/// One vault, paused through one Safe, watched by one outflow detector.
pub(crate) const RULES: &str = include_str!("../../../crates/node/tests/node/charter_tail.toml");
const ORGANISATIONS: [&str; 5] = ["alder", "birch", "cedar", "dogwood", "elm"];

/// A runtime beside which a node's process has the other core.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A real chain that makes a block every second, and where it answers.
pub(crate) async fn ticking() -> (Anvil, Rpc, String) {
    let program = tokio::task::block_in_place(|| anvil::locate(&|line| eprintln!("{line}"))).expect("anvil");
    let chain = Anvil::start(&program, CHAIN).await.expect("a chain");
    let rpc = Rpc::new(chain.url().clone()).expect("a client");
    anvil::mine_every(&rpc, 1).await.expect("a block every second");
    let address = format!("127.0.0.1:{}", chain.url().port().expect("a port"));
    (chain, rpc, address)
}

/// The `watchfire` of this source, in the profile of this binary and beside it: built if it is not there yet or older than its source.
fn executable() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let beside = std::env::current_exe().expect("this binary").with_file_name("watchfire");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--package", "watchfire-node", "--bin", "watchfire"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.arg("--target-dir").arg(beside.ancestors().nth(2).expect("a target directory"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success(), "`watchfire` does not build");
        beside
    })
}

/// `watchfire` with these arguments.
pub(crate) fn node_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(executable());
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Five members' directories under `base` with one charter, whose part after the members is `rules`; answers the first one's configuration.
pub(crate) fn directories(base: &Path, chain: &str, rules: &str) -> PathBuf {
    let mut charter = "name = \"measured\"\nversion = 1\ndrill = true\n".to_owned();
    for id in ORGANISATIONS {
        charter.push_str(&format!("[[organisation]]\nid = \"{id}\"\nname = \"{id}\"\nroles = []\n"));
    }
    for id in ORGANISATIONS {
        charter.push_str(init(&base.join(id), id)["toml"].as_str().expect("an entry"));
        charter.push('\n');
    }
    charter.push_str(rules);
    let directory = base.join(ORGANISATIONS[0]);
    std::fs::write(directory.join("charter.toml"), charter).expect("room");
    let config = directory.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let endpoint = format!(
        "name = \"own\"\noperator = \"op-{}\"\nhttp = \"http://{chain}\"\nws = \"ws://{chain}\"\n",
        ORGANISATIONS[0]
    );
    let text = format!("{text}\n[[chain]]\nid = {CHAIN}\nagree = 1\n[[chain.endpoint]]\n{endpoint}");
    std::fs::write(&config, text).expect("room");
    config
}

/// `watchfire init`; answers its JSON.
fn init(directory: &Path, organisation: &str) -> Value {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let password = directory.with_extension("password");
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = std::fs::File::options().create_new(true).write(true).mode(0o600).open(&password).expect("room");
        std::io::Write::write_all(&mut file, b"a benchmark's keys guard nothing\n").expect("room");
    }
    let directory = directory.to_str().expect("a path in UTF-8");
    let password = password.to_str().expect("a path in UTF-8");
    let arguments = [
        "init",
        "--organisation",
        organisation,
        "--directory",
        directory,
        "--password-file",
        password,
        "--listen",
        &listen,
        "--light-key-derivation",
        "--json",
    ];
    let output = node_command(&arguments).output().expect("a process");
    assert!(output.status.success(), "init: {}", String::from_utf8_lossy(&output.stderr));
    let last = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(last).expect("a JSON line")
}

/// A running node; killed when dropped.
pub(crate) struct Node(Child);

impl Node {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_timed(config).0
    }

    /// As [`Self::start`], with how long it took from its beginning to look at its chains until it was ready.
    pub(crate) fn start_timed(config: &Path) -> (Self, Duration) {
        let config = config.to_str().expect("a path in UTF-8");
        let child = node_command(&["run", "--config", config]).stderr(Stdio::piped()).spawn();
        let mut node = Self(child.expect("a process"));
        let mut lines = BufReader::new(node.0.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let mut until = |is: fn(&str) -> bool| {
            let came = lines.by_ref().inspect(|line| said.push(line.clone())).any(|line| is(&line));
            assert!(came, "the node ended before it was ready:\n{}", said.join("\n"));
            Instant::now()
        };
        let started = until(|line| line.contains(" started"));
        let ready = until(|line| line.ends_with(" ready"));
        // An unread full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        (node, ready - started)
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("a running node on Linux")
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Processor time of all its threads so far, in user and in kernel: proc(5), fields 14 and 15 of `stat`.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
