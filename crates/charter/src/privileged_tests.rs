//! The list of privileged events is what it says, and stays it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::keccak256;

use super::*;

/// Every topic is the hash of its signature, and none occurs twice.
#[test]
fn topics_are_the_hashes_of_their_signatures() {
    for event in EVENTS {
        assert_eq!(event.topic, keccak256(event.signature), "{}", event.signature);
        let parsed = alloy_json_abi::Event::parse(event.signature).unwrap();
        assert_eq!(parsed.signature(), event.signature, "not canonical");
        assert_eq!(by_topic(&event.topic), Some(event));
    }
    let topics: BTreeSet<_> = EVENTS.iter().map(|event| event.topic).collect();
    assert_eq!(topics.len(), EVENTS.len());
    assert_eq!(TRANSFER, keccak256("Transfer(address,address,uint256)"));
    assert_eq!(by_topic(&TRANSFER), None);
}

/// The list is closed: nodes of one network find the same things, whichever version they run.
#[test]
fn the_list_is_closed() {
    let all: String = EVENTS.iter().map(|event| format!("{} {}\n", event.privilege.name(), event.signature)).collect();
    assert_eq!(
        (EVENTS.len(), keccak256(&all).to_string()),
        (69, "0x088130039b450d51d0ee8cacc0e0b120d20894e18e1441f59e6553858201d432".to_owned())
    );
}
