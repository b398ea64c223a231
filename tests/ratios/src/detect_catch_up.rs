//! How fast a running node catches up with what its chain did while it was down, against the same requests with nothing done to their answers.
//!
//! A real process of the node over a real chain, whose partners are down: it is started at the block at which it stopped, some hundred busy blocks
//! later, and is done when it is ready, every one of them read, proved, judged and taken into its log. What it asks is recorded once on its way
//! through a forwarder, and each block is seen to have come once; then, in turn, the node asks the chain itself, and the recorded requests are sent
//! there by a client that throws the answers away.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use watchfire_simulations::anvil::{self, Anvil};
use watchfire_simulations::rpc::Rpc;
use watchfire_types::control::{Record, Request};

use crate::node::{CHAIN, Node, RULES, directories, runtime};
use crate::report::{Bound, Report};

const RATIO_LEAST: f64 = 0.70;
const BLOCKS_LEAST: f64 = 200.0;
/// Blocks that a node is behind.
const BLOCKS: u64 = 600;
/// Transactions of a block, and logs of a transaction: fifty logs together.
const TRANSACTIONS: usize = 5;
const LOGS: u8 = 10;
/// Seconds by which the chain's clock is behind while it makes them: one a block and some more.
const PAST_S: u64 = 2 * BLOCKS;
/// Recorded requests under way at once: more make no chain of a small machine any faster.
const AT_ONCE: usize = 32;
/// Emits its logs to whatever call.
const EMITTER: &str = "0x00000000000000000000000000000000000e3117";
/// A rule for which a node takes blocks with their transactions.
const AUTHORITY: &str = "
[[detector]]
id = \"vault-authority\"
asset = \"vault-core\"
severity = \"SEV1\"
kind = \"authority\"
stands_s = 60
";

/// A node that reads logs and state, and one that reads whole blocks too.
pub(crate) fn measure(rounds: u32) -> Vec<Report> {
    let runtime = runtime();
    let whole = format!("{RULES}{AUTHORITY}");
    let settings = [("logs and state", RULES), ("whole blocks", whole.as_str())];
    settings.into_iter().flat_map(|(name, rules)| runtime.block_on(setting(name, rules, rounds))).collect()
}

async fn setting(name: &str, rules: &str, rounds: u32) -> [Report; 2] {
    let program = tokio::task::block_in_place(|| anvil::locate(&|line| eprintln!("{line}"))).expect("anvil");
    let chain = Anvil::start(&program, CHAIN).await.expect("a chain");
    let rpc = Rpc::new(chain.url().clone()).expect("a client");
    let (before, head) = busy(&rpc).await;
    let base = tempfile::tempdir().expect("a directory");
    let address: SocketAddr = format!("127.0.0.1:{}", chain.url().port().expect("a port")).parse().expect("an address");
    let config = directories(base.path(), &address.to_string(), rules);
    let recorded = {
        let forwarder = Forwarder::start(address).await;
        asking(&config, address, forwarder.address);
        stopped_at(&config, before);
        tokio::task::block_in_place(|| each_once(&config, before + 1..=head));
        asking(&config, forwarder.address, address);
        forwarder.requests()
    };
    let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    let (mut ratios, mut paces) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let first_s = bare(&client, chain.url().as_str(), &recorded).await;
        stopped_at(&config, before);
        let node_s = tokio::task::block_in_place(|| Node::start_timed(&config).1.as_secs_f64());
        let second_s = bare(&client, chain.url().as_str(), &recorded).await;
        ratios.push(f64::midpoint(first_s, second_s) / node_s);
        paces.push((head - before) as f64 / node_s);
    }
    let asked = recorded.len();
    [
        Report::new("detect-catch-up", format!("{name}, {asked} requests"), ratios, Bound::Least(RATIO_LEAST)),
        Report::new("detect-catch-up", format!("{name}, blocks/s"), paces, Bound::Least(BLOCKS_LEAST)),
    ]
}

/// Makes the blocks; answers the number of the one before them and of the last.
async fn busy(rpc: &Rpc) -> (u64, u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    // counter; loop: memory[0] = counter; log3(0, 32, 42, caller, counter); counter -= 1
    let code = format!("0x60{LOGS:02x}5b80600052803360 2a60206000a36001900380600257 00").replace(' ', "");
    for (method, parameters) in [
        ("evm_setAutomine", json!([false])),
        ("evm_setTime", json!([now - PAST_S])),
        ("anvil_setBlockTimestampInterval", json!([1])),
        ("anvil_setCode", json!([EMITTER, code])),
        ("anvil_mine", json!(["0x64"])),
    ] {
        rpc.call(method, parameters).await.unwrap_or_else(|error| panic!("{method}: {error}"));
    }
    let before = number(rpc).await;
    let accounts = rpc.call("eth_accounts", json!([])).await.expect("accounts");
    for _ in 0..BLOCKS {
        for from in accounts.as_array().expect("a list").iter().take(TRANSACTIONS) {
            let transaction = json!([{ "from": from, "to": EMITTER, "gas": "0x186a0" }]);
            rpc.call("eth_sendTransaction", transaction).await.expect("a transaction");
        }
        rpc.call("evm_mine", json!([])).await.expect("a block");
    }
    let head = number(rpc).await;
    let logs = rpc.call("eth_getLogs", json!([{ "fromBlock": "latest", "toBlock": "latest" }])).await;
    let logs = logs.expect("logs").as_array().map_or(0, Vec::len);
    assert_eq!((head - before, logs), (BLOCKS, TRANSACTIONS * usize::from(LOGS)));
    (before, head)
}

async fn number(rpc: &Rpc) -> u64 {
    let number = rpc.call("eth_blockNumber", json!([])).await.expect("a number");
    u64::from_str_radix(number.as_str().expect("a text").trim_start_matches("0x"), 16).expect("a number")
}

/// Has the node ask there, as often as it likes.
fn asking(config: &Path, before: SocketAddr, now: SocketAddr) {
    const BUDGET: &str = "requests_per_second = 1000000\n";
    let text = std::fs::read_to_string(config).expect("a configuration");
    let budget = if text.contains(BUDGET) { "" } else { BUDGET };
    let text = text.replace(&format!("http://{before}\"\n"), &format!("http://{now}\"\n{budget}"));
    std::fs::write(config, text).expect("room");
}

/// What a node kept that stopped at this block.
fn stopped_at(config: &Path, number: u64) {
    let scanned = json!({ CHAIN.to_string(): { "last": number, "unseen": [] } });
    std::fs::write(config.with_file_name("scanned.json"), scanned.to_string()).expect("room");
}

/// Starts the node and sees that it was told of these blocks, each once and in order, before it was ready.
fn each_once(config: &Path, blocks: std::ops::RangeInclusive<u64>) {
    let _node = Node::start(config);
    let mut stream = UnixStream::connect(config.with_file_name("control.sock")).expect("the node listens");
    let mut line = serde_json::to_vec(&Request::Follow).expect("plain data");
    line.push(b'\n');
    stream.write_all(&line).expect("the node reads");
    let told = BufReader::new(stream).lines().map(|line| line.expect("the node tells"));
    let told = told.map(|line| serde_json::from_str::<Record>(&line).expect("a record"));
    let told = told.take_while(|record| record.kind != "ready").filter(|record| record.kind == "block");
    let numbers: Vec<u64> = told.filter_map(|record| Some(record.block?.number)).collect();
    assert_eq!(numbers, blocks.collect::<Vec<_>>());
}

/// Seconds for the requests, in the order in which they were recorded.
async fn bare(client: &reqwest::Client, url: &str, requests: &[Vec<u8>]) -> f64 {
    let clock = Instant::now();
    let asked = stream::iter(requests).map(|body| async move {
        let request = client.post(url).header("content-type", "application/json").body(body.clone());
        request.send().await.expect("an answer").bytes().await.expect("an answer").len()
    });
    let answered = asked.buffered(AT_ONCE).all(|bytes| async move { bytes > 0 }).await;
    let took_s = clock.elapsed().as_secs_f64();
    assert!(answered);
    took_s
}

/// Of each connection what came, with the time of each piece.
type Asked = Arc<Mutex<Vec<Vec<(Instant, Vec<u8>)>>>>;

/// Passes bytes on, and keeps what came from those who ask.
struct Forwarder {
    address: SocketAddr,
    asked: Asked,
}

impl Forwarder {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Asked::default();
        let all = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((inbound, _)) = listener.accept().await {
                let mut connections = all.lock().expect("no panic");
                connections.push(Vec::new());
                tokio::spawn(forward(inbound, target, Arc::clone(&all), connections.len() - 1));
            }
        });
        Self { address, asked }
    }

    /// The bodies of all requests, by when they came.
    fn requests(&self) -> Vec<Vec<u8>> {
        let mut bodies: Vec<(Instant, Vec<u8>)> =
            self.asked.lock().expect("no panic").iter().flat_map(|connection| split(connection)).collect();
        bodies.sort_by_key(|(at, _)| *at);
        bodies.into_iter().map(|(_, body)| body).collect()
    }
}

async fn forward(inbound: TcpStream, target: SocketAddr, asked: Asked, connection: usize) {
    let outbound = TcpStream::connect(target).await.expect("the chain");
    let ((mut from_node, mut to_node), (mut from_chain, mut to_chain)) = (inbound.into_split(), outbound.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_chain, &mut to_node).await });
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from_node.read(&mut piece).await {
        asked.lock().expect("no panic")[connection].push((Instant::now(), piece[..length].to_vec()));
        if to_chain.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

/// The bodies of a connection's requests, each with the time of its beginning.
fn split(pieces: &[(Instant, Vec<u8>)]) -> Vec<(Instant, Vec<u8>)> {
    let bytes: Vec<u8> = pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
    let came_at = |offset: usize| {
        let mut end = 0;
        let piece = pieces.iter().find(|(_, piece)| {
            end += piece.len();
            offset < end
        });
        piece.expect("a piece of it").0
    };
    let (mut bodies, mut at) = (Vec::new(), 0);
    while let Some(length) = bytes[at..].windows(4).position(|end| end == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[at..at + length]).to_ascii_lowercase();
        let stated = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let size: usize = stated.expect("a length").trim().parse().expect("a number");
        let from = at + length + 4;
        let Some(body) = bytes.get(from..from + size) else { break };
        bodies.push((came_at(at), body.to_vec()));
        at = from + size;
    }
    assert!(bodies.iter().all(|(_, body)| serde_json::from_slice::<Value>(body).is_ok()), "a request is no JSON");
    bodies
}
