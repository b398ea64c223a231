//! Arbitrary bodies about planned changes, and the bounds of a window.

use alloy_primitives::{Address, B256};
use proptest::prelude::*;
use watchfire_types::body::{Body, Change, ChangeCall, ChangeCounted, ChangeSupported, ChangeWithdrawn, Selector};
use watchfire_types::bounds::CHANGE_WINDOW_S_MAX;
use watchfire_types::{BlockTime, ChainId, ChangeId, CharterVersion};

use super::samples::{change_supported, event};
use super::strategies::{block, hash, human, name};
use crate::{WireError, seal};

fn id() -> impl Strategy<Value = ChangeId> {
    any::<[u8; 32]>().prop_map(ChangeId::from_bytes)
}

fn change() -> impl Strategy<Value = Change> {
    let call = prop_oneof![
        hash().prop_map(ChangeCall::Data),
        any::<[u8; 4]>().prop_map(|selector| ChangeCall::Selector(Selector(selector))),
    ];
    let window = (0..u64::MAX - CHANGE_WINDOW_S_MAX, 1..=CHANGE_WINDOW_S_MAX);
    (any::<u32>(), name(), any::<u64>(), any::<[u8; 20]>(), call, window, any::<u32>()).prop_map(
        |(version, asset, chain, target, call, (opens, window), edition)| Change {
            version: CharterVersion::new(version),
            asset,
            chain: ChainId::new(chain),
            target: Address::new(target),
            call,
            opens: BlockTime::from_secs(opens),
            closes: BlockTime::from_secs(opens + window),
            edition,
        },
    )
}

/// Any body about a planned change.
pub(super) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (change(), name(), block(), human()).prop_map(|(change, operator, head, human)| {
            Body::ChangeSupported(ChangeSupported { change, operator, head, human })
        }),
        (id(), human()).prop_map(|(change, human)| Body::ChangeWithdrawn(ChangeWithdrawn { change, human })),
        (id(), any::<bool>(), block())
            .prop_map(|(change, counts, head)| { Body::ChangeCounted(ChangeCounted { change, counts, head }) }),
    ]
}

/// A window ends after it begins, and within its bound.
#[test]
fn a_window_is_bounded() {
    let supported = change_supported(ChangeCall::Data(B256::ZERO));
    let opens = supported.change.opens;
    let sealed = |window: u64| {
        let change = Change { closes: opens.plus_secs(window), ..supported.change.clone() };
        let body = Body::ChangeSupported(ChangeSupported { change, ..supported.clone() });
        seal(&event(1, 3, body), |_| [7; 64])
    };
    assert!(sealed(1).is_ok() && sealed(CHANGE_WINDOW_S_MAX).is_ok());
    for window in [0, CHANGE_WINDOW_S_MAX + 1] {
        assert!(matches!(sealed(window), Err(WireError::Range { field: "change.closes_s", .. })), "{window}");
    }
    let change = Change { closes: BlockTime::from_secs(opens.as_secs() - 1), ..supported.change.clone() };
    let body = Body::ChangeSupported(ChangeSupported { change, ..supported });
    assert!(matches!(seal(&event(1, 3, body), |_| [7; 64]), Err(WireError::Range { .. })));
}
