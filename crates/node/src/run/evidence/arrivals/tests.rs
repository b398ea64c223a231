//! From when a block's time is counted.

use super::*;

fn block(number: u64) -> BlockRef {
    let hash = B256::repeat_byte(u8::try_from(number).unwrap_or(0));
    BlockRef { chain: ChainId::new(1), number, hash, time: watchfire_types::BlockTime::from_secs(number) }
}

/// What held a job back is taken from its time; a block that came after the finding counts from itself, the one before an attack from
/// the finding, and one that nobody saw from now on.
#[test]
fn time_runs_from_the_finding() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let patience = Duration::from_secs(16);
    let mut arrivals = Arrivals::default();
    (99..=101).for_each(|number| arrivals.note(&block(number), at(number - 99)));
    let until = |number: u64, now: u64| arrivals.deadline(&block(number), 100, patience, at(now));
    assert_eq!(until(99, 4), at(1 + 16), "the state before an attack is wanted since the finding");
    assert_eq!(until(100, 4), at(1 + 16), "held back for three seconds");
    assert_eq!(until(101, 4), at(2 + 16));
    assert_eq!(until(100, 40), at(40) + LATE, "its time is over");
    assert_eq!(arrivals.deadline(&block(7), 7, patience, at(4)), at(4) + patience, "an earlier process saw it");
}

/// What is remembered is bounded, chain by chain.
#[test]
fn memory_is_bounded() {
    let mut arrivals = Arrivals::default();
    (0..200).for_each(|number| arrivals.note(&block(number), Instant::now()));
    assert_eq!(arrivals.0.len() as u64, STATE_BLOCKS);
}
