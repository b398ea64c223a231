//! What a log has lost and the witness memory knows.

use super::carried::carry;
use super::*;

fn forgotten(driver: &Driver<MemoryStorage, TestKeys>) -> Vec<(MemberId, u64)> {
    driver.forgotten().map(|(origin, size)| (origin.member.clone(), size)).collect()
}

/// A log without what others cosigned of it, or without what it cosigned of others, is told of at the start by its witness memory alone, and
/// no longer once a peer gave it back. Of a log that lost nothing, and of what others alone cosigned, there is nothing to tell.
#[test]
fn what_was_lost_is_told_until_it_is_back() {
    let (mut a, mut c) = (driver(0, 1), driver(2, 3));
    let (log, disks) = (MemoryStorage::new(), [MemoryStorage::new(), MemoryStorage::new()]);
    let (mut b, _) = open(&crate::world::charter(), 1, log.clone(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    let own = |driver: &Driver<MemoryStorage, TestKeys>| {
        let key = TestKeys::of(if driver.machine().member() == &name(0) { 0 } else { 1 }).author();
        let chained = driver.machine().chained(key, driver.machine().epoch());
        messages(&chained.map(|event| Verified::clone(event)).collect::<Vec<_>>())
    };
    b.checkpoint(at(1_000)).unwrap();
    let lines = hear(&mut a, 2_000, &own(&b)).publish;
    hear(&mut b, 3_000, &lines);
    a.checkpoint(at(4_000)).unwrap();
    let said = own(&a);
    hear(&mut b, 5_000, &said);
    let of_others = hear(&mut c, 5_000, &said).publish;
    drop(b);
    let start = |log: MemoryStorage, epoch: u8| {
        let (mut again, _) = open(&crate::world::charter(), 1, log, epoch, at(10_000));
        again.set_witness(witness(disks.clone(), 1));
        tick(&mut again, 11_000);
        again
    };
    assert_eq!(forgotten(&start(MemoryStorage::with_files(log.files()), 4)), []);
    let mut lost = start(MemoryStorage::new(), 5);
    let mut told = forgotten(&lost);
    told.sort();
    assert_eq!(told, [(name(0), 1), (name(1), 1)]);
    carry(&mut lost, &a, 12_000);
    tick(&mut lost, 14_000);
    assert_eq!(forgotten(&lost), [], "a peer gave it back");
    let mut strange = driver(1, 6);
    hear(&mut strange, 15_000, &of_others);
    tick(&mut strange, 17_000);
    assert_eq!(forgotten(&strange), [], "what others cosigned it need not have held");
}

/// What a cut took of a chain that was cosigned here is not missed, after a restart neither.
#[test]
fn what_a_cut_took_is_not_missed() {
    let [first, second] = two_histories();
    let (log, disks) = (MemoryStorage::new(), [MemoryStorage::new(), MemoryStorage::new()]);
    let start = |epoch: u8| {
        let (mut b, _) = open(&crate::world::charter(), 1, log.clone(), epoch, at(0));
        b.set_witness(witness(disks.clone(), 1));
        b
    };
    let mut b = start(2);
    assert_eq!(witness_lines(&hear(&mut b, 1_000, &messages(&first))).len(), 1);
    hear(&mut b, 2_000, &messages(&second));
    assert_eq!(b.machine().cut(first[0].author, first[0].epoch), Some(Seq::new(1)));
    drop(b);
    let mut again = start(3);
    tick(&mut again, 4_000);
    assert_eq!(forgotten(&again), []);
}

/// Of a chain of which this node cosigned less, what others cosigned need not have been held here.
#[test]
fn what_others_cosigned_further_on_is_not_missed() {
    let [first, _] = two_histories();
    let a = Author::new(0, [1; 16], at(0));
    let mut b = driver(1, 2);
    assert_eq!(witness_lines(&hear(&mut b, 1_000, &messages(&first))).len(), 1);
    hear(&mut b, 2_000, &[line(&a, &a.state(5, [9; 32]), 2, 2_000)]);
    tick(&mut b, 4_000);
    assert_eq!(forgotten(&b), []);
}
