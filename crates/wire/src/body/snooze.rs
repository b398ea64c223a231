//! A snooze, every bound checked.

use watchfire_types::BlockTime;
use watchfire_types::body::{SNOOZE_MAX_S, Snoozed};

use crate::common::{block_in, block_out, human_in, human_out};
use crate::error::WireError;
use crate::field::name;
use crate::proto;

pub(super) fn snoozed_out(snoozed: &Snoozed) -> proto::Snoozed {
    proto::Snoozed {
        asset: snoozed.asset.to_string(),
        detector: snoozed.detector.as_ref().map(ToString::to_string).unwrap_or_default(),
        head: Some(block_out(&snoozed.head)),
        until_s: snoozed.until.as_secs(),
        human: Some(human_out(&snoozed.human)),
    }
}

pub(super) fn snoozed_in(snoozed: proto::Snoozed) -> Result<Snoozed, WireError> {
    let head = block_in("snooze.head", snoozed.head)?;
    if snoozed.until_s > head.time.as_secs().saturating_add(SNOOZE_MAX_S) {
        return Err(WireError::Range { field: "snooze.until_s", found: snoozed.until_s });
    }
    let detector = match snoozed.detector.as_str() {
        "" => None,
        rule => Some(name("snooze.detector", rule)?),
    };
    Ok(Snoozed {
        asset: name("snooze.asset", &snoozed.asset)?,
        detector,
        head,
        until: BlockTime::from_secs(snoozed.until_s),
        human: human_in(snoozed.human)?,
    })
}
