//! The tree of each segment: a checkpoint, its witnesses, and the inclusion of what it covers.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_transparency::{Checkpoint, Frontier, Origin, SignedCheckpoint, Tree, Witnessed};
use watchfire_types::{Body, ChainBase, Event, EventHash, MemberId, MemberKey, Seq, Verified, body};
use watchfire_wire::bundle::{BundledTree, Inclusion, Segment};

use super::{Chains, Parts};

/// Where the chain goes on after what was pruned, if events of the segment stand before; else 0.
pub(super) fn pruned(segment: &Segment, chains: &Chains<'_>, base: &ChainBase) -> u64 {
    let chain = chains.get(&(segment.author, segment.epoch)).map(Vec::as_slice).unwrap_or_default();
    let before: BTreeSet<EventHash> =
        chain.iter().take_while(|event| event.seq < base.next).map(|event| event.hash()).collect();
    let first = segment.events.first().map(|outer| EventHash::of(outer));
    if first.is_some_and(|first| before.contains(&first)) { base.next.get() } else { 0 }
}

/// The author's checkpoint that covers most of the segment, of these the one with the most witnesses, then the largest, with the
/// proofs of what it covers. Only one that the held events make is taken: a false one is the business of a fault proof.
pub(super) fn tree(
    parts: &Parts<'_>,
    segment: &Segment,
    chain: &[&Verified<Event>],
    base: Option<&ChainBase>,
) -> Option<BundledTree> {
    // Of what was pruned its subtrees are enough for the paths of all that follows.
    let base = base.and_then(|base| Some((base.next, Frontier::from_parts(base.leaves, base.subtrees.clone())?)));
    let (mut next, frontier) = base.unwrap_or((Seq::new(0), Frontier::new()));
    let mut tree = Tree::continuing(&frontier);
    let mut indexes: BTreeMap<EventHash, u64> = BTreeMap::new();
    let mut checkpoints: Vec<&body::Checkpoint> = Vec::new();
    let from = next;
    for event in chain.iter().skip_while(|event| event.seq < from).take_while(|event| {
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
    stated: &body::Checkpoint,
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
