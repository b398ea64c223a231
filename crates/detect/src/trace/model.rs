//! The score: points for each feature met, added up, and what they come to.
//!
//! The weights are a text file in the tree (`weights.txt`): a line `name points` a feature, `base points` for what every transaction
//! begins with. They are computed from labelled traces by a command and reviewed as what they are; this reads them, and refuses a file
//! that lacks a feature, names an unknown one, or leaves a feature's bounds.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::features::{FEATURES, Feature, Seen, features};
use super::tree::CallTree;

/// Highest score.
const SCORE_MAX: i32 = 1000;
/// From this score on a transaction is suspicious.
pub const SUSPICIOUS: u16 = 300;
/// From this score on it is called an attack.
pub const ATTACK: u16 = 500;
/// Bounds of what every transaction begins with.
const BASE: (i32, i32) = (0, 300);

const SHIPPED: &str = include_str!("weights.txt");

/// What a score comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Below [`SUSPICIOUS`].
    Benign,
    /// Below [`ATTACK`].
    Suspicious,
    /// From [`ATTACK`] on.
    Attack,
}

/// Why a score is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Name of the feature; `base` for what every transaction begins with.
    pub feature: &'static str,
    /// Points that it added, or took.
    pub contribution: i32,
    /// One line with the figures.
    pub detail: String,
}

/// The score of one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// 0 to 1000: the sum of the contributions, kept within.
    pub score: u16,
    /// What it comes to.
    pub verdict: Verdict,
    /// Every contribution, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// Why a text is no set of weights.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelFault {
    /// A line that is not `name points`.
    #[error("weights, line {line}: not a name and a whole number")]
    Line {
        /// From 1.
        line: usize,
    },
    /// An unknown or repeated name.
    #[error("weights, line {line}: {name} is no feature, or stands twice")]
    Name {
        /// From 1.
        line: usize,
        /// Which.
        name: String,
    },
    /// Outside of the feature's bounds.
    #[error("weights: {name} has {points} points, its bounds are {least} to {most}")]
    Bounds {
        /// Which.
        name: &'static str,
        /// What stands there.
        points: i32,
        /// Bound.
        least: i32,
        /// Bound.
        most: i32,
    },
    /// A feature without a weight.
    #[error("weights: {name} is missing")]
    Missing {
        /// Which.
        name: &'static str,
    },
}

/// Weights by feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    base: i32,
    points: Vec<i32>,
}

impl Model {
    /// The weights that come with the program.
    ///
    /// # Errors
    /// Never with a file that the tests passed.
    pub fn shipped() -> Result<Self, ModelFault> {
        Self::parse(SHIPPED)
    }

    /// Reads weights; `#` begins a comment.
    ///
    /// # Errors
    /// [`ModelFault`] with the line or the feature.
    pub fn parse(text: &str) -> Result<Self, ModelFault> {
        let mut read: BTreeMap<&str, i32> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(name) = words.next() else { continue };
            let points = words.next().and_then(|points| points.parse().ok()).filter(|_| words.next().is_none());
            let points = points.ok_or(ModelFault::Line { line: line_number })?;
            let known = name == "base" || FEATURES.iter().any(|feature| feature.name == name);
            if !known || read.insert(name, points).is_some() {
                return Err(ModelFault::Name { line: line_number, name: name.chars().take(60).collect() });
            }
        }
        let bounded = |name: &'static str, (least, most): (i32, i32)| {
            let points = *read.get(name).ok_or(ModelFault::Missing { name })?;
            let within = (least..=most).contains(&points);
            within.then_some(points).ok_or(ModelFault::Bounds { name, points, least, most })
        };
        let points = FEATURES.iter().map(|feature| bounded(feature.name, (feature.least, feature.most)));
        Ok(Self { points: points.collect::<Result<_, _>>()?, base: bounded("base", BASE)? })
    }

    /// The points a level of a feature, 0 of one that there is not.
    #[must_use]
    pub fn points(&self, name: &str) -> i32 {
        let at = FEATURES.iter().position(|feature: &Feature| feature.name == name);
        at.map_or(0, |at| self.points[at])
    }

    /// Scores a transaction.
    #[must_use]
    pub fn score(&self, tree: &CallTree) -> Score {
        self.judge(features(tree))
    }

    /// Scores what was met.
    #[must_use]
    pub fn judge(&self, seen: Vec<Seen>) -> Score {
        let base = Reason { feature: "base", contribution: self.base, detail: "every transaction".to_owned() };
        let one = |seen: Seen| Reason {
            feature: seen.name,
            contribution: self.points(seen.name) * i32::from(seen.level),
            detail: seen.detail,
        };
        let mut reasons: Vec<Reason> = seen.into_iter().map(one).chain([base]).collect();
        reasons.sort_by_key(|reason| -reason.contribution.abs());
        let sum: i32 = reasons.iter().map(|reason| reason.contribution).sum();
        let score = u16::try_from(sum.clamp(0, SCORE_MAX)).unwrap_or_default();
        let verdict = match score {
            ATTACK.. => Verdict::Attack,
            SUSPICIOUS.. => Verdict::Suspicious,
            _ => Verdict::Benign,
        };
        Score { score, verdict, reasons }
    }
}
