//! Which release is forged, when nobody can know yet, and that whoever judges a block says the same of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;
use proptest::prelude::*;

use super::*;
use crate::fixture::*;

const THERE: ChainId = ChainId::new(10);
const ESCROW: Address = Address::repeat_byte(0xec);

/// A message takes at most 60 s, which is 5 blocks, and is looked at 30 s later, for 36 s.
fn rule(skew_s: u64) -> ReleaseWatch {
    let rule = Release {
        address: VAULT,
        event: Subject::event("Released(bytes32 indexed id, address to, uint256 amount)").unwrap(),
        elsewhere: "escrow".parse().unwrap(),
        elsewhere_address: ESCROW,
        elsewhere_event: Subject::event("Locked(uint256 value, bytes32 message)").unwrap(),
        same: BTreeMap::from([("amount".to_owned(), "value".to_owned()), ("id".to_owned(), "message".to_owned())]),
        within_s: 60,
        lag_s: 30,
        skew_s,
        stands_s: 36,
    };
    ReleaseWatch::new(rule, CHAIN, THERE)
}

fn log(address: Address, topics: Vec<B256>, words: &[B256], transaction: u8) -> Log {
    let data: Vec<u8> = words.iter().flat_map(|word| word.0).collect();
    Log { address, topics, data: data.into(), transaction: B256::repeat_byte(transaction), index: 0 }
}

fn amount(amount: u64) -> B256 {
    B256::from(U256::from(amount))
}

fn released(id: u8, wei: u64) -> Log {
    let topic = rule(0).key().unwrap().1;
    log(VAULT, vec![topic, B256::repeat_byte(id)], &[VAULT.into_word(), amount(wei)], id)
}

fn locked(id: u8, wei: u64) -> Log {
    let topic = rule(0).rule.elsewhere_event.topic().unwrap();
    log(ESCROW, vec![topic], &[amount(wei), B256::repeat_byte(id)], id)
}

fn at(chain: ChainId, number: u64, logs: Vec<Log>) -> BlockView {
    BlockView { block: BlockRef { chain, ..block(number) }, logs, ..view(number, []) }
}

/// Blocks 0 to `head` of both chains, each heard there before it is judged here; there final `behind` blocks behind.
fn judged(
    head: u64,
    behind: u64,
    skew_s: u64,
    there: impl Fn(u64) -> Vec<Log>,
    here: impl Fn(u64) -> Vec<Log>,
) -> Vec<Option<bool>> {
    let mut rule = rule(skew_s);
    let one = |number| {
        rule.hear(&at(THERE, number, there(number)));
        if let Some(number) = number.checked_sub(behind) {
            rule.hear_final(&at(THERE, number, vec![]).block);
        }
        let view = at(CHAIN, number, here(number));
        fires(&rule.observe(&view, view.logs.iter(), None))
    };
    (0..=head).map(one).collect()
}

/// What is said at blocks 22, 23, 25 and 26 of a release in block 20: it is looked at from 30 s after it on, until 66 s after it.
#[test]
fn a_release_without_its_event_is_told_once_that_chain_is_final() {
    let when = |at: u64, log: Log| move |number: u64| if number == at { vec![log.clone()] } else { vec![] };
    let said = |behind, skew_s, there: &dyn Fn(u64) -> Vec<Log>| {
        let all = judged(29, behind, skew_s, there, when(20, released(1, 7)));
        [all[22], all[23], all[25], all[26]]
    };
    let (quiet, told, unknown) = (Some(false), Some(true), None);
    let table = [
        ("its own event", said(0, 0, &when(19, locked(1, 7))), [quiet, quiet, quiet, quiet]),
        ("in the same second", said(0, 0, &when(20, locked(1, 7))), [quiet, quiet, quiet, quiet]),
        ("as early as can be", said(0, 0, &when(15, locked(1, 7))), [quiet, quiet, quiet, quiet]),
        ("none", said(0, 0, &|_| vec![]), [quiet, told, told, quiet]),
        ("too early", said(0, 0, &when(14, locked(1, 7))), [quiet, told, told, quiet]),
        ("afterwards", said(0, 0, &when(21, locked(1, 7))), [quiet, told, told, quiet]),
        ("afterwards by a clock", said(0, 12, &when(21, locked(1, 7))), [quiet, quiet, quiet, quiet]),
        ("another message", said(0, 0, &when(19, locked(2, 7))), [quiet, told, told, quiet]),
        ("another amount", said(0, 0, &when(19, locked(1, 8))), [quiet, told, told, quiet]),
        ("not final yet", said(3, 0, &|_| vec![]), [quiet, unknown, told, quiet]),
    ];
    for (row, said, expected) in table {
        assert_eq!(said, expected, "{row}");
    }
    // Within a minute of the first block heard nobody knows what was emitted before it.
    let early = judged(12, 0, 0, |_| vec![], when(5, released(1, 7)));
    assert_eq!((early[7], early[8], early[11]), (quiet, unknown, quiet));
}

/// Judges blocks 0 to `last` here; answers what is said of the last.
fn to(rule: &mut ReleaseWatch, last: u64, here: impl Fn(u64) -> Vec<Log>) -> Evaluation {
    let mut one = |number| {
        let view = at(CHAIN, number, here(number));
        rule.observe(&view, view.logs.iter(), None)
    };
    (0..=last).map(&mut one).last().unwrap()
}

/// Where not all events of a side are known nobody says anything: after a gap, with one that is not as declared, and with what is final but was not heard.
#[test]
fn what_may_be_missing_is_not_known() {
    let odd = |address, topic| log(address, vec![topic], &[], 9);
    let (here, there) = (rule(0).key().unwrap().1, rule(0).rule.elsewhere_event.topic().unwrap());
    // A release in block 20, judged at block 23 and looked for between blocks 15 and 20 there.
    let said = |locked: &dyn Fn(u64) -> Option<Vec<Log>>, own: &dyn Fn(u64) -> Option<Vec<Log>>, last: u64| {
        let mut rule = rule(0);
        for number in 0..=last {
            if let Some(logs) = locked(number) {
                rule.hear(&at(THERE, number, logs));
            }
        }
        rule.hear_final(&at(THERE, 23, vec![]).block);
        let views = (0..=23).filter_map(|number| {
            let logs = own(number)?;
            Some(at(CHAIN, number, [logs, if number == 20 { vec![released(1, 7)] } else { vec![] }].concat()))
        });
        let said = views.map(|view| fires(&rule.observe(&view, view.logs.iter(), None))).last().unwrap();
        (said, rule.unanswered().next())
    };
    let all = |_| Some(vec![]);
    let without = |gone: u64| move |number: u64| (number != gone).then(Vec::new);
    let one = |odd: &Log, place: u64| {
        let odd = odd.clone();
        move |number: u64| Some(if number == place { vec![odd.clone()] } else { vec![] })
    };
    let (undecodable, told) = (Some((NoAnswer::Undecodable, 1)), (Some(true), None));
    assert_eq!(said(&all, &all, 23), told);
    assert_eq!((said(&without(14), &all, 23).0, said(&without(13), &all, 23)), (None, told));
    assert_eq!(said(&one(&odd(ESCROW, there), 17), &all, 23), (None, undecodable));
    assert_eq!(said(&one(&odd(ESCROW, there), 14), &all, 23), (Some(true), undecodable));
    assert_eq!(said(&all, &all, 20), (None, None), "final, and not heard yet");
    // Here what is looked at lies between blocks 17.5 and 20.5.
    assert_eq!((said(&all, &without(17), 23).0, said(&all, &without(16), 23)), (None, told));
    assert_eq!(said(&all, &one(&odd(VAULT, here), 19), 23), (None, undecodable));
}

#[test]
fn it_says_what_was_released_where() {
    let mut rule = rule(0);
    for number in 0..=20 {
        rule.hear(&at(THERE, number, vec![]));
    }
    rule.hear_final(&at(THERE, 20, vec![]).block);
    let later = at(CHAIN, 13, vec![]);
    let found = to(&mut rule, 13, |number| if number == 10 { vec![released(1, 7), released(2, 7)] } else { vec![] });
    let (explanation, of) = figures(&found);
    assert_eq!(
        explanation,
        format!(
            "2 release(s) that escrow on chain 10 knows nothing of, first Released(bytes32,address,uint256) at block 10 in transaction {}",
            B256::repeat_byte(1)
        )
    );
    assert_eq!((of["count"].as_str(), of["event_block"].as_str()), ("2", "10"));
    assert_eq!(rule.unanswered().count(), 0);
    // A recovery at block 10 ends it.
    rule.rollback(&block(12));
    assert_eq!(fires(&rule.observe(&later, [].iter(), Some(&block(10)))), Some(false));
    assert_eq!(rule.span_s(), 186);
}

/// However many are locked, the newest are remembered, and what was released before them is unknown.
#[test]
fn memory_is_bounded() {
    let mut rule = rule(0);
    let flood = |number: u64| {
        (0..6_000).map(|place| locked(u8::try_from(place % 251).unwrap(), number * 6_000 + place)).collect()
    };
    for number in 0..=20 {
        rule.hear(&at(THERE, number, if number < 4 { flood(number) } else { vec![] }));
    }
    rule.hear_final(&at(THERE, 20, vec![]).block);
    assert_eq!((rule.locked.all.len(), rule.index.len()), (EVENTS_MAX, EVENTS_MAX));
    let release = |at: u64, rule: &mut ReleaseWatch| {
        rule.released = Events::default();
        fires(&to(rule, at + 3, |number| if number == at { vec![released(1, 7)] } else { vec![] }))
    };
    assert_eq!((release(6, &mut rule), release(14, &mut rule)), (None, Some(true)));
    // As many releases, of which the oldest are dropped: until these are too old to be looked at it is unknown.
    rule.released = Events::default();
    let many = |number: u64| if number == 9 { (0..20_000).map(|wei| released(1, wei)).collect() } else { vec![] };
    let said: Vec<_> = [11, 12, 14, 15]
        .map(|last| {
            rule.released = Events::default();
            fires(&to(&mut rule, last, many))
        })
        .into();
    assert_eq!((said, rule.released.all.len()), (vec![None, None, None, Some(false)], EVENTS_MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However far a node is with the other chain when it judges a block, and whatever was taken back there before it was final, or here: it says what one says
    /// that saw all of it first, or that it does not know.
    #[test]
    fn whoever_judges_says_the_same(
        there in prop::collection::vec(prop::option::of(0..3_u8), 60),
        here in prop::collection::vec(prop::option::of(0..3_u8), 60),
        heard in prop::collection::vec(0..4_usize, 60),
        stale in 0..8_u64,
        skew_s in 0..30_u64,
    ) {
        let logs = |id: &Option<u8>, log: fn(u8, u64) -> Log| id.iter().map(|id| log(*id, 7)).collect::<Vec<_>>();
        let (mut all, mut one, mut next) = (rule(skew_s), rule(skew_s), 0);
        for (number, id) in (0..).zip(&there) {
            all.hear(&at(THERE, number, logs(id, locked)));
            all.hear_final(&at(THERE, number, vec![]).block);
        }
        for ((number, id), more) in (0..).zip(&here).zip(&heard) {
            for id in there.iter().skip(next).take(*more) {
                let view = at(THERE, next as u64, logs(id, locked));
                one.hear(&view);
                one.hear_final(&view.block);
                next += 1;
            }
            let last = at(THERE, (next as u64).saturating_sub(1), vec![]).block;
            if next > 0 {
                (0..stale).for_each(|more| one.hear(&at(THERE, next as u64 + more, vec![locked(1, 7)])));
            }
            if number > 0 {
                let gone = at(CHAIN, number, vec![released(2, 7)]);
                one.observe(&gone, gone.logs.iter(), None);
                one.rollback(&block(number - 1));
            }
            let view = at(CHAIN, number, logs(id, released));
            let (said, full) = (one.observe(&view, view.logs.iter(), None), all.observe(&view, view.logs.iter(), None));
            prop_assert!(said == Evaluation::Unknown || full == Evaluation::Unknown || said == full, "{said:?} {full:?}");
            one.rollback(&last);
        }
    }
}
