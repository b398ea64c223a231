//! A node under load in a process of its own: it says what it holds when it starts and what becomes durable from then on, and is
//! meant to be killed. This test binary is that process too: it runs the one test here with a variable set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use watchfire_charter::Charter;
use watchfire_driver::{Door, Driver, Keys, Output};
use watchfire_journal::{FileStorage, Journal, JournalOptions, Storage};
use watchfire_protocol::incident_id;
use watchfire_types::body::{Finding, Human};
use watchfire_types::input::{HumanAct, Input};
use watchfire_types::{BlockRef, Body, Bytes, Epoch, Event, EventHash, NetworkId, Seq, Timestamp};
use watchfire_wire::{Envelope, decode_signed, seal};

use crate::chain::{Chain, finding};
use crate::durability::inputs;
use crate::world::{TestKeys, charter, member};

const DIRECTORY: &str = "WATCHFIRE_TEST_LOAD_DIRECTORY";
const EPOCH: &str = "WATCHFIRE_TEST_LOAD_EPOCH";
const TURNS: &str = "WATCHFIRE_TEST_LOAD_TURNS";

/// Small, so that segments change often while it is killed.
pub(crate) const OPTIONS: JournalOptions =
    JournalOptions { segment_bytes: 24 << 10, chunk_bytes: 4 << 10, reserve_bytes: 4 << 10 };

/// The load of one node: its own human's notes, and another member's findings between them.
pub(crate) struct Load<S: Storage> {
    driver: Driver<S, TestKeys>,
    charter: Arc<Charter>,
    head: BlockRef,
    now: Timestamp,
    turns: u32,
    epoch: Epoch,
    other: TestKeys,
    other_head: Option<(Seq, EventHash)>,
}

impl<S: Storage> Load<S> {
    /// Opens the log and authors `Started`, a finding and a vote.
    pub(crate) fn open(storage: S, epoch: u32) -> (Self, Vec<EventHash>) {
        Self::open_with(storage, epoch, OPTIONS)
    }

    /// The same, over a journal with these options.
    pub(crate) fn open_with(storage: S, epoch: u32, options: JournalOptions) -> (Self, Vec<EventHash>) {
        let charter = charter();
        let keys = TestKeys::of(0);
        let chain = Chain::new(98);
        let journal = Journal::open(storage, options).unwrap();
        let member = member(&charter, &keys);
        let mut bytes = [0x40; 16];
        bytes[..4].copy_from_slice(&epoch.to_be_bytes());
        let epoch = Epoch::from_bytes(bytes);
        let now = Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000);
        let network = charter.network_id();
        let (mut driver, started) =
            Driver::open(journal, keys, Arc::clone(&charter), network, member, epoch, now).unwrap();
        let mut durable = hashes(&started);
        durable.extend(hashes(&driver.handle(now, inputs(&chain, &["vault-outflow"])).unwrap()));
        let head = chain.head().at;
        (Self { driver, charter, head, now, turns: 0, epoch, other: TestKeys::of(1), other_head: None }, durable)
    }

    /// One turn; what it made durable.
    pub(crate) fn turn(&mut self) -> Vec<EventHash> {
        let output = self.try_turn();
        assert!(output.answers.iter().all(|answer| answer.result.is_ok()), "{:?}", output.answers);
        let refused: Vec<_> = output.verdicts.iter().filter_map(|verdict| verdict.2.as_ref()).collect();
        assert!(refused.is_empty(), "{refused:?}");
        hashes(&output)
    }

    /// One turn, whatever comes of it.
    pub(crate) fn try_turn(&mut self) -> Output {
        self.turns += 1;
        // As fast as the own quota lasts.
        self.now = self.now.plus_millis(500);
        let network = self.charter.network_id();
        let mut door = Vec::new();
        for _ in 0..self.turns % 4 {
            let bytes = self.others(network);
            door.push(Door::Gossip { id: u64::from(self.turns), bytes: Envelope::Event(bytes).encode() });
        }
        let incident = incident_id(network, &"vault-core".parse().unwrap(), 0);
        let reason = "a note of some length".repeat(1 + self.turns as usize % 20);
        let human = Human { person: "p-1".to_owned(), role: "responder".to_owned(), reason };
        door.push(Door::Input(Input::Human(HumanAct::Note { incident, human })));
        self.driver.handle(self.now, door).unwrap()
    }

    pub(crate) fn driver(&self) -> &Driver<S, TestKeys> {
        &self.driver
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn into_driver(self) -> Driver<S, TestKeys> {
        self.driver
    }

    /// The next event of another member in an epoch that begins anew with each process.
    fn others(&mut self, network: NetworkId) -> Bytes {
        let (seq, prev) = match self.other_head {
            None => (Seq::new(0), EventHash::from_bytes([0; 32])),
            Some((seq, hash)) => (seq.next(), hash),
        };
        let found = finding("vault-outflow", self.head);
        let body = if seq.get() == 0 {
            Body::Started(watchfire_types::body::Started {
                earlier: Vec::new(),
                charter_version: self.charter.version,
                charter_digest: self.charter.digest(),
                software: "load".into(),
            })
        } else {
            Body::Finding(Finding { explanation: format!("seen {}", seq.get()), ..found })
        };
        let (author, epoch, time) = (self.other.author(), self.epoch, self.now.plus_millis(seq.get()));
        let event = Event { network, author, epoch, seq, prev, time, body };
        let sealed = seal(&event, |input| self.other.sign(input)).unwrap();
        self.other_head = Some((seq, sealed.hash()));
        sealed.outer().clone()
    }
}

fn hashes(output: &Output) -> Vec<EventHash> {
    output.appended.iter().map(|event| event.hash()).collect()
}

/// Not a test of its own but the process that [`Process`] starts: without its variable it does nothing.
#[test]
fn process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let storage = FileStorage::open(Path::new(&directory)).unwrap();
    let mut out = std::io::stdout().lock();
    // What it holds is read as the next start reads it: through the recovery.
    let journal = Journal::open(storage.clone(), OPTIONS).unwrap();
    for record in journal.replay().unwrap() {
        let hash = decode_signed(record.unwrap().bytes).unwrap().hash();
        writeln!(out, "\nheld {hash}").unwrap();
    }
    drop(journal);
    let (mut load, durable) = Load::open(storage, number(EPOCH).unwrap());
    writeln!(out, "\nopen").unwrap();
    say(&mut out, &durable);
    let turns = number(TURNS).unwrap_or(u32::MAX);
    for _ in 0..turns {
        say(&mut out, &load.turn());
    }
    writeln!(out, "\ncommits {turns}").unwrap();
}

fn say(out: &mut impl Write, durable: &[EventHash]) {
    let lines: String = durable.iter().map(|hash| format!("\ndurable {hash}\n")).collect();
    out.write_all(lines.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A line that the process said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Held(String),
    Open,
    Durable(String),
    Commits(u64),
}

/// The process, killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: Receiver<Said>,
}

impl Process {
    /// Starts it; with `before` its command line is prefixed, and with `turns` it ends by itself.
    pub(crate) fn start(directory: &Path, epoch: u32, turns: Option<u32>, before: &[&OsStr]) -> std::io::Result<Self> {
        let this = std::env::current_exe()?;
        let mut line: Vec<&OsStr> = before.to_vec();
        line.push(this.as_os_str());
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).args(["load::process", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(DIRECTORY, directory).env(EPOCH, epoch.to_string());
        if let Some(turns) = turns {
            command.env(TURNS, turns.to_string());
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().unwrap());
        let (out, said) = channel();
        std::thread::spawn(move || {
            for line in lines.split(b'\n') {
                // A line that the kill cut short is none; hashes are 64 digits.
                let text = String::from_utf8(line.unwrap()).unwrap();
                let whole = |hash: &str| (hash.trim_start_matches("0x").len() == 64).then(|| hash.to_owned());
                let line = match text.split_once(' ') {
                    Some(("held", hash)) => whole(hash).map(Said::Held),
                    Some(("durable", hash)) => whole(hash).map(Said::Durable),
                    Some(("commits", count)) => count.parse().ok().map(Said::Commits),
                    _ => (text == "open").then_some(Said::Open),
                };
                if line.is_some_and(|line| out.send(line).is_err()) {
                    return;
                }
            }
        });
        Ok(Self { child, said })
    }

    /// The next line; `None` at its end.
    pub(crate) fn next(&self) -> Option<Said> {
        match self.said.recv_timeout(Duration::from_secs(300)) {
            Ok(said) => Some(said),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the process hangs"),
        }
    }

    /// SIGKILL, at whatever it does now.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
