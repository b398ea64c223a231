//! What detectors of one chain hear of the others.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use watchfire_charter::{Charter, Watch};
use watchfire_types::body::Finding;
use watchfire_types::{BlockRef, BlockView, ChainId, Read};

use super::watching::comparison;
use super::{Detectors, Watching};
use crate::sister::code_read;

/// What rules ask of a chain that is not their asset's.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) reads: BTreeSet<Read>,
    /// Events of its contracts, each by its first topic.
    pub(super) keys: BTreeSet<(Address, B256)>,
    /// How far they look back, seconds of block time.
    pub(super) span_s: u64,
}

impl Asked {
    pub(super) fn of(charter: &Charter, chain: ChainId) -> Self {
        let mut asked = Self::default();
        for detector in charter.detectors.values() {
            let elsewhere = detector.watch.elsewhere().and_then(|(asset, _)| charter.assets.get(asset));
            let own =
                charter.assets.get(&detector.asset).filter(|_| elsewhere.is_some_and(|there| there.chain == chain));
            let Some(own) = own else { continue };
            asked.span_s = asked.span_s.max(detector.watch.span_s());
            match &detector.watch {
                Watch::Sister(rule) => drop(asked.reads.insert(code_read(rule.elsewhere_contract))),
                Watch::CrossChain(rule) => asked.reads.extend(comparison(rule, own, charter).right_reads().cloned()),
                Watch::Release(rule) => {
                    let topic = rule.elsewhere_event.topic();
                    asked.keys.extend(topic.map(|topic| (rule.elsewhere_address, topic)));
                }
                _ => {}
            }
        }
        asked
    }
}

impl Detectors {
    /// Takes a canonical block of any chain with what stands at it, after [`Self::observe`] of it: rules that look at another chain, or at another
    /// asset of this one, judge their next blocks by it. A reorg takes it back by [`Self::rollback`] with a block of that chain.
    pub fn hear(&mut self, view: &BlockView, standing: &[Finding]) {
        for rule in &mut self.rules {
            match &mut rule.watching {
                Watching::Sister(watch) => watch.hear(view, standing),
                Watching::Cross(watch) => watch.hear(view),
                Watching::Release(watch) => watch.hear(view),
                _ => {}
            }
        }
    }

    /// Takes that a block of any chain, and all before it, is final.
    pub fn hear_final(&mut self, block: &BlockRef) {
        for rule in &mut self.rules {
            match &mut rule.watching {
                Watching::Cross(watch) => watch.hear_final(block),
                Watching::Release(watch) => watch.hear_final(block),
                _ => {}
            }
        }
    }

    pub(super) fn unhear(&mut self, to: &BlockRef) {
        for rule in &mut self.rules {
            match &mut rule.watching {
                Watching::Sister(watch) => watch.rollback(to),
                Watching::Cross(watch) => watch.rollback(to),
                Watching::Release(watch) => watch.rollback(to),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "elsewhere_tests.rs"]
mod tests;
