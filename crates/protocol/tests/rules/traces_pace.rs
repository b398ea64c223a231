//! Traces of blocks that come faster than a simulation answers.

use std::collections::BTreeMap;

use watchfire_types::Timestamp;
use watchfire_types::body::Body;
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::{Input, PreflightOutcome};

use crate::cluster::*;

/// Between two blocks, ms.
const BLOCK_MS: u64 = 200;
/// What a simulation takes, ms.
const SIMULATION_MS: u64 = 700;

fn signatures(c: &Cluster) -> usize {
    c.count(0, |body| matches!(body, Body::CoSignature(_)))
}

/// A cluster whose clocks are so far ahead of block time that blocks come as fast as the test says.
fn fast() -> Cluster {
    let mut c = cluster();
    c.now = c.now.plus_millis(1_000_000);
    c.mine(&[]);
    c
}

/// Blocks every 200 ms and simulations that never answer in time: containment is signed half a second after it was first wanted.
#[test]
fn fast_blocks_do_not_put_off_a_containment_signature() {
    let mut c = fast();
    c.answers = false;
    c.mine(&[Tx::TakesNonce]);
    c.all_find("vault-outflow");
    for _ in 0..6 {
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
    }
    assert!(signatures(&c) >= 3, "no answer in time is unknown, and containment signs on unknown");
}

/// As much for the rejection that a cancel makes owed.
#[test]
fn fast_blocks_do_not_put_off_a_rejection() {
    let mut c = fast();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.answers = false;
    for index in 0..3 {
        c.veto(index);
    }
    assert_eq!(c.rejections(0), 0, "not answered and not yet waited for");
    for _ in 0..4 {
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
    }
    assert!(c.rejections(0) >= 3);
}

/// Runs simulations as a node's executor does: a duty that stays goes on, one that changed is stopped and begins anew.
#[derive(Default)]
struct Executor {
    running: BTreeMap<(usize, Preflight), Timestamp>,
}

impl Executor {
    fn turn(&mut self, c: &mut Cluster) {
        let mut wanted = BTreeMap::new();
        for (index, node) in c.nodes.iter().enumerate() {
            for duty in &node.duties {
                if let Duty::Preflight(preflight) = duty {
                    let key = (index, preflight.clone());
                    let since = self.running.get(&key).copied().unwrap_or(c.now);
                    wanted.insert(key, since);
                }
            }
        }
        self.running = wanted;
        let done = self.running.extract_if(.., |_, since| c.now.millis_since(*since) >= SIMULATION_MS);
        for ((index, preflight), _) in done.collect::<Vec<_>>() {
            let (safe_tx_hash, block) = (preflight.safe_tx_hash, preflight.at);
            let input = Input::Preflighted { safe_tx_hash, block, outcome: PreflightOutcome::Passes };
            c.nodes[index].machine.observe(c.now, &input);
        }
        c.settle();
    }
}

/// A recovery is signed on passes alone: its simulation is let run to its end, however many blocks come meanwhile.
#[test]
fn fast_blocks_do_not_starve_a_recovery() {
    let mut c = fast();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    c.answers = false;
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    let before = signatures(&c);
    let mut executor = Executor::default();
    for _ in 0..8 {
        executor.turn(&mut c);
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
    }
    assert!(signatures(&c) >= before + 4, "{before} before, {} after", signatures(&c));
}

/// A simulation that is never answered is asked for again at a newer block after two seconds, and one whose block a reorg took at once.
#[test]
fn an_unanswered_simulation_is_asked_for_again() {
    let mut c = fast();
    c.answers = false;
    c.mine(&[Tx::TakesNonce]);
    let asked = |c: &Cluster| {
        let duties = c.nodes[0].duties.iter();
        let at: Vec<u64> =
            duties.filter_map(|duty| if let Duty::Preflight(p) = duty { Some(p.at.number) } else { None }).collect();
        assert!(!at.is_empty());
        at
    };
    let first = c.chain.head().at.number;
    for _ in 0..9 {
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
        assert!(asked(&c).iter().all(|at| *at == first));
    }
    for _ in 0..2 {
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
    }
    let again = asked(&c);
    assert!(again.iter().all(|at| *at > first));
    c.reorg(6);
    c.mine(&[]);
    let head = c.chain.head().at;
    assert!(asked(&c).iter().all(|at| *at == head.number), "{:?} at {}", asked(&c), head.number);
}

/// Five blocks a second, a finding that stands and a veto of three: who did not veto says its vote again every three seconds of block time and
/// not at every block, so that neither side talks until it may say no more. What begins after the cancel is voted on at once.
#[test]
fn a_veto_is_no_dialogue_at_every_block() {
    let mut c = fast();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.mine(&[]);
    let said = |c: &Cluster| c.count(0, |body| matches!(body, Body::Vote(_) | Body::Veto(_) | Body::Certificate(_)));
    let before = said(&c);
    let began = c.chain.head().at.time;
    while c.chain.head().at.time.secs_since(began) < 36 {
        c.now = c.now.plus_millis(BLOCK_MS);
        c.mine(&[]);
    }
    let rounds = 36 / 3 + 1;
    let (votes, others) = (2 * rounds, 3 * rounds * 2 * 2);
    assert!((1..=votes + others).contains(&(said(&c) - before)), "{} events", said(&c) - before);
    let votes = |c: &Cluster| c.votes(3, 1);
    let before = votes(&c);
    while votes(&c) == before {
        c.mine(&[]);
    }
    // Beside what stands since before the cancel.
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(votes(&c), before + 2, "what begins now waits for nothing");
}
