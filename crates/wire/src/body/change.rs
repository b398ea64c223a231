//! Planned changes: what is said about them, every bound checked.

use watchfire_types::body::{Change, ChangeCall, ChangeCounted, ChangeSupported, ChangeWithdrawn, Selector};
use watchfire_types::bounds::CHANGE_WINDOW_S_MAX;
use watchfire_types::{BlockTime, ChainId, ChangeId, CharterVersion};

use crate::common::{block_in, block_out, human_in, human_out};
use crate::error::WireError;
use crate::field::{address, fixed, hash, name, present, raw};
use crate::proto::{self, change};

fn change_out(planned: &Change) -> proto::Change {
    proto::Change {
        charter_version: planned.version.get(),
        asset: planned.asset.to_string(),
        chain_id: planned.chain.get(),
        target: raw(&planned.target.0.0),
        call: Some(match &planned.call {
            ChangeCall::Data(hash) => change::Call::Data(raw(&hash.0)),
            ChangeCall::Selector(selector) => change::Call::Selector(raw(&selector.0)),
        }),
        opens_s: planned.opens.as_secs(),
        closes_s: planned.closes.as_secs(),
        edition: planned.edition,
    }
}

fn change_in(planned: Option<proto::Change>) -> Result<Change, WireError> {
    let planned = present("change", planned)?;
    let window = planned.closes_s.checked_sub(planned.opens_s).filter(|window| *window > 0);
    if window.is_none_or(|window| window > CHANGE_WINDOW_S_MAX) {
        return Err(WireError::Range { field: "change.closes_s", found: planned.closes_s });
    }
    Ok(Change {
        version: CharterVersion::new(planned.charter_version),
        asset: name("change.asset", &planned.asset)?,
        chain: ChainId::new(planned.chain_id),
        target: address("change.target", &planned.target)?,
        call: match present("change.call", planned.call)? {
            change::Call::Data(data) => ChangeCall::Data(hash("change.data", &data)?),
            change::Call::Selector(selector) => ChangeCall::Selector(Selector(fixed("change.selector", &selector)?)),
        },
        opens: BlockTime::from_secs(planned.opens_s),
        closes: BlockTime::from_secs(planned.closes_s),
        edition: planned.edition,
    })
}

pub(super) fn supported_out(supported: &ChangeSupported) -> proto::ChangeSupported {
    proto::ChangeSupported {
        change: Some(change_out(&supported.change)),
        operator: supported.operator.to_string(),
        head: Some(block_out(&supported.head)),
        human: Some(human_out(&supported.human)),
    }
}

pub(super) fn supported_in(supported: proto::ChangeSupported) -> Result<ChangeSupported, WireError> {
    Ok(ChangeSupported {
        change: change_in(supported.change)?,
        operator: name("change.operator", &supported.operator)?,
        head: block_in("change.head", supported.head)?,
        human: human_in(supported.human)?,
    })
}

pub(super) fn withdrawn_out(withdrawn: &ChangeWithdrawn) -> proto::ChangeWithdrawn {
    proto::ChangeWithdrawn { change: raw(withdrawn.change.as_bytes()), human: Some(human_out(&withdrawn.human)) }
}

pub(super) fn withdrawn_in(withdrawn: proto::ChangeWithdrawn) -> Result<ChangeWithdrawn, WireError> {
    let change = ChangeId::from_bytes(fixed("change.id", &withdrawn.change)?);
    Ok(ChangeWithdrawn { change, human: human_in(withdrawn.human)? })
}

pub(super) fn counted_out(counted: &ChangeCounted) -> proto::ChangeCounted {
    proto::ChangeCounted {
        change: raw(counted.change.as_bytes()),
        counts: counted.counts,
        head: Some(block_out(&counted.head)),
    }
}

pub(super) fn counted_in(counted: proto::ChangeCounted) -> Result<ChangeCounted, WireError> {
    let change = ChangeId::from_bytes(fixed("change.id", &counted.change)?);
    Ok(ChangeCounted { change, counts: counted.counts, head: block_in("change.head", counted.head)? })
}
