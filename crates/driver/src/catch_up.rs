//! Catch-up: what this node holds, and what another one lacks.

use std::cmp::Reverse;
use std::collections::btree_map::Range;
use std::collections::{BTreeMap, VecDeque};

use watchfire_journal::{JournalError, Storage};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq};
use watchfire_wire::bounds::{MAX_CATCH_UP_RESPONSE, MAX_POSITIONS, MAX_PRUNED_CHAINS, MAX_RESPONSE_EVENTS};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, ChainBound, EpochPosition, PrunedChain};

use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::verifier::ReadAnswer;

/// Room for the rest of an encoded response beside its events.
const RESPONSE_OVERHEAD: usize = 16;

/// Most bytes that a pruned chain adds to an encoded response.
const PRUNED_COST: usize = 72;

/// Newest position held without gaps, by chain.
type Heads = BTreeMap<ChainKey, (Seq, EventHash)>;

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Asks for everything after what this node holds without gaps. With more chains than a request has room for
    /// ([`MAX_POSITIONS`]) each call asks about the next stretch of them, so that a few calls cover all.
    pub fn catch_up_request(&mut self) -> CatchUpRequest {
        let heads = self.machine().heads();
        self.request_after(heads)
    }

    fn request_after(&mut self, heads: Heads) -> CatchUpRequest {
        if heads.len() <= MAX_POSITIONS {
            self.asked_before(None);
            let vector = heads.into_iter().map(position).collect();
            return CatchUpRequest { vector, from: None, until: None, wanted: self.witness_wanted() };
        }
        let from = self.asked_before(None);
        let mut rest = heads.into_iter().filter(|(key, _)| from.is_none_or(|from| *key >= from));
        let vector: Vec<EpochPosition> = rest.by_ref().take(MAX_POSITIONS).map(position).collect();
        let until = rest.next().map(|(key, _)| key);
        self.asked_before(until);
        let wanted = self.witness_wanted();
        CatchUpRequest { vector, from: from.map(bound), until: until.map(bound), wanted }
    }

    /// Asks for what is missing of one chain alone.
    #[must_use]
    pub fn catch_up_request_of(&self, author: MemberKey, epoch: Epoch) -> CatchUpRequest {
        let chain = (author, epoch);
        let held = self.machine().head_of(author, epoch);
        // The last of all epochs has none after it: the rest of what is missing comes with it.
        let after = u128::from_be_bytes(*epoch.as_bytes()).checked_add(1);
        let until = after.map(|after| bound((author, Epoch::from_bytes(after.to_be_bytes()))));
        let vector = held.map(|held| position((chain, held))).into_iter().collect();
        CatchUpRequest { vector, from: Some(bound(chain)), until, wanted: Vec::new() }
    }

    /// As [`Driver::catch_up_request`], past what these answers claim to add, in this order: the next one can be on its way while they are
    /// checked and taken. It is for the member that gave them alone; what is refused of them is asked for again by a later request. `None` where the
    /// last of them leads nowhere: the question would be the same again.
    pub fn catch_up_request_ahead(&mut self, underway: &[&ReadAnswer]) -> Option<CatchUpRequest> {
        let (last, before) = underway.split_last()?;
        let mut heads = self.machine().heads();
        for answer in before {
            extend(&mut heads, answer);
        }
        extend(&mut heads, last).then(|| self.request_after(heads))
    }

    /// What the sender of `request` lacks, within the bounds of one response: a fair share of every author, of an author's
    /// chains the newest first, each chain in ascending order. Call it between turns: own events are all durable then, and of
    /// others' it does not matter. An event that cannot be read is left out and told to `unreadable`: a rotten record of long ago is no reason to
    /// stop deciding, and nobody may stop a node by asking for it.
    pub fn answer_catch_up(
        &self,
        request: &CatchUpRequest,
        mut unreadable: impl FnMut(JournalError),
    ) -> CatchUpResponse {
        let known: Heads = request.vector.iter().map(|at| ((at.author, at.epoch), (at.seq, at.hash))).collect();
        let within = |key: &ChainKey| {
            request.from.is_none_or(|from| *key >= (from.author, from.epoch))
                && request.until.is_none_or(|until| *key < (until.author, until.epoch))
        };
        let mut authors: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut response = CatchUpResponse { witnesses: self.witnesses_for(&request.wanted), ..Default::default() };
        for (key, chain) in self.log().index().chains().filter(|(key, _)| within(key)) {
            let mut lacking = Lacking::new(chain, known.get(key), self.machine().cut(key.0, key.1));
            if let Some(base) = self.machine().base(key.0, key.1) {
                let gap = known.get(key).is_none_or(|(seq, _)| seq.next() < base);
                if gap && response.pruned.len() < MAX_PRUNED_CHAINS {
                    response.pruned.push(PrunedChain { author: key.0, epoch: key.1, before: base });
                }
                if gap && known.contains_key(key) {
                    // What is kept from before was sent when nothing was held; it would come again and again.
                    lacking.skip_to(base);
                }
            }
            if let Some(first) = lacking.next() {
                let age = Reverse(self.machine().started(key.0, key.1));
                authors.entry(key.0).or_default().push((age, key.1, first, lacking));
            }
        }
        let mut turns: VecDeque<Author<'_>> = authors.into_values().map(Author::new).collect();
        let beside: usize = response.witnesses.iter().map(CatchUpResponse::cost).sum();
        let mut room = MAX_CATCH_UP_RESPONSE - RESPONSE_OVERHEAD - beside - PRUNED_COST * response.pruned.len();
        // One event of each author in turn: none, however much it said, keeps the others waiting.
        while let Some(mut author) = turns.pop_front() {
            let Some(hash) = author.next() else { continue };
            turns.push_back(author);
            let event = match self.log().read(&hash) {
                Ok(Some(event)) => event,
                Ok(None) => continue,
                Err(error) => {
                    unreadable(error);
                    continue;
                }
            };
            let cost = CatchUpResponse::cost(&event);
            if cost > room || response.events.len() == MAX_RESPONSE_EVENTS {
                return response;
            }
            room -= cost;
            response.events.push(event);
        }
        response.complete = true;
        response
    }
}

/// What one author said that is lacking, one event of each of its chains in turn.
struct Author<'a> {
    chains: VecDeque<(EventHash, Lacking<'a>)>,
}

impl<'a> Author<'a> {
    /// Each chain with its first lacking event; the newest chain leads, since its `Started` names the others.
    fn new<A: Ord, E: Ord>(mut chains: Vec<(A, E, EventHash, Lacking<'a>)>) -> Self {
        chains.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        Self { chains: chains.into_iter().map(|(_, _, first, rest)| (first, rest)).collect() }
    }
}

impl Iterator for Author<'_> {
    type Item = EventHash;

    fn next(&mut self) -> Option<EventHash> {
        let (hash, mut rest) = self.chains.pop_front()?;
        if let Some(next) = rest.next() {
            self.chains.push_back((next, rest));
        }
        Some(hash)
    }
}

/// Hashes of one chain that the other side lacks, ascending.
///
/// Usually what follows the position that it holds. Where it holds another event at that position, its branch parted from this one
/// somewhere below: the events at distances 1, 2, 4, ... below show it where to within a factor of two, so that a few answers find the
/// place however long the branches are. And an author's cut stays where it is: who holds everything below it gets the events that prove it
/// and no more, else all above would be served again and again.
struct Lacking<'a> {
    samples: std::vec::IntoIter<Seq>,
    chain: &'a BTreeMap<Seq, Vec<EventHash>>,
    rest: Range<'a, Seq, Vec<EventHash>>,
    at: std::slice::Iter<'a, EventHash>,
}

impl<'a> Lacking<'a> {
    fn new(chain: &'a BTreeMap<Seq, Vec<EventHash>>, known: Option<&(Seq, EventHash)>, cut: Option<Seq>) -> Self {
        let all = |samples: Vec<Seq>, rest| Self { samples: samples.into_iter(), chain, rest, at: [].iter() };
        let Some((seq, hash)) = known else { return all(Vec::new(), chain.range(Seq::new(0)..)) };
        let next = if planted(Mutation::CatchUpSkips) { seq.next().next() } else { seq.next() };
        match chain.get(seq) {
            Some(at) if !at.contains(hash) => all(samples(*seq), chain.range(*seq..next)),
            Some(_) | None if cut == Some(next) => all(Vec::new(), chain.range(next..=next)),
            Some(_) | None => all(Vec::new(), chain.range(next..)),
        }
    }
}

impl Lacking<'_> {
    /// Leaves out what stands before a position.
    fn skip_to(&mut self, first: Seq) {
        self.samples = Vec::new().into_iter();
        self.at = [].iter();
        self.rest = self.chain.range(first..);
    }
}

impl Iterator for Lacking<'_> {
    type Item = EventHash;

    fn next(&mut self) -> Option<EventHash> {
        loop {
            if let Some(hash) = self.at.next() {
                return Some(*hash);
            }
            self.at = match self.samples.next() {
                Some(seq) => self.chain.get(&seq).map(|at| at.iter()).unwrap_or_default(),
                None => self.rest.next()?.1.iter(),
            };
        }
    }
}

/// Positions at distances 1, 2, 4, ... below this one and the first of all, ascending.
fn samples(below: Seq) -> Vec<Seq> {
    let distances = (0..u64::BITS).map(|power| 1_u64 << power);
    let mut samples: Vec<Seq> =
        distances.map_while(|distance| below.get().checked_sub(distance)).map(Seq::new).collect();
    if samples.last().is_some_and(|last| last.get() > 0) {
        samples.push(Seq::new(0));
    }
    samples.reverse();
    samples
}

/// Whether a position below another one is among those that show where two branches parted.
pub(crate) fn is_sample(below: Seq, at: Seq) -> bool {
    at == Seq::new(0) || below.get().checked_sub(at.get()).is_some_and(u64::is_power_of_two)
}

/// Moves heads over what an answer chains on to them; whether it moved any.
fn extend(heads: &mut Heads, answer: &ReadAnswer) -> bool {
    let mut moved = false;
    for event in answer.events.iter().flatten() {
        let Event { author, epoch, seq, prev, .. } = *event.event();
        let follows = match heads.get(&(author, epoch)) {
            Some((held, hash)) => seq == held.next() && prev == *hash,
            None => seq == Seq::new(0),
        };
        if follows {
            heads.insert((author, epoch), (seq, event.hash()));
            moved = true;
        }
    }
    moved
}

fn position((key, (seq, hash)): (ChainKey, (Seq, EventHash))) -> EpochPosition {
    EpochPosition { author: key.0, epoch: key.1, seq, hash }
}

fn bound((author, epoch): ChainKey) -> ChainBound {
    ChainBound { author, epoch }
}
