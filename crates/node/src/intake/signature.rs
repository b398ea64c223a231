//! Whether a message is its source's, and how old it is. Pure: headers, body and the clock are arguments.
//!
//! Standard Webhooks (<https://www.standardwebhooks.com>, specification 1.0): HMAC-SHA256 with the secret over `id.timestamp.body`, in base64 after
//! `v1,`; the header may hold several, so that secrets can be exchanged. OpenZeppelin Monitor: HMAC-SHA256 over the body and right after it the time in
//! milliseconds, in hex; it names no message, so that the signature itself is the name. Signatures are compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use watchfire_types::Timestamp;
use watchfire_types::input::REPORT_ID_MAX;

use super::Refusal;
use super::secret::Secret;
use crate::config::intake::Scheme;

/// How far the sender's clock may be from this node's, either way, ms.
pub(super) const TOLERANCE_MS: u64 = 300_000;
/// Most signatures of a header that are looked at.
const SIGNATURES_MAX: usize = 8;

/// What a source signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    /// The message's name.
    pub(super) id: String,
    /// When it was sent, by the source's clock.
    pub(super) sent: Timestamp,
}

/// Headers by name; a header that is not there exactly once as text is none.
pub(super) trait Headers {
    fn only(&self, name: &'static str) -> Option<&str>;
}

pub(super) fn check(
    scheme: Scheme,
    secret: &Secret,
    headers: &impl Headers,
    body: &[u8],
    now: Timestamp,
) -> Result<Signed, Refusal> {
    match scheme {
        Scheme::StandardWebhooks => standard(secret, headers, body, now),
        Scheme::OpenZeppelinMonitor => monitor(secret, headers, body, now),
    }
}

fn standard(secret: &Secret, headers: &impl Headers, body: &[u8], now: Timestamp) -> Result<Signed, Refusal> {
    let id = needed(headers, "webhook-id")?;
    if !(1..=REPORT_ID_MAX).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::BadId);
    }
    let timestamp = needed(headers, "webhook-timestamp")?;
    let sent_ms = number(timestamp, "webhook-timestamp")?.saturating_mul(1_000);
    let signatures = needed(headers, "webhook-signature")?;
    timely(sent_ms, now)?;
    let given = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).take(SIGNATURES_MAX);
    let mut given = given.filter_map(|digits| STANDARD.decode(digits).ok());
    let mac = secret.mac(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]).ok_or(Refusal::BadSignature)?;
    if !given.any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
        return Err(Refusal::BadSignature);
    }
    Ok(Signed { id: id.to_owned(), sent: Timestamp::from_millis(sent_ms) })
}

fn monitor(secret: &Secret, headers: &impl Headers, body: &[u8], now: Timestamp) -> Result<Signed, Refusal> {
    let timestamp = needed(headers, "x-timestamp")?;
    let sent_ms = number(timestamp, "x-timestamp")?;
    let signature = needed(headers, "x-signature")?;
    timely(sent_ms, now)?;
    let signature = hex::decode(signature).map_err(|_| Refusal::BadSignature)?;
    // The body is JSON, which ends with no digit: nothing can be moved from the one to the other.
    let mac = secret.mac(&[body, timestamp.as_bytes()]).ok_or(Refusal::BadSignature)?;
    mac.verify_slice(&signature).map_err(|_| Refusal::BadSignature)?;
    Ok(Signed { id: hex::encode(&signature), sent: Timestamp::from_millis(sent_ms) })
}

fn needed<'a>(headers: &'a impl Headers, name: &'static str) -> Result<&'a str, Refusal> {
    headers.only(name).ok_or(Refusal::NoHeader(name))
}

fn number(text: &str, header: &'static str) -> Result<u64, Refusal> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or(Refusal::BadTimestamp(header))
}

fn timely(sent_ms: u64, now: Timestamp) -> Result<(), Refusal> {
    let now_ms = now.as_millis();
    if now_ms.saturating_sub(sent_ms) > TOLERANCE_MS {
        return Err(Refusal::TooOld((now_ms - sent_ms) / 1_000));
    }
    if sent_ms.saturating_sub(now_ms) > TOLERANCE_MS {
        return Err(Refusal::TooNew((sent_ms - now_ms) / 1_000));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
