//! A number that a rule measures: one word of a call's answer, or what the asset holds of a coin.
//!
//! Held as 512 bits with a sign: a 256-bit number of either sign, times a scale below 2^128, times basis points, never overflows.

use std::collections::BTreeSet;

use alloy_primitives::aliases::I512;
use alloy_primitives::{Address, I256, U256, U512};
use watchfire_charter::Quantity;
use watchfire_types::{BlockView, Read, ReadOutcome};

use crate::outflow::holding_read;

/// Bytes of a word.
const WORD: usize = 32;
/// Most characters of a name in an explanation, which the wire takes up to 512 bytes of.
const NAME_MAX: usize = 80;
/// Basis points in the whole.
pub(crate) const BPS: u64 = 10_000;

enum Source {
    Word { read: Read, at: usize, signed: bool },
    Sum(Vec<Read>),
}

/// One measured number.
pub(crate) struct Measure {
    name: String,
    source: Source,
}

impl Measure {
    /// `group` is whose holdings a held quantity sums.
    pub(crate) fn new(quantity: &Quantity, group: &BTreeSet<Address>) -> Self {
        let source = match quantity {
            Quantity::Call { read, word, signed, .. } => {
                Source::Word { read: read.clone(), at: usize::from(*word), signed: *signed }
            }
            Quantity::Held { token } => {
                Source::Sum(group.iter().map(|account| holding_read(*token, *account)).collect())
            }
        };
        Self { name: quantity.name().chars().take(NAME_MAX).collect(), source }
    }

    /// For people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What has to be read at every block.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &Read> {
        match &self.source {
            Source::Word { read, .. } => std::slice::from_ref(read).iter(),
            Source::Sum(reads) => reads.iter(),
        }
    }

    /// The number at a block; `None` where a read has no answer, reverts, or answers less than the word asked for.
    pub(crate) fn value(&self, view: &BlockView) -> Option<I512> {
        match &self.source {
            Source::Word { read, at, signed } => {
                let Some(ReadOutcome::Value(answer)) = view.reads.get(read) else { return None };
                let start = at.checked_mul(WORD)?;
                let word = U256::from_be_slice(answer.get(start..start.checked_add(WORD)?)?);
                Some(if *signed { wide_signed(I256::from_raw(word)) } else { wide(word) })
            }
            Source::Sum(reads) => {
                let parts = reads.iter().map(|read| view.reads.get(read)?.word());
                parts.map(|part| part.map(wide)).try_fold(I512::ZERO, |sum, part| Some(sum.saturating_add(part?)))
            }
        }
    }
}

fn wide(word: U256) -> I512 {
    I512::from_raw(U512::from(word))
}

fn wide_signed(number: I256) -> I512 {
    let magnitude = wide(number.unsigned_abs());
    if number.is_negative() { magnitude.wrapping_neg() } else { magnitude }
}

/// A number times a positive factor that the module's bounds keep from overflowing.
pub(crate) fn times(number: I512, factor: U256) -> I512 {
    number.saturating_mul(wide(factor))
}
