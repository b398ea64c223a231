//! What moved: every transfer of native coin and tokens that the transaction left behind, from logs where the trace has them, else from
//! the calls that made them.
//!
//! Wrapped native coin counts as native, and wrapping as nothing. What a token moves without a call of its own that is known here
//! (shares minted inside a vault, rebases) is not seen without logs: features are made so that this can hide an attack, not make one.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use watchfire_charter::privileged::TRANSFER;

use super::selector::{Class, class};
use super::tree::{CallKind, CallTree, Frame, word};
use super::value::{NATIVE, is_wrapped};

/// One movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// The frame that made it.
    pub(super) frame: usize,
    /// Token; zero for native coin.
    pub(super) token: Address,
    /// Who gave; zero for a mint.
    pub(super) from: Address,
    /// Who got; zero for a burn.
    pub(super) to: Address,
    /// Base units.
    pub(super) amount: U256,
    /// Who spent an allowance, of a `transferFrom` seen as a call.
    pub(super) spender: Option<Address>,
}

/// Given and got of one token by one account, saturating.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Got.
    pub(super) into: U256,
    /// Given.
    pub(super) out: U256,
}

impl Balance {
    /// Got beyond what was given.
    pub(super) fn gain(self) -> U256 {
        self.into.saturating_sub(self.out)
    }

    /// Given beyond what was got.
    pub(super) fn loss(self) -> U256 {
        self.out.saturating_sub(self.into)
    }
}

/// Whether a frame is a call that changes something, by a contract's own code in its own account.
pub(super) fn is_call(frame: &Frame) -> bool {
    frame.kind == CallKind::Call && !frame.reverted
}

/// Wrapped native coins of this transaction: the known ones, and contracts that wrap and unwrap one to one and move as tokens.
pub(super) fn wrapped(tree: &CallTree) -> BTreeSet<Address> {
    let frames = tree.frames();
    let (mut wraps, mut unwraps, mut moves) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut all = BTreeSet::new();
    for (index, frame) in frames.iter().enumerate().filter(|(_, frame)| !frame.reverted) {
        if is_wrapped(frame.to) {
            all.insert(frame.to);
        }
        match class(frame.selector()) {
            Some(Class::Wrap) if is_call(frame) && !frame.value.is_zero() && frame.end == index + 1 => {
                wraps.insert(frame.to);
            }
            Some(Class::Unwrap) if is_call(frame) && frame.end > index + 1 => {
                let paid = &frames[index + 1];
                if paid.from == frame.to && paid.to == frame.from && Some(paid.value) == frame.word(0) {
                    unwraps.insert(frame.to);
                }
            }
            Some(Class::Transfer | Class::TransferFrom) if is_call(frame) => {
                moves.insert(frame.to);
            }
            _ => {}
        }
    }
    all.extend(wraps.union(&unwraps).filter(|token| moves.contains(*token)));
    all
}

/// Every movement, in the order of the frames.
pub(super) fn flows(tree: &CallTree, wrapped: &BTreeSet<Address>) -> Vec<Flow> {
    let logged = tree.frames().iter().any(|frame| !frame.logs.is_empty());
    let mut flows = Vec::new();
    for (index, frame) in tree.frames().iter().enumerate().filter(|(_, frame)| !frame.reverted) {
        native(index, frame, wrapped, &mut flows);
        if logged {
            from_logs(index, frame, &mut flows);
        } else if is_call(frame) {
            from_call(tree, index, frame, &mut flows);
        }
    }
    for flow in &mut flows {
        if wrapped.contains(&flow.token) {
            flow.token = NATIVE;
        }
    }
    // What wrapped coin's contract mints and burns as native is wrapping.
    flows.retain(|flow| !flow.amount.is_zero() && flow.from != flow.to && !(flow.token == NATIVE && unreal(flow)));
    flows
}

/// A native movement from or to nobody.
fn unreal(flow: &Flow) -> bool {
    flow.from.is_zero() || flow.to.is_zero()
}

fn native(index: usize, frame: &Frame, wrapped: &BTreeSet<Address>, flows: &mut Vec<Flow>) {
    let moves = matches!(frame.kind, CallKind::Call | CallKind::Create | CallKind::SelfDestruct);
    if moves && !frame.value.is_zero() && !wrapped.contains(&frame.to) && !wrapped.contains(&frame.from) {
        let (from, to, amount) = (frame.from, frame.to, frame.value);
        flows.push(Flow { frame: index, token: NATIVE, from, to, amount, spender: None });
    }
}

fn from_logs(index: usize, frame: &Frame, flows: &mut Vec<Flow>) {
    for log in &frame.logs {
        let [TRANSFER, from, to, id @ ..] = log.topics.as_slice() else { continue };
        // With a fourth topic it is one ERC-721 token.
        let amount = if id.is_empty() { word(&log.data, 0) } else { Some(U256::from(1_u8)) };
        let Some(amount) = amount else { continue };
        let (from, to) = (Address::from_word(*from), Address::from_word(*to));
        let spender = match class(frame.selector()) {
            Some(Class::TransferFrom) if frame.from != from => Some(frame.from),
            _ => None,
        };
        flows.push(Flow { frame: index, token: log.address, from, to, amount, spender });
    }
}

fn from_call(tree: &CallTree, index: usize, frame: &Frame, flows: &mut Vec<Flow>) {
    let Some(class) = class(frame.selector()) else { return };
    let nobody = Address::ZERO;
    let moved = match class {
        Class::Transfer => Some((frame.from, frame.address(0), frame.word(1))),
        Class::TransferFrom => frame.address(0).map(|from| (from, frame.address(1), frame.word(2))),
        Class::MintTo => Some((nobody, frame.address(0), frame.word(1))),
        Class::BurnOf => frame.address(0).map(|from| (from, Some(nobody), frame.word(1))),
        Class::BurnOwn => Some((frame.from, Some(nobody), frame.word(0))),
        _ => None,
    };
    let Some((from, Some(to), Some(amount))) = moved else { return };
    let said_no = frame.output.len() == 32 && frame.returned(0) == Some(U256::ZERO);
    // A token behind a forwarding one gets the same call again: it moved once.
    let forwarded = tree.around(index).take(3).any(|around| tree.frames()[around].input == frame.input);
    if said_no || forwarded {
        return;
    }
    let spender = (class == Class::TransferFrom && frame.from != from).then_some(frame.from);
    flows.push(Flow { frame: index, token: frame.to, from, to, amount, spender });
}

/// Balances by account and token; mints and burns count for the account only.
pub(super) fn balances(flows: &[Flow]) -> BTreeMap<Address, BTreeMap<Address, Balance>> {
    let mut all: BTreeMap<Address, BTreeMap<Address, Balance>> = BTreeMap::new();
    for flow in flows {
        if !flow.from.is_zero() {
            let balance = all.entry(flow.from).or_default().entry(flow.token).or_default();
            balance.out = balance.out.saturating_add(flow.amount);
        }
        if !flow.to.is_zero() || flow.token == NATIVE {
            let balance = all.entry(flow.to).or_default().entry(flow.token).or_default();
            balance.into = balance.into.saturating_add(flow.amount);
        }
    }
    all
}
