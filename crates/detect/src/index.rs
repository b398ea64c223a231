//! Which rules a log concerns, found by the contract that emitted it and its first topic, however many rules there are.
//!
//! A table of buckets that is laid out once, from the charter's own addresses and events: a log, whoever made it, costs one bucket. What falls
//! into a bucket is decided by the charter alone, so nobody can lengthen one from outside.

use alloy_primitives::{Address, B256};
use watchfire_types::Log;

/// A rule and a log that it is about, by their places; in rule order, then in log order.
pub(crate) type Hit = (u32, u32);

struct Entry {
    address: Address,
    topic: B256,
    rule: u32,
}

/// The table.
pub(crate) struct Index {
    /// By how many bits a hash is shortened to a bucket's number.
    shift: u32,
    /// Where each bucket begins, and where the last one ends.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

impl Index {
    /// The table of rules that are each fired by logs of an address with a first topic.
    pub(crate) fn new(rules: impl Iterator<Item = (Address, B256, u32)>) -> Self {
        let mut entries: Vec<Entry> = rules.map(|(address, topic, rule)| Entry { address, topic, rule }).collect();
        let buckets = entries.len().saturating_mul(2).next_power_of_two().max(2);
        let mut index = Self { shift: 64 - buckets.trailing_zeros(), starts: Vec::new(), entries: Vec::new() };
        entries.sort_by_key(|entry| (index.bucket(&entry.address, &entry.topic), entry.rule));
        let mut counts = vec![0_u32; buckets + 1];
        for entry in &entries {
            counts[index.bucket(&entry.address, &entry.topic) + 1] += 1;
        }
        let ends = counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        index.starts = ends.collect();
        index.entries = entries;
        index
    }

    /// A bucket's number: addresses and topics are hashes already, but for those that somebody chose.
    fn bucket(&self, address: &Address, topic: &B256) -> usize {
        let part = |bytes: &[u8]| bytes.iter().take(8).fold(0, |word, byte| (word << 8) | u64::from(*byte));
        let word = part(&address[..]) ^ part(&address[12..]).rotate_left(17) ^ part(&topic[..]).rotate_left(32);
        // The odd number is 2^64 over the golden ratio: high bits of the product depend on all bits of the word.
        usize::try_from(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift).unwrap_or_default()
    }

    /// Whether there is no rule in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The rules that logs of this address with this first topic concern, in order.
    pub(crate) fn rules(&self, address: &Address, topic: &B256) -> impl Iterator<Item = u32> {
        let bucket = self.bucket(address, topic);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        let (address, topic) = (*address, *topic);
        self.entries[range]
            .iter()
            .filter(move |entry| entry.address == address && entry.topic == topic)
            .map(|entry| entry.rule)
    }

    /// Every rule with every log that it is about.
    pub(crate) fn hits(&self, logs: &[Log]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (log, place) in logs.iter().zip(0..) {
            if let Some(topic) = log.topics.first() {
                hits.extend(self.rules(&log.address, topic).map(|rule| (rule, place)));
            }
        }
        hits.sort_unstable();
        hits
    }
}
