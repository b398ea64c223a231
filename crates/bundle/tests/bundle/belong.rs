//! The rule of what belongs, and which stretch of each chain is taken.

use watchfire_bundle::{BuildError, Outcome, verify};
use watchfire_types::Body;
use watchfire_types::body::{Certificate, CloseVote, HumanStatement, Purpose};
use watchfire_types::{IncidentId, Verified};
use watchfire_wire::bundle::Bundle;

use crate::fixture::{Story, block, charter, decision, human};

fn close(story: &mut Story, number: u64) {
    let body =
        || Body::CloseVote(CloseVote { decision: decision(), closed_at: block(number), outcome: None, human: human() });
    let votes: Vec<_> = story.authors.iter_mut().take(3).map(|author| author.says(body()).to_unverified()).collect();
    let purpose = Purpose::Close(block(number).time);
    story.authors[1].says(Body::Certificate(Certificate { decision: decision(), purpose, votes }));
}

/// Words about another incident before and after are not taken; those between are, so that nothing between can hide.
#[test]
fn segments_end_with_what_belongs() {
    let mut story = Story::whole();
    let other = IncidentId::from_bytes([7; 32]);
    let word = |incident| Body::Note(HumanStatement { incident, human: human() });
    story.authors[3].says(word(other));
    let incident = story.incident();
    story.authors[3].says(word(incident));
    let after = story.authors[3].says(word(other));
    let file = story.bundle();
    let report = verify(&file, Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let bundle = Bundle::decode(&file).unwrap();
    let all: Vec<_> = bundle.segments.iter().flat_map(|segment| &segment.events).chain(&bundle.further).collect();
    assert!(!all.contains(&after.outer()));
    let open: Vec<_> = report.checks.iter().filter(|check| check.outcome == Outcome::Open).collect();
    // The last words are newer than the author's checkpoint.
    assert_eq!(open.iter().map(|check| check.name).collect::<Vec<_>>(), ["inclusion"], "{open:?}");
}

/// After a close the next finding is another incident; its bundle carries the close that makes it so.
#[test]
fn closes_count_generations() {
    let mut story = Story::whole();
    close(&mut story, 150);
    let late = match &story.authors[1].log[1].body {
        Body::Finding(finding) => {
            let mut finding = finding.clone();
            (finding.first, finding.block) = (block(200), block(200));
            finding
        }
        other => panic!("{other:?}"),
    };
    let late = story.authors[2].says(Body::Finding(late));
    let first = verify(&story.bundle(), Some(&charter()));
    assert!(first.holds, "{:?}", first.first_failure);
    let held = |bundle: &Bundle, event: &Verified<watchfire_types::Event>| {
        bundle.segments.iter().flat_map(|segment| &segment.events).any(|outer| outer == event.outer())
    };
    assert!(!held(&Bundle::decode(&story.bundle()).unwrap(), &late));
    story.generation = 1;
    let second = story.bundle();
    let report = verify(&second, Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let mut bundle = Bundle::decode(&second).unwrap();
    assert!(held(&bundle, &late));
    assert_eq!(report.belonging, 1, "the late finding alone");
    // Without the close the finding would be of the first incident.
    bundle.further.clear();
    let report = verify(&bundle.encode().unwrap(), Some(&charter()));
    assert_eq!(report.first_failure.unwrap().name, "incident-id");
}

/// An incident that nobody spoke of has no bundle.
#[test]
fn nothing_is_no_incident() {
    let mut story = Story::whole();
    story.generation = 4;
    let incident = story.incident();
    assert_eq!(watchfire_bundle::build(&story.parts()), Err(BuildError::NoSuchIncident { incident }));
}
