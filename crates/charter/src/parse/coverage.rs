//! What hangs on several parts of the document: whether each asset can be contained and brought back, whether what is detected votes for
//! anything, and whether what it takes to detect it fits a node.

use std::collections::BTreeMap;

use watchfire_types::bounds::BACKFILL_BLOCKS_MAX;
use watchfire_types::{AssetId, DetectorId, Severity};

use super::actions::Context;
use super::playbooks::{CONTAINMENT_FAILED, Playbooks, Postcondition};
use crate::model::{Asset, Class, Detector, Finality, Playbook, PlaybookPurpose, Trigger, Watch};
use crate::reader::Log;

/// Checks all of it.
pub(crate) fn check(log: &Log, context: &Context<'_>, assets: &BTreeMap<AssetId, Asset>, playbooks: &Playbooks) {
    aims(log, context, playbooks);
    opposites(log, playbooks);
    for (id, detector) in context.detectors {
        idle(log, context, playbooks, id, detector);
        backfilled(log, context, assets, id, detector);
        elsewhere(log, context, assets, id, detector);
    }
    failures(log, context, playbooks);
}

/// Says which assets nobody can contain or nobody can bring back.
fn aims(log: &Log, context: &Context<'_>, playbooks: &Playbooks) {
    for (asset, at) in &context.declared.assets {
        let aimed = |purpose| playbooks.aims.contains(&(asset.clone(), purpose));
        if !aimed(PlaybookPurpose::Contain) {
            log.warn(at, "not-contained", format!("no playbook contains {asset}"), "add one with purpose contain");
        } else if !aimed(PlaybookPurpose::Recover) {
            let message = format!("{asset} can be contained, but no playbook recovers it");
            log.warn(at, "no-recovery", message, "add one with purpose recover");
        }
    }
}

/// What holds after a containment and after a recovery of one asset cannot be the same: one of them would never be done, or always.
fn opposites(log: &Log, playbooks: &Playbooks) {
    let of = |purpose| playbooks.postconditions.iter().filter(move |postcondition| postcondition.purpose == purpose);
    for contained in of(PlaybookPurpose::Contain) {
        let same = |other: &&Postcondition| {
            let (one, two) = (&contained.condition, &other.condition);
            (&contained.asset, contained.chain, &one.read, &one.equals)
                == (&other.asset, other.chain, &two.read, &two.equals)
        };
        if let Some(recovered) = of(PlaybookPurpose::Recover).find(same) {
            let (text, at) = (&contained.condition.text, &recovered.at);
            let message =
                format!("{text} is expected to answer the same after the recovery at line {} ({})", at.line, at.key);
            let remedy = "expect opposite answers of containment and recovery";
            log.fault(&contained.at, "inverted-postcondition", message, remedy);
        }
    }
}

/// The playbooks that contain an asset.
fn containing<'a>(playbooks: &'a Playbooks, asset: &'a AssetId) -> impl Iterator<Item = &'a Playbook> {
    let contains = move |playbook: &&Playbook| playbook.purpose == PlaybookPurpose::Contain && playbook.asset == *asset;
    playbooks.playbooks.values().filter(contains)
}

/// Says which detectors vote for nothing. Where nothing contains the asset that is said once, of the asset.
fn idle(log: &Log, context: &Context<'_>, playbooks: &Playbooks, id: &DetectorId, detector: &Detector) {
    let mut containing = containing(playbooks, &detector.asset).peekable();
    let votes = containing.peek().is_some() && detector.class == Class::Decisive;
    let Some(at) = context.declared.detectors.get(id).filter(|_| votes) else { return };
    if !containing.any(|playbook| playbook.triggers.iter().any(|trigger| trigger.matches(id, detector))) {
        let (kind, severity) = (detector.watch.kind(), detector.severity);
        let message = format!(
            "no trigger takes a finding of kind {kind} at {severity} on {}: it votes for nothing",
            detector.asset
        );
        log.warn(at, "idle-detector", message, "add the kind to a trigger, or lower the severity that one asks for");
    }
}

/// Says where a ladder has a next step and nothing takes it when the one before did not help.
fn failures(log: &Log, context: &Context<'_>, playbooks: &Playbooks) {
    for (asset, at) in &context.declared.assets {
        let flows = |(_, detector): &(&DetectorId, &Detector)| {
            let flow = matches!(detector.watch, Watch::Outflow { .. });
            detector.asset == *asset && flow && detector.class == Class::Decisive
        };
        let flows: Vec<_> = context.detectors.iter().filter(flows).map(|(id, _)| id).collect();
        let takes = |playbook: &Playbook| {
            let takes = |trigger: &Trigger| {
                flows.iter().any(|id| trigger.matches_finding(id, CONTAINMENT_FAILED, Severity::Sev1))
            };
            playbook.triggers.iter().any(takes)
        };
        let ladder = containing(playbooks, asset).any(|playbook| playbook.steps.len() > 1);
        if ladder && !flows.is_empty() && !containing(playbooks, asset).any(takes) {
            let message = format!(
                "no trigger takes {CONTAINMENT_FAILED}: an outflow that goes on after a step of {asset} votes for no wider one"
            );
            log.warn(at, "idle-detector", message, "add containment-failed to the kinds of the widest step's trigger");
        }
    }
}

/// Says what a rule that looks at another asset cannot find: of one chain, what no finding can raise, and what is asked for before it can be known.
fn elsewhere(
    log: &Log,
    context: &Context<'_>,
    assets: &BTreeMap<AssetId, Asset>,
    id: &DetectorId,
    detector: &Detector,
) {
    let other = detector.watch.elsewhere().map(|(other, _)| other);
    let chain = |asset| assets.get(asset).map(|asset| asset.chain);
    let (Some(other), Some(at)) = (other, context.declared.detectors.get(id)) else { return };
    let (Some(own), Some(far)) = (chain(&detector.asset), chain(other)) else { return };
    let lag_s = match &detector.watch {
        Watch::CrossChain(_) | Watch::Release(_) if own == far => {
            let message = format!("{} and {other} are both on chain {own}", detector.asset);
            log.fault(at, "same-chain", message, "write kind = \"invariant\", which compares within each block");
            return;
        }
        Watch::CrossChain(cross) => cross.lag_s.saturating_sub(cross.skew_s),
        Watch::Release(release) => release.lag_s.saturating_sub(release.skew_s),
        Watch::Sister(sister) => {
            if sister.sources(context.detectors).next().is_none() {
                let message =
                    format!("no rule of {other} that may vote finds anything of these kinds: it raises nothing");
                log.warn(at, "idle-detector", message, "write a decisive rule of that asset, or other kinds");
            }
            if own == far {
                return;
            }
            sister.lag_s
        }
        _ => return,
    };
    let Some(chain) = context.chains.chains.get(&far) else { return };
    let depth = match (&detector.watch, chain.finality) {
        (Watch::CrossChain(_) | Watch::Release(_), Finality::Depth(depth)) => depth,
        _ => 0,
    };
    let least_ms = depth.saturating_add(2).saturating_mul(chain.block_time_ms);
    if lag_s.saturating_mul(1000) < least_ms {
        let message = format!("{lag_s} s back chain {far} is mostly not known yet: it would seldom be judged");
        let remedy = format!("make lag_s at least {} s longer", least_ms.div_ceil(1000).saturating_sub(lag_s));
        log.warn(at, "always-behind", message, remedy);
    }
}

/// Says which detectors look further back than a node reads when it starts.
fn backfilled(
    log: &Log,
    context: &Context<'_>,
    assets: &BTreeMap<AssetId, Asset>,
    id: &DetectorId,
    detector: &Detector,
) {
    let Some(at) = context.declared.detectors.get(id) else { return };
    let elsewhere = detector.watch.elsewhere().map(|(elsewhere, _)| elsewhere);
    let both = [Some(&detector.asset), elsewhere].into_iter().flatten();
    let chains = both.filter_map(|asset| context.chains.chains.get(&assets.get(asset)?.chain));
    let Some(chain) = chains.min_by_key(|chain| chain.block_time_ms) else { return };
    let span_s = detector.watch.span_s();
    let blocks = span_s.saturating_mul(1000) / chain.block_time_ms.max(1);
    if blocks > BACKFILL_BLOCKS_MAX {
        let most_s = BACKFILL_BLOCKS_MAX.saturating_mul(chain.block_time_ms) / 1000;
        let message = format!(
            "{span_s} s are {blocks} blocks of {} ms: a node that starts reads {BACKFILL_BLOCKS_MAX} back",
            chain.block_time_ms
        );
        log.warn(
            at,
            "beyond-backfill",
            message,
            format!("shorten it to {most_s} s, or know that a restart forgets the rest"),
        );
    }
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
