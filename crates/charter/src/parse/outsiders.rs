//! Automatic containment that an outsider can set off with funds of their own: whoever can pause a protocol for the price of a withdrawal
//! will, once that pays.

use std::collections::BTreeSet;

use watchfire_types::{DetectorId, PlaybookId};

use super::actions::Context;
use super::playbooks::Playbooks;
use crate::expression::Subject;
use crate::model::{Detector, Mode, Playbook, PlaybookPurpose, Watch};
use crate::reader::Log;

/// Events by which contracts tell that authority over them changed: none of them can be had for money. OpenZeppelin `Ownable`,
/// `AccessControl`, `Initializable` and `TimelockController`, EIP-1967, EIP-2535, Safe 1.3.0 to 1.5.0, Aave v3's provider, Compound v2.
const AUTHORITY: &[&str] = &[
    "OwnershipTransferred(address,address)",
    "OwnershipTransferStarted(address,address)",
    "RoleGranted(bytes32,address,address)",
    "RoleAdminChanged(bytes32,bytes32,bytes32)",
    "Upgraded(address)",
    "AdminChanged(address,address)",
    "BeaconUpgraded(address)",
    "Initialized(uint8)",
    "Initialized(uint64)",
    "DiamondCut((address,uint8,bytes4[])[],address,bytes)",
    "AddedOwner(address)",
    "RemovedOwner(address)",
    "ChangedThreshold(uint256)",
    "EnabledModule(address)",
    "DisabledModule(address)",
    "ChangedGuard(address)",
    "ChangedModuleGuard(address)",
    "ChangedFallbackHandler(address)",
    "ChangedMasterCopy(address)",
    "MinDelayChange(uint256,uint256)",
    "PriceOracleUpdated(address,address)",
    "ACLManagerUpdated(address,address)",
    "ACLAdminUpdated(address,address)",
    "PoolUpdated(address,address)",
    "PoolConfiguratorUpdated(address,address)",
    "NewPriceOracle(address,address)",
    "NewAdmin(address,address)",
    "NewImplementation(address,address)",
];

/// Says of each automatic containment playbook which single findings an outsider can cause.
pub(super) fn check(log: &Log, context: &Context<'_>, playbooks: &Playbooks) {
    for (id, playbook) in &playbooks.playbooks {
        if playbook.purpose == PlaybookPurpose::Contain && playbook.mode == Mode::Auto {
            of_playbook(log, context, id, playbook);
        }
    }
}

fn of_playbook(log: &Log, context: &Context<'_>, id: &PlaybookId, playbook: &Playbook) {
    let triggers = |(id, detector): &(&DetectorId, &Detector)| {
        detector.asset == playbook.asset && playbook.triggers.iter().any(|trigger| trigger.matches(id, detector))
    };
    let reasons = context.detectors.iter().filter(triggers).filter_map(|(id, detector)| {
        let reason = reason(&detector.watch)?;
        Some(format!("{id} ({reason})"))
    });
    let reasons: BTreeSet<String> = reasons.collect();
    let Some(at) = context.declared.playbooks.get(id).filter(|_| !reasons.is_empty()) else { return };
    let named = reasons.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more = reasons.len().saturating_sub(4);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("anybody can set {id} off alone, with funds of their own, by {named}{more}");
    let remedy = "vote on a broken invariant or an unannounced authority change, give these class = \"context\", or write \
                  mode = \"propose\" so that people wait for two independent kinds";
    log.warn(at, "outsider-can-trigger", message, remedy);
}

/// How an outsider causes such a finding; `None` where money alone does not.
fn reason(watch: &Watch) -> Option<&'static str> {
    match watch {
        Watch::Outflow { limit: Some(_), .. } => Some("an outflow above an absolute amount"),
        Watch::Event { event, .. } if !AUTHORITY.contains(&event.as_str()) => Some("an event"),
        Watch::Leap { .. } => Some("a leap of a number"),
        Watch::ApprovalDrain { .. } => Some("transfers of many accounts to one"),
        Watch::Expression { over, .. } => Some(match over {
            Subject::Event { .. } => "an expression over an event",
            Subject::Call { .. } => "an expression over a call, which may even fail",
            Subject::Transaction => "an expression over a transaction, which may even fail",
        }),
        Watch::Outflow { limit: None, .. }
        | Watch::Event { .. }
        | Watch::State { .. }
        | Watch::Invariant { .. }
        | Watch::Stale { .. } => None,
    }
}

#[cfg(test)]
#[path = "outsiders_tests.rs"]
mod tests;
