//! Planned changes: who has to expect one, when it counts, and that nothing else hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use proptest::prelude::*;
use watchfire_protocol::{Machine, Rejection};
use watchfire_types::body::{
    Announced, Body, Change, ChangeCall, ChangeCounted, ChangeSupported, ChangeWithdrawn, Known,
};
use watchfire_types::input::HumanAct;
use watchfire_types::*;

use crate::cluster::*;

fn change(c: &Cluster) -> Change {
    let head = c.chain.head().at.time;
    Change {
        version: c.charter.version,
        asset: name("vault-core"),
        chain: CHAIN,
        target: Address::repeat_byte(0x10),
        call: ChangeCall::Data(B256::repeat_byte(0xca)),
        opens: head.plus_secs(1),
        closes: head.plus_secs(3_600),
        edition: 0,
    }
}

fn support(c: &mut Cluster, index: usize, change: &Change) -> Result<(), Rejection> {
    c.act(index, HumanAct::SupportChange { change: Box::new(change.clone()), human: human("planned") })
}

fn withdraw(c: &mut Cluster, index: usize, change: &Change) -> Result<(), Rejection> {
    let id = change.id(c.charter.network_id());
    c.act(index, HumanAct::WithdrawChange { change: id, human: human("not now") })
}

fn announced(c: &Cluster, index: usize) -> Vec<Announced> {
    c.nodes[index].machine.announced()
}

/// Three of five organisations have to expect the very same change; each node then says in its own log from which head on it knew.
#[test]
fn a_change_counts_once_the_tune_rule_is_met() {
    let mut c = cluster();
    let change = change(&c);
    for index in [0, 1] {
        support(&mut c, index, &change).expect("supports");
        assert!((0..5).all(|index| announced(&c, index).is_empty()), "{index}");
    }
    let listed = c.nodes[4].machine.changes();
    assert_eq!(listed[0].missing.as_deref(), Some("1 more organisations, 1 more operators"));
    let other = Change { target: Address::repeat_byte(0x11), ..change.clone() };
    support(&mut c, 2, &other).expect("supports");
    assert!((0..5).all(|index| announced(&c, index).is_empty()), "the same but for the target is another change");
    support(&mut c, 2, &change).expect("supports");
    let head = c.chain.head().at;
    for index in 0..5 {
        let known = announced(&c, index);
        assert_eq!(known.len(), 1, "{index}");
        assert_eq!((&known[0].change, known[0].since.number, known[0].until), (&change, head.number, None));
        assert!(!known[0].covers(&head) && known[0].covers(&block(head.number + 2, 0)));
        let own = c.nodes[index].key();
        let said = |body: &Body| matches!(body, Body::ChangeCounted(ChangeCounted { counts: true, .. }));
        let own = c.nodes[index].machine.events().filter(|event| event.author == own && said(&event.body));
        assert_eq!(own.count(), 1, "{index}");
    }
    assert_eq!(c.digests().len(), 1);
}

/// One member, whatever it says and how often, excuses nothing: neither by repeating itself nor by forking its log nor by naming others' labels.
#[test]
fn a_compromised_member_excuses_nothing() {
    let mut c = cluster();
    let change = change(&c);
    let head = c.chain.head().at;
    let said = |operator: &str, reason: &str| {
        Body::ChangeSupported(ChangeSupported {
            change: change.clone(),
            operator: name(operator),
            head,
            human: human(reason),
        })
    };
    for reason in ["one", "two", "three", "four"] {
        let event = c.nodes[4].author(said("op-elm", reason));
        c.send(4, event);
    }
    let (seq, prev) = c.nodes[4].position();
    for (operator, reason) in [("op-alder", "x"), ("op-birch", "y"), ("op-elm", "z")] {
        let event = c.nodes[4].seal_at(seq, prev, said(operator, reason));
        c.send(4, event);
    }
    // What it claims to have counted is about itself alone.
    let counted = ChangeCounted { change: change.id(c.charter.network_id()), counts: true, head: block(1, 0) };
    let event = c.nodes[4].seal_at(seq + 1, prev, Body::ChangeCounted(counted));
    c.send(4, event);
    c.settle();
    c.mine(&[]);
    assert!((0..4).all(|index| announced(&c, index).is_empty()));
    let refused = c.nodes[0].machine.changes();
    assert!(refused.iter().all(|change| change.missing.is_some()));
}

/// Labels that are not the author's, watchers' or other chains' words, and windows that are over or far away are refused from the bytes.
#[test]
fn words_that_cannot_count_are_refused() {
    let mut c = cluster();
    let fine = ChangeSupported {
        change: change(&c),
        operator: name("op-elm"),
        head: c.chain.head().at,
        human: human("planned"),
    };
    let past = Change { opens: BlockTime::from_secs(1), closes: BlockTime::from_secs(2), ..fine.change.clone() };
    let far = fine.change.opens.plus_secs(91 * 24 * 3_600);
    let far = Change { opens: far, closes: far.plus_secs(60), ..fine.change.clone() };
    let cases = [
        ChangeSupported { operator: name("op-alder"), ..fine.clone() },
        ChangeSupported { change: past, ..fine.clone() },
        ChangeSupported { change: far, ..fine.clone() },
        ChangeSupported { change: Change { asset: name("other"), ..fine.change.clone() }, ..fine.clone() },
        ChangeSupported { change: Change { chain: ChainId::new(1), ..fine.change.clone() }, ..fine.clone() },
        ChangeSupported { head: BlockRef { chain: ChainId::new(1), ..fine.head }, ..fine.clone() },
    ];
    for said in cases {
        let (seq, prev) = c.nodes[4].position();
        let event = c.nodes[4].seal_at(seq, prev, Body::ChangeSupported(said));
        let now = c.now;
        let refused = c.nodes[0].receive(now, &event).expect_err("refused");
        assert!(matches!(refused, Rejection::Malformed { .. }), "{refused}");
    }
    let event = c.nodes[4].author(Body::ChangeSupported(fine));
    let now = c.now;
    assert_eq!(c.nodes[0].receive(now, &event).expect("taken"), Verdict::Accept);
}

/// Who withdraws is not counted any more, for good; what lost its quorum is over even where another takes the place. A liar withdraws itself alone.
#[test]
fn a_withdrawal_ends_what_it_takes_the_quorum_of() {
    let mut c = cluster();
    let change = change(&c);
    for index in 0..4 {
        support(&mut c, index, &change).expect("supports");
    }
    withdraw(&mut c, 3, &change).expect("withdraws");
    c.mine(&[]);
    assert!((0..5).all(|index| announced(&c, index)[0].until.is_none()), "three are left");
    assert!(matches!(withdraw(&mut c, 4, &change), Err(Rejection::ChangeRefused { .. })), "it never supported it");
    withdraw(&mut c, 2, &change).expect("withdraws");
    let head = c.chain.head().at;
    for index in 0..5 {
        let known = announced(&c, index).remove(0);
        assert_eq!(known.until.map(|until| until.number), Some(head.number));
        assert!(known.covers(&head), "what it excused stays excused");
        assert!(!known.covers(&block(head.number + 2, 0)));
    }
    assert!(matches!(support(&mut c, 2, &change), Err(Rejection::ChangeRefused { .. })));
    support(&mut c, 4, &change).expect("supports");
    c.mine(&[]);
    assert!(!announced(&c, 0)[0].covers(&block(head.number + 3, 0)), "over is over");
    let again = Change { edition: 1, ..change };
    for index in 0..3 {
        support(&mut c, index, &again).expect("supports");
    }
    assert_eq!(
        announced(&c, 0).iter().filter(|known| known.covers(&block(c.chain.head().at.number + 2, 0))).count(),
        1
    );
}

/// What a node says twice, an unknown change and a window that is over are refused with what to do.
#[test]
fn people_are_told_why() {
    let mut c = cluster();
    let change = change(&c);
    support(&mut c, 0, &change).expect("supports");
    let twice = support(&mut c, 0, &change).expect_err("refused");
    assert!(twice.to_string().contains("supports it already"), "{twice}");
    let unknown = Change { edition: 9, ..change.clone() };
    assert!(matches!(withdraw(&mut c, 0, &unknown), Err(Rejection::UnknownChange { .. })));
    let head = c.chain.head().at.number;
    c.mine_to(head + 4_000);
    let late = support(&mut c, 1, &change).expect_err("refused");
    assert!(late.to_string().contains("window is over"), "{late}");
    assert!(c.nodes[0].machine.changes()[0].over);
}

/// A vote that was given, the certificate and what is owed by it are the same with a change announced afterwards as without.
#[test]
fn an_announcement_undoes_no_vote() {
    let run = |announce: bool| {
        let mut c = cluster();
        c.all_find("vault-outflow");
        c.mine(&[]);
        if announce {
            let change = change(&c);
            for index in 0..5 {
                support(&mut c, index, &change).expect("supports");
            }
        }
        let owed = c.owed_steps(0);
        let votes = (0..5).map(|index| c.votes(index, 1)).collect::<Vec<_>>();
        (owed, votes, c.execute(), c.chain.head().paused)
    };
    assert_eq!(run(true), run(false));
    assert_eq!(run(true).2, 1);
}

/// Everything said about two changes by five organisations, the last of which forks, with one restart in between.
fn words() -> &'static (Vec<Verified<Event>>, Cluster) {
    use std::sync::OnceLock;
    static WORDS: OnceLock<(Vec<Verified<Event>>, Cluster)> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut c = cluster();
        let (one, two) = (change(&c), Change { edition: 7, ..change(&c) });
        for (index, change) in [(0, &one), (1, &one), (4, &one), (2, &two), (1, &two), (3, &two)] {
            support(&mut c, index, change).expect("supports");
            c.mine(&[]);
        }
        withdraw(&mut c, 1, &two).expect("withdraws");
        c.mine(&[]);
        support(&mut c, 2, &one).expect("supports");
        let mut events: Vec<Verified<Event>> = c.nodes[0].log.clone();
        let (seq, prev) = c.nodes[4].position();
        for edition in [8, 9] {
            let change = Change { edition, ..one.clone() };
            let head = c.chain.head().at;
            let said = ChangeSupported { change, operator: name("op-elm"), head, human: human("forked") };
            events.push(c.nodes[4].seal_at(seq, prev, Body::ChangeSupported(said)));
        }
        events.push(c.nodes[3].forge(Body::ChangeWithdrawn(ChangeWithdrawn {
            change: one.id(c.charter.network_id()),
            human: human("never supported"),
        })));
        (events, c)
    })
}

/// A machine of the first member that starts anew and hears these in this order; then it sees the head.
fn hears(order: &[usize]) -> Machine {
    let (events, c) = words();
    let mut machine =
        Machine::new(c.charter.clone(), c.charter.network_id(), name("alder-1"), Epoch::from_bytes([0x99; 16]))
            .expect("a member");
    for index in order {
        machine.apply(&events[*index]);
    }
    let seen = view(&c.charter, c.chain.head());
    machine.observe(c.now, &input::Input::Block(Box::new(seen)));
    machine
}

/// Who supports each change by a count of our own: organisations once each, those that withdrew never.
fn counted(events: &[&Verified<Event>], c: &Cluster) -> BTreeMap<ChangeId, BTreeSet<OrganisationId>> {
    let mut of: BTreeMap<ChangeId, BTreeSet<OrganisationId>> = BTreeMap::new();
    let organisation = |event: &Verified<Event>| c.charter.organisation_of(&event.author).expect("a member").clone();
    for event in events {
        if let Body::ChangeSupported(said) = &event.body {
            of.entry(said.change.id(c.charter.network_id())).or_default().insert(organisation(event));
        }
    }
    for event in events {
        if let Body::ChangeWithdrawn(said) = &event.body {
            of.entry(said.change).or_default().remove(&organisation(event));
        }
    }
    of
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// What counts, what is listed and what is to be said hang on the set of events alone, never on their order or number.
    #[test]
    fn what_counts_does_not_depend_on_arrival(
        order in Just((0..words().0.len()).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec((0..words().0.len(), 0..words().0.len()), 0..12),
    ) {
        let mut order = order;
        for (at, index) in again {
            order.insert(at, index);
        }
        let (shuffled, straight) = (hears(&order), hears(&(0..words().0.len()).collect::<Vec<_>>()));
        prop_assert_eq!(shuffled.announced(), straight.announced());
        prop_assert_eq!(shuffled.changes(), straight.changes());
        prop_assert_eq!(shuffled.owed(words().1.now).drafts, straight.owed(words().1.now).drafts);
        prop_assert_eq!(shuffled.state_digest(), straight.state_digest());
        prop_assert!(!straight.announced().is_empty());
        let held: Vec<Verified<Event>> = straight.events().map(|event| (*event).clone()).collect();
        let of = counted(&held.iter().collect::<Vec<_>>(), &words().1);
        for listed in straight.changes() {
            let supported: BTreeSet<_> = listed.supported.into_iter().collect();
            prop_assert_eq!(Some(&supported), of.get(&listed.id));
            prop_assert_eq!(listed.missing.is_none(), supported.len() >= 3);
        }
    }
}

/// A node that starts again knows what it knew from its own log; one that lost it knows from now on, and excuses nothing that was before.
#[test]
fn what_was_known_is_durable_and_nobody_elses() {
    let (events, c) = words();
    let all: Vec<usize> = (0..events.len()).collect();
    let since = |machine: &Machine| machine.announced().iter().map(|known| known.since).collect::<Vec<Known>>();
    let again = hears(&all);
    assert_eq!(since(&again), since(&c.nodes[0].machine));
    let own = c.nodes[0].key();
    let others: Vec<usize> = all.iter().copied().filter(|index| events[*index].author != own).collect();
    let lost = hears(&others);
    assert!(lost.announced().is_empty(), "what others counted is theirs");
}
