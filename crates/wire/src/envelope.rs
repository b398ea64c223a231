//! What one gossip message carries.

use bytes::Bytes;
use prost::Message;

use crate::bounds::{MAX_ENVELOPE, MAX_WITNESS};
use crate::error::WireError;
use crate::field::{check_size, present};
use crate::proto::{self, envelope};

/// One gossip message: canonical, so that no second message can carry the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// Outer bytes of a signed event.
    Event(Bytes),
    /// Bytes of a signed heartbeat.
    Heartbeat(Bytes),
    /// Text of a signed checkpoint with one witness's line; at most [`MAX_WITNESS`] bytes.
    Witness(Bytes),
}

impl Envelope {
    /// The message to publish.
    #[must_use]
    pub fn encode(self) -> Bytes {
        let message = match self {
            Self::Event(bytes) => envelope::Message::Event(bytes),
            Self::Heartbeat(bytes) => envelope::Message::Heartbeat(bytes),
            Self::Witness(bytes) => envelope::Message::Witness(bytes),
        };
        proto::Envelope { message: Some(message) }.encode_to_vec().into()
    }

    /// Decodes a message of at most [`MAX_ENVELOPE`] bytes; its content is not looked at.
    ///
    /// # Errors
    /// [`WireError`] when it is too large, no envelope, or not canonical.
    pub fn decode(bytes: &Bytes) -> Result<Self, WireError> {
        let message = "envelope";
        check_size(message, bytes.len(), MAX_ENVELOPE)?;
        let envelope =
            proto::Envelope::decode(bytes.clone()).map_err(|source| WireError::Malformed { message, source })?;
        if envelope.encoded_len() != bytes.len() || envelope.encode_to_vec() != *bytes {
            return Err(WireError::NotCanonical { message });
        }
        Ok(match present("envelope.message", envelope.message)? {
            envelope::Message::Event(bytes) => Self::Event(bytes),
            envelope::Message::Heartbeat(bytes) => Self::Heartbeat(bytes),
            envelope::Message::Witness(bytes) => {
                check_size("witness message", bytes.len(), MAX_WITNESS)?;
                Self::Witness(bytes)
            }
        })
    }
}
