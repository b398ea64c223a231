//! What people say of a rule after the fact, every bound checked.

use watchfire_types::body::{Outcome, PromotionSupported};
use watchfire_types::{BlockTime, CharterVersion};

use crate::common::{block_in, block_out, human_in, human_out, out_of_enum};
use crate::error::WireError;
use crate::field::name;
use crate::proto;

pub(super) fn outcome_out(outcome: Option<Outcome>) -> i32 {
    let outcome = match outcome {
        None => proto::Outcome::Unspecified,
        Some(Outcome::Confirmed) => proto::Outcome::Confirmed,
        Some(Outcome::False) => proto::Outcome::False,
    };
    outcome.into()
}

pub(super) fn outcome_in(number: i32) -> Result<Option<Outcome>, WireError> {
    Ok(match proto::Outcome::try_from(number).map_err(|_| out_of_enum("close_vote.outcome", number))? {
        proto::Outcome::Unspecified => None,
        proto::Outcome::Confirmed => Some(Outcome::Confirmed),
        proto::Outcome::False => Some(Outcome::False),
    })
}

pub(super) fn supported_out(supported: &PromotionSupported) -> proto::PromotionSupported {
    proto::PromotionSupported {
        charter_version: supported.version.get(),
        asset: supported.asset.to_string(),
        detector: supported.detector.to_string(),
        through_s: supported.through.as_secs(),
        operator: supported.operator.to_string(),
        head: Some(block_out(&supported.head)),
        human: Some(human_out(&supported.human)),
    }
}

pub(super) fn supported_in(supported: proto::PromotionSupported) -> Result<PromotionSupported, WireError> {
    let head = block_in("promotion.head", supported.head)?;
    if supported.through_s > head.time.as_secs() {
        return Err(WireError::Range { field: "promotion.through_s", found: supported.through_s });
    }
    Ok(PromotionSupported {
        version: CharterVersion::new(supported.charter_version),
        asset: name("promotion.asset", &supported.asset)?,
        detector: name("promotion.detector", &supported.detector)?,
        through: BlockTime::from_secs(supported.through_s),
        operator: name("promotion.operator", &supported.operator)?,
        head,
        human: human_in(supported.human)?,
    })
}
