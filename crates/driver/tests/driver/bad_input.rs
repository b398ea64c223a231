//! Each bad input that a member can send, by its name: what is answered, and that nothing is lost or grows by it.

use watchfire_driver::{Door, Driver, Keys, Refusal};
use watchfire_journal::MemoryStorage;
use watchfire_protocol::Rejection;
use watchfire_types::body::{Basis, Body, Decision, Vote};
use watchfire_types::{
    BlockRef, BlockTime, Bytes, ChainId, CharterVersion, EventHash, NetworkId, Seq, StepIndex, Timestamp, Verdict,
    VerifyError,
};
use watchfire_wire::{Envelope, WireError, bounds};

use crate::forge::{Author, note, started};
use crate::world::{TestKeys, charter, gossip, open};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);

type MemoryDriver = Driver<MemoryStorage, TestKeys>;

fn node() -> MemoryDriver {
    open(&charter(), 0, MemoryStorage::new(), 0x70, NOW).0
}

fn say(driver: &mut MemoryDriver, bytes: Bytes) -> (Verdict, Option<Refusal>) {
    let output = driver.handle(NOW, vec![Door::Gossip { id: 1, bytes }]).unwrap();
    assert!(driver.signing_stopped().is_none(), "no remote data stops the node from signing");
    let (_, verdict, refusal) = output.verdicts.into_iter().next().unwrap();
    (verdict, refusal)
}

fn vote(version: u32, number: u64) -> Body {
    let hash = watchfire_types::B256::repeat_byte(7);
    Body::Vote(Vote {
        decision: Decision {
            version: CharterVersion::new(version),
            asset: "vault-core".parse().unwrap(),
            playbook: "no-such-playbook".parse().unwrap(),
        },
        step: StepIndex::new(2),
        basis: Basis::Finding(EventHash::from_bytes([9; 32])),
        operator: "op-of-tomorrow".parse().unwrap(),
        evidence: BlockRef { chain: ChainId::new(31_337), number, hash, time: BlockTime::from_secs(1_700_000_000) },
    })
}

/// A decision under a charter version that is not known here cannot be judged here: it is kept and chained, counts for nothing, is not
/// forwarded, and never speaks against who handed it over. The author's own quota bounds how many there are.
#[test]
fn an_unknown_charter_version_is_kept_and_never_rejected() {
    let mut here = node();
    let mut author = Author::new(1, [5; 16], NOW);
    say(&mut here, gossip(author.say(started(Vec::new())).outer()));
    let known = author.clone().say(vote(1, 1));
    assert_eq!(
        say(&mut here, gossip(known.outer())).0,
        Verdict::Reject,
        "under the version adopted here it is refused"
    );
    for number in 0..1_200 {
        let outer = author.say(vote(2, number)).outer().clone();
        let (verdict, refusal) = say(&mut here, gossip(&outer));
        assert_eq!(verdict, Verdict::Ignore);
        // It speaks every millisecond: two positions more for each thousand.
        let seq = author.next.get() - 1;
        let held = seq <= 1_000 + seq / 1_000 * 2;
        assert_eq!(refusal.is_none(), held, "{refusal:?}");
    }
    let head = here.machine().heads()[&(author.key(), author.epoch)].0;
    assert_eq!(head, Seq::new(1_002), "kept and chained, up to the quota");
    assert!(here.machine().decisions().is_empty(), "counts for nothing");
}

/// An event whose predecessor is missing waits for it, bounded, and is not named as held; when the predecessor comes by any way both are.
#[test]
fn a_gap_waits_for_what_is_missing() {
    let mut here = node();
    let mut author = Author::new(1, [5; 16], NOW);
    let first = author.say(started(Vec::new()));
    let missing = author.say(note("missing"));
    say(&mut here, gossip(first.outer()));
    let mut waiting = Vec::new();
    for n in 0..900 {
        let event = author.say(note(&n.to_string()));
        assert_eq!(say(&mut here, gossip(event.outer())), (Verdict::Accept, None));
        waiting.push(event);
    }
    let key = (author.key(), author.epoch);
    assert_eq!(here.machine().heads()[&key].0, Seq::new(0), "nothing above the gap is named as held");
    let from = TestKeys::of(2).author();
    let output = here.handle(NOW, vec![Door::CaughtUp { from, events: vec![missing.outer().clone()] }]).unwrap();
    assert_eq!(output.caught_up[0].taken, 1);
    assert_eq!(here.machine().heads()[&key].0, Seq::new(901));
    // Without an end: what waits is bounded, and the rest is ignored, not held against anybody.
    let mut far = Author::new(2, [6; 16], Timestamp::from_millis(NOW.as_millis() - 36_000_000));
    say(&mut here, gossip(far.say(started(Vec::new())).outer()));
    far.say(note("missing"));
    far.time = NOW;
    let mut taken = 0;
    for n in 0..1_100 {
        let (verdict, refusal) = say(&mut here, gossip(far.say(note(&n.to_string())).outer()));
        taken += usize::from(refusal.is_none());
        if let Some(refusal) = refusal {
            assert!(matches!(refusal, Refusal::Protocol(Rejection::TooManyWaiting { waiting: 1_024, .. })));
            assert_eq!(verdict, Verdict::Ignore);
        }
    }
    assert_eq!(taken, 1_024);
}

/// From more than 60 s ahead an event waits: ignored now, taken from catch-up when its time has come. At 60 s it is taken at once.
#[test]
fn a_future_timestamp_waits() {
    let mut here = node();
    let mut author = Author::new(1, [5; 16], NOW.plus_millis(60_000));
    let allowed = author.say(started(Vec::new()));
    let ahead = author.say(note("ahead"));
    assert_eq!(say(&mut here, gossip(allowed.outer())), (Verdict::Accept, None));
    let refused = Refusal::Protocol(Rejection::Future { ahead_ms: 60_001 });
    assert_eq!(say(&mut here, gossip(ahead.outer())), (Verdict::Ignore, Some(refused)));
    let (from, events) = (TestKeys::of(2).author(), vec![ahead.outer().clone()]);
    let output = here.handle(NOW.plus_millis(1), vec![Door::CaughtUp { from, events }]).unwrap();
    assert_eq!(output.caught_up[0].taken, 1);
}

/// A stranger's event is ignored before its signature is looked at: another node may know the author.
#[test]
fn an_unknown_author_is_ignored() {
    let mut here = node();
    let mut stranger = Author::new(1, [5; 16], NOW);
    stranger.keys.node = ed25519_dalek::SigningKey::from_bytes(&[0xee; 32]);
    let mut outer = stranger.say(started(Vec::new())).outer().to_vec();
    *outer.last_mut().unwrap() ^= 1;
    let refused = Refusal::Protocol(Rejection::UnknownAuthor { author: stranger.key() });
    assert_eq!(say(&mut here, gossip(&outer.into())), (Verdict::Ignore, Some(refused)));
    assert_eq!(here.events(), 1);
}

/// Bytes over a bound, and bytes of another network, are refused by every honest node: Reject, from the bytes alone.
#[test]
fn oversized_and_foreign_bytes_are_rejected() {
    let mut here = node();
    let over = Envelope::Event(Bytes::from(vec![0x0a; bounds::MAX_EVENT + 1])).encode();
    let (verdict, refusal) = say(&mut here, over);
    assert_eq!(verdict, Verdict::Reject);
    assert!(matches!(refusal, Some(Refusal::Wire(WireError::TooLarge { .. }))), "{refusal:?}");
    let author = Author::new(1, [5; 16], NOW);
    let foreign = NetworkId::from_bytes([1; 32]);
    let body = started(Vec::new());
    let event = watchfire_types::Event {
        network: foreign,
        author: author.key(),
        epoch: author.epoch,
        seq: Seq::new(0),
        prev: EventHash::from_bytes([0; 32]),
        time: NOW,
        body,
    };
    let sealed = watchfire_wire::seal(&event, |input| author.keys.sign(input)).unwrap();
    let (verdict, refusal) = say(&mut here, gossip(sealed.outer()));
    assert_eq!(verdict, Verdict::Reject);
    assert!(matches!(refusal, Some(Refusal::Signature(VerifyError::ForeignNetwork { .. }))), "{refusal:?}");
    assert_eq!(here.events(), 1);
}
