//! Which events stay though an archive holds them and they are older than the retention: what the rules may still ask for.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_protocol::{IncidentStatus, Machine};
use watchfire_types::body::Basis;
use watchfire_types::bounds::CHANGE_AHEAD_S_MAX;
use watchfire_types::{BlockTime, Body, Epoch, Event, EventHash, MemberKey, Seq, Timestamp, Verified};

use super::Entry;
use crate::evidence::store::Store;

/// What is kept whatever its kind.
pub(super) struct Keeper {
    /// Everything of incidents that are not closed, and what that refers to.
    needed: BTreeSet<EventHash>,
    /// Block times from here on are not over.
    young: BlockTime,
    /// The evidence that is held.
    store: Store,
}

impl Keeper {
    pub(super) fn new(machine: &Machine, log: &[Entry], through: u32, cutoff: Timestamp, store: Store) -> Self {
        let young = BlockTime::from_secs(cutoff.as_millis() / 1_000);
        let open = machine.incidents().into_iter().filter(IncidentStatus::is_open);
        let of = |incident: IncidentStatus| {
            machine.incident_events(&incident).into_iter().map(Verified::hash).collect::<Vec<_>>()
        };
        let mut keeper = Self { needed: open.flat_map(of).collect(), young, store };
        keeper.needed.extend(newest(machine));
        keeper.needed.extend(machine.ledger_rests_on());
        // What stays rests on findings; what was taken back stays taken back.
        let stays = |entry: &&Entry| entry.position.segment() > through || keeper.keeps(&entry.event);
        let rests: Vec<EventHash> = log
            .iter()
            .filter(stays)
            .filter_map(|entry| match &entry.event.body {
                Body::Vote(vote) => match &vote.basis {
                    Basis::Finding(finding) => Some(*finding),
                    Basis::Human(_) => None,
                },
                _ => None,
            })
            .collect();
        keeper.needed.extend(rests);
        let retracted: Vec<EventHash> = log
            .iter()
            .filter(|entry| matches!(&entry.event.body, Body::Retracted(taken) if keeper.needed.contains(&taken.event)))
            .map(|entry| entry.event.hash())
            .collect();
        keeper.needed.extend(retracted);
        keeper
    }

    /// Whether an event stays.
    pub(super) fn keeps(&self, event: &Verified<Event>) -> bool {
        let by_kind = match &event.body {
            // They define epochs, cuts, closes and cancels, and signatures that may still be at large, for good.
            Body::Started(_)
            | Body::Certificate(_)
            | Body::CoSignature(_)
            | Body::FaultProof(_)
            | Body::CheckpointFault(_)
            | Body::CloseVote(_)
            // Whoever was forgiven once stays so.
            | Body::PromotionSupported(_) => true,
            Body::Vote(vote) => vote.evidence.time >= self.young,
            // A planned change counts until its window is over, and what was said of one is at most as old as it may be planned ahead.
            Body::ChangeSupported(said) => said.change.closes >= self.young,
            Body::Snoozed(said) => said.until >= self.young,
            Body::ChangeWithdrawn(_) | Body::ChangeCounted(_) => {
                let said = BlockTime::from_secs(event.time.as_millis() / 1_000);
                said.plus_secs(CHANGE_AHEAD_S_MAX) >= self.young
            }
            Body::Veto(veto) => veto.head.time >= self.young || veto.act.time >= self.young,
            // Without its custody an object is bytes that nobody can show, or dispose of.
            Body::EvidenceCollected(collected) => collected.items.iter().any(|item| self.store.has(&item.object)),
            Body::EvidenceAccessed(accessed) => accessed.objects.iter().any(|object| self.store.has(object)),
            _ => false,
        };
        by_kind || self.needed.contains(&event.hash())
    }
}

/// The last words of each author about each thing that it says only when it changes, whatever its clock was: of an epoch what it said last, and of
/// its epochs those that none of them began knowing. Of epochs that know nothing of each other nobody can tell which was later.
fn newest(machine: &Machine) -> Vec<EventHash> {
    let mut past: BTreeMap<(MemberKey, Epoch), Vec<Epoch>> = BTreeMap::new();
    let mut words: BTreeMap<(MemberKey, String), BTreeMap<Epoch, (Seq, EventHash)>> = BTreeMap::new();
    for event in machine.events() {
        let what = match &event.body {
            Body::PostconditionChecked(checked) => {
                format!("checked {} {} {}", checked.asset, checked.playbook, checked.step)
            }
            Body::Attested(attested) => format!("attested {}", attested.asset),
            Body::Started(started) => {
                let earlier = started.earlier.iter().map(|head| head.epoch);
                past.entry((event.author, event.epoch)).or_default().extend(earlier);
                continue;
            }
            _ => continue,
        };
        let said = (event.seq, event.hash());
        let known = words.entry((event.author, what)).or_default().entry(event.epoch).or_insert(said);
        *known = said.max(*known);
    }
    let newest = words.into_iter().flat_map(|((author, _), by_epoch)| {
        let over: BTreeSet<Epoch> =
            by_epoch.keys().filter_map(|epoch| past.get(&(author, *epoch))).flatten().copied().collect();
        by_epoch.into_iter().filter(move |(epoch, _)| !over.contains(epoch)).map(|(_, (_, hash))| hash)
    });
    newest.collect()
}
