//! What is expected of watched state, and which number of an answer is measured.

use alloy_primitives::{I256, U256};
use serde::Serialize;
use watchfire_types::Bytes;

/// Bytes of one word of an answer.
const WORD: usize = 32;

/// What is expected of watched state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateExpectation {
    /// Differs from the block before.
    Unchanged,
    /// Equals this answer.
    Equals(Bytes),
    /// The answer is one unsigned word within these bounds, both inclusive.
    Within {
        /// Least, if any.
        min: Option<U256>,
        /// Most, if any.
        max: Option<U256>,
    },
    /// One word of the answer, a signed number or one of several results, is within these bounds, both inclusive.
    Number {
        /// The word, 0 first: results before it take one each, static arrays and tuples one for each of their values.
        word: u16,
        /// Whether it and the bounds are two's complement.
        signed: bool,
        /// Least, if any.
        min: Option<U256>,
        /// Most, if any.
        max: Option<U256>,
    },
}

impl StateExpectation {
    /// The number that bounds measure in an answer, as the word that holds it; `None` without bounds or such a word.
    #[must_use]
    pub fn number(&self, answer: &[u8]) -> Option<U256> {
        match self {
            Self::Unchanged | Self::Equals(_) => None,
            Self::Within { .. } => (answer.len() == WORD).then(|| U256::from_be_slice(answer)),
            Self::Number { word, .. } => {
                let start = usize::from(*word) * WORD;
                answer.get(start..start + WORD).map(U256::from_be_slice)
            }
        }
    }

    /// Whether this number is within the bounds; always where there are none.
    #[must_use]
    pub fn bounds(&self, number: U256) -> bool {
        let (Self::Within { min, max } | Self::Number { min, max, .. }) = self else { return true };
        let order = |word| self.order(word);
        min.is_none_or(|min| order(number) >= order(min)) && max.is_none_or(|max| order(number) <= order(max))
    }

    /// A word as the number that it stands for, in decimal.
    #[must_use]
    pub fn decimal(&self, word: U256) -> String {
        if self.is_signed() { I256::from_raw(word).to_string() } else { word.to_string() }
    }

    /// Least and most, if no number is within them.
    pub(crate) fn reversed(&self) -> Option<(String, String)> {
        let (Self::Within { min, max } | Self::Number { min, max, .. }) = self else { return None };
        let (min, max) = ((*min)?, (*max)?);
        (self.order(min) > self.order(max)).then(|| (self.decimal(min), self.decimal(max)))
    }

    /// Words in the order of the numbers that they stand for.
    fn order(&self, word: U256) -> U256 {
        if self.is_signed() { word ^ I256::MIN.into_raw() } else { word }
    }

    fn is_signed(&self) -> bool {
        matches!(self, Self::Number { signed: true, .. })
    }
}

#[cfg(test)]
#[path = "expectation_tests.rs"]
mod tests;
