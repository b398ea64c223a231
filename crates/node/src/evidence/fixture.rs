//! Five members' signed events, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer as _, SigningKey};
use watchfire_charter::Charter;
use watchfire_types::body::{
    AccessAction, Body, Custodian, Custody, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem,
    EvidenceKind, Finding,
};
use watchfire_types::{
    B256, BlockRef, BlockTime, ChainId, Epoch, Event, EventHash, IncidentId, MemberKey, NetworkId, Seq, Severity,
    Timestamp, Verified,
};

const NETWORK: NetworkId = NetworkId::from_bytes([9; 32]);

/// Member 1 to 5 of [`charter`].
pub(crate) fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes(SigningKey::from_bytes(&[member; 32]).verifying_key().to_bytes())
}

pub(crate) fn charter() -> Charter {
    watchfire_charter::parse(&crate::run::fixture::charter_text(None)).unwrap().0
}

pub(crate) fn said(member: u8, body: Body) -> Verified<Event> {
    let event = Event {
        network: NETWORK,
        author: key(member),
        epoch: Epoch::from_bytes([member; 16]),
        seq: Seq::new(1),
        prev: EventHash::from_bytes([1; 32]),
        time: Timestamp::from_millis(1_800_000_000_000),
        body,
    };
    let sign = |bytes: &[u8]| SigningKey::from_bytes(&[member; 32]).sign(bytes).to_bytes();
    watchfire_wire::seal(&event, sign).unwrap().verify(NETWORK).unwrap()
}

pub(crate) fn incident(number: u8) -> IncidentId {
    IncidentId::from_bytes([number; 32])
}

pub(crate) fn block(number: u64) -> BlockRef {
    let time = BlockTime::from_secs(1_800_000_000 + number);
    BlockRef { chain: ChainId::new(31_337), number, hash: B256::left_padding_from(&number.to_be_bytes()), time }
}

pub(crate) fn custody() -> Custody {
    Custody { tool: super::TOOL.to_owned(), clock: "a test's".to_owned() }
}

pub(crate) fn finding(member: u8, first: u64, at: u64) -> Verified<Event> {
    said(
        member,
        Body::Finding(Finding {
            asset: "vault-core".parse().unwrap(),
            detector: format!("detector-{first}").parse().unwrap(),
            kind: "outflow".to_owned(),
            severity: Severity::Sev1,
            first: block(first),
            block: block(at),
            explanation: "it drains".to_owned(),
            figures: Default::default(),
        }),
    )
}

/// A manifest of objects of so many bytes each.
pub(crate) fn collected(member: u8, of: IncidentId, objects: &[B256], size: u64) -> Verified<Event> {
    let item = |object: &B256| EvidenceItem {
        kind: EvidenceKind::Receipts,
        block: block(100),
        operator: "op-alder".parse().unwrap(),
        method: "eth_getBlockReceipts".to_owned(),
        params: "[]".to_owned(),
        request: B256::repeat_byte(3),
        object: *object,
        size,
        at: Timestamp::from_millis(1_800_000_000_000),
        check: EvidenceCheck::ReceiptsRoot,
    };
    said(
        member,
        Body::EvidenceCollected(EvidenceCollected {
            incident: of,
            asset: "vault-core".parse().unwrap(),
            basis: EventHash::from_bytes([2; 32]),
            custody: custody(),
            items: objects.iter().map(item).collect(),
        }),
    )
}

pub(crate) fn accessed(member: u8, of: IncidentId, action: AccessAction, object: B256) -> Verified<Event> {
    said(
        member,
        Body::EvidenceAccessed(EvidenceAccessed {
            incident: of,
            action,
            objects: vec![object],
            by: Custodian::Node("a test".to_owned()),
            from: None,
            detail: String::new(),
            custody: custody(),
        }),
    )
}

/// That a member of this name had an object of another one's store.
pub(crate) fn fetched(member: u8, of: IncidentId, by: &str, object: B256) -> Verified<Event> {
    said(
        member,
        Body::EvidenceAccessed(EvidenceAccessed {
            incident: of,
            action: AccessAction::Read,
            objects: vec![object],
            by: Custodian::Node(super::FETCHED.to_owned()),
            from: None,
            detail: by.to_owned(),
            custody: custody(),
        }),
    )
}
