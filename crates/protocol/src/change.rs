//! Planned changes: whose word on one counts, from when on this node's own rules are quiet about it, and what is told of it.
//!
//! A change counts once organisations that meet the charter's `tune` rule, two at the least, said that they expect the very same one. Each node then
//! says in its own log from which head and which time on it knew, and is quiet about blocks after both: what it learns later excuses nothing that
//! came before, whenever it is started again. An organisation that withdraws is no longer counted for that change, and never again; one that
//! counted and lost its quorum is over. Nothing else reads any of this: a vote that was given stands.

use watchfire_charter::{Charter, Quorum, Shortfall};
use watchfire_types::body::{Announced, Body, Change, ChangeCounted, ChangeSupported, ChangeWithdrawn, Human, Known};
use watchfire_types::bounds::CHANGE_AHEAD_S_MAX;
use watchfire_types::control::PlannedChange;
use watchfire_types::{ChangeId, Event, MemberKey, Verified};

use crate::draft::Draft;
use crate::machine::Machine;
use crate::rejection::Rejection;
use crate::shared::derived::ByHash;

/// How long after its window's end a change is still told to the own rules, seconds of block time: a node that starts again judges blocks as old as
/// its longest window, a month, once more.
const KEPT_S: u64 = 31 * 24 * 3_600;
/// Most changes told to the own rules, those that end last: enough organisations had to expect each of them.
const ANNOUNCED_MAX: usize = 1_024;
/// Most changes listed for people: those that count first, then those that end last.
const LISTED_MAX: usize = 256;

/// Whether a member's word that a change is expected counts: from its bytes and the charter alone.
pub(crate) fn check(charter: &Charter, author: &MemberKey, said: &ChangeSupported) -> Result<(), &'static str> {
    let ChangeSupported { change, operator, head, .. } = said;
    if change.version != charter.version {
        return Err("another charter version");
    }
    let (_, member) = charter.member_by_key(author).ok_or("author is no member")?;
    if !member.votes() {
        return Err("author is a watcher");
    }
    if !member.operators.contains(operator) {
        return Err("operator label is not the author's");
    }
    let asset = charter.assets.get(&change.asset).ok_or("unknown asset")?;
    if change.chain != asset.chain || head.chain != asset.chain {
        return Err("the change or the head is not on the asset's chain");
    }
    if change.closes < head.time {
        return Err("the change's window is over");
    }
    if change.closes > head.time.plus_secs(CHANGE_AHEAD_S_MAX) {
        return Err("the change's window ends more than 90 days ahead");
    }
    Ok(())
}

/// Of several statements of the same kind, that of the earliest clock.
fn earliest(said: &ByHash, counts: bool) -> Option<Known> {
    let known = said.values().filter_map(|event: &std::sync::Arc<Verified<Event>>| match &event.body {
        Body::ChangeCounted(counted) if counted.counts == counts => {
            Some(Known { number: counted.head.number, at: event.time })
        }
        _ => None,
    });
    known.min_by_key(|known| (known.at, known.number))
}

impl Machine {
    /// What this node said about a change's counting: since when, until when.
    fn counted(&self, id: &ChangeId) -> (Option<Known>, Option<Known>) {
        let own = self.shared.derived.observed.get(&self.own.key()).and_then(|own| own.counted.get(id));
        let of = |counts| own.and_then(|said| earliest(said, counts));
        (of(true), of(false))
    }

    fn planned(&self, id: &ChangeId) -> Option<&Change> {
        self.shared.derived.changes.known.get(id)?.change()
    }

    /// The changes about which this node's own rules are quiet, by name: each with when it knew, never with a claim of another's.
    #[must_use]
    pub fn announced(&self) -> Vec<Announced> {
        let Some(own) = self.shared.derived.observed.get(&self.own.key()) else { return Vec::new() };
        let announced = own.counted.keys().filter_map(|id| {
            let change = self.planned(id)?;
            let over = self.view.head(change.chain).is_some_and(|head| change.closes.plus_secs(KEPT_S) < head.time);
            let (since, until) = self.counted(id);
            let since = since.filter(|_| !over)?;
            Some(Announced { id: *id, change: change.clone(), since, until })
        });
        let mut announced: Vec<_> = announced.collect();
        announced.sort_by_key(|announced| (std::cmp::Reverse(announced.change.closes), announced.id));
        announced.truncate(ANNOUNCED_MAX);
        announced.sort_by_key(|announced| announced.id);
        announced
    }

    /// Every change of which this node knows, for people.
    #[must_use]
    pub fn changes(&self) -> Vec<PlannedChange> {
        let known = self.shared.derived.changes.known.iter();
        let listed = known.filter_map(|(id, of)| {
            let change = of.change()?.clone();
            let (since, until) = self.counted(id);
            let missing = match of.quorum(&self.charter) {
                Quorum::Reached => None,
                Quorum::Unreached(shortfall) => Some(missing(&shortfall)),
            };
            Some(PlannedChange {
                id: *id,
                over: self.view.head(change.chain).is_some_and(|head| change.closes < head.time),
                change,
                supported: of.supporters().map(|(organisation, _)| organisation.clone()).collect(),
                withdrawn: of.withdrawn().cloned().collect(),
                missing,
                since,
                until,
            })
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by_key(|listed| (listed.missing.is_some(), std::cmp::Reverse(listed.change.closes), listed.id));
        listed.truncate(LISTED_MAX);
        listed
    }
}

/// What a quorum lacks, in words.
pub(crate) fn missing(shortfall: &Shortfall) -> String {
    let count = |count: u16, what: &str| (count > 0).then(|| format!("{count} more {what}"));
    let roles = shortfall.roles.iter().filter_map(|(role, missing)| count(*missing, &format!("with role {role}")));
    let parts = [count(shortfall.organisations, "organisations"), count(shortfall.operators, "operators")];
    parts.into_iter().flatten().chain(roles).collect::<Vec<_>>().join(", ")
}

/// What is to be said of changes that began or ceased to count. While a chain is silent its head is no reading of now, and nothing is said.
pub(crate) fn drafts(machine: &Machine) -> Vec<Draft> {
    let changes = &machine.shared.derived.changes;
    let lowest = machine.view.chains.values().filter_map(|chain| Some(chain.head?.time)).min();
    let Some(lowest) = lowest else { return Vec::new() };
    let statement = |id: &ChangeId, counts: bool| {
        let change = machine.planned(id)?;
        let head = machine.view.head(change.chain).filter(|_| !machine.view.silent(change.chain))?;
        let statement = ChangeCounted { change: *id, counts, head };
        (change.closes >= head.time).then_some(Draft::Body(Body::ChangeCounted(statement)))
    };
    let met = changes.met.range((lowest, ChangeId::from_bytes([0; 32]))..).map(|(_, id)| id);
    let begun = met.filter(|id| machine.counted(id) == (None, None)).filter_map(|id| statement(id, true));
    let own = machine.shared.derived.observed.get(&machine.own.key());
    let counted = own.into_iter().flat_map(|own| own.counted.keys());
    let ended = counted.filter(|id| {
        let met = machine.planned(id).is_some_and(|change| changes.met.contains(&(change.closes, **id)));
        !met && matches!(machine.counted(id), (Some(_), None))
    });
    begun.chain(ended.filter_map(|id| statement(id, false))).collect()
}

/// A human's word that a change is expected.
pub(crate) fn support(machine: &Machine, change: &Change, human: &Human) -> Result<Body, Rejection> {
    if !machine.own.entry.votes() {
        return Err(Rejection::NotVoting);
    }
    if !machine.charter.assets.contains_key(&change.asset) {
        return Err(Rejection::UnknownAsset { asset: change.asset.clone() });
    }
    let chain = change.chain;
    let head = machine.view.head(chain).ok_or(Rejection::NoHead { chain })?;
    if machine.own.entry.operators.is_empty() {
        return Err(Rejection::NoOperator);
    }
    let label = machine.view.label(&machine.own.entry.operators, &head);
    let operator = label.ok_or(Rejection::NotVouched { number: head.number })?;
    let said = ChangeSupported { change: change.clone(), operator, head, human: human.clone() };
    check(&machine.charter, &machine.own.key(), &said).map_err(|why| Rejection::ChangeRefused { why })?;
    let of = machine.shared.derived.changes.known.get(&change.id(machine.network));
    let own = machine.own.organisation();
    if of.is_some_and(|of| of.withdrew(own)) {
        let why = "this organisation withdrew it; announce it again under another --edition";
        return Err(Rejection::ChangeRefused { why });
    }
    if of.is_some_and(|of| of.supporters().any(|(organisation, _)| organisation == own)) {
        return Err(Rejection::ChangeRefused { why: "this organisation supports it already" });
    }
    Ok(Body::ChangeSupported(said))
}

/// A human's word that it is no longer expected.
pub(crate) fn withdraw(machine: &Machine, id: ChangeId, human: &Human) -> Result<Body, Rejection> {
    let of = machine.shared.derived.changes.known.get(&id).ok_or(Rejection::UnknownChange { change: id })?;
    if !of.supporters().any(|(organisation, _)| organisation == machine.own.organisation()) {
        return Err(Rejection::ChangeRefused {
            why: "this organisation does not support it, so there is nothing to withdraw",
        });
    }
    Ok(Body::ChangeWithdrawn(ChangeWithdrawn { change: id, human: human.clone() }))
}
