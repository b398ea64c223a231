//! Cheap checks of facts about the own log and the charter, made before the own keys are used. They are independent of the protocol's
//! reasoning about what is owed. Others' data can never trip them: what they look at is what this process authored, what its log holds, and what
//! is signed with the own key.

use std::collections::BTreeMap;

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_protocol::{CoSignDraft, SignatureFault, content_digest, transaction_of};
use watchfire_types::body::{Authority, Body, Decision, Purpose};
use watchfire_types::{B256, Event, MemberKey, NetworkId, Operation, Seq, U256, Verified, VerifyError};

use crate::index::Index;

/// A fact about the own log that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    /// A co-signature was wanted under a certificate that the own log does not hold for that decision and step.
    #[error("the log holds no certificate {digest} for what was to be signed")]
    CertificateNotHeld {
        /// Content digest named.
        digest: B256,
    },
    /// The transaction's hash is not the one that the rules computed.
    #[error("safe transaction hashes to {computed} and not to {stated}")]
    HashDiffers {
        /// Stated by the draft.
        stated: B256,
        /// Computed here.
        computed: B256,
    },
    /// Value, refund fields, gas, or a delegate call to anything but the pinned MultiSendCallOnly.
    #[error("safe transaction {safe_tx_hash} is of a kind that is never signed")]
    NeverSigned {
        /// Its hash.
        safe_tx_hash: B256,
    },
    /// It is not what its authority makes of the charter: another call, another target, or another step's.
    #[error("safe transaction {safe_tx_hash} is not the charter's: {cause}")]
    NotTheCharters {
        /// Its hash.
        safe_tx_hash: B256,
        /// Why.
        cause: SignatureFault,
    },
    /// Another event stands at the next own position of this process's epoch.
    #[error("the log already holds an event at own position {seq}")]
    PositionTaken {
        /// Position.
        seq: Seq,
    },
    /// Another process signed an event of this process's epoch with this node's key: it goes on from a copy of this one's memory, or the key is
    /// out. Whatever this one said next there could be the other half of a fork.
    #[error("another process signs in the running epoch of this one")]
    EpochClaimed,
    /// The next own checkpoint is not of the own events: it would not extend the last one (S8).
    #[error("a checkpoint over {size} own events would not be of what this process authored")]
    CheckpointDiffers {
        /// Leaves it would have.
        size: u64,
    },
    /// The node key does not make signatures of checkpoints that verify under the charter's key.
    #[error("own signature of a checkpoint does not verify")]
    OwnStatement,
    /// The node key does not make signatures that verify under the charter's key.
    #[error("own signature does not verify: {cause}")]
    OwnSignature {
        /// Why.
        cause: VerifyError,
    },
}

/// What the checks need to remember: the certificates that the log holds.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    certificates: BTreeMap<B256, (Decision, Purpose)>,
}

impl Guard {
    /// Looks at every event that the log holds.
    pub(crate) fn saw(&mut self, event: &Verified<Event>) {
        if let Body::Certificate(certificate) = &event.body {
            let digest = content_digest(certificate, event.network);
            let what = (certificate.decision.clone(), certificate.purpose.clone());
            self.certificates.insert(digest, what);
        }
    }

    /// Whether the next own event may stand where it would.
    pub(crate) fn position(event: &Event, index: &Index) -> Result<(), Violation> {
        let taken = index.chain(&(event.author, event.epoch)).is_some_and(|chain| chain.contains_key(&event.seq));
        if taken { Err(Violation::PositionTaken { seq: event.seq }) } else { Ok(()) }
    }

    /// Whether a transaction may be handed to the guardian key (S2, S3).
    pub(crate) fn co_signature(&self, draft: &CoSignDraft, charter: &Charter) -> Result<(), Violation> {
        let transaction = &draft.transaction;
        let computed = transaction.hashes(draft.safe_version, draft.chain.get(), draft.safe).safe_tx_hash;
        if computed != draft.safe_tx_hash {
            return Err(Violation::HashDiffers { stated: draft.safe_tx_hash, computed });
        }
        let pinned = charter.chains.get(&draft.chain).and_then(|chain| chain.multi_send_call_only);
        let plain = [transaction.value, transaction.safe_tx_gas, transaction.base_gas, transaction.gas_price];
        let inert =
            plain == [U256::ZERO; 4] && transaction.gas_token.is_zero() && transaction.refund_receiver.is_zero();
        let target = match transaction.operation {
            Operation::DelegateCall => pinned.is_some_and(|pinned| pinned.address == transaction.to),
            Operation::Call => transaction.to != draft.safe || transaction.data.is_empty(),
        };
        if !inert || !target {
            return Err(Violation::NeverSigned { safe_tx_hash: computed });
        }
        let foreign = |cause| Violation::NotTheCharters { safe_tx_hash: computed, cause };
        let (of, omitted) = ((draft.chain, draft.safe), &draft.omitted);
        let made = transaction_of(charter, of, &draft.authority, omitted, transaction.nonce).map_err(foreign)?;
        if made != *transaction {
            return Err(foreign(SignatureFault::Foreign("its authority makes another transaction")));
        }
        self.authority(&draft.authority)
    }

    fn authority(&self, authority: &Authority) -> Result<(), Violation> {
        let (digest, holds) = match authority {
            Authority::Step { decision, step, certificate } => {
                let covers = |purpose: &Purpose| matches!(purpose, Purpose::Step(certified) if certified >= step);
                (certificate, self.holds(certificate, decision, covers))
            }
            Authority::RejectionCancelled { decision, certificate } => {
                (certificate, self.holds(certificate, decision, |purpose| *purpose == Purpose::Cancel))
            }
            Authority::RejectionBeforeRecovery { decision, certificate } => {
                (certificate, self.holds(certificate, decision, |purpose| matches!(purpose, Purpose::Step(_))))
            }
            // Case 3 rests on the own view alone and names no certificate.
            Authority::RejectionAfterForeignRecovery { .. } => return Ok(()),
        };
        if holds { Ok(()) } else { Err(Violation::CertificateNotHeld { digest: *digest }) }
    }

    fn holds(&self, digest: &B256, decision: &Decision, purpose: impl Fn(&Purpose) -> bool) -> bool {
        self.certificates.get(digest).is_some_and(|(of, what)| of == decision && purpose(what))
    }
}

/// Whether a just sealed own event verifies under the key that others will use.
pub(crate) fn own_signature(
    sealed: watchfire_types::Unverified,
    network: NetworkId,
    author: MemberKey,
) -> Result<Verified<Event>, Violation> {
    let claimed = sealed.event().author;
    let verified = sealed.verify(network).map_err(|cause| Violation::OwnSignature { cause })?;
    if claimed == author {
        Ok(verified)
    } else {
        Err(Violation::OwnSignature { cause: VerifyError::BadSignature { author: claimed } })
    }
}

#[cfg(test)]
mod tests;
