//! Stands between one member and all others.

use super::Adversary;

/// Passes nothing on and answers no question about what is missing: whom it surrounds (the fault `eclipse`) hears of nothing but its own
/// findings and this one's word.
#[derive(Debug)]
pub(super) struct Eclipser;

impl Adversary for Eclipser {
    fn answers(&self) -> bool {
        false
    }
}
