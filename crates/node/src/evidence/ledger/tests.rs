//! Who is to copy what, from whom, and for how long nobody else is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::B256;
use watchfire_types::body::AccessAction;

use super::*;
use crate::evidence::fixture::{accessed, charter, collected, fetched, incident, key};

const NAMES: [&str; 5] = ["alder-1", "birch-1", "cedar-1", "dogwood-1", "elm-1"];

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
}

fn ledger(member: u8) -> Ledger {
    Ledger::new(&charter(), NAMES[usize::from(member) - 1].parse().unwrap(), key(member))
}

fn everyone() -> BTreeSet<MemberKey> {
    (1..=5).map(key).collect()
}

fn due(ledger: &mut Ledger, seconds: u64) -> Vec<(Key, Due)> {
    ledger.due(at(seconds), &everyone(), &BTreeSet::new(), &BTreeSet::new(), |of| *of == incident(1))
}

/// The members among these whose copy of the object is due.
fn takers(object: B256, events: &[Verified<Event>], seconds: u64) -> Vec<u8> {
    let takes = |member: &u8| {
        let mut ledger = ledger(*member);
        events.iter().for_each(|event| ledger.note(event, &charter(), at(0)));
        if ledger.own().any(|held| held == object) {
            ledger.kept(object);
        }
        due(&mut ledger, seconds).iter().any(|(key, _)| key.1 == object)
    };
    (2..=5).filter(takes).collect()
}

/// Goal: two of four others copy, the same two by everyone's reckoning; one more for each turn that passes without; nobody once three
/// organisations hold it; another in the place of one that disposed of it, never that one.
#[test]
fn two_other_organisations_copy() {
    let object = B256::repeat_byte(1);
    let made = collected(1, incident(1), &[object], 10);
    let first = takers(object, std::slice::from_ref(&made), 0);
    assert_eq!(first.len(), 2);
    assert_eq!(takers(object, std::slice::from_ref(&made), 10).len(), 3);
    assert_eq!(takers(object, std::slice::from_ref(&made), 20).len(), 4);
    let copied = |member| accessed(member, incident(1), AccessAction::Copied, object);
    let whole = [made.clone(), copied(first[0]), copied(first[1])];
    assert_eq!(takers(object, &whole, 100), Vec::<u8>::new());
    let mut gone = whole.to_vec();
    gone.push(accessed(first[0], incident(1), AccessAction::Disposed, object));
    let next = takers(object, &gone, 0);
    assert!(!next.contains(&first[0]) && next.len() <= 1, "{next:?}");
    assert_eq!(takers(object, &gone, 100), (2..=5).filter(|member| !first.contains(member)).collect::<Vec<_>>());
    assert_eq!(takers(object, &[collected(1, incident(2), &[object], 10)], 100), Vec::<u8>::new(), "no such incident");
}

/// Goal: who gave nothing is asked after the others, who gave a wrong copy not at all for a minute.
#[test]
fn another_holder_is_asked() {
    let object = B256::repeat_byte(1);
    let mut ledger = ledger(5);
    ledger.note(&collected(1, incident(1), &[object], 10), &charter(), at(0));
    ledger.note(&accessed(2, incident(1), AccessAction::Copied, object), &charter(), at(0));
    let from = |ledger: &mut Ledger, seconds| match due(ledger, seconds).as_slice() {
        [(_, Due::Fetch(from))] => Some(*from),
        [] => None,
        other => panic!("{other:?}"),
    };
    let first = from(&mut ledger, 30).unwrap();
    ledger.failed(first, &object, Failure::NoAnswer, at(30));
    let second = from(&mut ledger, 30).unwrap();
    assert_ne!(first, second);
    ledger.failed(second, &object, Failure::Wrong, at(30));
    assert_eq!(from(&mut ledger, 31), Some(first));
    ledger.failed(first, &object, Failure::Wrong, at(31));
    assert_eq!(from(&mut ledger, 89), None);
    assert!(from(&mut ledger, 92).is_some());
}

/// Goal: members' events come in any order, and who holds or gave up an object is the same in each.
#[test]
fn a_copy_may_be_told_before_its_manifest() {
    let object = B256::repeat_byte(1);
    let made = collected(1, incident(1), &[object], 10);
    let copied = accessed(2, incident(1), AccessAction::Copied, object);
    let disposed = [AccessAction::Copied, AccessAction::Disposed].map(|of| accessed(3, incident(1), of, object));
    let orders = [[&made, &copied, &disposed[0], &disposed[1]], [&copied, &disposed[0], &disposed[1], &made]];
    for order in orders {
        let mut ledger = ledger(5);
        order.into_iter().for_each(|event| ledger.note(event, &charter(), at(0)));
        let entry = ledger.get(&(incident(1), object)).unwrap();
        assert_eq!(entry.holders.keys().copied().collect::<BTreeSet<_>>(), [key(1), key(2)].into());
        assert_eq!((entry.organisations.len(), &entry.disposed), (2, &[key(3)].into()));
    }
}

/// Goal: what is here for one incident is only said for another one; what is lost is fetched again.
#[test]
fn one_object_serves_several_incidents() {
    let object = B256::repeat_byte(1);
    let mut ledger = ledger(5);
    ledger.note(&collected(5, incident(2), &[object], 10), &charter(), at(0));
    ledger.kept(object);
    ledger.note(&collected(1, incident(1), &[object], 10), &charter(), at(0));
    assert_eq!(due(&mut ledger, 30), [((incident(1), object), Due::Say)]);
    ledger.note(&accessed(5, incident(1), AccessAction::Copied, object), &charter(), at(0));
    assert_eq!(due(&mut ledger, 30), []);
    ledger.lost(&object);
    assert_eq!(due(&mut ledger, 30), [((incident(1), object), Due::Fetch(key(1)))]);
    ledger.kept(object);
    ledger.note(&accessed(5, incident(1), AccessAction::Disposed, object), &charter(), at(0));
    ledger.lost(&object);
    assert!(!due(&mut ledger, 30).iter().any(|(key, _)| key.0 == incident(1)), "what was disposed of came back");
}

/// Goal: a member that announces more than an incident may hold is copied up to the bound, and a lack of copies is told once for a block.
#[test]
fn claims_and_lateness_are_bounded() {
    let objects: Vec<B256> = (1..=20).map(B256::with_last_byte).collect();
    let mut other = ledger(5);
    let size = INCIDENT_BYTES_MAX / 8;
    other.note(&collected(1, incident(1), &objects, size), &charter(), at(0));
    let open = other.open.len();
    assert_eq!(open, 8);
    let mut own = ledger(1);
    own.note(&collected(1, incident(1), &objects, 1), &charter(), at(0));
    objects.iter().for_each(|object| own.kept(*object));
    assert_eq!(own.bytes(&incident(1)), 20);
    assert_eq!(own.late(at(60)), []);
    let late = own.late(at(61));
    assert_eq!(late.iter().map(|late| (late.objects.len(), late.organisations)).collect::<Vec<_>>(), [(20, 1)]);
    assert_eq!(own.late(at(1_000)), []);
    assert_eq!(own.copied(&incident(1)), (20, false));
}

/// Goal: a word is no copy. Who has none when asked counts no longer, others take its place, and who gives one counts again.
#[test]
fn who_gives_nothing_is_no_holder() {
    let object = B256::repeat_byte(1);
    let mut ledger = ledger(5);
    ledger.note(&collected(1, incident(1), &[object], 10), &charter(), at(0));
    ledger.kept(object);
    for liar in [2, 3] {
        ledger.note(&accessed(liar, incident(1), AccessAction::Copied, object), &charter(), at(0));
    }
    assert_eq!(ledger.copied(&incident(1)), (1, true));
    for failure in [Failure::NoAnswer, Failure::Absent, Failure::Wrong] {
        ledger.failed(key(2), &object, failure, at(1));
        assert_eq!(ledger.copied(&incident(1)), (1, failure == Failure::NoAnswer), "{failure:?}");
    }
    ledger.gave(key(2), &object);
    assert_eq!(ledger.copied(&incident(1)), (1, true));
}

/// Goal: only what this member handed out counts as exported from here: another's export is no archive of this one's.
#[test]
fn anothers_export_is_not_the_own() {
    let object = B256::repeat_byte(1);
    let mut ledger = ledger(5);
    ledger.note(&collected(1, incident(1), &[object], 10), &charter(), at(0));
    for (member, exported) in [(1, false), (5, true)] {
        ledger.note(&accessed(member, incident(1), AccessAction::Exported, object), &charter(), at(0));
        assert_eq!(ledger.get(&(incident(1), object)).unwrap().exported, exported, "by {member}");
    }
}

fn objects(from: u64, count: u64) -> Vec<B256> {
    (from..from + count).map(|number| B256::from(alloy::primitives::U256::from(number))).collect()
}

/// Goal: whatever a member says, no more is known of it than the bounds, nothing of it is looked at for incidents that nobody found, and what
/// others collected is served as ever.
#[test]
fn inventions_are_bounded() {
    let mut ledger = ledger(5);
    let say = |ledger: &mut Ledger, member: u8, of: IncidentId, from: u64, count: u64| {
        for chunk in objects(from, count).chunks(32) {
            ledger.note(&collected(member, of, chunk, 0), &charter(), at(0));
        }
    };
    say(&mut ledger, 3, incident(1), 0, INCIDENT_OBJECTS_MAX + 100);
    assert_eq!(ledger.copied(&incident(1)).0 as u64, INCIDENT_OBJECTS_MAX);
    for number in 0..17_u8 {
        say(&mut ledger, 1, IncidentId::from_bytes([0x70 + number; 32]), 1 << 20, 4_000);
    }
    assert_eq!(ledger.made[&key(1)], OBJECTS_MAX);
    let honest = B256::repeat_byte(0xee);
    ledger.note(&collected(4, incident(1), &[honest], 10), &charter(), at(0));
    assert!(due(&mut ledger, 1_000).contains(&((incident(1), honest), Due::Fetch(key(4)))));
    assert!(due(&mut ledger, 1_000).iter().all(|((of, _), _)| *of == incident(1)));
}

/// Goal: that a member had an object is said once for both, over restarts, whoever says what; nothing is said of what is not here.
#[test]
fn a_fetch_is_said_once() {
    let object = B256::repeat_byte(1);
    let restarted = |said: Option<Verified<Event>>| {
        let mut ledger = ledger(1);
        ledger.note(&collected(1, incident(1), &[object], 10), &charter(), at(0));
        said.iter().for_each(|event| ledger.note(event, &charter(), at(0)));
        assert!(!ledger.asked_for(object, key(2)), "it is not here");
        ledger.kept(object);
        ledger
    };
    let mut first = restarted(None);
    assert!(first.asked_for(object, key(2)) && !first.asked_for(object, key(2)));
    assert!(first.asked_for(object, key(3)), "another member's is its own");
    let mut later = restarted(Some(fetched(1, incident(1), "birch-1", object)));
    assert!(!later.asked_for(object, key(2)) && later.asked_for(object, key(3)));
    let mut lied_to = restarted(Some(fetched(4, incident(1), "birch-1", object)));
    assert!(lied_to.asked_for(object, key(2)), "another one's word is about that one's store");
}

/// Goal: whoever names an object first, with a size that it has not, stops no copy, blames nobody who holds it, and hides nobody's miss; the clock of
/// another collector keeps nothing from being disposed of.
#[test]
fn one_collectors_falsehood_is_its_own() {
    let object = B256::repeat_byte(1);
    for false_size in [11, 1 << 63] {
        let mut ledger = ledger(2);
        let lie = collected(1, incident(1), &[object], false_size);
        let truth = collected(3, incident(1), &[object], 10);
        [&lie, &truth].into_iter().for_each(|event| ledger.note(event, &charter(), at(0)));
        let copied = accessed(4, incident(1), AccessAction::Copied, object);
        assert_eq!(
            (ledger.sizes(&object, &key(1)), ledger.sizes(&object, &key(3))),
            ([false_size].into(), [10].into())
        );
        ledger.note(&copied, &charter(), at(0));
        assert!(ledger.sizes(&object, &key(4)).contains(&10), "a copy may be as large as any collector says");
        assert!(ledger.is_collector(&object, &key(3)) && !ledger.is_collector(&object, &key(4)));
    }
    let mut ledger = ledger(3);
    ledger.note(&collected(1, incident(1), &[object], 1 << 63), &charter(), at(0));
    assert_eq!(due(&mut ledger, 100), [], "what is beyond all bounds is copied by nobody");
    ledger.note(&collected(3, incident(1), &[object], 10), &charter(), at(0));
    ledger.kept(object);
    assert_eq!(ledger.bytes(&incident(1)), 10);
    let late: Vec<Vec<B256>> = ledger.late(at(100)).into_iter().map(|late| late.objects).collect();
    assert_eq!(late, [vec![object]]);
    let mine = ledger.get(&(incident(1), object)).unwrap().at;
    let mut later = collected(4, incident(1), &[object], 10).body.clone();
    let Body::EvidenceCollected(manifest) = &mut later else { panic!("a manifest") };
    manifest.items[0].at = at(1 << 40);
    ledger.note(&crate::evidence::fixture::said(4, later), &charter(), at(0));
    assert_eq!(ledger.get(&(incident(1), object)).unwrap().at, mine, "another's clock is its own");
}

/// Goal: an act on an object is said in the incidents that exist and where this member said that it holds it, in whatever others it is named.
#[test]
fn invented_incidents_are_no_cases() {
    let object = B256::repeat_byte(1);
    let mut ledger = ledger(1);
    (1..=9).for_each(|of| ledger.note(&collected(2, incident(of), &[object], 10), &charter(), at(0)));
    ledger.note(&accessed(1, incident(4), AccessAction::Copied, object), &charter(), at(0));
    let cases = ledger.cases_of(&object, &[incident(7)].into());
    assert_eq!(cases.iter().map(|(of, _)| *of).collect::<Vec<_>>(), [incident(4), incident(7)]);
    assert_eq!(ledger.cases_of(&B256::ZERO, &(1..=9).map(incident).collect()), []);
}
