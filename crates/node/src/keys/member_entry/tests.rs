//! The signed entry: both keys, and nothing of it can be changed afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::keys::{keystore, node_key};

fn signed() -> SignedEntry {
    let (node, guardian) = (node_key::generate().unwrap(), keystore::generate().unwrap());
    let entry = MemberEntry {
        id: "alder-1".parse().unwrap(),
        organisation: "alder".parse().unwrap(),
        kind: "guardian".to_owned(),
        node_key: MemberKey::from_bytes(node.verifying_key().to_bytes()),
        guardian: Some(keystore::address_of(&guardian)),
        submitter: Some(Address::repeat_byte(7)),
        operators: vec!["op-alder".parse().unwrap()],
        addresses: vec!["/ip4/127.0.0.1/tcp/9001".to_owned()],
    };
    entry.sign(&node, Some(&guardian)).unwrap()
}

/// An entry as signed holds, after a round trip through JSON too.
#[test]
fn holds_as_signed() {
    let signed = signed();
    assert!(signed.holds());
    let read: SignedEntry = serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
    assert!(read.holds());
    assert!(signed.toml.contains("[[member]]") && signed.toml.contains("guardian = \"0x"));
}

/// Every field is under both signatures.
#[test]
fn any_change_breaks_it() {
    let changes: [fn(&mut SignedEntry); 6] = [
        |entry| entry.member.id = "alder-2".parse().unwrap(),
        |entry| entry.member.organisation = "birch".parse().unwrap(),
        |entry| entry.member.submitter = Some(Address::repeat_byte(8)),
        |entry| entry.member.guardian = Some(Address::repeat_byte(8)),
        |entry| entry.member.addresses.clear(),
        |entry| entry.guardian_signature = None,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut entry = signed();
        change(&mut entry);
        assert!(!entry.holds(), "change {index}");
    }
}
