//! Checkpoints of a chain whose beginning was pruned.

use super::*;
use crate::answers::pruned;
use crate::catch_up::{author, history};

/// One over less than went is neither held against the rest nor missed, though it was cosigned here; one over exactly what went still convicts.
#[test]
fn a_base_is_judged_and_nothing_below_it() {
    let mut said = author(2, 5);
    let events = history(&mut said, 60);
    for (size, convicts) in [(10, false), (20, true)] {
        let mut b = pruned(events.clone(), &[(said.key(), said.epoch)].into(), 20, &[0]);
        b.set_witness(witness([MemoryStorage::new(), MemoryStorage::new()], 1));
        let heard = hear(&mut b, 100_000, &[line(&said, &said.state(size, [9; 32]), 1, 100_000)]);
        tick(&mut b, 102_000);
        assert_eq!(heard.appended.iter().any(|event| matches!(event.body, Body::CheckpointFault(_))), convicts);
        assert_eq!(b.forgotten().count(), 0, "over {size}");
    }
}
