//! The calls in what governors and timelocks log, as Solidity's ABI encodes them. Nothing is copied, every length is held against the data before it is
//! used, and what is not as the ABI says is a named fault: whoever wrote the contract wrote the data too.

use alloy_primitives::{Address, B256, U256, b256, keccak256};
use watchfire_charter::expression::NoAnswer;
use watchfire_types::Log;
use watchfire_types::body::Selector;

use super::address;

/// Most calls of one proposal.
const CALLS_MAX: usize = 256;
/// Most bytes of a function's signature in one.
const SIGNATURE_MAX: usize = 512;
const WORD: usize = 32;

/// `ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)` of OpenZeppelin's Governor and of GovernorBravo, which
/// differ in where the function of a call is named: before its arguments, or as a text beside them.
pub(crate) const PROPOSAL_CREATED: B256 = b256!("7d84a6263ae0d98d3329bd7b46bb4e8d6f98cd35a7adb45c274c8b7fd5ebd5e0");
/// `CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)` of OpenZeppelin's TimelockController.
pub(crate) const CALL_SCHEDULED: B256 = b256!("4cf4410cc57040e44862ef0f45f3dd5a5e02db8eb8add648d4b0e236f1d07dca");
/// `QueueTransaction(bytes32,address,uint256,string,bytes,uint256)` of Compound's Timelock.
pub(crate) const QUEUE_TRANSACTION: B256 = b256!("76e2796dc3a81d57b0e8504b647febcbeeb5f4af818e164f11eef8131a6a763f");

/// A call that is proposed or scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    pub(crate) target: Address,
    /// `None` for one that carries value alone.
    pub(crate) selector: Option<Selector>,
    /// What follows the selector.
    pub(crate) arguments: &'a [u8],
}

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
        call(targets.items.address(at)?, signature, input)
    };
    let calls = (0..targets.count).map(call).collect::<Result<_, _>>()?;
    Ok(Plan { name, calls })
}

fn scheduled<'a>(log: &'a Log, data: Data<'a>) -> Result<Plan<'a>, NoAnswer> {
    let id = log.topics.get(1).ok_or(NoAnswer::Undecodable)?;
    let call = call(data.address(0)?, &[], data.tail(2)?.bytes()?)?;
    Ok(Plan { name: format!("operation {id}"), calls: vec![call] })
}

fn queued<'a>(log: &'a Log, data: Data<'a>) -> Result<Plan<'a>, NoAnswer> {
    let id = log.topics.get(1).ok_or(NoAnswer::Undecodable)?;
    let target = log.topics.get(2).ok_or(NoAnswer::Undecodable)?;
    let call = call(address(target).ok_or(NoAnswer::Undecodable)?, data.tail(1)?.bytes()?, data.tail(2)?.bytes()?)?;
    Ok(Plan { name: format!("operation {id}"), calls: vec![call] })
}

/// Where the function is named by a text, the data are its arguments alone.
fn call<'a>(target: Address, signature: &[u8], input: &'a [u8]) -> Result<Call<'a>, NoAnswer> {
    if signature.len() > SIGNATURE_MAX {
        return Err(NoAnswer::TooLong);
    }
    Ok(match (signature, input.split_first_chunk()) {
        ([], Some((selector, arguments))) => Call { target, selector: Some(Selector(*selector)), arguments },
        ([], None) => Call { target, selector: None, arguments: &[] },
        (named, _) => {
            let [a, b, c, d, ..] = keccak256(named).0;
            Call { target, selector: Some(Selector([a, b, c, d])), arguments: input }
        }
    })
}

/// Encoded values: heads, and tails to which heads lead.
#[derive(Clone, Copy)]
struct Data<'a>(&'a [u8]);

/// A list's items, in their own heads.
struct List<'a> {
    count: usize,
    items: Data<'a>,
}

impl<'a> Data<'a> {
    fn word(self, at: usize) -> Result<&'a [u8; WORD], NoAnswer> {
        let rest = at.checked_mul(WORD).and_then(|from| self.0.get(from..));
        rest.and_then(|rest| rest.first_chunk()).ok_or(NoAnswer::Undecodable)
    }

    fn address(self, at: usize) -> Result<Address, NoAnswer> {
        address(&self.word(at)?.into()).ok_or(NoAnswer::Undecodable)
    }

    /// A length or place: none is beyond the data.
    fn size(self, at: usize) -> Result<usize, NoAnswer> {
        let size = usize::try_from(U256::from_be_bytes(*self.word(at)?)).ok();
        size.filter(|size| *size <= self.0.len()).ok_or(NoAnswer::Undecodable)
    }

    fn tail(self, at: usize) -> Result<Self, NoAnswer> {
        self.0.get(self.size(at)?..).map(Self).ok_or(NoAnswer::Undecodable)
    }

    fn bytes(self) -> Result<&'a [u8], NoAnswer> {
        let length = self.size(0)?;
        self.0.get(WORD..).and_then(|rest| rest.get(..length)).ok_or(NoAnswer::Undecodable)
    }

    fn list(self) -> Result<List<'a>, NoAnswer> {
        let count = self.size(0)?;
        if count > CALLS_MAX {
            return Err(NoAnswer::TooLong);
        }
        self.0.get(WORD..).map(|items| List { count, items: Self(items) }).ok_or(NoAnswer::Undecodable)
    }
}
