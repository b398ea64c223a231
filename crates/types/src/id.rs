//! Identifiers. Each is its own type, so that a digest can never stand where a key belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sha256;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Not the stated number of lower- or upper-case hex digits.
    #[error("expected {expected} hex digits, found {found:?}")]
    NotHex {
        /// Digits that the identifier has.
        expected: usize,
        /// The text as given, cut to 80 characters.
        found: String,
    },
    /// A name outside `[a-z0-9]` and inner `-`, `_`, `.`, or not 1 to 64 characters long.
    #[error("name {found:?} must be 1 to 64 characters of a-z, 0-9, '-', '_' or '.', starting with a letter or digit")]
    NotAName {
        /// The text as given, cut to 80 characters.
        found: String,
    },
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Wraps exactly these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes, in the order they are signed and stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The first eight hex digits: enough for a person, never for a decision.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)
                    .map_err(|_| IdError::NotHex { expected: 2 * $len, found: cut(text) })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

byte_id!(
    /// Digest of the network's first charter; in every signing input and never changing.
    NetworkId, 32
);
byte_id!(
    /// Digest of one charter version.
    CharterDigest, 32
);
byte_id!(
    /// A member's ed25519 public key: who authored an event.
    MemberKey, 32
);
byte_id!(
    /// Drawn at random at every process start; one hash chain of one author.
    Epoch, 16
);
byte_id!(
    /// SHA-256 of a whole signed event, signature included.
    EventHash, 32
);
byte_id!(
    /// H(network id, asset, g): groups events for people; nothing that signs depends on it.
    IncidentId, 32
);

byte_id!(
    /// Names a planned change by everything that it says.
    ChangeId, 32
);

impl EventHash {
    /// Of the outer bytes of a signed event.
    #[must_use]
    pub fn of(outer: &[u8]) -> Self {
        Self(sha256(&[outer]))
    }
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
                let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
                if starts && text.len() <= 64 && text.chars().all(inner) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::NotAName { found: cut(text) })
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_id!(
    /// One of the partner organisations; every threshold counts these.
    OrganisationId
);
name_id!(
    /// One node of an organisation.
    MemberId
);
name_id!(
    /// Who runs an RPC endpoint.
    OperatorId
);
name_id!(
    /// A group of contracts contained together.
    AssetId
);
name_id!(
    /// A ladder of steps for one asset.
    PlaybookId
);
name_id!(
    /// One detector rule of the charter.
    DetectorId
);
name_id!(
    /// A Safe's name in the charter.
    SafeId
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Wraps this number.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// Position of an event in its (author, epoch) chain; the first is 0.
    Seq, u64
);
number_id!(
    /// Version of the charter; the first is 1.
    CharterVersion, u32
);
number_id!(
    /// EIP-155 chain id.
    ChainId, u64
);
number_id!(
    /// Rung of a playbook's ladder; 1 is the narrowest, each next one is wider.
    StepIndex, u8
);

impl Seq {
    /// The next position, saturating at the largest number (which no quota ever lets an author reach).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// SEV1 is the worst. Ordered so that a worse severity compares *greater*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Information.
    Sev5,
    /// Low, scheduled.
    Sev4,
    /// Moderate, hours.
    Sev3,
    /// High, possible loss.
    Sev2,
    /// Funds lost, active exploit or key compromise.
    Sev1,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sev1 => "SEV1",
            Self::Sev2 => "SEV2",
            Self::Sev3 => "SEV3",
            Self::Sev4 => "SEV4",
            Self::Sev5 => "SEV5",
        })
    }
}
