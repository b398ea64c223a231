//! Blocks that the scene asks for and whose collection never begins: each is a miss like any other.

use std::collections::BTreeSet;

use watchfire_types::body::{Body, EvidenceKind, EvidenceMissed, MissCause};
use watchfire_types::{BlockRef, ChainId, Event, IncidentId, Verified};

use super::Case;
use crate::evidence::BEGUN_MAX;
use crate::evidence::want::Watched;
use crate::run::node::Node;

/// What never began.
#[derive(Debug, Default)]
pub(super) struct Unbegun {
    /// Blocks that no two operators told of when they were asked; at most as many as were sought.
    absent: BTreeSet<(ChainId, u64)>,
    /// Blocks about which it was said.
    said: BTreeSet<(IncidentId, u64)>,
    /// Incidents that had more blocks than a process begins.
    full: BTreeSet<IncidentId>,
    /// Incidents that are about more than their evidence is.
    pub(super) narrowed: BTreeSet<IncidentId>,
    /// Of these, those of assets with too many accounts or slots, of which it was said; and the other chains of which it was.
    left_out: BTreeSet<IncidentId>,
    elsewhere: BTreeSet<(IncidentId, ChainId)>,
}

impl Unbegun {
    /// These were asked for in vain.
    pub(super) fn absent(&mut self, chain: ChainId, numbers: BTreeSet<u64>) {
        self.absent.extend(numbers.into_iter().map(|number| (chain, number)));
    }

    /// Whether it was asked for in vain.
    pub(super) fn is_absent(&self, chain: ChainId, number: u64) -> bool {
        self.absent.contains(&(chain, number))
    }
}

impl Node {
    /// Says of blocks that this process did not see and cannot have any more, stretch by stretch, that they were not begun, unless an
    /// earlier one took something of them or said it.
    pub(super) fn unseen(&mut self, chain: ChainId, case: &Case<'_>, absent: BTreeSet<u64>) -> Vec<EvidenceMissed> {
        let incident = case.status.id;
        let said = &mut self.evidence.unbegun.said;
        let fresh = absent.into_iter().filter(|number| !taken(case, *number) && said.insert((incident, *number)));
        let stretches = stretches(fresh);
        let details = stretches.into_iter().map(|(first, last)| {
            format!("blocks {first} to {last} were not begun: this process did not see them and no two operators tell of them")
        });
        let unsaid: Vec<String> = details.filter(|detail| !is_said(case, detail)).collect();
        unsaid.into_iter().filter_map(|detail| self.unbegun(chain, case, MissCause::UnknownBlock, detail)).collect()
    }

    /// Says once that an incident has more blocks than are begun.
    pub(super) fn beyond(
        &mut self,
        chain: ChainId,
        case: &Case<'_>,
        beyond: &[(BlockRef, bool)],
    ) -> Option<EvidenceMissed> {
        let (block, _) = beyond.first()?;
        if !self.evidence.unbegun.full.insert(case.status.id) {
            return None;
        }
        let detail =
            format!("block {} and what comes after were not begun: {BEGUN_MAX} of one incident are", block.number);
        self.unbegun(chain, case, MissCause::OverBound, detail)
    }

    /// Says once that an asset has more accounts or slots than its evidence is about.
    pub(super) fn narrowed(&mut self, chain: ChainId, case: &Case<'_>, watched: &Watched) -> Option<EvidenceMissed> {
        let detail = watched.left_out()?;
        self.evidence.unbegun.narrowed.insert(case.status.id);
        if !self.evidence.unbegun.left_out.insert(case.status.id) || is_said(case, &detail) {
            return None;
        }
        self.unbegun(chain, case, MissCause::OverBound, detail)
    }

    /// Says once of each chain that a finding rests on beside the incident's own that nothing of it is taken. A `sister` rule's other
    /// deployment has an incident, and evidence, of its own.
    pub(super) fn elsewhere(&mut self, chain: ChainId, case: &Case<'_>) -> Vec<EvidenceMissed> {
        let elsewhere = |event: &&Verified<Event>| match &event.body {
            Body::Finding(finding) => finding.figures.get("elsewhere_chain")?.parse().ok().map(ChainId::new),
            _ => None,
        };
        let chains: BTreeSet<ChainId> = case.own.iter().filter_map(elsewhere).filter(|on| *on != chain).collect();
        if chains.is_empty() {
            return Vec::new();
        }
        self.evidence.unbegun.narrowed.insert(case.status.id);
        let said = &mut self.evidence.unbegun.elsewhere;
        let fresh = chains.into_iter().filter(|on| said.insert((case.status.id, *on)));
        let details = fresh.map(|on| format!("a finding rests on chain {on} too, of which nothing is collected"));
        let unsaid: Vec<String> = details.filter(|detail| !is_said(case, detail)).collect();
        unsaid.into_iter().filter_map(|detail| self.unbegun(chain, case, MissCause::Unsupported, detail)).collect()
    }

    fn unbegun(&self, chain: ChainId, case: &Case<'_>, cause: MissCause, detail: String) -> Option<EvidenceMissed> {
        Some(EvidenceMissed {
            incident: case.status.id,
            asset: case.status.asset.clone(),
            kind: EvidenceKind::Block,
            // Of a block that nobody tells of no hash is known: the place is the head at which it was missed.
            block: self.chains.get(&chain)?.head?.0,
            operator: None,
            object: None,
            cause,
            attempts: 0,
            detail,
            custody: self.custody(chain),
        })
    }
}

/// Whether this member said anything of that block of the incident.
fn taken(case: &Case<'_>, number: u64) -> bool {
    case.own.iter().any(|event| match &event.body {
        Body::EvidenceCollected(collected) => collected.items.iter().any(|item| item.block.number == number),
        Body::EvidenceMissed(missed) => missed.operator.is_some() && missed.block.number == number,
        _ => false,
    })
}

fn is_said(case: &Case<'_>, detail: &str) -> bool {
    case.own.iter().any(|event| matches!(&event.body, Body::EvidenceMissed(missed) if missed.detail == detail))
}

/// Numbers in ascending order as stretches without a gap, both ends included.
fn stretches(numbers: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => stretches.push((number, number)),
        }
    }
    stretches
}
