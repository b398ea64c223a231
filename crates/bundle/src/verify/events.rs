//! Sections 4 and 5: signatures and hash chains.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::Charter;
use watchfire_types::{Bytes, CharterVersion, EventHash, MemberKey, Unverified};
use watchfire_wire::bundle::{Bundle, LeftOut, Segment};
use watchfire_wire::decode_signed;

use super::{Opened, member};
use crate::belong::{Known, closes};
use crate::report::Checks;

/// Decodes and verifies every event; one check per author and per failure. Only what verifies is looked at further.
pub(super) fn open(
    bundle: &Bundle,
    charters: &BTreeMap<CharterVersion, Charter>,
    checks: &mut Checks,
) -> BTreeMap<EventHash, Unverified> {
    let keys: BTreeSet<MemberKey> =
        charters.values().flat_map(|charter| charter.members.values()).map(|member| member.node_key).collect();
    let mut events = BTreeMap::new();
    let mut good: BTreeMap<MemberKey, usize> = BTreeMap::new();
    let outers = bundle.segments.iter().flat_map(|segment| &segment.events).chain(&bundle.further);
    for (index, outer) in outers.enumerate() {
        let event = match decode_signed(outer.clone()) {
            Ok(event) => event,
            Err(error) => {
                checks.fails("signature", format!("event {index} of the bundle"), error);
                continue;
            }
        };
        let author = event.event().author;
        let subject = format!("{} of {}", event.hash().short(), member(charters, &author));
        if !keys.contains(&author) {
            checks.fails("signature", subject, "its author is no member in any charter of the bundle");
        } else if let Err(error) = event.check(bundle.network) {
            checks.fails("signature", subject, error);
        } else {
            *good.entry(author).or_default() += 1;
            events.insert(event.hash(), event);
        }
    }
    for (author, count) in good {
        checks.holds("signature", member(charters, &author), format!("{count} event(s) signed by {author}"));
    }
    events
}

/// Every segment's links, and that it begins and ends with an event that belongs.
pub(super) fn chains(opened: &Opened<'_>, checks: &mut Checks) {
    let known: Vec<_> = opened.events.iter().map(|(hash, event)| Known { hash: *hash, event: event.event() }).collect();
    let found = closes(&opened.subject(), &known).len();
    let stated = opened.bundle.incident.generation as usize;
    if found < stated {
        let detail = format!("{stated} closes are said to come before, {found} are in the bundle");
        checks.fails("incident-id", opened.bundle.incident.id.short(), detail);
    }
    if opened.bundle.segments.is_empty() {
        checks.fails("chain", "bundle", "no event at all");
    }
    for segment in &opened.bundle.segments {
        let subject = name(opened, segment);
        match chain(opened, segment) {
            Ok(Chain { detail, missing: 0 }) => checks.holds("chain", &subject, detail),
            Ok(Chain { detail, missing }) => {
                let why = "its maker did not hold them, or had no room";
                checks.open("chain", &subject, format!("{detail}; {missing} position(s) between are not here: {why}"));
            }
            Err(error) => {
                checks.fails("chain", subject, error);
                continue;
            }
        }
        clock(opened, segment, &subject, checks);
    }
    for left in &opened.bundle.left_out {
        let LeftOut { author, no_room, pruned } = left;
        let detail = format!(
            "its maker says that {no_room} event(s) had no room, and that {pruned} that it had pruned may be of the incident: they are in its archive"
        );
        checks.open("left-out", member(opened.charters, author), detail);
    }
}

/// A clock that stands still or falls is its author's mistake and nobody else's.
fn clock(opened: &Opened<'_>, segment: &Segment, subject: &str, checks: &mut Checks) {
    let Ok(events) = opened_events(opened, segment) else { return };
    let slipped = events.windows(2).filter_map(|pair| match pair {
        [before, after] => {
            let (a, b) = (before.event(), after.event());
            (a.seq.next() == b.seq && b.time <= a.time).then_some((a.seq, b.seq))
        }
        _ => None,
    });
    let slipped: Vec<_> = slipped.collect();
    if let Some((a, b)) = slipped.first() {
        let detail = format!("its clock does not grow at {} place(s), first from #{a} to #{b}", slipped.len());
        checks.open("statement", subject, detail);
    }
}

/// A segment whose links hold.
struct Chain {
    detail: String,
    /// Positions in its gaps.
    missing: u64,
}

/// How a segment or its tree is named.
pub(super) fn name(opened: &Opened<'_>, segment: &Segment) -> String {
    format!("{} epoch {}", member(opened.charters, &segment.author), segment.epoch.short())
}

/// The segment's events that could be opened, in order; an error where one could not.
pub(super) fn opened_events<'a>(opened: &'a Opened<'_>, segment: &Segment) -> Result<Vec<&'a Unverified>, String> {
    let one = |outer: &Bytes| {
        let hash = EventHash::of(outer);
        opened.events.get(&hash).ok_or("it holds an event that does not verify".to_owned())
    };
    segment.events.iter().map(one).collect()
}

fn chain(opened: &Opened<'_>, segment: &Segment) -> Result<Chain, String> {
    let events = opened_events(opened, segment)?;
    let belongs = |event: &Unverified| opened.belonging.told.contains(&event.hash());
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Err("it is empty".to_owned());
    };
    for event in &events {
        if event.event().author != segment.author || event.event().epoch != segment.epoch {
            return Err(format!("event {} is of another author or epoch", event.hash().short()));
        }
    }
    if first.event().seq.get() == 0 && first.event().prev != EventHash::from_bytes([0; 32]) {
        return Err("the first event of the epoch names a predecessor".to_owned());
    }
    let mut missing = 0_u64;
    for pair in events.windows(2) {
        let [before, after] = pair else { continue };
        let (a, b) = (before.event(), after.event());
        match b.seq.get().checked_sub(a.seq.get()) {
            None | Some(0) => return Err(format!("#{} follows on #{}", b.seq, a.seq)),
            Some(1) if b.prev != before.hash() => {
                return Err(format!("#{} names another predecessor than #{}", b.seq, a.seq));
            }
            Some(1) => {}
            Some(_) if !belongs(before) || !belongs(after) => {
                return Err(format!("#{} and #{} are at a gap, and not both belong to the incident", a.seq, b.seq));
            }
            Some(by) => missing = missing.saturating_add(by - 1),
        }
    }
    if missing != segment.missing {
        let stated = segment.missing;
        return Err(format!("{missing} position(s) between its events are not here, {stated} are said not to be"));
    }
    if let Some(end) = [first, last].into_iter().find(|end| !belongs(end)) {
        return Err(format!("#{} at its end does not belong to the incident", end.event().seq));
    }
    let told = events.iter().filter(|event| belongs(event)).count();
    let how = if missing == 0 { " without a gap" } else { "" };
    let detail = format!("#{} to #{}{how}, {told} of the incident", first.event().seq, last.event().seq);
    Ok(Chain { detail, missing })
}
