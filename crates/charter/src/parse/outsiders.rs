//! Automatic containment that an outsider can set off with funds of their own: whoever can pause a protocol for the price of a withdrawal
//! will, once that pays.

use std::collections::BTreeSet;

use alloy_primitives::keccak256;
use watchfire_types::{DetectorId, PlaybookId, Read};

use super::actions::Context;
use super::playbooks::Playbooks;
use crate::expectation::StateExpectation;
use crate::expression::Subject;
use crate::model::{Detector, Mode, Playbook, PlaybookPurpose, Trigger, Watch};
use crate::privileged::by_topic;
use crate::reader::Log;
use crate::watch::is_balance;

/// Says of each automatic containment playbook which single findings an outsider can cause.
pub(super) fn check(log: &Log, context: &Context<'_>, playbooks: &Playbooks) {
    for (id, playbook) in &playbooks.playbooks {
        if playbook.purpose == PlaybookPurpose::Contain && playbook.mode == Mode::Auto {
            of_playbook(log, context, id, playbook);
        }
    }
}

fn of_playbook(log: &Log, context: &Context<'_>, id: &PlaybookId, playbook: &Playbook) {
    let of_asset = || context.detectors.iter().filter(|(_, detector)| detector.asset == playbook.asset);
    // Where several kinds have to stand together, money has to buy as many.
    let bought = |trigger: &Trigger| {
        let causes = of_asset()
            .filter(|(id, detector)| trigger.matches(id, detector) && reason(context, &detector.watch).is_some());
        let kinds: BTreeSet<&str> = causes.map(|(_, detector)| detector.watch.kind()).collect();
        trigger.together.is_none_or(|together| kinds.len() >= usize::from(together.kinds))
    };
    let triggers = |(id, detector): &(&DetectorId, &Detector)| {
        playbook.triggers.iter().any(|trigger| trigger.matches(id, detector) && bought(trigger))
    };
    let reasons = of_asset().filter(triggers).filter_map(|(id, detector)| {
        let reason = reason(context, &detector.watch)?;
        Some(format!("{id} ({reason})"))
    });
    let reasons: BTreeSet<String> = reasons.collect();
    let Some(at) = context.declared.playbooks.get(id).filter(|_| !reasons.is_empty()) else { return };
    let named = reasons.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more = reasons.len().saturating_sub(4);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("anybody can set {id} off alone, with funds of their own, by {named}{more}");
    let remedy = "vote on a broken invariant or an unannounced authority change, ask for two independent kinds (together = 2, within_s = 600 \
                  in the trigger), give these class = \"context\", or write mode = \"propose\"";
    log.warn(at, "outsider-can-trigger", message, remedy);
}

/// How an outsider causes such a finding; `None` where money alone does not.
fn reason(context: &Context<'_>, watch: &Watch) -> Option<&'static str> {
    match watch {
        Watch::Outflow { limit: Some(_), .. } => Some("an outflow above an absolute amount"),
        Watch::Outflow { limit: None, .. } => Some("an outflow of a share, where as much was put in before"),
        Watch::Invariant { left, compare, right, .. } => {
            compare.is_broken_by_gift(left, right).then_some("a gift to a balance that it compares")
        }
        Watch::Authority { mints: true, .. } => Some("a transfer from nobody, where a deposit mints"),
        Watch::Authority { functions, .. } if !functions.is_empty() => {
            Some("a call of a listed function, which may succeed and do nothing")
        }
        Watch::State { read, expect, .. } => of_view(read, expect),
        Watch::Event { topic, .. } if by_topic(topic).is_none() => Some("an event"),
        Watch::Leap { .. } => Some("a leap of a number"),
        Watch::ApprovalDrain { .. } => Some("transfers of many accounts to one"),
        Watch::Expression { over, .. } => Some(match over {
            Subject::Event { .. } => "an expression over an event",
            Subject::Call { .. } => "an expression over a call, which may even fail",
            Subject::Transaction => "an expression over a transaction, which may even fail",
        }),
        // None of these is a sister's rule in turn.
        Watch::Sister(sister) => {
            let mut sources = sister.sources(context.detectors);
            sources
                .any(|(_, source)| reason(context, &source.watch).is_some())
                .then_some("what an outsider causes at its sister")
        }
        Watch::CrossChain(cross) => cross.is_broken_by_gift().then_some("a gift to a balance that it compares"),
        Watch::Release(_) => Some("a message claimed later than within_s"),
        Watch::Governance(_) => Some("a proposal, with votes that are bought"),
        Watch::BorrowedVotes(_) => Some("a vote with a flash loan, even one that counts for nothing"),
        Watch::Event { .. }
        | Watch::Stale { .. }
        | Watch::SafeNonce { .. }
        | Watch::Authority { .. }
        | Watch::Rate(_)
        | Watch::Calls(_)
        | Watch::ThinMarket(_)
        | Watch::FreshCode(_) => None,
    }
}

/// Views of numbers that no trade changes: settings, and prices that others publish.
const NOT_MOVED: &[&str] = &[
    "cap()",
    "decimals()",
    "defaultAdminDelay()",
    "delay()",
    "getMinDelay()",
    "getThreshold()",
    "latestAnswer()",
    "latestRoundData()",
    "proposalThreshold()",
    "quorumNumerator()",
    "threshold()",
    "votingDelay()",
    "votingPeriod()",
];
/// Views that change with a trade, a deposit or a loan.
const MOVED: &[&str] = &[
    "allowance(address,address)",
    "availableLiquidity()",
    "convertToAssets(uint256)",
    "convertToShares(uint256)",
    "exchangeRateStored()",
    "getCash()",
    "getReserves()",
    "getTotalSupply()",
    "getUtilization()",
    "get_virtual_price()",
    "liquidity()",
    "pricePerShare()",
    "reserve0()",
    "reserve1()",
    "slot0()",
    "totalAssets()",
    "totalBorrow()",
    "totalBorrows()",
    "totalDebt()",
    "totalReserves()",
    "totalSupply()",
];

/// How an outsider moves what is read. A number within bounds is taken to be moved by whoever uses the contract, unless it is known that no trade does; what may
/// not change at all is taken to be set by authority, unless its name says otherwise.
fn of_view(read: &Read, expect: &StateExpectation) -> Option<&'static str> {
    if is_balance(read) {
        return Some("a gift to a balance that it reads");
    }
    let Read::Call { data, .. } = read else { return None };
    let is_one = |views: &[&str]| views.iter().any(|view| data.get(..4) == Some(&keccak256(view)[..4]));
    let moved = match expect {
        StateExpectation::Unchanged | StateExpectation::Equals(_) => is_one(MOVED),
        StateExpectation::Within { .. } | StateExpectation::Number { .. } => !is_one(NOT_MOVED),
    };
    moved.then_some("a view that a trade or a deposit moves")
}

#[cfg(test)]
#[path = "outsiders_tests.rs"]
mod tests;
