//! What a drawing of one run shows, noted while it is played. Noting decides nothing: a run with a sketch has the trace of one without.

use std::rc::Rc;

use watchfire_types::{Body, Event};

use super::adversary::event_in;
use super::agenda::Micros;
use super::world::Message;

/// Most of each kind that is drawn; a picture of more shows nothing.
const MARKS_MAX: usize = 6_000;
const ARROWS_MAX: usize = 6_000;

/// What a mark or an arrow is about: its colour and legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Finding,
    Vote,
    Veto,
    Certificate,
    Signature,
    Submission,
    Execution,
    Fault,
    Life,
}

impl Tone {
    pub(crate) const ALL: [Self; 9] = [
        Self::Finding,
        Self::Vote,
        Self::Veto,
        Self::Certificate,
        Self::Signature,
        Self::Submission,
        Self::Execution,
        Self::Fault,
        Self::Life,
    ];

    /// Class in the drawing, and word in its legend.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Vote => "vote",
            Self::Veto => "veto",
            Self::Certificate => "certificate",
            Self::Signature => "signature",
            Self::Submission => "submission",
            Self::Execution => "execution",
            Self::Fault => "fault",
            Self::Life => "start",
        }
    }

    /// Of an event; `None` for what a drawing leaves out.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        Some(match &event.body {
            Body::Finding(_) | Body::Retracted(_) => Self::Finding,
            Body::Vote(_) => Self::Vote,
            Body::Veto(_) => Self::Veto,
            Body::Certificate(_) => Self::Certificate,
            Body::CoSignature(_) => Self::Signature,
            Body::Submitted(_) => Self::Submission,
            Body::Executed(_) | Body::PostconditionChecked(_) | Body::NotContained(_) => Self::Execution,
            Body::FaultProof(_) | Body::CheckpointFault(_) => Self::Fault,
            Body::Started(_) => Self::Life,
            _ => return None,
        })
    }
}

/// Something at one node.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) at: Micros,
    pub(crate) place: usize,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Arrow {
    pub(crate) tone: Tone,
    pub(crate) from: (usize, Micros),
    pub(crate) to: (usize, Micros),
    pub(crate) lost: bool,
}

/// A block.
#[derive(Debug)]
pub(crate) struct Mined {
    pub(crate) at: Micros,
    pub(crate) number: u64,
    pub(crate) text: Vec<String>,
    pub(crate) paused: bool,
}

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    pub(crate) marks: Vec<Mark>,
    pub(crate) arrows: Vec<Arrow>,
    pub(crate) blocks: Vec<Mined>,
    /// Faults and people, each a line.
    pub(crate) acts: Vec<(Micros, String)>,
}

impl Sketch {
    pub(crate) fn event(&mut self, at: Micros, place: usize, event: &Event) {
        if let Some(tone) = Tone::of(event).filter(|_| self.marks.len() < MARKS_MAX) {
            let detail = match &event.body {
                Body::Vote(vote) => format!(" for step {}, evidence block {}", vote.step, vote.evidence.number),
                Body::Certificate(certificate) => {
                    format!(" {:?}, {} votes", certificate.purpose, certificate.votes.len())
                }
                Body::CoSignature(signed) => format!(" at nonce {}", signed.transaction.nonce),
                Body::Finding(finding) => format!(" {}: {}", finding.severity, finding.explanation),
                Body::NotContained(stated) => format!(" {:?}", stated.cause),
                _ => String::new(),
            };
            let text = format!("{}{detail}", event.body.kind());
            self.marks.push(Mark { at, place, tone, text });
        }
    }

    pub(crate) fn message(&mut self, from: (usize, Micros), to: (usize, Micros), message: &Rc<Message>, lost: bool) {
        if self.arrows.len() >= ARROWS_MAX {
            return;
        }
        if let Some(tone) = event_in(&message.bytes).as_ref().and_then(Tone::of) {
            self.arrows.push(Arrow { tone, from, to, lost });
        }
    }
}
