//! Evidence stays unless everything allows that it goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::body::{Custodian, Human};
use watchfire_types::{B256, Timestamp};

use super::{Kept, RETENTION_DAYS, Stays, may_go};

const DAY_MS: u64 = 86_400_000;

/// Goal: each condition alone keeps the object, and is named; the last day of the retention is kept to its end.
#[test]
fn each_condition_keeps_it() {
    let human =
        Custodian::Human(Human { person: "p-7".into(), role: "records".into(), reason: "retention is over".into() });
    let (at, object) = (Timestamp::from_millis(1_700_000_000_000), B256::repeat_byte(1));
    let over = at.plus_millis(u64::from(RETENTION_DAYS) * DAY_MS);
    let kept = Kept { object, at, exported: true, closed: true, by: &human };
    assert_eq!(may_go(kept, RETENTION_DAYS, over), Ok(()));
    let young = |left| Err(Stays::Young { object, left, days: RETENTION_DAYS });
    assert_eq!(may_go(kept, RETENTION_DAYS, Timestamp::from_millis(over.as_millis() - 1)), young(1));
    assert_eq!(may_go(kept, RETENTION_DAYS, at), young(u64::from(RETENTION_DAYS)));
    assert_eq!(may_go(Kept { exported: false, ..kept }, RETENTION_DAYS, over), Err(Stays::NotExported { object }));
    assert_eq!(may_go(Kept { closed: false, ..kept }, RETENTION_DAYS, over), Err(Stays::Open { object }));
    let node = Custodian::Node("tidying up".into());
    assert_eq!(may_go(Kept { by: &node, ..kept }, RETENTION_DAYS, over), Err(Stays::NoHuman));
    assert_eq!(may_go(kept, 0, at), Ok(()));
    assert!(may_go(kept, u32::MAX, over).is_err());
}
