//! What an expression is about: an event, a call or a transaction, with the fields that it has.

use alloy_dyn_abi::{DynSolType, Specifier};
use alloy_json_abi::{Event, EventParam, Function, Param};
use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use watchfire_types::{BlockRef, Bytes, Log, Transaction};

use super::declaration::{self, Names};
use super::shape::{Budget, Shape};
use super::syntax::is_name;
use super::value::Type;
use super::{Integer, NoAnswer, Value};
use crate::reader::short;

/// Most parameters of an event or a function.
const PARAMETERS_MAX: usize = 32;
/// Most bytes of a parameter's name.
const NAME_MAX: usize = 64;

/// What an expression is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "over")]
pub enum Subject {
    /// An event of the contract.
    Event {
        /// As declared, with the names of its parameters.
        declaration: String,
        /// Without them.
        #[serde(skip)]
        signature: String,
        /// topic0.
        topic: B256,
        /// Its parameters.
        #[serde(skip)]
        parameters: Parameters,
    },
    /// A transaction that calls a function of the contract, whether or not it succeeds.
    Call {
        /// As declared, with the names of its parameters.
        declaration: String,
        /// Without them.
        #[serde(skip)]
        signature: String,
        /// First four bytes of the call data.
        selector: [u8; 4],
        /// Its parameters.
        #[serde(skip)]
        parameters: Parameters,
    },
    /// A transaction from or to the address, whether or not it succeeds.
    Transaction,
}

/// Parameters of an event or a function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Vec<Parameter>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    shape: Shape,
    indexed: bool,
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub enum Facts<'a> {
    /// An event, at its block.
    Log(&'a Log, &'a BlockRef),
    /// A transaction, at its block.
    Transaction(&'a Transaction, &'a BlockRef),
}

/// Fields beside the parameters, of events first.
const OF_ALL: &[(&str, Type)] =
    &[("block.number", Type::Integer), ("block.time", Type::Integer), ("tx.hash", Type::Bytes)];
const OF_TRANSACTIONS: &[(&str, Type)] = &[
    ("tx.from", Type::Address),
    ("tx.to", Type::Address),
    ("tx.creates", Type::Flag),
    ("tx.value", Type::Integer),
    ("tx.kind", Type::Integer),
    ("tx.input", Type::Bytes),
    ("tx.selector", Type::Bytes),
];

impl Subject {
    /// An event such as `Transfer(address indexed from, address indexed to, uint256 value)`; a struct is `tuple(address to, uint256 amount) order`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn event(text: &str) -> Result<Self, String> {
        let bad = || format!("{:?} is no event, or has a type that Solidity does not have", short(text));
        let (plain, names) = declaration::split(text).ok_or_else(bad)?;
        let event = Event::parse(&plain).map_err(|_| bad())?;
        if event.anonymous || event.inputs.iter().filter(|input| input.indexed).count() > 3 {
            return Err(format!("{:?} is anonymous or has more than three indexed parameters", short(text)));
        }
        let read = |input: &EventParam| {
            Ok::<_, String>((input.name.clone(), input.resolve().map_err(|_| bad())?, input.indexed))
        };
        let parameters = Parameters::of(event.inputs.iter().map(read).collect::<Result<_, _>>()?, &names)?;
        let (signature, topic) = (event.signature(), event.selector());
        Ok(Self::Event { declaration: text.to_owned(), topic, signature, parameters })
    }

    /// A function such as `withdraw(uint256 amount)`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn call(text: &str) -> Result<Self, String> {
        let bad = || format!("{:?} is no function, or has a type that Solidity does not have", short(text));
        let (plain, names) = declaration::split(text).ok_or_else(bad)?;
        let function = Function::parse(&plain).map_err(|_| bad())?;
        if function.name.is_empty() {
            return Err(bad());
        }
        let read = |input: &Param| Ok::<_, String>((input.name.clone(), input.resolve().map_err(|_| bad())?, false));
        let parameters = Parameters::of(function.inputs.iter().map(read).collect::<Result<_, _>>()?, &names)?;
        let (signature, selector) = (function.signature(), function.selector().0);
        Ok(Self::Call { declaration: text.to_owned(), selector, signature, parameters })
    }

    /// What it is, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Event { signature, .. } | Self::Call { signature, .. } => signature,
            Self::Transaction => "a transaction",
        }
    }

    fn parameters(&self) -> &[Parameter] {
        match self {
            Self::Event { parameters, .. } | Self::Call { parameters, .. } => &parameters.0,
            Self::Transaction => &[],
        }
    }

    fn others(&self) -> impl Iterator<Item = &'static (&'static str, Type)> {
        let transactions = if matches!(self, Self::Event { .. }) { &[] } else { OF_TRANSACTIONS };
        OF_ALL.iter().chain(transactions)
    }

    /// The slot and type of a field; a parameter without a name, or with one that is taken, goes by its place: `arg0`.
    pub(super) fn field(&self, name: &str) -> Option<(usize, Type)> {
        let parameters = self.parameters();
        let by_name = parameters.iter().position(|parameter| parameter.name == name && is_name(name));
        let by_place = || name.strip_prefix("arg")?.parse::<usize>().ok().filter(|place| *place < parameters.len());
        if let Some(slot) = by_name.or_else(by_place) {
            return Some((slot, parameters.get(slot)?.shape_seen().ty()));
        }
        let (place, (_, ty)) = self.others().enumerate().find(|(_, (other, _))| *other == name)?;
        Some((parameters.len() + place, ty.clone()))
    }

    /// The first topic of an event.
    #[must_use]
    pub fn topic(&self) -> Option<B256> {
        match self {
            Self::Event { topic, .. } => Some(*topic),
            Self::Call { .. } | Self::Transaction => None,
        }
    }

    /// Whether a parameter of this name is a whole number.
    #[must_use]
    pub fn has_number(&self, name: &str) -> bool {
        self.number_slot(name).is_some()
    }

    /// Whether a parameter of this name is an address.
    #[must_use]
    pub fn has_address(&self, name: &str) -> bool {
        self.field(name).is_some_and(|(slot, ty)| slot < self.parameters().len() && ty == Type::Address)
    }

    fn number_slot(&self, name: &str) -> Option<usize> {
        let (slot, ty) = self.field(name)?;
        (slot < self.parameters().len() && ty == Type::Integer).then_some(slot)
    }

    /// The whole number that a log has in the parameter of this name, 0 where it is negative.
    ///
    /// # Errors
    /// [`NoAnswer::Undecodable`] where the log is not as declared.
    pub fn number(&self, name: &str, log: &Log, block: &BlockRef) -> Result<U256, NoAnswer> {
        let slot = self.number_slot(name).ok_or(NoAnswer::Undecodable)?;
        let values = self.values(&[(slot, name.to_owned())], &Facts::Log(log, block))?;
        match values.get(slot) {
            Some(Some(Value::Integer(number))) => Ok(number.amount().unwrap_or_default()),
            _ => Err(NoAnswer::Undecodable),
        }
    }

    /// Whether an event has a parameter of this name that takes one word, or of which it has one: a hash of what is indexed and longer.
    #[must_use]
    pub fn has_word(&self, name: &str) -> bool {
        self.topic().is_some() && self.word_slot(name).is_some()
    }

    fn word_slot(&self, name: &str) -> Option<usize> {
        let (slot, _) = self.field(name)?;
        let parameter = self.parameters().get(slot)?;
        (parameter.indexed || parameter.shape.is_word()).then_some(slot)
    }

    /// The word that a log has in the parameter of this name, as it stands there.
    ///
    /// # Errors
    /// [`NoAnswer::Undecodable`] where the log is not as declared.
    pub fn word(&self, name: &str, log: &Log) -> Result<B256, NoAnswer> {
        let parameters = self.parameters();
        let slot = self.word_slot(name).ok_or(NoAnswer::Undecodable)?;
        let parameter = parameters.get(slot).ok_or(NoAnswer::Undecodable)?;
        let indexed = parameters.iter().filter(|parameter| parameter.indexed).count();
        let before = parameters.iter().take(slot).filter(|other| other.indexed == parameter.indexed);
        let word = if parameter.indexed {
            log.topics.get(1 + before.count()).copied()
        } else {
            let start = before.map(|other| other.shape.head()).sum::<usize>();
            log.data.get(start..start.saturating_add(32)).map(B256::from_slice)
        };
        word.filter(|_| log.topics.len() == 1 + indexed).ok_or(NoAnswer::Undecodable)
    }

    /// The names of all fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = String> {
        let named = self.parameters().iter().enumerate().map(|(place, parameter)| {
            if is_name(&parameter.name) { parameter.name.clone() } else { format!("arg{place}") }
        });
        named.chain(self.others().map(|(name, _)| (*name).to_owned()))
    }

    /// The values of the slots that are used, each at its place.
    pub(super) fn values(&self, used: &[(usize, String)], facts: &Facts<'_>) -> Result<Vec<Option<Value>>, NoAnswer> {
        let parameters = self.parameters();
        let mut values = vec![None; parameters.len() + OF_ALL.len() + OF_TRANSACTIONS.len()];
        self.fits(facts)?;
        let mut left = Budget::default();
        for (slot, _) in used {
            let value = match parameters.get(*slot) {
                Some(_) => self.decoded(*slot, facts, &mut left)?,
                None => self.other(slot - parameters.len(), facts).ok_or(NoAnswer::Undecodable)?,
            };
            if let Some(place) = values.get_mut(*slot) {
                *place = Some(value);
            }
        }
        Ok(values)
    }

    /// Whether the facts have the topics and the length that the declaration takes at least.
    fn fits(&self, facts: &Facts<'_>) -> Result<(), NoAnswer> {
        let parameters = self.parameters();
        let indexed = parameters.iter().filter(|parameter| parameter.indexed).count();
        let head: usize = parameters.iter().filter(|parameter| !parameter.indexed).map(|one| one.shape.head()).sum();
        let (topics, data) = match facts {
            Facts::Log(log, _) => (log.topics.len().saturating_sub(1), log.data.len()),
            Facts::Transaction(transaction, _) => (0, transaction.input.len().saturating_sub(4)),
        };
        if topics_differ(self, topics, indexed) || data < head { Err(NoAnswer::Undecodable) } else { Ok(()) }
    }

    fn decoded(&self, slot: usize, facts: &Facts<'_>, left: &mut Budget) -> Result<Value, NoAnswer> {
        let parameters = self.parameters();
        let parameter = parameters.get(slot).ok_or(NoAnswer::Undecodable)?;
        let before = parameters.iter().take(slot).filter(|other| other.indexed == parameter.indexed);
        match facts {
            Facts::Log(log, _) if parameter.indexed => {
                let topic = log.topics.get(1 + before.count()).ok_or(NoAnswer::Undecodable)?;
                parameter.shape_seen().word(&topic.0)
            }
            Facts::Log(log, _) => parameter.shape.value(&log.data, before.map(|one| one.shape.head()).sum(), left),
            Facts::Transaction(transaction, _) => {
                let data = transaction.input.get(4..).unwrap_or_default();
                parameter.shape.value(data, before.map(|one| one.shape.head()).sum(), left)
            }
        }
    }

    /// A field beside the parameters.
    fn other(&self, place: usize, facts: &Facts<'_>) -> Option<Value> {
        let (name, _) = self.others().nth(place)?;
        let (block, hash) = match facts {
            Facts::Log(log, block) => (block, log.transaction),
            Facts::Transaction(transaction, block) => (block, transaction.hash),
        };
        let transaction = match facts {
            Facts::Log(..) => None,
            Facts::Transaction(transaction, _) => Some(*transaction),
        };
        Some(match *name {
            "block.number" => Value::Integer(Integer::from(block.number)),
            "block.time" => Value::Integer(Integer::from(block.time.as_secs())),
            "tx.hash" => Value::Bytes(Bytes::copy_from_slice(hash.as_slice())),
            "tx.from" => Value::Address(transaction?.from),
            "tx.to" => Value::Address(transaction?.to.unwrap_or(Address::ZERO)),
            "tx.creates" => Value::Flag(transaction?.to.is_none()),
            "tx.value" => Value::Integer(Integer::new(false, transaction?.value)),
            "tx.kind" => Value::Integer(Integer::from(transaction?.kind)),
            "tx.input" => Value::Bytes(transaction?.input.clone()),
            "tx.selector" => Value::Bytes(transaction?.input.slice(..transaction?.input.len().min(4))),
            _ => return None,
        })
    }
}

fn topics_differ(subject: &Subject, topics: usize, indexed: usize) -> bool {
    matches!(subject, Subject::Event { .. }) && topics != indexed
}

impl Parameter {
    /// What is there of it: of an indexed list, struct, text or bytes only the hash.
    fn shape_seen(&self) -> &Shape {
        if self.indexed && !self.shape.is_word() { &Shape::Fixed(32) } else { &self.shape }
    }
}

impl Parameters {
    /// Each with its name, type and whether it is indexed; `names` has those of their parts.
    fn of(all: Vec<(String, DynSolType, bool)>, names: &[Names]) -> Result<Self, String> {
        if all.len() > PARAMETERS_MAX {
            return Err(format!("{} parameters, at most {PARAMETERS_MAX} are judged", all.len()));
        }
        let mut parameters: Vec<Parameter> = Vec::new();
        for (place, (name, ty, indexed)) in all.into_iter().enumerate() {
            let parts = names.get(place).map(|names| names.parts.as_slice()).unwrap_or_default();
            let shape = Shape::of(&ty, parts, 0).ok_or_else(|| {
                let ty = ty.sol_type_name();
                format!("a parameter of type {} nests too deep or is too long to be judged", short(&ty))
            })?;
            if name.len() > NAME_MAX {
                return Err(format!("the parameter {:?} has a name of more than {NAME_MAX} bytes", short(&name)));
            }
            if !name.is_empty() && parameters.iter().any(|other| other.name == name) {
                return Err(format!("two parameters are named {:?}", short(&name)));
            }
            parameters.push(Parameter { name, shape, indexed });
        }
        Ok(Self(parameters))
    }
}
