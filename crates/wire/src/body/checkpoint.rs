//! Checkpoints and what contradicts them, both ways.

use watchfire_types::body::{Checkpoint, CheckpointFault, Inconsistency};
use watchfire_types::{Epoch, MemberKey};

use crate::bounds::MAX_PROOF_HASHES;
use crate::error::WireError;
use crate::field::{check_count, fixed, hash, name, present, raw};
use crate::proto;

pub(crate) fn checkpoint_out(checkpoint: &Checkpoint) -> proto::Checkpoint {
    proto::Checkpoint {
        member: checkpoint.member.to_string(),
        size: checkpoint.size,
        root: raw(&checkpoint.root.0),
        signature: raw(&checkpoint.signature),
    }
}

pub(crate) fn checkpoint_in(checkpoint: &proto::Checkpoint) -> Result<Checkpoint, WireError> {
    let size = checkpoint.size;
    if size == 0 {
        return Err(WireError::Range { field: "checkpoint.size", found: size });
    }
    Ok(Checkpoint {
        member: name("checkpoint.member", &checkpoint.member)?,
        size,
        root: hash("checkpoint.root", &checkpoint.root)?,
        signature: fixed("checkpoint.signature", &checkpoint.signature)?,
    })
}

pub(crate) fn checkpoint_fault_out(fault: &CheckpointFault) -> proto::CheckpointFault {
    let against = fault.against.as_ref().map(|against| proto::Inconsistency {
        checkpoint: Some(checkpoint_out(&against.checkpoint)),
        prefix_root: raw(&against.prefix_root.0),
        path: against.path.iter().map(|hash| raw(&hash.0)).collect(),
    });
    proto::CheckpointFault {
        author: raw(fault.author.as_bytes()),
        epoch: raw(fault.epoch.as_bytes()),
        checkpoint: Some(checkpoint_out(&fault.checkpoint)),
        against,
    }
}

pub(crate) fn checkpoint_fault_in(fault: proto::CheckpointFault) -> Result<CheckpointFault, WireError> {
    Ok(CheckpointFault {
        author: MemberKey::from_bytes(fixed("checkpoint_fault.author", &fault.author)?),
        epoch: Epoch::from_bytes(fixed("checkpoint_fault.epoch", &fault.epoch)?),
        checkpoint: checkpoint_in(&present("checkpoint_fault.checkpoint", fault.checkpoint)?)?,
        against: fault.against.map(against_in).transpose()?,
    })
}

fn against_in(against: proto::Inconsistency) -> Result<Inconsistency, WireError> {
    check_count("inconsistency.path", against.path.len(), 0, MAX_PROOF_HASHES)?;
    let path = against.path.iter().map(|node| hash("inconsistency.path", node));
    Ok(Inconsistency {
        checkpoint: checkpoint_in(&present("inconsistency.checkpoint", against.checkpoint)?)?,
        prefix_root: hash("inconsistency.prefix_root", &against.prefix_root)?,
        path: path.collect::<Result<_, _>>()?,
    })
}
