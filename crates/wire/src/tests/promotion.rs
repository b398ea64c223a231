//! Arbitrary bodies about promotions, and what one may forgive.

use proptest::prelude::*;
use watchfire_types::body::{Body, PromotionSupported};
use watchfire_types::{BlockTime, CharterVersion};

use super::samples::{event, promotion_supported};
use super::strategies::{block, human, name};
use crate::{WireError, seal};

/// Any body about a promotion.
pub(super) fn body() -> impl Strategy<Value = Body> {
    (any::<u32>(), name(), name(), any::<u64>(), name(), block(), human()).prop_map(
        |(version, asset, detector, before, operator, head, human)| {
            Body::PromotionSupported(PromotionSupported {
                version: CharterVersion::new(version),
                asset,
                detector,
                through: BlockTime::from_secs(head.time.as_secs().saturating_sub(before)),
                operator,
                head,
                human,
            })
        },
    )
}

/// What comes after the head at which it was said is not forgiven: no promotion is kept in stock.
#[test]
fn the_future_is_not_forgiven() {
    let said = promotion_supported();
    let sealed = |through: u64| {
        let said = PromotionSupported { through: BlockTime::from_secs(through), ..said.clone() };
        seal(&event(1, 3, Body::PromotionSupported(said)), |_| [7; 64])
    };
    let head = said.head.time.as_secs();
    assert!(sealed(head).is_ok() && sealed(0).is_ok());
    assert!(matches!(sealed(head + 1), Err(WireError::Range { field: "promotion.through_s", .. })));
}
