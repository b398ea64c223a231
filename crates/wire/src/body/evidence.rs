//! Evidence bodies, both ways.

use alloy_primitives::B256;
use bytes::Bytes;
use watchfire_types::body::{
    AccessAction, Custodian, Custody, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem, EvidenceKind,
    EvidenceMissed, MissCause,
};
use watchfire_types::{EventHash, IncidentId, MemberKey, Timestamp};

use crate::bounds::{MAX_CLOCK, MAX_EVIDENCE_ITEMS, MAX_EVIDENCE_OBJECTS, MAX_LABEL, MAX_LINE, MAX_PARAMS};
use crate::common::{block_in, block_out, human_in, human_out, out_of_enum};
use crate::error::WireError;
use crate::field::{check_ascending, check_count, fixed, hash, name, present, raw, text};
use crate::proto::{self, evidence_accessed};

/// Whether an evidence body holds an enum value of a later version.
pub(super) fn from_later_version(body: &proto::event::Body) -> bool {
    use proto::event::Body as In;
    let kind = |number| proto::EvidenceKind::try_from(number).is_err();
    let check = |number| proto::EvidenceCheck::try_from(number).is_err();
    match body {
        In::EvidenceCollected(collected) => collected.items.iter().any(|item| kind(item.kind) || check(item.check)),
        In::EvidenceAccessed(accessed) => proto::AccessAction::try_from(accessed.action).is_err(),
        In::EvidenceMissed(missed) => kind(missed.kind) || proto::MissCause::try_from(missed.cause).is_err(),
        _ => false,
    }
}

fn custody_out(custody: &Custody) -> proto::Custody {
    proto::Custody { tool: custody.tool.clone(), clock: custody.clock.clone() }
}

fn custody_in(custody: Option<proto::Custody>) -> Result<Custody, WireError> {
    let custody = present("custody", custody)?;
    Ok(Custody {
        tool: text("custody.tool", custody.tool, MAX_LABEL)?,
        clock: text("custody.clock", custody.clock, MAX_CLOCK)?,
    })
}

fn incident_in(bytes: &Bytes) -> Result<IncidentId, WireError> {
    fixed("incident", bytes).map(IncidentId::from_bytes)
}

pub(super) fn collected_out(collected: &EvidenceCollected) -> proto::EvidenceCollected {
    proto::EvidenceCollected {
        incident: raw(collected.incident.as_bytes()),
        asset: collected.asset.to_string(),
        basis: raw(collected.basis.as_bytes()),
        custody: Some(custody_out(&collected.custody)),
        items: collected.items.iter().map(item_out).collect(),
    }
}

pub(super) fn collected_in(collected: proto::EvidenceCollected) -> Result<EvidenceCollected, WireError> {
    check_count("evidence_collected.items", collected.items.len(), 1, MAX_EVIDENCE_ITEMS)?;
    Ok(EvidenceCollected {
        incident: incident_in(&collected.incident)?,
        asset: name("evidence_collected.asset", &collected.asset)?,
        basis: EventHash::from_bytes(fixed("evidence_collected.basis", &collected.basis)?),
        custody: custody_in(collected.custody)?,
        items: collected.items.into_iter().map(item_in).collect::<Result<_, _>>()?,
    })
}

fn item_out(item: &EvidenceItem) -> proto::EvidenceItem {
    proto::EvidenceItem {
        kind: kind_out(item.kind).into(),
        block: Some(block_out(&item.block)),
        operator: item.operator.to_string(),
        method: item.method.clone(),
        params: item.params.clone(),
        request: raw(&item.request.0),
        object: raw(&item.object.0),
        size: item.size,
        at_ms: item.at.as_millis(),
        check: check_out(item.check).into(),
    }
}

fn item_in(item: proto::EvidenceItem) -> Result<EvidenceItem, WireError> {
    Ok(EvidenceItem {
        kind: kind_in("evidence_item.kind", item.kind)?,
        block: block_in("evidence_item.block", item.block)?,
        operator: name("evidence_item.operator", &item.operator)?,
        method: text("evidence_item.method", item.method, MAX_LABEL)?,
        params: text("evidence_item.params", item.params, MAX_PARAMS)?,
        request: hash("evidence_item.request", &item.request)?,
        object: hash("evidence_item.object", &item.object)?,
        size: item.size,
        at: Timestamp::from_millis(item.at_ms),
        check: check_in(item.check)?,
    })
}

fn kind_out(kind: EvidenceKind) -> proto::EvidenceKind {
    match kind {
        EvidenceKind::Block => proto::EvidenceKind::Block,
        EvidenceKind::Receipts => proto::EvidenceKind::Receipts,
        EvidenceKind::ReceiptProofs => proto::EvidenceKind::ReceiptProofs,
        EvidenceKind::Logs => proto::EvidenceKind::Logs,
        EvidenceKind::StateDiff => proto::EvidenceKind::StateDiff,
        EvidenceKind::StateProof => proto::EvidenceKind::StateProof,
    }
}

fn kind_in(field: &'static str, number: i32) -> Result<EvidenceKind, WireError> {
    match proto::EvidenceKind::try_from(number) {
        Ok(proto::EvidenceKind::Block) => Ok(EvidenceKind::Block),
        Ok(proto::EvidenceKind::Receipts) => Ok(EvidenceKind::Receipts),
        Ok(proto::EvidenceKind::ReceiptProofs) => Ok(EvidenceKind::ReceiptProofs),
        Ok(proto::EvidenceKind::Logs) => Ok(EvidenceKind::Logs),
        Ok(proto::EvidenceKind::StateDiff) => Ok(EvidenceKind::StateDiff),
        Ok(proto::EvidenceKind::StateProof) => Ok(EvidenceKind::StateProof),
        Ok(proto::EvidenceKind::Unspecified) | Err(_) => Err(out_of_enum(field, number)),
    }
}

fn check_out(check: EvidenceCheck) -> proto::EvidenceCheck {
    match check {
        EvidenceCheck::BlockHash => proto::EvidenceCheck::BlockHash,
        EvidenceCheck::ReceiptsRoot => proto::EvidenceCheck::ReceiptsRoot,
        EvidenceCheck::StateRoot => proto::EvidenceCheck::StateRoot,
        EvidenceCheck::TwoOperators => proto::EvidenceCheck::TwoOperators,
        EvidenceCheck::OneOperator => proto::EvidenceCheck::OneOperator,
        EvidenceCheck::Contradicts => proto::EvidenceCheck::Contradicts,
    }
}

fn check_in(number: i32) -> Result<EvidenceCheck, WireError> {
    match proto::EvidenceCheck::try_from(number) {
        Ok(proto::EvidenceCheck::BlockHash) => Ok(EvidenceCheck::BlockHash),
        Ok(proto::EvidenceCheck::ReceiptsRoot) => Ok(EvidenceCheck::ReceiptsRoot),
        Ok(proto::EvidenceCheck::StateRoot) => Ok(EvidenceCheck::StateRoot),
        Ok(proto::EvidenceCheck::TwoOperators) => Ok(EvidenceCheck::TwoOperators),
        Ok(proto::EvidenceCheck::OneOperator) => Ok(EvidenceCheck::OneOperator),
        Ok(proto::EvidenceCheck::Contradicts) => Ok(EvidenceCheck::Contradicts),
        Ok(proto::EvidenceCheck::Unspecified) | Err(_) => Err(out_of_enum("evidence_item.check", number)),
    }
}

pub(super) fn accessed_out(accessed: &EvidenceAccessed) -> proto::EvidenceAccessed {
    proto::EvidenceAccessed {
        incident: raw(accessed.incident.as_bytes()),
        action: action_out(accessed.action).into(),
        objects: accessed.objects.iter().map(|object| raw(&object.0)).collect(),
        by: Some(match &accessed.by {
            Custodian::Node(reason) => evidence_accessed::By::Node(reason.clone()),
            Custodian::Human(human) => evidence_accessed::By::Human(human_out(human)),
        }),
        from: accessed.from.map(|from| raw(from.as_bytes())).unwrap_or_default(),
        detail: accessed.detail.clone(),
        custody: Some(custody_out(&accessed.custody)),
    }
}

pub(super) fn accessed_in(accessed: proto::EvidenceAccessed) -> Result<EvidenceAccessed, WireError> {
    let field = "evidence_accessed.objects";
    check_count(field, accessed.objects.len(), 1, MAX_EVIDENCE_OBJECTS)?;
    let objects: Vec<B256> = accessed.objects.iter().map(|bytes| hash(field, bytes)).collect::<Result<_, _>>()?;
    check_ascending(field, &objects)?;
    let from = |bytes: &Bytes| fixed("evidence_accessed.from", bytes).map(MemberKey::from_bytes);
    Ok(EvidenceAccessed {
        incident: incident_in(&accessed.incident)?,
        action: action_in(accessed.action)?,
        objects,
        by: match present("evidence_accessed.by", accessed.by)? {
            evidence_accessed::By::Node(reason) => Custodian::Node(text("evidence_accessed.node", reason, MAX_LINE)?),
            evidence_accessed::By::Human(human) => Custodian::Human(human_in(Some(human))?),
        },
        from: (!accessed.from.is_empty()).then(|| from(&accessed.from)).transpose()?,
        detail: text("evidence_accessed.detail", accessed.detail, MAX_LINE)?,
        custody: custody_in(accessed.custody)?,
    })
}

fn action_out(action: AccessAction) -> proto::AccessAction {
    match action {
        AccessAction::Copied => proto::AccessAction::Copied,
        AccessAction::Read => proto::AccessAction::Read,
        AccessAction::Exported => proto::AccessAction::Exported,
        AccessAction::Disposed => proto::AccessAction::Disposed,
    }
}

fn action_in(number: i32) -> Result<AccessAction, WireError> {
    match proto::AccessAction::try_from(number) {
        Ok(proto::AccessAction::Copied) => Ok(AccessAction::Copied),
        Ok(proto::AccessAction::Read) => Ok(AccessAction::Read),
        Ok(proto::AccessAction::Exported) => Ok(AccessAction::Exported),
        Ok(proto::AccessAction::Disposed) => Ok(AccessAction::Disposed),
        Ok(proto::AccessAction::Unspecified) | Err(_) => Err(out_of_enum("evidence_accessed.action", number)),
    }
}

pub(super) fn missed_out(missed: &EvidenceMissed) -> proto::EvidenceMissed {
    proto::EvidenceMissed {
        incident: raw(missed.incident.as_bytes()),
        asset: missed.asset.to_string(),
        kind: kind_out(missed.kind).into(),
        block: Some(block_out(&missed.block)),
        operator: missed.operator.as_ref().map(ToString::to_string).unwrap_or_default(),
        object: missed.object.map(|object| raw(&object.0)).unwrap_or_default(),
        cause: cause_out(missed.cause).into(),
        attempts: missed.attempts,
        detail: missed.detail.clone(),
        custody: Some(custody_out(&missed.custody)),
    }
}

pub(super) fn missed_in(missed: proto::EvidenceMissed) -> Result<EvidenceMissed, WireError> {
    let operator = (!missed.operator.is_empty()).then(|| name("evidence_missed.operator", &missed.operator));
    let object = (!missed.object.is_empty()).then(|| hash("evidence_missed.object", &missed.object));
    Ok(EvidenceMissed {
        incident: incident_in(&missed.incident)?,
        asset: name("evidence_missed.asset", &missed.asset)?,
        kind: kind_in("evidence_missed.kind", missed.kind)?,
        block: block_in("evidence_missed.block", missed.block)?,
        operator: operator.transpose()?,
        object: object.transpose()?,
        cause: cause_in(missed.cause)?,
        attempts: missed.attempts,
        detail: text("evidence_missed.detail", missed.detail, MAX_LINE)?,
        custody: custody_in(missed.custody)?,
    })
}

fn cause_out(cause: MissCause) -> proto::MissCause {
    match cause {
        MissCause::Pruned => proto::MissCause::Pruned,
        MissCause::RateLimited => proto::MissCause::RateLimited,
        MissCause::Timeout => proto::MissCause::Timeout,
        MissCause::Unreachable => proto::MissCause::Unreachable,
        MissCause::Unsupported => proto::MissCause::Unsupported,
        MissCause::UnknownBlock => proto::MissCause::UnknownBlock,
        MissCause::Contradicts => proto::MissCause::Contradicts,
        MissCause::OperatorsDisagree => proto::MissCause::OperatorsDisagree,
        MissCause::TooFewOperators => proto::MissCause::TooFewOperators,
        MissCause::OverBound => proto::MissCause::OverBound,
        MissCause::Damaged => proto::MissCause::Damaged,
        MissCause::NotCopied => proto::MissCause::NotCopied,
        MissCause::Refused => proto::MissCause::Refused,
    }
}

fn cause_in(number: i32) -> Result<MissCause, WireError> {
    let unknown = out_of_enum("evidence_missed.cause", number);
    Ok(match proto::MissCause::try_from(number).map_err(|_| unknown.clone())? {
        proto::MissCause::Unspecified => return Err(unknown),
        proto::MissCause::Pruned => MissCause::Pruned,
        proto::MissCause::RateLimited => MissCause::RateLimited,
        proto::MissCause::Timeout => MissCause::Timeout,
        proto::MissCause::Unreachable => MissCause::Unreachable,
        proto::MissCause::Unsupported => MissCause::Unsupported,
        proto::MissCause::UnknownBlock => MissCause::UnknownBlock,
        proto::MissCause::Contradicts => MissCause::Contradicts,
        proto::MissCause::OperatorsDisagree => MissCause::OperatorsDisagree,
        proto::MissCause::TooFewOperators => MissCause::TooFewOperators,
        proto::MissCause::OverBound => MissCause::OverBound,
        proto::MissCause::Damaged => MissCause::Damaged,
        proto::MissCause::NotCopied => MissCause::NotCopied,
        proto::MissCause::Refused => MissCause::Refused,
    })
}
