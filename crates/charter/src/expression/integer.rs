//! Whole numbers of 256 bits and a sign: what every Solidity integer is, and the difference of any two unsigned ones below 2^256.

use std::cmp::Ordering;
use std::fmt;

use alloy_primitives::{U256, U512};

use super::NoAnswer;

/// A whole number between -(2^256 - 1) and 2^256 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Integer {
    /// Never of zero.
    negative: bool,
    magnitude: U256,
}

impl Integer {
    pub(super) fn new(negative: bool, magnitude: U256) -> Self {
        Self { negative: negative && !magnitude.is_zero(), magnitude }
    }

    /// From decimal digits, with `-` before them for a negative one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let magnitude = plain.then(|| U256::from_str_radix(digits, 10).ok()).flatten()?;
        Some(Self::new(negative, magnitude))
    }

    /// From an ABI word; `None` where bits are set that an unsigned number of so many bits does not have.
    pub(super) fn unsigned(word: U256, bits: usize) -> Option<Self> {
        (word.bit_len() <= bits).then(|| Self::new(false, word))
    }

    /// From an ABI word in two's complement; `None` where it is not extended by its sign.
    pub(super) fn signed(word: U256, bits: usize) -> Option<Self> {
        let negative = word.bit(255);
        let magnitude = if negative { word.wrapping_neg() } else { word };
        let half = U256::from(1) << (bits.max(1) - 1);
        let fits = if negative { magnitude <= half } else { magnitude < half };
        fits.then(|| Self::new(negative, magnitude))
    }

    /// The number, unless it is negative.
    pub(super) fn amount(self) -> Option<U256> {
        (!self.negative).then_some(self.magnitude)
    }

    /// Whether it is a `uint256`.
    pub(super) fn is_unsigned(&self) -> bool {
        !self.negative
    }

    /// Whether it is an `int256`.
    pub(super) fn is_signed(&self) -> bool {
        let half = U256::from(1) << 255;
        if self.negative { self.magnitude <= half } else { self.magnitude < half }
    }

    /// As an index.
    pub(super) fn index(self) -> Option<usize> {
        if self.negative { None } else { usize::try_from(self.magnitude).ok() }
    }

    pub(super) fn negated(self) -> Self {
        Self::new(!self.negative, self.magnitude)
    }

    pub(super) fn absolute(self) -> Self {
        Self::new(false, self.magnitude)
    }

    pub(super) fn add(self, other: Self) -> Result<Self, NoAnswer> {
        if self.negative == other.negative {
            let sum = self.magnitude.checked_add(other.magnitude).ok_or(NoAnswer::Overflow)?;
            return Ok(Self::new(self.negative, sum));
        }
        let (large, small) = if self.magnitude >= other.magnitude { (self, other) } else { (other, self) };
        Ok(Self::new(large.negative, large.magnitude.wrapping_sub(small.magnitude)))
    }

    pub(super) fn multiply(self, other: Self) -> Result<Self, NoAnswer> {
        let product = self.magnitude.checked_mul(other.magnitude).ok_or(NoAnswer::Overflow)?;
        Ok(Self::new(self.negative != other.negative, product))
    }

    /// Towards zero, as CEL divides.
    pub(super) fn divide(self, other: Self) -> Result<Self, NoAnswer> {
        let quotient = self.magnitude.checked_div(other.magnitude).ok_or(NoAnswer::DivisionByZero)?;
        Ok(Self::new(self.negative != other.negative, quotient))
    }

    /// With the sign of what is divided, as CEL has it.
    pub(super) fn remainder(self, other: Self) -> Result<Self, NoAnswer> {
        let remainder = self.magnitude.checked_rem(other.magnitude).ok_or(NoAnswer::DivisionByZero)?;
        Ok(Self::new(self.negative, remainder))
    }

    /// `self * other / by` towards zero, the product in 512 bits.
    pub(super) fn multiply_divide(self, other: Self, by: Self) -> Result<Self, NoAnswer> {
        let product: U512 = self.magnitude.widening_mul(other.magnitude);
        let quotient = product.checked_div(U512::from(by.magnitude)).ok_or(NoAnswer::DivisionByZero)?;
        let negative = (self.negative != other.negative) != by.negative;
        if quotient.bit_len() > 256 {
            return Err(NoAnswer::Overflow);
        }
        Ok(Self::new(negative, U256::from(quotient)))
    }
}

impl From<u64> for Integer {
    fn from(number: u64) -> Self {
        Self::new(false, U256::from(number))
    }
}

impl Ord for Integer {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude.cmp(&other.magnitude),
            (true, true) => other.magnitude.cmp(&self.magnitude),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Integer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.magnitude)
    }
}
