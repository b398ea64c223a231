//! What parts of an expression are worth, and of which type.

use std::sync::Arc;

use alloy_primitives::Address;
use watchfire_types::Bytes;

use super::Integer;
use crate::reader::short;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Flag,
    Integer,
    Text,
    Bytes,
    Address,
    List(Box<Type>),
    /// Components with their names; empty where they have none.
    Tuple(Vec<(String, Type)>),
}

impl Type {
    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Flag => "a bool".to_owned(),
            Self::Integer => "a number".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Address => "an address".to_owned(),
            Self::List(of) => format!("a list of {}", of.name().trim_start_matches("an ").trim_start_matches("a ")),
            Self::Tuple(_) => "a struct".to_owned(),
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `bool`.
    Flag(bool),
    /// `uint` and `int` of any width.
    Integer(Integer),
    /// `string`.
    Text(Arc<str>),
    /// `bytes` of any length.
    Bytes(Bytes),
    /// `address`.
    Address(Address),
    /// An array.
    List(Arc<[Value]>),
    /// A struct's components.
    Tuple(Arc<[Value]>),
}

impl Value {
    /// Cut to what fits a line of figures.
    pub(super) fn shown(&self) -> String {
        let listed = |values: &[Self]| values.iter().take(3).map(Self::shown).collect::<Vec<_>>().join(", ");
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Text(text) => format!("{:?}", short(text)),
            Self::Bytes(bytes) if bytes.len() <= 32 => format!("0x{}", hex::encode(bytes)),
            Self::Bytes(bytes) => {
                format!("{} bytes from 0x{}", bytes.len(), hex::encode(bytes.get(..8).unwrap_or(bytes)))
            }
            Self::Address(address) => address.to_checksum(None),
            Self::List(values) => format!("{} entries: {}", values.len(), short(&listed(values))),
            Self::Tuple(values) => format!("({})", short(&listed(values))),
        }
    }
}
