//! A track says what a list of all blocks says, whatever is taken back in between, and nothing where it does not know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::B256;
use proptest::prelude::*;
use watchfire_types::ChainId;

use super::*;

fn block(number: u64, time_s: u64) -> BlockRef {
    let (chain, hash) = (ChainId::new(10), B256::from(alloy_primitives::U256::from(number)));
    BlockRef { chain, number, hash, time: BlockTime::from_secs(time_s) }
}

fn over(track: &Track<u8>, from: u64, to: u64) -> Option<Vec<u8>> {
    Some(track.over(BlockTime::from_secs(from), BlockTime::from_secs(to))?.copied().collect())
}

#[test]
fn what_is_not_past_or_not_seen_is_not_known() {
    let mut track = Track::new();
    assert_eq!((over(&track, 0, 0), track.newest_before(&block(1, 0))), (None, None));
    for (number, time, value) in [(5, 100, 1), (6, 110, 1), (7, 110, 2), (8, 130, 3)] {
        track.take(&block(number, time), value);
    }
    let table = [
        (99, 99, None),
        (100, 100, Some(vec![1])),
        (109, 109, Some(vec![1])),
        (110, 110, Some(vec![2])),
        (105, 129, Some(vec![1, 2])),
        // The newest block may have followers of the same second.
        (129, 130, None),
    ];
    for (from, to, expected) in table {
        assert_eq!(over(&track, from, to), expected, "{from} to {to}");
    }
    let before = |number| track.newest_before(&block(number, 140));
    assert_eq!((before(8), before(9), before(10)), (None, Some(&3), None));
    // Blocks 9 and 10 are missing: what was before them says nothing of the time since.
    track.take(&block(11, 160), 3);
    track.take(&block(12, 170), 3);
    assert_eq!((over(&track, 140, 140), over(&track, 160, 165)), (None, Some(vec![3])));
}

#[test]
fn memory_is_bounded() {
    let mut track = Track::new();
    for number in 0..=CHANGES_MAX as u64 + 10 {
        track.take(&block(number, number), u8::from(number % 2 == 1));
    }
    assert_eq!((track.changes.len(), over(&track, 10, 10), over(&track, 11, 11)), (CHANGES_MAX, None, Some(vec![1])));
}

/// What happens to a chain: a block so many seconds after the last with a value, or so many taken back.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Block(u64, u8),
    Back(usize),
}

proptest! {
    #[test]
    fn it_says_what_a_list_of_all_blocks_says(
        happenings in prop::collection::vec(
            prop_oneof![5 => (0..4_u64, 0..3_u8).prop_map(|(s, value)| Happening::Block(s, value)), 1 => (1..5_usize).prop_map(Happening::Back)],
            1..80,
        ),
        from in 0..120_u64,
        width in 0..20_u64,
    ) {
        let (mut track, mut list) = (Track::new(), vec![(block(0, 0), 0)]);
        track.take(&list[0].0, 0);
        for happening in happenings {
            match happening {
                Happening::Block(after, value) => {
                    let (last, _) = list.last().unwrap();
                    let next = block(last.number + 1, last.time.as_secs() + after);
                    track.take(&next, value);
                    list.push((next, value));
                }
                Happening::Back(count) => {
                    list.truncate(list.len().saturating_sub(count).max(1));
                    track.rollback(&list.last().unwrap().0);
                }
            }
            let upto = |time: u64| list.iter().rposition(|(block, _)| block.time.as_secs() <= time);
            let passed = list.last().unwrap().0.time.as_secs() > from + width;
            let expected = passed.then(|| {
                let mut values: Vec<u8> = list[upto(from).unwrap()..=upto(from + width).unwrap()].iter().map(|(_, value)| *value).collect();
                values.dedup();
                values
            });
            prop_assert_eq!(over(&track, from, from + width), expected);
        }
    }
}
