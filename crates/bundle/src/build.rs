//! Building: from everything that a node holds to the one file about an incident. Same parts, same bytes.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_protocol::{content_digest, incident_id};
use watchfire_transparency::{Checkpoint, Origin, SignedCheckpoint, Tree, Witnessed};
use watchfire_types::body::{Authority, Purpose};
use watchfire_types::{
    AssetId, Body, Bytes, CharterVersion, Epoch, Event, EventHash, IncidentId, MemberId, MemberKey, NetworkId, Verified,
};
use watchfire_wire::bundle::{
    Bundle, BundleError, BundledCharter, BundledIncident, BundledObject, BundledTree, Inclusion, Segment,
};

use crate::belong::{Belonging, Known, Subject, belonging, closes};
use crate::onchain;

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
    /// Every event held, in any order.
    pub events: Vec<&'a Verified<Event>>,
    /// Lines of witnesses by the checkpoint they are under.
    pub witnessed: BTreeMap<Checkpoint, Vec<Witnessed>>,
    /// Objects held, by SHA-256; those that no manifest of the incident names are left out.
    pub objects: BTreeMap<B256, Bytes>,
    /// Name and version of what makes the bundle, at most 64 bytes.
    pub software: String,
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

/// The file.
///
/// # Errors
/// [`BuildError`].
pub fn build(parts: &Parts<'_>) -> Result<Bytes, BuildError> {
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
    let known: Vec<Known<'_>> = parts.events.iter().map(|event| Known { hash: event.hash(), event }).collect();
    let belonging = belonging(&subject, &known);
    if belonging.told.is_empty() {
        return Err(BuildError::NoSuchIncident { incident });
    }
    let chains = chains(&parts.events);
    let segments: Vec<Segment> =
        chains.iter().filter_map(|((author, epoch), events)| segment(*author, *epoch, events, &belonging)).collect();
    let of = |segment: &Segment| chains.get(&(segment.author, segment.epoch)).map(Vec::as_slice).unwrap_or_default();
    let trees = segments.iter().filter_map(|segment| tree(parts, segment, of(segment))).collect();
    let further = further(parts, &subject, &known, &belonging, &segments, &chains);
    let (blocks, objects) = onchain::collect(parts, &belonging);
    let bundle = Bundle {
        network: parts.network,
        incident: BundledIncident { id: incident, asset: parts.asset.clone(), generation: parts.generation },
        charters: bundled_charters(&parts.charters)?,
        segments,
        further,
        trees,
        blocks,
        objects: objects.into_iter().map(|(digest, content)| BundledObject { digest, content }).collect(),
        software: parts.software.clone(),
    };
    Ok(bundle.encode()?)
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
        events.dedup_by_key(|event| event.hash());
    }
    chains
}

/// From the first event that belongs to the last one. A gap in what is held ends it early.
fn segment(author: MemberKey, epoch: Epoch, events: &[&Verified<Event>], belonging: &Belonging) -> Option<Segment> {
    let told = |event: &&Verified<Event>| belonging.told.contains(&event.hash());
    let first = events.iter().position(told)?;
    let mut last = first;
    for (at, pair) in events.windows(2).enumerate().skip(first) {
        let [before, after] = pair else { break };
        if after.prev != before.hash() || after.seq != before.seq.next() {
            break;
        }
        if told(after) {
            last = at + 1;
        }
    }
    let events = events.get(first..=last)?.iter().map(|event| event.outer().clone()).collect();
    Some(Segment { author, epoch, events })
}

/// The author's checkpoint that covers most of the segment, of these the one with the most witnesses, then the largest, with the
/// proofs of what it covers. Only one that the held events make is taken: a false one is the business of a fault proof.
fn tree(parts: &Parts<'_>, segment: &Segment, chain: &[&Verified<Event>]) -> Option<BundledTree> {
    let mut tree = Tree::new();
    let mut indexes: BTreeMap<EventHash, u64> = BTreeMap::new();
    let mut checkpoints: Vec<&watchfire_types::body::Checkpoint> = Vec::new();
    let mut next = watchfire_types::Seq::new(0);
    for event in chain.iter().take_while(|event| {
        let follows = event.seq == next;
        next = next.next();
        follows
    }) {
        if let Body::Checkpoint(checkpoint) = &event.body {
            checkpoints.push(checkpoint);
        } else {
            indexes.insert(event.hash(), tree.size());
            tree.push(event.outer());
        }
    }
    let leaves: Vec<u64> =
        segment.events.iter().filter_map(|outer| indexes.get(&EventHash::of(outer)).copied()).collect();
    let last = leaves.last().copied()?;
    let candidates = checkpoints.into_iter().filter(|held| tree.root_at(held.size) == Some(held.root.0));
    let (checkpoint, stated, lines) = candidates
        .map(|held| {
            let origin = Origin { network: parts.network, member: held.member.clone(), epoch: segment.epoch };
            let checkpoint = Checkpoint { origin, size: held.size, root: held.root.0 };
            let lines = parts.witnessed.get(&checkpoint).map(Vec::as_slice).unwrap_or_default();
            (checkpoint, held, lines)
        })
        .max_by_key(|(checkpoint, _, lines)| (checkpoint.size.min(last + 1), lines.len(), checkpoint.size))?;
    let size = checkpoint.size;
    let note = note(parts, checkpoint, segment.author, stated, lines);
    let inclusion = |index: u64| Some(Inclusion { index, path: tree.inclusion(index, size).ok()?.path });
    let inclusions = leaves.into_iter().filter(|index| *index < size).filter_map(inclusion).collect();
    Some(BundledTree { author: segment.author, epoch: segment.epoch, note: note.into(), inclusions })
}

fn note(
    parts: &Parts<'_>,
    checkpoint: Checkpoint,
    author: MemberKey,
    stated: &watchfire_types::body::Checkpoint,
    lines: &[Witnessed],
) -> String {
    let mut note = SignedCheckpoint::new(checkpoint, &author, &stated.signature);
    let members = parts.charters.iter().flat_map(|text| &text.charter.members);
    let keys: BTreeMap<&MemberId, MemberKey> = members.map(|(id, member)| (id, member.node_key)).collect();
    let newest: BTreeMap<&MemberId, &Witnessed> =
        lines.iter().collect::<BTreeSet<_>>().into_iter().map(|line| (&line.witness, line)).collect();
    for (witness, line) in newest {
        if let Some(key) = keys.get(witness).filter(|key| **key != author) {
            note.witnessed(line, key);
        }
    }
    note.to_string()
}

/// Single events that checks rest on and no segment has.
fn further(
    parts: &Parts<'_>,
    subject: &Subject<'_>,
    known: &[Known<'_>],
    belonging: &Belonging,
    segments: &[Segment],
    chains: &Chains<'_>,
) -> Vec<Bytes> {
    let mut wanted: BTreeSet<EventHash> = belonging.faults.clone();
    for segment in segments {
        let first = chains.get(&(segment.author, segment.epoch)).and_then(|chain| chain.first());
        wanted.extend(first.filter(|event| matches!(event.body, Body::Started(_))).map(|event| event.hash()));
    }
    let before: BTreeSet<_> = closes(subject, known).into_iter().take(parts.generation as usize).collect();
    let authorities: BTreeSet<B256> = known
        .iter()
        .filter(|known| belonging.told.contains(&known.hash))
        .filter_map(|known| match &known.event.body {
            Body::CoSignature(signature) => match &signature.authority {
                Authority::Step { certificate, .. }
                | Authority::RejectionCancelled { certificate, .. }
                | Authority::RejectionBeforeRecovery { certificate, .. } => Some(*certificate),
                Authority::RejectionAfterForeignRecovery { .. } => None,
            },
            _ => None,
        })
        .collect();
    for known in known {
        let Body::Certificate(certificate) = &known.event.body else { continue };
        let closes = matches!(certificate.purpose, Purpose::Close(at) if before.contains(&at));
        let closes = closes && certificate.decision.asset == parts.asset;
        if closes || authorities.contains(&content_digest(certificate, parts.network)) {
            wanted.insert(known.hash);
        }
    }
    let inside: BTreeSet<EventHash> =
        segments.iter().flat_map(|segment| &segment.events).map(|outer| EventHash::of(outer)).collect();
    let outers: BTreeMap<EventHash, &Bytes> = parts
        .events
        .iter()
        .filter(|event| wanted.contains(&event.hash()) && !inside.contains(&event.hash()))
        .map(|event| (event.hash(), event.outer()))
        .collect();
    outers.into_values().cloned().collect()
}
