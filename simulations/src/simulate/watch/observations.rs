//! S7: findings follow the chain that a node was shown. None is missed, none is said twice, and what a reorg took is taken back.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::{Body, Finding};
use watchfire_types::{AssetId, B256, BlockRef, DetectorId, Event, EventHash, Severity, Verified};

use super::{Kind, Known, Watch};
use crate::simulate::cast::Cast;

/// What a finding is of: whoever says the same again says it twice.
type Of = (AssetId, DetectorId, B256, String);

fn of(finding: &Finding) -> Of {
    (finding.asset.clone(), finding.detector.clone(), finding.first.hash, finding.kind.clone())
}

/// What a node's log says that it observed, and what it took back.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    findings: BTreeMap<Of, BTreeMap<EventHash, (Severity, BlockRef)>>,
    retracted: BTreeSet<EventHash>,
}

impl Observed {
    fn standing(&self, of: &Of) -> impl Iterator<Item = (Severity, BlockRef)> {
        let said = self.findings.get(of).into_iter().flatten();
        said.filter(|(hash, _)| !self.retracted.contains(*hash)).map(|(_, said)| *said)
    }

    /// Whether the same rule's finding of the same kind was said before it, and stands.
    fn stood_before(&self, finding: &Finding) -> bool {
        let alike = |(asset, detector, _, kind): &Of| {
            (asset, detector, kind) == (&finding.asset, &finding.detector, &finding.kind)
        };
        let mut before = self.findings.keys().filter(|of| alike(of)).flat_map(|of| self.standing(of));
        before.any(|(severity, at)| severity >= finding.severity && at.number < finding.first.number)
    }
}

impl Known {
    /// Takes up an event of this node's own author, of whichever life.
    pub(super) fn observe(&mut self, event: &Verified<Event>) {
        match &event.body {
            Body::Finding(finding) => {
                let said = self.observed.findings.entry(of(finding)).or_default();
                said.insert(event.hash(), (finding.severity, finding.block));
            }
            Body::Retracted(retracted) => drop(self.observed.retracted.insert(retracted.event)),
            _ => {}
        }
    }
}

impl Watch {
    /// An honest node's own author said something, in this life or in an earlier one.
    pub(super) fn observed(&mut self, cast: &Cast, place: usize, event: &Verified<Event>, now_living: bool) {
        let known = &mut self.known[place];
        let twice = match &event.body {
            Body::Finding(finding) if now_living => {
                known.observed.standing(&of(finding)).any(|(severity, _)| severity >= finding.severity)
            }
            _ => false,
        };
        known.observe(event);
        self.unsafe_if(twice, "S7", || format!("{} found the same twice", cast.players[place].member));
    }

    /// What the detectors of an honest node say at a block that it was shown, once it had a turn to write it down; `returned` is what its log
    /// has of its earlier lives and did not show yet.
    pub(crate) fn stands(
        &mut self,
        cast: &Cast,
        place: usize,
        at: &BlockRef,
        standing: &[Finding],
        returned: &[Verified<Event>],
    ) {
        let known = &self.known[place];
        let said = |finding: &&Finding| {
            let again = || known.began == Some(finding.first) && known.observed.stood_before(finding);
            let before = returned.iter().any(|event| match &event.body {
                Body::Finding(said) => of(said) == of(finding) && said.severity >= finding.severity,
                _ => false,
            });
            known.observed.standing(&of(finding)).any(|(severity, _)| severity >= finding.severity) || again() || before
        };
        let missed = standing.iter().find(|finding| !said(finding));
        let missed = missed.map(|finding| {
            let member = &cast.players[place].member;
            format!("{member} did not say what {} found at block {}", finding.detector, at.number)
        });
        if let Some(detail) = missed.filter(|_| cast.honest(place)) {
            self.breach("S7", Kind::Safety, detail);
        }
    }

    /// At the end: what a living honest node still says is of the chain that it was shown, as far as that reaches.
    pub(crate) fn orphaned(&mut self, cast: &Cast, place: usize, head: &B256) {
        let known = &self.known[place];
        let branch: BTreeMap<u64, B256> = known.branch(head).map(|sight| (sight.at.number, sight.at.hash)).collect();
        let standing = known.observed.findings.keys().flat_map(|of| known.observed.standing(of));
        let gone = standing
            .map(|(_, block)| block)
            .find(|block| branch.get(&block.number).is_some_and(|canonical| *canonical != block.hash));
        let gone = gone.map(|block| {
            let (member, number) = (&cast.players[place].member, block.number);
            format!("{member} found something at block {number} that a reorg took, and did not take it back")
        });
        if let Some(detail) = gone {
            self.breach("S7", Kind::Safety, detail);
        }
    }
}
