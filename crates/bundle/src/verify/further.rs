//! The events outside the segments: each there for a reason that the format names, and none that a segment should hold.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use watchfire_protocol::content_digest;
use watchfire_types::body::Purpose;
use watchfire_types::{Body, Epoch, EventHash, MemberKey, Unverified};

use super::decisions::named_certificates;
use super::{Opened, member};
use crate::report::Checks;

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let inside: BTreeSet<EventHash> =
        opened.bundle.segments.iter().flat_map(|segment| &segment.events).map(|outer| EventHash::of(outer)).collect();
    let named = named_certificates(opened);
    let mut count = 0_usize;
    for outer in &opened.bundle.further {
        let hash = EventHash::of(outer);
        // One that does not verify failed as such.
        let Some(event) = opened.events.get(&hash) else { continue };
        let judged = if inside.contains(&hash) {
            Err("a segment has it already".to_owned())
        } else {
            reason(opened, &named, hash, event)
        };
        match judged {
            Ok(()) => count += 1,
            Err(error) => checks.fails("further", opened.name(event.event(), hash), error),
        }
    }
    if count > 0 {
        checks.holds("further", "bundle", format!("{count} event(s) outside the segments, each for a reason"));
    }
}

fn reason(opened: &Opened<'_>, named: &BTreeSet<B256>, hash: EventHash, event: &Unverified) -> Result<(), String> {
    let stated = event.event();
    match &stated.body {
        Body::Started(_) => started(opened, stated.author, stated.epoch, event),
        Body::Certificate(certificate) => {
            let closes = matches!(certificate.purpose, Purpose::Close(_))
                && certificate.decision.asset == opened.bundle.incident.asset;
            if closes || named.contains(&content_digest(certificate, opened.bundle.network)) {
                Ok(())
            } else {
                Err("it closes nothing of the asset, and no co-signature of the incident names it".to_owned())
            }
        }
        Body::FaultProof(_) | Body::CheckpointFault(_) if opened.belonging.faults.contains(&hash) => Ok(()),
        Body::FaultProof(_) | Body::CheckpointFault(_) => {
            Err("it is against nobody who speaks in the incident".to_owned())
        }
        _ if opened.belonging.told.contains(&hash) => {
            Err("it belongs to the incident and stands in no segment: its author's chain does not bind it".to_owned())
        }
        _ => Err("nothing rests on it".to_owned()),
    }
}

/// The first event of an epoch that has a segment; the segment follows on it where it begins right after.
fn started(opened: &Opened<'_>, author: MemberKey, epoch: Epoch, event: &Unverified) -> Result<(), String> {
    let segment = opened.bundle.segments.iter().find(|segment| (segment.author, segment.epoch) == (author, epoch));
    let Some(segment) = segment else {
        return Err(format!("no segment is of this epoch of {}", member(opened.charters, &author)));
    };
    if event.event().seq.get() != 0 {
        return Err(format!("an epoch starts at #0, this is #{}", event.event().seq));
    }
    let first = segment.events.first().map(|outer| EventHash::of(outer));
    let next = first.and_then(|first| opened.events.get(&first)).map(Unverified::event);
    match next {
        Some(next) if next.seq.get() == 0 || next.seq.get() == 1 && next.prev != event.hash() => {
            Err("the epoch's segment begins with another first event".to_owned())
        }
        _ => Ok(()),
    }
}
