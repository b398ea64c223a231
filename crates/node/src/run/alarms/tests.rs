//! Each alarm is there beyond its bound and not before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::Bytes;

use super::*;

const CHAIN: ChainId = ChainId::new(31337);

/// Eight block times, and never before 15 s.
#[test]
fn a_stale_head() {
    assert_eq!(stale(CHAIN, 1_000, 15_000), None);
    assert_eq!(stale(CHAIN, 1_000, 15_001).unwrap(), "head-stale: chain 31337: no new block for 15 s");
    assert_eq!(stale(CHAIN, 12_000, 96_000), None);
    assert!(stale(CHAIN, 12_000, 96_001).is_some());
}

/// 300,000 gas at ten times the base fee.
#[test]
fn a_submitter_without_funds() {
    let payer = Address::repeat_byte(3);
    assert_eq!(unfunded(CHAIN, payer, 3_000_000, Some(1), None), None);
    let line = unfunded(CHAIN, payer, 2_999_999, Some(1), None).unwrap();
    assert!(line.contains(&payer.to_checksum(None)) && line.contains("2999999 wei"), "{line}");
}

/// An index that is a moment behind is no alarm.
#[test]
fn a_lagging_index() {
    assert_eq!(lagging(10_000), None);
    assert!(lagging(10_001).unwrap().contains("10001 events"));
}

/// Unusable endpoints are told with their operator and cause.
#[test]
fn an_unusable_endpoint() {
    let mut health = EndpointHealth {
        name: "own".to_owned(),
        operator: "op-alder".parse().unwrap(),
        healthy: true,
        cause: String::new(),
    };
    assert_eq!(unusable(CHAIN, &health), None);
    (health.healthy, health.cause) = (false, "no answer within 2 s".to_owned());
    let line = unusable(CHAIN, &health).unwrap();
    assert_eq!(line, "endpoint-unusable: own of op-alder on chain 31337: no answer within 2 s");
}

/// Answers and reverts are agreed; what is not is counted, with the first cause.
#[test]
fn operators_that_disagree() {
    let account = |byte| Read::Balance { account: Address::repeat_byte(byte) };
    let agreed = [(account(1), ReadOutcome::Value(Bytes::new())), (account(2), ReadOutcome::Reverted(Bytes::new()))];
    let mut answers = BTreeMap::from(agreed);
    assert_eq!(not_agreed(CHAIN, &answers), None);
    answers.insert(account(3), ReadOutcome::Unavailable("1 of 2 operators agree".to_owned()));
    let line = not_agreed(CHAIN, &answers).unwrap();
    assert_eq!(line, "rpc-not-agreed: chain 31337: 1 of 3 facts have no agreed answer: 1 of 2 operators agree");
}
