//! How a declared parameter lies in ABI-encoded data, and its value out of bytes that somebody else wrote.
//!
//! Decoding is bounded by itself: an encoding may point many heads at one tail, so that a kilobyte unfolds into gigabytes. A list has at most
//! [`LIST_MAX`] entries, all values together at most [`VALUES_MAX`] and [`BYTES_MAX`]. It is strict: bits that a type does not have must be as
//! Solidity's own decoder wants them.

use alloy_dyn_abi::DynSolType;
use alloy_primitives::{Address, U256};
use watchfire_types::Bytes;

use super::declaration::Names;
use super::value::Type;
use super::{Integer, LIST_MAX, NoAnswer, Value};

/// Most values within one event or call.
const VALUES_MAX: usize = 2_048;
/// Most bytes of texts and bytes within one event or call.
const BYTES_MAX: usize = 64 * 1024;
/// Most levels of lists and structs in a declaration.
const LEVELS_MAX: usize = 6;
const WORD: usize = 32;

/// A Solidity type, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Flag,
    Unsigned(usize),
    Signed(usize),
    Address,
    /// `bytesN`, and what is indexed by its hash.
    Fixed(usize),
    Bytes,
    Text,
    List(Box<Shape>),
    Array(Box<Shape>, usize),
    Tuple(Vec<(String, Shape)>),
}

/// What is left of the bounds.
pub(super) struct Budget {
    values: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { values: VALUES_MAX, bytes: BYTES_MAX }
    }
}

impl Shape {
    /// The shape of a resolved type; `components` name a struct's. `None` where it is deeper or longer than what is decoded.
    pub(super) fn of(ty: &DynSolType, components: &[Names], level: usize) -> Option<Self> {
        if level > LEVELS_MAX {
            return None;
        }
        Some(match ty {
            DynSolType::Bool => Self::Flag,
            DynSolType::Uint(bits) => Self::Unsigned(*bits),
            DynSolType::Int(bits) => Self::Signed(*bits),
            DynSolType::Address => Self::Address,
            DynSolType::FixedBytes(length) => Self::Fixed(*length),
            DynSolType::Function => Self::Fixed(24),
            DynSolType::Bytes => Self::Bytes,
            DynSolType::String => Self::Text,
            DynSolType::Array(of) => Self::List(Box::new(Self::of(of, components, level + 1)?)),
            DynSolType::FixedArray(of, length) if (1..=LIST_MAX).contains(length) => {
                Self::Array(Box::new(Self::of(of, components, level + 1)?), *length)
            }
            DynSolType::Tuple(of) if !of.is_empty() => {
                let part = |(index, ty): (usize, &DynSolType)| {
                    let component = components.get(index);
                    let name = component.map(|component| component.name.clone()).unwrap_or_default();
                    let inner = component.map(|component| component.parts.as_slice()).unwrap_or_default();
                    Some((name, Self::of(ty, inner, level + 1)?))
                };
                Self::Tuple(of.iter().enumerate().map(part).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// What an expression takes it for.
    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Flag => Type::Flag,
            Self::Unsigned(_) | Self::Signed(_) => Type::Integer,
            Self::Address => Type::Address,
            Self::Fixed(_) | Self::Bytes => Type::Bytes,
            Self::Text => Type::Text,
            Self::List(of) | Self::Array(of, _) => Type::List(Box::new(of.ty())),
            Self::Tuple(of) => Type::Tuple(of.iter().map(|(name, shape)| (name.clone(), shape.ty())).collect()),
        }
    }

    /// Whether it takes one word and has no length of its own: what a topic holds itself.
    pub(super) fn is_word(&self) -> bool {
        matches!(self, Self::Flag | Self::Unsigned(_) | Self::Signed(_) | Self::Address | Self::Fixed(_))
    }

    fn has_length(&self) -> bool {
        match self {
            Self::Bytes | Self::Text | Self::List(_) => true,
            Self::Array(of, _) => of.has_length(),
            Self::Tuple(of) => of.iter().any(|(_, shape)| shape.has_length()),
            _ => false,
        }
    }

    /// Bytes that it takes where it stands.
    pub(super) fn head(&self) -> usize {
        match self {
            _ if self.has_length() => WORD,
            Self::Array(of, length) => of.head().saturating_mul(*length),
            Self::Tuple(of) => of.iter().map(|(_, shape)| shape.head()).fold(0, usize::saturating_add),
            _ => WORD,
        }
    }

    /// The value whose head stands at `at` of a frame, to whose start offsets count.
    pub(super) fn value(&self, frame: &[u8], at: usize, left: &mut Budget) -> Result<Value, NoAnswer> {
        left.values = left.values.checked_sub(1).ok_or(NoAnswer::TooLong)?;
        if !self.has_length() {
            return self.inline(frame, at, left);
        }
        let tail = frame.get(size(frame, at)?..).ok_or(NoAnswer::Undecodable)?;
        match self {
            Self::Bytes => Ok(Value::Bytes(Bytes::copy_from_slice(counted(tail, left)?))),
            Self::Text => {
                let text = std::str::from_utf8(counted(tail, left)?).map_err(|_| NoAnswer::Undecodable)?;
                Ok(Value::Text(text.into()))
            }
            Self::List(of) => {
                let length = size(tail, 0)?;
                if length > LIST_MAX {
                    return Err(NoAnswer::TooLong);
                }
                let frame = tail.get(WORD..).ok_or(NoAnswer::Undecodable)?;
                Ok(Value::List(repeated(of, length, frame, 0, left)?))
            }
            _ => self.inline(tail, 0, left),
        }
    }

    /// A value that lies where it stands.
    fn inline(&self, frame: &[u8], at: usize, left: &mut Budget) -> Result<Value, NoAnswer> {
        match self {
            Self::Array(of, length) => Ok(Value::List(repeated(of, *length, frame, at, left)?)),
            Self::Tuple(of) => {
                let mut at = at;
                let part = |(_, shape): &(String, Self)| {
                    let value = shape.value(frame, at, left);
                    at += shape.head();
                    value
                };
                Ok(Value::Tuple(of.iter().map(part).collect::<Result<_, _>>()?))
            }
            _ => self.word(word(frame, at)?),
        }
    }

    /// The value that one word holds.
    pub(super) fn word(&self, bytes: &[u8; WORD]) -> Result<Value, NoAnswer> {
        let number = U256::from_be_bytes(*bytes);
        let value = match self {
            Self::Flag if number <= U256::from(1) => Some(Value::Flag(!number.is_zero())),
            Self::Unsigned(bits) => Integer::unsigned(number, *bits).map(Value::Integer),
            Self::Signed(bits) => Integer::signed(number, *bits).map(Value::Integer),
            Self::Address if number.bit_len() <= 160 => Some(Value::Address(Address::from_slice(&bytes[12..]))),
            Self::Fixed(length) if bytes.iter().skip(*length).all(|byte| *byte == 0) => {
                bytes.get(..*length).map(|bytes| Value::Bytes(Bytes::copy_from_slice(bytes)))
            }
            _ => None,
        };
        value.ok_or(NoAnswer::Undecodable)
    }
}

fn repeated(
    of: &Shape,
    length: usize,
    frame: &[u8],
    at: usize,
    left: &mut Budget,
) -> Result<std::sync::Arc<[Value]>, NoAnswer> {
    (0..length).map(|index| of.value(frame, at.saturating_add(index.saturating_mul(of.head())), left)).collect()
}

fn word(frame: &[u8], at: usize) -> Result<&[u8; WORD], NoAnswer> {
    let rest = frame.get(at..).ok_or(NoAnswer::Undecodable)?;
    rest.first_chunk().ok_or(NoAnswer::Undecodable)
}

/// A length or an offset.
fn size(frame: &[u8], at: usize) -> Result<usize, NoAnswer> {
    let number = U256::from_be_bytes(*word(frame, at)?);
    usize::try_from(number).map_err(|_| NoAnswer::Undecodable)
}

fn counted<'a>(tail: &'a [u8], left: &mut Budget) -> Result<&'a [u8], NoAnswer> {
    let length = size(tail, 0)?;
    let end = length.checked_add(WORD).ok_or(NoAnswer::Undecodable)?;
    let bytes = tail.get(WORD..end).ok_or(NoAnswer::Undecodable)?;
    left.bytes = left.bytes.checked_sub(length).ok_or(NoAnswer::TooLong)?;
    Ok(bytes)
}
