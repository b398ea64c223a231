//! Who holds an object, as members' own words have it.

use watchfire_bundle::{Outcome, verify};
use watchfire_types::Body;
use watchfire_types::body::{AccessAction, Custodian, EvidenceAccessed};

use crate::fixture::{Story, charter, human};
use crate::hostile::manifest;

/// What is said of the first object's custody after these acts of the second member.
fn custody(acts: &[AccessAction]) -> (Outcome, String) {
    let mut story = Story::whole();
    let collected = manifest(&story);
    let object = collected.items[0].object;
    for action in acts {
        story.authors[1].says(Body::EvidenceAccessed(EvidenceAccessed {
            incident: collected.incident,
            action: *action,
            objects: vec![object],
            by: Custodian::Human(human()),
            from: None,
            detail: String::new(),
            custody: collected.custody.clone(),
        }));
    }
    let report = verify(&story.bundle(), Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let of = report.checks.into_iter().find(|check| check.name == "custody" && check.subject == object.to_string());
    let check = of.unwrap();
    (check.outcome, check.detail)
}

/// Who disposed of a copy holds none, until it has one again.
#[test]
fn what_was_disposed_of_is_held_no_more() {
    use AccessAction::{Copied, Disposed, Exported, Read};
    let says = |others: u8| format!("{others} other organisation(s) hold it");
    for (acts, outcome, others) in [
        (&[][..], Outcome::Holds, 2),
        (&[Disposed], Outcome::Open, 1),
        (&[Disposed, Read, Exported], Outcome::Open, 1),
        (&[Disposed, Copied], Outcome::Holds, 2),
    ] {
        let (found, detail) = custody(acts);
        assert!(found == outcome && detail.contains(&says(others)), "{acts:?}: {found:?} {detail}");
    }
}
