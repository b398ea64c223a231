//! Values as Solidity's ABI encodes them. Nothing is copied, every length is held against the data before it is used, and what is not as the ABI says is
//! a named fault: whoever wrote the contract wrote the data too.

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::expression::NoAnswer;

/// Most entries of a list.
pub(crate) const LIST_MAX: usize = 256;
const WORD: usize = 32;

/// The address in a word, if it is one.
pub(crate) fn address(word: &B256) -> Option<Address> {
    let (padding, address) = word.0.split_last_chunk::<20>()?;
    padding.iter().all(|byte| *byte == 0).then(|| Address::from(*address))
}

/// Encoded values: heads, and tails to which heads lead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data<'a>(pub(crate) &'a [u8]);

/// A list's items, in their own heads.
pub(crate) struct List<'a> {
    pub(crate) count: usize,
    pub(crate) items: Data<'a>,
}

impl<'a> Data<'a> {
    pub(crate) fn word(self, at: usize) -> Result<&'a [u8; WORD], NoAnswer> {
        let rest = at.checked_mul(WORD).and_then(|from| self.0.get(from..));
        rest.and_then(|rest| rest.first_chunk()).ok_or(NoAnswer::Undecodable)
    }

    pub(crate) fn address(self, at: usize) -> Result<Address, NoAnswer> {
        address(&self.word(at)?.into()).ok_or(NoAnswer::Undecodable)
    }

    /// A length or place: none is beyond the data.
    fn size(self, at: usize) -> Result<usize, NoAnswer> {
        let size = usize::try_from(U256::from_be_bytes(*self.word(at)?)).ok();
        size.filter(|size| *size <= self.0.len()).ok_or(NoAnswer::Undecodable)
    }

    pub(crate) fn tail(self, at: usize) -> Result<Self, NoAnswer> {
        self.0.get(self.size(at)?..).map(Self).ok_or(NoAnswer::Undecodable)
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], NoAnswer> {
        let length = self.size(0)?;
        self.0.get(WORD..).and_then(|rest| rest.get(..length)).ok_or(NoAnswer::Undecodable)
    }

    pub(crate) fn list(self) -> Result<List<'a>, NoAnswer> {
        let count = self.size(0)?;
        if count > LIST_MAX {
            return Err(NoAnswer::TooLong);
        }
        self.0.get(WORD..).map(|items| List { count, items: Self(items) }).ok_or(NoAnswer::Undecodable)
    }
}
