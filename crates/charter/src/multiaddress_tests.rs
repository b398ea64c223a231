//! What is a multiaddress of a node and what is none.

use proptest::prelude::*;

use super::{MultiaddressError, check_dial, check_listen, is_loopback};

/// What can be dialled, and what cannot: the network refuses the same (its own tests hold the same list).
#[test]
fn shapes() {
    for text in [
        "/ip4/127.0.0.1/tcp/9001",
        "/ip6/::1/tcp/9001",
        "/ip6/2001:db8::1/udp/9001/quic-v1",
        "/dns4/node.example.org/udp/9001/quic-v1",
        "/dns/localhost/tcp/65535",
    ] {
        assert_eq!(check_dial(text), Ok(()), "{text}");
    }
    for text in [
        "",
        "/",
        "127.0.0.1:9001",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/tcp",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/tcp/+1",
        "/ip4/127.0.0.1/sctp/9001",
        "/ip4/127.0.0.1/tcp/9001/",
        "/ip4/127.0.0.1/tcp/9001/ws",
        "/ip4/127.0.0.1/udp/9001/quic",
        "/ip4/127.0.0.1/udp/9001/quic-v1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
        "/ip4/127.0.0.1/tcp/9001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
        "/dnsaddr/node.example.org/tcp/9001",
        "/unix/tmp/tcp/1",
        "x/ip4/127.0.0.1/tcp/9001",
        "/dns4/a b/tcp/9001",
    ] {
        assert!(matches!(check_dial(text), Err(MultiaddressError::Shape { .. })), "{text}");
        assert!(matches!(check_listen(text), Err(MultiaddressError::Shape { .. })), "{text}");
    }
    for text in ["/ip4/999.0.0.1/tcp/9001", "/ip4/node.example.org/tcp/9001", "/ip6/127.0.0.1/tcp/9001", "/dns4//tcp/1"]
    {
        assert!(matches!(check_dial(text), Err(MultiaddressError::Host { .. })), "{text}");
    }
    assert!(matches!(check_dial("/ip4/127.0.0.1/udp/9001"), Err(MultiaddressError::NotQuic { .. })));
    assert!(check_dial(&format!("/dns4/{}org/tcp/1", "a.".repeat(130))).is_err());
}

/// A listener may leave interface and port open; nobody can dial that. A dialler may use a name; nobody listens on one.
#[test]
fn listening_and_dialling_differ() {
    for text in ["/ip4/0.0.0.0/tcp/9001", "/ip6/::/udp/9001/quic-v1", "/ip4/0.0.0.0/tcp/0"] {
        assert_eq!(check_listen(text), Ok(()), "{text}");
        assert!(matches!(check_dial(text), Err(MultiaddressError::Unspecified { .. })), "{text}");
    }
    assert_eq!(check_listen("/ip4/127.0.0.1/tcp/0"), Ok(()));
    for text in ["/ip4/192.0.2.1/tcp/0", "/dns4/node.example.org/udp/0/quic-v1"] {
        assert!(matches!(check_dial(text), Err(MultiaddressError::PortZero { .. })), "{text}");
    }
    assert!(matches!(check_listen("/dns4/node.example.org/tcp/9001"), Err(MultiaddressError::Name { .. })));
}

/// Addresses that lead back to whoever dials them.
#[test]
fn loopback() {
    for text in ["/ip4/127.3.2.1/tcp/1", "/ip6/::1/udp/1/quic-v1", "/dns4/localhost/tcp/1"] {
        assert!(is_loopback(text), "{text}");
    }
    for text in ["/ip4/192.0.2.1/tcp/1", "/dns4/node.example.org/tcp/1", "nonsense"] {
        assert!(!is_loopback(text), "{text}");
    }
}

proptest! {
    /// No text makes it panic, and what it says is printable.
    #[test]
    fn any_text_is_judged(text in "(/ip4|/dns)?[ -~\u{1b}/]{0,40}(/tcp/9001)?") {
        if let Err(error) = check_dial(&text) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
