//! What a scenario says, in words that people read: its own kebab-case ones, with spaces.

use serde::Serialize;
use serde_json::Value;

use super::U256;

/// `kind: key value, key value` of a fault; the plain name of a moment, an act or an adversary.
pub(crate) fn words(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(Value::Object(mut parts)) => {
            let kind = parts.remove("kind").map(|kind| plain(&kind)).unwrap_or_default();
            let mut parts: Vec<String> =
                parts.iter().map(|(key, value)| format!("{} {}", key.replace('_', " "), plain(value))).collect();
            // In one order, whatever order the library that writes JSON keeps.
            parts.sort();
            if parts.is_empty() { kind } else { format!("{kind}: {}", parts.join(", ")) }
        }
        Ok(value) => plain(&value),
        Err(error) => error.to_string(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        // Names keep their hyphens, as the scenario's own words do not; amounts are read in decimal.
        Value::String(text) => match text.strip_prefix("0x").and_then(|hex| U256::from_str_radix(hex, 16).ok()) {
            Some(number) => number.to_string(),
            None => text.clone(),
        },
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" and "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
