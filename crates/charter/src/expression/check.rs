//! Types: from a tree to steps that can fail for figures alone.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::Address;

use super::syntax::{Kind, Node};
use super::value::Type;
use super::{Integer, LIST_MAX, Mistake, Subject, Value};
use crate::reader::short;

/// A checked expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) code: Code,
    /// The fields that it names, each by its slot and as written.
    pub(super) used: Vec<(usize, String)>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Code {
    Constant(Value),
    Field(usize),
    /// The entry that an `exists` or `all` is at, the outermost first.
    Local(usize),
    Component(Box<Code>, usize),
    Entry(Box<Code>, Box<Code>),
    List(Vec<Code>),
    Size(Box<Code>),
    Not(Box<Code>),
    Negate(Box<Code>),
    Absolute(Box<Code>),
    Arithmetic(Arithmetic, Box<[Code; 2]>),
    MultiplyDivide(Box<[Code; 3]>),
    /// Holds where the order of two numbers is one of these.
    Ordered(&'static [Ordering], Box<[Code; 2]>),
    Equal(Box<[Code; 2]>),
    /// Whether the second, a list, has the first.
    Among(Box<[Code; 2]>),
    Holding(Holding, Box<[Code; 2]>),
    Chain {
        all: bool,
        parts: Vec<Code>,
    },
    Choose(Box<[Code; 3]>),
    Each {
        all: bool,
        list: Box<Code>,
        body: Box<Code>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Least,
    Greatest,
}

/// What a text is asked about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    Anywhere,
    First,
    Last,
}

const FUNCTIONS: &str = "uint256(\"..\"), int256(\"..\"), mul_div(a, b, c), min(a, b), max(a, b), abs(a), size(x), and of a text contains, startsWith, \
                         endsWith, and of a list exists(x, ..) and all(x, ..)";

type Typed = Result<(Code, Type), Mistake>;

/// Checks that a tree is yes or no about the subject.
pub(super) fn check(tree: &Node, subject: &Subject) -> Result<Program, Mistake> {
    let mut checker = Checker { subject, locals: Vec::new(), used: BTreeMap::new() };
    let code = checker.of_type(tree, &Type::Flag, "the expression answers yes or no")?;
    Ok(Program { code, used: checker.used.into_iter().collect() })
}

struct Checker<'a> {
    subject: &'a Subject,
    locals: Vec<(String, Type)>,
    used: BTreeMap<usize, String>,
}

fn wrong_type(at: &Range<usize>, message: String) -> Mistake {
    Mistake::new(
        "wrong-type",
        at,
        message,
        "compare numbers with numbers, addresses and bytes with texts such as \"0x..\"",
    )
}

fn pair(left: Code, right: Code) -> Box<[Code; 2]> {
    Box::new([left, right])
}

impl Checker<'_> {
    /// A part that has to be of a type; a text stands for an address or for bytes where these are wanted.
    fn of_type(&mut self, node: &Node, wanted: &Type, why: &str) -> Result<Code, Mistake> {
        let (code, found) = self.hinted(node, Some(wanted))?;
        if found == *wanted {
            return Ok(code);
        }
        Err(wrong_type(&node.at, format!("this is {}, and {why}: {} is wanted", found.name(), wanted.name())))
    }

    fn number(&mut self, node: &Node) -> Result<Code, Mistake> {
        self.of_type(node, &Type::Integer, "it is calculated with")
    }

    fn hinted(&mut self, node: &Node, wanted: Option<&Type>) -> Typed {
        match (&node.kind, wanted) {
            (Kind::Text(text), Some(Type::Address)) => Ok((Code::Constant(address(text, &node.at)?), Type::Address)),
            (Kind::Text(text), Some(Type::Bytes)) => Ok((Code::Constant(bytes(text, &node.at)?), Type::Bytes)),
            (Kind::List(parts), wanted) => self.list(node, parts, wanted),
            (Kind::Choose(parts), wanted) => {
                let [condition, yes, no] = parts.as_ref();
                let condition = self.of_type(condition, &Type::Flag, "it chooses")?;
                let (yes, ty) = self.hinted(yes, wanted)?;
                let no = self.of_type(no, &ty, "both answers are alike")?;
                Ok((Code::Choose(Box::new([condition, yes, no])), ty))
            }
            _ => self.typed(node),
        }
    }

    fn typed(&mut self, node: &Node) -> Typed {
        match &node.kind {
            Kind::Number(number) => Ok((Code::Constant(Value::Integer(*number)), Type::Integer)),
            Kind::Text(text) => Ok((Code::Constant(Value::Text(text.as_str().into())), Type::Text)),
            Kind::Flag(flag) => Ok((Code::Constant(Value::Flag(*flag)), Type::Flag)),
            Kind::Name(name) => self.name(name, &node.at),
            Kind::List(_) | Kind::Choose(_) => self.hinted(node, None),
            Kind::Member { of, name, name_at } => self.component(node, of, name, name_at),
            Kind::Index { of, index } => {
                let (list, ty) = self.typed(of)?;
                let Type::List(entry) = ty else {
                    return Err(wrong_type(&of.at, format!("this is {}, which has no entries", ty.name())));
                };
                let index = self.number(index)?;
                Ok((Code::Entry(Box::new(list), Box::new(index)), *entry))
            }
            Kind::Call { of, name, name_at, arguments } => self.call(node, of.as_deref(), name, name_at, arguments),
            Kind::Not(of) => {
                let of = self.of_type(of, &Type::Flag, "`!` turns yes and no around")?;
                Ok((Code::Not(Box::new(of)), Type::Flag))
            }
            Kind::Negate(of) => Ok((Code::Negate(Box::new(self.number(of)?)), Type::Integer)),
            Kind::Binary { sign, sign_at, left, right } => self.binary(sign, sign_at, left, right),
            Kind::Chain { all, parts } => {
                let why = if *all { "`&&` joins yes and no" } else { "`||` joins yes and no" };
                let parts = parts.iter().map(|part| self.of_type(part, &Type::Flag, why)).collect::<Result<_, _>>()?;
                Ok((Code::Chain { all: *all, parts }, Type::Flag))
            }
        }
    }

    fn list(&mut self, node: &Node, parts: &[Node], wanted: Option<&Type>) -> Typed {
        let mut entry = match wanted {
            Some(Type::List(entry)) => Some((**entry).clone()),
            _ => None,
        };
        if parts.len() > LIST_MAX {
            let message = format!("the list has {} entries, at most {LIST_MAX} are allowed", parts.len());
            return Err(Mistake::new("too-long", &node.at, message, "split it into several rules"));
        }
        if entry.is_none()
            && let Some(part) = parts.iter().find(|part| !matches!(part.kind, Kind::Text(_) | Kind::List(_)))
        {
            // Texts take the type of what stands beside them.
            entry = Some(self.typed(part)?.1);
        }
        let mut codes = Vec::new();
        for part in parts {
            let code = match &entry {
                Some(ty) => self.of_type(part, ty, "the entries of a list are alike")?,
                None => {
                    let (code, ty) = self.typed(part)?;
                    entry = Some(ty);
                    code
                }
            };
            codes.push(code);
        }
        let Some(entry) = entry else {
            return Err(wrong_type(&node.at, "an empty list is a list of nothing".to_owned()));
        };
        Ok((Code::List(codes), Type::List(Box::new(entry))))
    }

    fn name(&mut self, name: &str, at: &Range<usize>) -> Typed {
        if let Some(place) = self.locals.iter().rposition(|(local, _)| local == name) {
            let ty = self.locals.get(place).map(|(_, ty)| ty.clone());
            return ty.map(|ty| (Code::Local(place), ty)).ok_or_else(|| self.unknown(name, at));
        }
        self.field(name).ok_or_else(|| self.unknown(name, at))
    }

    fn field(&mut self, name: &str) -> Option<(Code, Type)> {
        let (slot, ty) = self.subject.field(name)?;
        self.used.entry(slot).or_insert_with(|| name.to_owned());
        Some((Code::Field(slot), ty))
    }

    fn unknown(&self, name: &str, at: &Range<usize>) -> Mistake {
        let known = self.subject.fields().collect::<Vec<_>>().join(", ");
        let message = format!("{} has no field `{}`", self.subject.name(), short(name));
        Mistake::new("unknown-field", at, message, format!("use one of {known}"))
    }

    fn component(&mut self, node: &Node, of: &Node, name: &str, name_at: &Range<usize>) -> Typed {
        if let Kind::Name(space) = &of.kind
            && !self.locals.iter().any(|(local, _)| local == space)
        {
            if let Some(field) = self.field(&format!("{space}.{name}")) {
                return Ok(field);
            }
            if self.subject.field(space).is_none() {
                return Err(self.unknown(&format!("{space}.{name}"), &node.at));
            }
        }
        let (code, ty) = self.typed(of)?;
        let Type::Tuple(components) = ty else {
            let message = format!("this is {}, which has no parts", ty.name());
            return Err(wrong_type(&of.at, message));
        };
        let found = components.iter().position(|(component, _)| component == name && !name.is_empty());
        let Some((place, (_, ty))) = found.and_then(|place| Some((place, components.get(place)?))) else {
            let known = components.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("this struct has no part `{}`", short(name));
            return Err(Mistake::new("unknown-field", name_at, message, format!("use one of {known}")));
        };
        Ok((Code::Component(Box::new(code), place), ty.clone()))
    }

    fn binary(&mut self, sign: &str, sign_at: &Range<usize>, left: &Node, right: &Node) -> Typed {
        let ordered = |orders: &'static [Ordering]| Some(orders);
        let orders = match sign {
            "<" => ordered(&[Ordering::Less]),
            "<=" => ordered(&[Ordering::Less, Ordering::Equal]),
            ">" => ordered(&[Ordering::Greater]),
            ">=" => ordered(&[Ordering::Greater, Ordering::Equal]),
            _ => None,
        };
        if let Some(orders) = orders {
            let why = "only numbers have an order";
            let left = self.of_type(left, &Type::Integer, why)?;
            let right = self.of_type(right, &Type::Integer, why)?;
            return Ok((Code::Ordered(orders, pair(left, right)), Type::Flag));
        }
        let arithmetic = match sign {
            "+" => Arithmetic::Add,
            "-" => Arithmetic::Subtract,
            "*" => Arithmetic::Multiply,
            "/" => Arithmetic::Divide,
            "%" => Arithmetic::Remainder,
            "in" => return self.among(left, right),
            _ => return self.equal(sign == "!=", sign_at, left, right),
        };
        let code = Code::Arithmetic(arithmetic, pair(self.number(left)?, self.number(right)?));
        Ok((code, Type::Integer))
    }

    fn equal(&mut self, differs: bool, sign_at: &Range<usize>, left: &Node, right: &Node) -> Typed {
        // A text takes the type of what it is compared with, on whichever side it stands.
        let (left, right) =
            if matches!(left.kind, Kind::Text(_) | Kind::List(_)) { (right, left) } else { (left, right) };
        let (one, ty) = self.typed(left)?;
        let (other, found) = self.hinted(right, Some(&ty))?;
        if found != ty {
            let message = format!("{} and {} are never equal", ty.name(), found.name());
            return Err(wrong_type(sign_at, message));
        }
        let equal = Code::Equal(pair(one, other));
        Ok((if differs { Code::Not(Box::new(equal)) } else { equal }, Type::Flag))
    }

    fn among(&mut self, left: &Node, right: &Node) -> Typed {
        // Whichever side is not written out tells the type.
        let (one, list) = match (&left.kind, &right.kind) {
            (Kind::Text(_), _) => {
                let (list, ty) = self.typed(right)?;
                let Type::List(entry) = ty else { return Err(no_list(right, &ty)) };
                (self.of_type(left, &entry, "the list has others")?, list)
            }
            _ => {
                let (one, ty) = self.typed(left)?;
                let (list, found) = self.hinted(right, Some(&Type::List(Box::new(ty.clone()))))?;
                let Type::List(entry) = found else { return Err(no_list(right, &found)) };
                if *entry != ty {
                    let message = format!("{} is never in a list of {}", ty.name(), entry.name());
                    return Err(wrong_type(&left.at, message));
                }
                (one, list)
            }
        };
        Ok((Code::Among(pair(one, list)), Type::Flag))
    }

    fn call(
        &mut self,
        node: &Node,
        of: Option<&Node>,
        name: &str,
        name_at: &Range<usize>,
        arguments: &[Node],
    ) -> Typed {
        let counted = Box::new;
        match (of, name, arguments) {
            (None, "uint256" | "int256", [argument]) => literal(name, argument),
            (None, "abs", [of]) => Ok((Code::Absolute(counted(self.number(of)?)), Type::Integer)),
            (None, "min" | "max", [one, other]) => {
                let which = if name == "min" { Arithmetic::Least } else { Arithmetic::Greatest };
                Ok((Code::Arithmetic(which, pair(self.number(one)?, self.number(other)?)), Type::Integer))
            }
            (None, "mul_div", [one, other, by]) => {
                let numbers = [self.number(one)?, self.number(other)?, self.number(by)?];
                Ok((Code::MultiplyDivide(Box::new(numbers)), Type::Integer))
            }
            (None, "size", [of]) | (Some(of), "size", []) => {
                let (code, ty) = self.typed(of)?;
                if !matches!(ty, Type::List(_) | Type::Text | Type::Bytes) {
                    return Err(wrong_type(&of.at, format!("this is {}, which has no size", ty.name())));
                }
                Ok((Code::Size(counted(code)), Type::Integer))
            }
            (Some(of), "contains" | "startsWith" | "endsWith", [argument]) => {
                let text = self.of_type(of, &Type::Text, "only a text is searched")?;
                let part = self.of_type(argument, &Type::Text, "a text is searched for a text")?;
                let which = match name {
                    "contains" => Holding::Anywhere,
                    "startsWith" => Holding::First,
                    _ => Holding::Last,
                };
                Ok((Code::Holding(which, pair(text, part)), Type::Flag))
            }
            (Some(list), "exists" | "all", [variable, body]) => self.each(name == "all", list, variable, body),
            (None, "double", _) => {
                let remedy = "compare whole numbers in base units; multiply before dividing";
                Err(Mistake::new(
                    "not-supported",
                    name_at,
                    "there is no floating point: nodes would differ over it",
                    remedy,
                ))
            }
            _ => {
                let dot = if of.is_some() { "." } else { "" };
                let message = format!("there is no function {dot}{} with {} argument(s)", short(name), arguments.len());
                let at = if of.is_some() { name_at } else { &node.at };
                Err(Mistake::new("not-supported", at, message, format!("use one of {FUNCTIONS}")))
            }
        }
    }

    fn each(&mut self, all: bool, list: &Node, variable: &Node, body: &Node) -> Typed {
        let (code, ty) = self.typed(list)?;
        let Type::List(entry) = ty else { return Err(no_list(list, &ty)) };
        let Kind::Name(name) = &variable.kind else {
            let remedy = "write such as amounts.exists(x, x > 5)";
            return Err(Mistake::new("bad-expression", &variable.at, "a name for an entry belongs here", remedy));
        };
        if self.subject.field(name).is_some() || self.locals.iter().any(|(local, _)| local == name) {
            let message = format!("`{}` is a field already", short(name));
            return Err(Mistake::new("bad-expression", &variable.at, message, "choose another name for the entry"));
        }
        self.locals.push((name.clone(), *entry));
        let body = self.of_type(body, &Type::Flag, "it is asked of each entry");
        self.locals.pop();
        Ok((Code::Each { all, list: Box::new(code), body: Box::new(body?) }, Type::Flag))
    }
}

fn no_list(node: &Node, ty: &Type) -> Mistake {
    wrong_type(&node.at, format!("this is {}, and a list is wanted", ty.name()))
}

/// `uint256("...")`.
fn literal(function: &str, argument: &Node) -> Typed {
    let text = match &argument.kind {
        Kind::Text(text) => text.clone(),
        Kind::Number(number) => number.to_string(),
        _ => {
            let message = format!("{function} takes a number written as a text");
            return Err(Mistake::new("wrong-type", &argument.at, message, "fields are numbers of any width already"));
        }
    };
    let fits = |number: &Integer| if function == "uint256" { number.is_unsigned() } else { number.is_signed() };
    let number = Integer::parse(&text).filter(fits).ok_or_else(|| {
        let message = format!("{:?} is no {function}", short(&text));
        Mistake::new("bad-expression", &argument.at, message, "write plain digits, without unit or separator")
    })?;
    Ok((Code::Constant(Value::Integer(number)), Type::Integer))
}

fn address(text: &str, at: &Range<usize>) -> Result<Value, Mistake> {
    let parsed = Address::parse_checksummed(text, None).map_err(|_| {
        let message = format!("{:?} is no address with its EIP-55 checksum", short(text));
        Mistake::new("bad-expression", at, message, "copy it from a source that writes the checksum")
    });
    parsed.map(Value::Address)
}

fn bytes(text: &str, at: &Range<usize>) -> Result<Value, Mistake> {
    let parsed = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok()).ok_or_else(|| {
        let message = format!("{:?} is not written as bytes", short(text));
        Mistake::new("bad-expression", at, message, "write an even number of hex digits after 0x")
    });
    parsed.map(|bytes| Value::Bytes(bytes.into()))
}
