//! From words to a tree, by CEL's precedence.

use std::ops::Range;

use super::lexer::{Token, words};
use super::{DEPTH_MAX, Integer, Mistake, NODES_MAX, SOURCE_MAX};

/// A part of an expression.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Range<usize>,
    pub(super) kind: Kind,
    /// Levels of parts below it, and its own.
    depth: usize,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Kind {
    Number(Integer),
    Text(String),
    Flag(bool),
    Name(String),
    List(Vec<Node>),
    Member {
        of: Box<Node>,
        name: String,
        name_at: Range<usize>,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
    },
    Call {
        of: Option<Box<Node>>,
        name: String,
        name_at: Range<usize>,
        arguments: Vec<Node>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary {
        sign: &'static str,
        sign_at: Range<usize>,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `&&` where `all`, else `||`; two or more.
    Chain {
        all: bool,
        parts: Vec<Node>,
    },
    Choose(Box<[Node; 3]>),
}

/// CEL keeps these for other languages.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
const RELATIONS: &[&str] = &["==", "!=", "<=", ">=", "<", ">"];

/// Whether an expression can name a field so.
pub(crate) fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = begins && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word && !RESERVED.contains(&text) && !["in", "true", "false", "null"].contains(&text)
}

/// Reads a whole text.
pub(super) fn parse(source: &str) -> Result<Node, Mistake> {
    if source.len() > SOURCE_MAX {
        let message = format!("the expression has {} bytes, at most {SOURCE_MAX} are read", source.len());
        return Err(Mistake::new("too-long", &(SOURCE_MAX..SOURCE_MAX), message, "split it into several rules"));
    }
    let mut parser = Parser { words: words(source)?, at: 0, depth: 0, nodes: 0 };
    let tree = parser.whole()?;
    match parser.next() {
        (Token::End, _) => Ok(tree),
        (token, at) => Err(unexpected(&token, &at, "an operator or the end")),
    }
}

struct Parser {
    words: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
    nodes: usize,
}

fn unexpected(token: &Token, at: &Range<usize>, wanted: &str) -> Mistake {
    let found = match token {
        Token::End => "the expression ends".to_owned(),
        Token::Number(number) => format!("{number} stands"),
        Token::Text(_) => "a text stands".to_owned(),
        Token::Word(word) => format!("`{}` stands", crate::reader::short(word)),
        Token::Sign(sign) => format!("`{sign}` stands"),
    };
    Mistake::new("bad-expression", at, format!("{found} where {wanted} belongs"), "complete or remove it")
}

fn too_deep(at: &Range<usize>) -> Mistake {
    let message = format!("the expression nests more than {DEPTH_MAX} levels");
    Mistake::new("too-deep", at, message, "split it into several rules")
}

impl Kind {
    /// Levels of its parts.
    fn depth(&self) -> usize {
        let most = |parts: &[Node]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
        match self {
            Self::Number(_) | Self::Text(_) | Self::Flag(_) | Self::Name(_) => 0,
            Self::List(parts) | Self::Chain { parts, .. } => most(parts),
            Self::Member { of, .. } | Self::Not(of) | Self::Negate(of) => of.depth,
            Self::Index { of, index } => of.depth.max(index.depth),
            Self::Call { of, arguments, .. } => most(arguments).max(of.as_ref().map_or(0, |of| of.depth)),
            Self::Binary { left, right, .. } => left.depth.max(right.depth),
            Self::Choose(parts) => most(parts.as_slice()),
        }
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.words.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn here(&self) -> Range<usize> {
        self.words.get(self.at).or(self.words.last()).map(|(_, at)| at.clone()).unwrap_or_default()
    }

    fn next(&mut self) -> (Token, Range<usize>) {
        let next = (self.peek().clone(), self.here());
        self.at += 1;
        next
    }

    fn takes(&mut self, sign: &str) -> Option<Range<usize>> {
        let there = matches!(self.peek(), Token::Sign(found) if *found == sign);
        there.then(|| self.next().1)
    }

    fn needs(&mut self, sign: &str) -> Result<Range<usize>, Mistake> {
        self.takes(sign).ok_or_else(|| unexpected(self.peek(), &self.here(), &format!("`{sign}`")))
    }

    fn node(&mut self, at: Range<usize>, kind: Kind) -> Result<Node, Mistake> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("the expression has more than {NODES_MAX} parts");
            return Err(Mistake::new("too-long", &at, message, "split it into several rules"));
        }
        let depth = 1 + kind.depth();
        if depth > DEPTH_MAX {
            return Err(too_deep(&at));
        }
        Ok(Node { at, kind, depth })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth >= DEPTH_MAX {
            return Err(too_deep(&self.here()));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn whole(&mut self) -> Result<Node, Mistake> {
        self.deeper(|parser| {
            let condition = parser.chain(false)?;
            if parser.takes("?").is_none() {
                return Ok(condition);
            }
            let yes = parser.chain(false)?;
            parser.needs(":")?;
            let no = parser.whole()?;
            parser.node(condition.at.start..no.at.end, Kind::Choose(Box::new([condition, yes, no])))
        })
    }

    fn chain(&mut self, all: bool) -> Result<Node, Mistake> {
        let sign = if all { "&&" } else { "||" };
        let part = |parser: &mut Self| if all { parser.relation() } else { parser.chain(true) };
        let mut parts = vec![part(self)?];
        while self.takes(sign).is_some() {
            parts.push(part(self)?);
        }
        let at = match parts.as_slice() {
            [first, .., last] => first.at.start..last.at.end,
            _ => return parts.pop().ok_or_else(|| unexpected(self.peek(), &self.here(), "a value")),
        };
        self.node(at, Kind::Chain { all, parts })
    }

    /// A level of operators that are read from the left; each of them nests what stands before it.
    fn binary(
        &mut self,
        signs: &[&'static str],
        mut operand: impl FnMut(&mut Self) -> Result<Node, Mistake>,
    ) -> Result<Node, Mistake> {
        let mut left = operand(self)?;
        loop {
            let sign = match self.peek() {
                Token::Sign(found) => signs.iter().find(|sign| *sign == found).copied(),
                Token::Word(word) if word == "in" => signs.contains(&"in").then_some("in"),
                _ => None,
            };
            let Some(sign) = sign else { return Ok(left) };
            let (_, sign_at) = self.next();
            let right = operand(self)?;
            let at = left.at.start..right.at.end;
            left = self.node(at, Kind::Binary { sign, sign_at, left: Box::new(left), right: Box::new(right) })?;
        }
    }

    fn relation(&mut self) -> Result<Node, Mistake> {
        let signs: Vec<&'static str> = RELATIONS.iter().copied().chain(["in"]).collect();
        self.binary(&signs, |parser| parser.binary(&["+", "-"], |parser| parser.binary(&["*", "/", "%"], Self::unary)))
    }

    fn unary(&mut self) -> Result<Node, Mistake> {
        self.deeper(|parser| {
            if let Some(at) = parser.takes("!") {
                let of = parser.unary()?;
                return parser.node(at.start..of.at.end, Kind::Not(Box::new(of)));
            }
            if let Some(at) = parser.takes("-") {
                let of = parser.unary()?;
                return parser.node(at.start..of.at.end, Kind::Negate(Box::new(of)));
            }
            parser.member()
        })
    }

    fn member(&mut self) -> Result<Node, Mistake> {
        let mut of = self.primary()?;
        loop {
            let start = of.at.start;
            let selects = self.takes(".").is_some();
            if !selects && self.takes("[").is_none() {
                return Ok(of);
            }
            of = if selects {
                let (name, name_at) = self.name()?;
                if self.takes("(").is_some() {
                    let (arguments, end) = self.listed(")")?;
                    self.node(start..end, Kind::Call { of: Some(Box::new(of)), name, name_at, arguments })?
                } else {
                    self.node(start..name_at.end, Kind::Member { of: Box::new(of), name, name_at })?
                }
            } else {
                let index = self.whole()?;
                let end = self.needs("]")?.end;
                self.node(start..end, Kind::Index { of: Box::new(of), index: Box::new(index) })?
            };
        }
    }

    fn name(&mut self) -> Result<(String, Range<usize>), Mistake> {
        match self.next() {
            (Token::Word(word), at) if is_name(&word) => Ok((word, at)),
            (token, at) => Err(unexpected(&token, &at, "a name")),
        }
    }

    /// Parts between commas up to a closing sign, and where it ends.
    fn listed(&mut self, close: &str) -> Result<(Vec<Node>, usize), Mistake> {
        let mut parts = Vec::new();
        loop {
            if let Some(at) = self.takes(close) {
                return Ok((parts, at.end));
            }
            if !parts.is_empty() {
                self.needs(",")?;
                // CEL allows a comma after the last entry of a list.
                if let Some(at) = self.takes(close).filter(|_| close == "]") {
                    return Ok((parts, at.end));
                }
            }
            parts.push(self.whole()?);
        }
    }

    fn primary(&mut self) -> Result<Node, Mistake> {
        let (token, at) = self.next();
        match token {
            Token::Number(number) => self.node(at, Kind::Number(number)),
            Token::Text(text) => self.node(at, Kind::Text(text)),
            Token::Sign("(") => {
                let inner = self.whole()?;
                let end = self.needs(")")?.end;
                Ok(Node { at: at.start..end, ..inner })
            }
            Token::Sign("[") => {
                let (parts, end) = self.listed("]")?;
                self.node(at.start..end, Kind::List(parts))
            }
            Token::Word(word) if word == "true" || word == "false" => self.node(at, Kind::Flag(word == "true")),
            Token::Word(word) if word == "null" => {
                let remedy = "every field has a value; compare with 0 or with an empty text";
                Err(Mistake::new("not-supported", &at, "there is no null", remedy))
            }
            Token::Word(word) if is_name(&word) => {
                if self.takes("(").is_some() {
                    let (arguments, end) = self.listed(")")?;
                    return self.node(at.start..end, Kind::Call { of: None, name: word, name_at: at, arguments });
                }
                self.node(at, Kind::Name(word))
            }
            Token::Word(word) => {
                let message = format!("`{word}` is a word that CEL keeps for itself");
                Err(Mistake::new("bad-expression", &at, message, "name a parameter by its place: arg0 is the first"))
            }
            token => Err(unexpected(&token, &at, "a value")),
        }
    }
}
