//! What the rules of one chain are fired by, for whoever reads blocks: most blocks, and most logs of the others, concern nobody.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, keccak256};

use crate::governance::makes_or_ends;
use crate::index::Index;

/// The bits of one item in a header's bloom (yellow paper, section 4.3.1): three of 2048.
type Bits = [(u8, u8); 3];

/// The logs that concern a chain's rules, by contract and first topic.
pub struct Interest {
    index: Index,
    /// Of each first topic, and of the contracts whose events with it are of interest: rules have fewer events than contracts, so that a block
    /// that has none of the events costs a look for each event.
    events: Vec<(Bits, Vec<Bits>)>,
    /// Contracts all of whose events are.
    contracts: BTreeMap<Address, Bits>,
    strangers: Strangers,
}

/// Which logs of contracts that nobody names are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strangers {
    /// None.
    Ignored,
    /// Those by which the supply of a token changes: a rule looks at that of tokens which a log names.
    Supplies,
    /// Every one: a rule looks at those of transactions that nothing else finds.
    All,
}

fn bits(item: &[u8]) -> Bits {
    let hash = keccak256(item);
    [0, 2, 4].map(|at| {
        // Eleven bits: eight choose the byte, counted from the last one, three the bit.
        let [high, low] = (u16::from_be_bytes([hash[at], hash[at + 1]]) << 5).to_be_bytes();
        (255 - high, 1 << (low >> 5))
    })
}

fn has(bloom: &[u8; 256], bits: &Bits) -> bool {
    bits.iter().all(|(byte, mask)| bloom[usize::from(*byte)] & mask != 0)
}

impl Interest {
    pub(crate) fn new(keys: impl Iterator<Item = (Address, B256)>, strangers: Strangers) -> Self {
        let mut events = BTreeMap::<B256, BTreeSet<Address>>::new();
        for (address, topic) in keys {
            events.entry(topic).or_default().insert(address);
        }
        let keys = events.iter().flat_map(|(topic, contracts)| contracts.iter().map(|address| (*address, *topic, 0)));
        let index = Index::new(keys);
        let blooms = events.iter().map(|(topic, contracts)| {
            let contracts = contracts.iter().map(|address| bits(&address[..]));
            (bits(&topic[..]), contracts.collect())
        });
        Self { events: blooms.collect(), contracts: BTreeMap::new(), index, strangers }
    }

    /// The same, and every log of these contracts: what they emit tells people about what was found.
    #[must_use]
    pub fn with_contracts<'a>(mut self, contracts: impl Iterator<Item = &'a Address>) -> Self {
        self.contracts.extend(contracts.map(|address| (*address, bits(&address[..]))));
        self
    }

    /// Whether a block whose header has this bloom may hold a log that concerns a rule. `false` is certain, as far as the header is true.
    #[must_use]
    pub fn may_concern(&self, bloom: &[u8; 256]) -> bool {
        let has = |bits: &Bits| has(bloom, bits);
        let logs = self.strangers == Strangers::All && bloom.iter().any(|byte| *byte != 0);
        logs || self.contracts.values().any(has)
            || self.events.iter().any(|(event, of)| has(event) && of.iter().any(has))
    }

    /// Whether a log of this contract with these topics concerns a rule, or what tells of its findings; all others may be left out of what rules observe.
    #[must_use]
    pub fn concerns(&self, address: &Address, topics: &[B256]) -> bool {
        let fires = |topic| self.index.rules(address, topic).next().is_some();
        self.strangers == Strangers::All
            || topics.first().is_some_and(fires)
            || self.contracts.contains_key(address)
            || self.strangers == Strangers::Supplies && makes_or_ends(address, topics)
    }
}

#[cfg(test)]
mod tests;
