//! Finds something at every block.

use std::collections::BTreeMap;

use watchfire_types::body::{Basis, Finding, Vote};
use watchfire_types::{Body, Severity};

use super::forge::{Forge, decision};
use super::{Adversary, Scene};

/// A false finding of the highest severity and an automatic vote on it at every block, so that every budget and patience of the others that
/// hangs on its word would be spent before the attack.
#[derive(Debug)]
pub(super) struct BudgetBurner {
    forge: Forge,
}

impl BudgetBurner {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for BudgetBurner {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let Some(decision) = decision(scene.cast) else { return };
        let Some(detector) = scene.cast.charter.detectors.keys().next().cloned() else { return };
        let block = scene.chain.head().at;
        let finding = Finding {
            asset: decision.asset.clone(),
            detector,
            kind: "outflow".to_owned(),
            severity: Severity::Sev1,
            first: block,
            block,
            explanation: "everything is gone".to_owned(),
            figures: BTreeMap::new(),
        };
        let mut told = self.forge.make(scene.cast, scene.clock, Body::Finding(finding));
        if let Some(Body::Vote(vote)) = self.forge.vote(scene.cast, 2, block) {
            let vote = Vote { basis: Basis::Finding(self.forge.last()), ..vote };
            told.extend(self.forge.make(scene.cast, scene.clock, Body::Vote(vote)));
        }
        for bytes in told {
            scene.tell_all(&bytes);
        }
    }
}
