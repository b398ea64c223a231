//! Bounds that no author's claim moves: epochs, events, proofs, votes and vetoes of a liar cost others a bounded amount.

use ed25519_dalek::Signer;
use watchfire_protocol::{Draft, Rejection};
use watchfire_types::body::{Body, Certificate, EpochHead, FaultProof, Finding, Started};
use watchfire_types::*;

use crate::cluster::*;

fn note(text: &str) -> Body {
    let human = human(text);
    Body::Note(body::HumanStatement { incident: IncidentId::from_bytes([1; 32]), human })
}

/// Two events at one position, lower hash first.
fn proof(liar: &Node, seq: u64) -> FaultProof {
    let prev = EventHash::from_bytes([3; 32]);
    let mut pair = [liar.seal_at(seq, prev, note("a")), liar.seal_at(seq, prev, note("b"))];
    pair.sort_by_key(Verified::hash);
    let [first, second] = pair.map(|event| Box::new(event.to_unverified()));
    FaultProof { first, second }
}

fn started_after(charter: &watchfire_charter::Charter, earlier: Vec<EpochHead>) -> Body {
    let Body::Started(started) = started(charter) else { panic!("Started") };
    Body::Started(Started { earlier, ..started })
}

/// A proof against the liar's own fresh epoch does not let that epoch in past the limit.
#[test]
fn proofs_admit_no_epochs() {
    let charter = charter(str::to_owned);
    let (mut liar, mut b) = (Node::new(&charter, 4, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    b.receive(now, &liar.log[0].clone()).expect("the first epoch");
    let mut taken = 0;
    for epoch in 10..20 {
        let fresh = Node::new(&charter, 4, epoch);
        let told = liar.forge(Body::FaultProof(proof(&fresh, 50)));
        b.receive(now, &told).expect("a genuine proof");
        taken += usize::from(b.receive(now, &fresh.log[0]).is_ok());
    }
    assert_eq!(taken, 4, "five in ten minutes, the first included");
    assert!(b.machine.members().iter().any(|member| member.key == liar.key() && member.faulty));
}

/// A pair of a stranger's key convicts nobody here.
#[test]
fn proofs_against_strangers_are_ignored() {
    let charter = charter(str::to_owned);
    let (mut a, mut b) = (Node::new(&charter, 0, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    b.receive(now, &a.log[0].clone()).expect("Started");
    let key = ed25519_dalek::SigningKey::from_bytes(&[0x77; 32]);
    let stranger = MemberKey::from_bytes(key.verifying_key().to_bytes());
    let mut pair = ["a", "b"].map(|text| {
        let event = Event { author: stranger, ..(*a.seal_at(7, EventHash::from_bytes([3; 32]), note(text))).clone() };
        watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).expect("seals")
    });
    pair.sort_by_key(Unverified::hash);
    let [first, second] = pair.map(Box::new);
    let told = a.forge(Body::FaultProof(FaultProof { first, second }));
    let refused = b.receive(now, &told).expect_err("a stranger");
    assert_eq!(refused, Rejection::UnknownAuthor { author: stranger });
    assert_eq!(refused.verdict(), Verdict::Ignore);
}

/// However long ago an author says that it started: so many events at once, and then so many a second by the receiver's clock.
#[test]
fn the_receivers_clock_bounds_an_author() {
    let charter = charter(str::to_owned);
    let (mut a, mut b) = (Node::new(&charter, 0, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    let first = a.log[0].clone();
    b.receive(now, &first).expect("Started");
    for _ in 1..50_000 {
        b.machine.apply(&first);
    }
    let next = a.forge(note("x"));
    assert!(matches!(b.receive(now, &next), Err(Rejection::OverQuota { allowed: 50_000, .. })));
    b.receive(now.plus_millis(1_000), &next).expect("a second later");
    // A restart takes what its own log holds, whatever it is.
    let mut replayed = Node::new(&charter, 1, 3);
    for _ in 0..50_001 {
        replayed.machine.apply(&first);
    }
    replayed.receive(now, &next).expect("nothing taken since");
}

/// What the alarms say of an author's epochs does not depend on which event came first.
#[test]
fn epochs_that_overlap_or_forget_are_said() {
    let charter = charter(str::to_owned);
    let now = Timestamp::from_millis(1_700_000_000_000);
    let mut a = Node::new(&charter, 0, 1);
    a.forge(note("one"));
    let (seq, prev) = a.position();
    let mut first = vec![a.log[0].clone(), a.seal_at(1, a.log[0].hash(), note("one"))];
    first.push(a.seal_at(seq, prev, note("two")));
    let again = Node::new(&charter, 0, 2);
    let head = EpochHead { epoch: a.machine.epoch(), seq: Seq::new(0), hash: a.log[0].hash(), checkpoint: None };
    let second = again.seal_at(0, EventHash::from_bytes([0; 32]), started_after(&charter, vec![head]));
    let said = |order: &[&Verified<Event>]| {
        let mut b = Node::new(&charter, 1, 9);
        for event in order {
            b.receive(now, event).expect("taken");
        }
        let members = b.machine.members();
        let member = members.into_iter().find(|member| member.key == a.key()).expect("a member");
        (member.restored, member.in_use_twice)
    };
    let [zero, one, two] = [&first[0], &first[1], &first[2]];
    assert_eq!(said(&[zero, &second]), (false, false));
    for order in [[zero, one, two, &second], [&second, two, one, zero], [zero, &second, two, one]] {
        assert_eq!(said(&order), (true, false), "more is held than the second epoch knew");
    }
}

/// A restored node is shown as that until it starts again knowing what it had forgotten; the next restored backup is shown anew.
#[test]
fn a_restored_node_that_knows_its_log_again_is_none() {
    let charter = charter(str::to_owned);
    let now = Timestamp::from_millis(1_700_000_000_000);
    let head = |event: &Verified<Event>| EpochHead {
        epoch: event.epoch,
        seq: event.seq,
        hash: event.hash(),
        checkpoint: None,
    };
    let a = Node::new(&charter, 0, 1);
    let (seq, prev) = a.position();
    let (zero, one) = (a.log[0].clone(), a.seal_at(seq, prev, note("one")));
    let begin = |epoch: u8, mut knows: Vec<EpochHead>| {
        knows.sort();
        let node = Node::new(&charter, 0, epoch);
        node.seal_at(0, EventHash::from_bytes([0; 32]), started_after(&charter, knows))
    };
    let forgets = begin(2, vec![head(&zero)]);
    let still_forgets = begin(3, vec![head(&zero), head(&forgets)]);
    let knows = begin(4, vec![head(&one), head(&forgets), head(&still_forgets)]);
    let beside = begin(5, vec![head(&one)]);
    let again = begin(6, vec![head(&zero), head(&knows)]);
    let said = |events: &[&Verified<Event>]| {
        let said = |order: &[&Verified<Event>]| {
            let mut b = Node::new(&charter, 1, 9);
            for event in order {
                b.receive(now, event).expect("taken");
            }
            let alarm =
                b.machine.alarms().iter().any(|alarm| alarm.starts_with("restored: ") && alarm.contains("alder-1"));
            let restored = b.machine.members().iter().any(|member| member.key == a.key() && member.restored);
            assert_eq!(alarm, restored);
            restored
        };
        let backwards: Vec<_> = events.iter().rev().copied().collect();
        let forwards = said(events);
        assert_eq!(forwards, said(&backwards), "whatever came first");
        forwards
    };
    assert!(said(&[&zero, &one, &forgets]));
    assert!(said(&[&zero, &one, &forgets, &still_forgets]), "it began again, and knows no more");
    assert!(!said(&[&zero, &one, &forgets, &still_forgets, &knows]));
    assert!(said(&[&zero, &one, &forgets, &still_forgets, &beside]), "one that knows of no restored node ends nothing");
    assert!(said(&[&zero, &one, &forgets, &still_forgets, &knows, &again]));
    // A backup that was whole when it was taken, of a node that ran on in an epoch that the restored one knows nothing of.
    let (ran_on, whole) = (begin(7, vec![head(&one)]), begin(8, vec![head(&one)]));
    let both = begin(9, vec![head(&one), head(&ran_on), head(&whole)]);
    assert!(!said(&[&zero, &one, &ran_on]) && !said(&[&zero, &one, &whole]));
    assert!(said(&[&zero, &one, &ran_on, &whole]));
    assert!(!said(&[&zero, &one, &ran_on, &whole, &both]));
}

/// Pairs whose carrier left the set are not said again by everyone.
#[test]
fn a_proof_once_said_is_said() {
    let charter = charter(str::to_owned);
    let (mut liar, mut b) = (Node::new(&charter, 4, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    b.receive(now, &liar.log[0].clone()).expect("Started");
    for epoch in 10..40 {
        let told = liar.forge(Body::FaultProof(proof(&Node::new(&charter, 4, epoch), 50)));
        b.receive(now, &told).expect("a genuine proof");
    }
    assert_eq!(proofs(&b, now), 0);
    // The carriers' own epoch falls to its beginning: one new pair, and nothing else to say.
    let twin = liar.seal_at(1, EventHash::from_bytes([5; 32]), note("twin"));
    b.receive(now, &twin).expect("a fork");
    assert_eq!(proofs(&b, now), 1);
}

fn proofs(node: &Node, now: Timestamp) -> usize {
    let drafts = node.machine.owed(now).drafts;
    drafts.iter().filter(|draft| matches!(draft, Draft::Body(Body::FaultProof(_)))).count()
}

/// Forks seen here are told a few at a time, and never from the part of the own quota that decisions need.
#[test]
fn own_proofs_leave_room_for_decisions() {
    let charter = charter(str::to_owned);
    let mut b = Node::new(&charter, 1, 2);
    let now = Timestamp::from_millis(1_700_000_000_000);
    for epoch in 10..30 {
        let liar = Node::new(&charter, 4, epoch);
        let FaultProof { first, second } = proof(&liar, 50);
        for event in [first, second] {
            let event = Unverified::clone(&event).verify(b.machine.network()).expect("genuine");
            b.machine.apply(&event);
        }
    }
    assert_eq!(proofs(&b, now), 4);
    while b.position().0 <= 500 {
        b.author(note("said"));
    }
    assert_eq!(proofs(&b, now), 0, "500 positions are left for decisions");
    assert_eq!(proofs(&b, now.plus_millis(60_000)), 4, "with time there is room again");
}

/// A node that comes late takes the history of a member that restarted often as soon as one of its epochs names it.
#[test]
fn a_late_node_takes_named_epochs_at_once() {
    let charter = charter(str::to_owned);
    let now = Timestamp::from_millis(1_700_000_000_000);
    let past: Vec<Node> = (10..40).map(|epoch| Node::new(&charter, 0, epoch)).collect();
    let earlier = past.iter().map(|old| EpochHead {
        epoch: old.machine.epoch(),
        seq: Seq::new(0),
        hash: old.log[0].hash(),
        checkpoint: None,
    });
    let newest = Node::new(&charter, 0, 0x60);
    let zero = EventHash::from_bytes([0; 32]);
    let newest = newest.seal_at(0, zero, started_after(&charter, earlier.collect()));
    let mut late = Node::new(&charter, 1, 2);
    late.receive(now, &newest).expect("the running epoch");
    for old in &past {
        late.receive(now, &old.log[0]).expect("named by the running epoch");
    }
}

/// Of a liar's many votes the newest few are tried, and they serve as well as any.
#[test]
fn a_flood_of_votes_neither_helps_nor_hinders() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    for _ in 0..40 {
        c.mine(&[]);
    }
    c.silent = [2, 3].into();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    assert!(c.owed_steps(0).is_empty(), "two organisations");
    let evidence: Vec<BlockRef> = c.chain.blocks.iter().map(|block| block.at).collect();
    for at in evidence {
        let vote = c.forged_vote(2, at);
        let event = c.nodes[4].author(vote);
        c.send(4, event);
    }
    c.settle();
    assert!(!c.owed_steps(0).is_empty(), "the third organisation's vote counts");
    // Vetoes of long ago are nobody's cut, those of now are.
    for index in [0, 1, 4] {
        c.veto(index);
    }
    assert!(c.owed_steps(0).is_empty(), "cancelled");
}

/// Findings that come and go by the dozen with every block take no more of the own quota than is left beside what decisions need: when the
/// attack comes, this node's finding, vote, certificate and signature are taken by everyone.
#[test]
fn own_observations_leave_room_for_decisions() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.silent = [1, 2, 3, 4].into();
    while c.nodes[0].position().0 < 600 {
        c.nodes[0].author(note("said"));
    }
    for _ in 0..60 {
        let first = block(c.chain.head().at.number + 1, 0);
        let flaps = (0..12)
            .map(|index| Finding { detector: name(&format!("flap-{index}")), ..finding("vault-outflow-early", first) });
        c.nodes[0].standing = flaps.collect();
        c.mine(&[]);
    }
    assert!(c.votes(0, 1) >= 1, "what a vote rests on is said all the same");
    let allowed = 1_000 + 2 * c.chain.head().at.number;
    let used = c.nodes[0].position().0;
    assert!(used + 450 <= allowed, "{used} of {allowed}");
    assert!(used + 600 > allowed, "and the rest is used: {used} of {allowed}");
    c.clear();
    c.silent = [3, 4].into();
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(1), [2]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// What a held certificate, signature or proof says is held: from an event above its author's cut, which leaves the set, it is neither taken
/// nor forwarded again; and what is new there is, once.
#[test]
fn what_is_held_is_not_carried_again_from_above_a_cut() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let (seq, prev) = c.nodes[4].position();
    c.silent.insert(4);
    let fork = ["one", "two"].map(|text| c.nodes[4].seal_at(seq, prev, note(text)));
    for event in &fork {
        c.send(4, event.clone());
    }
    c.settle();
    let now = c.now;
    let held = c.nodes[0].machine.decisions().into_iter().flat_map(|status| status.certificates);
    let held: Vec<B256> = held.map(|(digest, ..)| digest).collect();
    let of =
        |body: fn(&Body) -> bool| c.nodes[0].log.iter().map(|event| &event.body).find(|found| body(found)).cloned();
    let certificate = of(|body| matches!(body, Body::Certificate(_))).expect("a certificate");
    let signature = of(|body| matches!(body, Body::CoSignature(_))).expect("a signature");
    let said = of(|body| matches!(body, Body::FaultProof(_))).expect("a proof");
    let mut votes: Vec<Unverified> = Vec::new();
    for node in c.nodes.iter().take(4) {
        let own = node.log.iter().rev().filter(|event| event.author == node.key());
        votes.extend(own.filter(|event| matches!(event.body, Body::Vote(_))).map(Verified::to_unverified).take(1));
    }
    let Body::Certificate(known) = &certificate else { unreachable!() };
    let others = (0..4).map(|left_out| {
        let some = votes.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, vote)| vote.clone());
        Certificate { votes: some.collect(), ..known.clone() }
    });
    let network = c.charter.network_id();
    let mut others = others.filter(|other| !held.contains(&watchfire_protocol::content_digest(other, network)));
    let other = Body::Certificate(others.next().expect("another set of three"));
    let mut above = seq + 10;
    let mut carry = |c: &mut Cluster, body: &Body| {
        above += 2;
        let event = c.nodes[4].seal_at(above, EventHash::from_bytes([7; 32]), body.clone());
        let logged = c.nodes[0].log.len();
        let received = c.nodes[0].receive(now, &event);
        (received, c.nodes[0].log.len() - logged)
    };
    for body in [&certificate, &signature, &said, &note("three")] {
        let (received, logged) = carry(&mut c, body);
        let refused = received.expect_err(body.kind());
        assert!(matches!(refused, Rejection::AboveCut { .. }), "{}: {refused:?}", body.kind());
        assert_eq!((refused.verdict(), logged), (Verdict::Ignore, 0), "{}", body.kind());
    }
    assert_eq!(carry(&mut c, &other), (Ok(Verdict::Accept), 1));
    assert!(matches!(carry(&mut c, &other), (Err(Rejection::AboveCut { .. }), 0)));
}

/// A guardian publishes the certificate that it signs under in its own name once, however often it signs under it.
#[test]
fn a_certificate_is_republished_once() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.mine(&[Tx::TakesNonce]);
    c.mine(&[Tx::TakesNonce]);
    for node in &c.nodes {
        let own = || node.log.iter().filter(|event| event.author == node.key());
        let signed = own().filter_map(|event| match &event.body {
            Body::CoSignature(signature) => Some(signature.transaction.nonce),
            _ => None,
        });
        assert!(signed.collect::<std::collections::BTreeSet<_>>().len() >= 3, "signs at each nonce");
        let mut published: Vec<B256> = own()
            .filter_map(|event| match &event.body {
                Body::Certificate(held) => Some(watchfire_protocol::content_digest(held, c.charter.network_id())),
                _ => None,
            })
            .collect();
        assert!(!published.is_empty(), "what it signs under is in its own chain");
        let all = published.len();
        published.sort_unstable();
        published.dedup();
        assert_eq!(published.len(), all);
    }
}

/// However many events that is, an author's bytes are bounded by the receiver's clock too.
#[test]
fn the_receivers_clock_bounds_an_authors_bytes() {
    let charter = charter(str::to_owned);
    let (mut a, mut b) = (Node::new(&charter, 0, 1), Node::new(&charter, 1, 2));
    let now = Timestamp::from_millis(1_700_000_000_000);
    let first = a.log[0].clone();
    b.receive(now, &first).expect("Started");
    let large = a.forge(Body::Unknown(999, vec![7; 28 << 10].into()));
    let times = (256 << 20) / large.outer().len() + 1;
    for _ in 0..times {
        b.machine.apply(&large);
    }
    let next = a.forge(note("x"));
    assert!(matches!(b.receive(now, &next), Err(Rejection::OverQuota { .. })));
    b.receive(now.plus_millis(60_000), &next).expect("a minute later");
}
