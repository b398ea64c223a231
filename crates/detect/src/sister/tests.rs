//! What raises a sister, when nobody can know yet, and that whoever judges a block says the same of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::{AssetId, Severity};

use super::*;
use crate::fixture::*;

const THERE: ChainId = ChainId::new(10);
const TWIN: Address = Address::repeat_byte(0xbb);

fn sister() -> AssetId {
    "vault-there".parse().unwrap()
}

/// Looks back 30 s, which is past 2 of this chain's blocks.
fn rule(elsewhere: ChainId) -> SisterWatch {
    let rule =
        Sister { contract: VAULT, elsewhere: sister(), elsewhere_contract: TWIN, kinds: BTreeSet::new(), lag_s: 30 };
    SisterWatch::new(rule, CHAIN, elsewhere, ["drained".parse().unwrap(), "broken".parse().unwrap()].into())
}

fn code_of(account: Address, byte: u8) -> (Read, ReadOutcome) {
    (code_read(account), ReadOutcome::Value(vec![byte; 32].into()))
}

fn here(number: u64) -> BlockView {
    view(number, [code_of(VAULT, 1)])
}

/// Block `number` of the other chain, at the time of this chain's block of that number.
fn there(number: u64, code: u8) -> BlockView {
    let block = BlockRef { chain: THERE, ..block(number) };
    BlockView { block, ..view(number, [code_of(TWIN, code)]) }
}

fn found(detector: &str, since: u64) -> Finding {
    Finding {
        asset: sister(),
        detector: detector.parse().unwrap(),
        kind: "invariant".to_owned(),
        severity: Severity::Sev1,
        first: BlockRef { chain: THERE, ..block(since) },
        block: BlockRef { chain: THERE, ..block(since) },
        explanation: String::new(),
        figures: BTreeMap::new(),
    }
}

/// These findings, judged at a block and standing there.
fn at(view: &BlockView, standing: &[Finding]) -> Vec<Finding> {
    standing.iter().map(|finding| Finding { block: view.block, ..finding.clone() }).collect()
}

/// Judged at block 10 of this chain, after the other chain's blocks up to `last`, each with these findings and this code.
fn judged(last: u64, code: u8, standing: &[Finding], floor: Option<u64>) -> Evaluation {
    let mut rule = rule(THERE);
    for number in 5..=last {
        let view = there(number, code);
        rule.hear(&view, &at(&view, standing));
    }
    rule.observe(&here(10), floor.map(block).as_ref())
}

#[test]
fn a_finding_where_the_same_code_runs_raises() {
    let drained = [found("drained", 6)];
    let foreign = Finding { asset: "vault-core".parse().unwrap(), ..found("drained", 6) };
    let table = [
        ("as it should", judged(12, 1, &drained, None), Some(true)),
        // Its block 7 is 36 s before, block 8 is 24 s: only from block 8 on is what held 30 s before known.
        ("passed", judged(8, 1, &drained, None), Some(true)),
        ("not passed yet", judged(7, 1, &drained, None), None),
        ("never heard", judged(4, 1, &drained, None), None),
        ("other code", judged(12, 2, &drained, None), Some(false)),
        ("nothing found", judged(12, 1, &[], None), Some(false)),
        ("what may not vote", judged(12, 1, &[found("noise", 6)], None), Some(false)),
        ("of another asset", judged(12, 1, &[foreign], None), Some(false)),
        ("begun before a recovery", judged(12, 1, &drained, Some(6)), Some(false)),
        ("begun after a recovery", judged(12, 1, &drained, Some(5)), Some(true)),
    ];
    for (row, evaluation, expected) in table {
        assert_eq!(fires(&evaluation), expected, "{row}");
    }
    let raised = judged(12, 1, &[found("broken", 7), found("drained", 6)], None);
    let (explanation, of) = figures(&raised);
    assert_eq!(
        explanation,
        "vault-there on chain 10 runs the same code, and broken (invariant) stands there since block 7"
    );
    assert_eq!((of["sister_detector"].as_str(), of["sister_block"].as_str()), ("broken", "7"));
    assert_eq!(figures(&judged(12, 1, &drained, None)).1["sister_block"], "6", "where it began");
}

/// No code is no common code, and what nobody read is unknown.
#[test]
fn code_has_to_be_there_and_read() {
    let mut rule = rule(THERE);
    let none = ReadOutcome::Value(KECCAK256_EMPTY.to_vec().into());
    let bare = |view: BlockView, account| BlockView { reads: [(code_read(account), none.clone())].into(), ..view };
    for number in 5..=12 {
        let view = bare(there(number, 1), TWIN);
        rule.hear(&view, &at(&view, &[found("drained", 6)]));
    }
    assert_eq!(fires(&rule.observe(&bare(here(10), VAULT), None)), Some(false));
    assert_eq!(fires(&rule.observe(&view(10, []), None)), None);
    let unread = |number| BlockView { reads: BTreeMap::new(), ..there(number, 1) };
    for number in 13..=20 {
        rule.hear(&unread(number), &at(&unread(number), &[found("drained", 6)]));
    }
    assert_eq!(fires(&rule.observe(&here(20), None)), None);
    // What stands there since block 6 was last judged at block 24.
    for number in 21..=28 {
        let view = there(number, 1);
        rule.hear(&view, &at(&there(number.min(24), 1), &[found("drained", 6)]));
    }
    let said: Vec<_> = [26, 27, 28, 29].map(|number| fires(&rule.observe(&here(number), None))).into();
    assert_eq!(said, [Some(true), Some(true), None, None]);
}

/// On one chain the block before is what counts, at once.
#[test]
fn on_one_chain_it_is_raised_in_the_next_block() {
    let mut rule = rule(CHAIN);
    let both = |number| view(number, [code_of(VAULT, 1), code_of(TWIN, 1)]);
    assert_eq!(fires(&rule.observe(&both(5), None)), None);
    rule.hear(&both(5), &[]);
    assert_eq!(fires(&rule.observe(&both(6), None)), Some(false));
    rule.hear(&both(6), &at(&both(6), &[found("drained", 6)]));
    assert_eq!(fires(&rule.observe(&both(7), None)), Some(true));
    assert_eq!(fires(&rule.observe(&both(8), None)), None, "block 7 was not heard");
    rule.rollback(&block(5));
    assert_eq!(fires(&rule.observe(&both(6), None)), Some(false));
}

/// Blocks of this chain, and what is taken back of it, say nothing of the other one.
#[test]
fn only_its_own_chain_tells_of_a_sister() {
    let mut rule = rule(THERE);
    for number in 5..=12 {
        let view = there(number, 1);
        rule.hear(&view, &at(&view, &[found("drained", 6)]));
        rule.hear(&here(number), &[]);
    }
    rule.rollback(&block(4));
    assert_eq!(fires(&rule.observe(&here(10), None)), Some(true));
    rule.rollback(&there(7, 1).block);
    assert_eq!(fires(&rule.observe(&here(10), None)), None);
}

proptest! {
    /// However far a node is with the other chain when it judges a block, and whatever was taken back there: it says what one says that saw all of it
    /// first, or that it does not know.
    #[test]
    fn whoever_judges_says_the_same(
        history in prop::collection::vec((1..3_u8, prop::option::of(0..40_u64)), 40),
        heard in prop::collection::vec(0..6_usize, 40),
        stale in 0..8_usize,
    ) {
        let hear = |rule: &mut SisterWatch, number: usize, code: u8, since: Option<u64>| {
            let standing: Vec<Finding> = since.map(|since| found("drained", since)).into_iter().collect();
            let view = there(number as u64, code);
            rule.hear(&view, &at(&view, &standing));
        };
        let mut all = rule(THERE);
        for (number, (code, since)) in history.iter().enumerate() {
            hear(&mut all, number, *code, *since);
        }
        let (mut one, mut next) = (rule(THERE), 0);
        for (number, more) in heard.iter().enumerate() {
            for (code, since) in history.iter().skip(next).take(*more) {
                hear(&mut one, next, *code, *since);
                next += 1;
            }
            // A branch that is taken back before the next block of this chain, and that no block's time has passed.
            if next > 0 && next < history.len() {
                let base = there(next as u64 - 1, 1).block;
                for number in next..next + stale {
                    hear(&mut one, number, 1, Some(3));
                }
                one.rollback(&base);
            }
            let (said, full) = (one.observe(&here(number as u64), None), all.observe(&here(number as u64), None));
            prop_assert!(said == Evaluation::Unknown || full == Evaluation::Unknown || said == full, "{said:?} {full:?}");
            // What the other chain has passed is known.
            prop_assert!(said != Evaluation::Unknown || next + 2 <= number || number < 3, "{number} {next}");
        }
    }
}
