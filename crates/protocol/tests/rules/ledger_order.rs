//! The ledger of rules is a function of the set of events, and of few of them.

use std::sync::OnceLock;

use proptest::prelude::*;
use watchfire_protocol::Machine;
use watchfire_types::body::{Body, Outcome, PromotionSupported};
use watchfire_types::input::Input;
use watchfire_types::*;

use crate::cluster::*;
use crate::ledger::{RULE, close, demoted, false_pause, promote, stats};

/// Everything said in a false pause, a promotion, a second one that is judged late, and by a liar that forks its words about both.
fn words() -> &'static (Vec<Verified<Event>>, Cluster) {
    static WORDS: OnceLock<(Vec<Verified<Event>>, Cluster)> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut c = false_pause();
        for index in 0..3 {
            promote(&mut c, index, RULE).expect("supports");
        }
        c.all_find(RULE);
        c.mine(&[]);
        assert_eq!(c.execute(), 1);
        let again = c.nodes[1].author(Body::Finding(finding(RULE, c.chain.head().at)));
        c.send(1, again);
        c.settle();
        c.clear();
        c.mine(&[]);
        for index in 0..3 {
            close(&mut c, index, Some(Outcome::False));
        }
        promote(&mut c, 1, RULE).expect("supports");
        let mut events = c.nodes[0].log.clone();
        let (seq, prev) = c.nodes[4].position();
        let head = c.chain.head().at;
        for reason in ["here", "there"] {
            let said = PromotionSupported {
                version: c.charter.version,
                asset: name("vault-core"),
                detector: name(RULE),
                through: head.time,
                operator: name("op-elm"),
                head,
                human: human(reason),
            };
            events.push(c.nodes[4].seal_at(seq, prev, Body::PromotionSupported(said)));
        }
        assert!(demoted(&c, RULE));
        (events, c)
    })
}

/// A machine of the first member that starts anew and hears these in this order; then it sees what the chain became.
fn hears(order: &[usize]) -> Machine {
    let (events, c) = words();
    let mut machine =
        Machine::new(c.charter.clone(), c.charter.network_id(), name("alder-1"), Epoch::from_bytes([0x99; 16]))
            .expect("a member");
    for index in order {
        machine.apply(&events[*index]);
    }
    machine.observe(c.now, &Input::Block(Box::new(view(&c.charter, c.chain.head()))));
    let at = c.chain.head().at;
    let standing = vec![finding(RULE, at)];
    machine.observe(c.now, &Input::Detected { block: at, standing });
    machine
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The ledger, who is demoted and what is asked of people hang on the set of events alone, never on their order or number.
    #[test]
    fn the_ledger_does_not_depend_on_arrival(
        order in Just((0..words().0.len()).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec((0..words().0.len(), 0..words().0.len()), 0..12),
    ) {
        let mut order = order;
        for (at, index) in again {
            order.insert(at, index);
        }
        let (shuffled, straight) = (hears(&order), hears(&(0..words().0.len()).collect::<Vec<_>>()));
        prop_assert_eq!(shuffled.rule_stats(), straight.rule_stats());
        prop_assert_eq!(shuffled.ledger(), straight.ledger());
        prop_assert_eq!(shuffled.ledger_rests_on(), straight.ledger_rests_on());
        let (owed, expected) = (shuffled.owed(words().1.now), straight.owed(words().1.now));
        prop_assert_eq!(owed.drafts, expected.drafts);
        prop_assert_eq!(owed.pages, expected.pages);
        prop_assert_eq!(shuffled.state_digest(), straight.state_digest());
        let told = stats(&straight, RULE);
        prop_assert_eq!((told.fired, told.wrong), (2, 2));
        prop_assert_eq!(told.demoted.map(|demoted| demoted.promoted_by.len()), Some(1), "the liar's fork counts for nothing");
    }
}

/// What the ledger rests on is enough for it: everything else of an incident that is over may be forgotten, but for what is kept anyway.
#[test]
fn what_it_rests_on_is_enough() {
    let (events, c) = words();
    let all: Vec<usize> = (0..events.len()).collect();
    let whole = hears(&all);
    let rests = whole.ledger_rests_on();
    let kept = |body: &Body| {
        matches!(
            body,
            Body::Started(_)
                | Body::Certificate(_)
                | Body::CoSignature(_)
                | Body::CloseVote(_)
                | Body::PromotionSupported(_)
                | Body::Retracted(_)
        )
    };
    let statements = |body: &Body| matches!(body, Body::Finding(_) | Body::Executed(_));
    let gone = events.iter().filter(|event| statements(&event.body) && !rests.contains(&event.hash())).count();
    let mut machine =
        Machine::new(c.charter.clone(), c.charter.network_id(), name("alder-1"), Epoch::from_bytes([0x99; 16]))
            .expect("a member");
    let bases = whole.epochs().filter_map(|(author, epoch)| {
        let next = whole.heads().get(&(author, epoch))?.0;
        whole.base_at(author, epoch, Seq::new(next.get() + 1)).map(|(base, _)| base)
    });
    let bases: Vec<ChainBase> = bases.collect();
    machine.begin(&bases).expect("bases");
    // Of a chain that forked nothing is ever pruned.
    let whole_chain =
        |event: &Event| !bases.iter().any(|base| (base.author, base.epoch) == (event.author, event.epoch));
    for event in events.iter().filter(|event| kept(&event.body) || whole_chain(event) || rests.contains(&event.hash()))
    {
        machine.apply(event);
    }
    assert!(gone > 0, "something is left out");
    assert_eq!(machine.rule_stats(), whole.rule_stats());
}
