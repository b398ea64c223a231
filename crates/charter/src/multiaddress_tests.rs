//! What is a multiaddress of a node and what is none.

use proptest::prelude::*;

use super::{MultiaddressError, check};

#[test]
fn shapes() {
    for text in [
        "/ip4/127.0.0.1/tcp/9001",
        "/ip4/0.0.0.0/tcp/0",
        "/ip6/::1/tcp/9001",
        "/ip6/2001:db8::1/udp/9001/quic-v1",
        "/dns4/node.example.org/udp/9001/quic-v1",
        "/dns/localhost/tcp/65535",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
    for text in [
        "",
        "/",
        "127.0.0.1:9001",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/tcp",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/sctp/9001",
        "/unix/tmp/tcp/1",
        "x/ip4/127.0.0.1/tcp/9001",
        "/dns4/a b/tcp/9001",
    ] {
        assert!(matches!(check(text), Err(MultiaddressError::Shape { .. })), "{text}");
    }
    for text in ["/ip4/999.0.0.1/tcp/9001", "/ip4/node.example.org/tcp/9001", "/ip6/127.0.0.1/tcp/9001", "/dns4//tcp/1"]
    {
        assert!(matches!(check(text), Err(MultiaddressError::Host { .. })), "{text}");
    }
    assert!(matches!(check("/ip4/127.0.0.1/udp/9001"), Err(MultiaddressError::NotQuic { .. })));
    assert!(check(&format!("/dns4/{}org/tcp/1", "a.".repeat(130))).is_err());
}

proptest! {
    /// No text makes it panic, and what it says is printable.
    #[test]
    fn any_text_is_judged(text in "(/ip4|/dns)?[ -~\u{1b}/]{0,40}(/tcp/9001)?") {
        if let Err(error) = check(&text) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
