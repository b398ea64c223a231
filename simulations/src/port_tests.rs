//! Which ports are taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{SocketAddr, TcpListener};

use crate::port::{USUAL, free, outside};

/// Goal: nothing that the system hands out itself, wherever that lies.
#[test]
fn the_systems_own_range_is_left_alone() {
    assert_eq!(outside(None), USUAL);
    assert_eq!(outside(Some((32_768, 60_999))), USUAL);
    assert_eq!(outside(Some((49_152, 65_535))), USUAL);
    assert_eq!(outside(Some((25_000, 65_535))), 20_000..25_000);
    assert_eq!(outside(Some((15_000, 65_535))), 10_000..15_000);
    assert_eq!(outside(Some((1_024, 60_999))), 61_000..65_535);
    assert_eq!(outside(Some((1_024, 65_535))), USUAL);
}

/// Goal: no two alike, none in use.
#[test]
fn no_two_alike() {
    let held = TcpListener::bind(free().unwrap()).unwrap();
    let ports: Vec<SocketAddr> = (0..100).map(|_| free().unwrap()).collect();
    assert_eq!(ports.iter().collect::<std::collections::BTreeSet<_>>().len(), ports.len());
    assert!(!ports.contains(&held.local_addr().unwrap()));
}
