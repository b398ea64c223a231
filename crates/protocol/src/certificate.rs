//! Certificates: valid from their bytes and the charter version they name, once and for ever. Whether one *authorises* is `authority`'s.

use alloy_primitives::B256;
use thiserror::Error;
use watchfire_charter::{Charter, Member, Playbook, PlaybookPurpose};
use watchfire_types::body::{Basis, Body, Certificate, CloseVote, Decision, Outcome, Purpose, Veto, Vote};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{
    BlockRef, BlockTime, ChainId, MemberKey, NetworkId, OperatorId, OrganisationId, Unverified, domain, sha256,
};

/// Most votes in one certificate: one for each of at most 64 organisations.
pub(crate) const VOTES_MAX: usize = 64;

/// Why a certificate is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// No votes, or more than 64.
    #[error("{found} votes")]
    Count {
        /// Votes found.
        found: usize,
    },
    /// An embedded event is of another kind or decision than the certificate.
    #[error("vote {index} is not one for this decision and purpose: {why}")]
    Foreign {
        /// Index.
        index: usize,
        /// Which term fails.
        why: &'static str,
    },
    /// Two votes of one organisation, or not in organisation order.
    #[error("vote {index} is out of organisation order or a second one of its organisation")]
    Order {
        /// Index.
        index: usize,
    },
    /// An embedded signature does not hold.
    #[error("signature of vote {index} does not verify strictly")]
    Signature {
        /// Index.
        index: usize,
    },
    /// Some vote ends before another's evidence begins.
    #[error("votes lie further apart than one vote lives")]
    Spread,
    /// The rule is not met.
    #[error("the rule is not met")]
    Quorum,
}

/// Whether a certificate is valid (R1), every embedded signature checked: for whoever holds bytes and a charter alone.
///
/// # Errors
/// [`CertificateFault`] names the first term that fails.
pub fn check_certificate(
    charter: &Charter,
    network: NetworkId,
    certificate: &Certificate,
) -> Result<(), CertificateFault> {
    check(charter, network, certificate, |_| false).map(|_| ())
}

/// What a valid certificate says, reduced to what later questions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Evidence of its votes (heads of vetoes, `closed_at` of close votes), each block once: most votes rest on one or two.
    pub(crate) evidence: Vec<BlockRef>,
    /// Newest evidence time.
    pub(crate) latest: BlockTime,
    /// Earliest evidence: for a cancel certificate, the cut.
    pub(crate) earliest: BlockRef,
    /// For a close certificate, what all its votes say that it was.
    pub(crate) outcome: Option<Outcome>,
}

/// Close votes that say the same before an incident was that: as many as close it, and never one organisation's alone.
pub(crate) fn outcome_votes(contain: usize) -> usize {
    contain.max(2)
}

/// Key of a certificate: equal content from different carriers is one certificate.
#[must_use]
pub fn content_digest(certificate: &Certificate, network: NetworkId) -> B256 {
    let mut content = [domain::CERTIFICATE, network.as_bytes()].concat();
    let Decision { version, asset, playbook } = &certificate.decision;
    content.extend(version.get().to_be_bytes());
    for name in [asset.as_str(), playbook.as_str()] {
        content.extend((name.len() as u64).to_be_bytes());
        content.extend(name.as_bytes());
    }
    match certificate.purpose {
        Purpose::Step(step) => content.extend([0, step.get()]),
        Purpose::Cancel => content.extend([1]),
        Purpose::Close(at) => {
            content.extend([2]);
            content.extend(at.as_secs().to_be_bytes());
        }
    }
    for vote in &certificate.votes {
        content.extend(vote.hash().as_bytes());
    }
    B256::new(sha256(&[&content]))
}

/// The playbook of a decision under this charter, and the chain of its asset.
pub(crate) fn playbook_of<'a>(
    charter: &'a Charter,
    decision: &Decision,
) -> Result<(&'a Playbook, ChainId), &'static str> {
    if decision.version != charter.version {
        return Err("another charter version");
    }
    let playbook = charter.playbooks.get(&decision.playbook).ok_or("unknown playbook")?;
    if playbook.asset != decision.asset {
        return Err("playbook of another asset");
    }
    let asset = charter.assets.get(&decision.asset).ok_or("unknown asset")?;
    Ok((playbook, asset.chain))
}

fn voting<'a>(charter: &'a Charter, author: &MemberKey) -> Result<&'a Member, &'static str> {
    let (_, member) = charter.member_by_key(author).ok_or("author is no member")?;
    if member.votes() { Ok(member) } else { Err("author is a watcher") }
}

/// Whether a vote counts at all under this charter: from its bytes alone.
pub(crate) fn check_vote(charter: &Charter, author: &MemberKey, vote: &Vote) -> Result<(), &'static str> {
    let (playbook, chain) = playbook_of(charter, &vote.decision)?;
    vote_under(playbook, chain, voting(charter, author)?, vote)
}

/// As [`check_vote`], of a vote for a decision of this playbook.
fn vote_under(playbook: &Playbook, chain: ChainId, member: &Member, vote: &Vote) -> Result<(), &'static str> {
    if playbook.step(vote.step).is_none() {
        return Err("no such step");
    }
    if vote.evidence.chain != chain {
        return Err("evidence is not on the asset's chain");
    }
    if !member.operators.contains(&vote.operator) {
        return Err("operator label is not the author's");
    }
    match (&vote.basis, playbook.purpose) {
        (Basis::Finding(_), PlaybookPurpose::Recover) => Err("recovery takes a human's judgement"),
        (Basis::Finding(_), PlaybookPurpose::Contain) | (Basis::Human(_), _) => Ok(()),
    }
}

/// As [`check_vote`], for a veto.
pub(crate) fn check_veto(charter: &Charter, author: &MemberKey, veto: &Veto) -> Result<(), &'static str> {
    let (_, chain) = playbook_of(charter, &veto.decision)?;
    voting(charter, author)?;
    if veto.head.chain != chain || veto.act.chain != chain {
        return Err("head is not on the asset's chain");
    }
    if veto.act.number > veto.head.number || veto.act.time > veto.head.time {
        return Err("act is later than the head");
    }
    Ok(())
}

/// As [`check_vote`], for a close vote.
pub(crate) fn check_close(charter: &Charter, author: &MemberKey, vote: &CloseVote) -> Result<(), &'static str> {
    let (_, chain) = playbook_of(charter, &vote.decision)?;
    voting(charter, author)?;
    if vote.closed_at.chain == chain { Ok(()) } else { Err("close is not on the asset's chain") }
}

/// One embedded event's evidence and operator label, if it belongs into this certificate.
fn evidence<'a>(
    charter: &Charter,
    (playbook, chain): (&Playbook, ChainId),
    certificate: &Certificate,
    vote: &'a Unverified,
    member: &Member,
) -> Result<(BlockRef, Option<&'a OperatorId>), &'static str> {
    let event = vote.event();
    let author = &event.author;
    match (&certificate.purpose, &event.body) {
        (Purpose::Step(step), Body::Vote(vote)) => {
            if vote.decision != certificate.decision || (vote.step < *step && !planted(Mutation::SkipsVoteSteps)) {
                return Err("another decision or a narrower step");
            }
            vote_under(playbook, chain, member, vote)?;
            Ok((vote.evidence, Some(&vote.operator)))
        }
        (Purpose::Cancel, Body::Veto(veto)) => {
            check_veto(charter, author, veto)?;
            let same = veto.decision == certificate.decision;
            if same { Ok((veto.head, None)) } else { Err("another decision") }
        }
        (Purpose::Close(at), Body::CloseVote(close)) => {
            check_close(charter, author, close)?;
            let same = close.decision == certificate.decision && close.closed_at.time == *at;
            if same { Ok((close.closed_at, None)) } else { Err("another decision or time") }
        }
        _ => Err("another kind of event"),
    }
}

/// Checks validity: a pure function of the bytes and the charter version. `genuine` may answer `true` only for events whose own
/// signature was checked strictly before; it saves the second check.
///
/// # Errors
/// [`CertificateFault`] names the first term that fails.
pub(crate) fn check(
    charter: &Charter,
    network: NetworkId,
    certificate: &Certificate,
    genuine: impl Fn(&Unverified) -> bool,
) -> Result<Facts, CertificateFault> {
    let found = certificate.votes.len();
    if found == 0 || found > VOTES_MAX {
        return Err(CertificateFault::Count { found });
    }
    let under =
        playbook_of(charter, &certificate.decision).map_err(|why| CertificateFault::Foreign { index: 0, why })?;
    let mut last: Option<&OrganisationId> = None;
    let mut supports: Vec<(&OrganisationId, Option<&OperatorId>)> = Vec::with_capacity(found);
    let mut blocks = Vec::with_capacity(found);
    for (index, vote) in certificate.votes.iter().enumerate() {
        let foreign = |why| CertificateFault::Foreign { index, why };
        let member = voting(charter, &vote.event().author).map_err(foreign)?;
        let organisation = &member.organisation;
        let (block, operator) = evidence(charter, under, certificate, vote, member).map_err(foreign)?;
        let sorted = planted(Mutation::SkipsOrder) || planted(Mutation::CountsNodes);
        if !sorted && last.is_some_and(|last| last >= organisation) {
            return Err(CertificateFault::Order { index });
        }
        if !genuine(vote) && vote.check(network).is_err() && !planted(Mutation::SkipsVoteSignatures) {
            return Err(CertificateFault::Signature { index });
        }
        last = Some(organisation);
        supports.push((organisation, operator));
        blocks.push(block);
    }
    let (playbook, _) = under;
    quorum(charter, playbook, &certificate.purpose, &supports)?;
    let outcome = outcome(charter, certificate);
    facts(playbook, &certificate.purpose, blocks, outcome)
}

/// What a close certificate says that it was: only where all its votes say the same.
fn outcome(charter: &Charter, certificate: &Certificate) -> Option<Outcome> {
    let said = certificate.votes.iter().map(|vote| match &vote.event().body {
        Body::CloseVote(close) => close.outcome,
        _ => None,
    });
    let enough = outcome_votes(usize::from(charter.rules.contain.organisations));
    let mut said: Vec<Option<Outcome>> = said.collect();
    let found = said.len();
    said.dedup();
    match said.as_slice() {
        [Some(outcome)] if found >= enough => Some(*outcome),
        _ => None,
    }
}

fn quorum(
    charter: &Charter,
    playbook: &Playbook,
    purpose: &Purpose,
    supports: &[(&OrganisationId, Option<&OperatorId>)],
) -> Result<(), CertificateFault> {
    let reached = match purpose {
        Purpose::Step(_) => playbook
            .rule
            .met_by(charter, supports.iter().filter_map(|(id, operator)| Some((*id, (*operator)?))))
            .is_reached(),
        Purpose::Cancel | Purpose::Close(_) => supports.len() >= usize::from(charter.rules.contain.organisations),
    };
    if reached || planted(Mutation::SkipsQuorum) { Ok(()) } else { Err(CertificateFault::Quorum) }
}

fn facts(
    playbook: &Playbook,
    purpose: &Purpose,
    mut evidence: Vec<BlockRef>,
    outcome: Option<Outcome>,
) -> Result<Facts, CertificateFault> {
    let earliest = evidence.iter().min_by_key(|block| (block.number, block.time, block.hash));
    let earliest = *earliest.ok_or(CertificateFault::Count { found: 0 })?;
    let latest = evidence.iter().map(|block| block.time).max().unwrap_or_default();
    if matches!(purpose, Purpose::Step(_)) {
        let first_end = evidence.iter().map(|block| block.time.plus_secs(playbook.expiry_s)).min().unwrap_or_default();
        if latest > first_end && !planted(Mutation::SkipsSpread) {
            return Err(CertificateFault::Spread);
        }
    }
    evidence.sort_unstable();
    evidence.dedup();
    Ok(Facts { evidence, latest, earliest, outcome })
}
