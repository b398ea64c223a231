//! From a message's JSON to one line of words. What else a message holds is covered by its digest and not kept.

use serde::Deserialize;
use serde_json::Value;

use super::Refusal;
use crate::config::intake::Mapping;

#[derive(Deserialize)]
struct Plain {
    summary: String,
}

#[derive(Deserialize)]
struct Monitor {
    title: String,
    body: String,
}

/// What a message says. It is an object: serde would take a list for its fields too, in their order.
pub(super) fn summary(mapping: Mapping, body: &[u8]) -> Result<String, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))?;
    if !value.is_object() {
        return Err(Refusal::WrongShape("it is no object".to_owned()));
    }
    let (words, what) = match mapping {
        Mapping::Plain => (serde_json::from_value(value).map(|Plain { summary }| summary), "`summary`"),
        Mapping::OpenZeppelinMonitor => {
            let words = serde_json::from_value(value).map(|Monitor { title, body }| {
                let apart = if title.trim().is_empty() || body.trim().is_empty() { "" } else { ": " };
                format!("{}{apart}{}", title.trim(), body.trim())
            });
            (words, "`title` and `body`")
        }
    };
    let words = words.map_err(|error| Refusal::WrongShape(error.to_string()))?;
    if words.trim().is_empty() {
        return Err(Refusal::WrongShape(format!("{what} says nothing")));
    }
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Each mapping takes what it is for, and names what it is not.
    #[test]
    fn words_or_a_name() {
        let plain = |text: &str| summary(Mapping::Plain, text.as_bytes());
        let monitor = |text: &str| summary(Mapping::OpenZeppelinMonitor, text.as_bytes());
        assert_eq!(
            plain(r#"{"summary": "the front end is another", "more": [1, {}]}"#).unwrap(),
            "the front end is another"
        );
        assert_eq!(
            monitor(r#"{"title": "Large transfer", "body": "of 5 ether"}"#).unwrap(),
            "Large transfer: of 5 ether"
        );
        assert_eq!(monitor(r#"{"title": "Large transfer", "body": " "}"#).unwrap(), "Large transfer");
        for text in ["", "{", "[1", "summary", "{\"summary\": \"a\"} b", "\u{feff}{}"] {
            assert_eq!(plain(text).unwrap_err().code(), "not-json", "{text}");
        }
        for text in [
            "{}",
            "[]",
            "1",
            r#"["a"]"#,
            r#"{"summary": 1}"#,
            r#"{"summary": " \n"}"#,
            r#"{"title": "a", "body": "b"}"#,
        ] {
            assert_eq!(plain(text).unwrap_err().code(), "wrong-shape", "{text}");
        }
        assert_eq!(monitor(r#"{"title": "", "body": ""}"#).unwrap_err().code(), "wrong-shape");
        assert_eq!(plain(&"[".repeat(100_000)).unwrap_err().code(), "not-json", "however deep");
    }
}
