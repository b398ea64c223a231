//! S15 for everything a node concludes: any order of arrival, any repetition, and cuts that fall first or last make no difference to
//! digest, statuses, drafts and duties, given equal views.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use watchfire_protocol::{Draft, Machine};
use watchfire_types::body::{Body, Certificate, CloseVote, Decision, EpochHead, FaultProof, Purpose, Started};
use watchfire_types::input::Input;
use watchfire_types::*;

use crate::cluster::*;

/// What happened: the events, and the blocks with what stood at each.
struct History {
    events: Vec<Verified<Event>>,
    blocks: Vec<Block>,
}

/// An incident that is paused, cancelled and closed, with a liar that forks: in its running epoch, where twins come by themselves and proofs of
/// others convict it, and in one that only proofs speak of. A member restarts, and signatures and certificates come twice.
fn history() -> &'static History {
    static HISTORY: OnceLock<History> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let mut c = cluster();
        let early = c.nodes[4].position();
        c.find(&[0, 1, 4], "vault-outflow");
        c.mine(&[]);
        let late = c.nodes[4].position();
        c.clear();
        let evidence = c.chain.head().at;
        for index in 0..3 {
            c.veto(index);
        }
        let twin = |c: &Cluster, (seq, prev): (u64, EventHash), step| {
            c.nodes[4].seal_at(seq, prev, c.forged_vote(step, evidence))
        };
        let mut events = Vec::new();
        // A fork that is heard by everyone, so that honest members publish proofs.
        c.silent.insert(4);
        for step in [1, 2] {
            let event = twin(&c, late, step);
            c.send(4, event);
        }
        c.settle();
        // A later vote, and a second cancel that reaches further than the first.
        c.find(&[3], "vault-outflow");
        c.mine(&[]);
        c.clear();
        for index in [1, 2, 0] {
            c.veto(index);
        }
        c.mine(&[]);
        for (index, word) in [(0, "over"), (0, "over again"), (1, "over"), (2, "over")] {
            let close = close(&c, word);
            let event = c.nodes[index].author(close);
            c.send(index, event);
        }
        c.settle();
        // Without the close certificates every node has one to form.
        let certified = |event: &&Verified<Event>| {
            matches!(&event.body, Body::Certificate(Certificate { purpose: Purpose::Close(_), .. }))
        };
        events.extend(c.nodes[0].log.iter().filter(|event| !certified(event)).cloned());
        assert!(events.iter().any(|event| matches!(event.body, Body::FaultProof(_))), "somebody said the fork");
        // Above its fork the liar votes once more, on evidence that nothing cancels: it counts until the cut falls.
        let newest = c.forged_vote(2, c.chain.head().at);
        events.push(c.nodes[4].seal_at(late.0 + 4, EventHash::from_bytes([7; 32]), newest));
        // A second, earlier fork, of which one twin comes by itself and both inside a proof by one who heard both.
        let pair = [twin(&c, early, 1), twin(&c, early, 2)];
        events.push(pair[0].clone());
        events.push(c.nodes[3].forge(Body::FaultProof(proof(&pair))));
        // An epoch that only a proof speaks of.
        let other = Node::new(&c.charter, 4, 0x66);
        let pair = [1, 2].map(|step| other.seal_at(5, EventHash::from_bytes([8; 32]), c.forged_vote(step, evidence)));
        events.push(c.nodes[3].forge(Body::FaultProof(proof(&pair))));
        // A restart that forgot, and what others say twice.
        let again = Node::new(&c.charter, 1, 0x77);
        let head = EpochHead {
            epoch: c.nodes[1].machine.epoch(),
            seq: Seq::new(0),
            hash: c.nodes[1].log[0].hash(),
            checkpoint: None,
        };
        let Body::Started(started) = started(&c.charter) else { unreachable!() };
        let started = Started { earlier: vec![head], ..started };
        events.push(again.seal_at(0, EventHash::from_bytes([0; 32]), Body::Started(started)));
        let said: Vec<Body> = events.iter().map(|event| event.body.clone()).collect();
        for body in said.iter().filter(|body| matches!(body, Body::CoSignature(_) | Body::Certificate(_))).take(6) {
            events.push(c.nodes[3].forge(body.clone()));
        }
        History { events, blocks: c.chain.blocks.clone() }
    })
}

fn close(c: &Cluster, word: &str) -> Body {
    let asset: AssetId = name("vault-core");
    let decision = Decision { version: c.charter.version, asset, playbook: name("contain-vault") };
    Body::CloseVote(CloseVote { decision, closed_at: c.chain.head().at, outcome: None, human: human(word) })
}

fn proof(pair: &[Verified<Event>; 2]) -> FaultProof {
    let [first, second] = pair.each_ref().map(|event| Box::new(event.to_unverified()));
    if first.hash() < second.hash() {
        FaultProof { first, second }
    } else {
        FaultProof { first: second, second: first }
    }
}

fn machine() -> Machine {
    let charter = charter(str::to_owned);
    let (member, _) = charter.members.iter().next().expect("a member");
    let network = charter.network_id();
    Machine::new(charter.clone(), network, member.clone(), Epoch::from_bytes([0x10; 16])).expect("a member")
}

const NOW: u64 = 1_700_000_200_000;

fn fold(machine: &mut Machine, order: &[usize]) {
    for index in order {
        machine.apply(&history().events[*index]);
    }
}

/// Shows every block, with a finding that stands from the newest one on.
fn show(machine: &mut Machine) {
    let charter = machine.charter().clone();
    for block in &history().blocks {
        machine.observe(Timestamp::from_millis(NOW), &Input::Block(Box::new(view(&charter, block))));
    }
    let newest = history().blocks.last().expect("a block").at;
    let standing = vec![finding("vault-outflow", newest)];
    machine.observe(Timestamp::from_millis(NOW), &Input::Detected { block: newest, standing });
}

/// Everything that a node shows, says, does and waits for, and what it would once nothing stands any more.
fn conclusions(machine: &Machine) -> Vec<String> {
    let now = Timestamp::from_millis(NOW + 10_000);
    let owed = machine.owed(now);
    let mut calm = machine.clone();
    let block = history().blocks.last().expect("a block").at;
    calm.observe(now, &Input::Detected { block, standing: Vec::new() });
    let shared = vec![
        machine.state_digest().to_string(),
        format!("{:?}", machine.heads()),
        format!("{:?}", machine.signatures()),
        format!("{:?}", machine.members()),
        format!("{:?}", machine.incidents()),
        format!("{:?}", machine.events().map(|event| event.hash()).collect::<BTreeSet<_>>()),
    ];
    let viewed = vec![
        format!("{:?}", machine.decisions()),
        format!("{:?}", machine.outlooks()),
        format!("{:?}", machine.window_floors()),
        format!("{:?}", machine.next_timeout()),
        format!("{:?}", owed.drafts),
        format!("{:?}", owed.duties),
        format!("{:?}", owed.pages),
        format!("{:?}", calm.owed(now)),
    ];
    shared.into_iter().chain(viewed).collect()
}

fn straight() -> &'static [Vec<String>; 2] {
    static STRAIGHT: OnceLock<[Vec<String>; 2]> = OnceLock::new();
    STRAIGHT.get_or_init(|| {
        let order: Vec<usize> = (0..history().events.len()).collect();
        let (mut before, mut after) = (machine(), machine());
        fold(&mut before, &order);
        show(&mut before);
        show(&mut after);
        fold(&mut after, &order);
        [conclusions(&before), conclusions(&after)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// Events in any order and number, before the view and after it.
    #[test]
    fn conclusions_depend_on_the_set_alone(
        order in Just((0..history().events.len()).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec((0..history().events.len(), 0..history().events.len()), 0..20),
    ) {
        let mut order = order;
        for (at, index) in again {
            order.insert(at, index);
        }
        let (mut before, mut after) = (machine(), machine());
        fold(&mut before, &order);
        show(&mut before);
        show(&mut after);
        fold(&mut after, &order);
        let [first, second] = straight();
        prop_assert_eq!(&conclusions(&before), first);
        prop_assert_eq!(&conclusions(&after), second);
    }

    /// Conclusions drawn in between change none that are drawn later.
    #[test]
    fn asking_early_changes_no_answer(
        order in Just((0..history().events.len()).collect::<Vec<_>>()).prop_shuffle(),
        asked in proptest::collection::btree_set(0..history().events.len(), 1..6),
    ) {
        let mut machine = machine();
        show(&mut machine);
        for (at, index) in order.iter().enumerate() {
            if asked.contains(&at) {
                let _ = (conclusions(&machine), machine.next_timeout());
            }
            fold(&mut machine, &[*index]);
        }
        prop_assert_eq!(&conclusions(&machine), &straight()[1]);
    }
}

/// A cut that falls after everything that rests on the liar leaves what it would have left before it: the forks come last, or first; and
/// what comes when no cut falls any more comes forwards and backwards.
#[test]
fn cuts_that_fall_late_leave_what_early_ones_leave() {
    let liar = history().events.iter().find(|event| matches!(event.body, Body::FaultProof(_))).expect("a proof");
    let Body::FaultProof(proof) = &liar.body else { unreachable!() };
    let liar = proof.first.event().author;
    let of_liar = |index: &usize| {
        let event = &history().events[*index];
        event.author == liar || matches!(event.body, Body::FaultProof(_))
    };
    let (forks, rest): (Vec<usize>, Vec<usize>) = (0..history().events.len()).partition(of_liar);
    assert!(forks.len() > 6 && rest.len() > 20, "{} and {}", forks.len(), rest.len());
    let backwards: Vec<usize> = rest.iter().rev().copied().collect();
    for order in
        [[&forks[..], &rest], [&forks, &backwards], [&rest, &forks], [&backwards, &forks]].map(|order| order.concat())
    {
        let mut machine = machine();
        fold(&mut machine, &order);
        show(&mut machine);
        assert_eq!(&conclusions(&machine), &straight()[0]);
    }
}

/// What is compared is not empty: the history owes something, convicts the liar and cancels.
#[test]
fn the_history_has_something_to_compare() {
    let mut machine = machine();
    fold(&mut machine, &(0..history().events.len()).collect::<Vec<_>>());
    show(&mut machine);
    let owed = machine.owed(Timestamp::from_millis(NOW + 10_000));
    assert!(!owed.duties.is_empty() && !owed.drafts.is_empty());
    assert!(
        machine.members().iter().any(|member| member.faulty) && machine.members().iter().any(|member| member.restored)
    );
    assert!(machine.decisions().iter().any(|decision| decision.certificates.len() >= 4));
    assert!(!machine.signatures().is_empty());
    let block = history().blocks.last().expect("a block").at;
    machine.observe(Timestamp::from_millis(NOW), &Input::Detected { block, standing: Vec::new() });
    let calm = machine.owed(Timestamp::from_millis(NOW + 10_000)).drafts;
    assert!(calm.iter().any(|draft| matches!(draft, Draft::Body(Body::Certificate(_)))), "{calm:?}");
}
