//! What a node costs that has nothing to do: a real process of it, over a quiet real chain with a block every second, its four partners
//! down. Memory is the most that was resident in any second; processor time is the whole window's.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::report::{Bound, Report};

const RESIDENT_MIB_MOST: f64 = 100.0;
const CORE_PERCENT_MOST: f64 = 2.0;
/// Between ready and the window: the first simulations and looks are no idling.
const SETTLING: Duration = Duration::from_secs(5);
const CHAIN: u64 = 31_337;
const ORGANISATIONS: [&str; 5] = ["alder", "birch", "cedar", "dogwood", "elm"];
const CHARTER_TAIL: &str = include_str!("../../../crates/node/tests/node/charter_tail.toml");

/// One window of so many seconds.
pub(crate) fn measure(seconds: u64) -> [Report; 2] {
    let chain = Chain::start();
    let base = tempfile::tempdir().expect("a directory");
    let config = directories(base.path(), &chain.address);
    let node = Node::start(&config);
    std::thread::sleep(SETTLING);
    let (mut most_kib, before, clock) = (0, node.ticks(), Instant::now());
    for second in 1..=seconds {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(clock.elapsed()));
        most_kib = node.resident_kib().max(most_kib);
    }
    let core = (node.ticks() - before) as f64 / ticks_per_second() / clock.elapsed().as_secs_f64();
    let memory = vec![most_kib as f64 / 1024.0];
    [
        Report::new("idle", format!("resident MiB, most in {seconds} s"), memory, Bound::Most(RESIDENT_MIB_MOST)),
        Report::new(
            "idle",
            format!("% of a core over {seconds} s"),
            vec![100.0 * core],
            Bound::Most(CORE_PERCENT_MOST),
        ),
    ]
}

/// The `watchfire` that was built beside this binary.
fn node_command(arguments: &[&str]) -> Command {
    let beside = std::env::current_exe().expect("this binary").with_file_name("watchfire");
    assert!(beside.exists(), "{} is missing: run `cargo build --release` first", beside.display());
    let mut command = Command::new(beside);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A chain of its own that makes an empty block every second; killed when dropped.
struct Chain {
    process: Child,
    address: String,
}

impl Chain {
    fn start() -> Self {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../simulations/node_modules");
        let packaged = modules.join("@foundry-rs/anvil-linux-amd64/bin/anvil");
        let program = if packaged.is_file() { packaged } else { PathBuf::from("anvil") };
        let mut process = Command::new(program)
            .args(["--port", "0", "--block-time", "1", "--chain-id", &CHAIN.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil: `cargo run --release -- drill` fetches it");
        let mut log = BufReader::new(process.stdout.take().expect("its log")).lines();
        let address = log.find_map(|line| line.ok()?.strip_prefix("Listening on ").map(str::to_owned));
        // It speaks of every block: an unread full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address: address.expect("anvil listens") }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // Already gone is what was wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Five members' directories under `base` with one charter; answers the first one's configuration.
fn directories(base: &Path, chain: &str) -> PathBuf {
    let mut charter = "name = \"idle\"\nversion = 1\ndrill = true\n".to_owned();
    for id in ORGANISATIONS {
        charter.push_str(&format!("[[organisation]]\nid = \"{id}\"\nname = \"{id}\"\nroles = []\n"));
    }
    for id in ORGANISATIONS {
        charter.push_str(init(&base.join(id), id)["toml"].as_str().expect("an entry"));
        charter.push('\n');
    }
    charter.push_str(CHARTER_TAIL);
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
struct Node(Child);

impl Node {
    /// Starts it and waits until it says that it is ready.
    fn start(config: &Path) -> Self {
        let config = config.to_str().expect("a path in UTF-8");
        let child = node_command(&["run", "--config", config]).stderr(Stdio::piped()).spawn();
        let mut node = Self(child.expect("a process"));
        let mut lines = BufReader::new(node.0.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let ready = lines.by_ref().inspect(|line| said.push(line.clone())).any(|line| line.ends_with(" ready"));
        assert!(ready, "the node ended before it was ready:\n{}", said.join("\n"));
        // An unread full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        node
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("a running node on Linux")
    }

    fn resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Processor time of all its threads so far, in user and in kernel: proc(5), fields 14 and 15 of `stat`.
    fn ticks(&self) -> u64 {
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

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // Every Linux since 2.6 says 100.
    text.trim().parse().unwrap_or(100.0)
}
