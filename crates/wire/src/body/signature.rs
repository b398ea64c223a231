//! Co-signatures and attestations, both ways.

use std::collections::BTreeSet;

use bytes::Bytes;
use watchfire_types::body::{Attested, Authority, CoSignature};
use watchfire_types::{ChainId, CharterVersion};

use crate::bounds::{MAX_LINE, MAX_OMITTED};
use crate::common::{block_in, block_out, decision_in, decision_out, transaction_in, transaction_out};
use crate::error::WireError;
use crate::field::{address, check_ascending, check_count, fixed, hash, name, present, raw, step, text};
use crate::proto::{self, authority};

pub(super) fn co_signature_out(signature: &CoSignature) -> proto::CoSignature {
    proto::CoSignature {
        charter_version: signature.version.get(),
        authority: Some(authority_out(&signature.authority)),
        chain_id: signature.chain.get(),
        safe: raw(&signature.safe.0.0),
        transaction: Some(transaction_out(&signature.transaction)),
        omitted: signature.omitted.iter().map(|index| (*index).into()).collect(),
        agreed: Some(block_out(&signature.agreed)),
        signature: Bytes::copy_from_slice(&signature.signature),
    }
}

pub(super) fn co_signature_in(signature: proto::CoSignature) -> Result<CoSignature, WireError> {
    Ok(CoSignature {
        version: CharterVersion::new(signature.charter_version),
        authority: authority_in(signature.authority)?,
        chain: ChainId::new(signature.chain_id),
        safe: address("co_signature.safe", &signature.safe)?,
        transaction: transaction_in(signature.transaction)?,
        omitted: omitted_in(&signature.omitted)?,
        agreed: block_in("co_signature.agreed", signature.agreed)?,
        signature: fixed("co_signature.signature", &signature.signature)?,
    })
}

fn omitted_in(indexes: &[u32]) -> Result<BTreeSet<u16>, WireError> {
    let field = "co_signature.omitted";
    check_count(field, indexes.len(), 0, MAX_OMITTED)?;
    check_ascending(field, indexes)?;
    let narrow = |index: &u32| u16::try_from(*index).map_err(|_| WireError::Range { field, found: (*index).into() });
    indexes.iter().map(narrow).collect()
}

fn authority_out(authority: &Authority) -> proto::Authority {
    let rejection = |decision, certificate: &alloy_primitives::B256| proto::CertifiedRejection {
        decision: Some(decision_out(decision)),
        certificate: raw(&certificate.0),
    };
    let kind = match authority {
        Authority::Step { decision, step, certificate } => authority::Kind::Step(proto::StepAuthority {
            decision: Some(decision_out(decision)),
            step: step.get().into(),
            certificate: raw(&certificate.0),
        }),
        Authority::RejectionCancelled { decision, certificate } => {
            authority::Kind::Cancelled(rejection(decision, certificate))
        }
        Authority::RejectionBeforeRecovery { decision, certificate } => {
            authority::Kind::BeforeRecovery(rejection(decision, certificate))
        }
        Authority::RejectionAfterForeignRecovery { asset, recovered } => {
            authority::Kind::AfterForeignRecovery(proto::ForeignRecovery {
                asset: asset.to_string(),
                recovered: Some(block_out(recovered)),
            })
        }
    };
    proto::Authority { kind: Some(kind) }
}

fn authority_in(authority: Option<proto::Authority>) -> Result<Authority, WireError> {
    let kind = present("authority", authority)?.kind;
    let digest = |bytes: &Bytes| hash("authority.certificate", bytes);
    Ok(match present("authority.kind", kind)? {
        authority::Kind::Step(kind) => Authority::Step {
            decision: decision_in(kind.decision)?,
            step: step("authority.step", kind.step)?,
            certificate: digest(&kind.certificate)?,
        },
        authority::Kind::Cancelled(kind) => Authority::RejectionCancelled {
            decision: decision_in(kind.decision)?,
            certificate: digest(&kind.certificate)?,
        },
        authority::Kind::BeforeRecovery(kind) => Authority::RejectionBeforeRecovery {
            decision: decision_in(kind.decision)?,
            certificate: digest(&kind.certificate)?,
        },
        authority::Kind::AfterForeignRecovery(kind) => Authority::RejectionAfterForeignRecovery {
            asset: name("authority.asset", &kind.asset)?,
            recovered: block_in("authority.recovered", kind.recovered)?,
        },
    })
}

pub(crate) fn attested_out(attested: &Attested) -> proto::Attested {
    proto::Attested {
        asset: attested.asset.to_string(),
        can_pause: attested.can_pause,
        detail: attested.detail.clone(),
        head: Some(block_out(&attested.head)),
        scanned_from: attested.scanned_from,
    }
}

pub(crate) fn attested_in(attested: proto::Attested) -> Result<Attested, WireError> {
    Ok(Attested {
        asset: name("attested.asset", &attested.asset)?,
        can_pause: attested.can_pause,
        detail: text("attested.detail", attested.detail, MAX_LINE)?,
        head: block_in("attested.head", attested.head)?,
        scanned_from: attested.scanned_from,
    })
}
