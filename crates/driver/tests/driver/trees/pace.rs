//! How much a witness may say.

use super::*;

/// A witness says 1,024 lines about one author at once and four a second after that; others are heard all the while, and so is it about others.
#[test]
fn a_witness_has_its_pace() {
    let mut b = driver(1, 2);
    let authors = [0, 4].map(|index| Author::new(index, [1; 16], at(0)));
    let about = |b: &mut Driver<MemoryStorage, TestKeys>, a: &Author, ms: u64, by: usize, size: u64| {
        let bytes = line(a, &a.state(size, [1; 32]), by, ms);
        b.handle(at(ms), vec![Door::Gossip { id: 1, bytes }]).unwrap().verdicts.remove(0).1
    };
    let say = |b: &mut Driver<MemoryStorage, TestKeys>, ms, by, size| about(b, &authors[0], ms, by, size);
    for size in 1..=1_024 {
        assert_eq!(say(&mut b, 1_000, 2, size), Verdict::Accept, "{size}");
    }
    assert_eq!(say(&mut b, 1_000, 2, 1_025), Verdict::Ignore);
    assert_eq!(say(&mut b, 1_000, 3, 1_025), Verdict::Accept);
    assert_eq!(about(&mut b, &authors[1], 1_000, 2, 1), Verdict::Accept);
    for size in 1_025..1_029 {
        assert_eq!(say(&mut b, 2_000, 2, size), Verdict::Accept, "{size}");
    }
    assert_eq!(say(&mut b, 2_000, 2, 1_029), Verdict::Ignore);
}
