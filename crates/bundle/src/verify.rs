//! Verification: every check of proto/watchfire/v1/bundle.proto, in its order and under its names.

mod chain;
mod charters;
mod custody;
mod decisions;
mod events;
mod further;
mod operators;
mod outside;
mod trees;
mod unproved;

use std::collections::BTreeMap;

use watchfire_charter::Charter;
use watchfire_types::{Bytes, CharterVersion, Event, EventHash, MemberKey, Unverified};
use watchfire_wire::bundle::Bundle;

use crate::belong::{Belonging, Known, Subject, belonging};
use crate::report::{Checks, Report};

/// An opened bundle: what the later checks look at.
struct Opened<'a> {
    bundle: &'a Bundle,
    charters: &'a BTreeMap<CharterVersion, Charter>,
    /// Every event that decodes, of segments and outside, by hash.
    events: BTreeMap<EventHash, Unverified>,
    belonging: Belonging,
}

impl<'a> Opened<'a> {
    /// Events that belong, by hash.
    fn told(&self) -> impl Iterator<Item = (&EventHash, &Unverified)> {
        self.events.iter().filter(|(hash, _)| self.belonging.told.contains(*hash))
    }

    fn subject(&self) -> Subject<'a> {
        subject(self.bundle, self.charters)
    }

    /// How an event is named in the report.
    fn name(&self, event: &Event, hash: EventHash) -> String {
        format!("{} {} #{} {}", event.body.kind(), member(self.charters, &event.author), event.seq, hash.short())
    }
}

fn subject<'a>(bundle: &'a Bundle, charters: &'a BTreeMap<CharterVersion, Charter>) -> Subject<'a> {
    let incident = &bundle.incident;
    let (network, generation) = (bundle.network, incident.generation);
    Subject { network, incident: incident.id, asset: &incident.asset, generation, charters }
}

/// A member's name, newest charter first; a key that no charter knows by its first digits.
fn member(charters: &BTreeMap<CharterVersion, Charter>, key: &MemberKey) -> String {
    let known = charters.values().rev().find_map(|charter| charter.member_by_key(key));
    known.map_or_else(|| key.short(), |(id, _)| id.to_string())
}

/// Checks a whole file. `trusted` is a charter that the verifier has from elsewhere: without one, the members' keys are only what
/// the bundle says they are. Ends in a report for any bytes; work is bounded by the bounds of the format.
#[must_use]
pub fn verify(file: &Bytes, trusted: Option<&Charter>) -> Report {
    let mut checks = Checks::default();
    let bundle = match Bundle::decode(file) {
        Ok(bundle) => bundle,
        Err(error) => {
            checks.fails("format", "file", error);
            return checks.into_report();
        }
    };
    checks.holds("format", "file", format!("{} bytes, made by {:?}", file.len(), bundle.software));
    let charters = charters::check(&bundle, trusted, &mut checks);
    let Judged { events, belonging, witnessed_s } = if charters.len() == bundle.charters.len() {
        judge(&bundle, &charters, &mut checks)
    } else {
        Judged::default()
    };
    Report {
        network: Some(bundle.network),
        incident: Some(bundle.incident.id),
        asset: Some(bundle.incident.asset.clone()),
        charters: charters.iter().map(|(version, charter)| (*version, charter.digest())).collect(),
        events,
        belonging,
        witnessed_s,
        ..checks.into_report()
    }
}

/// What is reported beside the checks.
#[derive(Default)]
struct Judged {
    events: usize,
    belonging: usize,
    witnessed_s: Option<u64>,
}

/// Everything after the charters.
fn judge(bundle: &Bundle, charters: &BTreeMap<CharterVersion, Charter>, checks: &mut Checks) -> Judged {
    charters::incident(bundle, charters, checks);
    let events = events::open(bundle, charters, checks);
    let known: Vec<Known<'_>> =
        events.iter().map(|(hash, event)| Known { hash: *hash, event: event.event() }).collect();
    let belonging = belonging(&subject(bundle, charters), &known);
    let opened = Opened { bundle, charters, events, belonging };
    events::chains(&opened, checks);
    outside::check(&opened, checks);
    further::check(&opened, checks);
    let witnessed_s = trees::check(&opened, checks);
    decisions::references(&opened, checks);
    decisions::certificates(&opened, checks);
    decisions::co_signatures(&opened, checks);
    decisions::faults(&opened, checks);
    chain::check(&opened, checks);
    unproved::check(&opened, checks);
    custody::check(&opened, checks);
    operators::check(&opened, checks);
    let belonging = opened.belonging.told.len() + opened.belonging.faults.len();
    Judged { events: opened.events.len(), belonging, witnessed_s }
}
