//! The line a person wants first: can this network pause this asset now?

use std::collections::BTreeSet;

use watchfire_charter::Charter;
use watchfire_types::control::CanPause;
use watchfire_types::{AssetId, MemberId, OperatorId, OrganisationId};

/// Least gas that a pause through a Safe is reckoned with, for the estimate of how many are paid for.
const PAUSE_GAS: u128 = 300_000;
/// What a Safe adds to the calls that it makes: `execTransaction` with a dozen signatures, and MultiSend.
const SAFE_GAS: u128 = 200_000;

/// What the verdict rests on.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) charter: &'a Charter,
    pub(super) asset: &'a AssetId,
    /// Members that are live, this one included.
    pub(super) live: BTreeSet<MemberId>,
    /// Those of them that say that they could pause it.
    pub(super) able: BTreeSet<MemberId>,
    /// Why this node could not pause it, if it could not.
    pub(super) refuted: Option<String>,
    /// Why it is not sure that it could: not simulated, something changed unnoticed, no word of this node counts.
    pub(super) doubt: Option<String>,
    /// What this node says of its last simulation.
    pub(super) simulated: String,
    /// Wei of the live submitters, the richest of them.
    pub(super) balance: Option<u128>,
    /// Base fee of the asset's chain, wei per gas.
    pub(super) base_fee: Option<u128>,
    /// What it means that rules ask people instead of voting, if any do.
    pub(super) asks: Option<String>,
    /// Gas of the widest step's calls as the operators estimate them, where they do.
    pub(super) gas: Option<u64>,
    /// Whether this node follows the chain, up to a fresh head.
    pub(super) ready: bool,
}

/// The verdict with its line.
pub(super) fn judge(facts: &Facts<'_>) -> (CanPause, String) {
    let Counted { live, able, organisations, needed, met, spare, safe, key } = count(facts);
    let funds = pauses(facts);
    let (can_pause, why) = if !facts.ready {
        (CanPause::No, Some("this node does not follow the chain now".to_owned()))
    } else if let Some(refuted) = &facts.refuted {
        (CanPause::No, Some(refuted.clone()))
    } else if !met {
        let why = if live > able { format!("only {able} say that they could") } else { "too few live".to_owned() };
        (CanPause::No, Some(why))
    } else if funds == Some(0) {
        (CanPause::No, Some("no known submitter can pay for a pause at 10x fee".to_owned()))
    } else if let Some(doubt) = &facts.doubt {
        (CanPause::AtRisk, Some(doubt.clone()))
    } else if spare == 0 {
        (CanPause::AtRisk, Some("one more loss and it cannot".to_owned()))
    } else if funds.is_none() {
        (CanPause::AtRisk, Some("the submitters' balances are not known".to_owned()))
    } else {
        (CanPause::Yes, None)
    };
    let answer = match can_pause {
        CanPause::Yes => "yes",
        CanPause::AtRisk => "at risk",
        CanPause::No => "NO",
    };
    let because = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let funds =
        funds.map_or_else(|| "funds unknown".to_owned(), |count| format!("funds for {count} pauses at 10x fee"));
    let key = if key { "" } else { ", roles or operators short" };
    let asks = facts.asks.as_ref().map(|asks| format!("; {asks}")).unwrap_or_default();
    let line = format!(
        "CAN PAUSE {}: {answer}{because}. {live} of {organisations} live ({needed} needed, spare {spare}{key}), {safe}, {}, {funds}{asks}",
        facts.asset, facts.simulated
    );
    (can_pause, line)
}

struct Counted {
    live: usize,
    able: usize,
    organisations: usize,
    needed: usize,
    met: bool,
    spare: usize,
    safe: String,
    /// Whether roles and operators are enough, beside the number of organisations.
    key: bool,
}

/// Counts organisations that are able and their operators against the rule of every containment playbook that a finding could choose, and the thresholds
/// of the Safes that these act through.
fn count(facts: &Facts<'_>) -> Counted {
    let charter = facts.charter;
    let voting = |ids: &BTreeSet<MemberId>| -> Vec<&watchfire_charter::Member> {
        ids.iter().filter_map(|id| charter.members.get(id)).filter(|member| member.votes()).collect()
    };
    let live: BTreeSet<_> = voting(&facts.live).into_iter().map(|member| &member.organisation).collect();
    let members = voting(&facts.able);
    let able: BTreeSet<&OrganisationId> = members.iter().map(|member| &member.organisation).collect();
    let votes: Vec<(&OrganisationId, &OperatorId)> = members
        .iter()
        .flat_map(|member| member.operators.iter().map(|operator| (&member.organisation, operator)))
        .collect();
    let playbooks = charter.containment_of(facts.asset);
    let rules: Vec<_> = playbooks.iter().map(|(_, playbook)| &playbook.rule).collect();
    let met = |votes: Vec<(&OrganisationId, &OperatorId)>| {
        !rules.is_empty() && rules.iter().all(|rule| rule.met_by(charter, votes.iter().copied()).is_reached())
    };
    let met_rule = met(votes.clone());
    // Numbers alone do not tell: the one that is lost may hold the role, or run the endpoint, that the rule asks for.
    let without = |gone: &dyn Fn(&OrganisationId, &OperatorId) -> bool| {
        met(votes.iter().copied().filter(|(organisation, operator)| !gone(organisation, operator)).collect())
    };
    let any_organisation = able.iter().all(|lost| without(&|organisation, _| organisation == *lost));
    let labels: BTreeSet<&OperatorId> = votes.iter().map(|(_, operator)| *operator).collect();
    let any_operator = labels.iter().all(|lost| without(&|_, operator| operator == *lost));
    let rule = rules.iter().map(|rule| usize::from(rule.organisations)).max().unwrap_or(1);
    let safes: BTreeSet<_> =
        playbooks.iter().flat_map(|(_, playbook)| playbook.actions()).map(|action| &action.safe).collect();
    let safes: Vec<_> = safes.into_iter().filter_map(|id| charter.safes.get(id)).collect();
    let threshold = safes.iter().map(|safe| usize::from(safe.threshold)).max().unwrap_or(0);
    // Owners beyond the charter sign nothing here, so only guardians that are able count towards the Safe.
    let signers = safes.iter().map(|safe| {
        let guardians = charter.guardians_of(safe);
        guardians.values().filter(|(id, _)| facts.able.contains(*id)).count()
    });
    let signers = signers.min().unwrap_or(0);
    let shown: Vec<_> =
        safes.iter().map(|safe| format!("Safe {} of {}", safe.threshold, charter.owners_of(safe).len())).collect();
    let shown = if shown.is_empty() { "no Safe".to_owned() } else { shown.join(" and ") };
    let needed = rule.max(threshold);
    let spare = if any_organisation && any_operator {
        able.len().saturating_sub(rule).min(signers.saturating_sub(threshold))
    } else {
        0
    };
    Counted {
        live: live.len(),
        able: able.len(),
        organisations: charter.voting_organisations().len(),
        needed,
        met: met_rule && signers >= threshold,
        spare,
        safe: shown,
        key: met_rule || able.len() < rule,
    }
}

fn pauses(facts: &Facts<'_>) -> Option<u128> {
    Some(paid_pauses(facts.balance?, facts.base_fee, facts.gas))
}

/// How many pauses a balance pays for at ten times the base fee, all in wei; `gas` is that of the calls alone.
pub(super) fn paid_pauses(balance: u128, base_fee: Option<u128>, gas: Option<u64>) -> u128 {
    // A chain without a base fee costs at least a gwei here.
    let fee = base_fee.unwrap_or(1_000_000_000).max(1).saturating_mul(10);
    let gas = gas.map_or(PAUSE_GAS, |gas| (u128::from(gas) + SAFE_GAS).max(PAUSE_GAS));
    balance / fee.saturating_mul(gas).max(1)
}

#[cfg(test)]
mod tests;
