//! From an expression's text to its words, each with its place.

use std::ops::Range;

use super::{Integer, Mistake};

/// One word of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Number(Integer),
    Text(String),
    Word(String),
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".", "?", ":",
];

/// The words, [`Token::End`] last.
pub(super) fn words(source: &str) -> Result<Vec<(Token, Range<usize>)>, Mistake> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(length) = blank(rest) {
            at += length;
            continue;
        }
        let (token, length) = word(rest, at)?;
        words.push((token, at..at + length));
        at += length;
    }
    words.push((Token::End, source.trim_end().len()..source.len()));
    Ok(words)
}

/// Length of white space or of a comment at the start.
fn blank(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let space = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']).len();
    (space > 0).then_some(space)
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), Mistake> {
    let first = rest.chars().next().unwrap_or_default();
    if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
        return number(rest, at);
    }
    if first == '"' || first == '\'' {
        return text(rest, at, false);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let quoted = rest[length..].starts_with(['"', '\'']);
        return match &rest[..length] {
            "r" | "R" if quoted => text(&rest[1..], at + 1, true).map(|(token, inner)| (token, inner + 1)),
            "b" | "B" | "br" | "rb" | "bR" | "Rb" | "Br" | "rB" | "BR" | "RB" if quoted => {
                let remedy = "write bytes as a text of hex digits: \"0x00ff\"";
                Err(Mistake::new("not-supported", &(at..at + length), "bytes are not written like this here", remedy))
            }
            name => Ok((Token::Word(name.to_owned()), length)),
        };
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    sign.map(|sign| (Token::Sign(sign), sign.len())).ok_or_else(|| {
        let here = at..at + first.len_utf8();
        match first {
            '{' | '}' => {
                Mistake::new("not-supported", &here, "a rule has no maps and no messages", "use fields and lists alone")
            }
            _ => {
                Mistake::new("bad-expression", &here, format!("{first:?} means nothing in an expression"), "remove it")
            }
        }
    })
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Mistake> {
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let digits_at = if hex { 2 } else { 0 };
    let (digits, after) = {
        let body = &rest[digits_at..];
        let end = body.find(|c: char| !c.is_digit(if hex { 16 } else { 10 })).unwrap_or(body.len());
        (&body[..end], &body[end..])
    };
    let mut length = digits_at + digits.len();
    let fraction = after.strip_prefix('.').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
    if !hex && (digits.is_empty() || fraction || after.starts_with(['e', 'E'])) {
        let end = rest[length..].find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len() - length);
        let message = "there is no floating point: nodes would differ over it";
        let remedy = "compare whole numbers in base units; multiply before dividing, as in value * 1000 > total * 15";
        return Err(Mistake::new("not-supported", &(at..at + length + end), message, remedy));
    }
    let unsigned = after.starts_with(['u', 'U']);
    length += usize::from(unsigned);
    let here = at..at + length;
    let radix = if hex { 16 } else { 10 };
    let parsed = u64::from_str_radix(digits, radix).ok().filter(|n| unsigned || i64::try_from(*n).is_ok());
    let Some(parsed) = parsed else {
        let message = format!(
            "{} is no number of 64 bits, which is all that CEL writes in digits",
            crate::reader::short(&rest[..length])
        );
        return Err(Mistake::new(
            "bad-expression",
            &here,
            message,
            "write it as a text: uint256(\"1000000000000000000000\")",
        ));
    };
    if rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Mistake::new("bad-expression", &here, "a number runs into a name", "put an operator between them"));
    }
    Ok((Token::Number(Integer::from(parsed)), length))
}

fn text(rest: &str, at: usize, raw: bool) -> Result<(Token, usize), Mistake> {
    let unended = || {
        let message = "a text has no end";
        Mistake::new(
            "bad-expression",
            &(at..at + rest.lines().next().map_or(1, str::len)),
            message,
            "close it with the same quote",
        )
    };
    let quote = rest.chars().next().unwrap_or('"');
    if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
        let here = at..at + 3;
        return Err(Mistake::new(
            "not-supported",
            &here,
            "there are no texts of several lines",
            "use single quotes or double ones",
        ));
    }
    let mut told = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '\n' | '\r' => return Err(unended()),
            '\\' if !raw => {
                let (_, escaped) = chars.next().ok_or_else(unended)?;
                told.push(match escaped {
                    '\\' | '"' | '\'' | '`' | '?' => escaped,
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    _ => {
                        let here = at + place..at + place + 1 + escaped.len_utf8();
                        let message = format!("there is no escape \\{}", escaped.escape_default());
                        return Err(Mistake::new(
                            "bad-expression",
                            &here,
                            message,
                            "write the character itself, or r'...'",
                        ));
                    }
                });
            }
            c if c == quote => return Ok((Token::Text(told), place + 1)),
            c => told.push(c),
        }
    }
    Err(unended())
}
