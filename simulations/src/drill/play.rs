//! Plays a scenario on its stage: attack, faults and people at their moments, until what is expected came or time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alloy_primitives::{B256, U256};
use tokio::time::Instant;
use watchfire_types::OrganisationId;
use watchfire_types::control::{CanPause, Status};

use super::DrillError;
use super::act::{self, Aftermath, Parts};
use super::cluster::{Settled, causes_of};
use super::judge;
use super::observe::{BlockSeen, Seen};
use super::progress::Progress;
use super::report::ether;
use super::stage::Stage;
use crate::key::Order;
use crate::scenario::{Act, AttackKind, AttackStart, Fault, FaultKind, HumanPart, Moment, Who, words};
use crate::vault;

/// How often the launcher looks at the chain.
const LOOK: Duration = Duration::from_millis(40);
/// How often it asks the nodes for their status.
const ASK: Duration = Duration::from_millis(500);
/// How long the nodes have to settle at the end, beside what the rules let them wait.
const SETTLE_MAX: Duration = Duration::from_secs(20);
/// Blocks without anything new after the attack before a play that expects no pause may end.
const QUIET_BLOCKS: u64 = 5;

/// Everything that a play leaves behind for the judge.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) seen: Seen,
    pub(super) attack: Attack,
    pub(super) nonce_before: u64,
    pub(super) first_submitter: usize,
    /// What `watchfire status` said of pausing just before the attack, for each node; nothing where the scenario does not ask.
    pub(super) status_before: Vec<Option<CanPause>>,
    pub(super) settled: Settled,
}

/// How the attack went.
#[derive(Debug, Default)]
pub(super) struct Attack {
    began: bool,
    sent: u64,
    waiting: Option<B256>,
    /// Its last transaction is through, or it needs none.
    pub(super) over: bool,
    /// First block with one of its transactions.
    pub(super) first_block: Option<u64>,
    /// Block after which nothing more came.
    last_block: u64,
    /// What its last transaction reverted with.
    pub(super) reverted: Option<String>,
}

/// A running play.
struct Play<'a> {
    stage: &'a mut Stage,
    parts: Parts,
    played: Played,
    reached: BTreeMap<Moment, Instant>,
    fired: BTreeSet<usize>,
    acted: BTreeSet<usize>,
    /// Whose people do nothing any more.
    asleep: BTreeSet<OrganisationId>,
    stealing: Option<B256>,
    statuses: Vec<Option<Status>>,
    told: usize,
}

/// Plays it to the end and waits, bounded, for the nodes to settle.
pub(super) async fn play(stage: &mut Stage, progress: &dyn Progress) -> Result<Played, DrillError> {
    let nonce_before = stage.safe.nonce(&stage.rpc).await?;
    let parts = Parts::of(stage, nonce_before)?;
    let statuses = stage.cluster.statuses().await;
    let played = Played {
        seen: Seen::default(),
        attack: Attack::default(),
        nonce_before,
        first_submitter: parts.first_submitter,
        status_before: Vec::new(),
        settled: Settled::default(),
    };
    let mut play = Play {
        stage,
        parts,
        played,
        reached: BTreeMap::new(),
        fired: BTreeSet::new(),
        acted: BTreeSet::new(),
        asleep: BTreeSet::new(),
        stealing: None,
        statuses,
        told: 0,
    };
    progress.said(&format!("all nodes ready: {}", play.stage.scenario.title));
    play.reached.insert(Moment::Ready, Instant::now());
    play.run(progress).await?;
    progress.said("waiting for the nodes to settle");
    let governance = &play.stage.scenario.governance;
    let ends_s = if play.stage.scenario.expect.paused { 0 } else { governance.window_s + governance.expiry_s };
    let bound = SETTLE_MAX * play.stage.patience + Duration::from_secs(ends_s);
    play.played.settled = play.stage.cluster.settle(bound).await;
    play.drain();
    play.look().await?;
    Ok(play.played)
}

impl Play<'_> {
    async fn run(&mut self, progress: &dyn Progress) -> Result<(), DrillError> {
        let most = Duration::from_secs(self.stage.scenario.seconds_max) * self.stage.patience;
        let deadline = Instant::now() + most;
        let mut look = tokio::time::interval(LOOK);
        let mut ask = tokio::time::interval(ASK);
        while Instant::now() < deadline {
            tokio::select! {
                Some(record) = self.stage.cluster.inbox.recv() => {
                    self.played.seen.records.push(record);
                    self.drain();
                }
                _ = look.tick() => {
                    let fresh = self.look().await?;
                    self.attack(fresh).await?;
                }
                _ = ask.tick() => {
                    self.statuses = self.stage.cluster.statuses().await;
                    self.show(progress);
                    if self.is_done().await? {
                        return Ok(());
                    }
                }
            }
            self.advance(progress).await?;
        }
        progress.said(&format!("time is up after {} s", most.as_secs()));
        Ok(())
    }

    fn drain(&mut self) {
        while let Ok(record) = self.stage.cluster.inbox.try_recv() {
            self.played.seen.records.push(record);
        }
    }

    async fn look(&mut self) -> Result<bool, DrillError> {
        let stage = &self.stage;
        Ok(self.played.seen.look(stage).await?)
    }

    /// Notes the moments that came and does what the scenario has for them, each once.
    async fn advance(&mut self, progress: &dyn Progress) -> Result<(), DrillError> {
        self.tell(progress);
        if let Some(transaction) = self.stealing
            && self.stage.rpc.receipt(transaction).await?.is_some_and(|receipt| receipt.succeeded)
        {
            self.stealing = None;
            self.reached.insert(Moment::NonceTaken, Instant::now());
        }
        for moment in self.came() {
            self.reached.entry(moment).or_insert_with(Instant::now);
        }
        let due = |at: &Moment, delay: Duration| self.reached.get(at).is_some_and(|since| since.elapsed() >= delay);
        let faults = self.stage.scenario.faults.iter().cloned().enumerate();
        let late = |fault: &Fault| Duration::from_millis(fault.delay_ms);
        let faults: Vec<_> =
            faults.filter(|(index, fault)| !self.fired.contains(index) && due(&fault.at, late(fault))).collect();
        let humans = self.stage.scenario.humans.iter().cloned().enumerate();
        let late = |part: &HumanPart| Duration::from_millis(part.after_ms());
        let humans: Vec<_> =
            humans.filter(|(index, part)| !self.acted.contains(index) && due(&part.at, late(part))).collect();
        for (index, fault) in faults {
            self.fired.insert(index);
            progress.said(&format!("fault: {}", words(&fault.what)));
            if let Aftermath::Takes(transaction) = act::fault(self.stage, &self.parts, &fault.what).await? {
                self.stealing = Some(transaction);
            }
        }
        for (index, mut part) in humans {
            self.acted.insert(index);
            part.organisations.retain(|organisation| !self.asleep.contains(organisation));
            if part.organisations.is_empty() {
                continue;
            }
            if part.act == Act::Asleep {
                self.asleep.extend(part.organisations.iter().cloned());
            }
            let who: Vec<_> = part.organisations.iter().map(ToString::to_string).collect();
            progress.said(&format!("people of {}: {}", who.join(", "), words(&part.act)));
            act::human(self.stage, &part).await?;
        }
        Ok(())
    }

    /// Moments that what was seen so far amounts to.
    fn came(&self) -> Vec<Moment> {
        let seen = &self.played.seen;
        let organisations = self.stage.scenario.organisations.len();
        let contain = usize::from(self.stage.scenario.governance.contain);
        [
            (Moment::Attacked, self.played.attack.first_block.is_some()),
            (Moment::Finding, seen.first("finding").is_some()),
            (Moment::AllFound, seen.authors("finding").len() == organisations),
            (Moment::Vote, seen.first("vote").is_some()),
            (Moment::ContainVotes, seen.authors("vote").len() >= contain),
            (Moment::Certificate, seen.certificates().next().is_some()),
            (Moment::ThresholdSigned, seen.first("threshold-signed").is_some()),
            (Moment::AllSubmitted, seen.authors("submitted").len() == organisations),
            (Moment::Contained, seen.included().is_some()),
            (Moment::AttackOver, self.played.attack.over),
            (Moment::Recovered, seen.included().is_some() && seen.blocks.last().is_some_and(|last| !last.paused)),
        ]
        .into_iter()
        .filter_map(|(moment, came)| came.then_some(moment))
        .collect()
    }

    /// The attacker's turn: a transaction for every block, until one reverts or all are through.
    async fn attack(&mut self, fresh_block: bool) -> Result<(), DrillError> {
        if self.played.attack.over || !self.may_attack() {
            return Ok(());
        }
        let script = self.stage.scenario.attack.clone();
        if !self.played.attack.began {
            self.played.attack.began = true;
            if self.stage.scenario.expect.status_before.is_some() {
                self.played.status_before = act::statuses(self.stage).await?;
            }
        }
        let order = match script.kind {
            AttackKind::Reentrancy => vault::attack(self.stage.contract, script.times, script.wei),
            AttackKind::Withdrawal => vault::withdraw(self.stage.vault),
            AttackKind::None => {
                self.finish_attack();
                return Ok(());
            }
            AttackKind::OracleManipulation
            | AttackKind::InfiniteMint
            | AttackKind::OwnerStolen
            | AttackKind::UpgradeStolen
            | AttackKind::ForgedMessage => {
                return Err(DrillError::NotADrill { name: self.stage.scenario.name.clone() });
            }
        };
        if let Some(transaction) = self.played.attack.waiting {
            if !fresh_block {
                return Ok(());
            }
            self.take_stock(transaction, &order).await?;
        }
        if self.played.attack.waiting.is_none() && !self.played.attack.over {
            if self.played.attack.sent == script.transactions {
                self.finish_attack();
            } else {
                self.played.attack.waiting = Some(self.stage.attacker.send(&self.stage.rpc, &order).await?);
                self.played.attack.sent += 1;
            }
        }
        Ok(())
    }

    async fn take_stock(&mut self, transaction: B256, order: &Order) -> Result<(), DrillError> {
        let Some(receipt) = self.stage.rpc.receipt(transaction).await? else { return Ok(()) };
        self.played.attack.waiting = None;
        if receipt.succeeded {
            self.played.attack.first_block.get_or_insert(receipt.block);
            return Ok(());
        }
        let from = self.stage.attacker.address();
        let reason = vault::revert_reason(&self.stage.rpc, from, order, receipt.block).await?;
        self.played.attack.reverted = Some(reason.unwrap_or_else(|| "passes after its block".to_owned()));
        self.finish_attack();
        Ok(())
    }

    fn finish_attack(&mut self) {
        self.played.attack.over = true;
        self.played.attack.last_block = self.head();
    }

    fn head(&self) -> u64 {
        self.played.seen.blocks.last().map_or(0, |block| block.number)
    }

    fn may_attack(&self) -> bool {
        let faults = &self.stage.scenario.faults;
        let at_ready_fired =
            faults.iter().enumerate().all(|(i, fault)| fault.at != Moment::Ready || self.fired.contains(&i));
        at_ready_fired
            && match self.stage.scenario.attack.after {
                AttackStart::Ready => true,
                AttackStart::CanPause => self.all_say(CanPause::Yes),
                AttackStart::CannotPause => self.all_say(CanPause::No),
                AttackStart::Faults => faults.iter().all(|fault| match &fault.what {
                    FaultKind::Cut { member: Who::Member(member) } if fault.at == Moment::Ready => {
                        self.is_alone(member)
                    }
                    _ => true,
                }),
            }
            || self.played.attack.began
    }

    fn all_say(&self, what: CanPause) -> bool {
        self.statuses.iter().all(|status| can_pause(status.as_ref()) == Some(what))
    }

    fn is_alone(&self, member: &watchfire_types::MemberId) -> bool {
        let own = self.statuses.iter().flatten().find(|status| status.member == *member);
        own.is_some_and(|status| status.peers.iter().all(|peer| !peer.connected))
    }

    /// Whether everything happened and everything that can be judged now holds.
    async fn is_done(&self) -> Result<bool, DrillError> {
        let scenario = &self.stage.scenario;
        let all_played = self.played.attack.over
            && self.stealing.is_none()
            && self.fired.len() == scenario.faults.len()
            && self.acted.len() == scenario.humans.len();
        let quiet = scenario.expect.paused || self.head() >= self.played.attack.last_block + QUIET_BLOCKS;
        if !all_played || !quiet {
            return Ok(false);
        }
        let nonce = self.stage.safe.nonce(&self.stage.rpc).await?;
        let causes = causes_of(&self.statuses);
        Ok(judge::of_the_play(self.stage, &self.played, nonce, &causes)
            .iter()
            // What is too late by now does not come in time any more.
            .all(|one| one.passed || one.speed))
    }

    fn tell(&mut self, progress: &dyn Progress) {
        const QUIET: [&str; 5] = ["block", "peer-connected", "attested", "started", "evidence-ended"];
        let records = &self.played.seen.records;
        for (place, record) in records.iter().skip(self.told) {
            let own = record.author.is_none_or(|author| author == self.stage.cluster.nodes[*place].key);
            if own && !QUIET.contains(&record.kind.as_str()) {
                let member = &self.stage.cluster.nodes[*place].organisation.member;
                progress.said(&format!("{member:<8} {}: {}", record.kind, record.text));
            }
        }
        self.told = records.len();
    }

    fn show(&self, progress: &dyn Progress) {
        let nodes: Vec<_> = self
            .stage
            .cluster
            .nodes
            .iter()
            .zip(&self.statuses)
            .map(|(node, status)| {
                let mark = match can_pause(status.as_ref()) {
                    Some(CanPause::Yes) => '+',
                    Some(CanPause::AtRisk) => '~',
                    Some(CanPause::No) => '!',
                    None => 'x',
                };
                format!("{mark}{}", node.organisation.id)
            })
            .collect();
        let block = self.played.seen.blocks.last();
        let held = |wei: fn(&BlockSeen) -> U256| ether(&block.map_or(U256::ZERO, wei).to_string());
        progress.live(&format!(
            "block {}  {}  vault {}{}  attacker {}  {}",
            self.head(),
            self.phase(),
            held(|block| block.vault_wei),
            if block.is_some_and(|block| block.paused) { " paused" } else { "" },
            held(|block| block.attacker_wei),
            nodes.join(" ")
        ));
    }

    fn phase(&self) -> &'static str {
        let came = self.came();
        let is = |moment| came.contains(&moment);
        if is(Moment::Contained) {
            "contained"
        } else if is(Moment::Certificate) {
            "containment"
        } else if is(Moment::Finding) {
            "detection"
        } else if is(Moment::Attacked) {
            "under attack"
        } else {
            "watching"
        }
    }
}

fn can_pause(status: Option<&Status>) -> Option<CanPause> {
    status.and_then(|status| status.assets.iter().map(|asset| asset.can_pause).max())
}
