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
        (73, "0x268c17fafe052c73ff8a308a75a5a2001bf44a3bd18d39e7ec85ea672a865dc2".to_owned())
    );
}

/// What OpenZeppelin 5 has these contracts say of authority: one argument more or less is another event.
#[test]
fn openzeppelin_5_is_known() {
    let said = [
        (Owner, "AuthorityUpdated(address)"),
        (Role, "RoleGrantDelayChanged(uint64,uint32,uint48)"),
        (Role, "TargetClosed(address,bool)"),
        (Role, "DefaultAdminDelayChangeScheduled(uint48,uint48)"),
    ];
    for (privilege, signature) in said {
        let known = by_topic(&keccak256(signature)).map(|event| (event.privilege, event.signature));
        assert_eq!(known, Some((privilege, signature)));
    }
}
