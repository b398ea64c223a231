//! S1 and S3: what a Safe transaction does, read from its calls alone, and whether an executed one had a certificate.

use alloy_primitives::Address;
use watchfire_types::body::Purpose;
use watchfire_types::{BlockRef, Operation, PlaybookId, SafeTransaction, StepIndex, U256};

use super::Watch;
use crate::simulate::cast::{CHAIN, Cast, SAFE_VERSION};
use crate::simulate::chain::state::unpack;

/// What a Safe transaction asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Some calls of these steps, and nothing else.
    Steps(Vec<(PlaybookId, StepIndex)>),
    /// Nothing: it consumes its nonce.
    Rejection,
    /// Something that no playbook has.
    Foreign,
}

/// The calls that a transaction makes, none where it only consumes its nonce; `None` where it asks for anything else.
pub(super) fn calls(cast: &Cast, transaction: &SafeTransaction) -> Option<Vec<(Address, Vec<u8>)>> {
    let plain = transaction.value == U256::ZERO
        && transaction.safe_tx_gas == U256::ZERO
        && transaction.gas_price == U256::ZERO
        && transaction.base_gas == U256::ZERO
        && transaction.gas_token == Address::ZERO
        && transaction.refund_receiver == Address::ZERO;
    match transaction.operation {
        _ if !plain => None,
        Operation::Call if transaction.to == cast.safe && transaction.data.is_empty() => Some(Vec::new()),
        Operation::Call => Some(vec![(transaction.to, transaction.data.to_vec())]),
        Operation::DelegateCall if transaction.to == cast.multi_send => {
            unpack(&transaction.data).filter(|calls| !calls.is_empty())
        }
        Operation::DelegateCall => None,
    }
}

/// Reads a transaction.
pub(crate) fn asked(cast: &Cast, transaction: &SafeTransaction) -> Asked {
    let Some(calls) = calls(cast, transaction) else { return Asked::Foreign };
    if calls.is_empty() {
        return Asked::Rejection;
    }
    let mut steps = Vec::new();
    for (id, playbook) in &cast.charter.playbooks {
        for (step, rung) in playbook.steps_indexed() {
            // In charter order, some left out.
            let mut actions = rung.actions.iter();
            let within = calls
                .iter()
                .all(|(to, data)| actions.any(|action| action.target == *to && action.calldata[..] == data[..]));
            if within {
                steps.push((id.clone(), step));
            }
        }
    }
    if steps.is_empty() { Asked::Foreign } else { Asked::Steps(steps) }
}

impl Watch {
    /// The Safe executed something: if an honest guardian's driver signed it, an honest log has what authorises it.
    pub(super) fn executed(&mut self, cast: &Cast, transaction: &SafeTransaction, at: &BlockRef) {
        let hash = transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
        let honest: Vec<usize> = (0..self.known.len()).filter(|place| cast.honest(*place)).collect();
        if !honest.iter().any(|place| self.known[*place].signed.borrow().contains(&hash)) {
            return;
        }
        match asked(cast, transaction) {
            Asked::Rejection => {}
            Asked::Foreign => {
                let detail = format!("block {}: the Safe executed {hash}, which is of no playbook", at.number);
                self.unsafe_if(true, "S1", || detail);
            }
            Asked::Steps(steps) => {
                let certified = honest.iter().flat_map(|place| self.known[*place].certificates.values()).any(|held| {
                    let Purpose::Step(certified) = held.purpose else { return false };
                    let covers =
                        |(id, step): &(PlaybookId, StepIndex)| held.decision.playbook == *id && certified >= *step;
                    steps.iter().any(covers) && super::certificates::is_valid(cast, held)
                });
                self.unsafe_if(!certified, "S1", || {
                    format!(
                        "block {}: the Safe executed {hash} and no honest log holds a certificate for it",
                        at.number
                    )
                });
            }
        }
    }
}
