//! Section 6: checkpoints, witnesses, inclusion.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_transparency::{InclusionProof, SignedCheckpoint, leaf_hash};
use watchfire_types::{Body, MemberId, MemberKey, OrganisationId, Unverified};
use watchfire_wire::bundle::{BundledTree, Segment};

use super::events::{name, opened_events};
use super::{Opened, member};
use crate::report::Checks;

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let of = |author, epoch| opened.bundle.trees.iter().find(|tree| (tree.author, tree.epoch) == (author, epoch));
    for segment in &opened.bundle.segments {
        let subject = name(opened, segment);
        let Some(tree) = of(segment.author, segment.epoch) else {
            checks.open("inclusion", subject, "its author made no checkpoint yet; signatures and hash chain bind it");
            continue;
        };
        match checkpoint(opened, tree) {
            Ok(note) => {
                checks.holds("checkpoint", &subject, format!("of {} events", note.checkpoint().size));
                witnesses(opened, tree, &note, &subject, checks);
                inclusion(opened, segment, tree, &note, &subject, checks);
            }
            Err(error) => checks.fails("checkpoint", subject, error),
        }
    }
    let segments: BTreeSet<_> = opened.bundle.segments.iter().map(|segment| (segment.author, segment.epoch)).collect();
    for tree in opened.bundle.trees.iter().filter(|tree| !segments.contains(&(tree.author, tree.epoch))) {
        checks.fails("checkpoint", member(opened.charters, &tree.author), "a tree without a segment");
    }
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

fn witnesses(opened: &Opened<'_>, tree: &BundledTree, note: &SignedCheckpoint, subject: &str, checks: &mut Checks) {
    let members = members(opened);
    let witnessed = match note.verify(&tree.author, &members) {
        Ok(witnessed) => witnessed,
        Err(error) => return checks.fails("witness", subject, error),
    };
    if witnessed.len() + 1 != note.signatures().len() {
        let detail = format!("{} signature lines, {} of known members", note.signatures().len(), witnessed.len() + 1);
        return checks.fails("witness", subject, detail);
    }
    let organisation =
        |key: &MemberKey| opened.charters.values().rev().find_map(|charter| charter.organisation_of(key)).cloned();
    let own = organisation(&tree.author);
    let others: BTreeSet<OrganisationId> = witnessed
        .iter()
        .filter_map(|line| organisation(members.get(&line.witness)?))
        .filter(|organisation| Some(organisation) != own.as_ref())
        .collect();
    if others.is_empty() {
        checks.open("witness", subject, "no other organisation cosigned this checkpoint");
    } else {
        let names: Vec<_> = others.iter().map(ToString::to_string).collect();
        checks.holds("witness", subject, format!("{} other organisation(s): {}", names.len(), names.join(", ")));
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
        Ok((included, 0)) => checks.holds("inclusion", subject, format!("all {included} events")),
        Ok((included, newer)) => {
            let detail =
                format!("{included} events; {newer} newer than the checkpoint, bound by signature and hash chain");
            checks.open("inclusion", subject, detail);
        }
        Err(error) => checks.fails("inclusion", subject, error),
    }
}

/// How many leaves are proved, and how many are newer than the checkpoint.
fn proved(
    opened: &Opened<'_>,
    segment: &Segment,
    tree: &BundledTree,
    note: &SignedCheckpoint,
) -> Result<(usize, usize), String> {
    let events = opened_events(opened, segment)?;
    let is_leaf = |event: &&&Unverified| !matches!(event.event().body, Body::Checkpoint(_));
    let leaves: Vec<&&Unverified> = events.iter().filter(is_leaf).collect();
    let checkpoint = note.checkpoint();
    if tree.inclusions.len() > leaves.len() {
        return Err(format!("{} proofs for {} events", tree.inclusions.len(), leaves.len()));
    }
    let mut before: Option<u64> = None;
    for (event, inclusion) in leaves.iter().zip(&tree.inclusions) {
        let (index, seq) = (inclusion.index, event.event().seq);
        if index > seq.get() || before.is_some_and(|before| before.checked_add(1) != Some(index)) {
            return Err(format!("#{seq} is said to be leaf {index}, out of order"));
        }
        before = Some(index);
        let proof = InclusionProof { index, size: checkpoint.size, path: inclusion.path.clone() };
        proof.verify(&leaf_hash(event.outer()), &checkpoint.root).map_err(|error| format!("#{seq}: {error}"))?;
    }
    let newer = leaves.len() - tree.inclusions.len();
    // Leaves count up by one: when the last proved one is not the tree's last, the next event would have been in the tree.
    // Without any, the first leaf's index is at most its seq.
    let next = before.map(|last| last.saturating_add(1));
    let first = leaves.first().map_or(0, |event| event.event().seq.get());
    if newer > 0 && next.map_or(first < checkpoint.size, |next| next != checkpoint.size) {
        return Err(format!("{newer} events have no proof though the checkpoint is not before them"));
    }
    Ok((tree.inclusions.len(), newer))
}
