//! Events taken per second against bare strict signature checks per second.

use std::sync::Arc;
use std::time::Instant;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use watchfire_charter::Charter;
use watchfire_driver::{Door, Driver, Keys};
use watchfire_journal::FileStorage;
use watchfire_types::body::{Basis, Body, Decision, Started, Vote};
use watchfire_types::{
    BlockRef, BlockTime, Bytes, Epoch, Event, EventHash, OperatorId, Seq, StepIndex, Timestamp, domain,
};
use watchfire_wire::Envelope;

use crate::chain::CHAIN;
use crate::report::{Bound, Report};
use crate::world::{TestKeys, charter, open};

const FLOOR: f64 = 0.80;
/// Events of one commit.
const COMMIT: usize = 256;
/// Commits of one round.
const COMMITS: usize = 16;
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One event in every form that a round needs.
pub(crate) struct Sample {
    pub(crate) outer: Bytes,
    gossip: Bytes,
    pub(crate) input: Vec<u8>,
    pub(crate) signature: Signature,
}

/// All rounds. Both sides take turns commit by commit, so that whatever else the machine does falls on both.
pub(crate) fn measure(rounds: u32) -> Report {
    let charter = charter();
    let keys = TestKeys::of(1);
    let samples = samples(&charter, &keys, COMMIT * COMMITS);
    let key = VerifyingKey::from_bytes(keys.author().as_bytes()).expect("a key");
    let ratios = (0..rounds).map(|_| round(&charter, &key, &samples));
    let setting = format!("commits of {COMMIT}, {} events", samples.len());
    Report::new("ingest", setting, ratios.collect(), Bound::Least(FLOOR))
}

/// Seconds for the bare checks by seconds for a driver to take the same events from gossip, over a fresh journal in files.
fn round(charter: &Arc<Charter>, key: &VerifyingKey, samples: &[Sample]) -> f64 {
    let directory = tempfile::tempdir().expect("a directory");
    let storage = FileStorage::open(directory.path()).expect("a journal");
    // The author's quota counts its own clock, which the samples spread over an hour.
    let now = NOW.plus_millis(3_600_000);
    let (mut driver, _) = open(charter, 0, storage, 0x77, now);
    let (mut bare_s, mut taken_s) = (0.0, 0.0);
    for commit in samples.chunks(COMMIT) {
        bare_s += bare(key, commit);
        taken_s += taken(&mut driver, now, commit);
    }
    bare_s / taken_s
}

/// Seconds for the bare checks of one commit.
fn bare(key: &VerifyingKey, commit: &[Sample]) -> f64 {
    let clock = Instant::now();
    for sample in commit {
        key.verify_strict(&sample.input, &sample.signature).expect("a signature that holds");
    }
    clock.elapsed().as_secs_f64()
}

/// Seconds until one commit is verified, applied and durable.
fn taken(driver: &mut Driver<FileStorage, TestKeys>, now: Timestamp, commit: &[Sample]) -> f64 {
    let clock = Instant::now();
    let door = (0..).zip(commit).map(|(id, sample)| Door::Gossip { id, bytes: sample.gossip.clone() });
    let output = driver.handle(now, door.collect()).expect("a sound disk");
    let refused = output.verdicts.iter().find(|verdict| verdict.2.is_some());
    assert_eq!(output.appended.len(), commit.len(), "durable and applied: {refused:?}");
    clock.elapsed().as_secs_f64()
}

/// One author's chain: `Started`, then votes, as long as a quota allows within an hour.
pub(crate) fn samples(charter: &Charter, keys: &TestKeys, count: usize) -> Vec<Sample> {
    let (_, member) = charter.member_by_key(&keys.author()).expect("a member");
    let operator = member.operators.first().expect("a label");
    let mut prev = EventHash::from_bytes([0; 32]);
    let chain = (0..count).map(|seq| {
        let event = Event {
            network: charter.network_id(),
            author: keys.author(),
            epoch: Epoch::from_bytes([5; 16]),
            seq: Seq::new(seq as u64),
            prev,
            time: NOW.plus_millis(seq as u64 * 800),
            body: body(charter, operator, seq as u64),
        };
        let sealed = watchfire_wire::seal(&event, |input| keys.sign(input)).expect("within bounds");
        prev = sealed.hash();
        let verified = sealed.verify(charter.network_id()).expect("an own signature");
        sample(charter, keys, &verified.outer().clone(), &event)
    });
    chain.collect()
}

fn sample(charter: &Charter, keys: &TestKeys, outer: &Bytes, event: &Event) -> Sample {
    let mut input = Vec::new();
    watchfire_wire::seal(event, |bytes| {
        input = bytes.to_vec();
        [0; 64]
    })
    .expect("within bounds");
    assert!(input.starts_with(&domain::signing_input(domain::EVENT, charter.network_id(), &[])));
    let signature = keys.node.sign(&input);
    Sample { outer: outer.clone(), gossip: Envelope::Event(outer.clone()).encode(), input, signature }
}

fn body(charter: &Charter, operator: &OperatorId, seq: u64) -> Body {
    if seq == 0 {
        return Body::Started(Started {
            earlier: Vec::new(),
            charter_version: charter.version,
            charter_digest: charter.digest(),
            software: "ratios".into(),
        });
    }
    let evidence = BlockRef {
        chain: CHAIN,
        number: seq,
        hash: alloy_primitives::keccak256(seq.to_be_bytes()),
        time: BlockTime::from_secs(1_700_000_000 + seq),
    };
    Body::Vote(Vote {
        decision: Decision {
            version: charter.version,
            asset: "vault-core".parse().expect("a name"),
            playbook: "contain-vault".parse().expect("a name"),
        },
        step: StepIndex::new(2),
        basis: Basis::Finding(EventHash::from_bytes([9; 32])),
        operator: operator.clone(),
        evidence,
    })
}
