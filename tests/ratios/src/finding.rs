//! What a node adds between a block and its finding: a real process of it over a real chain with a block every second, its partners down.
//! The vault's balance falls in one block; measured is from that block's arrival at the node, on the node's own clock, until the finding is
//! durable in its log and told to whoever follows it. Everything between is the node's: agreeing on the block, reading it, the detectors, the
//! journal with its fdatasync.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use watchfire_simulations::rpc::Rpc;
use watchfire_types::control::{Record, Request};

use crate::node::{Node, RULES, directories, runtime, ticking};
use crate::report::{Bound, Report};

const MS_MOST: f64 = 50.0;
/// The vault of the charter.
const VAULT: &str = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
const ETHER: u128 = 1_000_000_000_000_000_000;
/// What leaves in one block: above the detector's limit of 25 ether.
const DRAINED: u128 = 30 * ETHER;
/// Seconds of the detector's window, so that a finding ends before the next round.
const WINDOW: &str = "window_s = 2";
/// Blocks after a drain in which its finding ends.
const REST_BLOCKS: u64 = 5;

/// So many drains.
pub(crate) fn measure(rounds: u32) -> Report {
    runtime().block_on(drains(rounds))
}

async fn drains(rounds: u32) -> Report {
    let (_anvil, rpc, address) = ticking().await;
    let mut balance = DRAINED * u128::from(rounds + 1);
    hold(&rpc, balance).await;
    let base = tempfile::tempdir().expect("a directory");
    let rules = RULES.replace("window_s = 60", WINDOW);
    assert!(rules.contains(WINDOW), "the detector has another window");
    let config = directories(base.path(), &address, &rules);
    let mut followed = tokio::task::block_in_place(|| Followed::start(&config));
    let mut took = Vec::new();
    for _ in 0..rounds {
        tokio::task::block_in_place(|| followed.rest());
        balance -= DRAINED;
        hold(&rpc, balance).await;
        took.push(tokio::task::block_in_place(|| followed.finding()));
    }
    Report::new("finding", "ms from block to durable finding".to_owned(), took, Bound::Most(MS_MOST))
}

async fn hold(rpc: &Rpc, wei: u128) {
    rpc.call("anvil_setBalance", json!([VAULT, format!("{wei:#x}")])).await.expect("a balance");
}

/// A node that runs, and what it tells.
struct Followed {
    _node: Node,
    told: BufReader<UnixStream>,
    /// The newest block, and when it arrived.
    head: (u64, u64),
}

impl Followed {
    fn start(config: &Path) -> Self {
        let node = Node::start(config);
        let mut stream = UnixStream::connect(config.with_file_name("control.sock")).expect("the node listens");
        let mut line = serde_json::to_vec(&Request::Follow).expect("plain data");
        line.push(b'\n');
        stream.write_all(&line).expect("the node reads");
        Self { _node: node, told: BufReader::new(stream), head: (0, 0) }
    }

    fn next(&mut self) -> Record {
        let mut line = String::new();
        assert!(self.told.read_line(&mut line).expect("the node tells") > 0, "the node ended");
        let record: Record = serde_json::from_str(&line).expect("a record");
        if let Some(block) = record.block.filter(|_| record.kind == "block") {
            self.head = (block.number, record.at_ms);
        }
        record
    }

    /// Until what stood stands no more.
    fn rest(&mut self) {
        let until = self.head.0 + REST_BLOCKS;
        while self.head.0 < until {
            self.next();
        }
    }

    /// Milliseconds from the arrival of the next finding's block until the finding is told.
    fn finding(&mut self) -> f64 {
        loop {
            let record = self.next();
            if record.kind == "finding" {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64() * 1_000.0;
                assert_eq!(record.block.map(|block| block.number), Some(self.head.0), "found at its own block");
                return now - self.head.1 as f64;
            }
        }
    }
}
