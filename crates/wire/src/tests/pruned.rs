//! The note of a base, and what catch-up says of pruning and witnesses.

use watchfire_types::{B256, ChainBase, Epoch, EventHash, PrunedInto, PrunedLog, Seq, Timestamp};

use super::samples::author;
use crate::bounds::{MAX_PRUNED_CHAINS, MAX_WITNESS, MAX_WITNESS_LINES, MAX_WITNESS_WANTED};
use crate::{CatchUpRequest, CatchUpResponse, PrunedChain, WireError, WitnessWanted, decode_pruned, encode_pruned};

pub(super) fn log() -> PrunedLog {
    let chain = |epoch: u8| ChainBase {
        author: author(1),
        epoch: Epoch::from_bytes([epoch; 16]),
        next: Seq::new(12),
        head: EventHash::from_bytes([0xaa; 32]),
        clock: Timestamp::from_millis(1_800_000_000_000),
        slipped: epoch == 2,
        digest: [0xdd; 32],
        digested: 3,
        leaves: 10,
        subtrees: vec![[8; 32], [2; 32]],
    };
    let archive = PrunedInto {
        sha256: B256::repeat_byte(0xa5),
        events: 40,
        pruned: 20,
        through: Timestamp::from_millis(1_800_000_000_001),
        at: Timestamp::from_millis(1_900_000_000_000),
    };
    PrunedLog { chains: vec![chain(1), chain(2)], archives: vec![archive] }
}

/// A note is read as it was written; every cut and every flipped bit of it is refused or read as another note, and never panics.
#[test]
fn a_note_is_read_back() {
    let bytes = encode_pruned(&log());
    assert_eq!(decode_pruned(&bytes).unwrap(), log());
    for end in 0..bytes.len() {
        assert_ne!(decode_pruned(&bytes[..end]).ok(), Some(log()));
    }
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(decode_pruned(&other).ok(), Some(log()), "bit {bit}");
    }
}

/// What no pruning writes is no note: no archive, chains out of order, a tree of another size, an empty beginning.
#[test]
fn what_is_no_note_is_refused() {
    let refused = |change: fn(&mut PrunedLog)| {
        let mut log = log();
        change(&mut log);
        decode_pruned(&encode_pruned(&log)).unwrap_err()
    };
    assert!(matches!(refused(|log| log.archives.clear()), WireError::Count { .. }));
    assert!(matches!(refused(|log| log.chains.reverse()), WireError::NotAscending { .. }));
    assert!(matches!(refused(|log| log.chains[0].leaves = 11), WireError::Count { .. }));
    assert!(matches!(refused(|log| log.chains[0].next = Seq::new(0)), WireError::Range { .. }));
}

/// What is added to catch-up is bounded, and each part has one meaning.
#[test]
fn additions_to_catch_up_are_bounded() {
    let wanted = |size, held| WitnessWanted { author: author(1), epoch: Epoch::from_bytes([1; 16]), size, held };
    let asked = |wanted| CatchUpRequest::decode(CatchUpRequest { wanted, ..CatchUpRequest::default() }.encode());
    let most = vec![wanted(7, vec![[3; 8]; 64]); MAX_WITNESS_WANTED];
    assert_eq!(asked(most.clone()).unwrap().wanted, most);
    assert!(matches!(asked(vec![wanted(7, Vec::new()); MAX_WITNESS_WANTED + 1]), Err(WireError::Count { .. })));
    assert!(matches!(asked(vec![wanted(7, vec![[3; 8]; 65])]), Err(WireError::Count { .. })));

    let chain = PrunedChain { author: author(1), epoch: Epoch::from_bytes([1; 16]), before: Seq::new(1) };
    let told = |pruned| CatchUpResponse::decode(CatchUpResponse { pruned, ..CatchUpResponse::default() }.encode());
    assert!(told(vec![chain; MAX_PRUNED_CHAINS]).is_ok());
    assert!(matches!(told(vec![chain; MAX_PRUNED_CHAINS + 1]), Err(WireError::Count { .. })));
    let nothing = PrunedChain { before: Seq::new(0), ..chain };
    assert!(matches!(told(vec![nothing]), Err(WireError::Range { .. })));
    let lines = |count, size| {
        let witnesses = vec![vec![b'x'; size].into(); count];
        CatchUpResponse::decode(CatchUpResponse { witnesses, ..CatchUpResponse::default() }.encode())
    };
    assert!(lines(MAX_WITNESS_LINES, 9).is_ok());
    assert!(matches!(lines(MAX_WITNESS_LINES + 1, 9), Err(WireError::Count { .. })));
    assert!(matches!(lines(1, MAX_WITNESS + 1), Err(WireError::TooLarge { .. })));
}
