//! The secret that a source signs with: read from a private file, wiped when dropped, never shown.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::IntakeError;
use crate::config::intake::Scheme;
use crate::keys::files::read_private;

/// What a secret of Standard Webhooks begins with.
const PREFIX: &str = "whsec_";
/// Least and most bytes of a secret: what Standard Webhooks asks for.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret.
pub struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The first line of a private file, without blanks around it.
///
/// # Errors
/// [`IntakeError::File`].
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let bytes = read_private(path)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Zeroizing::new(line.trim_ascii().to_vec()))
}

impl Secret {
    /// The first line of a private file.
    ///
    /// # Errors
    /// [`IntakeError`]: others can read the file, or its first line is no secret of this kind.
    pub fn read(path: &Path, scheme: Scheme) -> Result<Self, IntakeError> {
        let none = |reason| IntakeError::Secret { path: path.to_owned(), reason };
        Self::parse(&first_line(path)?, scheme).map_err(none)
    }

    /// A secret as it is written.
    pub(super) fn parse(text: &[u8], scheme: Scheme) -> Result<Self, &'static str> {
        let secret = match scheme {
            Scheme::StandardWebhooks => {
                let digits = text.strip_prefix(PREFIX.as_bytes());
                let bytes = digits.and_then(|digits| STANDARD.decode(digits).ok());
                bytes.ok_or("its first line is not whsec_ and base64, as Standard Webhooks writes a secret")?
            }
            Scheme::OpenZeppelinMonitor => text.to_vec(),
        };
        let secret = Zeroizing::new(secret);
        if BYTES.contains(&secret.len()) { Ok(Self(secret)) } else { Err("a secret has 24 to 64 bytes") }
    }

    /// HMAC-SHA256 over these parts, one after the other.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length: there is always one.
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).ok()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac)
    }
}
