//! JSON read into a flat list of values, without recursion: a value nested a million deep costs a million entries and no stack.
//!
//! A value is 16 bytes beside the text it stands in; containers know where they end, so that skipping one costs one step. Texts stay as
//! they are written (escapes are checked for their end, not resolved: no field that a trace needs has any).

/// Values within one, of 16 bytes each: more than the fullest block of 60 million gas has, of calls at 100 gas with a dozen values each.
const VALUES_MAX: usize = 1 << 23;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Text,
    Number,
    True,
    False,
    Null,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    /// The index after this value and all inside it.
    next: u32,
}

/// Why a text is no JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonFault {
    /// Byte offset.
    pub(crate) at: usize,
    /// What was met or missed.
    pub(crate) what: &'static str,
}

/// One value with everything in it.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    text: &'a [u8],
    nodes: Vec<Node>,
}

/// One value of a tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    tape: &'a Tape<'a>,
    index: usize,
}

/// What the reader expects next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that has none.
    ValueOrEnd,
    Key,
    KeyOrEnd,
    /// A comma or the end of the container.
    More,
}

impl<'a> Tape<'a> {
    /// Reads the value that begins at or after `from`; answers it and where it ends, or `None` when only blanks are left.
    pub(crate) fn read(text: &'a [u8], from: usize) -> Result<Option<(Self, usize)>, JsonFault> {
        let mut reader = Reader { text, at: from, nodes: Vec::new(), open: Vec::new() };
        reader.blanks();
        if reader.at >= text.len() {
            return Ok(None);
        }
        reader.whole()?;
        let (nodes, at) = (reader.nodes, reader.at);
        Ok(Some((Self { text, nodes }, at)))
    }

    /// The value itself.
    pub(crate) fn root(&'a self) -> Value<'a> {
        Value { tape: self, index: 0 }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    open: Vec<u32>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, JsonFault> {
        let what = if self.at >= self.text.len() { "the text ends inside a value" } else { what };
        Err(JsonFault { at: self.at, what })
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn push(&mut self, kind: Kind, start: usize) -> Result<u32, JsonFault> {
        let narrow = |value: usize| u32::try_from(value);
        let (Ok(start), Ok(end), Ok(index)) = (narrow(start), narrow(self.at), narrow(self.nodes.len())) else {
            return Err(JsonFault { at: start, what: "more than 4 GiB in one value" });
        };
        if self.nodes.len() >= VALUES_MAX {
            return Err(JsonFault { at: start as usize, what: "more than 8,388,608 values in one" });
        }
        self.nodes.push(Node { kind, start, end, next: index + 1 });
        Ok(index)
    }

    fn whole(&mut self) -> Result<(), JsonFault> {
        let mut expect = Expect::Value;
        loop {
            self.blanks();
            let in_object = self.open.last().is_some_and(|index| self.nodes[*index as usize].kind == Kind::Object);
            expect = match (expect, self.peek()) {
                (Expect::ValueOrEnd, Some(b']')) | (Expect::KeyOrEnd, Some(b'}')) => self.close()?,
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => {
                    self.text_value()?;
                    self.blanks();
                    if self.peek() != Some(b':') {
                        return self.fault("a colon is missing after a name");
                    }
                    self.at += 1;
                    Expect::Value
                }
                (Expect::Key | Expect::KeyOrEnd, _) => return self.fault("a name in quotes is expected"),
                (Expect::Value | Expect::ValueOrEnd, _) => self.value()?,
                (Expect::More, Some(b',')) => {
                    self.at += 1;
                    if in_object { Expect::Key } else { Expect::Value }
                }
                (Expect::More, Some(b'}')) if in_object => self.close()?,
                (Expect::More, Some(b']')) if !in_object => self.close()?,
                (Expect::More, _) => return self.fault("a comma or the end of the list or object is expected"),
            };
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn close(&mut self) -> Result<Expect, JsonFault> {
        self.at += 1;
        let (next, end) = (u32::try_from(self.nodes.len()), u32::try_from(self.at));
        let (Some(index), Ok(next), Ok(end)) = (self.open.pop(), next, end) else {
            return self.fault("an end without a beginning");
        };
        let node = &mut self.nodes[index as usize];
        (node.next, node.end) = (next, end);
        Ok(Expect::More)
    }

    fn value(&mut self) -> Result<Expect, JsonFault> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.begin(Kind::Object, start).map(|()| Expect::KeyOrEnd),
            Some(b'[') => self.begin(Kind::Array, start).map(|()| Expect::ValueOrEnd),
            Some(b'"') => self.text_value().map(|()| Expect::More),
            Some(b'-' | b'0'..=b'9') => {
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                self.push(Kind::Number, start).map(|_| Expect::More)
            }
            _ => {
                for (word, kind) in [("true", Kind::True), ("false", Kind::False), ("null", Kind::Null)] {
                    if self.text[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return self.push(kind, start).map(|_| Expect::More);
                    }
                }
                self.fault("a value is expected")
            }
        }
    }

    fn begin(&mut self, kind: Kind, start: usize) -> Result<(), JsonFault> {
        self.at += 1;
        let index = self.push(kind, start)?;
        self.open.push(index);
        Ok(())
    }

    fn text_value(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        let start = self.at;
        loop {
            while let Some(word) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
                let plain = plain(u64::from_le_bytes(*word));
                self.at += plain;
                if plain < 8 {
                    break;
                }
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0x20..) => self.at += 1,
                _ => return self.fault("a text does not end on its line"),
            }
        }
        self.push(Kind::Text, start)?;
        self.at += 1;
        Ok(())
    }
}

/// How many of these eight bytes, the lowest first, come before one that a text ends at, or that is more than itself: a quote, a backslash, a
/// control character. Long texts are mostly hex digits, and are passed eight at a time.
fn plain(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte below `n`, and perhaps of bytes above such a one.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let found = equal(b'"') | equal(b'\\') | below(word, 0x20);
    found.trailing_zeros() as usize / 8
}

impl<'a> Value<'a> {
    fn node(self) -> Node {
        self.tape.nodes[self.index]
    }

    /// What it is.
    pub(crate) fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where it stands: a byte offset.
    pub(crate) fn at(self) -> usize {
        self.node().start as usize
    }

    /// The bytes of a text or number.
    pub(crate) fn bytes(self) -> &'a [u8] {
        let node = self.node();
        &self.tape.text[node.start as usize..node.end as usize]
    }

    /// The text, if it is one.
    pub(crate) fn text(self) -> Option<&'a str> {
        (self.kind() == Kind::Text).then(|| std::str::from_utf8(self.bytes()).ok())?
    }

    /// The member with this name that is not null, of an object.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        self.members()
            .find(|(key, value)| *key == name.as_bytes() && value.kind() != Kind::Null)
            .map(|(_, value)| value)
    }

    /// The first of these members that is there and not null.
    pub(crate) fn any(self, names: &[&str]) -> Option<Self> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Names and values of an object; of anything else none.
    pub(crate) fn members(self) -> impl Iterator<Item = (&'a [u8], Self)> {
        let inside =
            if self.kind() == Kind::Object { self.inside() } else { Inside { at: 0, end: 0, tape: self.tape } };
        Members(inside)
    }

    /// The values of an array; of anything else none.
    pub(crate) fn items(self) -> impl Iterator<Item = Self> {
        if self.kind() == Kind::Array { self.inside() } else { Inside { at: 0, end: 0, tape: self.tape } }
    }

    fn inside(self) -> Inside<'a> {
        Inside { at: self.index + 1, end: self.node().next as usize, tape: self.tape }
    }
}

struct Inside<'a> {
    tape: &'a Tape<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Inside<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let value = (self.at < self.end).then_some(Value { tape: self.tape, index: self.at })?;
        self.at = value.node().next as usize;
        Some(value)
    }
}

struct Members<'a>(Inside<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?;
        Some((name.bytes(), self.0.next()?))
    }
}
