//! What may wait to be carried into the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::body::Checkpoint;
use watchfire_types::{B256, Epoch};

use super::*;

fn fault(author: u8, epoch: u8, size: u64) -> CheckpointFault {
    let checkpoint = Checkpoint { member: "alder-1".parse().unwrap(), size, root: B256::ZERO, signature: [0; 64] };
    let (author, epoch) = (MemberKey::from_bytes([author; 32]), Epoch::from_bytes([epoch; 16]));
    CheckpointFault { author, epoch, checkpoint, against: None }
}

fn waiting(convictions: &Convictions) -> Vec<(u8, u8, u64)> {
    let numbers = |(author, epoch): &ChainKey| (author.as_bytes()[0], epoch.as_bytes()[0]);
    let sizes = convictions.waiting.iter().map(|(chain, (_, fault))| (numbers(chain), fault.checkpoint.size));
    sizes.map(|((author, epoch), size)| (author, epoch, size)).collect()
}

/// Of a chain the contradiction that cuts it lowest waits, whichever came first.
#[test]
fn the_lowest_of_a_chain_waits() {
    let mut convictions = Convictions::default();
    for (size, at) in [(3, 5), (1, 2), (4, 6), (2, 2)] {
        assert!(convictions.wait(fault(1, 1, size), Seq::new(at), |_| false));
    }
    assert_eq!(waiting(&convictions), [(1, 1, 1)]);
}

/// Of one author sixteen chains wait; one of which events are held takes the place of one that may be invented, never the other way round. Nobody
/// takes another author's.
#[test]
fn what_waits_is_bounded_by_author() {
    let mut convictions = Convictions::default();
    let mut wait = |author: u8, epoch: u8| {
        let held = |chain: &ChainKey| chain.1.as_bytes()[0] >= 100;
        convictions.wait(fault(author, epoch, 1), Seq::new(0), held)
    };
    assert!((0..16).all(|epoch| wait(1, epoch)));
    assert!(!wait(1, 16) && wait(2, 16) && wait(1, 3));
    assert!((100..116).all(|epoch| wait(1, epoch)));
    assert!(!wait(1, 116) && !wait(1, 16));
    let expected: Vec<(u8, u8, u64)> = (100..116).map(|epoch| (1, epoch, 1)).chain([(2, 16, 1)]).collect();
    assert_eq!(waiting(&convictions), expected);
}
