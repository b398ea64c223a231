//! What the rules of one chain are fired by, for whoever reads blocks: most blocks, and most logs of the others, concern nobody.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, keccak256};
use watchfire_types::Log;

use crate::index::Index;
use crate::json::{Kind, Tape, Value};

/// The bits of one item in a header's bloom (yellow paper, section 4.3.1): three of 2048.
type Bits = [(u8, u8); 3];

/// The logs that concern a chain's rules, by contract and first topic.
pub struct Interest {
    index: Index,
    /// Of each first topic, and of the contracts whose events with it are of interest: rules have fewer events than contracts, so that a block
    /// that has none of the events costs a look for each event.
    events: Vec<(Bits, Vec<Bits>)>,
    /// Of contracts all of whose events are.
    contracts: Vec<Bits>,
}

/// Why a text is no list of logs, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}; a list of logs as eth_getLogs answers is expected")]
pub struct LogsFault {
    /// Byte offset.
    pub at: usize,
    /// What was met or missed.
    pub what: &'static str,
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
    pub(crate) fn new(keys: impl Iterator<Item = (Address, B256)>) -> Self {
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
        Self { events: blooms.collect(), contracts: Vec::new(), index }
    }

    /// The same, and every log of these contracts: what they emit tells people about what was found.
    #[must_use]
    pub fn with_contracts<'a>(mut self, contracts: impl Iterator<Item = &'a Address>) -> Self {
        self.contracts.extend(contracts.map(|address| bits(&address[..])));
        self
    }

    /// Whether a block whose header has this bloom may hold a log that concerns a rule. `false` is certain, as far as the header is true.
    #[must_use]
    pub fn may_concern(&self, bloom: &[u8; 256]) -> bool {
        let has = |bits: &Bits| has(bloom, bits);
        self.contracts.iter().any(has) || self.events.iter().any(|(event, of)| has(event) && of.iter().any(has))
    }

    /// The logs among a JSON list of them (`eth_getLogs`) that concern a rule, in order, each with its place in the list as index; of the others nothing but the
    /// address and the first topic is decoded. Unknown members are read over. The list is taken as it is: what proves it is the caller's to know.
    ///
    /// # Errors
    /// [`LogsFault`] where the text is no JSON, or a log that concerns a rule is malformed.
    pub fn logs(&self, text: &[u8]) -> Result<Vec<Log>, LogsFault> {
        let fault = |at, what| LogsFault { at, what };
        let read = Tape::read(text, 0).map_err(|error| fault(error.at, error.what))?;
        let Some((tape, _)) = read else { return Err(fault(0, "nothing is here")) };
        if tape.root().kind() != Kind::Array {
            return Err(fault(tape.root().at(), "this is no list"));
        }
        let mut logs = Vec::new();
        for (log, index) in tape.root().items().zip(0..) {
            logs.extend(self.log(log, index).map_err(|what| fault(log.at(), what))?);
        }
        Ok(logs)
    }

    fn log(&self, log: Value<'_>, index: u64) -> Result<Option<Log>, &'static str> {
        let (mut address, mut topics, mut data, mut transaction) = (None, None, None, None);
        for (name, value) in log.members() {
            match name {
                b"address" => address = Some(value),
                b"topics" => topics = Some(value),
                b"data" => data = Some(value),
                b"transactionHash" => transaction = Some(value),
                _ => {}
            }
        }
        let address: [u8; 20] = address.and_then(fixed).ok_or("a log has no address of 20 bytes")?;
        let topics = topics.filter(|topics| topics.kind() == Kind::Array).ok_or("a log has no topics")?;
        let mut topics = topics.items();
        let Some(first) = topics.next() else { return Ok(None) };
        let address = Address::from(address);
        let first = B256::from(fixed::<32>(first).ok_or("a topic is not of 32 bytes")?);
        if self.index.rules(&address, &first).next().is_none() {
            return Ok(None);
        }
        let others = topics.map(|topic| fixed::<32>(topic).map(B256::from));
        let topics: Option<Vec<B256>> = std::iter::once(Some(first)).chain(others).collect();
        let topics =
            topics.filter(|topics| topics.len() <= 4).ok_or("a log has a topic that is none, or more than four")?;
        let data =
            data.and_then(hex).and_then(|hex| alloy_primitives::hex::decode(hex).ok()).ok_or("a log has no data")?;
        let transaction = transaction.and_then(fixed).ok_or("a log names no transaction")?;
        Ok(Some(Log { address, topics, data: data.into(), transaction: B256::from(transaction), index }))
    }
}

/// The digits after `0x`.
fn hex<'a>(value: Value<'a>) -> Option<&'a [u8]> {
    (value.kind() == Kind::Text).then(|| value.bytes().strip_prefix(b"0x"))?
}

fn fixed<const N: usize>(value: Value<'_>) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    alloy_primitives::hex::decode_to_slice(hex(value)?, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
