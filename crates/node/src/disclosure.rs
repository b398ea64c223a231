//! Sealed words shown to third parties: a file that proves to anyone who has the charter what a sealed event says.
//!
//! Whoever could open the words knows the 32 random bytes that were sealed with them; SHA-256 over both is in the signed event, so these and no
//! other words are what its author sealed. No key is shown, and nobody else's words.
//!
//! The file is the line `watchfire-disclosure/v1`, then one JSON object: `event`, the signed event's outer bytes in hex; `salt`, the 32 random
//! bytes; `words`.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_types::body::Sealed;
use watchfire_types::{B256, Body, Bytes, EventHash, MemberId};
use watchfire_wire::{MAX_EVENT, decode_signed};

use crate::keys::sealing::proves;

/// First line of a disclosure.
pub const DISCLOSURE_HEADER: &str = "watchfire-disclosure/v1\n";
/// Longest file: an event in hex, and its words with every byte escaped.
const FILE_MAX: usize = 2 * MAX_EVENT + 6 * MAX_EVENT;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    event: String,
    salt: B256,
    words: String,
}

/// What a disclosure proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disclosed {
    /// The event.
    pub event: EventHash,
    /// Who signed it.
    pub author: MemberId,
    /// Author's clock, ms.
    pub time_ms: u64,
    /// The public hash.
    pub commitment: B256,
    /// What was sealed.
    pub words: String,
}

/// Why a disclosure proves nothing.
#[derive(Debug, Error)]
pub enum DisclosureFault {
    /// No such file.
    #[error("no disclosure: {0}")]
    Malformed(String),
    /// The event's signature does not hold in the charter's network.
    #[error("the event does not hold: {0}")]
    Event(String),
    /// Nobody of the charter signed it.
    #[error("the event's author is no member of the charter")]
    UnknownAuthor,
    /// Nothing is sealed in it.
    #[error("the event is no sealed one but a {0}")]
    NotSealed(&'static str),
    /// Other words were sealed.
    #[error("these are not the words that were sealed: their hash is not the one in the event")]
    OtherWords,
}

/// The file that shows the words of a sealed event.
///
/// # Errors
/// [`DisclosureFault`]: what would prove nothing is not written.
pub fn disclose(outer: &[u8], salt: B256, words: &str, charter: &Charter) -> Result<String, DisclosureFault> {
    let written = Written { event: hex::encode(outer), salt, words: words.to_owned() };
    let json = serde_json::to_string(&written).map_err(|error| DisclosureFault::Malformed(error.to_string()))?;
    let file = format!("{DISCLOSURE_HEADER}{json}\n");
    check(&file, charter).map(|_| file)
}

/// Checks a disclosure with nothing but a charter.
///
/// # Errors
/// [`DisclosureFault`].
pub fn check(file: &str, charter: &Charter) -> Result<Disclosed, DisclosureFault> {
    let malformed = |cause: &str| DisclosureFault::Malformed(cause.to_owned());
    let json = file.strip_prefix(DISCLOSURE_HEADER).ok_or_else(|| malformed("another first line"))?;
    if file.len() > FILE_MAX {
        return Err(malformed("longer than any"));
    }
    let Written { event, salt, words } = serde_json::from_str(json).map_err(|error| malformed(&error.to_string()))?;
    let outer = hex::decode(event).map_err(|error| malformed(&error.to_string()))?;
    let unverified = decode_signed(Bytes::from(outer)).map_err(|error| DisclosureFault::Event(error.to_string()))?;
    let event = unverified.verify(charter.network_id()).map_err(|error| DisclosureFault::Event(error.to_string()))?;
    let (author, _) = charter.member_by_key(&event.author).ok_or(DisclosureFault::UnknownAuthor)?;
    let Body::Sealed(Sealed { commitment, .. }) = &event.body else {
        return Err(DisclosureFault::NotSealed(event.body.kind()));
    };
    if !proves(commitment, &salt, &words) {
        return Err(DisclosureFault::OtherWords);
    }
    Ok(Disclosed {
        event: event.hash(),
        author: author.clone(),
        time_ms: event.time.as_millis(),
        commitment: *commitment,
        words,
    })
}

#[cfg(test)]
mod tests;
