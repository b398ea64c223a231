//! What only an end can be judged by: the scenario's expectations, that nothing is owed, that equal sets gave equal states, and that a
//! replay gives the same state again.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use watchfire_types::control::CanPause;
use watchfire_types::duty::Duty;
use watchfire_types::{Epoch, EventHash};
use watchfire_wire::{decode_fault, encode_fault};

use super::Kind;
use crate::scenario::{AttackKind, FaultKind, Moment};
use crate::simulate::agenda::{MILLI, SECOND};
use crate::simulate::world::{HEARTBEAT, World};

/// Bytes that a node may send to each peer and second on the average of a run, everything included.
const BYTES_PER_PEER_SECOND: u64 = 64 << 10;

/// What is told of a pause that did not come, and of one that nobody needed.
pub(crate) const NOT_PAUSED: &str = "the vault was not paused";
pub(crate) const NEEDLESS: &str = "the vault was paused without need";

/// Judges a world that came to its end.
pub(crate) fn judge(world: &mut World<'_>) {
    states(world);
    forks(world);
    observations(world);
    bounds(world);
    expectations(world);
    hops(world);
    retargets(world);
    locked_keys(world);
    world.watch.still_behind(world.cast, world.now);
    super::lateness::judge(world);
}

/// S15, S8, L4 and L8.
fn states(world: &mut World<'_>) {
    let mut by_set: BTreeMap<B256, BTreeSet<B256>> = BTreeMap::new();
    let mut held: Vec<(usize, BTreeSet<EventHash>)> = Vec::new();
    let mut owed = Vec::new();
    let mut living = Vec::new();
    for node in world.nodes.iter().filter(|node| world.cast.honest(node.place)) {
        let Some(process) = &node.process else { continue };
        let machine = process.driver.machine();
        let hashes: BTreeSet<_> = machine.events().map(|event| event.hash()).collect();
        let set = hashes.iter().fold(Sha256::new(), |hash, event| hash.chain_update(event.as_bytes())).finalize();
        let digest = machine.state_digest();
        by_set.entry(B256::from_slice(&set)).or_default().insert(digest);
        held.push((node.place, hashes));
        let member = &world.cast.players[node.place].member;
        // What a liar says of itself and keeps back stays asked for; so does what was lost with a disk.
        let gives = |place: usize, epoch: &Epoch| {
            let known = &world.watch.known[place];
            world.cast.honest(place) && (!known.lost_once || known.epoch == Some(*epoch))
        };
        let owes = |duty: &&Duty| match duty {
            // Who has had no block for long cannot know what is done.
            Duty::Submit(_) => !process.silent,
            Duty::CatchUp { from, epoch } => world.cast.place_of(from).is_some_and(|place| gives(place, epoch)),
            Duty::Preflight(_) => false,
        };
        owed.extend(process.duties.iter().filter(owes).map(|_| member.to_string()));
        // What is to die in its next sync is let be.
        if !world.play.dies_in_sync.contains_key(&node.place) {
            living.push(node.place);
        }
    }
    if by_set.values().any(|digests| digests.len() > 1) {
        world.watch.breach("S15", Kind::Safety, "nodes with equal events have different states".to_owned());
    }
    // One of them, another in every run: a replay costs as much as the run did.
    let chosen = usize::try_from(world.step).unwrap_or(0).checked_rem(living.len());
    if let Some(place) = chosen.and_then(|at| living.get(at)).copied() {
        let member = &world.cast.players[place].member;
        match world.replay(place) {
            Ok((live, again)) if again == live => {}
            Ok((live, again)) => {
                world.watch.breach("S8", Kind::Safety, format!("replay of {member} gives {again}, live was {live}"));
            }
            Err(cause) => world.watch.breach("S8", Kind::Safety, format!("{member}'s log does not replay: {cause}")),
        }
    }
    // Of a liar's two events at one place nobody needs both.
    if by_set.values().flatten().collect::<BTreeSet<_>>().len() > 1 {
        world.watch.apart(world.cast, &held, world.now);
    }
    if !owed.is_empty() {
        world.watch.breach("L8", Kind::Liveness, format!("still owed at the end at {}", owed.join(", ")));
    }
}

/// S9 and its other half: a fork that two honest logs hold together is known everywhere, and each holder can prove it to anybody who has the
/// charter, from the bytes of an object alone.
fn forks(world: &mut World<'_>) {
    let mut breaches = Vec::new();
    for node in world.nodes.iter().filter(|node| world.cast.honest(node.place)) {
        let Some(process) = &node.process else { continue };
        let holder = &world.cast.players[node.place].member;
        let mut proven = BTreeSet::new();
        for object in process.driver.machine().convictions() {
            let judged = decode_fault(&encode_fault(&object))
                .ok()
                .and_then(|object| watchfire_protocol::judge(&object, &world.cast.charter).ok());
            match judged.and_then(|conviction| world.cast.place_of(&conviction.author)) {
                Some(place) if !world.cast.honest(place) => drop(proven.insert(place)),
                Some(place) => {
                    let member = &world.cast.players[place].member;
                    breaches.push((
                        "S9",
                        Kind::Safety,
                        format!("{holder} convicts {member}, who follows the protocol"),
                    ));
                }
                None => breaches.push(("S9", Kind::Safety, format!("{holder} has a proof that proves nothing"))),
            }
        }
        for status in process.driver.machine().members() {
            let Some(place) = world.cast.place(&status.member) else { continue };
            if status.faulty && world.cast.honest(place) {
                breaches.push(("S9", Kind::Safety, format!("{} counts as a forker", status.member)));
            }
            if status.faulty && !proven.contains(&place) {
                breaches.push(("S9", Kind::Safety, format!("{holder} cannot prove that {} forked", status.member)));
            }
            if !status.faulty && world.watch.forked.contains(&place) {
                breaches.push(("S9", Kind::Liveness, format!("{holder} does not know that {} forked", status.member)));
            }
        }
    }
    for (property, kind, detail) in breaches {
        world.watch.breach(property, kind, detail);
    }
}

/// S7: no finding of a block that a reorg took stands where its author lives and has seen the reorg.
fn observations(world: &mut World<'_>) {
    for node in world.nodes.iter().filter(|node| world.cast.honest(node.place)) {
        let head = node.process.as_ref().and_then(|process| process.recent.last_key_value());
        if let Some((_, head)) = head {
            world.watch.orphaned(world.cast, node.place, &head.hash);
        }
    }
}

/// S12.
fn bounds(world: &mut World<'_>) {
    let seconds = world.now / SECOND + 1;
    let peers = world.nodes.len() as u64 - 1;
    let most = BYTES_PER_PEER_SECOND * seconds * peers;
    for place in 0..world.nodes.len() {
        let sent = world.watch.known[place].sent_bytes;
        if world.cast.honest(place) && sent > most {
            let detail = format!("{} sent {sent} bytes in {seconds} s", world.cast.players[place].member);
            world.watch.breach("S12", Kind::Safety, detail);
        }
    }
}

/// The scenario's expectations. What never may happen is safety, what should have happened liveness.
fn expectations(world: &mut World<'_>) {
    let expect = &world.cast.scenario.expect;
    let play = &world.play;
    let mut found: Vec<(&'static str, Kind, String)> = Vec::new();
    let mut missed = |name: &'static str, kind: Kind, holds: bool, detail: String| {
        if !holds {
            found.push((name, kind, detail));
        }
    };
    let paused = play.pauses > 0;
    missed("L1", Kind::Liveness, paused || !expect.paused, NOT_PAUSED.to_owned());
    missed("L5", Kind::Safety, !paused || expect.paused, NEEDLESS.to_owned());
    if let Some(wanted) = expect.ends_paused {
        let kind = if wanted { Kind::Liveness } else { Kind::Safety };
        let ends = world.chain.head().state.paused;
        missed("ends-paused", kind, ends == wanted, format!("paused at the end: {ends}, expected {wanted}"));
    }
    if let Some(wanted) = expect.pauses {
        let kind = if play.pauses > wanted { Kind::Safety } else { Kind::Liveness };
        missed("pauses", kind, play.pauses == wanted, format!("paused {} times, expected {wanted}", play.pauses));
    }
    if let Some(most) = expect.loss_wei_max {
        let taken = play.attack.taken;
        missed("loss", Kind::Liveness, taken <= most, format!("{taken} wei lost, at most {most} expected"));
    }
    if let Some(reason) = &expect.attacker_reverts {
        let actual = play.attack.reverted.clone().unwrap_or_else(|| "nothing".to_owned());
        missed("reverts", Kind::Liveness, actual == *reason, format!("the attacker's last reverted with {actual}"));
    }
    if let Some(cause) = expect.cause {
        missed("cause", Kind::Liveness, play.cause == Some(cause), format!("named cause {:?}", play.cause));
    }
    if let Some(count) = expect.found_by {
        let actual = play.found.len();
        let kind = if actual > usize::from(count) { Kind::Safety } else { Kind::Liveness };
        missed("found", kind, actual == usize::from(count), format!("{actual} organisations found something"));
    }
    if let Some(wanted) = expect.certificate {
        let kind = if wanted { Kind::Liveness } else { Kind::Safety };
        missed(
            "certificate",
            kind,
            play.certificate == wanted,
            format!("certificate for a step: {}", play.certificate),
        );
    }
    if let Some(wanted) = expect.cancelled {
        missed("cancelled", Kind::Liveness, play.cancelled == wanted, format!("cancelled: {}", play.cancelled));
    }
    if let Some(count) = expect.rejected_by {
        let actual = play.rejected.len();
        missed("rejected", Kind::Liveness, actual == usize::from(count), format!("people of {actual} declined"));
    }
    if let Some(wanted) = expect.nonces {
        let actual = world.chain.head().state.nonce.saturating_sub(play.nonce_before);
        missed("nonces", Kind::Liveness, actual == wanted, format!("{actual} Safe transactions, expected {wanted}"));
    }
    if let Some(wanted) = expect.signed_at_one_nonce {
        let actual = world.watch.signed_at_one_nonce();
        let detail = format!("a threshold signed {actual} transactions at one nonce, expected {wanted}");
        missed("signed-at-one-nonce", Kind::Liveness, actual == wanted, detail);
    }
    of_the_pause(world, &mut missed);
    for (name, kind, detail) in found {
        world.watch.breach(name, kind, detail);
    }
}

/// Who paused, for how much, and how soon.
fn of_the_pause(world: &World<'_>, missed: &mut impl FnMut(&'static str, Kind, bool, String)) {
    let (expect, play) = (&world.cast.scenario.expect, &world.play);
    if let Some(wanted) = expect.other_submitter {
        let first = play.first_submitter.map(|place| world.cast.players[place].submitter);
        let by = play.pause.as_ref().map(|pause| pause.from);
        let other = by.is_some() && by != first;
        missed("submitter", Kind::Liveness, other == wanted, format!("sent by another than the first: {other}"));
    }
    if let Some(wanted) = expect.bumped {
        let bumped = play.pause.as_ref().is_some_and(|pause| world.watch.bumped(pause));
        missed("bumped", Kind::Liveness, bumped == wanted, format!("the pause replaced a lower bid: {bumped}"));
    }
    if let Some(wanted) = expect.status_before {
        let can = wanted != CanPause::No;
        let all = !play.status_before.is_empty() && play.status_before.values().all(|said| *said == can);
        missed("status", Kind::Liveness, all, "the nodes' status before the attack is another".to_owned());
    }
    if let Some(most) = expect.included_ms_max {
        let took = play.paused_at.zip(play.attack.first_block_at).map(|(at, from)| at.saturating_sub(from) / MILLI);
        missed(
            "included",
            Kind::Liveness,
            took.is_some_and(|took| took <= most),
            format!("included after {took:?} ms"),
        );
    }
}

/// L1 by the clock: in a network without faults every honest node holds the threshold-signed transaction two hops after the k-th honest vote;
/// L2: whatever other members do.
fn hops(world: &mut World<'_>) {
    let scenario = &world.cast.scenario;
    let property = if scenario.adversaries.is_empty() { "L1" } else { "L2" };
    let calm = world.play.planned.is_empty() && scenario.links_are_calm() && scenario.attack.kind != AttackKind::None;
    let needed = usize::from(scenario.governance.safe_threshold.max(scenario.governance.contain));
    if !calm || !scenario.expect.paused || world.watch.votes.len() < needed {
        return;
    }
    // Two hops, what the turns on the way take, and a tenth.
    let most = 2 * scenario.delay_ms_max() * MILLI * 11 / 10 + 20 * MILLI;
    let late = match world.decision_us() {
        Some(took) if took <= most => return,
        Some(took) => format!("only {} ms after the k-th vote", took / MILLI),
        None => "never, though enough voted".to_owned(),
    };
    world.watch.breach(property, Kind::Liveness, format!("threshold-signed everywhere {late}"));
}

/// L7: a node whose guardian key is locked says so within one heartbeat of knowing that it is to sign. Judged where nothing else is in the way.
fn locked_keys(world: &mut World<'_>) {
    let keys = |what: &FaultKind| matches!(what, FaultKind::LockKey { .. } | FaultKind::UnlockKey { .. });
    if !world.play.planned.iter().all(|one| keys(&one.what)) {
        return;
    }
    for place in (0..world.nodes.len()).filter(|place| world.cast.honest(*place)) {
        let known = &world.watch.known[place];
        let (Some(locked), Some(owed)) = (known.locked, known.times.agreed) else { continue };
        let by = owed + HEARTBEAT;
        let stayed = locked < owed && known.unlocked.is_none_or(|at| at > by);
        if stayed && known.key_refused.is_none_or(|at| at > by) {
            let detail = format!("{} does not say that its key is locked", world.cast.players[place].member);
            world.watch.breach("L7", Kind::Liveness, detail);
        }
    }
}

/// L6: where somebody else took the nonce of a pause that was owed, a threshold signs again as soon as that block is known: one hop later,
/// for the certificate stands. Judged where nothing else was in the way.
fn retargets(world: &mut World<'_>) {
    let scenario = &world.cast.scenario;
    let alone = world.play.planned.iter().all(|one| {
        use FaultKind::{HoldTransactions, ReleaseTransactions, StealNonce};
        matches!(one.what, StealNonce {} | HoldTransactions {} | ReleaseTransactions {})
    });
    let Some(taken) =
        world.play.reached.get(&Moment::NonceTaken).copied().filter(|_| alone && scenario.links_are_calm())
    else {
        return;
    };
    // A certificate that expires before the next block owes nothing.
    let life = scenario.governance.expiry_s.saturating_sub(2 * scenario.chain.block_time_ms.div_ceil(1_000)) * SECOND;
    let owed = world.play.reached.get(&Moment::Certificate).is_some_and(|at| *at < taken && taken - *at < life);
    let after = world.play.paused_at.is_none_or(|paused| paused > taken);
    let again = world.watch.completed_after(taken);
    let most = (scenario.chain.rpc_ms.1 + 2 * scenario.delay_ms_max()) * MILLI * 11 / 10 + 20 * MILLI;
    if owed && after && again.is_none_or(|at| at - taken > most) {
        let took = again.map_or_else(|| "never".to_owned(), |at| format!("{} ms later", (at - taken) / MILLI));
        world.watch.breach("L6", Kind::Liveness, format!("signed at the new nonce {took}"));
    }
}

impl World<'_> {
    /// From the k-th honest vote until every honest node that lives held a threshold-signed step.
    pub(crate) fn decision_us(&self) -> Option<u64> {
        let mut votes: Vec<u64> = self.watch.votes.values().copied().collect();
        votes.sort_unstable();
        let needed =
            usize::from(self.cast.scenario.governance.safe_threshold.max(self.cast.scenario.governance.contain));
        let kth = *votes.get(needed.checked_sub(1)?)?;
        let living = self.nodes.iter().filter(|node| node.process.is_some() && self.cast.honest(node.place));
        let at: Option<Vec<u64>> = living.map(|node| self.watch.known[node.place].threshold_at).collect();
        Some(at?.into_iter().max()?.saturating_sub(kth))
    }

    /// State digest of a node, and after replaying its log from its disk as it is.
    fn replay(&mut self, place: usize) -> Result<(B256, B256), String> {
        let node = &mut self.nodes[place];
        // What others said waits some milliseconds for a sync; by then it is on the disk.
        let by_then = node.clock(self.now).plus_millis(1_000);
        let process = node.process.as_mut().ok_or("no process")?;
        process.driver.handle(by_then, Vec::new()).map_err(|halted| halted.to_string())?;
        let live = process.driver.machine().state_digest();
        let files = node.disk.crash(&watchfire_journal::storage::CrashState::KeepAll).files();
        let mut copy = crate::simulate::node::Node::new(self.cast, place);
        copy.disk = crate::simulate::node::disk::with(&files);
        copy.start(self.cast, [0xee; 16], self.now)?;
        let again = copy.process.ok_or("no process")?.driver.machine().state_digest();
        Ok((live, again))
    }
}
