//! Domain strings: what makes a signature of one kind useless as any other kind.
//!
//! Every string ends in a zero byte and holds no other, so none is a prefix of another.

use crate::id::NetworkId;

/// Signed events of the log.
pub const EVENT: &[u8] = b"watchfire/v1/event\0";
/// Heartbeats, which stand outside the log.
pub const HEARTBEAT: &[u8] = b"watchfire/v1/heartbeat\0";
/// A member's entry printed by `watchfire init`, before a network exists.
pub const MEMBER_ENTRY: &[u8] = b"watchfire/v1/member-entry\0";
/// Digest of a charter.
pub const CHARTER: &[u8] = b"watchfire/v1/charter\0";
/// Digest that names an incident.
pub const INCIDENT: &[u8] = b"watchfire/v1/incident\0";
/// Digest of the shared state.
pub const STATE: &[u8] = b"watchfire/v1/state\0";
/// Digest that keys a certificate by content.
pub const CERTIFICATE: &[u8] = b"watchfire/v1/certificate\0";
/// Rank of a submitter.
pub const RANK: &[u8] = b"watchfire/v1/rank\0";

/// Digest that names a planned change.
pub const CHANGE: &[u8] = b"watchfire/v1/change\0";

/// Binds the key of a sealed body to its event.
pub const SEALED: &[u8] = b"watchfire/v1/sealed\0";

/// All domains, for the test that no two collide and none is a prefix of another.
pub const ALL: &[&[u8]] =
    &[EVENT, HEARTBEAT, MEMBER_ENTRY, CHARTER, INCIDENT, STATE, CERTIFICATE, RANK, CHANGE, SEALED];

/// The exact bytes that a node key signs: domain, network id, message.
#[must_use]
pub fn signing_input(domain: &[u8], network: NetworkId, message: &[u8]) -> Vec<u8> {
    [domain, network.as_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// No domain is a prefix of another: a signing input belongs to exactly one kind.
    #[test]
    fn domains_are_prefix_free() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{i} is a prefix of {j}");
            }
        }
    }
}
