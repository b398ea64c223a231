//! From a function's text and its arguments' texts to the bytes of a call: types resolved, checksums and widths checked.
//!
//! Values are only ever built by coercion from text, which checks widths, and are refused unless the text wrote every
//! number and address plainly: no units (`1 ether`), no address without its EIP-55 checksum.

use alloy_dyn_abi::{DynSolType, DynSolValue, FunctionExt, JsonAbiExt, Specifier};
use alloy_json_abi::{Function, Param};
use alloy_primitives::{Address, I256, U256};
use thiserror::Error;
use watchfire_types::Bytes;

use crate::reader::short;

/// Most bytes of call data: far above any pause, far below what a node carries in one event.
pub(crate) const CALLDATA_MAX: usize = 8 * 1024;

/// Why a call's text cannot become bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CallError {
    /// No function.
    #[error("{text:?} is no function such as pause() or setPaused(address,bool)")]
    NotAFunction { text: String },
    /// A type that Solidity does not have.
    #[error("{name:?} in {text:?} is no Solidity type")]
    UnknownType { name: String, text: String },
    /// Wrong number of arguments.
    #[error("{function} takes {expected} arguments, {found} are given")]
    ArgumentCount { function: String, expected: usize, found: usize },
    /// An argument that is not of its type.
    #[error("argument {index} {text:?} is no {expected}")]
    NotOfType { index: usize, text: String, expected: String },
    /// A number with a unit, exponent or fraction, or in other than plain notation.
    #[error("argument {index} {text:?} does not write {value} plainly")]
    NotPlain { index: usize, text: String, value: String },
    /// An address whose checksum is wrong or absent.
    #[error("argument {index} {text:?} has an address without its EIP-55 checksum")]
    Checksum { index: usize, text: String },
    /// Too much call data.
    #[error("the call has {found} bytes of data, at most {CALLDATA_MAX} are allowed")]
    TooLong { found: usize },
}

impl CallError {
    /// The argument that is wrong, 1 first, where it is one.
    pub(crate) fn argument(&self) -> Option<usize> {
        match self {
            Self::NotOfType { index, .. } | Self::NotPlain { index, .. } | Self::Checksum { index, .. } => Some(*index),
            Self::NotAFunction { .. }
            | Self::UnknownType { .. }
            | Self::ArgumentCount { .. }
            | Self::TooLong { .. } => None,
        }
    }
}

/// A function whose types all resolve.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    function: Function,
    inputs: Vec<DynSolType>,
    outputs: Vec<DynSolType>,
}

impl Signature {
    /// Parses `name(types)` with an optional `returns (types)`. Parsing alone accepts unknown types, so each is resolved.
    pub(crate) fn parse(text: &str) -> Result<Self, CallError> {
        let not_a_function = || CallError::NotAFunction { text: short(text) };
        let function = Function::parse(text).map_err(|_| not_a_function())?;
        if function.name.is_empty() {
            return Err(not_a_function());
        }
        let (inputs, outputs) = (resolve(&function.inputs, text)?, resolve(&function.outputs, text)?);
        Ok(Self { function, inputs, outputs })
    }

    /// Canonical form without outputs: `pause()`.
    pub(crate) fn canonical(&self) -> String {
        self.function.signature()
    }

    /// Name alone.
    pub(crate) fn name(&self) -> &str {
        &self.function.name
    }

    /// First four bytes of the call data.
    pub(crate) fn selector(&self) -> [u8; 4] {
        self.function.selector().0
    }

    /// Result types.
    pub(crate) fn outputs(&self) -> &[DynSolType] {
        &self.outputs
    }

    /// Canonical form with outputs: `paused() returns (bool)`.
    pub(crate) fn with_outputs(&self) -> String {
        let outputs = self.outputs.iter().map(|ty| ty.sol_type_name().into_owned()).collect::<Vec<_>>().join(",");
        format!("{} returns ({outputs})", self.canonical())
    }

    /// Argument values from their texts.
    pub(crate) fn arguments(&self, texts: &[String]) -> Result<Vec<DynSolValue>, CallError> {
        coerce_all(&self.canonical(), &self.inputs, texts)
    }

    /// Call data of these arguments, selector first.
    pub(crate) fn encode(&self, values: &[DynSolValue]) -> Result<Bytes, CallError> {
        let wrong = |_| CallError::NotAFunction { text: self.canonical() };
        let data = self.function.abi_encode_input(values).map_err(wrong)?;
        if data.len() > CALLDATA_MAX {
            return Err(CallError::TooLong { found: data.len() });
        }
        Ok(data.into())
    }

    /// Argument values from call data whose selector was already compared; `None` where they do not decode exactly.
    pub(crate) fn decode(&self, calldata: &[u8]) -> Option<Vec<DynSolValue>> {
        let values = self.function.abi_decode_input(calldata.get(4..)?).ok()?;
        // Lenient decoders accept trailing or overlapping bytes; what a person reads must be all there is.
        (self.function.abi_encode_input(&values).ok()?.as_slice() == calldata).then_some(values)
    }

    /// Return data that these result texts stand for.
    pub(crate) fn encode_outputs(&self, texts: &[String]) -> Result<Bytes, CallError> {
        let values = coerce_all(&format!("the result of {}", self.canonical()), &self.outputs, texts)?;
        let wrong = |_| CallError::NotAFunction { text: self.with_outputs() };
        Ok(self.function.abi_encode_output(&values).map_err(wrong)?.into())
    }
}

fn resolve(params: &[Param], text: &str) -> Result<Vec<DynSolType>, CallError> {
    let one = |param: &Param| {
        let unknown = |_| CallError::UnknownType { name: short(&param.ty), text: short(text) };
        param.resolve().map_err(unknown)
    };
    params.iter().map(one).collect()
}

fn coerce_all(function: &str, types: &[DynSolType], texts: &[String]) -> Result<Vec<DynSolValue>, CallError> {
    if types.len() != texts.len() {
        let (expected, found) = (types.len(), texts.len());
        return Err(CallError::ArgumentCount { function: function.to_owned(), expected, found });
    }
    types.iter().zip(texts).enumerate().map(|(index, (ty, text))| coerce(index + 1, ty, text)).collect()
}

/// One value from its text; `index` counts from 1 and is for the error alone.
pub(crate) fn coerce(index: usize, ty: &DynSolType, text: &str) -> Result<DynSolValue, CallError> {
    let expected = ty.sol_type_name().into_owned();
    let value = ty.coerce_str(text).map_err(|_| CallError::NotOfType { index, text: short(text), expected })?;
    let mut leaves = Vec::new();
    numbers_and_addresses(&value, &mut leaves);
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    for leaf in leaves {
        leaf.written_in(&words).map_err(|problem| match problem {
            Problem::Checksum => CallError::Checksum { index, text: short(text) },
            Problem::NotPlain(value) => CallError::NotPlain { index, text: short(text), value },
        })?;
    }
    Ok(value)
}

enum Leaf {
    Address(Address),
    Unsigned(U256),
    Signed(I256),
}

enum Problem {
    Checksum,
    NotPlain(String),
}

impl Leaf {
    fn written_in(&self, words: &[&str]) -> Result<(), Problem> {
        match self {
            Self::Address(address) => {
                words.contains(&address.to_checksum(None).as_str()).then_some(()).ok_or(Problem::Checksum)
            }
            Self::Unsigned(number) => {
                let plain = words.iter().any(|word| plain_number(word) == Some(*number));
                plain.then_some(()).ok_or_else(|| Problem::NotPlain(number.to_string()))
            }
            Self::Signed(number) => {
                let plain = words.contains(&number.to_string().as_str());
                plain.then_some(()).ok_or_else(|| Problem::NotPlain(number.to_string()))
            }
        }
    }
}

/// A number of decimal digits, or of hex digits after `0x`; nothing else.
pub(crate) fn plain_number(word: &str) -> Option<U256> {
    let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |hex| (hex, 16));
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| U256::from_str_radix(digits, u64::from(radix)).ok()).flatten()
}

fn numbers_and_addresses(value: &DynSolValue, into: &mut Vec<Leaf>) {
    let nested = value.as_array().or_else(|| value.as_fixed_array()).or_else(|| value.as_tuple());
    if let Some(values) = nested {
        for value in values {
            numbers_and_addresses(value, into);
        }
    } else if let Some(address) = value.as_address() {
        into.push(Leaf::Address(address));
    } else if let Some((number, _)) = value.as_uint() {
        into.push(Leaf::Unsigned(number));
    } else if let Some((number, _)) = value.as_int() {
        into.push(Leaf::Signed(number));
    }
}

/// Selector of a canonical signature: the first four bytes of its keccak-256.
pub(crate) fn selector(signature: &str) -> [u8; 4] {
    let hash = alloy_primitives::keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
