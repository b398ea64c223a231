//! What the features about tokens, allowances, pairs and unchecked arguments see in small trees, and what they leave alone.

use alloy_primitives::U256;

use super::meaning::{OTHER, OWN, POOL, SENDER, TOKEN, VICTIM, assert_seen, paid, root, transfer};
use super::writing::{account, call, input, word};
use crate::trace::Frame;
use crate::trace::selector::{APPROVE, BALANCE_OF, BATCH_TRANSFER, SKIM, SYNC, TRANSFER, TRANSFER_PROXY, selector};

const HELPER: u8 = 7;
const WALLET: u8 = 8;

fn moved_from(parent: usize, by: u8, from: u8, to: u8, amount: u64) -> Frame {
    let words = [word(account(from)), word(account(to)), U256::from(amount)];
    call(parent, by, TOKEN, input("transferFrom(address,address,uint256)", &words))
}

fn approved(parent: usize, owner: u8, spender: u8) -> Frame {
    call(parent, owner, TOKEN, input("approve(address,uint256)", &[word(account(spender)), U256::MAX]))
}

fn asked(parent: usize, from: u8, to: u8) -> Frame {
    call(parent, from, to, vec![0xde, 0xad, 0xbe, 0xef])
}

/// The selectors that stand as bytes are those of the functions that they name.
#[test]
fn selectors_are_what_they_say() {
    let named = [
        (APPROVE, "approve(address,uint256)"),
        (BALANCE_OF, "balanceOf(address)"),
        (SKIM, "skim(address)"),
        (SYNC, "sync()"),
        (TRANSFER, "transfer(address,uint256)"),
        (BATCH_TRANSFER, "batchTransfer(address[],uint256)"),
        (TRANSFER_PROXY, "transferProxy(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
    ];
    for (bytes, signature) in named {
        assert_eq!(bytes, selector(signature), "{signature}");
    }
}

/// A victim that calls whatever it is told to gives an allowance away; one that a function known for it asks for is none of that.
#[test]
fn a_forwarded_approval() {
    let frames = vec![root(), asked(0, OWN, VICTIM), approved(1, VICTIM, OWN), moved_from(0, OWN, VICTIM, OWN, 9_000)];
    assert_seen(frames, &[("allowance-taken", 1), ("free-gain", 1)], &["plain", "fresh-allowances"]);
    let mut frames =
        vec![root(), asked(0, OWN, VICTIM), approved(1, VICTIM, OWN), moved_from(0, OWN, VICTIM, OWN, 9_000)];
    frames[0].input = input("deposit(uint256)", &[]);
    assert_seen(frames, &[], &["allowance-taken"]);
}

/// Allowances that a contract gives before it gains, by how many; without a gain they are what every zap does.
#[test]
fn allowances_given_in_passing() {
    let gains = |given: u8| {
        let approvals = (0..given).map(|spender| approved(0, OWN, 100 + spender));
        [root()].into_iter().chain(approvals).chain([transfer(0, OTHER, VICTIM, OWN, 9_000)]).collect::<Vec<_>>()
    };
    assert_seen(gains(1), &[("fresh-allowances", 1)], &["plain"]);
    assert_seen(gains(3), &[("fresh-allowances", 2)], &[]);
    assert_seen(vec![root(), approved(0, OWN, VICTIM), transfer(0, TOKEN, OWN, VICTIM, 5)], &[], &["fresh-allowances"]);
}

/// Pairs made to write their books anew, and transfers that move nothing.
#[test]
fn pairs_and_empty_moves() {
    let skim = call(0, OWN, POOL, input("skim(address)", &[word(account(OWN))]));
    let frames = vec![root(), skim, transfer(0, TOKEN, OWN, OWN, 70), transfer(0, TOKEN, OWN, POOL, 0)];
    assert_seen(frames, &[("pair-forced", 1), ("empty-moves", 1)], &[]);
    let sync = call(0, VICTIM, POOL, input("sync()", &[]));
    assert_seen(vec![root(), sync, transfer(0, TOKEN, OWN, POOL, 70)], &[], &["pair-forced", "empty-moves"]);
}

/// A farm that trades at a pool between two trades of the group there; without the second trade nobody profits from it.
#[test]
fn a_forced_trade() {
    let frames = vec![
        root(),
        transfer(0, OTHER, OWN, POOL, 900),
        transfer(0, TOKEN, POOL, OWN, 8_000),
        asked(0, OWN, VICTIM),
        transfer(3, OTHER, VICTIM, POOL, 700),
        transfer(3, TOKEN, POOL, VICTIM, 10),
        transfer(0, TOKEN, OWN, POOL, 8_000),
        transfer(0, OTHER, POOL, OWN, 1_500),
    ];
    assert_seen(frames.clone(), &[("forced-trade", 1), ("traded-back", 1)], &["plain"]);
    assert_seen(frames[..6].to_vec(), &[], &["forced-trade"]);
}

/// A contract of the group that a protocol takes for what it is not; a pair's callback is what pairs do.
#[test]
fn posing() {
    let frames = vec![root(), asked(0, OWN, VICTIM), asked(1, VICTIM, OWN), transfer(0, TOKEN, VICTIM, OWN, 5_000)];
    assert_seen(frames, &[("posing", 1)], &["plain"]);
    let mut frames = vec![root(), asked(0, OWN, VICTIM), asked(1, VICTIM, OWN), transfer(0, TOKEN, VICTIM, OWN, 5_000)];
    frames[2].input = input("uniswapV2Call(address,uint256,uint256,bytes)", &[]);
    assert_seen(frames, &[], &["posing"]);
}

/// A sum over receivers that no token has; ERC-721 numbers of that size are no sums.
#[test]
fn sums_beyond_every_supply() {
    let mut frames = vec![root()];
    frames[0].input = input("batchTransfer(address[],uint256)", &[U256::from(64), U256::from(1) << 255]);
    assert_seen(frames, &[("overflow", 1)], &["plain", "no-gain"]);
    let words = [word(account(VICTIM)), word(account(OWN)), U256::from(1) << 255];
    let frames = vec![root(), call(0, OWN, TOKEN, input("transferFrom(address,address,uint256)", &words))];
    assert_seen(frames, &[], &["overflow"]);
}

/// A contract made earlier that hands on all that it gets belongs to the group, and so does a wallet that it names to be paid: their gain
/// is the group's.
#[test]
fn helpers_and_wallets() {
    let mut named = asked(2, HELPER, VICTIM);
    named.input.extend(word(account(WALLET)).to_be_bytes::<32>());
    let frames = vec![
        root(),
        transfer(0, TOKEN, OWN, HELPER, 500),
        asked(0, OWN, HELPER),
        transfer(2, TOKEN, HELPER, POOL, 500),
        named,
        paid(4, VICTIM, WALLET, 30),
    ];
    assert_seen(frames.clone(), &[("profit", 2), ("loser", 1)], &["no-gain"]);
    let mut kept = frames;
    kept[3] = transfer(2, TOKEN, HELPER, POOL, 400);
    assert_seen(kept, &[("no-gain", 1)], &["profit"]);
}

/// What an exchange takes out of a vault to serve a swap is no loss of the vault; what the group takes out may be.
#[test]
fn plumbing_of_an_exchange() {
    let served = |by: &str| {
        vec![
            root(),
            call(0, OWN, POOL, input(by, &[])),
            call(1, POOL, VICTIM, input("withdraw(uint256)", &[U256::from(5_000)])),
            transfer(2, TOKEN, VICTIM, POOL, 5_000),
            transfer(1, TOKEN, POOL, OWN, 5_000),
        ]
    };
    assert_seen(served("exchange_underlying(int128,int128,uint256,uint256)"), &[("free-gain", 1)], &["loser"]);
    assert_seen(served("enter(uint256)"), &[("loser", 1)], &[]);
}

/// In and out of one contract by functions of any name.
#[test]
fn round_trips_by_any_name() {
    let mut frames = vec![root()];
    for _ in 0..3 {
        let at = frames.len();
        frames.extend([asked(0, OWN, VICTIM), moved_from(at, VICTIM, OWN, VICTIM, 400)]);
        frames.extend([asked(0, OWN, VICTIM), transfer(at + 2, TOKEN, VICTIM, OWN, 410)]);
    }
    assert_seen(frames, &[("round-trip", 2)], &[]);
    assert_seen(vec![root(), asked(0, SENDER, VICTIM), moved_from(1, VICTIM, OWN, VICTIM, 1)], &[], &["round-trip"]);
}
