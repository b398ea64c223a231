//! Every configuration that cannot work is refused by the name of what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::{MemberKey, NetworkId};
use zeroize::Zeroizing;

use super::*;
use crate::config::{Entry, Kind};

fn entry(n: u8, addresses: &[&str]) -> Entry {
    let key = pair_of(&[n; 32]).unwrap().1;
    Entry { key, kind: Kind::Guardian, addresses: addresses.iter().map(ToString::to_string).collect() }
}

fn config(listen: &[&str], members: Vec<Entry>) -> GossipConfig {
    GossipConfig {
        identity: Zeroizing::new([1; 32]),
        network: NetworkId::from_bytes([5; 32]),
        listen: listen.iter().map(ToString::to_string).collect(),
        members,
    }
}

const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";

fn refusal(listen: &[&str], members: Vec<Entry>) -> GossipError {
    spawn(&config(listen, members)).unwrap_err()
}

/// Members: oneself must be there, once, with a key that is one, within bounds.
#[tokio::test]
async fn members_are_checked() {
    assert!(matches!(refusal(&[LOOPBACK], vec![entry(2, &[])]), GossipError::NotAMember { .. }));
    assert!(matches!(refusal(&[LOOPBACK], vec![entry(1, &[]), entry(1, &[])]), GossipError::DuplicateMember { .. }));
    // y = 2 is on no point of the curve.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let no_point = Entry { key: MemberKey::from_bytes(bytes), ..entry(2, &[]) };
    assert!(matches!(refusal(&[LOOPBACK], vec![entry(1, &[]), no_point]), GossipError::MemberKey { .. }));
    let many = vec![LOOPBACK; limits::ADDRESSES_MAX + 1];
    assert!(matches!(refusal(&[LOOPBACK], vec![entry(1, &many)]), GossipError::TooMany { .. }));
}

/// Addresses: the ones that work are taken. What another member wrote wrongly is told with the address and left out, the
/// rest of that member stays; an own listen address is refused.
#[tokio::test]
async fn addresses_are_checked() {
    let good = [
        "/ip4/192.0.2.1/tcp/1",
        "/ip6/2001:db8::1/udp/1/quic-v1",
        "/dns4/a.example/tcp/1",
        "/dns/a.example/udp/1/quic-v1",
    ];
    let (taken, undialable) = members(&config(&[LOOPBACK], vec![entry(1, &good)])).unwrap();
    assert!(taken[0].addresses.len() == good.len() && undialable.is_empty(), "{undialable:?}");
    let bad = [
        "",
        "192.0.2.1:9001",
        "/ip4/192.0.2.1",
        "/ip4/192.0.2.1/tcp/0",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/udp/1/quic-v1",
        "/ip4/192.0.2.1/udp/1",
        "/ip4/192.0.2.1/udp/1/quic",
        "/ip4/192.0.2.1/tcp/1/ws",
        "/dnsaddr/a.example/tcp/1",
        "/memory/1",
        "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
    ];
    for address in bad {
        let config = config(&[LOOPBACK], vec![entry(1, &[]), entry(2, &[address, good[0]])]);
        check(&config).unwrap();
        let (_handle, mut events) = spawn(&config).unwrap();
        let said = events.recv().await.unwrap();
        let of = config.members[1].key;
        let GossipEvent::Undialable { member, problems } = said else { panic!("{address}: {said:?}") };
        assert!(member == of && problems.len() == 1 && problems[0].contains(&format!("{address:?}")), "{problems:?}");
        assert_eq!(members(&config).unwrap().0[1].addresses.len(), 1, "{address}");
    }
    for address in ["/dns4/a.example/tcp/1", "/ip4/127.0.0.1/udp/0", "nonsense"] {
        let error = refusal(&[address], vec![entry(1, &[])]);
        assert!(matches!(&error, GossipError::Address { address: a, .. } if a == address), "{address}: {error}");
    }
    assert!(matches!(refusal(&[], vec![entry(1, &[])]), GossipError::NoListenAddress));
    let foreign = "/ip4/192.0.2.1/tcp/9001";
    let error = refusal(&[foreign], vec![entry(1, &[])]);
    assert!(matches!(&error, GossipError::Listen { address, .. } if address == foreign), "{error}");
}

/// The secret is in no debug output.
#[test]
fn the_identity_is_not_printed() {
    let text = format!("{:?}", config(&[LOOPBACK], vec![]));
    assert!(text.contains("secret") && !text.contains("1, 1, 1"), "{text}");
}
