//! What a charter is measured by against what is really encoded: the largest automatic vote, and as many of them as a rule may need.

use alloy_primitives::B256;
use watchfire_types::body::{Basis, Certificate, Decision, Purpose, Vote};
use watchfire_types::bounds::{
    AUTOMATIC_VOTE_BYTES_MAX, CERTIFICATE_VOTERS_MAX, CERTIFICATE_VOTES_BYTES, VOTE_FRAME_BYTES,
};
use watchfire_types::{
    BlockRef, BlockTime, Body, ChainId, CharterVersion, Event, EventHash, Seq, StepIndex, Timestamp, Unverified,
};

use super::samples::{event, key};
use crate::{MAX_PLAIN_EVENT, decode_signed, seal};
use ed25519_dalek::Signer;

fn decision() -> Decision {
    let name = "n".repeat(64);
    Decision { version: CharterVersion::new(u32::MAX), asset: name.parse().unwrap(), playbook: name.parse().unwrap() }
}

/// Every number and name as long as it can be.
fn largest_vote(seed: u8) -> Unverified {
    let evidence = BlockRef {
        chain: ChainId::new(u64::MAX),
        number: u64::MAX,
        hash: B256::repeat_byte(0xff),
        time: BlockTime::from_secs(u64::MAX),
    };
    let vote = Vote {
        decision: decision(),
        step: StepIndex::new(255),
        basis: Basis::Finding(EventHash::from_bytes([0xff; 32])),
        operator: "o".repeat(64).parse().unwrap(),
        evidence,
    };
    let event = Event {
        seq: Seq::new(u64::MAX),
        prev: EventHash::from_bytes([0xff; 32]),
        time: Timestamp::from_millis(u64::MAX),
        ..event(seed, 4, Body::Vote(vote))
    };
    seal(&event, |input| key(seed).sign(input).to_bytes()).unwrap()
}

/// The bound counts every byte of it and not one more, so that it says exactly how many fit.
#[test]
fn the_largest_automatic_vote_is_known() {
    assert_eq!(largest_vote(1).outer().len(), AUTOMATIC_VOTE_BYTES_MAX);
    assert_eq!(CERTIFICATE_VOTERS_MAX, 53);
}

/// As many as a rule may need fit into one certificate, which is an event like any other; one more would be dropped.
#[test]
fn a_certificate_holds_what_a_rule_may_need() {
    let votes: Vec<Unverified> = (1..=u8::try_from(CERTIFICATE_VOTERS_MAX).unwrap()).map(largest_vote).collect();
    let framed = |votes: usize| votes * (largest_vote(1).outer().len() + VOTE_FRAME_BYTES);
    assert!(framed(votes.len()) < CERTIFICATE_VOTES_BYTES && framed(votes.len() + 1) >= CERTIFICATE_VOTES_BYTES);
    let certificate = Certificate { decision: decision(), purpose: Purpose::Step(StepIndex::new(255)), votes };
    let event = Event { seq: Seq::new(u64::MAX), ..event(1, 4, Body::Certificate(certificate)) };
    let sealed = seal(&event, |input| key(1).sign(input).to_bytes()).unwrap();
    assert!(sealed.outer().len() <= MAX_PLAIN_EVENT, "{}", sealed.outer().len());
    assert_eq!(decode_signed(sealed.outer().clone()).unwrap(), sealed);
}
