//! What a charter is measured by against what is really encoded: the largest automatic vote, and as many of them as a rule may need.

use alloy_primitives::B256;
use watchfire_types::body::{Basis, Certificate, CloseVote, Decision, Human, Outcome, Purpose, Veto, Vote};
use watchfire_types::bounds::{
    AUTOMATIC_VOTE_BYTES_MAX, CERTIFICATE_VOTERS_MAX, CERTIFICATE_VOTES_BYTES, HUMAN_VOTE_BYTES, VOTE_FRAME_BYTES,
    vote_bytes_max, words_bytes_max,
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

fn block() -> BlockRef {
    BlockRef {
        chain: ChainId::new(u64::MAX),
        number: u64::MAX,
        hash: B256::repeat_byte(0xff),
        time: BlockTime::from_secs(u64::MAX),
    }
}

/// Every number and name as long as it can be.
fn vote(basis: Basis) -> Body {
    let operator = "o".repeat(64).parse().unwrap();
    Body::Vote(Vote { decision: decision(), step: StepIndex::new(255), basis, operator, evidence: block() })
}

fn sealed(seed: u8, body: Body) -> Unverified {
    let event = Event {
        seq: Seq::new(u64::MAX),
        prev: EventHash::from_bytes([0xff; 32]),
        time: Timestamp::from_millis(u64::MAX),
        ..event(seed, 4, body)
    };
    seal(&event, |input| key(seed).sign(input).to_bytes()).unwrap()
}

fn largest_vote(seed: u8) -> Unverified {
    sealed(seed, vote(Basis::Finding(EventHash::from_bytes([0xff; 32]))))
}

/// So many bytes of words, as long as each text may be.
fn human(words: usize) -> Human {
    let (person, role) = (words.min(64), words.saturating_sub(64).min(64));
    let text = |bytes: usize| "w".repeat(bytes);
    Human { person: text(person), role: text(role), reason: text((words - person - role).min(1_024)) }
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

/// What people say is counted to the byte too: in votes and vetoes, and closes are smaller.
#[test]
fn the_largest_human_votes_are_known() {
    let words = 64 + 64 + 1_024;
    let human = || human(words);
    assert_eq!(sealed(1, vote(Basis::Human(human()))).outer().len(), HUMAN_VOTE_BYTES + words);
    let veto = Veto { decision: decision(), head: block(), act: block(), human: human() };
    assert_eq!(sealed(1, Body::Veto(veto)).outer().len(), HUMAN_VOTE_BYTES + words);
    let close = CloseVote { decision: decision(), closed_at: block(), outcome: Some(Outcome::False), human: human() };
    assert!(sealed(1, Body::CloseVote(close)).outer().len() <= HUMAN_VOTE_BYTES + words);
}

/// As many human votes as a rule may take fit into one certificate, with all the words that they may have; with more they would not.
#[test]
fn a_certificate_holds_what_people_may_say() {
    assert_eq!([1, 17, 18, 25, 45, 53].map(words_bytes_max), [28_159, 1_174, 1_080, 634, 125, 28]);
    for votes in 1..=CERTIFICATE_VOTERS_MAX {
        let words = words_bytes_max(votes).min(64 + 64 + 1_024);
        let largest = |seed: usize| sealed(u8::try_from(seed).unwrap(), vote(Basis::Human(human(words))));
        assert!(largest(1).outer().len() <= vote_bytes_max(votes), "{votes}");
        let all: Vec<Unverified> = (1..=votes).map(largest).collect();
        let framed: usize = all.iter().map(|vote| vote.outer().len() + VOTE_FRAME_BYTES).sum();
        assert!(framed < CERTIFICATE_VOTES_BYTES, "{votes}: {framed}");
        // What is left is what shorter lengths take less, and the rest of a division.
        assert!(votes < 18 || framed + 14 * votes >= CERTIFICATE_VOTES_BYTES, "{votes}: {framed}");
    }
}
