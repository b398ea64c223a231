//! A monitor's condition in CEL: `value > 5 AND to == '0x..'` becomes `value > 5 && to == "0x.."`.
//!
//! Only what means the same is translated. Monitors compare texts without regard to case and numbers with fractions, which rules do not.

use alloy_primitives::Address;

use super::declared::Field;
use crate::reader::short;

/// Most bytes of a condition, and most levels of parentheses.
const LENGTH_MAX: usize = 2_000;
const DEPTH_MAX: usize = 24;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// A name, a number, a hex literal, a keyword: whatever stands without quotes.
    Bare(String),
    Quoted(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "!=", ">=", "<=", ">", "<", "(", ")", "[", "]", ",", "."];

/// The condition in CEL over these fields.
///
/// # Errors
/// What of it means nothing here, for people.
pub(super) fn translate(source: &str, fields: &[Field]) -> Result<String, String> {
    if source.len() > LENGTH_MAX {
        return Err(format!("the condition has {} bytes, at most {LENGTH_MAX} are read", source.len()));
    }
    let mut reader = Reader { words: words(source)?, at: 0, fields };
    let told = reader.either(0)?;
    match reader.peek() {
        None => Ok(told),
        Some(word) => Err(format!("{} stands where the condition should end", shown(word))),
    }
}

fn words(source: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' || first == '"' {
            let (text, length) = quoted(rest, first)?;
            words.push(Word::Quoted(text));
            length
        } else if first.is_alphanumeric() || first == '_' || first == '-' {
            let inner = |c: char| c.is_alphanumeric() || c == '_';
            let mut length = first.len_utf8()
                + rest[first.len_utf8()..].find(|c| !inner(c)).unwrap_or(rest.len() - first.len_utf8());
            // A fraction is one word with its point.
            let digits = rest[..length].trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
            let fraction = rest[length..]
                .strip_prefix('.')
                .filter(|rest| digits && rest.starts_with(|c: char| c.is_ascii_digit()));
            if let Some(fraction) = fraction {
                length += 1 + fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
            }
            words.push(Word::Bare(rest[..length].to_owned()));
            length
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("{first:?} means nothing in a condition"))?;
            words.push(Word::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

fn quoted(rest: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
            c if c == quote => return Ok((text, at + 1)),
            c => text.push(c),
        }
    }
    Err("a text has no end".to_owned())
}

fn shown(word: &Word) -> String {
    match word {
        Word::Bare(text) | Word::Quoted(text) => format!("{:?}", short(text)),
        Word::Sign(sign) => format!("`{sign}`"),
    }
}

struct Reader<'a> {
    words: Vec<Word>,
    at: usize,
    fields: &'a [Field],
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn next(&mut self) -> Result<Word, String> {
        let word = self.peek().cloned().ok_or("the condition ends too early")?;
        self.at += 1;
        Ok(word)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Word::Sign(found)) if *found == sign);
        self.at += usize::from(there);
        there
    }

    fn takes_word(&mut self, keyword: &str) -> bool {
        let there = matches!(self.peek(), Some(Word::Bare(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(there);
        there
    }

    fn either(&mut self, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the condition nests more than {DEPTH_MAX} levels"));
        }
        let mut parts = vec![self.both(depth)?];
        while self.takes_word("OR") {
            parts.push(self.both(depth)?);
        }
        Ok(parts.join(" || "))
    }

    fn both(&mut self, depth: usize) -> Result<String, String> {
        let mut parts = vec![self.one(depth)?];
        while self.takes_word("AND") {
            parts.push(self.one(depth)?);
        }
        Ok(parts.join(" && "))
    }

    fn one(&mut self, depth: usize) -> Result<String, String> {
        if self.takes("(") {
            let inner = self.either(depth + 1)?;
            if !self.takes(")") {
                return Err("a parenthesis is not closed".to_owned());
            }
            return Ok(format!("({inner})"));
        }
        let (path, field) = self.field()?;
        let operator = match self.next()? {
            Word::Sign(sign) if ["==", "!=", ">", ">=", "<", "<="].contains(&sign) => sign.to_owned(),
            Word::Bare(word) => word.to_lowercase(),
            word => return Err(format!("{} compares nothing", shown(&word))),
        };
        let value = self.next()?;
        if value == Word::Sign("(") {
            return Err(format!("{path} is compared with a struct as a whole, which a rule cannot"));
        }
        compared(&path, &field, &operator, &value)
    }

    /// A field with what leads into it, and what is there.
    fn field(&mut self) -> Result<(String, Field), String> {
        let name = match self.next()? {
            Word::Bare(name) => name,
            word => return Err(format!("{} stands where a field belongs", shown(&word))),
        };
        let found = self.fields.iter().find(|field| field.name == name);
        let mut field =
            found.cloned().ok_or_else(|| format!("there is no field {:?} that a rule could ask for", short(&name)))?;
        let mut path = field.path.clone();
        loop {
            if self.takes("[") {
                let index = match self.next()? {
                    Word::Bare(index) if index.bytes().all(|byte| byte.is_ascii_digit()) => index,
                    word => return Err(format!("{} is no index", shown(&word))),
                };
                let entry = entry(&field.ty).ok_or_else(|| format!("{path} has no entries"))?;
                if !self.takes("]") {
                    return Err("a bracket is not closed".to_owned());
                }
                path = format!("{path}[{index}]");
                field.ty = entry.to_owned();
            } else if self.takes(".") {
                let part = match self.next()? {
                    Word::Bare(part) => part,
                    word => return Err(format!("{} is no part of {path}", shown(&word))),
                };
                let found = field.parts.iter().find(|one| one.name == part && field.ty == "tuple").cloned();
                field = found.ok_or_else(|| format!("{path} has no part {:?}", short(&part)))?;
                path = format!("{path}.{}", field.path);
            } else {
                return Ok((path, field));
            }
        }
    }
}

/// The type of a list's entries.
fn entry(ty: &str) -> Option<&str> {
    ty.strip_suffix(']').and_then(|ty| ty.rsplit_once('[')).map(|(entry, _)| entry)
}

fn compared(path: &str, field: &Field, operator: &str, value: &Word) -> Result<String, String> {
    let equal = operator == "==" || operator == "!=";
    let literal = match value {
        Word::Bare(text) | Word::Quoted(text) => text.as_str(),
        Word::Sign(sign) => return Err(format!("`{sign}` stands where a value belongs")),
    };
    if let Some(entry) = entry(&field.ty) {
        if operator != "contains" {
            return Err(format!("{path} is compared as a whole list, which a rule cannot"));
        }
        return Ok(format!("{} in {path}", written(entry, literal, path)?));
    }
    let ty = field.ty.as_str();
    let ordered = matches!(operator, ">" | ">=" | "<" | "<=");
    match ty {
        "tx.input" => selector(operator, literal),
        "string" => Err(format!("{path} is compared without regard to case, which a rule cannot")),
        "hash" => Err(format!("{path} is indexed: a log has its hash alone")),
        _ if ty.starts_with("uint") || ty.starts_with("int") => {
            if equal || ordered {
                Ok(format!("{path} {operator} {}", written(ty, literal, path)?))
            } else {
                Err(format!("{path} is a number, which `{}` does not compare", short(operator)))
            }
        }
        _ if equal => Ok(format!("{path} {operator} {}", written(ty, literal, path)?)),
        _ => Err(format!("{path} is compared by `{}`, which a rule cannot", short(operator))),
    }
}

/// The only thing that is asked of a transaction's input as a text and can be asked otherwise: what it calls.
fn selector(operator: &str, literal: &str) -> Result<String, String> {
    let digits = literal.strip_prefix("0x").filter(|digits| digits.len() == 8 && hex::decode(digits).is_ok());
    match digits {
        Some(digits) if operator == "starts_with" => Ok(format!("tx.selector == \"0x{}\"", digits.to_lowercase())),
        _ => Err("a transaction's input is only compared with the selector that it starts with: 0x and eight digits"
            .to_owned()),
    }
}

/// A value of a type as expressions write it.
fn written(ty: &str, literal: &str, path: &str) -> Result<String, String> {
    let not = |what: &str| format!("{:?} is no {what}, which {path} is compared with", short(literal));
    match ty {
        "address" => literal.parse::<Address>().map(|address| format!("\"{address}\"")).map_err(|_| not("address")),
        "bool" => match literal.to_lowercase().as_str() {
            flag @ ("true" | "false") => Ok(flag.to_owned()),
            _ => Err(not("bool")),
        },
        _ if ty.starts_with("uint") || ty.starts_with("int") => {
            let digits = literal.strip_prefix('-').unwrap_or(literal);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(not("whole number"));
            }
            Ok(match (literal.parse::<i64>(), literal.starts_with('-')) {
                (Ok(number), _) => number.to_string(),
                (Err(_), true) => format!("int256(\"{literal}\")"),
                (Err(_), false) => format!("uint256(\"{literal}\")"),
            })
        }
        _ if ty.starts_with("bytes") => {
            let bytes = literal.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
            bytes.map(|bytes| format!("\"0x{}\"", hex::encode(bytes))).ok_or_else(|| not("hex text"))
        }
        _ => Err(format!("{path} is of type {}, which conditions compare as a text", short(ty))),
    }
}
