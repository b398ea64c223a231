//! One line for everything that happens: events as records.

use alloy::primitives::{Address, B256};
use watchfire_charter::Charter;
use watchfire_types::body::{
    Authority, Basis, Body, Certificate, CoSignature, Custodian, Human, Purpose, Sealed, SealedAbout, Snoozed, Vote,
};
use watchfire_types::control::Record;
use watchfire_types::{AssetId, BlockRef, Event, StepIndex, Verified};

/// A record without any detail.
#[must_use]
pub fn plain(at_ms: u64, kind: &str, text: String) -> Record {
    Record {
        at_ms,
        kind: kind.to_owned(),
        text,
        author: None,
        organisation: None,
        seq: None,
        event: None,
        asset: None,
        block: None,
        step: None,
        safe: None,
        safe_tx_hash: None,
        transaction: None,
    }
}

/// The record of an event that this node took at `at_ms` of its own clock.
#[must_use]
pub fn event(event: &Verified<Event>, at_ms: u64, charter: &Charter) -> Record {
    let facts = Facts::of(&event.body, charter);
    let (member, organisation) = match charter.member_by_key(&event.author) {
        Some((id, member)) => (id.to_string(), Some(member.organisation.clone())),
        None => (event.author.short(), None),
    };
    Record {
        author: Some(event.author),
        organisation,
        seq: Some(event.seq),
        event: Some(event.hash()),
        asset: facts.asset,
        block: facts.block,
        step: facts.step.map(StepIndex::get),
        safe: facts.safe,
        safe_tx_hash: facts.safe_tx_hash,
        transaction: facts.transaction,
        ..plain(at_ms, event.body.kind(), format!("{member}: {}", facts.text))
    }
}

#[derive(Default)]
struct Facts {
    text: String,
    asset: Option<AssetId>,
    block: Option<BlockRef>,
    step: Option<StepIndex>,
    safe: Option<Address>,
    safe_tx_hash: Option<B256>,
    transaction: Option<B256>,
}

fn said(text: String) -> Facts {
    Facts { text, ..Facts::default() }
}

fn human(who: &Human) -> String {
    let Human { person, role, reason } = who;
    format!("{person} ({role}): {reason}")
}

impl Facts {
    fn of(body: &Body, charter: &Charter) -> Self {
        match body {
            Body::Started(started) => {
                said(format!("started {} under charter version {}", started.software, started.charter_version))
            }
            Body::Finding(finding) => Self {
                asset: Some(finding.asset.clone()),
                block: Some(finding.block),
                ..said(format!("{} {}: {}", finding.severity, finding.detector, finding.explanation))
            },
            Body::Vote(vote) => Self::vote(vote),
            Body::Veto(veto) => Self {
                asset: Some(veto.decision.asset.clone()),
                block: Some(veto.head),
                ..said(format!("vetoes {}: {}", veto.decision.playbook, human(&veto.human)))
            },
            Body::Certificate(certificate) => Self::certificate(certificate),
            Body::CoSignature(signature) => Self::co_signature(signature, charter),
            Body::Submitted(submitted) => Self {
                safe: Some(submitted.safe),
                safe_tx_hash: Some(submitted.safe_transaction),
                transaction: Some(submitted.transaction),
                ..said(format!(
                    "sends {} (attempt {}, {} wei per gas at most)",
                    submitted.transaction, submitted.attempt, submitted.max_fee_per_gas
                ))
            },
            Body::Executed(executed) => Self {
                block: Some(executed.block),
                safe: Some(executed.safe),
                safe_tx_hash: Some(executed.safe_transaction),
                transaction: Some(executed.transaction),
                ..said(format!("saw {} executed in block {}", executed.transaction, executed.block.number))
            },
            Body::PostconditionChecked(checked) => Self {
                asset: Some(checked.asset.clone()),
                block: Some(checked.block),
                step: Some(checked.step),
                ..said(format!(
                    "step {} of {} {} at block {}",
                    checked.step,
                    checked.playbook,
                    if checked.holds { "holds" } else { "does not hold" },
                    checked.block.number
                ))
            },
            other => Self::rest(other),
        }
    }

    fn rest(body: &Body) -> Self {
        match body {
            Body::Retracted(retracted) => Self {
                block: Some(retracted.orphaned),
                ..said(format!(
                    "retracts {}: block {} was orphaned",
                    retracted.event.short(),
                    retracted.orphaned.number
                ))
            },
            Body::Classified(classified) => said(format!("sets {}; {}", classified.severity, human(&classified.human))),
            Body::Acknowledged(statement) => said(human(&statement.human)),
            Body::Rejected(statement) => said(human(&statement.human)),
            Body::Note(statement) => said(human(&statement.human)),
            Body::CloseVote(vote) => Self {
                asset: Some(vote.decision.asset.clone()),
                block: Some(vote.closed_at),
                ..said(match vote.outcome {
                    Some(outcome) => format!("closes it as {}; {}", outcome.name(), human(&vote.human)),
                    None => human(&vote.human),
                })
            },
            Body::NotContained(not) => Self {
                asset: Some(not.decision.asset.clone()),
                block: Some(not.head),
                step: Some(not.step),
                ..said(format!("{}: {}", cause_name(not.cause), not.detail))
            },
            Body::Attested(attested) => Self {
                asset: Some(attested.asset.clone()),
                block: Some(attested.head),
                ..said(format!(
                    "{}: {}; blocks {} to {} judged without a gap",
                    if attested.can_pause { "can pause" } else { "cannot pause" },
                    attested.detail,
                    attested.scanned_from,
                    attested.head.number
                ))
            },
            Body::Checkpoint(checkpoint) => {
                said(format!("its log has {} events, root {}", checkpoint.size, checkpoint.root))
            }
            Body::CheckpointFault(fault) => said(format!(
                "carries a checkpoint over {} events that {} signed outside its log",
                fault.checkpoint.size,
                fault.author.short()
            )),
            Body::FaultProof(proof) => {
                let event = proof.first.event();
                said(format!("proves that {} forked its log at {}", event.author.short(), event.seq))
            }
            Body::EvidenceCollected(_) | Body::EvidenceAccessed(_) | Body::EvidenceMissed(_) => Self::evidence(body),
            Body::Sealed(sealed) => Self::sealed(sealed),
            Body::ChangeSupported(_) | Body::ChangeWithdrawn(_) | Body::ChangeCounted(_) => Self::change(body),
            Body::PromotionSupported(supported) => Self {
                asset: Some(supported.asset.clone()),
                block: Some(supported.head),
                ..said(format!(
                    "wants rule {} to vote by itself again; {}",
                    supported.detector,
                    human(&supported.human)
                ))
            },
            Body::Snoozed(snoozed) => Self::snooze(snoozed),
            Body::Unknown(field, _) => said(format!("an event of kind {field} that this version does not know")),
            // Named in `of`; said plainly should one ever come here.
            _ => said("an event".to_owned()),
        }
    }

    fn snooze(snoozed: &Snoozed) -> Self {
        let Snoozed { asset, detector, head, until, human: who } = snoozed;
        let scope = match detector {
            Some(rule) => format!("rule {rule}"),
            None => format!("what only gives context of {asset}"),
        };
        let text = if *until > head.time {
            format!("need not be told of {scope} until block time {}; {}", until.as_secs(), human(who))
        } else {
            format!("wants to be told of {scope} again; {}", human(who))
        };
        Self { asset: Some(asset.clone()), block: Some(*head), ..said(text) }
    }

    fn change(body: &Body) -> Self {
        match body {
            Body::ChangeSupported(supported) => Self {
                asset: Some(supported.change.asset.clone()),
                block: Some(supported.head),
                ..said(format!(
                    "expects a call of {} from {} to {} (block times); {}",
                    supported.change.target,
                    supported.change.opens.as_secs(),
                    supported.change.closes.as_secs(),
                    human(&supported.human)
                ))
            },
            Body::ChangeWithdrawn(withdrawn) => {
                said(format!("no longer expects change {}; {}", withdrawn.change.short(), human(&withdrawn.human)))
            }
            Body::ChangeCounted(counted) => Self {
                block: Some(counted.head),
                ..said(format!(
                    "its rules are {} change {} after block {}",
                    if counted.counts { "quiet about" } else { "no longer quiet about" },
                    counted.change.short(),
                    counted.head.number
                ))
            },
            _ => said("an event".to_owned()),
        }
    }

    fn sealed(sealed: &Sealed) -> Self {
        let members: Vec<&str> = sealed.keys.iter().map(|key| key.member.as_str()).collect();
        let asset = match &sealed.about {
            SealedAbout::Vulnerability(asset) => Some(asset.clone()),
            SealedAbout::Incident(_) => None,
        };
        let text = format!("sealed to {} (hash {})", members.join(", "), sealed.commitment);
        Self { asset, ..said(format!("{}; {text}", human(&sealed.human))) }
    }

    fn evidence(body: &Body) -> Self {
        match body {
            Body::EvidenceCollected(collected) => {
                let bytes: u64 = collected.items.iter().fold(0, |sum, item| sum.saturating_add(item.size));
                Self {
                    asset: Some(collected.asset.clone()),
                    block: collected.items.first().map(|item| item.block),
                    ..said(format!("collected {} objects of evidence, {bytes} bytes", collected.items.len()))
                }
            }
            Body::EvidenceAccessed(accessed) => {
                let by = match &accessed.by {
                    Custodian::Node(reason) => reason.clone(),
                    Custodian::Human(who) => human(who),
                };
                said(format!("{} {} objects of evidence: {by}", json_name(accessed.action), accessed.objects.len()))
            }
            Body::EvidenceMissed(missed) => Self {
                asset: Some(missed.asset.clone()),
                block: Some(missed.block),
                ..said(format!(
                    "no {} of block {}: {}: {}",
                    json_name(missed.kind),
                    missed.block.number,
                    json_name(missed.cause),
                    missed.detail
                ))
            },
            _ => said("an event".to_owned()),
        }
    }

    fn vote(vote: &Vote) -> Self {
        let basis = match &vote.basis {
            Basis::Finding(hash) => format!("own finding {}", hash.short()),
            Basis::Human(who) => human(who),
        };
        Self {
            asset: Some(vote.decision.asset.clone()),
            block: Some(vote.evidence),
            step: Some(vote.step),
            ..said(format!(
                "votes step {} of {} at block {}, {basis}",
                vote.step, vote.decision.playbook, vote.evidence.number
            ))
        }
    }

    fn certificate(certificate: &Certificate) -> Self {
        let (step, what) = match &certificate.purpose {
            Purpose::Step(step) => (Some(*step), format!("step {step}")),
            Purpose::Cancel => (None, "cancel".to_owned()),
            Purpose::Close(at) => (None, format!("close at block time {}", at.as_secs())),
        };
        Self {
            asset: Some(certificate.decision.asset.clone()),
            step,
            ..said(format!(
                "certifies {what} of {} by {} votes",
                certificate.decision.playbook,
                certificate.votes.len()
            ))
        }
    }

    fn co_signature(signature: &CoSignature, charter: &Charter) -> Self {
        let (asset, step, what) = match &signature.authority {
            Authority::Step { decision, step, .. } => {
                (Some(decision.asset.clone()), Some(*step), format!("step {step} of {}", decision.playbook))
            }
            Authority::RejectionCancelled { decision, .. } | Authority::RejectionBeforeRecovery { decision, .. } => {
                (Some(decision.asset.clone()), None, "a rejection".to_owned())
            }
            Authority::RejectionAfterForeignRecovery { asset, .. } => {
                (Some(asset.clone()), None, "a rejection".to_owned())
            }
        };
        let safe = charter.safe_at(signature.chain, &signature.safe);
        let hash = safe.map(|(_, safe)| {
            signature.transaction.hashes(safe.version, signature.chain.get(), signature.safe).safe_tx_hash
        });
        Self {
            asset,
            step,
            block: Some(signature.agreed),
            safe: Some(signature.safe),
            safe_tx_hash: hash,
            ..said(format!("signs {what} at nonce {}", signature.transaction.nonce))
        }
    }
}

/// The kebab-case name of a cause, as in JSON.
#[must_use]
pub fn cause_name(cause: watchfire_types::body::Cause) -> String {
    json_name(cause)
}

/// The name under which a value of a plain enum stands in JSON.
pub(crate) fn json_name(value: impl serde::Serialize + std::fmt::Debug) -> String {
    match serde_json::to_value(&value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{value:?}"),
    }
}
