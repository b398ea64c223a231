//! Who holds an object, as members' own words have it.

use alloy_primitives::B256;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, verify};
use watchfire_types::body::{AccessAction, Custodian, EvidenceAccessed};
use watchfire_types::{Body, Bytes, IncidentId};
use watchfire_wire::bundle::Bundle;

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

/// What lies beside the evidence, and what another incident's manifest names, is not in the bundle: nobody would know where it came from.
#[test]
fn what_no_event_announced_is_left_out() {
    let mut story = Story::whole();
    let mut elsewhere = manifest(&story);
    let (stray, other) = (Bytes::from_static(b"{\"result\":[]}"), Bytes::from_static(b"{\"result\":{}}"));
    let [unnamed, foreign] = [&stray, &other].map(|content| B256::from_slice(&Sha256::digest(content)));
    elsewhere.incident = IncidentId::from_bytes([9; 32]);
    elsewhere.items.truncate(1);
    elsewhere.items[0].object = foreign;
    elsewhere.asset = "vault-other".parse().unwrap();
    story.authors[4].says(Body::EvidenceCollected(elsewhere));
    let before: Vec<B256> = Bundle::decode(&story.bundle()).unwrap().objects.iter().map(|held| held.digest).collect();
    story.objects.extend([(unnamed, stray), (foreign, other)]);
    let after: Vec<B256> = Bundle::decode(&story.bundle()).unwrap().objects.iter().map(|held| held.digest).collect();
    assert_eq!(after, before);
    assert!(!after.contains(&unnamed) && !after.contains(&foreign));
}
