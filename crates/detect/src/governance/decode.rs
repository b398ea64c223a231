//! The calls in what governors and timelocks log.

use alloy_primitives::{B256, U256, b256};
use watchfire_charter::expression::NoAnswer;
use watchfire_types::Log;

use crate::abi::{Data, address};
use crate::nested::Call;

/// `ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)` of OpenZeppelin's Governor and of GovernorBravo, which
/// differ in where the function of a call is named: before its arguments, or as a text beside them.
pub(crate) const PROPOSAL_CREATED: B256 = b256!("7d84a6263ae0d98d3329bd7b46bb4e8d6f98cd35a7adb45c274c8b7fd5ebd5e0");
/// `CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)` of OpenZeppelin's TimelockController.
pub(crate) const CALL_SCHEDULED: B256 = b256!("4cf4410cc57040e44862ef0f45f3dd5a5e02db8eb8add648d4b0e236f1d07dca");
/// `QueueTransaction(bytes32,address,uint256,string,bytes,uint256)` of Compound's Timelock.
pub(crate) const QUEUE_TRANSACTION: B256 = b256!("76e2796dc3a81d57b0e8504b647febcbeeb5f4af818e164f11eef8131a6a763f");

/// What a log says will be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan<'a> {
    /// `proposal 12`, `operation 0x..`.
    pub(crate) name: String,
    pub(crate) calls: Vec<Call<'a>>,
}

/// The plan in a log of one of the three events; `None` for another log.
pub(crate) fn plan(log: &Log) -> Option<Result<Plan<'_>, NoAnswer>> {
    let data = Data(&log.data);
    match *log.topics.first()? {
        PROPOSAL_CREATED => Some(proposal(data)),
        CALL_SCHEDULED => Some(scheduled(log, data)),
        QUEUE_TRANSACTION => Some(queued(log, data)),
        _ => None,
    }
}

fn proposal(data: Data<'_>) -> Result<Plan<'_>, NoAnswer> {
    let name = format!("proposal {}", U256::from_be_bytes(*data.word(0)?));
    let targets = data.tail(2)?.list()?;
    let (signatures, inputs) = (data.tail(4)?.list()?, data.tail(5)?.list()?);
    let values = data.tail(3)?.list()?;
    if [signatures.count, inputs.count, values.count].iter().any(|count| *count != targets.count) {
        return Err(NoAnswer::Undecodable);
    }
    let call = |at| {
        let (signature, input) = (signatures.items.tail(at)?.bytes()?, inputs.items.tail(at)?.bytes()?);
        Call::named(targets.items.address(at)?, signature, input)
    };
    let calls = (0..targets.count).map(call).collect::<Result<_, _>>()?;
    Ok(Plan { name, calls })
}

fn scheduled<'a>(log: &'a Log, data: Data<'a>) -> Result<Plan<'a>, NoAnswer> {
    let id = log.topics.get(1).ok_or(NoAnswer::Undecodable)?;
    let call = Call::of(data.address(0)?, data.tail(2)?.bytes()?);
    Ok(Plan { name: format!("operation {id}"), calls: vec![call] })
}

fn queued<'a>(log: &'a Log, data: Data<'a>) -> Result<Plan<'a>, NoAnswer> {
    let id = log.topics.get(1).ok_or(NoAnswer::Undecodable)?;
    let target = log.topics.get(2).ok_or(NoAnswer::Undecodable)?;
    let call =
        Call::named(address(target).ok_or(NoAnswer::Undecodable)?, data.tail(1)?.bytes()?, data.tail(2)?.bytes()?)?;
    Ok(Plan { name: format!("operation {id}"), calls: vec![call] })
}
