//! Several machines exchanging real sealed events in one process, over a model chain with one vault and one Safe.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use watchfire_charter::Charter;
use watchfire_protocol::{Draft, Owed, Rejection};
use watchfire_types::body::{Body, Finding, Human};
use watchfire_types::duty::{Duty, Submission};
use watchfire_types::input::{HumanAct, Input, PreflightOutcome};
use watchfire_types::*;

pub(crate) use crate::model::*;
pub(crate) use crate::node::*;

pub(crate) const CHARTER: &str = include_str!("../../../charter/tests-data/drill.charter.toml");
pub(crate) const CHAIN: ChainId = ChainId::new(31337);
pub(crate) const EXPIRY_S: u64 = 120;

pub(crate) fn charter(edit: impl Fn(&str) -> String) -> Arc<Charter> {
    let (charter, _) = watchfire_charter::parse(&edit(CHARTER)).expect("fixture parses");
    Arc::new(charter)
}

pub(crate) fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a name")
}

pub(crate) fn human(reason: &str) -> Human {
    Human { person: "p1".into(), role: "lead".into(), reason: reason.into() }
}

/// Answers a preflight by what would happen.
pub(crate) type Simulate = fn(&Block, &SafeTransaction) -> PreflightOutcome;

pub(crate) fn passes(_: &Block, _: &SafeTransaction) -> PreflightOutcome {
    PreflightOutcome::Passes
}

pub(crate) fn refuses_pause(_: &Block, transaction: &SafeTransaction) -> PreflightOutcome {
    if transaction.data.starts_with(&keccak256(b"pause()")[..4]) {
        PreflightOutcome::Refuted { reason: "guard: no".into(), by_guard: true }
    } else {
        PreflightOutcome::Passes
    }
}

/// The network.
pub(crate) struct Cluster {
    pub(crate) charter: Arc<Charter>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) chain: Chain,
    pub(crate) now: Timestamp,
    pub(crate) silent: BTreeSet<usize>,
    pub(crate) simulate: Simulate,
    /// Whether simulations are answered at all.
    pub(crate) answers: bool,
    /// Whether what the detectors read at a block has no answer: what stands stays on the block where it was judged.
    pub(crate) unread: bool,
    wire: VecDeque<(usize, Verified<Event>)>,
}

impl Cluster {
    pub(crate) fn new(charter: Arc<Charter>, first: u64) -> Self {
        let nodes = (0..5).map(|index| Node::new(&charter, index, 0x10 + index)).collect();
        let chain = Chain::new(first);
        let now = Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000);
        let mut cluster = Self {
            charter,
            nodes,
            chain,
            now,
            silent: BTreeSet::new(),
            simulate: passes,
            answers: true,
            unread: false,
            wire: VecDeque::new(),
        };
        for (index, node) in cluster.nodes.iter().enumerate() {
            cluster.wire.extend(node.log.iter().map(|event| (index, event.clone())));
        }
        cluster.show();
        cluster
    }

    pub(crate) fn send(&mut self, from: usize, event: Verified<Event>) {
        self.wire.push_back((from, event));
    }

    /// Shows the chain's head to every node and lets everything settle.
    pub(crate) fn show(&mut self) {
        for index in 0..self.nodes.len() {
            self.show_to(index);
        }
        self.settle();
    }

    fn show_to(&mut self, index: usize) {
        let block = self.chain.head().clone();
        self.now = Timestamp::from_millis(block.at.time.as_secs() * 1_000).max(self.now);
        let seen = view(&self.charter, &block);
        let node = &mut self.nodes[index];
        node.clock = (self.now.as_millis() - 1_700_000_000_000) / 1_000;
        node.machine.observe(self.now, &Input::Block(Box::new(seen)));
        for finding in node.standing.iter_mut().filter(|_| !self.unread) {
            finding.block = block.at;
        }
        let standing = node.standing.clone();
        node.machine.observe(self.now, &Input::Detected { block: block.at, standing });
    }

    pub(crate) fn mine(&mut self, txs: &[Tx]) {
        self.chain.mine(txs);
        self.show();
    }

    /// Jumps to this height with one block: nodes that saw nothing in between.
    pub(crate) fn mine_to(&mut self, number: u64) {
        self.chain.mine(&[]);
        let branch = self.chain.branch;
        if let Some(newest) = self.chain.blocks.last_mut() {
            newest.at = block(number, branch);
        }
        self.show();
    }

    pub(crate) fn all_find(&mut self, detector: &str) {
        self.find(&[0, 1, 2, 3, 4], detector);
    }

    /// Steps owed at a node under the containment playbook.
    pub(crate) fn owed_steps(&self, index: usize) -> Vec<u8> {
        let decisions = self.nodes[index].machine.decisions();
        let of = decisions.iter().filter(|status| status.decision.playbook.as_str() == "contain-vault");
        of.flat_map(|status| &status.owed).map(|step| step.get()).collect()
    }

    /// Votes of one node for a step or wider.
    pub(crate) fn votes(&self, by: usize, step: u8) -> usize {
        let author = self.nodes[by].key();
        let events = self.nodes[by].machine.events().filter(|event| event.author == author);
        events.filter(|event| matches!(&event.body, Body::Vote(vote) if vote.step.get() >= step)).count()
    }

    /// Signatures known for rejections.
    pub(crate) fn rejections(&self, index: usize) -> usize {
        let signed = self.nodes[index].machine.signatures();
        signed.iter().filter(|count| count.step.is_none()).map(|count| count.owners.len()).sum()
    }

    pub(crate) fn forged_vote(&self, step: u8, evidence: BlockRef) -> Body {
        Body::Vote(body::Vote {
            decision: body::Decision {
                version: self.charter.version,
                asset: name("vault-core"),
                playbook: name("contain-vault"),
            },
            step: StepIndex::new(step),
            basis: body::Basis::Finding(EventHash::from_bytes([9; 32])),
            operator: name("op-elm"),
            evidence,
        })
    }

    pub(crate) fn reorg(&mut self, count: usize) {
        let blocks = self.chain.drop_newest(count);
        for node in &mut self.nodes {
            node.machine.observe(self.now, &Input::Orphaned { chain: CHAIN, blocks: blocks.clone() });
            node.standing.retain(|finding| blocks.iter().all(|gone| finding.first != *gone));
        }
    }

    /// A detector begins to stand at the next block of these nodes, or stops.
    pub(crate) fn find(&mut self, nodes: &[usize], detector: &str) {
        let first = block(self.chain.head().at.number + 1, self.chain.branch);
        for index in nodes {
            self.nodes[*index].standing.push(finding(detector, first));
        }
    }

    pub(crate) fn clear(&mut self) {
        for node in &mut self.nodes {
            node.standing.clear();
        }
    }

    pub(crate) fn act(&mut self, index: usize, act: HumanAct) -> Result<(), Rejection> {
        self.take(index, &Input::Human(act))
    }

    /// What a node says of an input, to everybody.
    pub(crate) fn take(&mut self, index: usize, input: &Input) -> Result<(), Rejection> {
        let node = &mut self.nodes[index];
        node.machine.observe(self.now, input);
        let step = node.machine.decide(self.now, input)?;
        for draft in step.drafts {
            let event = self.nodes[index].finish(draft);
            self.wire.push_back((index, event));
        }
        self.settle();
        Ok(())
    }

    pub(crate) fn approve(&mut self, index: usize, playbook: &str, step: u8) {
        let act = HumanAct::Approve {
            asset: name("vault-core"),
            playbook: name(playbook),
            step: StepIndex::new(step),
            human: human("seen it"),
        };
        self.act(index, act).expect("approves");
    }

    pub(crate) fn veto(&mut self, index: usize) {
        let act =
            HumanAct::Veto { asset: name("vault-core"), playbook: name("contain-vault"), human: human("false alarm") };
        self.act(index, act).expect("vetoes");
    }

    /// Drafts, deliveries and preflights until nothing moves. Silent nodes neither author nor hear.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            while let Some((from, event)) = self.wire.pop_front() {
                moved = true;
                for index in (0..self.nodes.len()).filter(|index| *index != from && !self.silent.contains(index)) {
                    let _ = self.nodes[index].receive(self.now, &event);
                }
            }
            for index in (0..self.nodes.len()).filter(|index| !self.silent.contains(index)).collect::<Vec<_>>() {
                moved |= self.turn(index);
            }
            if !moved {
                return;
            }
        }
        panic!("never settles");
    }

    fn turn(&mut self, index: usize) -> bool {
        let Owed { drafts, duties, .. } = self.nodes[index].machine.owed(self.now);
        let stages: BTreeSet<_> = drafts.iter().map(Draft::stage).collect();
        assert!(stages.len() <= 1, "one stage at a time");
        let mut moved = !drafts.is_empty();
        for draft in drafts {
            let event = self.nodes[index].finish(draft);
            self.wire.push_back((index, event));
        }
        let head = self.chain.head().clone();
        for duty in &duties {
            if let Duty::Preflight(preflight) = duty
                && self.answers
            {
                let outcome = (self.simulate)(&head, &preflight.transaction);
                let (safe_tx_hash, block) = (preflight.safe_tx_hash, preflight.at);
                let input = Input::Preflighted { safe_tx_hash, block, outcome };
                self.nodes[index].machine.observe(self.now, &input);
                moved = true;
            }
        }
        self.nodes[index].duties = duties;
        moved
    }

    /// What any node would send now, each once, after every rank had its turn.
    pub(crate) fn submissions(&mut self) -> Vec<Submission> {
        self.now = self.now.plus_millis(2_000);
        self.settle();
        let mut all: BTreeMap<B256, Submission> = BTreeMap::new();
        for node in &self.nodes {
            for duty in &node.duties {
                if let Duty::Submit(submission) = duty {
                    all.insert(submission.safe_tx_hash, submission.clone());
                }
            }
        }
        all.into_values().collect()
    }

    /// Mines what is submitted now.
    pub(crate) fn execute(&mut self) -> usize {
        let txs: Vec<Tx> = self.submissions().into_iter().map(|sent| Tx::Safe(Box::new(sent))).collect();
        self.mine(&txs);
        txs.len()
    }

    pub(crate) fn digests(&self) -> BTreeSet<B256> {
        let heard = (0..self.nodes.len()).filter(|index| !self.silent.contains(index));
        heard.map(|index| self.nodes[index].machine.state_digest()).collect()
    }

    /// Events of a kind in one node's log.
    pub(crate) fn count(&self, index: usize, kind: impl Fn(&Body) -> bool) -> usize {
        self.nodes[index].machine.events().filter(|event| kind(&event.body)).count()
    }
}

/// A network that has seen a block in which nothing happened.
pub(crate) fn cluster() -> Cluster {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    c
}

/// Attack, pause, four approvals, unpause; the chain is open again and nothing stands.
pub(crate) fn recovered() -> Cluster {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
    c.clear();
    c.mine(&[]);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(!c.chain.head().paused);
    c
}

pub(crate) fn finding(detector: &str, first: BlockRef) -> Finding {
    let severity = if detector == "vault-outflow" { Severity::Sev1 } else { Severity::Sev2 };
    Finding {
        asset: name("vault-core"),
        detector: name(detector),
        kind: "outflow".into(),
        severity,
        first,
        block: first,
        explanation: "net outflow".into(),
        figures: BTreeMap::new(),
    }
}
