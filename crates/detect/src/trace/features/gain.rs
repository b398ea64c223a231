//! What the group ends with.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};

use super::loss::absurd;
use super::{Seen, add, steps};
use crate::trace::scene::Scene;
use crate::trace::value::NATIVE;

/// Calls from which on a transaction in which nothing moves is not taken at its word.
const FRAMES_UNSEEN: usize = 160;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let free = scene.gains_freely();
    add(seen, "free-gain", u8::from(free), || {
        format!("the sender's side gains {} and gives up nothing", told(&scene.gains))
    });
    let profit = scene.profit();
    let level = steps(profit, &[1_000, 10_000, 100_000, 1_000_000]);
    add(seen, "profit", level, || {
        format!("about {}.{:03} native coins: {}", profit / 1000, profit % 1000, told(&scene.gains))
    });
    // Where nothing seems to move in a large transaction, or a sum has overflown, what moves is not seen.
    let still = scene.gains.is_empty() && scene.losses.is_empty();
    let unseen = (still && scene.frames().len() >= FRAMES_UNSEEN) || absurd(scene).is_some();
    add(seen, "no-gain", u8::from(!scene.profits() && !unseen), || match scene.gains.is_empty() {
        true => "the sender's side gains nothing".to_owned(),
        false => format!("the sender's side gives up {} for {}", told(&scene.losses), told(&scene.gains)),
    });
}

/// Amounts by token, at most three.
pub(super) fn told(side: &BTreeMap<Address, U256>) -> String {
    let one = |(token, amount): (&Address, &U256)| match *token {
        NATIVE => format!("{amount} wei"),
        token => format!("{amount} of {token}"),
    };
    let more = side.len().saturating_sub(3);
    let some: Vec<String> = side.iter().take(3).map(one).collect();
    match (some.len(), more) {
        (0, _) => "nothing".to_owned(),
        (_, 0) => some.join(", "),
        _ => format!("{} and {more} more tokens", some.join(", ")),
    }
}
