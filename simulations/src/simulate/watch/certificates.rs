//! S4 and S6: whether a certificate is valid, decided anew from its bytes and the charter, and that no honest log holds one that is not.

use std::collections::BTreeSet;
use std::rc::Rc;

use alloy_primitives::B256;
use watchfire_protocol::content_digest;
use watchfire_types::body::{Body, Certificate, Purpose};
use watchfire_types::{BlockRef, OperatorId, OrganisationId};

use super::Watch;
use crate::simulate::cast::Cast;

/// The block that one embedded vote rests on, with its organisation and operator; `None` if it cannot stand in this certificate.
struct Support {
    organisation: OrganisationId,
    operator: OperatorId,
    evidence: BlockRef,
}

fn support(cast: &Cast, certificate: &Certificate, index: usize) -> Option<Support> {
    let vote = certificate.votes.get(index)?;
    vote.check(cast.network).ok()?;
    let event = vote.event();
    let (_, member) = cast.charter.member_by_key(&event.author)?;
    let (decision, evidence, operator) = match (&event.body, &certificate.purpose) {
        (Body::Vote(vote), Purpose::Step(step)) if vote.step >= *step => {
            (&vote.decision, vote.evidence, member.operators.get(&vote.operator)?.clone())
        }
        (Body::Veto(veto), Purpose::Cancel) => (&veto.decision, veto.head, member.operators.first()?.clone()),
        (Body::CloseVote(close), Purpose::Close(at)) if close.closed_at.time == *at => {
            (&close.decision, close.closed_at, member.operators.first()?.clone())
        }
        _ => return None,
    };
    (member.votes() && *decision == certificate.decision).then(|| Support {
        organisation: member.organisation.clone(),
        operator,
        evidence,
    })
}

/// Valid: one vote of each organisation, in their order, each signed strictly, not further apart than a vote lives, and the rule holds.
pub(super) fn is_valid(cast: &Cast, certificate: &Certificate) -> bool {
    let Some(playbook) = cast.charter.playbooks.get(&certificate.decision.playbook) else { return false };
    let supports: Option<Vec<Support>> =
        (0..certificate.votes.len()).map(|index| support(cast, certificate, index)).collect();
    let Some(supports) = supports.filter(|supports| !supports.is_empty()) else { return false };
    if certificate.decision.version != cast.charter.version
        || supports.windows(2).any(|pair| pair[0].organisation >= pair[1].organisation)
    {
        return false;
    }
    let organisations: BTreeSet<_> = supports.iter().map(|one| &one.organisation).collect();
    let operators: BTreeSet<_> = supports.iter().map(|one| &one.operator).collect();
    let rule = match certificate.purpose {
        Purpose::Step(_) => &playbook.rule,
        Purpose::Cancel | Purpose::Close(_) => {
            return organisations.len() >= usize::from(cast.charter.rules.contain.organisations);
        }
    };
    let times = supports.iter().map(|one| one.evidence.time);
    let (first, last) = (times.clone().min(), times.max());
    let together = first.zip(last).is_some_and(|(first, last)| last <= first.plus_secs(playbook.expiry_s));
    let roles = rule.roles.iter().all(|(role, least)| {
        let holders = organisations.iter().filter(|id| cast.charter.organisations[**id].roles.contains(role));
        holders.count() >= usize::from(*least)
    });
    together
        && roles
        && organisations.len() >= usize::from(rule.organisations)
        && operators.len() >= usize::from(rule.operators)
}

/// Evidence of a valid certificate's votes.
pub(super) fn evidence(certificate: &Certificate) -> Vec<BlockRef> {
    certificate
        .votes
        .iter()
        .filter_map(|vote| match &vote.event().body {
            Body::Vote(vote) => Some(vote.evidence),
            Body::Veto(veto) => Some(veto.head),
            Body::CloseVote(close) => Some(close.closed_at),
            _ => None,
        })
        .collect()
}

impl Watch {
    /// An honest node took a certificate into its log.
    pub(super) fn certificate(&mut self, cast: &Cast, place: usize, certificate: &Certificate) {
        let digest = content_digest(certificate, cast.network);
        let valid = self.valid(cast, digest, certificate);
        self.unsafe_if(!valid, "S4", || {
            format!("{} took a certificate that is not valid: {digest}", cast.players[place].member)
        });
        self.known[place].certificates.insert(digest, Rc::new(certificate.clone()));
    }

    fn valid(&mut self, cast: &Cast, digest: B256, certificate: &Certificate) -> bool {
        *self.valid.entry(digest).or_insert_with(|| is_valid(cast, certificate))
    }
}
