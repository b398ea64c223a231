//! The drill charter's keys are the ones its first lines tell, so that tests of other crates can sign as its members.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::Address;

#[test]
fn the_fixtures_keys_are_the_known_ones() {
    let (charter, _) = watchfire_charter::parse(include_str!("../tests-data/drill.charter.toml")).unwrap();
    let account = |byte: u8| Address::from_private_key(&k256::ecdsa::SigningKey::from_slice(&[byte; 32]).unwrap());
    for (index, member) in (1_u8..).zip(charter.members.values()) {
        let node = ed25519_dalek::SigningKey::from_bytes(&[index; 32]);
        assert_eq!(member.node_key.as_bytes(), node.verifying_key().as_bytes());
        assert_eq!(member.guardian, Some(account(index * 0x11)));
        assert_eq!(member.submitter, Some(account(0x60 + index)));
    }
}
