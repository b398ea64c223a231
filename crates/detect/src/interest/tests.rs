//! What is left out concerns nobody; what is taken is what plain decoding gives; what is no list of logs is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::Bloom;
use proptest::prelude::*;

use super::*;

fn interest() -> Interest {
    Interest::new([(1, 1), (1, 2), (3, 1)].into_iter().map(|(contract, event)| (address(contract), topic(event))))
}

fn address(nth: u8) -> Address {
    Address::repeat_byte(nth)
}

fn topic(nth: u8) -> B256 {
    B256::repeat_byte(nth)
}

fn log(contract: u8, topics: &[u8], data: &[u8], index: u64) -> Log {
    let topics = topics.iter().map(|nth| topic(*nth)).collect();
    Log { address: address(contract), topics, data: data.to_vec().into(), transaction: topic(9), index }
}

fn text(logs: &[Log]) -> String {
    let one = |log: &Log| {
        let topics: Vec<String> = log.topics.iter().map(|topic| format!("\"{topic}\"")).collect();
        let data = alloy_primitives::hex::encode(&log.data);
        format!(
            "{{\"removed\": false, \"logIndex\": \"0x0\", \"topics\": [{}],\n \"data\": \"0x{data}\", \"address\": \"{}\", \"transactionHash\": \"{}\", \
             \"later\": {{\"address\": [1]}}}}",
            topics.join(","),
            log.address.to_checksum(None),
            log.transaction
        )
    };
    format!("[{}]", logs.iter().map(one).collect::<Vec<_>>().join(", "))
}

proptest! {
    /// The same logs as filtering all of them, each with its place; and the bloom never denies a block that holds one.
    #[test]
    fn nothing_that_concerns_is_left_out(
        parts in prop::collection::vec((0_u8..4, prop::collection::vec(0_u8..4, 0..5), prop::collection::vec(0_u8.., 0..70)), 0..12),
    ) {
        let logs: Vec<Log> = parts.iter().zip(0..).map(|((contract, topics, data), index)| log(*contract, topics, data, index)).collect();
        let concerns = |log: &&Log| {
            let first = log.topics.first();
            (log.address == address(1) && (first == Some(&topic(1)) || first == Some(&topic(2))))
                || (log.address == address(3) && first == Some(&topic(1)))
        };
        let expected: Vec<Log> = logs.iter().filter(concerns).cloned().collect();
        let interest = interest();
        prop_assert_eq!(interest.logs(text(&logs).as_bytes()).unwrap(), expected.clone());
        let mut bloom = Bloom::ZERO;
        logs.iter().for_each(|log| bloom.accrue_raw_log(log.address, &log.topics));
        prop_assert!(expected.is_empty() || interest.may_concern(bloom.data()));
    }
}

/// A bloom without the contract, or without any of its events, concerns nobody.
#[test]
fn blooms_deny() {
    let bloom = |contract: u8, event: u8| {
        let mut bloom = Bloom::ZERO;
        bloom.accrue_raw_log(address(contract), &[topic(event)]);
        interest().may_concern(bloom.data())
    };
    assert_eq!([(1, 1), (1, 2), (3, 1)].map(|(contract, event)| bloom(contract, event)), [true; 3]);
    assert_eq!([(2, 1), (1, 3), (3, 2)].map(|(contract, event)| bloom(contract, event)), [false; 3]);
    assert!(!interest().may_concern(Bloom::ZERO.data()));
    let mut any = Bloom::ZERO;
    any.accrue_raw_log(address(2), &[]);
    assert!(interest().with_contracts([address(2)].iter()).may_concern(any.data()));
}

/// No list, half a list, and a log that concerns a rule and lacks something are faults with their places; one that concerns nobody may be anything.
#[test]
fn faults_are_named() {
    let good = text(&[log(1, &[1], b"x", 0)]);
    let bad = |text: &str| interest().logs(text.as_bytes()).unwrap_err();
    assert_eq!(bad("").at, 0);
    assert_eq!(bad("{}").what, "this is no list");
    assert_eq!(bad(&good[..good.len() - 9]).what, "the text ends inside a value");
    assert_eq!(bad(&good.replace("transactionHash", "hash")).what, "a log names no transaction");
    assert_eq!(bad(&good.replace("0x78", "0x7")).what, "a log has no data");
    assert_eq!(bad(&good.replace("\"address\": \"0x01", "\"address\": \"0x")).what, "a log has no address of 20 bytes");
    let stranger = text(&[log(2, &[1], b"x", 0)]).replace("transactionHash", "hash");
    assert_eq!(interest().logs(stranger.as_bytes()), Ok(Vec::new()));
}
