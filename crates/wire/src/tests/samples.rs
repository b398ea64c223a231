//! One fixed sample of every body, signed by a fixed key.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use watchfire_types::body::{
    AccessAction, Attested, Authority, Basis, Body, Cause, Certificate, Change, ChangeCall, ChangeCounted,
    ChangeSupported, ChangeWithdrawn, Checkpoint, CheckpointFault, Classified, CloseVote, CoSignature, Custodian,
    Custody, Decision, EpochCheckpoint, EpochHead, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem,
    EvidenceKind, EvidenceMissed, Executed, FaultProof, Finding, Heartbeat, Human, HumanStatement, Inconsistency,
    MissCause, NotContained, Outcome, PostconditionChecked, PromotionSupported, Purpose, Retracted, Sealed,
    SealedAbout, SealedKey, Selector, Snoozed, Started, Submitted, Veto, Vote,
};
use watchfire_types::{
    BlockRef, BlockTime, ChainId, ChangeId, CharterDigest, CharterVersion, Epoch, Event, EventHash, IncidentId,
    MemberKey, NetworkId, Operation, SafeTransaction, Seq, Severity, StepIndex, Timestamp, Unverified,
};

use crate::{SignedHeartbeat, seal};

pub(super) const NETWORK: NetworkId = NetworkId::from_bytes([0x11; 32]);

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(super) fn author(seed: u8) -> MemberKey {
    MemberKey::from_bytes(key(seed).verifying_key().to_bytes())
}

pub(super) fn block(number: u64) -> BlockRef {
    BlockRef {
        chain: ChainId::new(31_337),
        number,
        hash: B256::repeat_byte(0xb0),
        time: BlockTime::from_secs(1_700_000_000 + number),
    }
}

pub(super) fn event(seed: u8, seq: u64, body: Body) -> Event {
    Event {
        network: NETWORK,
        author: author(seed),
        epoch: Epoch::from_bytes([0xe0; 16]),
        seq: Seq::new(seq),
        prev: EventHash::from_bytes([if seq == 0 { 0 } else { 0xaa }; 32]),
        time: Timestamp::from_millis(1_700_000_000_123),
        body,
    }
}

pub(super) fn sealed(seed: u8, seq: u64, body: Body) -> Unverified {
    seal(&event(seed, seq, body), |input| key(seed).sign(input).to_bytes()).unwrap()
}

pub(super) fn decision() -> Decision {
    Decision {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        playbook: "contain-vault".parse().unwrap(),
    }
}

pub(super) fn human() -> Human {
    Human { person: "duty-1".into(), role: "security lead".into(), reason: "outflow is real".into() }
}

pub(super) fn vote() -> Vote {
    Vote {
        decision: decision(),
        step: StepIndex::new(2),
        basis: Basis::Finding(EventHash::from_bytes([0xf1; 32])),
        operator: "op-alder".parse().unwrap(),
        evidence: block(101),
    }
}

fn veto() -> Veto {
    Veto { decision: decision(), head: block(103), act: block(102), human: human() }
}

fn finding() -> Finding {
    Finding {
        asset: "vault-core".parse().unwrap(),
        detector: "vault-outflow".parse().unwrap(),
        kind: "outflow".into(),
        severity: Severity::Sev1,
        first: block(100),
        block: block(101),
        explanation: "30 ETH left within 60 s, limit 25 ETH".into(),
        figures: BTreeMap::from([("limit".into(), "25".into()), ("outflow".into(), "30".into())]),
    }
}

fn transaction() -> SafeTransaction {
    SafeTransaction {
        to: Address::repeat_byte(0x01),
        value: U256::ZERO,
        data: Bytes::from_static(&[0x84, 0x56, 0xcb, 0x59]),
        operation: Operation::Call,
        safe_tx_gas: U256::ZERO,
        base_gas: U256::ZERO,
        gas_price: U256::ZERO,
        gas_token: Address::ZERO,
        refund_receiver: Address::ZERO,
        nonce: U256::from(7),
    }
}

pub(super) fn co_signature(authority: Authority) -> CoSignature {
    CoSignature {
        version: CharterVersion::new(1),
        authority,
        chain: ChainId::new(31_337),
        safe: Address::repeat_byte(0x5a),
        transaction: transaction(),
        omitted: BTreeSet::from([1, 3]),
        agreed: block(102),
        signature: [0x1b; 65],
    }
}

fn digest() -> B256 {
    B256::repeat_byte(0xce)
}

pub(super) fn certificate(purpose: Purpose, bodies: &[Body]) -> Body {
    let votes = bodies.iter().zip(1..).map(|(body, seed)| sealed(seed, 4, body.clone())).collect();
    Body::Certificate(Certificate { decision: decision(), purpose, votes })
}

fn close_vote() -> CloseVote {
    CloseVote { decision: decision(), closed_at: block(900), outcome: None, human: human() }
}

pub(super) fn attested() -> Attested {
    Attested {
        asset: "vault-core".parse().unwrap(),
        can_pause: true,
        detail: "simulated ok at block 99".into(),
        head: block(99),
        scanned_from: 0,
    }
}

pub(super) fn heartbeat() -> Heartbeat {
    Heartbeat {
        member: "alder-1".parse().unwrap(),
        epoch: Epoch::from_bytes([0xe0; 16]),
        seq: Seq::new(12),
        time_ms: 1_700_000_000_456,
        state_digest: B256::repeat_byte(0xdd),
        heads: vec![block(103)],
        pausable: vec![attested()],
        alarms: vec!["endpoint op-birch is silent".into()],
        submitter_balance: vec![(ChainId::new(31_337), 5_000_000_000_000_000_000)],
    }
}

pub(super) fn signed_heartbeat() -> SignedHeartbeat {
    SignedHeartbeat::seal(author(1), NETWORK, &heartbeat(), |input| key(1).sign(input).to_bytes()).unwrap()
}

/// Every kind of body, and every variant inside one, by a name that the golden file uses.
pub(super) fn bodies() -> Vec<(&'static str, Body)> {
    let statement = || HumanStatement { incident: IncidentId::from_bytes([0x1d; 32]), human: human() };
    let human_vote = Vote { basis: Basis::Human(human()), ..vote() };
    let vote = || Body::Vote(vote());
    let fault = |first, second| FaultProof { first: Box::new(first), second: Box::new(second) };
    vec![
        ("started", Body::Started(started())),
        ("finding", Body::Finding(finding())),
        ("vote", vote()),
        ("vote-human", Body::Vote(human_vote)),
        ("veto", Body::Veto(veto())),
        ("certificate", certificate(Purpose::Step(StepIndex::new(2)), &[vote(), vote()])),
        ("certificate-cancel", certificate(Purpose::Cancel, &[Body::Veto(veto())])),
        ("certificate-close", certificate(Purpose::Close(block(900).time), &[Body::CloseVote(close_vote())])),
        ("co-signature", Body::CoSignature(co_signature(step_authority()))),
        ("co-signature-cancelled", Body::CoSignature(co_signature(cancelled()))),
        ("co-signature-before-recovery", Body::CoSignature(co_signature(before_recovery()))),
        ("co-signature-foreign-recovery", Body::CoSignature(co_signature(foreign_recovery()))),
        ("submitted", Body::Submitted(submitted())),
        ("executed", Body::Executed(executed())),
        ("postcondition-checked", Body::PostconditionChecked(postcondition())),
        ("retracted", Body::Retracted(Retracted { event: EventHash::from_bytes([0xf1; 32]), orphaned: block(101) })),
        ("classified", Body::Classified(classified())),
        ("acknowledged", Body::Acknowledged(statement())),
        ("rejected", Body::Rejected(statement())),
        ("note", Body::Note(statement())),
        ("close-vote", Body::CloseVote(close_vote())),
        ("close-vote-false", Body::CloseVote(CloseVote { outcome: Some(Outcome::False), ..close_vote() })),
        ("not-contained", Body::NotContained(not_contained())),
        ("attested", Body::Attested(attested())),
        ("attested-scanned", Body::Attested(Attested { scanned_from: 40, ..attested() })),
        ("fault-proof", Body::FaultProof(fault(sealed(9, 5, vote()), sealed(9, 5, Body::Attested(attested()))))),
        ("checkpoint", Body::Checkpoint(checkpoint(7))),
        ("checkpoint-fault", Body::CheckpointFault(checkpoint_fault(None))),
        ("checkpoint-fault-against", Body::CheckpointFault(checkpoint_fault(Some(inconsistency())))),
        ("evidence-collected", Body::EvidenceCollected(evidence_collected())),
        ("evidence-accessed", Body::EvidenceAccessed(evidence_accessed())),
        ("evidence-accessed-copy", Body::EvidenceAccessed(evidence_copied())),
        ("evidence-missed", Body::EvidenceMissed(evidence_missed())),
        ("sealed-note", Body::Sealed(sealed_body(SealedAbout::Incident(IncidentId::from_bytes([0x1d; 32]))))),
        ("sealed-vulnerability", Body::Sealed(sealed_body(SealedAbout::Vulnerability("vault-core".parse().unwrap())))),
        ("started-after-checkpoints", Body::Started(started_after_checkpoints())),
        ("change-supported", Body::ChangeSupported(change_supported(ChangeCall::Data(B256::repeat_byte(0xca))))),
        (
            "change-supported-selector",
            Body::ChangeSupported(change_supported(ChangeCall::Selector(Selector([0x84, 0x56, 0xcb, 0x59])))),
        ),
        ("change-withdrawn", Body::ChangeWithdrawn(ChangeWithdrawn { change: change_id(), human: human() })),
        ("promotion-supported", Body::PromotionSupported(promotion_supported())),
        ("snoozed", Body::Snoozed(snoozed())),
        ("change-counted", Body::ChangeCounted(ChangeCounted { change: change_id(), counts: true, head: block(120) })),
        ("unknown", Body::Unknown(4_000, Bytes::from_static(b"from a later version"))),
    ]
}

fn started() -> Started {
    let head = |byte| EpochHead {
        epoch: Epoch::from_bytes([byte; 16]),
        seq: Seq::new(byte.into()),
        hash: EventHash::from_bytes([byte; 32]),
        checkpoint: None,
    };
    Started {
        earlier: vec![head(1), head(2)],
        charter_version: CharterVersion::new(1),
        charter_digest: CharterDigest::from_bytes([0xcd; 32]),
        software: "watchfire/0.1.0".into(),
    }
}

/// Of an author that made checkpoints in its earlier epochs.
fn started_after_checkpoints() -> Started {
    let mut started = started();
    started.earlier[1].checkpoint = Some(EpochCheckpoint { size: 2, root: B256::repeat_byte(0x2c) });
    started
}

pub(super) fn step_authority() -> Authority {
    Authority::Step { decision: decision(), step: StepIndex::new(2), certificate: digest() }
}

fn cancelled() -> Authority {
    Authority::RejectionCancelled { decision: decision(), certificate: digest() }
}

fn before_recovery() -> Authority {
    Authority::RejectionBeforeRecovery { decision: decision(), certificate: digest() }
}

fn foreign_recovery() -> Authority {
    Authority::RejectionAfterForeignRecovery { asset: "vault-core".parse().unwrap(), recovered: block(900) }
}

fn submitted() -> Submitted {
    Submitted {
        chain: ChainId::new(31_337),
        safe: Address::repeat_byte(0x5a),
        safe_transaction: B256::repeat_byte(0x77),
        transaction: B256::repeat_byte(0x78),
        submitter: Address::repeat_byte(0x50),
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 2_000_000_000,
        attempt: 0,
    }
}

fn executed() -> Executed {
    Executed {
        block: block(104),
        safe: Address::repeat_byte(0x5a),
        safe_transaction: B256::repeat_byte(0x77),
        transaction: B256::repeat_byte(0x78),
    }
}

fn postcondition() -> PostconditionChecked {
    PostconditionChecked {
        asset: "vault-core".parse().unwrap(),
        playbook: "contain-vault".parse().unwrap(),
        step: StepIndex::new(2),
        holds: true,
        block: block(104),
    }
}

fn classified() -> Classified {
    Classified { incident: IncidentId::from_bytes([0x1d; 32]), severity: Severity::Sev2, human: human() }
}

fn not_contained() -> NotContained {
    NotContained {
        decision: decision(),
        step: StepIndex::new(2),
        cause: Cause::GuardBlocks,
        detail: "guard 0x..01 reverts".into(),
        head: block(110),
    }
}

pub(super) fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { member: "alder-1".parse().unwrap(), size, root: B256::repeat_byte(0x66), signature: [0x51; 64] }
}

fn checkpoint_fault(against: Option<Inconsistency>) -> CheckpointFault {
    CheckpointFault { author: author(9), epoch: Epoch::from_bytes([0xe0; 16]), checkpoint: checkpoint(7), against }
}

fn inconsistency() -> Inconsistency {
    let node = B256::repeat_byte;
    Inconsistency { checkpoint: checkpoint(9), prefix_root: node(0x67), path: vec![node(1), node(2)] }
}

fn custody() -> Custody {
    Custody { tool: "watchfire/0.1.0".into(), clock: "system clock, UTC".into() }
}

fn evidence_collected() -> EvidenceCollected {
    let item = |kind, object, check| EvidenceItem {
        kind,
        block: block(101),
        operator: "op-alder".parse().unwrap(),
        method: "eth_getBlockByHash".into(),
        params: "[\"0xb0\",true]".into(),
        request: B256::repeat_byte(0x41),
        object: B256::repeat_byte(object),
        size: 1_234,
        at: Timestamp::from_millis(1_700_000_000_999),
        check,
    };
    EvidenceCollected {
        incident: IncidentId::from_bytes([0x1d; 32]),
        asset: "vault-core".parse().unwrap(),
        basis: EventHash::from_bytes([0xf1; 32]),
        custody: custody(),
        items: vec![
            item(EvidenceKind::Block, 0x01, EvidenceCheck::BlockHash),
            item(EvidenceKind::StateDiff, 0x02, EvidenceCheck::TwoOperators),
        ],
    }
}

fn evidence_accessed() -> EvidenceAccessed {
    EvidenceAccessed {
        incident: IncidentId::from_bytes([0x1d; 32]),
        action: AccessAction::Exported,
        objects: vec![B256::repeat_byte(0x01), B256::repeat_byte(0x02)],
        by: Custodian::Human(human()),
        from: None,
        detail: "bundle for counsel".into(),
        custody: custody(),
    }
}

fn evidence_copied() -> EvidenceAccessed {
    EvidenceAccessed {
        action: AccessAction::Copied,
        by: Custodian::Node("second copy, as the charter's members share them out".into()),
        from: Some(author(2)),
        detail: String::new(),
        ..evidence_accessed()
    }
}

fn evidence_missed() -> EvidenceMissed {
    EvidenceMissed {
        incident: IncidentId::from_bytes([0x1d; 32]),
        asset: "vault-core".parse().unwrap(),
        kind: EvidenceKind::StateProof,
        block: block(100),
        operator: Some("op-birch".parse().unwrap()),
        object: None,
        cause: MissCause::Pruned,
        attempts: 4,
        detail: "missing trie node".into(),
        custody: custody(),
    }
}

pub(super) fn sealed_body(about: SealedAbout) -> Sealed {
    let key = |member: &str, byte| SealedKey {
        member: member.parse().unwrap(),
        encapsulated: B256::repeat_byte(byte),
        wrapped: vec![byte; 48].into(),
    };
    Sealed {
        about,
        human: human(),
        commitment: B256::repeat_byte(0x5e),
        keys: vec![key("alder-1", 1), key("birch-1", 2)],
        ciphertext: vec![0xc1; 64].into(),
    }
}

pub(super) fn promotion_supported() -> PromotionSupported {
    PromotionSupported {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        detector: "vault-outflow".parse().unwrap(),
        through: block(100).time,
        operator: "op-alder".parse().unwrap(),
        head: block(119),
        human: human(),
    }
}

pub(super) fn snoozed() -> Snoozed {
    Snoozed {
        asset: "vault-core".parse().unwrap(),
        detector: Some("vault-rate".parse().unwrap()),
        head: block(119),
        until: block(119).time.plus_secs(3_600),
        human: human(),
    }
}

fn change_id() -> ChangeId {
    ChangeId::from_bytes([0xc4; 32])
}

pub(super) fn change_supported(call: ChangeCall) -> ChangeSupported {
    let change = Change {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        chain: ChainId::new(31_337),
        target: Address::repeat_byte(0x7a),
        call,
        opens: BlockTime::from_secs(1_700_010_000),
        closes: BlockTime::from_secs(1_700_013_600),
        edition: 1,
    };
    ChangeSupported { change, operator: "op-alder".parse().unwrap(), head: block(119), human: human() }
}
