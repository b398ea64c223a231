//! Planned changes, said before they are made: an owner handed over, an upgrade, a parameter. Rules about authority are quiet about a change
//! that enough organisations said they expect, in its window and nowhere else.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256, hex};
use serde::{Deserialize, Serialize};

use super::Human;
use crate::block::BlockRef;
use crate::domain;
use crate::id::{AssetId, ChainId, ChangeId, CharterVersion, NetworkId, OperatorId};
use crate::sha256;
use crate::time::{BlockTime, Timestamp};

/// Which call a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeCall {
    /// The one whose call data, selector and arguments, have this keccak-256.
    Data(B256),
    /// Any whose call data begins with these four bytes.
    Selector(Selector),
}

/// First four bytes of call data: `0x8456cb59` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(pub [u8; 4]);

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.0))
    }
}

impl FromStr for Selector {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A change of a contract that is planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Charter version under which it was said.
    pub version: CharterVersion,
    /// Asset that the contract belongs to.
    pub asset: AssetId,
    /// Its chain.
    pub chain: ChainId,
    /// The contract that is called.
    pub target: Address,
    /// The call.
    pub call: ChangeCall,
    /// First block time at which it is expected.
    pub opens: BlockTime,
    /// Last one; after `opens` by 1 s to [`crate::bounds::CHANGE_WINDOW_S_MAX`].
    pub closes: BlockTime,
    /// Tells it from one just like it: what was withdrawn is announced again under another number.
    pub edition: u32,
}

impl Change {
    /// Its name: equal where everything above is.
    #[must_use]
    pub fn id(&self, network: NetworkId) -> ChangeId {
        let asset = self.asset.as_str();
        let (kind, call): (u8, &[u8]) = match &self.call {
            ChangeCall::Data(hash) => (0, &hash[..]),
            ChangeCall::Selector(selector) => (1, &selector.0),
        };
        ChangeId::from_bytes(sha256(&[
            domain::CHANGE,
            network.as_bytes(),
            &self.version.get().to_be_bytes(),
            &(asset.len() as u64).to_be_bytes(),
            asset.as_bytes(),
            &self.chain.get().to_be_bytes(),
            &self.target[..],
            &[kind],
            call,
            &self.opens.as_secs().to_be_bytes(),
            &self.closes.as_secs().to_be_bytes(),
            &self.edition.to_be_bytes(),
        ]))
    }
}

/// An organisation's people expect a change: the first such event announces it, every other one supports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSupported {
    /// The change.
    pub change: Change,
    /// Operator label: whose endpoint gave the head.
    pub operator: OperatorId,
    /// Head of the change's chain when it was said.
    pub head: BlockRef,
    /// Who and why.
    pub human: Human,
}

/// An organisation's people no longer expect a change, and never will again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeWithdrawn {
    /// The change.
    pub change: ChangeId,
    /// Who and why.
    pub human: Human,
}

/// From when on the author's own rules are quiet about a change, or are no longer. A statement by its author about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeCounted {
    /// The change.
    pub change: ChangeId,
    /// Whether enough organisations expect it.
    pub counts: bool,
    /// Head of the change's chain when it was said: of no block up to here was it known.
    pub head: BlockRef,
}

/// When a node knew something: after this block by height, and after this time by its own clock. Either alone would not do: heights of a
/// node that catches up lie behind, and the times of blocks are their makers'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Known {
    /// Height of the head.
    pub number: u64,
    /// Own clock.
    pub at: Timestamp,
}

impl Known {
    /// Whether it was known before this block was made.
    #[must_use]
    pub fn before(&self, block: &BlockRef) -> bool {
        block.number > self.number && block.time.as_secs().saturating_mul(1_000) > self.at.as_millis()
    }
}

/// A change that counts for a node's own rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// Its name.
    pub id: ChangeId,
    /// The change.
    pub change: Change,
    /// Since when it counts.
    pub since: Known,
    /// From when on it does not any more, if it was withdrawn.
    pub until: Option<Known>,
}

impl Announced {
    /// Whether it was known, and not taken back, before this block was made, and the block is in its window.
    #[must_use]
    pub fn covers(&self, block: &BlockRef) -> bool {
        self.change.chain == block.chain
            && (self.change.opens..=self.change.closes).contains(&block.time)
            && self.since.before(block)
            && self.until.is_none_or(|until| !until.before(block))
    }
}

#[cfg(test)]
mod tests;
