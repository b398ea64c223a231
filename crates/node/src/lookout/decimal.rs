//! Decimal numbers as they are written, compared exactly: what is signed about a number rests on no rounding.

use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// Longest number, characters: more than Prometheus ever writes.
const TEXT_MAX: usize = 400;
/// Exponents that are taken.
const EXPONENTS: RangeInclusive<i64> = -EXPONENT_MAX..=EXPONENT_MAX;
const EXPONENT_MAX: i64 = 100_000;

/// Why a text is no number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is no decimal number of at most {TEXT_MAX} characters")]
pub struct NoNumber;

/// A decimal number, or an infinity. Equal numbers are equal however they were written.
#[derive(Debug, Clone)]
pub struct Decimal {
    text: String,
    size: Size,
}

/// A number apart from how it was written.
#[derive(Debug, Clone)]
enum Size {
    /// Below zero; the size of it without the sign.
    Below(Magnitude),
    Zero,
    Above(Magnitude),
}

/// `0.DIGITS` times ten to the `exponent`; the first digit is not 0, nor is the last. `None`: without end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Magnitude(Option<(i64, String)>);

impl Ord for Magnitude {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            // Digits after the point compare as texts do.
            (Some(one), Some(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for Magnitude {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.size, &other.size) {
            (Size::Below(one), Size::Below(other)) => other.cmp(one),
            (Size::Zero, Size::Zero) => Ordering::Equal,
            (Size::Above(one), Size::Above(other)) => one.cmp(other),
            (Size::Below(_), _) | (Size::Zero, Size::Above(_)) => Ordering::Less,
            (Size::Above(_), _) | (Size::Zero, Size::Below(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Decimal {
    type Err = NoNumber;

    /// `[+-] digits [. digits] [e [+-] digits]`, `Inf`, `+Inf` or `-Inf`; with a digit before or after the point.
    fn from_str(text: &str) -> Result<Self, NoNumber> {
        if text.len() > TEXT_MAX {
            return Err(NoNumber);
        }
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let magnitude = if rest == "Inf" { Some(Magnitude(None)) } else { magnitude(rest)? };
        let size = match magnitude {
            None => Size::Zero,
            Some(magnitude) if is_negative => Size::Below(magnitude),
            Some(magnitude) => Size::Above(magnitude),
        };
        Ok(Self { text: text.to_owned(), size })
    }
}

/// `None` for zero.
fn magnitude(text: &str) -> Result<Option<Magnitude>, NoNumber> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i64>().map_err(|_| NoNumber)?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || !EXPONENTS.contains(&exponent) {
        return Err(NoNumber);
    }
    let significant = digits.trim_start_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).map_err(|_| NoNumber)?;
    let whole = i64::try_from(whole.len()).map_err(|_| NoNumber)?;
    let significant = significant.trim_end_matches('0');
    Ok((!significant.is_empty()).then(|| Magnitude(Some((exponent + whole - zeros, significant.to_owned())))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// In ascending order, each with other ways to write it.
    #[test]
    fn numbers_in_order() {
        let ascending: &[&[&str]] = &[
            &["-Inf"],
            &["-1e+21", "-1000000000000000000000"],
            &["-10.5", "-10.50", "-1.05e1"],
            &["-10"],
            &["-0.000001", "-1e-6", "-.000001"],
            &["0", "-0", "+0", "0.000", "0e5", "00."],
            &["1e-06", "0.000001"],
            &["0.1", "0.10", ".1", "1E-1"],
            &["0.30000000000000004"],
            &["1", "1.0", "001", "+1", "10e-1"],
            &["1.02"],
            &["1.0200000000000000000000000000001"],
            &["9"],
            &["10"],
            &["115792089237316195423570985008687907853269984665640564039457584007913129639935"],
            &["115792089237316195423570985008687907853269984665640564039457584007913129639936"],
            &["+Inf", "Inf"],
        ];
        for (at, same) in ascending.iter().enumerate() {
            for text in *same {
                for (other, texts) in ascending.iter().enumerate() {
                    let found = number(text).cmp(&number(texts[0]));
                    assert_eq!(found, at.cmp(&other), "{text} and {}", texts[0]);
                }
            }
        }
    }

    /// What Prometheus never writes, and what is no number to compare, is none.
    #[test]
    fn no_numbers() {
        let long = "1".repeat(TEXT_MAX + 1);
        for text in [
            "",
            "-",
            ".",
            "NaN",
            "+-1",
            "1.2.3",
            "1e",
            "1e9999999999999999999",
            "1e100001",
            "1e-100001",
            "1e9223372036854775807",
            "1e-9223372036854775808",
            "0.01e-9223372036854775808",
            "0x10",
            "1 ",
            "1_0",
            &long,
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NoNumber), "{text}");
        }
    }

    proptest! {
        /// Numbers with a point compare as the whole numbers do that are a power of ten larger.
        #[test]
        fn as_whole_numbers(one in any::<i64>(), other in any::<i64>(), point in 0_u32..19) {
            let written = |number: i64| format!("{number}e-{point}");
            prop_assert_eq!(number(&written(one)).cmp(&number(&written(other))), one.cmp(&other));
            let split = |number: i64| {
                let (power, size) = (10_u64.pow(point), number.unsigned_abs());
                let sign = if number < 0 { "-" } else { "" };
                format!("{sign}{}.{:0width$}", size / power, size % power, width = usize::try_from(point).unwrap())
            };
            if point > 0 {
                prop_assert_eq!(number(&split(one)), number(&written(one)));
            }
        }

        /// No text is too odd to be looked at, and whatever is a number has its place among all others.
        #[test]
        fn any_text(texts in prop::array::uniform3(prop_oneof![
            "\\PC{0,30}",
            "[-+]?[0-9.]{0,4}[eE]?[-+]?[0-9]{0,20}",
            ("[-+]?[0-9]{0,3}\\.?[0-9]{0,3}[eE]", prop_oneof![
                Just(i64::MIN),
                Just(i64::MAX),
                any::<i64>(),
                (-1_000..1_000_i64).prop_map(|near| EXPONENT_MAX + near),
                (-1_000..1_000_i64).prop_map(|near| near - EXPONENT_MAX),
            ]).prop_map(|(number, exponent)| format!("{number}{exponent}")),
        ])) {
            let mut numbers: Vec<Decimal> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            for number in &numbers {
                let exponent = number.text.split_once(['e', 'E']).map_or(0, |(_, exponent)| exponent.parse().unwrap());
                prop_assert!(EXPONENTS.contains(&exponent), "{}", number);
                prop_assert_eq!(&number.text.parse::<Decimal>().unwrap(), number);
            }
            numbers.sort();
            for pair in numbers.windows(2) {
                prop_assert_eq!(pair[0].cmp(&pair[1]), pair[1].cmp(&pair[0]).reverse());
            }
            prop_assert!(numbers.first() <= numbers.last());
        }

        /// Numbers compare as what they write out does.
        #[test]
        fn as_written_out(one in WRITTEN, other in WRITTEN) {
            if let (Some(one), Some(other)) = (written_out(&one), written_out(&other)) {
                prop_assert_eq!(number(&one.0).cmp(&number(&other.0)), one.1.cmp(&other.1), "{} {}", one.0, other.0);
            }
        }
    }

    const WRITTEN: &str = "[-+]?[0-9]{0,6}(\\.[0-9]{0,6})?([eE][-+]?[0-9])?";

    /// The text with its value times ten to the fifteenth; nothing where there is no digit.
    fn written_out(text: &str) -> Option<(String, i128)> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let places = 15 + exponent.parse::<i32>().unwrap() - i32::try_from(fraction.len()).unwrap();
        Some((text.to_owned(), digits * 10_i128.pow(u32::try_from(places).unwrap())))
    }
}
