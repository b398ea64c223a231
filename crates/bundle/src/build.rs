//! Building: from everything that a node holds to the one file about an incident. Same parts, same bytes.
//!
//! Whatever members say, a bundle comes out and holds: each author, and each collector of evidence, has an equal part of its room (what one
//! leaves goes to the others), and what does not fit is counted in the bundle.

mod further;
mod select;
mod trees;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_protocol::incident_id;
use watchfire_transparency::{Checkpoint, Witnessed};
use watchfire_types::{
    AssetId, Bytes, ChainBase, CharterVersion, Epoch, Event, EventHash, IncidentId, MemberKey, NetworkId, Verified,
};
use watchfire_wire::bundle::{
    Bundle, BundleError, BundledCharter, BundledIncident, BundledObject, LeftOut, MAX_BUNDLE, Segment,
};

use self::further::Further;
use crate::belong::{Known, Subject, belonging};
use crate::onchain;

/// Largest body that is made, bytes: as much as the format has room for.
pub const ROOM: u64 = MAX_BUNDLE as u64;

/// A charter version with its document, verbatim.
#[derive(Debug, Clone)]
pub struct CharterText {
    /// What the document says.
    pub charter: Charter,
    /// The document.
    pub toml: Bytes,
}

/// Everything that a bundle is made from.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Network.
    pub network: NetworkId,
    /// Asset of the incident.
    pub asset: AssetId,
    /// Closes of the asset before it; with network and asset it makes the incident's id.
    pub generation: u32,
    /// Every adopted version.
    pub charters: Vec<CharterText>,
    /// Every event held below its author's cut, in any order: no two of them contradict each other.
    pub events: Vec<&'a Verified<Event>>,
    /// Lines of witnesses by the checkpoint they are under.
    pub witnessed: BTreeMap<Checkpoint, Vec<Witnessed>>,
    /// Objects held, by SHA-256; those that no manifest of the incident names are left out.
    pub objects: BTreeMap<B256, Bytes>,
    /// Name and version of what makes the bundle, at most 64 bytes.
    pub software: String,
}

/// What bounds a bundle beside its parts.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// Where chains go on of which the beginning was pruned.
    pub pruned: &'a [ChainBase],
    /// Largest body to make, bytes; at most [`ROOM`]. Three eighths of it are for the events of the authors, a sixteenth for what is named
    /// beside them, a 256th for lists and frames, and what the charters leave of the others for on-chain evidence.
    pub room: u64,
}

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// Nothing belongs to it.
    #[error("no event of incident {incident} is held; see `watchfire incident list`")]
    NoSuchIncident {
        /// Incident.
        incident: IncidentId,
    },
    /// A charter that cannot be written.
    #[error("charter version {version} has no canonical form: {reason}")]
    Charter {
        /// Version.
        version: CharterVersion,
        /// What the serialiser says.
        reason: String,
    },
    /// The format has no room for it.
    #[error(
        "the incident does not fit into one bundle: {0}; `watchfire log export` writes all events, and `watchfire evidence export` the objects"
    )]
    Format(#[from] BundleError),
}

type ChainKey = (MemberKey, Epoch);
type Chains<'a> = BTreeMap<ChainKey, Vec<&'a Verified<Event>>>;

/// The file, as large as the format lets it be, from a log of which nothing was pruned.
///
/// # Errors
/// [`BuildError`].
pub fn build(parts: &Parts<'_>) -> Result<Bytes, BuildError> {
    build_within(parts, Bounds { pruned: &[], room: ROOM })
}

/// The file.
///
/// # Errors
/// [`BuildError`].
pub fn build_within(parts: &Parts<'_>, bounds: Bounds<'_>) -> Result<Bytes, BuildError> {
    let charters: BTreeMap<CharterVersion, Charter> =
        parts.charters.iter().map(|text| (text.charter.version, text.charter.clone())).collect();
    let incident = incident_id(parts.network, &parts.asset, parts.generation);
    let subject = Subject {
        network: parts.network,
        incident,
        asset: &parts.asset,
        generation: parts.generation,
        charters: &charters,
    };
    let held = Held {
        known: parts.events.iter().map(|event| Known { hash: event.hash(), event }).collect(),
        by_hash: parts.events.iter().map(|event| (event.hash(), *event)).collect(),
        chains: chains(&parts.events),
    };
    let Chosen { mut segments, further, told, no_room } =
        choose(parts, &subject, &held, bounds.room).ok_or(BuildError::NoSuchIncident { incident })?;
    let Held { by_hash, chains, .. } = held;
    let bases: BTreeMap<ChainKey, &ChainBase> =
        bounds.pruned.iter().map(|base| ((base.author, base.epoch), base)).collect();
    let of = |segment: &Segment| (segment.author, segment.epoch);
    for segment in &mut segments {
        segment.pruned = bases.get(&of(segment)).map_or(0, |base| trees::pruned(segment, &chains, base));
    }
    let tree =
        |segment: &Segment| trees::tree(parts, segment, chains.get(&of(segment))?, bases.get(&of(segment)).copied());
    let trees = segments.iter().filter_map(tree).collect();
    let mut of_incident: Vec<&Verified<Event>> = told.iter().filter_map(|hash| by_hash.get(hash).copied()).collect();
    of_incident.sort_by_key(|event| (event.author, event.epoch, event.seq));
    let charters = bundled_charters(&parts.charters)?;
    let charters_size: usize = charters.iter().map(|charter| charter.canonical.len() + charter.toml.len()).sum();
    let others = bounds.room / 8 * 3 + bounds.room / 16 + bounds.room / 256;
    let room = bounds.room.saturating_sub(charters_size as u64 + others);
    let (blocks, objects) = onchain::collect(parts, &of_incident, room);
    let left_out = left_out(bounds.pruned, &of_incident, &chains, &no_room, further.no_room());
    let bundle = Bundle {
        network: parts.network,
        incident: BundledIncident { id: incident, asset: parts.asset.clone(), generation: parts.generation },
        charters,
        segments,
        further: further.into_outers(),
        trees,
        blocks,
        objects: objects.into_iter().map(|(digest, content)| BundledObject { digest, content }).collect(),
        software: parts.software.clone(),
        left_out,
    };
    Ok(bundle.encode()?)
}

/// What the parts hold, by hash and by chain.
struct Held<'a> {
    known: Vec<Known<'a>>,
    by_hash: BTreeMap<EventHash, &'a Verified<Event>>,
    chains: Chains<'a>,
}

/// The events of a bundle.
struct Chosen<'a> {
    segments: Vec<Segment>,
    further: Further<'a>,
    /// Those of them that belong, by themselves and by others of them.
    told: BTreeSet<EventHash>,
    /// By author, how many belong by what the parts hold and are not among them.
    no_room: BTreeMap<MemberKey, u64>,
}

/// Chooses them; `None` when nothing belongs.
fn choose<'a>(parts: &Parts<'a>, subject: &Subject<'_>, held: &Held<'a>, room: u64) -> Option<Chosen<'a>> {
    let all = belonging(subject, &held.known).told;
    let mut told = Some(all.clone()).filter(|told| !told.is_empty())?;
    // An event may belong by another one that had no room, and does not belong to the bundle without it. Each round leaves fewer.
    loop {
        let segments = select::select(&held.chains, &told, room / 8 * 3);
        let mut further = Further::of_segments(parts, subject, held, &segments, room / 16);
        let here = segments.iter().flat_map(|segment| &segment.events).map(|outer| EventHash::of(outer));
        let here: BTreeSet<EventHash> = here.chain(further.hashes()).collect();
        let of = |hash: &EventHash| held.by_hash.get(hash).copied();
        let shown =
            here.iter().filter_map(|hash| of(hash).map(|event| Known { hash: *hash, event })).collect::<Vec<_>>();
        let shown = belonging(subject, &shown).told;
        let lost = |hash: &EventHash| here.contains(hash) && !shown.contains(hash);
        if told.iter().any(lost) {
            told.retain(|hash| !lost(hash));
            continue;
        }
        further.name(parts, &held.known, &shown, &here);
        let mut no_room: BTreeMap<MemberKey, u64> = BTreeMap::new();
        for event in all.iter().filter(|hash| !here.contains(*hash)).filter_map(of) {
            *no_room.entry(event.author).or_default() += 1;
        }
        return Some(Chosen { segments, further, told: shown, no_room });
    }
}

fn bundled_charters(charters: &[CharterText]) -> Result<Vec<BundledCharter>, BuildError> {
    let mut bundled = BTreeMap::new();
    for CharterText { charter, toml } in charters {
        let version = charter.version;
        let canonical =
            charter.canonical_json().map_err(|error| BuildError::Charter { version, reason: error.to_string() })?;
        bundled.insert(version, BundledCharter { version, canonical: canonical.into(), toml: toml.clone() });
    }
    Ok(bundled.into_values().collect())
}

/// Events by author and epoch, in their order.
fn chains<'a>(events: &[&'a Verified<Event>]) -> Chains<'a> {
    let mut chains = Chains::new();
    for event in events {
        chains.entry((event.author, event.epoch)).or_default().push(event);
    }
    for events in chains.values_mut() {
        events.sort_by_key(|event| (event.seq, event.hash()));
        events.dedup_by_key(|event| event.seq);
    }
    chains
}

/// What the bundle says that it leaves out. Pruned events count where the last of them was not before the incident's first.
fn left_out(
    pruned: &[ChainBase],
    of_incident: &[&Verified<Event>],
    chains: &Chains<'_>,
    no_room: &BTreeMap<MemberKey, u64>,
    further: &BTreeMap<MemberKey, u64>,
) -> Vec<LeftOut> {
    let mut all: BTreeMap<MemberKey, LeftOut> = BTreeMap::new();
    let nothing = |author| LeftOut { author, no_room: 0, pruned: 0 };
    for (author, count) in no_room.iter().chain(further) {
        all.entry(*author).or_insert(nothing(*author)).no_room += count;
    }
    let first = of_incident.iter().map(|event| event.time).min();
    for base in pruned.iter().filter(|base| first.is_some_and(|first| base.clock >= first)) {
        let chain = chains.get(&(base.author, base.epoch)).map(Vec::as_slice).unwrap_or_default();
        let kept = chain.iter().filter(|event| event.seq < base.next).count() as u64;
        if kept < base.next.get() {
            all.entry(base.author).or_insert(nothing(base.author)).pruned += base.next.get() - kept;
        }
    }
    all.into_values().collect()
}
