//! The weights: as near as possible to the middle of their bounds, and far enough for every labelled trace to fall on its side.
//!
//! Projected subgradient descent on hinge losses, in whole numbers of a 1,024th of a point, a fixed number of steps: the same weights on
//! every machine. Attacks and honest traces weigh the same together, however many there are of each.

use std::fmt::Write as _;

use watchfire_detect::trace::{ATTACK, FEATURES};

use crate::labelled::Example;

/// One point.
const ONE: i64 = 1 << 10;
/// Steps taken.
const STEPS: i64 = 6_000;
/// How far beyond [`ATTACK`] an attack should score. More than what is asked of honest transactions: real attacks hide better than these,
/// and real honest transactions are rarely as hard.
const ATTACK_MARGIN: i64 = 180;
/// How far below it an honest transaction should stay.
const HONEST_MARGIN: i64 = 80;
/// Bounds of what every transaction begins with.
const BASE: (i64, i64) = (0, 300);

/// Points a level of each feature, and what every transaction begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// In the order of [`FEATURES`].
    pub points: Vec<i64>,
    /// Every transaction's.
    pub base: i64,
}

impl Weights {
    /// The score of an example, not kept within its bounds.
    #[must_use]
    pub fn score(&self, example: &Example) -> i64 {
        self.base + self.points.iter().zip(&example.levels).map(|(points, level)| points * level).sum::<i64>()
    }

    /// The text that the detect crate reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "# Points a level of each feature. Made by `cargo run -p watchfire-trace-model -- fit` from the labelled traces,\n\
                        # within the bounds that stand in features.rs; not edited by hand.\n"
            .to_owned();
        let _ = writeln!(text, "{:<20} {:>5}", "base", self.base);
        for (feature, points) in FEATURES.iter().zip(&self.points) {
            let _ = writeln!(text, "{:<20} {points:>5}  # {}", feature.name, feature.meaning);
        }
        text
    }
}

/// Bounds of each weight, what every transaction begins with last, in 1,024ths.
fn bounds() -> Vec<(i64, i64)> {
    let features = FEATURES.iter().map(|feature| (i64::from(feature.least), i64::from(feature.most)));
    features.chain([BASE]).map(|(least, most)| (least * ONE, most * ONE)).collect()
}

/// Fits the weights to these examples.
#[must_use]
pub fn fit(examples: &[Example]) -> Weights {
    let bounds = bounds();
    let middle: Vec<i64> = bounds.iter().map(|(least, most)| (least + most) / 2).collect();
    let count = |attack: bool| examples.iter().filter(|one| one.attack == attack).count().max(1);
    let (attacks, honest) = (count(true), count(false));
    let mut weights = middle.clone();
    for step in 0..STEPS {
        let mut pull: Vec<i64> = weights.iter().zip(&middle).map(|(weight, middle)| (middle - weight) / 64).collect();
        for example in examples {
            let level = |at: usize| example.levels.get(at).copied().unwrap_or(1);
            let score: i64 = weights.iter().enumerate().map(|(at, weight)| weight * level(at)).sum::<i64>() / ONE;
            let beyond = score - i64::from(ATTACK);
            let (missed, share) = match example.attack {
                true => (beyond < ATTACK_MARGIN, i64::try_from(attacks).unwrap_or(1)),
                false => (-beyond < HONEST_MARGIN, -i64::try_from(honest).unwrap_or(1)),
            };
            if missed {
                for (at, pull) in pull.iter_mut().enumerate() {
                    *pull += 40 * ONE * level(at) / share;
                }
            }
        }
        for ((weight, pull), (least, most)) in weights.iter_mut().zip(pull).zip(&bounds) {
            *weight = (*weight + pull * 64 / (64 + step)).clamp(*least, *most);
        }
    }
    let mut points: Vec<i64> = weights.into_iter().map(|weight| (weight + ONE / 2).div_euclid(ONE)).collect();
    let base = points.pop().unwrap_or_default();
    Weights { points, base }
}

/// How each example scores by weights fitted without its case.
#[must_use]
pub fn left_out(examples: &[Example]) -> Vec<(Example, i64)> {
    let judged = |one: &Example| {
        let others: Vec<Example> = examples.iter().filter(|other| other.name != one.name).cloned().collect();
        (one.clone(), fit(&others).score(one).clamp(0, 1000))
    };
    examples.iter().map(judged).collect()
}
