//! Section 5: what of the members' logs is not here. Whoever writes a bundle can leave out the ends of a chain, an epoch or a member; what
//! positions, trees and first events say about it is counted.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_transparency::SignedCheckpoint;
use watchfire_types::body::Started;
use watchfire_types::{Body, Epoch, MemberId, MemberKey, Seq, Unverified};
use watchfire_wire::bundle::BundledTree;

use super::events::{name, opened_events};
use super::{Opened, member};
use crate::report::Checks;

type Chain = (MemberKey, Epoch);

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let here: BTreeSet<Chain> = opened.bundle.segments.iter().map(|segment| (segment.author, segment.epoch)).collect();
    let trees: BTreeMap<Chain, &BundledTree> =
        opened.bundle.trees.iter().map(|tree| ((tree.author, tree.epoch), tree)).collect();
    let (starts, named) = (starts(opened), named(opened));
    for segment in &opened.bundle.segments {
        let chain = (segment.author, segment.epoch);
        // One with an event that does not verify failed as such.
        let events = opened_events(opened, segment).unwrap_or_default();
        let (Some(first), Some(last)) = (events.first(), events.last()) else { continue };
        let (start, seq) = (starts.get(&chain), first.event().seq.get());
        let before = seq.saturating_sub(u64::from(start.is_some()));
        let beyond = named.get(&chain).map_or(0, |named| named.get().saturating_sub(last.event().seq.get()));
        let after = trees.get(&chain).map_or(0, |tree| after(tree)).max(beyond);
        let earlier = start.map_or(0, |started| {
            started.earlier.iter().filter(|head| !here.contains(&(segment.author, head.epoch))).count()
        });
        let subject = name(opened, segment);
        if (before, after, earlier) == (0, 0, 0) {
            checks.holds(
                "outside",
                subject,
                "nothing of the epoch, as far as its first event, its checkpoint and what others name tell",
            );
        } else {
            let detail = format!(
                "{before} event(s) of the epoch before these, {after} at least after them and {earlier} earlier epoch(s) are not here"
            );
            checks.open("outside", subject, format!("{detail}: {WORD}"));
        }
    }
    let speak: BTreeSet<MemberKey> = here.iter().map(|(author, _)| *author).collect();
    for silent in silent(opened, &speak) {
        checks.open("outside", silent, format!("no event of it is here: {WORD}"));
    }
}

const WORD: &str =
    "that none of it is of the incident is the word of who made the bundle; compare other organisations' bundles";

/// The first events of epochs.
fn starts<'a>(opened: &'a Opened<'_>) -> BTreeMap<Chain, &'a Started> {
    let start = opened.events.values().filter_map(|event| match &event.event().body {
        Body::Started(started) if event.event().seq.get() == 0 => {
            Some(((event.event().author, event.event().epoch), started))
        }
        _ => None,
    });
    start.collect()
}

/// The last position of each chain that something here names which its author signed: the ends in a later epoch's first event, the votes of
/// certificates, the events of fault proofs.
fn named(opened: &Opened<'_>) -> BTreeMap<Chain, Seq> {
    let mut named = BTreeMap::new();
    let mut name = |chain: Chain, seq: Seq| {
        let known = named.entry(chain).or_insert(seq);
        *known = seq.max(*known);
    };
    for event in opened.events.values().map(Unverified::event) {
        let inner = match &event.body {
            Body::Started(started) => {
                started.earlier.iter().for_each(|head| name((event.author, head.epoch), head.seq));
                continue;
            }
            Body::Certificate(certificate) => certificate.votes.iter().collect(),
            Body::FaultProof(proof) => vec![&*proof.first, &*proof.second],
            _ => continue,
        };
        inner.into_iter().map(Unverified::event).for_each(|inner| name((inner.author, inner.epoch), inner.seq));
    }
    named
}

/// Leaves of the checkpoint after the last one that is proved here.
fn after(tree: &BundledTree) -> u64 {
    let note = std::str::from_utf8(&tree.note).ok().and_then(|text| SignedCheckpoint::parse(text).ok());
    let shown = tree.inclusions.last().map(|inclusion| inclusion.index.saturating_add(1));
    note.zip(shown).map_or(0, |(note, shown)| note.checkpoint().size.saturating_sub(shown))
}

/// Members of the newest charter of whom no key of any charter has a segment.
fn silent(opened: &Opened<'_>, speak: &BTreeSet<MemberKey>) -> BTreeSet<String> {
    let speaks = |id: &MemberId| {
        let keys = opened.charters.values().filter_map(|charter| charter.members.get(id));
        keys.into_iter().any(|member| speak.contains(&member.node_key))
    };
    let newest = opened.charters.values().next_back().into_iter().flat_map(|charter| &charter.members);
    newest.filter(|(id, _)| !speaks(id)).map(|(_, of)| member(opened.charters, &of.node_key)).collect()
}
