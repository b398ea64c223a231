//! What the features see in small trees that say one thing each.

use alloy_primitives::U256;

use super::writing::{account, call, input, word};
use crate::trace::{CallKind, CallTree, Frame, features};

pub(super) const SENDER: u8 = 1;
pub(super) const OWN: u8 = 2;
pub(super) const VICTIM: u8 = 3;
pub(super) const TOKEN: u8 = 4;
pub(super) const OTHER: u8 = 5;
pub(super) const POOL: u8 = 6;

pub(super) fn transfer(parent: usize, token: u8, from: u8, to: u8, amount: u64) -> Frame {
    call(parent, from, token, input("transfer(address,uint256)", &[word(account(to)), U256::from(amount)]))
}

pub(super) fn paid(parent: usize, from: u8, to: u8, ether: u64) -> Frame {
    let mut frame = call(parent, from, to, Vec::new());
    frame.value = U256::from(ether) * U256::from(10).pow(U256::from(18));
    frame
}

pub(super) fn root() -> Frame {
    call(0, SENDER, OWN, vec![1, 2, 3, 4])
}

#[track_caller]
pub(super) fn assert_seen(frames: Vec<Frame>, expected: &[(&str, u8)], absent: &[&str]) {
    let seen = features(&CallTree::new(frames).unwrap());
    for (name, level) in expected {
        let found = seen.iter().find(|one| one.name == *name).map(|one| one.level);
        assert_eq!(found, Some(*level), "{name} of {seen:#?}");
    }
    for name in absent {
        assert!(seen.iter().all(|one| one.name != *name), "{name} in {seen:#?}");
    }
}

/// A contract that pays native coin before it notes it, entered by the same function three times.
#[test]
fn reentrancy() {
    let mut frames = vec![root(), paid(0, OWN, VICTIM, 10)];
    frames[1].input = input("deposit()", &[]);
    let mut parent = 0;
    for _ in 0..4 {
        frames.push(call(parent, OWN, VICTIM, input("withdraw(uint256)", &[U256::from(10)])));
        frames.push(paid(frames.len() - 1, VICTIM, OWN, 10));
        parent = frames.len() - 1;
    }
    let seen = [("re-entry", 3), ("both-ways-loser", 1), ("free-gain", 1), ("profit", 2), ("loser", 1)];
    assert_seen(frames, &seen, &["all-paid", "no-gain", "plain"]);
}

/// Two pools that each get something else for what they give: nobody lost.
#[test]
fn arbitrage() {
    let frames = vec![
        root(),
        transfer(0, TOKEN, OWN, POOL, 5_000),
        call(0, OWN, POOL, input("swap(uint256,uint256,address,bytes)", &[])),
        transfer(2, OTHER, POOL, OWN, 9_000),
        transfer(0, OTHER, OWN, VICTIM, 9_000),
        call(0, OWN, VICTIM, input("swap(uint256,uint256,address,bytes)", &[])),
        transfer(5, TOKEN, VICTIM, OWN, 6_000),
    ];
    assert_seen(frames, &[("free-gain", 1), ("all-paid", 1)], &["loser", "both-ways-loser", "no-gain"]);
}

/// The same with a pool that gets dust for what it gives: it lost.
#[test]
fn dust_is_no_payment() {
    let frames = vec![
        root(),
        transfer(0, TOKEN, OWN, POOL, 1),
        call(0, OWN, POOL, input("swap(uint256,uint256,address,bytes)", &[])),
        transfer(2, OTHER, POOL, OWN, 9_000_000),
    ];
    assert_seen(frames, &[("loser", 1)], &["all-paid"]);
}

/// What is given and returned within the lender's own call is a loan; a swap is none.
#[test]
fn loans() {
    let frames = vec![
        root(),
        call(0, OWN, VICTIM, input("flashLoan(address,address,uint256,bytes)", &[])),
        transfer(1, TOKEN, VICTIM, OWN, 5_000),
        call(1, VICTIM, OWN, input("onFlashLoan(address,address,uint256,uint256,bytes)", &[])),
        transfer(3, TOKEN, OWN, VICTIM, 5_001),
    ];
    assert_seen(frames.clone(), &[("flash-loan", 1)], &["re-entry"]);
    let mut short = frames;
    short[4] = transfer(3, TOKEN, OWN, VICTIM, 4_999);
    assert_seen(short, &[], &["flash-loan"]);
}

/// Tokens of somebody without a part in it, moved by an outsider's allowance.
#[test]
fn approval_drain() {
    let words = [word(account(9)), word(account(OWN)), U256::from(77_000)];
    let frames = vec![
        root(),
        call(0, OWN, VICTIM, vec![9, 9, 9, 9]),
        call(1, VICTIM, TOKEN, input("transferFrom(address,address,uint256)", &words)),
    ];
    assert_seen(frames, &[("approval-drain", 1), ("free-gain", 1)], &[]);
}

/// An outsider that runs code of the group in its own account.
#[test]
fn lent_code() {
    let mut created = call(0, OWN, 8, Vec::new());
    created.kind = CallKind::Create;
    let mut lent = call(2, VICTIM, 8, vec![1, 1, 1, 1]);
    lent.kind = CallKind::DelegateCall;
    let frames = vec![root(), created, call(0, OWN, VICTIM, vec![2, 2, 2, 2]), lent];
    assert_seen(frames, &[("delegated-to-group", 1)], &[]);
}

/// What failed moved nothing, and nothing around a failure counts.
#[test]
fn failures_move_nothing() {
    let mut failed = call(0, OWN, VICTIM, vec![2, 2, 2, 2]);
    failed.failed = true;
    let frames = vec![root(), failed, transfer(1, TOKEN, VICTIM, OWN, 5_000)];
    assert_seen(frames, &[("no-gain", 1)], &["free-gain", "loser"]);
}

/// Wrapping and unwrapping native coin is nothing, for the known contract and for one that behaves like it.
#[test]
fn wrapping_is_nothing() {
    let mut wrap = paid(0, OWN, TOKEN, 3);
    wrap.input = input("deposit()", &[]);
    let three = U256::from(3) * U256::from(10).pow(U256::from(18));
    let frames = vec![
        root(),
        wrap,
        call(0, OWN, TOKEN, input("withdraw(uint256)", &[three])),
        paid(2, TOKEN, OWN, 3),
        transfer(0, TOKEN, OWN, 9, 0),
    ];
    assert_seen(frames, &[("no-gain", 1)], &["loser", "both-ways-loser", "round-trip", "free-gain"]);
}
