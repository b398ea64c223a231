//! What one input itself leads to: the door for received events, human acts and the submitter's announcements.

use watchfire_types::body::{Body, CheckpointFault, FaultProof};
use watchfire_types::input::{Input, SubmissionReport};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Event, Seq, Timestamp, Verdict, Verified};

use crate::certificate;
use crate::draft::{Draft, Step};
use crate::machine::Machine;
use crate::rejection::Rejection;
use crate::shared::content::SignatureFault;
use crate::shared::is_decision;

mod human;

/// How far another's clock may be ahead, ms.
const AHEAD_MS_MAX: u64 = 60_000;
/// Events of one epoch that an author has from the start.
const QUOTA_BURST: u64 = 1_000;
/// Events per second of the author's own clock after that.
const QUOTA_PER_S: u64 = 2;
/// Own events that statements about evidence leave to findings, people and reports.
const KEPT_FROM_EVIDENCE: usize = 250;
/// Other bodies of one (author, epoch) that wait for a predecessor at once.
pub(crate) const WAITING_MAX: usize = 1_024;
/// Decision bodies that are counted ahead of their predecessors at once.
pub(crate) const AHEAD_MAX: usize = 4_096;
/// Longest explanation, bytes.
const LINE_MAX: usize = 512;
/// Most figures of a finding.
pub(crate) const FIGURES_MAX: usize = 32;
/// Longest value of a figure, bytes.
pub(crate) const FIGURE_MAX: usize = 128;

pub(crate) fn decide(machine: &Machine, now: Timestamp, input: &Input) -> Result<Step, Rejection> {
    match input {
        Input::Received(event) => received(machine, now, event),
        Input::Human(act) => human::decide(machine, now, act),
        Input::Submission(SubmissionReport::Sending(submitted)) => {
            Ok(Step::authored(vec![Draft::Body(Body::Submitted(submitted.clone()))]))
        }
        // What is said of evidence is as much as others collect and ask for: it waits before anything else does.
        Input::Evidence(_) if crate::owed::room(machine, now) <= KEPT_FROM_EVIDENCE => Err(Rejection::QuotaSpent),
        Input::Evidence(statement) => Ok(Step::authored(vec![Draft::Body(statement.body())])),
        Input::Reported(report) => {
            Ok(Step::authored(vec![Draft::Body(crate::report::by_source(machine, now, report)?)]))
        }
        Input::Submission(_)
        | Input::Block(_)
        | Input::Orphaned { .. }
        | Input::Detected { .. }
        | Input::ChainSilent { .. }
        | Input::Preflighted { .. }
        | Input::Peer { .. }
        | Input::Tick => Ok(Step::authored(Vec::new())),
    }
}

fn received(machine: &Machine, now: Timestamp, event: &Verified<Event>) -> Result<Step, Rejection> {
    if event.network != machine.network {
        return Err(Rejection::ForeignNetwork { found: event.network });
    }
    let twice = planted(Mutation::TakesTwice);
    if machine.shared.holds(event.author, event.epoch, event.seq, event.hash()) && !twice {
        return Err(Rejection::Duplicate);
    }
    if machine.charter.member_by_key(&event.author).is_none() {
        return Err(Rejection::UnknownAuthor { author: event.author });
    }
    well_formed(event)?;
    let verdict = body(machine, event)?;
    if event.author == machine.own.key() && event.epoch == machine.own.epoch {
        return Err(Rejection::OwnEpoch { seq: event.seq });
    }
    admitted(machine, now, event)?;
    Ok(Step { drafts: Vec::new(), verdict })
}

/// What the bytes alone must satisfy.
fn well_formed(event: &Event) -> Result<(), Rejection> {
    let wrong = |why| Err(Rejection::Malformed { why });
    let first = event.seq == Seq::new(0);
    if first != matches!(event.body, Body::Started(_)) {
        return wrong("an epoch begins with Started and holds no second one");
    }
    if first != (*event.prev.as_bytes() == [0; 32]) {
        return wrong("prev is zero exactly at position 0");
    }
    match &event.body {
        Body::Finding(finding) if finding.explanation.len() > LINE_MAX || finding.figures.len() > FIGURES_MAX => {
            wrong("finding explains itself beyond its bounds")
        }
        Body::Finding(finding) if finding.first.number > finding.block.number => wrong("finding began after it stood"),
        Body::NotContained(stated) if stated.detail.len() > LINE_MAX => wrong("detail is longer than its bound"),
        Body::Checkpoint(checkpoint) if checkpoint.size == 0 || checkpoint.size > event.seq.get() => {
            wrong("a checkpoint covers events that do not stand before it")
        }
        Body::Started(started) if started.earlier.len() > 64 => wrong("started names more than 64 epochs"),
        _ => Ok(()),
    }
}

/// What the body must satisfy under the charter version it names; a version not adopted here is kept, chained and inert, not forwarded.
fn body(machine: &Machine, event: &Verified<Event>) -> Result<Verdict, Rejection> {
    let charter = &machine.charter;
    let author = &event.author;
    let malformed = |why| Rejection::Malformed { why };
    let adopted = |version| version == charter.version;
    match &event.body {
        Body::Vote(vote) if adopted(vote.decision.version) => {
            certificate::check_vote(charter, author, vote).map_err(malformed)?;
        }
        Body::Veto(veto) if adopted(veto.decision.version) => {
            certificate::check_veto(charter, author, veto).map_err(malformed)?;
        }
        Body::CloseVote(close) if adopted(close.decision.version) => {
            certificate::check_close(charter, author, close).map_err(malformed)?;
        }
        Body::ChangeSupported(said) if adopted(said.change.version) => {
            crate::change::check(charter, author, said).map_err(malformed)?;
        }
        Body::PromotionSupported(said) if adopted(said.version) => {
            crate::promotion::check(charter, author, said).map_err(malformed)?;
        }
        Body::Certificate(held) if adopted(held.decision.version) => {
            certificate::check(charter, machine.network, held, |vote| machine.shared.genuine(vote))?;
        }
        Body::CoSignature(signature) if adopted(signature.version) => {
            machine.shared.content.judge(charter, event.hash(), signature).map_err(|fault| match fault {
                SignatureFault::Version => malformed("another charter version"),
                SignatureFault::Foreign(why) => malformed(why),
                SignatureFault::Unrecoverable => malformed("signature recovers to nobody"),
                SignatureFault::NotAnOwner(owner) => Rejection::NotAnOwner { owner },
            })?;
        }
        Body::FaultProof(proof) if machine.charter.member_by_key(&proof.first.event().author).is_none() => {
            return Err(Rejection::UnknownAuthor { author: proof.first.event().author });
        }
        Body::FaultProof(proof) if !crate::fault::is_fault(proof, machine.network) => {
            return Err(malformed("the pair convicts nobody"));
        }
        Body::Checkpoint(checkpoint) => {
            let named = charter.member_by_key(author).is_some_and(|(name, _)| *name == checkpoint.member);
            if !named || !crate::fault::signed(machine.network, *author, event.epoch, checkpoint) {
                return Err(malformed("the checkpoint is no note of its author"));
            }
        }
        Body::CheckpointFault(fault) if charter.member_by_key(&fault.author).is_none() => {
            return Err(Rejection::UnknownAuthor { author: fault.author });
        }
        Body::CheckpointFault(fault) if crate::fault::checkpoint_claim(fault, machine.network).is_none() => {
            return Err(malformed("the checkpoints convict nobody"));
        }
        Body::Vote(_) | Body::Veto(_) | Body::CloseVote(_) | Body::Certificate(_) | Body::CoSignature(_) => {
            return Ok(Verdict::Ignore);
        }
        _ => {}
    }
    Ok(Verdict::Accept)
}

/// Bounds and cuts.
fn admitted(machine: &Machine, now: Timestamp, event: &Verified<Event>) -> Result<(), Rejection> {
    let ahead_ms = event.time.millis_since(now);
    if ahead_ms > AHEAD_MS_MAX {
        return Err(Rejection::Future { ahead_ms });
    }
    let exceeded = machine.shared.paces.get(&event.author).and_then(|pace| pace.exceeded(now));
    if let Some(allowed) = exceeded.filter(|_| !planted(Mutation::SkipsQuota)) {
        return Err(Rejection::OverQuota { seq: event.seq, allowed });
    }
    let key = (event.author, event.epoch);
    let new = !machine.shared.chains.contains_key(&key);
    if new && !machine.view.admissions.fits(now.max(machine.view.clock), &event.author, machine.names(&key)) {
        return Err(Rejection::TooManyEpochs { author: event.author });
    }
    // One that only events inside others speak of is new, and has its cut all the same.
    let Some(chain) = machine.shared.known(&key) else { return Ok(()) };
    if let Some(started) = chain.started() {
        let allowed = if planted(Mutation::SkipsQuota) { u64::MAX } else { quota(started, event.time) };
        if event.seq.get() > allowed {
            return Err(Rejection::OverQuota { seq: event.seq, allowed });
        }
    }
    if let Some(cut) = chain.cut().filter(|cut| event.seq >= *cut) {
        let falls = chain.would_fall(&std::sync::Arc::new(event.clone()));
        return if falls || brings_content(machine, event) {
            Ok(())
        } else {
            Err(Rejection::AboveCut { seq: event.seq, cut })
        };
    }
    if let Some(base) = chain.base().filter(|base| event.seq < *base) {
        let falls = chain.would_fall(&std::sync::Arc::new(event.clone()));
        return if falls || brings_content(machine, event) {
            Ok(())
        } else {
            Err(Rejection::Pruned { seq: event.seq, base })
        };
    }
    if event.seq > chain.next() {
        let waiting = chain.waiting();
        let bound = if is_decision(&event.body) { AHEAD_MAX } else { WAITING_MAX };
        if waiting >= bound {
            return Err(Rejection::TooManyWaiting { epoch: event.epoch, waiting });
        }
    }
    Ok(())
}

/// Positions that an epoch may have used by `at`, both by its author's clock.
pub(crate) fn quota(started: Timestamp, at: Timestamp) -> u64 {
    QUOTA_BURST.saturating_add((at.millis_since(started) / 1_000).saturating_mul(QUOTA_PER_S))
}

/// Whether an event that leaves the set carries something that stays.
fn brings_content(machine: &Machine, event: &Verified<Event>) -> bool {
    let content = &machine.shared.content;
    match &event.body {
        Body::Certificate(held) => {
            let digest = certificate::content_digest(held, machine.network);
            !content.certificates.contains_key(&digest)
        }
        Body::CoSignature(signature) => content
            .judge(&machine.charter, event.hash(), signature)
            .is_ok_and(|judged| !content.has_signature(&judged.safe_tx_hash, &judged.owner)),
        Body::FaultProof(FaultProof { first, .. }) => {
            let accused = first.event();
            let known = machine.shared.known(&(accused.author, accused.epoch)).and_then(|chain| chain.cut());
            known.is_none_or(|cut| accused.seq < cut)
        }
        Body::CheckpointFault(CheckpointFault { author, epoch, checkpoint, against }) => {
            let known = machine.shared.known(&(*author, *epoch));
            known.is_none_or(|chain| match against {
                Some(_) => chain.cut() != Some(Seq::new(0)),
                None => !chain.claims(checkpoint.size, &checkpoint.root.0),
            })
        }
        _ => false,
    }
}
