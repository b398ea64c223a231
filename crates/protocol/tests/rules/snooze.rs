//! Snoozes: who is told of what gives context only, for how long not, and that nothing else hangs on it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use watchfire_protocol::Rejection;
use watchfire_types::body::{Body, SNOOZE_MAX_S, Snoozed, Vote};
use watchfire_types::duty::Page;
use watchfire_types::input::HumanAct;
use watchfire_types::*;

use crate::cluster::*;

/// The narrow outflow rule as one that gives context only.
const CONTEXT: &str = "vault-outflow-early";
const DECISIVE: &str = "vault-outflow";

fn of_context(source: &str) -> String {
    let id = format!("id = \"{CONTEXT}\"\n");
    source.replacen(&id, &format!("{id}class = \"context\"\n"), 1)
}

fn snooze(c: &mut Cluster, index: usize, rule: Option<&str>, lasts_s: u64) -> Result<(), Rejection> {
    let (asset, detector) = (name("vault-core"), rule.map(name));
    c.act(index, HumanAct::Snooze { asset, detector, lasts_s, human: human("a planned migration") })
}

fn pages(c: &Cluster, index: usize) -> BTreeSet<Page> {
    c.nodes[index].machine.owed(c.now).pages
}

fn told(c: &Cluster) -> [bool; 5] {
    [0, 1, 2, 3, 4].map(|index| pages(c, index).iter().any(|page| page.kind == "context-finding"))
}

/// People are told of what gives context; those of one organisation need not be, until the block whose time ends it, and then are by themselves.
#[test]
fn a_snooze_quiets_its_own_organisation_until_it_ends() {
    for rule in [Some(CONTEXT), None] {
        let mut c = Cluster::new(charter(of_context), 98);
        c.find(&[0, 1, 2, 3, 4], CONTEXT);
        c.mine(&[]);
        assert_eq!(told(&c), [true; 5]);
        let said = c.chain.head().at.number;
        snooze(&mut c, 0, rule, 5).expect("is taken");
        assert_eq!(told(&c), [false, true, true, true, true]);
        assert_eq!(c.digests().len(), 1, "everybody holds it");
        let listed = c.nodes[0].machine.snoozes();
        assert_eq!((listed.len(), listed[0].detector.clone()), (1, rule.map(name)));
        assert!(c.nodes[1].machine.snoozes().is_empty());
        for block in said + 1..said + 5 {
            c.mine(&[]);
            assert_eq!((c.chain.head().at.number, told(&c)[0]), (block, false));
        }
        c.mine(&[]);
        assert_eq!(told(&c), [true; 5], "at block {}", said + 5);
        assert!(c.nodes[0].machine.snoozes().is_empty());
    }
}

/// The last word about a scope holds, and one about a rule leaves the others.
#[test]
fn a_snooze_is_ended_by_the_next_word() {
    let mut c = Cluster::new(charter(of_context), 98);
    c.find(&[0, 1, 2, 3, 4], CONTEXT);
    c.mine(&[]);
    snooze(&mut c, 2, Some(CONTEXT), 3_600).expect("is taken");
    assert!(!told(&c)[2]);
    c.mine(&[]);
    snooze(&mut c, 2, Some(CONTEXT), 0).expect("is taken");
    assert!(told(&c)[2]);
    c.reorg(1);
    c.mine(&[]);
    assert!(told(&c)[2], "a reorg takes no words");
}

/// What votes is never quiet, and nobody is for good; what another writes that no node would is worth nothing for a rule that votes.
#[test]
fn what_votes_is_not_snoozed() {
    let mut c = Cluster::new(charter(of_context), 98);
    c.mine(&[]);
    assert!(matches!(snooze(&mut c, 0, Some(DECISIVE), 60), Err(Rejection::SnoozeRefused { .. })));
    assert!(matches!(snooze(&mut c, 0, Some("no-such-rule"), 60), Err(Rejection::UnknownRule { .. })));
    assert!(matches!(snooze(&mut c, 0, None, SNOOZE_MAX_S + 1), Err(Rejection::SnoozeRefused { .. })));
    let head = c.chain.head().at;
    let forged = Snoozed {
        asset: name("vault-core"),
        detector: Some(name(DECISIVE)),
        head,
        until: head.time.plus_secs(3_600),
        human: human("nothing to see"),
    };
    let event = c.nodes[4].author(Body::Snoozed(forged));
    c.send(4, event);
    c.all_find(DECISIVE);
    c.mine(&[]);
    assert!(c.votes(4, 2) >= 1);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Somebody who has the key of a node of one's own organisation, and would have its people told nothing for good: seven days from a block that
/// will come in a year are no seven days from now.
#[test]
fn a_snooze_from_a_block_to_come_is_not_heeded() {
    let mut c = Cluster::new(charter(of_context), 98);
    c.find(&[0, 1, 2, 3, 4], CONTEXT);
    c.mine(&[]);
    let head = c.chain.head().at;
    for (ahead_s, quiet) in [(365 * 24 * 3_600, false), (1, false), (0, true)] {
        let head = BlockRef { time: head.time.plus_secs(ahead_s), ..head };
        let until = head.time.plus_secs(SNOOZE_MAX_S);
        let said = Snoozed { asset: name("vault-core"), detector: None, head, until, human: human("nothing to see") };
        let event = c.nodes[4].author(Body::Snoozed(said));
        c.send(4, event);
        c.settle();
        assert_eq!(told(&c)[4], !quiet, "{ahead_s} s ahead");
    }
}

#[derive(Debug, Clone)]
enum Act {
    Mine,
    Find { by: Vec<usize>, context: bool },
    Clear,
    Snooze { by: usize, whole: bool, lasts_s: u64 },
    Execute,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Mine),
        3 => (prop::collection::vec(0..5_usize, 1..6), any::<bool>()).prop_map(|(by, context)| Act::Find { by, context }),
        1 => Just(Act::Clear),
        3 => (0..5_usize, any::<bool>(), prop::sample::select(vec![0_u64, 1, 3, 600])).prop_map(|(by, whole, lasts_s)| Act::Snooze { by, whole, lasts_s }),
        1 => Just(Act::Execute),
    ]
}

type Voted = BTreeSet<(MemberKey, StepIndex, BlockRef)>;

/// Every vote that was given, whether it is contained, and what each organisation's people are told, but for context.
fn play(acts: &[Act], snoozing: bool) -> (Voted, bool, Vec<BTreeSet<Page>>, [bool; 5]) {
    let mut c = Cluster::new(charter(of_context), 98);
    c.mine(&[]);
    for act in acts {
        match act {
            Act::Mine => c.mine(&[]),
            Act::Find { by, context } => {
                let rule = if *context { CONTEXT } else { DECISIVE };
                let quiet = |index: &usize| c.nodes[*index].standing.iter().all(|one| one.detector.as_str() != rule);
                let by: Vec<usize> = (0..5).filter(|index| by.contains(index) && quiet(index)).collect();
                c.find(&by, rule);
                c.mine(&[]);
            }
            Act::Clear => c.clear(),
            Act::Snooze { by, whole, lasts_s } if snoozing => {
                snooze(&mut c, *by, (!whole).then_some(CONTEXT), *lasts_s).expect("is taken");
            }
            Act::Snooze { .. } => {}
            Act::Execute => drop(c.execute()),
        }
    }
    let votes = c.nodes[0].machine.events().filter_map(|event| match &event.body {
        Body::Vote(Vote { step, evidence, .. }) => Some((event.author, *step, *evidence)),
        _ => None,
    });
    let others = |index| {
        let pages = pages(&c, index).into_iter();
        pages.filter(|page| page.kind != "context-finding").collect()
    };
    (votes.collect(), c.chain.head().paused, (0..5).map(others).collect(), told(&c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever snoozes what for how long: the same votes, the same effects, and the same pages but for those it quiets.
    #[test]
    fn a_snooze_never_changes_votes(acts in prop::collection::vec(act(), 1..14)) {
        let (votes, paused, pages, loud) = play(&acts, false);
        let (also, contained, others, quiet) = play(&acts, true);
        prop_assert_eq!(votes, also);
        prop_assert_eq!(paused, contained);
        prop_assert_eq!(pages, others);
        prop_assert!(loud.iter().zip(quiet).all(|(loud, told)| *loud || !told));
    }
}
