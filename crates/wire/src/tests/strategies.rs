//! Arbitrary events within the bounds of the format.

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use watchfire_types::body::{
    Attested, Authority, Basis, Body, Cause, Classified, CloseVote, CoSignature, Decision, EpochCheckpoint, EpochHead,
    Executed, FaultProof, Finding, Human, HumanStatement, NotContained, Outcome, PostconditionChecked, Purpose,
    Retracted, Started, Submitted, Veto, Vote,
};
use watchfire_types::{
    BlockRef, BlockTime, ChainId, CharterDigest, CharterVersion, Epoch, Event, EventHash, IncidentId, MemberKey,
    NetworkId, Operation, SafeTransaction, Seq, Severity, StepIndex, Timestamp,
};

use super::samples::{certificate, sealed};

pub(super) fn name<T: std::str::FromStr + std::fmt::Debug>() -> impl Strategy<Value = T>
where
    T::Err: std::fmt::Debug,
{
    "[a-z0-9][a-z0-9._-]{0,63}".prop_map(|text| text.parse().unwrap())
}

pub(super) fn block() -> impl Strategy<Value = BlockRef> {
    (any::<u64>(), any::<u64>(), any::<[u8; 32]>(), any::<u64>()).prop_map(|(chain, number, hash, time)| BlockRef {
        chain: ChainId::new(chain),
        number,
        hash: B256::new(hash),
        time: BlockTime::from_secs(time),
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    (any::<u32>(), name(), name()).prop_map(|(version, asset, playbook)| Decision {
        version: CharterVersion::new(version),
        asset,
        playbook,
    })
}

pub(super) fn human() -> impl Strategy<Value = Human> {
    ("\\PC{0,16}", "\\PC{0,16}", "\\PC{0,256}").prop_map(|(person, role, reason)| Human { person, role, reason })
}

fn severity() -> impl Strategy<Value = Severity> {
    use Severity::{Sev1, Sev2, Sev3, Sev4, Sev5};
    prop::sample::select(vec![Sev1, Sev2, Sev3, Sev4, Sev5])
}

fn step() -> impl Strategy<Value = StepIndex> {
    (1..=u8::MAX).prop_map(StepIndex::new)
}

fn event_hash() -> impl Strategy<Value = EventHash> {
    any::<[u8; 32]>().prop_map(EventHash::from_bytes)
}

fn word() -> impl Strategy<Value = U256> {
    any::<[u8; 32]>().prop_map(U256::from_be_bytes)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::new)
}

pub(super) fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn started() -> impl Strategy<Value = Started> {
    let checkpoint = proptest::option::of((1_u64.., hash()).prop_map(|(size, root)| EpochCheckpoint { size, root }));
    let heads = btree_map(any::<[u8; 16]>(), (any::<u64>(), event_hash(), checkpoint), 0..64);
    (heads, any::<u32>(), any::<[u8; 32]>(), "\\PC{0,16}").prop_map(|(heads, version, digest, software)| Started {
        earlier: heads
            .into_iter()
            .map(|(epoch, (seq, hash, checkpoint))| EpochHead {
                epoch: Epoch::from_bytes(epoch),
                seq: Seq::new(seq),
                hash,
                checkpoint,
            })
            .collect(),
        charter_version: CharterVersion::new(version),
        charter_digest: CharterDigest::from_bytes(digest),
        software,
    })
}

fn finding() -> impl Strategy<Value = Finding> {
    let figures = btree_map("[a-z]{1,16}", "[0-9]{0,32}", 0..32);
    (name(), name(), "[a-z-]{0,64}", severity(), block(), block(), "\\PC{0,128}", figures).prop_map(
        |(asset, detector, kind, severity, first, block, explanation, figures)| Finding {
            asset,
            detector,
            kind,
            severity,
            first,
            block,
            explanation,
            figures,
        },
    )
}

fn vote() -> impl Strategy<Value = Vote> {
    let basis = prop_oneof![event_hash().prop_map(Basis::Finding), human().prop_map(Basis::Human)];
    (decision(), step(), basis, name(), block()).prop_map(|(decision, step, basis, operator, evidence)| Vote {
        decision,
        step,
        basis,
        operator,
        evidence,
    })
}

fn veto() -> impl Strategy<Value = Veto> {
    (decision(), block(), block(), human()).prop_map(|(decision, head, act, human)| Veto { decision, head, act, human })
}

fn close_vote() -> impl Strategy<Value = CloseVote> {
    let outcome = prop::option::of(prop::sample::select(vec![Outcome::Confirmed, Outcome::False]));
    (decision(), block(), outcome, human()).prop_map(|(decision, closed_at, outcome, human)| CloseVote {
        decision,
        closed_at,
        outcome,
        human,
    })
}

fn transaction() -> impl Strategy<Value = SafeTransaction> {
    let operation = prop::sample::select(vec![Operation::Call, Operation::DelegateCall]);
    let gas = (word(), word(), word());
    let (data, refund) = (vec(any::<u8>(), 0..512), (address(), address()));
    (address(), word(), data, operation, gas, refund, word()).prop_map(
        |(to, value, data, operation, (safe_tx_gas, base_gas, gas_price), (gas_token, refund_receiver), nonce)| {
            SafeTransaction {
                to,
                value,
                data: Bytes::from(data),
                operation,
                safe_tx_gas,
                base_gas,
                gas_price,
                gas_token,
                refund_receiver,
                nonce,
            }
        },
    )
}

fn authority() -> impl Strategy<Value = Authority> {
    prop_oneof![
        (decision(), step(), hash()).prop_map(|(decision, step, certificate)| Authority::Step {
            decision,
            step,
            certificate
        }),
        (decision(), hash())
            .prop_map(|(decision, certificate)| Authority::RejectionCancelled { decision, certificate }),
        (decision(), hash())
            .prop_map(|(decision, certificate)| Authority::RejectionBeforeRecovery { decision, certificate }),
        (name(), block()).prop_map(|(asset, recovered)| Authority::RejectionAfterForeignRecovery { asset, recovered }),
    ]
}

fn co_signature() -> impl Strategy<Value = CoSignature> {
    let signature = vec(any::<u8>(), 65).prop_map(|bytes| <[u8; 65]>::try_from(bytes).unwrap());
    let omitted = btree_set(any::<u16>(), 0..256);
    (any::<u32>(), authority(), any::<u64>(), address(), transaction(), omitted, block(), signature).prop_map(
        |(version, authority, chain, safe, transaction, omitted, agreed, signature)| CoSignature {
            version: CharterVersion::new(version),
            authority,
            chain: ChainId::new(chain),
            safe,
            transaction,
            omitted,
            agreed,
            signature,
        },
    )
}

fn submitted() -> impl Strategy<Value = Submitted> {
    (any::<u64>(), address(), hash(), hash(), address(), any::<u128>(), any::<u128>(), any::<u32>()).prop_map(
        |(chain, safe, safe_transaction, transaction, submitter, fee, tip, attempt)| Submitted {
            chain: ChainId::new(chain),
            safe,
            safe_transaction,
            transaction,
            submitter,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
            attempt,
        },
    )
}

fn statement() -> impl Strategy<Value = HumanStatement> {
    (any::<[u8; 32]>(), human())
        .prop_map(|(incident, human)| HumanStatement { incident: IncidentId::from_bytes(incident), human })
}

fn cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(vec![
        Cause::NoFinding,
        Cause::QuorumNotReached,
        Cause::AwaitingHumans,
        Cause::Cancelled,
        Cause::Expired,
        Cause::GuardBlocks,
        Cause::PreflightRefuted,
        Cause::ThresholdNotReached,
        Cause::NotIncluded,
        Cause::SubmitterUnfunded,
        Cause::NonceTaken,
        Cause::Delayed,
        Cause::ChainUnavailable,
        Cause::PostconditionFailed,
    ])
}

fn observations() -> impl Strategy<Value = Body> {
    prop_oneof![
        (block(), address(), hash(), hash()).prop_map(|(block, safe, safe_transaction, transaction)| {
            Body::Executed(Executed { block, safe, safe_transaction, transaction })
        }),
        (name(), name(), step(), any::<bool>(), block()).prop_map(|(asset, playbook, step, holds, block)| {
            Body::PostconditionChecked(PostconditionChecked { asset, playbook, step, holds, block })
        }),
        (event_hash(), block()).prop_map(|(event, orphaned)| Body::Retracted(Retracted { event, orphaned })),
        (decision(), step(), cause(), "\\PC{0,128}", block()).prop_map(|(decision, step, cause, detail, head)| {
            Body::NotContained(NotContained { decision, step, cause, detail, head })
        }),
        (name(), any::<bool>(), "\\PC{0,128}", block(), any::<u64>()).prop_map(
            |(asset, can_pause, detail, head, scanned_from)| {
                Body::Attested(Attested { asset, can_pause, detail, head, scanned_from })
            }
        ),
        (any::<[u8; 32]>(), severity(), human()).prop_map(|(incident, severity, human)| {
            Body::Classified(Classified { incident: IncidentId::from_bytes(incident), severity, human })
        }),
    ]
}

fn support() -> impl Strategy<Value = Body> {
    prop_oneof![vote().prop_map(Body::Vote), veto().prop_map(Body::Veto), close_vote().prop_map(Body::CloseVote)]
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![
        step().prop_map(Purpose::Step),
        Just(Purpose::Cancel),
        any::<u64>().prop_map(|secs| Purpose::Close(BlockTime::from_secs(secs))),
    ]
}

/// Any body, certificates and fault proofs included.
pub(super) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        started().prop_map(Body::Started),
        finding().prop_map(Body::Finding),
        support(),
        (purpose(), vec(support(), 1..6)).prop_map(|(purpose, bodies)| certificate(purpose, &bodies)),
        co_signature().prop_map(Body::CoSignature),
        submitted().prop_map(Body::Submitted),
        observations(),
        super::evidence::body(),
        super::sealed::body(),
        super::change::body(),
        super::promotion::body(),
        super::snooze::body(),
        super::fault::body(),
        statement().prop_map(Body::Acknowledged),
        statement().prop_map(Body::Rejected),
        statement().prop_map(Body::Note),
        (support(), support()).prop_map(|(first, second)| {
            Body::FaultProof(FaultProof {
                first: Box::new(sealed(9, 5, first)),
                second: Box::new(sealed(9, 5, second)),
            })
        }),
        (200_u32..1 << 29, vec(any::<u8>(), 0..64)).prop_map(|(number, bytes)| Body::Unknown(number, bytes.into())),
    ]
}

/// Any event.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let keys = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 16]>());
    (keys, any::<u64>(), any::<[u8; 32]>(), any::<u64>(), body()).prop_map(
        |((network, author, epoch), seq, prev, time, body)| Event {
            network: NetworkId::from_bytes(network),
            author: MemberKey::from_bytes(author),
            epoch: Epoch::from_bytes(epoch),
            seq: Seq::new(seq),
            prev: EventHash::from_bytes(prev),
            time: Timestamp::from_millis(time),
            body,
        },
    )
}
