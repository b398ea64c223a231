//! Calls within calls: what a multisig, a timelock, a governor or a batch is told to call, read from the data that it is called with.
//!
//! Known are the functions of [`WRAPPERS`] alone, up to [`DEPTH_MAX`] levels and [`LIST_MAX`] calls within in all. Data that is not as the ABI says, or more than
//! that, is read as no call: it is the outer call that is told then.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_charter::expression::NoAnswer;
use watchfire_types::body::Selector;

use crate::abi::{Data, LIST_MAX};

/// Levels of calls within calls that are read.
const DEPTH_MAX: usize = 4;
/// Most bytes of a function's signature beside its data.
const SIGNATURE_MAX: usize = 512;

/// One call as data tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    pub(crate) target: Address,
    /// `None` for one that carries value alone.
    pub(crate) selector: Option<Selector>,
    /// What follows the selector.
    pub(crate) arguments: &'a [u8],
}

/// A call with those that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nested<'a> {
    pub(crate) call: Call<'a>,
    pub(crate) inner: Vec<Nested<'a>>,
}

impl<'a> Nested<'a> {
    /// It, and all within, each before what it makes.
    pub(crate) fn all(&self) -> Vec<Call<'a>> {
        let mut all = vec![self.call];
        all.extend(self.inner.iter().flat_map(Self::all));
        all
    }
}

/// When the calls of a wrapper are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// With it.
    Now,
    /// By another transaction, once they may be.
    Later,
}

/// Where a wrapper's arguments hold what it calls: places of words.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// An address and bytes.
    One { target: usize, data: usize },
    /// The same, with the function named by a text where that is not empty.
    Named { target: usize, signature: usize, data: usize },
    /// Lists of addresses and of bytes.
    Lists { targets: usize, data: usize },
    /// Bytes alone, each a call of the wrapper's own contract.
    Own { data: usize },
    /// A list of structs, each with an address first and bytes at this place of it.
    Structs { data: usize },
    /// Safe's `multiSend`: an operation, address, value, length and bytes each, without padding.
    Packed,
}

const ONE: Shape = Shape::One { target: 0, data: 2 };
const LISTS: Shape = Shape::Lists { targets: 0, data: 2 };
const NAMED: Shape = Shape::Named { target: 0, signature: 2, data: 3 };

/// Functions that call what they are told to: of Safe with its modules and MultiSend, OpenZeppelin's `TimelockController`, `Governor`, `AccessManager` and
/// `Multicall`, Compound's `Timelock`, Multicall3, and accounts that execute.
const WRAPPERS: &[(&str, Shape, When)] = &[
    (EXEC_TRANSACTION, ONE, When::Now),
    ("execTransactionFromModule(address,uint256,bytes,uint8)", ONE, When::Now),
    ("execTransactionFromModuleReturnData(address,uint256,bytes,uint8)", ONE, When::Now),
    ("multiSend(bytes)", Shape::Packed, When::Now),
    ("execute(address,uint256,bytes,bytes32,bytes32)", ONE, When::Now),
    ("executeBatch(address[],uint256[],bytes[],bytes32,bytes32)", LISTS, When::Now),
    ("execute(address[],uint256[],bytes[],bytes32)", LISTS, When::Now),
    ("relay(address,uint256,bytes)", ONE, When::Now),
    ("executeTransaction(address,uint256,string,bytes,uint256)", NAMED, When::Now),
    ("execute(address,uint256,bytes)", ONE, When::Now),
    ("execute(address,bytes)", Shape::One { target: 0, data: 1 }, When::Now),
    ("multicall(bytes[])", Shape::Own { data: 0 }, When::Now),
    ("aggregate((address,bytes)[])", Shape::Structs { data: 1 }, When::Now),
    ("aggregate3((address,bool,bytes)[])", Shape::Structs { data: 2 }, When::Now),
    ("aggregate3Value((address,bool,uint256,bytes)[])", Shape::Structs { data: 3 }, When::Now),
    ("schedule(address,uint256,bytes,bytes32,bytes32,uint256)", ONE, When::Later),
    ("scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)", LISTS, When::Later),
    ("queueTransaction(address,uint256,string,bytes,uint256)", NAMED, When::Later),
    ("propose(address[],uint256[],bytes[],string)", LISTS, When::Later),
];
/// A Safe's: what it calls may fail though it succeeds, which it logs.
const EXEC_TRANSACTION: &str =
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)";

/// The same by their selectors.
static BY_SELECTOR: LazyLock<BTreeMap<Selector, (Shape, When)>> = LazyLock::new(|| {
    WRAPPERS.iter().map(|(signature, shape, when)| (selector(signature.as_bytes()), (*shape, *when))).collect()
});

fn selector(signature: &[u8]) -> Selector {
    let [a, b, c, d, ..] = keccak256(signature).0;
    Selector([a, b, c, d])
}

impl<'a> Call<'a> {
    /// A call with its data, the selector first.
    pub(crate) fn of(target: Address, input: &'a [u8]) -> Self {
        match input.split_first_chunk() {
            Some((selector, arguments)) => Self { target, selector: Some(Selector(*selector)), arguments },
            None => Self { target, selector: None, arguments: &[] },
        }
    }

    /// One whose function is named by a text, if that is not empty; the data are its arguments alone then.
    pub(crate) fn named(target: Address, signature: &[u8], input: &'a [u8]) -> Result<Self, NoAnswer> {
        match signature {
            [] => Ok(Self::of(target, input)),
            named if named.len() > SIGNATURE_MAX => Err(NoAnswer::TooLong),
            named => Ok(Self { target, selector: Some(selector(named)), arguments: input }),
        }
    }

    /// Of its data, as it is sent.
    pub(crate) fn hash(&self) -> B256 {
        keccak256([self.selector.as_ref().map_or(&[][..], |selector| &selector.0), self.arguments].concat())
    }

    /// With the calls that it makes, and those that it only plans where `planned`, as far as they can be read.
    pub(crate) fn open(self, planned: bool) -> Nested<'a> {
        self.open_within(planned, DEPTH_MAX, &mut LIST_MAX.clone())
    }

    fn open_within(self, planned: bool, depth: usize, left: &mut usize) -> Nested<'a> {
        let known = self.selector.and_then(|selector| BY_SELECTOR.get(&selector));
        let known = known.filter(|(_, when)| depth > 0 && (planned || *when == When::Now));
        let calls = known.and_then(|(shape, _)| self.calls(*shape).ok()).unwrap_or_default();
        let mut inner = Vec::new();
        for call in calls {
            let Some(fewer) = left.checked_sub(1) else { break };
            *left = fewer;
            inner.push(call.open_within(planned, depth - 1, left));
        }
        Nested { call: self, inner }
    }

    fn calls(self, shape: Shape) -> Result<Vec<Self>, NoAnswer> {
        let data = Data(self.arguments);
        let of_lists = |targets: usize, inputs: usize| {
            let (targets, inputs) = (data.tail(targets)?.list()?, data.tail(inputs)?.list()?);
            if targets.count != inputs.count {
                return Err(NoAnswer::Undecodable);
            }
            let one = |at| Ok(Self::of(targets.items.address(at)?, inputs.items.tail(at)?.bytes()?));
            (0..targets.count).map(one).collect()
        };
        match shape {
            Shape::One { target, data: input } => Ok(vec![Self::of(data.address(target)?, data.tail(input)?.bytes()?)]),
            Shape::Named { target, signature, data: input } => {
                let signature = data.tail(signature)?.bytes()?;
                Ok(vec![Self::named(data.address(target)?, signature, data.tail(input)?.bytes()?)?])
            }
            Shape::Lists { targets, data: inputs } => of_lists(targets, inputs),
            Shape::Own { data: inputs } => {
                let inputs = data.tail(inputs)?.list()?;
                let one = |at| Ok(Self::of(self.target, inputs.items.tail(at)?.bytes()?));
                (0..inputs.count).map(one).collect()
            }
            Shape::Structs { data: input } => {
                let structs = data.tail(0)?.list()?;
                let one = |at| {
                    let one = structs.items.tail(at)?;
                    Ok(Self::of(one.address(0)?, one.tail(input)?.bytes()?))
                };
                (0..structs.count).map(one).collect()
            }
            Shape::Packed => packed(data.tail(0)?.bytes()?),
        }
    }

    /// Whether it is a Safe's, which may fail within and succeed.
    pub(crate) fn may_fail_within(&self) -> bool {
        self.selector == Some(selector(EXEC_TRANSACTION.as_bytes()))
    }
}

/// The calls of a batch as MultiSend reads it.
fn packed(mut batch: &[u8]) -> Result<Vec<Call<'_>>, NoAnswer> {
    let mut calls = Vec::new();
    while let Some((_operation, rest)) = batch.split_first() {
        let (target, rest) = rest.split_first_chunk::<20>().ok_or(NoAnswer::Undecodable)?;
        // A value and a length, a word each.
        let length = usize::try_from(U256::from_be_bytes(*Data(rest).word(1)?)).ok();
        let input = length.and_then(|length| rest.get(64..)?.get(..length)).ok_or(NoAnswer::Undecodable)?;
        if calls.len() >= LIST_MAX {
            return Err(NoAnswer::TooLong);
        }
        calls.push(Call::of(Address::from(*target), input));
        batch = rest.get(64 + input.len()..).unwrap_or_default();
    }
    Ok(calls)
}

#[cfg(test)]
mod tests;
