//! The simulator is held against the world: five drivers over real libp2p, on links that a relay slows down, decide in as many hops as five
//! simulated ones on links of the same delay.
//!
//! Each driver runs as the node's event loop runs it: everything at the door in one turn, verdicts and messages out at once, catch-up with
//! whoever is connected. The delay is long beside what a machine takes for its turns; one that is slow beside it even so is told of, and judges
//! nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use watchfire_charter::Charter;
use watchfire_driver::{Door, Driver, Output};
use watchfire_gossip::{Entry, GossipConfig, GossipEvent, Handle, Kind, spawn};
use watchfire_journal::MemoryStorage;
use watchfire_simulations::relay::Relay;
use watchfire_simulations::simulate::{SimulateOptions, simulate};
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{BlockView, Body, Timestamp};
use watchfire_wire::{CatchUpRequest, CatchUpResponse};
use zeroize::Zeroizing;

use crate::chain::{Chain, finding};
use crate::world::{TestKeys, charter, open};

/// One-way delay of every link.
const DELAY: Duration = Duration::from_millis(1_000);
const NODES: usize = 5;
/// Votes for a certificate, and signatures that the Safe wants.
const THRESHOLD: usize = 3;
/// Incidents whose median is judged, each in a network of its own.
const INCIDENTS: usize = 3;
/// The two may differ by this much of what the simulator says.
const APART: f64 = 0.30;
/// A machine on which a timer comes this much of the delay too late judges nothing.
const LATE: f64 = 0.05;
const TICK: Duration = Duration::from_millis(20);
/// Longest wait for anything that has to come.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a node tells the test.
enum Said {
    /// It holds so many events, and so many members are connected.
    Holds { node: usize, events: usize, peers: usize },
    /// It voted.
    Voted(Instant),
    /// It holds a threshold-signed transaction.
    Signed { node: usize, at: Instant },
}

/// One node: its driver, its swarm, and what the test shows it.
struct Node {
    place: usize,
    driver: Driver<MemoryStorage, TestKeys>,
    network: Handle,
    events: mpsc::Receiver<GossipEvent>,
    shown: mpsc::UnboundedReceiver<Vec<Door>>,
    said: mpsc::UnboundedSender<Said>,
    began: (Instant, Timestamp),
    connected: usize,
    simulated: BTreeSet<Preflight>,
    signed: bool,
}

impl Node {
    async fn run(mut self, opened: Output) {
        self.deal(opened).await;
        loop {
            let due = self.driver.next_timeout().map(|at| self.when(at));
            let door = tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event).await,
                    None => return,
                },
                shown = self.shown.recv() => match shown {
                    Some(shown) => shown,
                    None => return,
                },
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => vec![Door::Input(Input::Tick)],
            };
            self.turn(door).await;
        }
    }

    fn now(&self) -> Timestamp {
        self.began.1.plus_millis(u64::try_from(self.began.0.elapsed().as_millis()).unwrap())
    }

    fn when(&self, at: Timestamp) -> Instant {
        self.began.0 + Duration::from_millis(at.as_millis().saturating_sub(self.began.1.as_millis()) + 1)
    }

    async fn hear(&mut self, event: GossipEvent) -> Vec<Door> {
        match event {
            GossipEvent::Message { id, bytes, .. } => vec![Door::Gossip { id, bytes }],
            GossipEvent::Connected(member) => {
                self.connected += 1;
                let request = self.driver.catch_up_request().encode();
                let _ = self.network.request_catch_up(member, request).await;
                vec![Door::Input(Input::Peer { member, connected: true })]
            }
            GossipEvent::Disconnected(member) => {
                self.connected -= 1;
                vec![Door::Input(Input::Peer { member, connected: false })]
            }
            GossipEvent::CatchUpRequest { bytes, reply, .. } => {
                let request = CatchUpRequest::decode(bytes).unwrap();
                let answer = self.driver.answer_catch_up(&request, |error| panic!("{error}")).encode();
                let _ = self.network.reply(reply, answer).await;
                Vec::new()
            }
            GossipEvent::CatchUpResponse { from, result: Ok(bytes) } => {
                vec![Door::CaughtUp { from, events: CatchUpResponse::decode(bytes).unwrap().events }]
            }
            _ => Vec::new(),
        }
    }

    /// Turns until no simulation is owed an answer; a real one takes part of the first hop, so at once is right.
    async fn turn(&mut self, mut door: Vec<Door>) {
        while !door.is_empty() {
            let output = self.driver.handle(self.now(), door).unwrap();
            door = self.deal(output).await;
        }
    }

    /// Carries an output out; a send that fails finds the network at its end, or the incident never gets to its own.
    async fn deal(&mut self, output: Output) -> Vec<Door> {
        for (id, verdict, _) in output.verdicts {
            let _ = self.network.verdict(id, verdict).await;
        }
        for bytes in output.publish {
            let _ = self.network.publish(bytes).await;
        }
        let own = self.driver.machine().epoch();
        for event in &output.appended {
            if matches!(event.body, Body::Vote(_)) && event.epoch == own {
                let _ = self.said.send(Said::Voted(Instant::now()));
            }
        }
        let events = self.driver.machine().events().count();
        let _ = self.said.send(Said::Holds { node: self.place, events, peers: self.connected });
        let whole = self.driver.machine().signatures().iter().any(|count| count.owners.len() >= THRESHOLD);
        if whole && !std::mem::replace(&mut self.signed, true) {
            let _ = self.said.send(Said::Signed { node: self.place, at: Instant::now() });
        }
        let preflights = output.duties.into_iter().filter_map(|duty| match duty {
            Duty::Preflight(preflight) => Some(preflight),
            Duty::Submit(_) | Duty::CatchUp { .. } => None,
        });
        let fresh: Vec<Preflight> = preflights.filter(|preflight| self.simulated.insert(preflight.clone())).collect();
        let passes = |preflight: Preflight| {
            let (safe_tx_hash, block) = (preflight.safe_tx_hash, preflight.at);
            Door::Input(Input::Preflighted { safe_tx_hash, block, outcome: PreflightOutcome::Passes })
        };
        fresh.into_iter().map(passes).collect()
    }
}

/// Five nodes, each pair over a relay of its own.
struct Network {
    charter: Arc<Charter>,
    chain: Chain,
    shown: Vec<mpsc::UnboundedSender<Vec<Door>>>,
    said: mpsc::UnboundedReceiver<Said>,
    relays: Vec<Relay>,
}

impl Network {
    /// Starts them and waits until everybody is connected with everybody and holds what everybody has said.
    async fn start() -> Self {
        let charter = charter();
        let chain = Chain::new(98);
        let began = (Instant::now(), Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000));
        let (say, said) = mpsc::unbounded_channel();
        let mut network = Self { charter, chain, shown: Vec::new(), said, relays: Vec::new() };
        let mut listening = Vec::new();
        for place in 0..NODES {
            // Who started before is dialled, through a relay that nobody else uses.
            let mut members = Vec::new();
            for other in 0..NODES {
                let mut addresses = Vec::new();
                if let Some(port) = listening.get(other).copied() {
                    let relay = Relay::start(([127, 0, 0, 1], port).into()).await.unwrap();
                    addresses.push(format!("/ip4/127.0.0.1/tcp/{}", relay.address().port()));
                    network.relays.push(relay);
                }
                let key = watchfire_driver::Keys::author(&TestKeys::of(other));
                members.push(Entry { key, kind: Kind::Guardian, addresses });
            }
            let (handle, mut events) = spawn(&GossipConfig {
                identity: Zeroizing::new(TestKeys::of(place).node.to_bytes()),
                network: network.charter.network_id(),
                listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
                members,
            })
            .unwrap();
            let address = timeout(PATIENCE, async {
                loop {
                    if let GossipEvent::Listening(address) = events.recv().await.unwrap() {
                        return address;
                    }
                }
            });
            listening.push(address.await.unwrap().rsplit('/').next().unwrap().parse::<u16>().unwrap());
            let epoch = 0x10 + u8::try_from(place).unwrap();
            let (driver, opened) = open(&network.charter, place, MemoryStorage::default(), epoch, began.1);
            let (show, shown) = mpsc::unbounded_channel();
            network.shown.push(show);
            let node = Node {
                place,
                driver,
                network: handle,
                events,
                shown,
                said: say.clone(),
                began,
                connected: 0,
                simulated: BTreeSet::new(),
                signed: false,
            };
            tokio::spawn(node.run(opened));
        }
        let mut whole = BTreeSet::new();
        network
            .until(|said| {
                if let Said::Holds { node, events, peers } = said
                    && events >= NODES
                    && peers == NODES - 1
                {
                    whole.insert(node);
                }
                whole.len() == NODES
            })
            .await;
        network
    }

    /// Reads what the nodes say until this holds.
    async fn until(&mut self, mut enough: impl FnMut(Said) -> bool) {
        let waited = timeout(PATIENCE, async { while !enough(self.said.recv().await.expect("nodes")) {} });
        waited.await.expect("it came in time");
    }

    /// A new block, shown to everybody at once with what its detectors find.
    fn mine(&mut self, detectors: &[&str]) {
        self.chain.mine(&[]);
        let view: BlockView = self.chain.view(&self.charter);
        let block = view.block;
        let standing = detectors.iter().map(|detector| finding(detector, block)).collect();
        let door = vec![Door::Input(Input::Block(Box::new(view))), Door::Input(Input::Detected { block, standing })];
        for show in &self.shown {
            show.send(door.clone()).unwrap();
        }
    }

    /// From the k-th vote to the threshold-signed transaction everywhere, in one-way delays.
    async fn incident(&mut self) -> f64 {
        self.mine(&[]);
        for relay in &self.relays {
            relay.slow_down(DELAY);
        }
        self.mine(&["vault-outflow"]);
        let (mut votes, mut signed, mut last) = (Vec::new(), BTreeSet::new(), None);
        self.until(|said| {
            match said {
                Said::Voted(at) => votes.push(at),
                Said::Signed { node, at } => {
                    signed.insert(node);
                    last = last.max(Some(at));
                }
                Said::Holds { .. } => {}
            }
            signed.len() == NODES
        })
        .await;
        votes.sort_unstable();
        (last.unwrap() - votes[THRESHOLD - 1]).as_secs_f64() / DELAY.as_secs_f64()
    }
}

/// How late timers come on this machine for as long as this takes, at the worst.
async fn lateness<T>(what: impl Future<Output = T>) -> (T, Duration) {
    let mut what = std::pin::pin!(what);
    let mut worst = Duration::ZERO;
    loop {
        let due = Instant::now() + TICK;
        tokio::select! {
            done = &mut what => return (done, worst),
            () = sleep_until(due) => worst = worst.max(due.elapsed()),
        }
    }
}

/// What the simulator says of five nodes on links of this delay.
fn simulated() -> f64 {
    let delay = DELAY.as_millis();
    let text = format!(
        "name = \"faithful\"\ntitle = \"faithful\"\nruns = [\"simulate\"]\nseconds_max = 60\n[links]\ndelay_ms = [{delay}, {delay}]\n\
         [attack]\nkind = \"reentrancy\"\nafter = \"ready\"\ntransactions = 12\nwei = \"1000000000000000000\"\ntimes = 7\n[expect]\npaused = true\n"
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let scenarios = vec![file.path().to_str().unwrap().to_owned()];
    let options = SimulateOptions { scenarios, seeds: 0..3, jobs: 1, faults: None, charter: None };
    let report = simulate(&options, |_| {}).unwrap().pop().unwrap();
    assert_eq!(report.failed, 0, "{}", report.summary());
    report.hops.p50.expect("a run without faults decides")
}

/// A live network decides in as many hops as a simulated one, within thirty per cent.
#[test]
fn as_many_hops_as_simulated() {
    let _turn = crate::ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let expected = simulated();
    let (mut hops, mut late) = (Vec::new(), Duration::ZERO);
    for _ in 0..INCIDENTS {
        // Each network ends with its runtime.
        let (took, worst) = crate::runtime().block_on(async {
            let mut network = Network::start().await;
            lateness(network.incident()).await
        });
        hops.push(took);
        late = late.max(worst);
    }
    hops.sort_by(f64::total_cmp);
    let live = hops[INCIDENTS / 2];
    println!("{live:.3} hops live ({hops:.3?}), {expected:.3} simulated; timers up to {late:?} late");
    if (live / expected - 1.0).abs() <= APART {
        return;
    }
    let too_slow = late.as_secs_f64() > LATE * DELAY.as_secs_f64();
    assert!(
        too_slow,
        "{live:.3} hops live ({hops:.3?}), {expected:.3} simulated, on a machine that keeps time ({late:?})"
    );
    eprintln!(
        "this machine is too slow to hold the simulator against: timers come {late:?} late; {live:.3} hops, {expected:.3} simulated"
    );
}
