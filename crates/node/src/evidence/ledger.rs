//! Which objects there are and who holds them, by everyone's events; whose copy is due here, and who is asked for it.
//!
//! An object belongs to each incident whose manifests name it. Bounds: as many entries as the log has items; of what one member says it
//! collected for one incident, [`INCIDENT_BYTES_MAX`] are copied; one question at a time to each holder.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::{Charter, MemberKind};
use watchfire_types::body::{AccessAction, Body, EvidenceKind};
use watchfire_types::{
    AssetId, B256, BlockRef, Event, IncidentId, MemberId, MemberKey, OrganisationId, Timestamp, Verified,
};

use super::INCIDENT_BYTES_MAX;
use super::copies::{COPIES, TURN_MS, rank};

/// A copy that no two other organisations hold after this is missed, ms.
const COPY_MS_MAX: u64 = 60_000;
/// How long a member that gave a wrong copy is not asked, ms.
const LEFT_ALONE_MS: u64 = 60_000;

/// An object in an incident.
pub type Key = (IncidentId, B256);

/// What is known of one object in one incident.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Asset.
    pub asset: AssetId,
    /// What it shows.
    pub kind: EvidenceKind,
    /// Of which block.
    pub block: BlockRef,
    /// Size, as its first collector said.
    pub size: u64,
    /// Who said first that it collected it.
    pub collector: MemberKey,
    /// Organisations that hold it.
    pub organisations: BTreeSet<OrganisationId>,
    /// When its newest collector had it, by that one's clock.
    pub at: Timestamp,
    /// Whether this member handed it out.
    pub exported: bool,
    holders: BTreeSet<MemberKey>,
    disposed: BTreeSet<MemberKey>,
    /// Guardians in the order in which it is theirs to copy, as places in the ledger's list.
    line: Vec<u16>,
    failures: BTreeMap<MemberKey, u32>,
    since: Timestamp,
    /// Within what is copied for its collector.
    counted: bool,
}

/// What is to be done about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Have it from this member.
    Fetch(MemberKey),
    /// It is here, from another incident's evidence: say that it is held for this one too.
    Say,
}

/// Too few organisations hold objects of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// Incident.
    pub incident: IncidentId,
    /// Block.
    pub block: BlockRef,
    /// The objects.
    pub objects: Vec<B256>,
    /// Organisations that hold the one that fewest do.
    pub organisations: usize,
}

/// Everyone's objects.
#[derive(Debug)]
pub struct Ledger {
    own: MemberKey,
    member: MemberId,
    guardians: Vec<(MemberId, OrganisationId)>,
    /// Organisations that can hold anything.
    everyone: usize,
    entries: BTreeMap<Key, Entry>,
    /// What members did with objects of which no manifest is known yet: events of two members come in any order.
    early: BTreeMap<Key, Vec<(MemberKey, AccessAction)>>,
    /// Those that lack something that this member might give.
    open: BTreeSet<Key>,
    here: BTreeSet<B256>,
    claimed: BTreeMap<(IncidentId, MemberKey), u64>,
    left_alone: BTreeMap<MemberKey, Timestamp>,
    short: BTreeSet<Key>,
}

impl Ledger {
    /// Nothing yet.
    #[must_use]
    pub fn new(charter: &Charter, member: MemberId, own: MemberKey) -> Self {
        let guardians = charter.members.iter().filter(|(_, entry)| entry.kind == MemberKind::Guardian);
        let guardians: Vec<_> = guardians.map(|(id, entry)| (id.clone(), entry.organisation.clone())).collect();
        let everyone = guardians.iter().map(|(_, organisation)| organisation).collect::<BTreeSet<_>>().len();
        Self {
            own,
            member,
            guardians,
            everyone,
            entries: BTreeMap::new(),
            early: BTreeMap::new(),
            open: BTreeSet::new(),
            here: BTreeSet::new(),
            claimed: BTreeMap::new(),
            left_alone: BTreeMap::new(),
            short: BTreeSet::new(),
        }
    }

    /// Takes what an event says about objects; it came here at `now`.
    pub fn note(&mut self, event: &Verified<Event>, charter: &Charter, now: Timestamp) {
        let Some(organisation) = charter.organisation_of(&event.author) else { return };
        match &event.body {
            Body::EvidenceCollected(collected) => {
                for item in &collected.items {
                    let key = (collected.incident, item.object);
                    if !self.entries.contains_key(&key) {
                        let line = self.line(&item.object);
                        let claimed = self.claimed.entry((collected.incident, event.author)).or_default();
                        *claimed = claimed.saturating_add(item.size);
                        let entry = Entry {
                            asset: collected.asset.clone(),
                            kind: item.kind,
                            block: item.block,
                            size: item.size,
                            collector: event.author,
                            organisations: BTreeSet::new(),
                            at: item.at,
                            exported: false,
                            holders: BTreeSet::new(),
                            disposed: BTreeSet::new(),
                            line,
                            failures: BTreeMap::new(),
                            since: now,
                            counted: *claimed <= INCIDENT_BYTES_MAX,
                        };
                        self.entries.insert(key, entry);
                        for (member, action) in self.early.remove(&key).unwrap_or_default() {
                            self.accessed(&key, member, action, charter);
                        }
                    }
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.at = entry.at.max(item.at);
                        entry.hold(event.author, organisation);
                    }
                    self.review(&key);
                }
            }
            Body::EvidenceAccessed(accessed) => {
                for object in &accessed.objects {
                    self.accessed(&(accessed.incident, *object), event.author, accessed.action, charter);
                }
            }
            _ => {}
        }
    }

    fn accessed(&mut self, key: &Key, member: MemberKey, action: AccessAction, charter: &Charter) {
        let Some(organisation) = charter.organisation_of(&member) else { return };
        let Some(entry) = self.entries.get_mut(key) else {
            self.early.entry(*key).or_default().push((member, action));
            return;
        };
        match action {
            AccessAction::Copied => entry.hold(member, organisation),
            AccessAction::Disposed => {
                entry.organisations.remove(organisation);
                entry.holders.remove(&member);
                entry.disposed.insert(member);
            }
            AccessAction::Exported => entry.exported |= member == self.own,
            AccessAction::Read => {}
        }
        self.review(key);
    }

    fn line(&self, object: &B256) -> Vec<u16> {
        let places = (0u16..).zip(&self.guardians);
        let mut ranked: Vec<_> = places.map(|(place, (id, _))| (rank(object, id), place)).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, place)| place).collect()
    }

    fn review(&mut self, key: &Key) {
        let Some(entry) = self.entries.get(key) else { return };
        let lost = entry.holders.contains(&self.own) && !self.here.contains(&key.1);
        let lacks = !self.is_enough(entry) && entry.counted;
        if !entry.disposed.contains(&self.own) && (lost || lacks) {
            self.open.insert(*key);
        } else {
            self.open.remove(key);
        }
    }

    fn is_enough(&self, entry: &Entry) -> bool {
        entry.organisations.len() > COPIES.min(self.everyone.saturating_sub(1))
    }

    fn review_object(&mut self, object: &B256) {
        let keys: Vec<Key> = self.entries.keys().filter(|(_, of)| of == object).copied().collect();
        keys.iter().for_each(|key| self.review(key));
    }

    /// The object is in the own store.
    pub fn kept(&mut self, object: B256) {
        if self.here.insert(object) {
            self.review_object(&object);
        }
    }

    /// The object is no longer in the own store, or not whole.
    pub fn lost(&mut self, object: &B256) {
        if self.here.remove(object) {
            self.review_object(object);
        }
    }

    /// Objects that this member said it holds.
    pub fn own(&self) -> impl Iterator<Item = B256> + '_ {
        self.entries.iter().filter(|(_, entry)| entry.holders.contains(&self.own)).map(|((_, object), _)| *object)
    }

    /// One object in one incident.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The incidents whose manifests name an object.
    pub fn incidents_of(&self, object: &B256) -> impl Iterator<Item = (&IncidentId, &Entry)> + '_ {
        let object = *object;
        self.entries.iter().filter(move |((_, of), _)| *of == object).map(|((incident, _), entry)| (incident, entry))
    }

    /// Everything.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// Whether the object is in the own store.
    #[must_use]
    pub fn is_here(&self, object: &B256) -> bool {
        self.here.contains(object)
    }

    /// What this member collected for an incident, bytes.
    #[must_use]
    pub fn bytes(&self, incident: &IncidentId) -> u64 {
        self.claimed.get(&(*incident, self.own)).copied().unwrap_or(0)
    }

    /// How many objects an incident has, and whether each is with two other organisations (or with all there are).
    #[must_use]
    pub fn copied(&self, incident: &IncidentId) -> (usize, bool) {
        let of = self.entries.range((*incident, B256::ZERO)..).take_while(|((of, _), _)| of == incident);
        of.fold((0, true), |(count, whole), (_, entry)| (count + 1, whole && self.is_enough(entry)))
    }

    /// Whether it is this member's turn: its place among the guardians of organisations that neither hold the object nor disposed of it
    /// is within the copies that are missing, one more for each [`TURN_MS`] that passed.
    fn is_turn(&self, entry: &Entry, now: Timestamp) -> bool {
        let missing = (COPIES + 1).saturating_sub(entry.organisations.len());
        let turns = usize::try_from(now.millis_since(entry.since) / TURN_MS).unwrap_or(usize::MAX);
        let mut passed = BTreeSet::new();
        let ranked = entry.line.iter().filter_map(|place| self.guardians.get(usize::from(*place)));
        let line = ranked.filter(|(_, organisation)| {
            !entry.organisations.contains(organisation) && passed.insert(organisation.clone())
        });
        missing > 0 && line.take(missing.saturating_add(turns)).any(|(id, _)| *id == self.member)
    }

    /// What is to be had now, at most one from each connected member that is not `busy`, nothing that is `underway`.
    #[must_use]
    pub fn due(
        &mut self,
        now: Timestamp,
        connected: &BTreeSet<MemberKey>,
        busy: &BTreeSet<MemberKey>,
        underway: &BTreeSet<B256>,
        exists: impl Fn(&IncidentId) -> bool,
    ) -> Vec<(Key, Due)> {
        self.left_alone.retain(|_, until| *until > now);
        let (mut due, mut busy, mut underway) = (Vec::new(), busy.clone(), underway.clone());
        for key in &self.open {
            let Some(entry) = self.entries.get(key).filter(|_| !underway.contains(&key.1)) else { continue };
            let (mine, here) = (entry.holders.contains(&self.own), self.here.contains(&key.1));
            let wanted = if mine { !here } else { exists(&key.0) && self.is_turn(entry, now) };
            if !wanted {
                continue;
            }
            if here {
                due.push((*key, Due::Say));
                continue;
            }
            let askable = entry.holders.iter().filter(|holder| {
                **holder != self.own
                    && connected.contains(holder)
                    && !busy.contains(holder)
                    && !self.left_alone.contains_key(holder)
            });
            let from = askable.min_by_key(|holder| entry.failures.get(holder).copied().unwrap_or(0)).copied();
            if let Some(from) = from {
                busy.insert(from);
                underway.insert(key.1);
                due.push((*key, Due::Fetch(from)));
            }
        }
        due
    }

    /// A member gave no copy, or, `wrong`, one that is not the object: others are asked before it, and after a wrong one it is left alone
    /// for a minute.
    pub fn failed(&mut self, from: MemberKey, object: &B256, wrong: bool, now: Timestamp) {
        for (_, entry) in self.entries.iter_mut().filter(|((_, of), _)| of == object) {
            *entry.failures.entry(from).or_default() += 1;
        }
        if wrong {
            self.left_alone.insert(from, now.plus_millis(LEFT_ALONE_MS));
        }
    }

    /// Own objects that two other organisations should hold by now and do not, each told once.
    pub fn late(&mut self, now: Timestamp) -> Vec<Late> {
        let mut late: BTreeMap<(IncidentId, B256), Late> = BTreeMap::new();
        for key in &self.open {
            let Some(entry) = self.entries.get(key) else { continue };
            let own = entry.collector == self.own && !self.is_enough(entry);
            if !own || now.millis_since(entry.since) <= COPY_MS_MAX || !self.short.insert(*key) {
                continue;
            }
            let (incident, block) = (key.0, entry.block);
            let of = late.entry((incident, block.hash)).or_insert_with(|| Late {
                incident,
                block,
                objects: Vec::new(),
                organisations: usize::MAX,
            });
            of.objects.push(key.1);
            of.organisations = of.organisations.min(entry.organisations.len());
        }
        late.into_values().collect()
    }
}

impl Entry {
    fn hold(&mut self, member: MemberKey, organisation: &OrganisationId) {
        self.organisations.insert(organisation.clone());
        self.holders.insert(member);
        self.disposed.remove(&member);
    }
}

#[cfg(test)]
mod tests;
