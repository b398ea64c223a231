//! A disk that fills up under a running node: it says so, takes less and less, loses nothing, and goes on by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_driver::Refusal;
use watchfire_journal::storage::CrashState;
use watchfire_journal::{FaultyStorage, JournalOptions, Space};
use watchfire_protocol::Rejection;

use crate::load::Load;

const OPTIONS: JournalOptions =
    JournalOptions { segment_bytes: 16 << 20, chunk_bytes: 64 << 10, reserve_bytes: 640 << 10 };

/// First the space is told, then others' events wait, then nothing is authored; what was acknowledged is there after a power cut
/// at that moment; and once there is room both go on without a restart.
#[test]
fn a_full_disk_is_told_and_survived() {
    let disk = FaultyStorage::new();
    disk.set_capacity(Some(800 << 10));
    let (mut load, mut acknowledged) = Load::open_with(disk.clone(), 1, OPTIONS);
    let (mut told, mut refused, mut silent) = (None, None, None);
    let mut unsaid_once = false;
    for turn in 0..3_000 {
        let output = load.try_turn();
        acknowledged.extend(output.appended.iter().map(|event| event.hash()));
        if matches!(load.driver().journal().space(), Space::Reserve { .. }) {
            told.get_or_insert(turn);
        }
        if output.verdicts.iter().any(|verdict| verdict.2 == Some(Refusal::NoRoom)) {
            refused.get_or_insert(turn);
        }
        for answer in &output.answers {
            assert_ne!(answer.result, Ok(Vec::new()), "a human hears that nothing was said");
            let unsaid = matches!(&answer.result, Err(Rejection::Unsaid { why }) if why.contains("disk is full"));
            assert!(answer.result.is_ok() || unsaid, "{:?}", answer.result);
            unsaid_once |= unsaid;
        }
        if output.appended.is_empty() {
            silent.get_or_insert(turn);
            if turn > silent.unwrap() + 20 {
                break;
            }
        }
    }
    assert!(unsaid_once);
    let (told, refused, silent) = (told.unwrap(), refused.unwrap(), silent.unwrap());
    assert!(told < refused && refused < silent, "told at {told}, others refused from {refused}, silent from {silent}");
    let (left, _) = Load::open_with(disk.crash(&CrashState::LoseAll), 2, OPTIONS);
    for hash in &acknowledged {
        assert!(left.driver().event_bytes(hash).unwrap().is_some(), "{hash} is gone");
    }

    disk.set_capacity(None);
    let went_on = (0..600).any(|_| {
        let output = load.try_turn();
        !output.appended.is_empty() && load.driver().journal().space() == Space::Ample
    });
    assert!(went_on, "{:?}", load.driver().journal().space());
}
