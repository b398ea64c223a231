//! The digest of a charter: SHA-256 over the charter domain and the RFC 8785 form of the validated model.
//!
//! RFC 8785 writes numbers as IEEE doubles, so two different integers above 2^53 would look alike: such integers are
//! written as decimal strings. Map keys that are numbers are decimal strings in JSON anyway, sorted as text.

use serde::Serialize;
use serde_json::Value;
use watchfire_types::{CharterDigest, domain, sha256};

/// Largest integer that a double holds exactly together with all below it.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Digest of a model.
pub(crate) fn of(model: &impl Serialize) -> Result<CharterDigest, serde_json::Error> {
    let canonical = canonical(model)?;
    Ok(CharterDigest::from_bytes(sha256(&[domain::CHARTER, &canonical])))
}

/// RFC 8785 bytes of a model.
pub(crate) fn canonical(model: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::to_value(model)?;
    exact(&mut value);
    serde_json_canonicalizer::to_vec(&value)
}

fn exact(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(integer) = number.as_u64().filter(|integer| *integer > SAFE_INTEGER) {
                *value = Value::String(integer.to_string());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(exact),
        Value::Object(map) => map.values_mut().for_each(exact),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
