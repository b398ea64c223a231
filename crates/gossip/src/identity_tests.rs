//! Keys survive the way to a peer id and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

/// RFC 8032 section 7.1, test 1: the seed's public key is the member key.
#[test]
fn rfc_8032_seed() {
    let seed: MemberKey = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60".parse().unwrap();
    let (pair, key) = pair_of(seed.as_bytes()).unwrap();
    assert_eq!(key.to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(peer_of(&key), Some(pair.public().to_peer_id()));
}

/// A peer id that only hashes a key names no member.
#[test]
fn hashed_peer_id_has_no_member() {
    let hashed: PeerId = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC".parse().unwrap();
    assert_eq!(member_of(&hashed), None);
}

proptest! {
    /// Seed -> key -> peer id -> key is the identity.
    #[test]
    fn round_trip(seed: [u8; 32]) {
        let (pair, key) = pair_of(&seed).unwrap();
        prop_assert_eq!(member_of(&pair.public().to_peer_id()), Some(key));
        prop_assert_eq!(peer_of(&key), Some(pair.public().to_peer_id()));
    }
}
