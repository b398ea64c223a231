//! Arbitrary snoozes, and how long one may last.

use proptest::prelude::*;
use watchfire_types::BlockTime;
use watchfire_types::body::{Body, SNOOZE_MAX_S, Snoozed};

use super::samples::{event, snoozed};
use super::strategies::{block, human, name};
use crate::{WireError, seal};

/// Any snooze.
pub(super) fn body() -> impl Strategy<Value = Body> {
    (name(), prop::option::of(name()), block(), 0..=SNOOZE_MAX_S, human()).prop_map(
        |(asset, detector, head, lasts_s, human)| {
            let until = head.time.plus_secs(lasts_s);
            Body::Snoozed(Snoozed { asset, detector, head, until, human })
        },
    )
}

/// Nobody snoozes for good.
#[test]
fn a_snooze_ends() {
    let said = snoozed();
    let sealed = |until: u64| {
        let said = Snoozed { until: BlockTime::from_secs(until), ..said.clone() };
        seal(&event(1, 3, Body::Snoozed(said)), |_| [7; 64])
    };
    let head = said.head.time.as_secs();
    assert!(sealed(head + SNOOZE_MAX_S).is_ok() && sealed(0).is_ok());
    assert!(matches!(sealed(head + SNOOZE_MAX_S + 1), Err(WireError::Range { field: "snooze.until_s", .. })));
}
