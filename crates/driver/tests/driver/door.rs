//! What strangers send: verdicts, and no change.

use watchfire_driver::{Door, Driver, HeartbeatFacts, Keys, Output, Refusal};
use watchfire_journal::MemoryStorage;
use watchfire_protocol::Rejection;
use watchfire_types::body::{Body, Human, Started};
use watchfire_types::input::{HumanAct, Input};
use watchfire_types::{Bytes, Epoch, Event, EventHash, NetworkId, Seq, Timestamp, Unverified, Verdict, VerifyError};
use watchfire_wire::{Envelope, WireError, seal};

use crate::world::{TestKeys, charter, gossip, open};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);

fn driver() -> Driver<MemoryStorage, TestKeys> {
    open(&charter(), 0, MemoryStorage::new(), 0x77, NOW).0
}

fn started() -> Body {
    Body::Started(Started {
        earlier: Vec::new(),
        charter_version: charter().version,
        charter_digest: charter().digest(),
        software: "test".into(),
    })
}

fn event(keys: &TestKeys, network: NetworkId, time: Timestamp) -> Unverified {
    let event = Event {
        network,
        author: keys.author(),
        epoch: Epoch::from_bytes([5; 16]),
        seq: Seq::new(0),
        prev: EventHash::from_bytes([0; 32]),
        time,
        body: started(),
    };
    seal(&event, |input| keys.sign(input)).unwrap()
}

fn say(driver: &mut Driver<MemoryStorage, TestKeys>, bytes: Bytes) -> (Verdict, Option<Refusal>, Output) {
    let mut output = driver.handle(NOW, vec![Door::Gossip { id: 7, bytes }]).unwrap();
    let (id, verdict, refusal) = output.verdicts.remove(0);
    assert_eq!(id, 7);
    (verdict, refusal, output)
}

/// A list of messages with their verdicts; each leaves the shared state and the log as they were.
#[test]
fn what_is_refused_changes_nothing() {
    let mut driver = driver();
    let network = charter().network_id();
    let before = (driver.machine().state_digest(), driver.events());
    let foreign = event(&TestKeys::of(1), NetworkId::from_bytes([1; 32]), NOW);
    let stranger = TestKeys { node: ed25519_dalek::SigningKey::from_bytes(&[0xee; 32]), ..TestKeys::of(1) };
    let mut forged = event(&TestKeys::of(1), network, NOW).outer().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let future = event(&TestKeys::of(1), network, NOW.plus_millis(120_000));
    let cases: [(&str, Bytes, Verdict); 6] = [
        ("garbage", Bytes::from_static(b"\xff\xff\xff"), Verdict::Reject),
        ("oversized", Bytes::from(vec![0; 70_000]), Verdict::Reject),
        ("foreign network", gossip(foreign.outer()), Verdict::Reject),
        ("forged signature", gossip(&forged.into()), Verdict::Reject),
        ("unknown author", gossip(event(&stranger, network, NOW).outer()), Verdict::Ignore),
        ("from the future", gossip(future.outer()), Verdict::Ignore),
    ];
    for (name, bytes, expected) in cases {
        let (verdict, refusal, output) = say(&mut driver, bytes);
        assert_eq!(verdict, expected, "{name}: {refusal:?}");
        assert!(output.appended.is_empty() && output.publish.is_empty(), "{name}");
        assert_eq!((driver.machine().state_digest(), driver.events()), before, "{name}");
        let expected_cause = match name {
            "garbage" => matches!(refusal, Some(Refusal::Wire(WireError::Malformed { .. }))),
            "oversized" => matches!(refusal, Some(Refusal::Wire(WireError::TooLarge { .. }))),
            "foreign network" => matches!(refusal, Some(Refusal::Signature(VerifyError::ForeignNetwork { .. }))),
            "forged signature" => matches!(refusal, Some(Refusal::Signature(VerifyError::BadSignature { .. }))),
            "unknown author" => matches!(refusal, Some(Refusal::Protocol(Rejection::UnknownAuthor { .. }))),
            _ => matches!(refusal, Some(Refusal::Protocol(Rejection::Future { .. }))),
        };
        assert!(expected_cause, "{name}: {refusal:?}");
    }
    assert!(driver.signing_stopped().is_none(), "no remote data stops the node from signing");
}

/// The first copy is taken, every further one is ignored, whichever way it comes.
#[test]
fn duplicates_change_nothing() {
    let mut driver = driver();
    let event = event(&TestKeys::of(1), charter().network_id(), NOW);
    let (verdict, refusal, output) = say(&mut driver, gossip(event.outer()));
    assert_eq!((verdict, refusal), (Verdict::Accept, None));
    assert_eq!(driver.events(), 2, "own Started and this one");
    assert!(output.publish.is_empty(), "another's event is forwarded by the verdict, not published");
    let after = (driver.machine().state_digest(), driver.events());
    let (verdict, refusal, _) = say(&mut driver, gossip(event.outer()));
    assert_eq!((verdict, refusal), (Verdict::Ignore, Some(Refusal::Protocol(Rejection::Duplicate))));
    let from = TestKeys::of(2).author();
    let again = Door::CaughtUp { from, events: vec![event.outer().clone(), Bytes::from_static(b"x")] };
    let output = driver.handle(NOW, vec![again]).unwrap();
    let caught_up = &output.caught_up[0];
    assert_eq!((caught_up.taken, caught_up.held, caught_up.refused), (0, 1, 1));
    assert_eq!((driver.machine().state_digest(), driver.events()), after);
}

/// Heartbeats are taken newest first, from members only, and never enter the log.
#[test]
fn heartbeats_stay_outside_the_log() {
    let mut here = driver();
    let (there, _) = open(&charter(), 1, MemoryStorage::new(), 0x78, NOW);
    let facts = || HeartbeatFacts { alarms: vec!["rpc silent".into()], ..HeartbeatFacts::default() };
    let older = there.heartbeat(NOW, facts()).unwrap();
    let newer = there.heartbeat(NOW.plus_millis(5), facts()).unwrap();
    let before = (here.machine().state_digest(), here.events());
    let (verdict, _, output) = say(&mut here, newer.clone());
    assert_eq!((verdict, output.heartbeats.len()), (Verdict::Accept, 1));
    for stale in [newer.clone(), older] {
        let (verdict, refusal, _) = say(&mut here, stale);
        assert_eq!(verdict, Verdict::Ignore);
        assert!(matches!(refusal, Some(Refusal::StaleHeartbeat { .. })));
    }
    let Envelope::Heartbeat(inner) = Envelope::decode(&newer).unwrap() else { panic!("a heartbeat") };
    let mut forged = inner.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut fresh = driver();
    let (verdict, _, _) = say(&mut fresh, Envelope::Heartbeat(forged.into()).encode());
    assert_eq!(verdict, Verdict::Reject);
    assert_eq!((here.machine().state_digest(), here.events()), before);
    assert_eq!(here.heartbeats().len(), 1);
}

/// A human's act is answered with the events it became, or with why it was refused.
#[test]
fn human_acts_are_answered() {
    let mut driver = driver();
    let human = Human { person: "p1".into(), role: "lead".into(), reason: "seen".into() };
    let act = HumanAct::Approve {
        asset: "vault-core".parse().unwrap(),
        playbook: "no-such".parse().unwrap(),
        step: watchfire_types::StepIndex::new(1),
        human,
    };
    let output = driver.handle(NOW, vec![Door::Input(Input::Tick), Door::Input(Input::Human(act))]).unwrap();
    assert_eq!(output.answers[0].result, Ok(Vec::new()));
    assert_eq!(output.answers[1].door, 1);
    assert!(output.answers[1].result.is_err());
    let event = event(&TestKeys::of(1), charter().network_id(), NOW).verify(charter().network_id()).unwrap();
    let output = driver.handle(NOW, vec![Door::Input(Input::Received(Box::new(event)))]).unwrap();
    assert!(output.answers[0].result.is_err() && output.appended.is_empty(), "events come as bytes only");
}
