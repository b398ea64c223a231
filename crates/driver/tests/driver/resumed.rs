//! A machine that goes on from an older snapshot, memory included: two processes say different things in one epoch. Made here as two that began
//! alike: the same key, epoch and clock make the same first event.

use watchfire_driver::{Door, Driver, Keys, Output, Violation};
use watchfire_journal::MemoryStorage;
use watchfire_types::Timestamp;

use crate::world::{TestKeys, charter, open, sending};

type MemoryDriver = Driver<MemoryStorage, TestKeys>;

const EPOCH: u8 = 9;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

fn say(driver: &mut MemoryDriver, ms: u64, word: u8) -> Output {
    driver.handle(at(ms), vec![Door::Input(sending(word))]).unwrap()
}

fn hear(driver: &mut MemoryDriver, ms: u64, said: &Output) -> Output {
    let door = (0..).zip(&said.publish).map(|(id, bytes)| Door::Gossip { id, bytes: bytes.clone() });
    driver.handle(at(ms), door.collect()).unwrap()
}

fn catch_up(asking: &mut MemoryDriver, ms: u64, answering: &MemoryDriver, by: usize) -> Output {
    let answer = answering.answer_catch_up(&asking.catch_up_request(), |error| panic!("{error}"));
    let from = TestKeys::of(by).author();
    asking.handle(at(ms), vec![Door::CaughtUp { from, events: answer.events }]).unwrap()
}

/// Who looks on, the process that went on, and the one that was resumed as it was after its first event. The first one said two things more,
/// and who looks on heard them.
fn resumed() -> (MemoryDriver, MemoryDriver, MemoryStorage, MemoryDriver) {
    let mut observer = open(&charter(), 0, MemoryStorage::new(), 1, at(0)).0;
    let (mut first, started) = open(&charter(), 1, MemoryStorage::new(), EPOCH, at(0));
    let storage = MemoryStorage::new();
    let second = open(&charter(), 1, storage.clone(), EPOCH, at(0)).0;
    hear(&mut observer, 100, &started);
    for (ms, word) in [(1_000, 1), (2_000, 2)] {
        let said = say(&mut first, ms, word);
        hear(&mut observer, ms, &said);
    }
    (observer, first, storage, second)
}

fn goes_on(observer: &mut MemoryDriver, storage: MemoryStorage) {
    let author = TestKeys::of(1).author();
    let (mut again, started) = open(&charter(), 1, storage, EPOCH + 1, at(20_000));
    hear(observer, 20_000, &started);
    let said = say(&mut again, 21_000, 7);
    let heard = hear(observer, 21_100, &said);
    assert!(heard.verdicts.iter().all(|(_, _, refusal)| refusal.is_none()), "{:?}", heard.verdicts);
    let epoch = again.machine().epoch();
    assert!(observer.machine().cut(author, epoch).is_none() && observer.machine().tree(author, epoch).is_some());
}

/// One that hears what it forgot before it says anything says nothing in that epoch any more, loudly. It is never convicted, and goes on in a
/// new epoch once it is started again.
#[test]
fn one_that_hears_first_signs_nothing_twice() {
    let (mut observer, _, storage, mut second) = resumed();
    catch_up(&mut second, 3_000, &observer, 0);
    let said = say(&mut second, 4_000, 3);
    assert!(matches!(second.signing_stopped(), Some(Violation::EpochClaimed)), "{:?}", second.signing_stopped());
    let alarms = second.machine().alarms();
    assert!(alarms.iter().any(|alarm| alarm.starts_with("identity-in-use-twice")), "{alarms:?}");
    hear(&mut observer, 4_100, &said);
    let members = observer.machine().members();
    assert!(members.iter().all(|member| !member.faulty), "{members:?}");
    drop(second);
    goes_on(&mut observer, storage);
}

/// One that speaks before it hears signs twice, which nothing inside a resumed machine can know: its epoch is cut there, everybody and it itself
/// are told, and what it says after a new start counts.
#[test]
fn one_that_speaks_first_is_cut_in_that_epoch_alone() {
    let (mut observer, _, storage, mut second) = resumed();
    let said = say(&mut second, 3_000, 3);
    hear(&mut observer, 3_100, &said);
    let author = TestKeys::of(1).author();
    let cut = observer.machine().cut(author, second.machine().epoch());
    assert_eq!(cut.map(|seq| seq.get()), Some(1));
    catch_up(&mut second, 4_000, &observer, 0);
    let alarms = second.machine().alarms();
    for name in ["identity-in-use-twice", "fork-proven"] {
        assert!(alarms.iter().any(|alarm| alarm.starts_with(name)), "{name}: {alarms:?}");
    }
    drop(second);
    goes_on(&mut observer, storage);
}
