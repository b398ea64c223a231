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

/// What is said at block 29 of releases at these blocks here, of events at these blocks there: none, or how many and how many of them again.
fn counted(skew_s: u64, there: &[u64], here: &[u64]) -> Option<(u64, u64)> {
    let mut rule = rule(skew_s);
    let mut said = Evaluation::Quiet;
    for number in 0..=29 {
        let logs = |blocks: &[u64], log: &Log| blocks.iter().filter(|at| **at == number).map(|_| log.clone()).collect();
        rule.hear(&at(THERE, number, logs(there, &locked(1, 7))));
        rule.hear_final(&at(THERE, number, vec![]).block);
        let view = at(CHAIN, number, logs(here, &released(1, 7)));
        said = rule.observe(&view, view.logs.iter(), None);
    }
    if said == Evaluation::Quiet {
        return None;
    }
    let (_, of) = figures(&said);
    Some((of["count"].parse().unwrap(), of["again"].parse().unwrap()))
}

/// A name, blocks of events there and of releases here, and what is said.
type Row = (&'static str, &'static [u64], &'static [u64], Option<(u64, u64)>);

/// Each event stands for one release, whichever can have it; at block 29 those of blocks 24 to 26 are looked at.
#[test]
fn one_event_is_one_release() {
    let table: [Row; 12] = [
        ("once", &[22], &[24], None),
        ("twice", &[22], &[23, 24], Some((1, 1))),
        ("twice in one block", &[22], &[24, 24], Some((1, 1))),
        ("three times", &[22], &[24, 25, 26], Some((2, 2))),
        ("twice, of two", &[22, 23], &[23, 24], None),
        ("twice, of two of one block", &[22, 22], &[23, 24], None),
        ("of two, the older of which only the first can have", &[19, 22], &[23, 25], None),
        ("of two, both too old for the second", &[18, 19], &[23, 26], Some((1, 0))),
        ("the first without any", &[22], &[21, 25], None),
        ("again when the event is too old for it", &[18], &[20, 24], Some((1, 0))),
        ("as late again as can be", &[19], &[19, 24], Some((1, 1))),
        ("both kinds", &[20], &[24, 25, 26], Some((2, 1))),
    ];
    for (row, there, here, expected) in table {
        assert_eq!(counted(0, there, here), expected, "{row}");
    }
    // By its clock the event may be 12 s later: it can be the first one's, and then is not the second one's.
    assert_eq!((counted(12, &[20], &[19, 25]), counted(0, &[20], &[19, 25])), (Some((1, 1)), None));
    // However many there are, the second is found, and those that were nothing themselves take nothing.
    let many = [vec![23; 200], vec![24]].concat();
    assert_eq!(counted(0, &[22], &many), Some((1, 1)));
    // And the newest of them count, whatever was long before.
    let old = [vec![10; 100], vec![23, 24]].concat();
    assert_eq!(counted(0, &[22], &old), Some((1, 1)));
}

/// What is said of a release that is there again, and of one beside it that nobody locked.
#[test]
fn it_says_what_was_released_again() {
    let mut rule = rule(0);
    for number in 0..=20 {
        rule.hear(&at(THERE, number, if number == 9 { vec![locked(1, 7)] } else { vec![] }));
    }
    rule.hear_final(&at(THERE, 20, vec![]).block);
    let again = |number| match number {
        10 => vec![released(1, 7)],
        11 => vec![Log { transaction: B256::repeat_byte(5), ..released(1, 7) }],
        12 => vec![released(2, 7)],
        _ => vec![],
    };
    let said = to(&mut rule, 14, again);
    let (explanation, of) = figures(&said);
    let first = format!("first Released(bytes32,address,uint256) at block 11 in transaction {}", B256::repeat_byte(5));
    let text = "1 release(s) of what was released before and escrow on chain 10 knows but once";
    assert_eq!((explanation.to_owned(), of["again"].as_str()), (format!("{text}, {first}"), "1"));
    // A recovery after the first release does not make the second one right.
    let said = rule.observe(&at(CHAIN, 15, vec![]), [].iter(), Some(&block(10)));
    let (explanation, of) = figures(&said);
    let text = "2 release(s) that escrow on chain 10 does not account for, 1 of them of what was released before";
    assert_eq!((explanation.to_owned(), of["count"].as_str()), (format!("{text}, {first}"), "2"));
}

/// Only that contract's own event, in blocks of its chain, is one that a release can have; and what is final once stays so.
#[test]
fn only_the_declared_event_of_the_other_chain_counts() {
    let own = locked(1, 7);
    let said = |chain, log: Log| {
        let mut rule = rule(0);
        for number in 0..=23 {
            rule.hear(&at(THERE, number, if number == 19 && chain == THERE { vec![log.clone()] } else { vec![] }));
            rule.hear(&at(CHAIN, number, if number == 19 { vec![log.clone()] } else { vec![] }));
            rule.hear_final(&at(chain, number, vec![]).block);
        }
        rule.hear_final(&at(THERE, 3, vec![]).block);
        let evaluation = to(&mut rule, 23, |number| if number == 20 { vec![released(1, 7)] } else { vec![] });
        (fires(&evaluation), rule.unanswered().next())
    };
    assert_eq!(said(THERE, own.clone()), (Some(false), None));
    assert_eq!(said(THERE, Log { address: VAULT, ..own.clone() }), (Some(true), None));
    assert_eq!(said(THERE, Log { topics: vec![B256::repeat_byte(3)], ..own.clone() }), (Some(true), None));
    assert_eq!(said(THERE, Log { topics: vec![], ..own.clone() }), (Some(true), None));
    assert_eq!(said(CHAIN, own.clone()), (None, None), "nothing is final there");
    // Where both are on one chain, as only in a trial, there is nothing to look for.
    let mut alone = ReleaseWatch { elsewhere: CHAIN, ..rule(0) };
    for number in 0..=23 {
        let view = at(CHAIN, number, if number == 20 { vec![released(1, 7)] } else { vec![] });
        alone.hear(&view);
        alone.hear_final(&view.block);
        assert_ne!(fires(&alone.observe(&view, view.logs.iter(), None)), Some(true), "{number}");
    }
}

/// What is taken back on one chain leaves the other side as it is, and what comes again is known again.
#[test]
fn each_side_is_taken_back_alone() {
    let mut rule = rule(0);
    let here = |number: u64| if number == 20 { vec![released(1, 7)] } else { vec![] };
    (0..=23).for_each(|number| rule.hear(&at(THERE, number, vec![])));
    rule.hear_final(&at(THERE, 23, vec![]).block);
    let observed = |rule: &mut ReleaseWatch, from: u64| {
        let views = (from..=23).map(|number| at(CHAIN, number, here(number)));
        views.map(|view| fires(&rule.observe(&view, view.logs.iter(), None))).last().unwrap()
    };
    assert_eq!(observed(&mut rule, 0), Some(true));
    rule.rollback(&block(16));
    assert_eq!(observed(&mut rule, 17), Some(true));
    rule.rollback(&at(THERE, 16, vec![]).block);
    let (view, next) = (at(CHAIN, 24, vec![]), 17);
    assert_eq!(fires(&rule.observe(&view, [].iter(), None)), None, "what was there is not known any more");
    (next..=24)
        .for_each(|number| rule.hear(&at(THERE, number, if number == 19 { vec![locked(1, 7)] } else { vec![] })));
    rule.rollback(&block(23));
    assert_eq!(fires(&rule.observe(&view, [].iter(), None)), Some(false));
    // Taken back below all that was known, it is known from there on.
    rule.locked = Events::default();
    (18..=20).for_each(|number| rule.hear(&at(THERE, number, vec![])));
    rule.rollback(&at(THERE, 10, vec![]).block);
    (11..=24).for_each(|number| rule.hear(&at(THERE, number, vec![])));
    rule.rollback(&block(23));
    assert_ne!(fires(&rule.observe(&view, [].iter(), None)), None);
}

/// Eight blocks a second: releases are remembered as long as one that is looked at can share an event with them, though others were settled meanwhile, and
/// forgotten after that.
#[test]
fn what_can_share_an_event_is_remembered() {
    let at = |chain, second: u64, part: u64, logs| {
        let view = at(chain, second * 8 + part, logs);
        BlockView { block: BlockRef { time: BlockTime::from_secs(1_000 + second), ..view.block }, ..view }
    };
    // Seconds: of the event, of two releases for it, of a third one with an event of its own, and the last one that is judged.
    let after = |skew_s, event: u64, releases: [u64; 3], last: u64| {
        let (mut rule, mut seconds) = (rule(skew_s), Vec::new());
        for second in 100..=360 {
            let logs = [(event, locked(1, 7)), (releases[2] - 1, locked(2, 7))];
            let logs = logs.into_iter().filter(|(at, _)| *at == second).map(|(_, log)| log).collect();
            rule.hear(&at(THERE, second, 0, logs));
            (1..8).for_each(|part| rule.hear(&at(THERE, second, part, vec![])));
        }
        rule.hear_final(&at(THERE, 360, 0, vec![]).block);
        let of = [(releases[0], 1), (releases[1], 1), (releases[2], 2)];
        for (second, part) in (100..=last).flat_map(|second| (0..8).map(move |part| (second, part))) {
            let logs = of.iter().filter(|(at, _)| part == 0 && *at == second).map(|(_, id)| released(*id, 7));
            let view = at(CHAIN, second, part, logs.collect());
            if fires(&rule.observe(&view, view.logs.iter(), None)) == Some(true) {
                seconds.push(second);
            }
        }
        (rule, seconds.first().copied(), seconds.last().copied())
    };
    let (rule, first, last) = after(0, 201, [201, 255, 293], 340);
    assert_eq!((first, last, rule.released.all.len()), (Some(285), Some(321), 3));
    let (_, first, last) = after(12, 213, [201, 273, 329], 340);
    assert_eq!((first, last), (Some(303), Some(339)));
    assert_eq!(after(0, 201, [201, 261, 340], 350).0.released.all.len(), 2, "the first is of no use any more");
    // To the second: an event a minute before is its own, and one a second earlier is not.
    let told_last = |event| after(0, event, [170, 261, 300], 340).2;
    assert_eq!([told_last(201), told_last(200)], [Some(236), Some(327)]);
    // The third is taken back before it is settled, and time with it.
    let (mut rule, _, _) = after(0, 201, [201, 261, 334], 334);
    rule.rollback(&at(CHAIN, 326, 7, vec![]).block);
    assert_eq!(fires(&rule.observe(&at(CHAIN, 327, 0, vec![]), [].iter(), None)), Some(true));
}

/// Where there was another of the same words before it, what that one can have had has to be known too.
#[test]
fn what_others_took_has_to_be_known() {
    // A release in block 20 and one in block 16, whose event can be as early as block 11.
    let said = |here: &[u64], from: u64| {
        let mut rule = rule(0);
        (from..=23).for_each(|number| rule.hear(&at(THERE, number, vec![])));
        rule.hear_final(&at(THERE, 23, vec![]).block);
        fires(&to(&mut rule, 23, |number| if here.contains(&number) { vec![released(1, 7)] } else { vec![] }))
    };
    assert_eq!([said(&[20], 14), said(&[20], 15)], [Some(true), None]);
    assert_eq!([said(&[16, 20], 10), said(&[16, 20], 11)], [Some(true), None]);
    assert_eq!(said(&[14, 20], 14), Some(true), "it can have had nothing of this one's");
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
    // Here what is looked at lies between blocks 17.5 and 20.5, and what can share its event from block 15 on.
    assert_eq!((said(&all, &without(14), 23).0, said(&all, &without(13), 23)), (None, told));
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
    assert_eq!((of["again"].as_str(), rule.span_s()), ("0", 246));
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

/// The most releases that can each have an event of their own, by trying every exchange: not the order that the rule goes by.
fn most(releases: &[u64], events: &[u64], skew: u64) -> usize {
    fn place(release: usize, can: &[Vec<usize>], seen: &mut [bool], of: &mut [Option<usize>]) -> bool {
        can[release].iter().any(|event| {
            if std::mem::replace(&mut seen[*event], true) {
                return false;
            }
            let free = of[*event].is_none_or(|other| place(other, can, seen, of));
            if free {
                of[*event] = Some(release);
            }
            free
        })
    }
    let fits = |release: u64, event: u64| event + 5 >= release && event <= release + skew;
    let can: Vec<Vec<usize>> = releases
        .iter()
        .map(|release| (0..events.len()).filter(|event| fits(*release, events[*event])).collect())
        .collect();
    let mut of = vec![None; events.len()];
    (0..releases.len()).filter(|release| place(*release, &can, &mut vec![false; events.len()], &mut of)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A release is told where, with it, no more releases of its time can each have an event of their own than without it.
    #[test]
    fn each_event_is_one_release_whichever_can_have_it(
        there in prop::collection::vec(0..30_u64, 0..20),
        here in prop::collection::vec(0..27_u64, 0..20),
        skew in 0..3_u64,
    ) {
        let (mut there, mut here) = (there, here);
        there.sort_unstable();
        here.sort_unstable();
        let told = (0..here.len()).filter(|place| (24..=26).contains(&here[*place])).filter(|place| {
            let first = here.partition_point(|other| other + 5 + skew < here[*place]);
            let (others, all) = (&here[first..*place], &here[first..=*place]);
            most(others, &there, skew) == most(all, &there, skew)
        });
        let told = told.count() as u64;
        prop_assert_eq!(counted(skew * 12, &there, &here).map_or(0, |(count, _)| count), told);
    }

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
