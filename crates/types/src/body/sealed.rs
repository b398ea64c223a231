//! Words for named members only: everyone keeps them, few can read them, and nobody can say later that they were others.

use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

use super::Human;
use crate::id::{AssetId, IncidentId, MemberId};

/// Longest text that is sealed, bytes: with 64 recipients the event still fits its bound, and the control socket's.
pub const SEALED_TEXT_MAX: usize = 12 * 1024;

/// What sealed words are about. Public.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedAbout {
    /// A note in an incident.
    Incident(IncidentId),
    /// A vulnerability of an asset.
    Vulnerability(AssetId),
}

/// The content key for one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// Who can open it.
    pub member: MemberId,
    /// HPKE's encapsulated key (RFC 9180, DHKEM(X25519, HKDF-SHA256)).
    pub encapsulated: B256,
    /// The content key, encrypted: 32 bytes and a tag of 16.
    pub wrapped: Bytes,
}

/// Words sealed to named members. How they are encrypted is said in proto/watchfire/v1/body.proto.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What they are about.
    pub about: SealedAbout,
    /// Who wrote them; the reason is public and may be empty.
    pub human: Human,
    /// SHA-256 of 32 random bytes and the words: whoever could open them can prove to anyone, by both, what was said.
    pub commitment: B256,
    /// One to 64, in the members' order.
    pub keys: Vec<SealedKey>,
    /// The 32 random bytes and the words, encrypted, with a tag of 16; at most [`SEALED_TEXT_MAX`] + 48 bytes.
    pub ciphertext: Bytes,
}
