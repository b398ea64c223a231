//! Section 6: checkpoints, witnesses, inclusion, and as of when a log is shown.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_transparency::{InclusionProof, SignedCheckpoint, leaf_hash};
use watchfire_types::{Body, MemberId, MemberKey, OrganisationId, Unverified};
use watchfire_wire::bundle::{BundledTree, Segment};

use super::events::{name, opened_events};
use super::{Opened, member};
use crate::report::Checks;

/// What a member says of an incident stands in a checkpoint a minute later; the rest is for its way to a witness and for clocks, s.
const COVERED_S: u64 = 300;

/// Answers the newest time at which a witness says that it saw a log, s since 1970.
pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) -> Option<u64> {
    let mut newest = None;
    let of = |author, epoch| opened.bundle.trees.iter().find(|tree| (tree.author, tree.epoch) == (author, epoch));
    for segment in &opened.bundle.segments {
        let subject = name(opened, segment);
        let Some(tree) = of(segment.author, segment.epoch) else {
            let detail = "no checkpoint that covers it is in the bundle; signatures and hash chain bind it";
            checks.open("inclusion", subject, detail);
            continue;
        };
        match checkpoint(opened, tree) {
            Ok(note) => {
                checks.holds("checkpoint", &subject, format!("of {} events", note.checkpoint().size));
                let witnessed_s = witnesses(opened, tree, &note, &subject, checks);
                inclusion(opened, segment, tree, &note, &subject, checks);
                if let Some(witnessed_s) = witnessed_s {
                    as_of(opened, segment, witnessed_s, subject, checks);
                    newest = newest.max(Some(witnessed_s));
                }
            }
            Err(error) => checks.fails("checkpoint", subject, error),
        }
    }
    let segments: BTreeSet<_> = opened.bundle.segments.iter().map(|segment| (segment.author, segment.epoch)).collect();
    for tree in opened.bundle.trees.iter().filter(|tree| !segments.contains(&(tree.author, tree.epoch))) {
        checks.fails("checkpoint", member(opened.charters, &tree.author), "a tree without a segment");
    }
    newest
}

/// Names and keys of everyone in any charter; a member's newest key.
fn members(opened: &Opened<'_>) -> BTreeMap<MemberId, MemberKey> {
    let all = opened.charters.values().flat_map(|charter| &charter.members);
    all.map(|(id, member)| (id.clone(), member.node_key)).collect()
}

fn checkpoint(opened: &Opened<'_>, tree: &BundledTree) -> Result<SignedCheckpoint, String> {
    let text = std::str::from_utf8(&tree.note).map_err(|_| "the note is no text".to_owned())?;
    let note = SignedCheckpoint::parse(text).map_err(|error| error.to_string())?;
    let origin = &note.checkpoint().origin;
    let author = |charter: &watchfire_charter::Charter| {
        charter.members.get(&origin.member).is_some_and(|member| member.node_key == tree.author)
    };
    if origin.network != opened.bundle.network || origin.epoch != tree.epoch || !opened.charters.values().any(author) {
        return Err(format!("its origin {origin} is not this author's epoch"));
    }
    note.author(&tree.author).map_err(|error| error.to_string())?;
    Ok(note)
}

/// Answers the newest time at which another organisation cosigned it, by its clock, s since 1970.
fn witnesses(
    opened: &Opened<'_>,
    tree: &BundledTree,
    note: &SignedCheckpoint,
    subject: &str,
    checks: &mut Checks,
) -> Option<u64> {
    let members = members(opened);
    let witnessed = match note.verify(&tree.author, &members) {
        Ok(witnessed) => witnessed,
        Err(error) => {
            checks.fails("witness", subject, error);
            return None;
        }
    };
    if witnessed.len() + 1 != note.signatures().len() {
        let detail = format!("{} signature lines, {} of known members", note.signatures().len(), witnessed.len() + 1);
        checks.fails("witness", subject, detail);
        return None;
    }
    let own = organisation(opened, &tree.author);
    let others: Vec<(&OrganisationId, u64)> = witnessed
        .iter()
        .filter_map(|line| Some((organisation(opened, members.get(&line.witness)?)?, line.time_s)))
        .filter(|(organisation, _)| Some(*organisation) != own)
        .collect();
    let names: BTreeSet<&OrganisationId> = others.iter().map(|(organisation, _)| *organisation).collect();
    if names.is_empty() {
        checks.open("witness", subject, "no other organisation cosigned this checkpoint");
    } else {
        let names: Vec<_> = names.into_iter().map(ToString::to_string).collect();
        checks.holds("witness", subject, format!("{} other organisation(s): {}", names.len(), names.join(", ")));
    }
    others.into_iter().map(|(_, time_s)| time_s).max()
}

/// The organisation of a member by any of its keys, newest charter first.
fn organisation<'a>(opened: &Opened<'a>, key: &MemberKey) -> Option<&'a OrganisationId> {
    opened.charters.values().rev().find_map(|charter| charter.organisation_of(key))
}

/// Whether other organisations speak of the incident long after this log was last seen: who writes a bundle can show it as it was then.
fn as_of(opened: &Opened<'_>, segment: &Segment, witnessed_s: u64, subject: String, checks: &mut Checks) {
    let own = organisation(opened, &segment.author);
    let others =
        opened.told().map(|(_, event)| event.event()).filter(|event| organisation(opened, &event.author) != own);
    let last_s = others.map(|event| event.time.as_millis() / 1_000).max().unwrap_or(0);
    let later_s = last_s.saturating_sub(witnessed_s);
    if later_s > COVERED_S {
        let detail = format!(
            "others speak of the incident until {later_s} s after a witness last saw this log: what its author said in between is not here, \
             if it said anything"
        );
        checks.open("as-of", subject, detail);
    } else {
        checks.holds("as-of", subject, "seen by a witness as late as others speak of the incident");
    }
}

fn inclusion(
    opened: &Opened<'_>,
    segment: &Segment,
    tree: &BundledTree,
    note: &SignedCheckpoint,
    subject: &str,
    checks: &mut Checks,
) {
    match proved(opened, segment, tree, note) {
        Ok(Proved { included, newer: 0, pruned: 0 }) => {
            checks.holds("inclusion", subject, format!("all {included} events"));
        }
        Ok(Proved { included, newer, pruned }) => {
            let mut detail = format!("{included} events");
            if newer > 0 {
                detail.push_str(&format!("; {newer} newer than the checkpoint"));
            }
            if pruned > 0 {
                detail.push_str(&format!("; {pruned} beside which its maker had pruned, the proof is in its archive"));
            }
            checks.open("inclusion", subject, format!("{detail}; signature and hash chain bind them"));
        }
        Err(error) => checks.fails("inclusion", subject, error),
    }
}

/// Leaves of a segment by what the tree proves of them.
struct Proved {
    included: usize,
    newer: usize,
    /// Before the position up to which its maker had pruned.
    pruned: usize,
}

/// One leaf of a segment.
struct Leaf<'a> {
    event: &'a Unverified,
    /// Which stretch of the segment it stands in.
    stretch: usize,
}

/// Which indexes the next leaf can have: least and most.
fn bounds(before: Option<(u64, &Leaf<'_>)>, leaf: &Leaf<'_>) -> (u64, u64) {
    let seq = leaf.event.event().seq.get();
    let Some((index, last)) = before else { return (0, seq) };
    let least = index.saturating_add(1);
    if last.stretch == leaf.stretch {
        return (least, least);
    }
    // Some of what stands in a gap may be no leaf.
    (least, index.saturating_add(seq.saturating_sub(last.event.event().seq.get())))
}

fn proved(
    opened: &Opened<'_>,
    segment: &Segment,
    tree: &BundledTree,
    note: &SignedCheckpoint,
) -> Result<Proved, String> {
    let events = opened_events(opened, segment)?;
    let (mut stretch, mut next) = (0, None);
    let mut leaves: Vec<Leaf<'_>> = Vec::new();
    let mut pruned = 0;
    for event in events {
        let inner = event.event();
        stretch += usize::from(next.is_some_and(|next| next != inner.seq));
        next = Some(inner.seq.next());
        if matches!(inner.body, Body::Checkpoint(_)) {
            continue;
        }
        if inner.seq.get() < segment.pruned {
            pruned += 1;
        } else {
            leaves.push(Leaf { event, stretch });
        }
    }
    let checkpoint = note.checkpoint();
    if tree.inclusions.len() > leaves.len() {
        return Err(format!("{} proofs for {} events", tree.inclusions.len(), leaves.len()));
    }
    let mut before: Option<(u64, &Leaf<'_>)> = None;
    for (leaf, inclusion) in leaves.iter().zip(&tree.inclusions) {
        let (index, seq) = (inclusion.index, leaf.event.event().seq);
        let (least, most) = bounds(before, leaf);
        if index < least || index > most {
            return Err(format!("#{seq} is said to be leaf {index}, out of order"));
        }
        before = Some((index, leaf));
        let proof = InclusionProof { index, size: checkpoint.size, path: inclusion.path.clone() };
        let hash = leaf_hash(leaf.event.outer());
        proof.verify(&hash, &checkpoint.root).map_err(|error| format!("#{seq}: {error}"))?;
    }
    let included = tree.inclusions.len();
    if let Some(first) = leaves.get(included).filter(|leaf| bounds(before, leaf).1 < checkpoint.size) {
        let seq = first.event.event().seq;
        return Err(format!("#{seq} has no proof though the checkpoint is not before it"));
    }
    Ok(Proved { included, newer: leaves.len() - included, pruned })
}
