//! Directories of members, a charter over them, and commands with their answers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::port;

pub(crate) const WATCHFIRE: &str = env!("CARGO_BIN_EXE_watchfire");
const ORGANISATIONS: [&str; 5] = ["alder", "birch", "cedar", "dogwood", "elm"];

/// Five members' directories with one charter.
pub(crate) struct Members {
    pub(crate) base: TempDir,
    /// What `init` answered, by organisation.
    pub(crate) entries: BTreeMap<String, Value>,
}

/// Runs the binary; stdin is closed.
pub(crate) fn watchfire(arguments: &[&str]) -> Output {
    Command::new(WATCHFIRE).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The last line of stdout as JSON.
pub(crate) fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| {
        panic!("no JSON in the last line of stdout ({error}): {text:?}\n{}", String::from_utf8_lossy(&output.stderr))
    })
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn private_file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// `watchfire init` with quick derivation; answers its JSON.
pub(crate) fn init(directory: &Path, organisation: &str, port: u16) -> Value {
    std::fs::create_dir_all(directory).unwrap();
    let password = directory.join("password");
    private_file(&password, "a test's keys guard nothing\n");
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let output = watchfire(&[
        "init",
        "--organisation",
        organisation,
        "--directory",
        directory.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
        "--listen",
        &listen,
        "--light-key-derivation",
        "--json",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    json(&output)
}

impl Members {
    /// Makes them; `http` is the endpoint that each reads from.
    pub(crate) fn new(http: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let mut charter = HEAD.to_owned();
        let mut entries = BTreeMap::new();
        for organisation in ORGANISATIONS {
            let security = if organisation == "alder" { "\"security\"" } else { "" };
            charter.push_str(&format!(
                "[[organisation]]\nid = \"{organisation}\"\nname = \"{organisation}\"\nroles = [{security}]\n"
            ));
        }
        for organisation in ORGANISATIONS {
            let port = port::free().unwrap().port();
            let directory = base.path().join(organisation);
            let entry = init(&directory, organisation, port);
            charter.push_str(entry["toml"].as_str().unwrap());
            entries.insert(organisation.to_owned(), entry);
            charter.push('\n');
            let config = directory.join("config.toml");
            let mut text = std::fs::read_to_string(&config).unwrap();
            text.push_str(&format!(
                "\n[[chain]]\nid = 31337\nagree = 1\n[[chain.endpoint]]\nname = \"own\"\noperator = \"op-{organisation}\"\nhttp = \"{http}\"\n"
            ));
            private_file(&config, &text);
        }
        charter.push_str(TAIL);
        for organisation in ORGANISATIONS {
            std::fs::write(base.path().join(organisation).join("charter.toml"), &charter).unwrap();
        }
        Self { base, entries }
    }

    pub(crate) fn directory(&self, organisation: &str) -> PathBuf {
        self.base.path().join(organisation)
    }

    pub(crate) fn config(&self, organisation: &str) -> String {
        self.directory(organisation).join("config.toml").to_str().unwrap().to_owned()
    }

    pub(crate) fn charter(&self) -> String {
        self.directory("alder").join("charter.toml").to_str().unwrap().to_owned()
    }
}

/// A running node, killed when dropped; what it says is in its directory's `stderr.log`.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(members: &Members, organisation: &str) -> Self {
        let log = std::fs::File::create(members.directory(organisation).join("stderr.log")).unwrap();
        let mut command = Command::new(WATCHFIRE);
        command.args(["run", "--config", &members.config(organisation)]).stdin(Stdio::null());
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Waits until it answers, and gives its first status.
    pub(crate) fn answers(&mut self, members: &Members, organisation: &str) -> Value {
        let config = members.config(organisation);
        // Each question is a process of its own: the node starts meanwhile.
        let status = (0..600).find_map(|_| {
            let log = || std::fs::read_to_string(members.directory(organisation).join("stderr.log")).unwrap();
            assert!(self.0.try_wait().unwrap().is_none(), "it ended by itself: {}", log());
            let output = watchfire(&["status", "--config", &config, "--json"]);
            Some(json(&output)).filter(|status| status["running"] == true)
        });
        status.expect("it answers")
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A JSON-RPC endpoint that answers every call with one chain id, for as long as the process lives.
pub(crate) fn endpoint_of_chain(chain_id: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let id = serde_json::from_slice::<Value>(&body).map(|call| call["id"].clone()).unwrap_or_default();
            let answer =
                serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": format!("{chain_id:#x}") }).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            let _ = stream.get_mut().write_all((head + &answer).as_bytes());
        }
    });
    format!("http://{address}")
}

const HEAD: &str = "name = \"test guardians\"\nversion = 1\ndrill = true\n";

const TAIL: &str = include_str!("charter_tail.toml");
