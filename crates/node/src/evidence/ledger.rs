//! Which objects there are and who holds them, by everyone's events; whose copy is due here, and who is asked for it.
//!
//! An object belongs to each incident whose manifests name it. Bounds: of what one member says it collected, [`OBJECTS_MAX`] objects are known,
//! of one incident [`INCIDENT_OBJECTS_MAX`], of which [`INCIDENT_BYTES_MAX`] are copied; one question at a time to each holder; who asked for an
//! object is remembered once for each object here and member of the charter. What is looked at
//! each second is of incidents that exist.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use watchfire_charter::{Charter, MemberKind};
use watchfire_types::body::{AccessAction, Body, Custodian};
use watchfire_types::{
    B256, BlockRef, ChainId, Event, IncidentId, MemberId, MemberKey, OrganisationId, Timestamp, Verified,
};

use self::entry::Claim;
pub use self::entry::Entry;
use super::copies::{COPIES, TURN_MS, rank};
use super::{FETCHED, INCIDENT_BYTES_MAX};

/// A copy that no two other organisations hold after this is missed, ms.
const COPY_MS_MAX: u64 = 60_000;
/// How long a member that gave a wrong copy is not asked, ms.
const LEFT_ALONE_MS: u64 = 60_000;

/// Objects of one collector that are known, in all and of one incident: a whole attack is some hundreds.
const OBJECTS_MAX: usize = 65_536;
const INCIDENT_OBJECTS_MAX: u64 = 4_096;
/// What one member did with objects that no manifest names yet.
const EARLY_MAX: usize = 16_384;

/// An object in an incident.
pub type Key = (IncidentId, B256);

/// What is to be done about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Have it from this member.
    Fetch(MemberKey),
    /// It is here, from another incident's evidence: say that it is held for this one too.
    Say,
}

/// Why a member gave no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It did not answer.
    NoAnswer,
    /// It says that it has none.
    Absent,
    /// What it gave is not the object.
    Wrong,
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

/// Who did what with an object, and when by its own clock.
type Early = (MemberKey, AccessAction, Timestamp);

/// Everyone's objects.
#[derive(Debug)]
pub struct Ledger {
    own: MemberKey,
    member: MemberId,
    guardians: Vec<(MemberId, OrganisationId)>,
    /// Organisations that can hold anything.
    everyone: usize,
    entries: BTreeMap<Key, Entry>,
    /// The incidents of each object.
    named: BTreeMap<B256, BTreeSet<IncidentId>>,
    /// How many entries each collector has made.
    made: BTreeMap<MemberKey, usize>,
    /// What members did with objects of which no manifest is known yet: events of two members come in any order.
    early: BTreeMap<Key, Vec<Early>>,
    early_of: BTreeMap<MemberKey, usize>,
    /// Those that lack something that this member might give.
    open: BTreeSet<Key>,
    /// Those that this member collected and too few hold.
    unshared: BTreeSet<Key>,
    here: BTreeSet<B256>,
    /// Bytes and objects that a member says it collected for an incident.
    claimed: BTreeMap<(IncidentId, MemberKey), (u64, u64)>,
    left_alone: BTreeMap<MemberKey, Timestamp>,
    /// Which member asked this one for which object, as far as it was said or is about to be.
    fetched: BTreeSet<(B256, MemberKey)>,
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
            named: BTreeMap::new(),
            made: BTreeMap::new(),
            early: BTreeMap::new(),
            early_of: BTreeMap::new(),
            open: BTreeSet::new(),
            unshared: BTreeSet::new(),
            here: BTreeSet::new(),
            claimed: BTreeMap::new(),
            left_alone: BTreeMap::new(),
            fetched: BTreeSet::new(),
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
                    let claimed = self.entries.get(&key).is_some_and(|entry| entry.claims.contains_key(&event.author));
                    let claim = match self.claim(&key, event.author, item.size) {
                        claim @ Some(_) => claim,
                        None if claimed => None,
                        None => continue,
                    };
                    if !self.entries.contains_key(&key) {
                        let line = self.line(&item.object);
                        self.named.entry(item.object).or_default().insert(collected.incident);
                        let entry = Entry {
                            asset: collected.asset.clone(),
                            kind: item.kind,
                            block: item.block,
                            organisations: BTreeSet::new(),
                            at: Timestamp::default(),
                            claims: BTreeMap::new(),
                            exported: false,
                            holders: BTreeMap::new(),
                            doubted: BTreeSet::new(),
                            disposed: BTreeSet::new(),
                            line,
                            failures: BTreeMap::new(),
                            since: now,
                        };
                        self.entries.insert(key, entry);
                        for early in self.early.remove(&key).unwrap_or_default() {
                            self.early_of.entry(early.0).and_modify(|count| *count = count.saturating_sub(1));
                            self.accessed(&key, early, charter);
                        }
                    }
                    let own = event.author == self.own;
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.claims.extend(claim.map(|claim| (event.author, claim)));
                        entry.at = if own { entry.at.max(item.at) } else { entry.at };
                        entry.hold(event.author, organisation);
                    }
                    self.review(&key);
                }
            }
            Body::EvidenceAccessed(accessed) => {
                let fetched = event.author == self.own
                    && accessed.action == AccessAction::Read
                    && accessed.by == Custodian::Node(FETCHED.to_owned());
                let named = accessed.detail.parse::<MemberId>().ok().filter(|_| fetched);
                if let Some(by) = named.and_then(|by| charter.members.get(&by)) {
                    self.fetched.extend(accessed.objects.iter().map(|object| (*object, by.node_key)));
                }
                for object in &accessed.objects {
                    let said = (event.author, accessed.action, event.time);
                    self.accessed(&(accessed.incident, *object), said, charter);
                }
            }
            _ => {}
        }
    }

    /// What a collector says of an object, within its bounds; `None` beyond them, and where it said something before.
    fn claim(&mut self, key: &Key, collector: MemberKey, size: u64) -> Option<Claim> {
        if self.entries.get(key).is_some_and(|entry| entry.claims.contains_key(&collector)) {
            return None;
        }
        let made = self.made.entry(collector).or_default();
        let (bytes, objects) = self.claimed.entry((key.0, collector)).or_default();
        if *made >= OBJECTS_MAX || *objects >= INCIDENT_OBJECTS_MAX {
            return None;
        }
        *made += 1;
        *objects += 1;
        *bytes = bytes.saturating_add(size);
        Some(Claim { size, counted: *bytes <= INCIDENT_BYTES_MAX })
    }

    fn accessed(&mut self, key: &Key, said: Early, charter: &Charter) {
        let (member, action, at) = said;
        let Some(organisation) = charter.organisation_of(&member) else { return };
        let Some(entry) = self.entries.get_mut(key) else {
            let early = self.early_of.entry(member).or_default();
            if *early < EARLY_MAX {
                *early += 1;
                self.early.entry(*key).or_default().push(said);
            }
            return;
        };
        match action {
            AccessAction::Copied => {
                entry.at = if member == self.own { entry.at.max(at) } else { entry.at };
                entry.hold(member, organisation);
            }
            AccessAction::Disposed => {
                entry.holders.remove(&member);
                entry.recount();
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
        let lost = entry.holders.contains_key(&self.own) && !self.here.contains(&key.1);
        let few = !self.is_enough(entry);
        let lacks = few && entry.claims.values().any(|claim| claim.counted);
        if !entry.disposed.contains(&self.own) && (lost || lacks) {
            self.open.insert(*key);
        } else {
            self.open.remove(key);
        }
        if few && entry.claims.contains_key(&self.own) {
            self.unshared.insert(*key);
        } else {
            self.unshared.remove(key);
        }
    }

    fn is_enough(&self, entry: &Entry) -> bool {
        entry.organisations.len() > COPIES.min(self.everyone.saturating_sub(1))
    }

    fn review_object(&mut self, object: &B256) {
        let of = self.named.get(object).cloned().unwrap_or_default();
        of.into_iter().for_each(|incident| self.review(&(incident, *object)));
    }

    /// A member asks for an object that is here: whether for the first time.
    pub fn asked_for(&mut self, object: B256, by: MemberKey) -> bool {
        self.is_here(&object) && self.fetched.insert((object, by))
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
        self.entries.iter().filter(|(_, entry)| entry.holders.contains_key(&self.own)).map(|((_, object), _)| *object)
    }

    /// One object in one incident.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The incidents whose manifests name an object.
    pub fn incidents_of(&self, object: &B256) -> impl Iterator<Item = (&IncidentId, &Entry)> + '_ {
        let object = *object;
        let of = self.named.get(&object).into_iter().flatten();
        of.filter_map(move |incident| Some((incident, self.entries.get(&(*incident, object))?)))
    }

    /// The incidents in which an act on an object is said, with their chains: those that exist and those for which this member said that it
    /// holds it. Whoever names it in others that nobody found makes nobody say more.
    pub fn cases_of(&self, object: &B256, existing: &BTreeSet<IncidentId>) -> Vec<(IncidentId, ChainId)> {
        let of = self.incidents_of(object);
        let of = of.filter(|(incident, entry)| existing.contains(incident) || entry.holders.contains_key(&self.own));
        of.map(|(incident, entry)| (*incident, entry.block.chain)).collect()
    }

    /// Whether a member says itself what the object's size is.
    #[must_use]
    pub fn is_collector(&self, object: &B256, member: &MemberKey) -> bool {
        self.incidents_of(object).any(|(_, entry)| entry.claims.contains_key(member))
    }

    /// What a holder may say is the object's size: its own word where it collected it, else any collector's.
    #[must_use]
    pub fn sizes(&self, object: &B256, holder: &MemberKey) -> BTreeSet<u64> {
        let own = self.is_collector(object, holder);
        let claims = self.incidents_of(object).flat_map(|(_, entry)| &entry.claims);
        let counts = |(by, claim): &(&MemberKey, &Claim)| if own { *by == holder } else { claim.counted };
        claims.filter(counts).map(|(_, claim)| claim.size).collect()
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
        self.claimed.get(&(*incident, self.own)).map_or(0, |(bytes, _)| *bytes)
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
        let mut open = self.open.range::<Key, _>(..);
        while let Some(key) = open.next() {
            if !exists(&key.0) {
                // Whatever is said of an incident that nobody found is passed over at once.
                let after = Bound::Excluded((key.0, B256::repeat_byte(u8::MAX)));
                open = self.open.range((after, Bound::Unbounded));
                continue;
            }
            let Some(entry) = self.entries.get(key).filter(|_| !underway.contains(&key.1)) else { continue };
            let (mine, here) = (entry.holders.contains_key(&self.own), self.here.contains(&key.1));
            let wanted = if mine { !here } else { self.is_turn(entry, now) };
            if !wanted {
                continue;
            }
            if here {
                due.push((*key, Due::Say));
                continue;
            }
            let askable = entry.holders.keys().filter(|holder| {
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

    /// A member gave no copy: others are asked before it. One that says it has none, or gives something else, does not count as a holder until
    /// it gives one, whatever it said before; after something else it is left alone for a minute.
    pub fn failed(&mut self, from: MemberKey, object: &B256, failure: Failure, now: Timestamp) {
        self.amend(object, |entry| {
            *entry.failures.entry(from).or_default() += 1;
            if failure != Failure::NoAnswer {
                entry.doubted.insert(from);
                entry.recount();
            }
        });
        if failure == Failure::Wrong {
            self.left_alone.insert(from, now.plus_millis(LEFT_ALONE_MS));
        }
    }

    /// A member gave a whole copy.
    pub fn gave(&mut self, from: MemberKey, object: &B256) {
        self.amend(object, |entry| {
            if entry.doubted.remove(&from) {
                entry.recount();
            }
        });
    }

    /// Changes what is known of an object in each of its incidents, and looks again at what is to be done about it.
    fn amend(&mut self, object: &B256, change: impl Fn(&mut Entry)) {
        for incident in self.named.get(object).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(&(*incident, *object)) {
                change(entry);
            }
        }
        self.review_object(object);
    }

    /// Own objects that two other organisations should hold by now and do not, each told once.
    pub fn late(&mut self, now: Timestamp) -> Vec<Late> {
        let mut late: BTreeMap<(IncidentId, B256), Late> = BTreeMap::new();
        for key in &self.unshared {
            let Some(entry) = self.entries.get(key) else { continue };
            if !entry.claims.get(&self.own).is_some_and(|claim| claim.counted) {
                continue;
            }
            if now.millis_since(entry.since) <= COPY_MS_MAX || !self.short.insert(*key) {
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

#[cfg(test)]
mod tests;
