//! Promotions: whose word that a rule may vote by itself again counts, and what a human's act at this node becomes.

use watchfire_charter::Charter;
use watchfire_types::body::{Body, Human, PromotionSupported};
use watchfire_types::{DetectorId, MemberKey};

use crate::ledger;
use crate::machine::Machine;
use crate::rejection::Rejection;

/// Whether a member's word that a rule be promoted counts: from its bytes and the charter alone.
pub(crate) fn check(charter: &Charter, author: &MemberKey, said: &PromotionSupported) -> Result<(), &'static str> {
    if said.version != charter.version {
        return Err("another charter version");
    }
    let (_, member) = charter.member_by_key(author).ok_or("author is no member")?;
    if !member.votes() {
        return Err("author is a watcher");
    }
    if !member.operators.contains(&said.operator) {
        return Err("operator label is not the author's");
    }
    let asset = charter.assets.get(&said.asset).ok_or("unknown asset")?;
    if charter.detectors.get(&said.detector).is_none_or(|detector| detector.asset != said.asset) {
        return Err("the asset has no such rule");
    }
    if said.head.chain != asset.chain {
        return Err("the head is not on the asset's chain");
    }
    if said.through > said.head.time {
        return Err("it forgives what is still to come");
    }
    Ok(())
}

/// A human's word that a rule may vote by itself again: about the newest incident for which it may not.
pub(crate) fn support(machine: &Machine, detector: &DetectorId, human: &Human) -> Result<Body, Rejection> {
    if !machine.own.entry.votes() {
        return Err(Rejection::NotVoting);
    }
    let rule = machine.charter.detectors.get(detector);
    let asset = rule.map(|rule| &rule.asset).ok_or_else(|| Rejection::UnknownRule { rule: detector.clone() })?;
    let chain = machine.charter.assets.get(asset).map(|asset| asset.chain);
    let chain = chain.ok_or_else(|| Rejection::UnknownAsset { asset: asset.clone() })?;
    let head = machine.view.head(chain).ok_or(Rejection::NoHead { chain })?;
    if machine.own.entry.operators.is_empty() {
        return Err(Rejection::NoOperator);
    }
    let label = machine.view.label(&machine.own.entry.operators, &head);
    let operator = label.ok_or(Rejection::NotVouched { number: head.number })?;
    let demotions = ledger::demotions(machine, asset).into_iter().filter(|demotion| demotion.detector == *detector);
    let newest = demotions.map(|demotion| demotion.closed_at).max();
    let refused = |why| Rejection::PromotionRefused { why };
    let through = newest.ok_or(refused("the rule is not demoted; see `watchfire rules stats`"))?;
    let supporters = machine.shared.derived.promotions.supporters(asset, detector, through);
    if supporters.contains_key(machine.own.organisation()) {
        return Err(refused(
            "this organisation supports it already; others have to as well, see `watchfire rules stats`",
        ));
    }
    let (asset, detector) = (asset.clone(), detector.clone());
    let version = machine.charter.version;
    let said = PromotionSupported { version, asset, detector, through, operator, head, human: human.clone() };
    check(&machine.charter, &machine.own.key(), &said).map_err(refused)?;
    Ok(Body::PromotionSupported(said))
}
