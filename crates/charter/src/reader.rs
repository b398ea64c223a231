//! Reading TOML without stopping at the first fault: every value knows its line and key path, and what is wrong with it
//! goes to one [`Log`] while the caller reads on. A node's configuration is read by it too.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use watchfire_types::Address;

use crate::fault::{Complaint, Fault, Warning};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, 1 first.
    pub line: usize,
    /// Key path; empty at the root.
    pub key: String,
}

impl Place {
    fn below(&self, key: &str) -> String {
        let key = short(key);
        if self.key.is_empty() { key } else { format!("{}.{key}", self.key) }
    }
}

/// Collects what is to be said about one document.
#[derive(Debug)]
pub struct Log {
    root: &'static str,
    newlines: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Warning>>,
}

impl Log {
    /// An empty log for this document; `root` is what the document as a whole is called where a key would stand.
    #[must_use]
    pub fn new(root: &'static str, source: &str) -> Self {
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { root, newlines, faults: RefCell::default(), warnings: RefCell::default() }
    }

    /// The line of a byte offset, 1 first.
    pub fn line(&self, offset: usize) -> usize {
        self.newlines.partition_point(|newline| *newline < offset) + 1
    }

    /// Reports a fault.
    pub fn fault(&self, at: &Place, kind: &'static str, message: impl Display, remedy: impl Display) {
        self.faults.borrow_mut().push(Fault(self.complaint(at, kind, &message, &remedy)));
    }

    /// Reports a fault in a part of a text, with the part shown.
    pub fn fault_under(
        &self,
        at: &Place,
        kind: &'static str,
        message: impl Display,
        remedy: impl Display,
        excerpt: String,
    ) {
        let complaint = self.complaint(at, kind, &message, &remedy);
        self.faults.borrow_mut().push(Fault(Complaint { excerpt: Some(excerpt), ..complaint }));
    }

    /// Reports a warning.
    pub fn warn(&self, at: &Place, kind: &'static str, message: impl Display, remedy: impl Display) {
        self.warnings.borrow_mut().push(Warning(self.complaint(at, kind, &message, &remedy)));
    }

    fn complaint(&self, at: &Place, kind: &'static str, message: &dyn Display, remedy: &dyn Display) -> Complaint {
        let key = if at.key.is_empty() { self.root.to_owned() } else { at.key.clone() };
        Complaint { line: at.line, key, kind, message: message.to_string(), remedy: remedy.to_string(), excerpt: None }
    }

    /// The table of this document with its syntax errors, which are reported here; no table is sound where there are any.
    #[must_use]
    pub fn syntax<'a>(&self, source: &'a str) -> Option<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(source);
        for error in &errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            self.fault(
                &Place { line, key: String::new() },
                "syntax",
                message,
                "mend the TOML; other checks follow then",
            );
        }
        errors.is_empty().then(|| table.into_inner())
    }

    /// Faults and warnings, each in line order and without repetition.
    pub fn into_parts(self) -> (Vec<Fault>, Vec<Warning>) {
        let (mut faults, mut warnings) = (self.faults.into_inner(), self.warnings.into_inner());
        faults.sort();
        faults.dedup();
        warnings.sort();
        warnings.dedup();
        (faults, warnings)
    }
}

/// One TOML table being read; [`Section::finish`] reports the keys that nobody asked for.
#[derive(Debug)]
pub struct Section<'a> {
    /// Where faults go.
    pub log: &'a Log,
    /// Where the table stands.
    pub at: Place,
    table: &'a DeTable<'a>,
    known: BTreeSet<&'static str>,
}

/// One TOML value with its place.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    /// Where faults go.
    pub log: &'a Log,
    /// Where the value stands.
    pub at: Place,
    value: &'a DeValue<'a>,
}

impl<'a> Section<'a> {
    /// The document itself.
    pub fn root(log: &'a Log, table: &'a DeTable<'a>) -> Self {
        Self { log, at: Place { line: 1, key: String::new() }, table, known: BTreeSet::new() }
    }

    /// The value of a key that may be absent.
    pub fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.insert(key);
        let (name, value) = self.table.get_key_value(key)?;
        Some(Value { log: self.log, at: self.place(key, name.span(), value), value: value.get_ref() })
    }

    /// The value of a key that must be there; `what` says what belongs there.
    pub fn need(&mut self, key: &'static str, what: &str) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() {
            let at = Place { line: self.at.line, key: self.at.below(key) };
            self.log.fault(&at, "missing", format!("`{key}` is missing"), format!("add `{key}`: {what}"));
        }
        value
    }

    /// A bounded text that must be there.
    pub fn text(&mut self, key: &'static str, what: &str) -> Option<String> {
        self.need(key, what)?.text()
    }

    /// A number that must be there, within bounds.
    pub fn number(&mut self, key: &'static str, bounds: RangeInclusive<u64>, what: &str) -> Option<u64> {
        self.need(key, what)?.number(bounds)
    }

    /// A number within bounds, or a default where it is absent; `None` only for one that is wrong.
    pub fn number_or(&mut self, key: &'static str, bounds: RangeInclusive<u64>, default: u64) -> Option<u64> {
        self.get(key).map_or(Some(default), |value| value.number(bounds))
    }

    /// A text that parses as `T`.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str, what: &str) -> Option<T> {
        self.need(key, what)?.parsed(what)
    }

    /// The tables of an array of tables, at most `most`; none where it is absent.
    pub fn sections(&mut self, key: &'static str, most: usize) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        value.list(most).into_iter().flatten().filter_map(|entry| entry.section()).collect()
    }

    /// The values of a list, at most `most`; none where it is absent.
    pub fn values(&mut self, key: &'static str, most: usize) -> Vec<Value<'a>> {
        self.get(key).and_then(|value| value.list(most)).unwrap_or_default()
    }

    /// Names of all keys as written, with their values: for tables whose keys are data.
    pub fn entries(&self) -> Vec<(String, Value<'a>)> {
        let entry = |(name, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let key: &std::borrow::Cow<'a, str> = name.get_ref();
            let at = self.place(key, name.span(), value);
            (key.to_string(), Value { log: self.log, at, value: value.get_ref() })
        };
        self.table.iter().map(entry).collect()
    }

    /// One key of every table of an array of tables, without reporting anything.
    pub fn peek_each(&self, key: &str, inner: &'static str) -> Vec<Value<'a>> {
        let entries = self.table.get(key).and_then(|value| value.get_ref().as_array());
        let tables = entries.into_iter().flatten().enumerate().filter_map(|(index, entry)| {
            let at = Place { line: self.log.line(entry.span().start), key: format!("{}[{index}]", self.at.below(key)) };
            let table = entry.get_ref().as_table()?;
            Section { log: self.log, at, table, known: BTreeSet::new() }.get(inner)
        });
        tables.collect()
    }

    /// The place of a key, whether or not it is there.
    pub fn place_of(&self, key: &str) -> Place {
        match self.table.get_key_value(key) {
            Some((name, value)) => self.place(key, name.span(), value),
            None => Place { line: self.at.line, key: self.at.below(key) },
        }
    }

    /// Reports every key that was not asked for.
    pub fn finish(&self) {
        for (name, value) in self.table {
            let key: &str = name.get_ref();
            if self.known.contains(key) {
                continue;
            }
            let at = self.place(key, name.span(), value);
            let known = self.known.iter().copied().collect::<Vec<_>>().join("`, `");
            let remedy = match key {
                "value" => "remove it: a call never carries value".to_owned(),
                _ => format!("remove it or use one of `{known}`"),
            };
            self.log.fault(&at, "unknown-key", format!("`{}` is no key here", short(key)), remedy);
        }
    }

    fn place(&self, key: &str, name: Range<usize>, value: &Spanned<DeValue<'a>>) -> Place {
        // The key of an array of tables stands at its first header only; its entries carry their own spans.
        let offset = if name.is_empty() { value.span().start } else { name.start };
        Place { line: self.log.line(offset), key: self.at.below(key) }
    }
}

impl<'a> Value<'a> {
    /// Reports a fault here.
    pub fn fault(&self, kind: &'static str, message: impl Display, remedy: impl Display) {
        self.log.fault(&self.at, kind, message, remedy);
    }

    /// Reports a warning here.
    pub fn warn(&self, kind: &'static str, message: impl Display, remedy: impl Display) {
        self.log.warn(&self.at, kind, message, remedy);
    }

    fn wrong_type(&self, wanted: &str) {
        let found = self.value.type_str();
        self.fault("wrong-type", format!("expected {wanted}, found {found}"), format!("write {wanted}"));
    }

    /// Reports a fault in a part of the text here, with the part shown.
    pub fn fault_under(&self, kind: &'static str, message: impl Display, remedy: impl Display, excerpt: String) {
        self.log.fault_under(&self.at, kind, message, remedy, excerpt);
    }

    /// A text of 1 to 4,096 bytes that may have several lines, and no other control characters.
    pub fn source(&self) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("a string");
            return None;
        };
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.trim().is_empty() || text.len() > 4096 || text.chars().any(odd) {
            let message = "text is empty, has control characters or more than 4,096 bytes";
            self.fault("bad-text", message, "shorten or fill it");
            return None;
        }
        Some(text)
    }

    /// A text of 1 to 4,096 bytes without control characters.
    pub fn text(&self) -> Option<String> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("a string");
            return None;
        };
        if text.is_empty() || text.len() > 4096 || text.chars().any(char::is_control) {
            self.fault(
                "bad-text",
                "text is empty, has control characters or more than 4,096 bytes",
                "shorten or fill it",
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// A text that parses as `T`.
    pub fn parsed<T: FromStr<Err: Display>>(&self, what: &str) -> Option<T> {
        let text = self.text()?;
        text.parse().map_err(|error| self.fault("malformed", error, format!("write {what}"))).ok()
    }

    /// The text here, if one stands here; reports nothing.
    pub fn peek_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The number here, if one stands here; reports nothing.
    pub fn peek_number(&self) -> Option<u64> {
        let integer = self.value.as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type("true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub fn number(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| bounds.contains(n));
        if number.is_none() {
            let (least, most) = bounds.into_inner();
            self.fault("out-of-bounds", format!("{integer} is not within {least} to {most}"), "choose a number within");
        }
        number
    }

    /// A whole number within bounds that fits 16 bits.
    pub fn count(&self, least: u16) -> Option<u16> {
        self.number(u64::from(least)..=u64::from(u16::MAX)).and_then(|number| u16::try_from(number).ok())
    }

    /// The entries of a list, at most `most`.
    pub fn list(&self, most: usize) -> Option<Vec<Value<'a>>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list");
            return None;
        };
        if array.len() > most {
            self.fault(
                "too-many",
                format!("{} entries, at most {most} are allowed", array.len()),
                "split or shorten it",
            );
            return None;
        }
        let entry = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| {
            let line = self.log.line(value.span().start);
            let at = Place { line, key: format!("{}[{index}]", self.at.key) };
            Value { log: self.log, at, value: value.get_ref() }
        };
        Some(array.iter().enumerate().map(entry).collect())
    }

    /// The table here.
    pub fn section(&self) -> Option<Section<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type("a table");
            return None;
        };
        Some(Section { log: self.log, at: self.at.clone(), table, known: BTreeSet::new() })
    }
}

/// An address with its EIP-55 checksum that is not zero.
pub fn address(value: &Value<'_>) -> Option<Address> {
    let text = value.text()?;
    match Address::parse_checksummed(&text, None) {
        Ok(Address::ZERO) => {
            value.fault("zero-address", "the zero address is nobody", "write the address that is meant");
            None
        }
        Ok(address) => Some(address),
        Err(_) => {
            match text.parse::<Address>() {
                Ok(address) => value.fault(
                    "bad-checksum",
                    format!("{text} has a wrong or no EIP-55 checksum"),
                    format!("copy it from its source again; these digits would be {}", address.to_checksum(None)),
                ),
                Err(_) => value.fault("malformed", format!("{text:?} is no address"), "write 0x and 40 hex digits"),
            }
            None
        }
    }
}

/// Somebody's text cut to what fits a line, without control characters: it ends up on terminals.
pub fn short(text: &str) -> String {
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut cut: String = text.chars().take(80).map(printable).collect();
    if text.chars().nth(80).is_some() {
        cut.push_str("...");
    }
    cut
}
