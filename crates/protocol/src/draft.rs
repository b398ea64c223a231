//! What the machine wants authored, done and said.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use watchfire_types::body::{Authority, Body, CoSignature};
use watchfire_types::duty::{Duty, Page};
use watchfire_types::{BlockRef, ChainId, CharterVersion, SafeTransaction, SafeVersion, Timestamp, Verdict};

/// What one input itself leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Own events to author now, in this order.
    pub drafts: Vec<Draft>,
    /// For a received event that is to be appended and applied: whether to forward it. `Accept` for every other input.
    pub verdict: Verdict,
}

impl Step {
    /// Own events to author.
    #[must_use]
    pub fn authored(drafts: Vec<Draft>) -> Self {
        Self { drafts, verdict: Verdict::Accept }
    }
}

/// An event body to seal, or a signature to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// Seal and append.
    Body(Body),
    /// Ask the guardian key, then seal and append the finished [`CoSignature`]. A key that fails is asked again at the next change.
    CoSign(CoSignDraft),
}

/// Which commit a draft belongs to: everything of one stage may share a sync, a new stage needs one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Findings, votes and other own observations: durable before anyone else's vote is counted.
    Observe,
    /// Certificates and co-signatures.
    Commit,
}

impl Draft {
    /// The stage. [`Owed::drafts`] never mixes two.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Body(Body::Certificate(_)) | Self::CoSign(_) => Stage::Commit,
            Self::Body(_) => Stage::Observe,
        }
    }
}

/// A co-signature but for the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoSignDraft {
    /// Charter version.
    pub version: CharterVersion,
    /// What makes it owed.
    pub authority: Authority,
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// Its contract version, which decides the EIP-712 domain.
    pub safe_version: SafeVersion,
    /// Whole transaction.
    pub transaction: SafeTransaction,
    /// Its hash as this machine computed it: for comparing, never for signing.
    pub safe_tx_hash: B256,
    /// Calls left out.
    pub omitted: BTreeSet<u16>,
    /// Block of the reads.
    pub agreed: BlockRef,
}

impl CoSignDraft {
    /// The finished body.
    #[must_use]
    pub fn signed(self, signature: [u8; 65]) -> CoSignature {
        CoSignature {
            version: self.version,
            authority: self.authority,
            chain: self.chain,
            safe: self.safe,
            transaction: self.transaction,
            omitted: self.omitted,
            agreed: self.agreed,
            signature,
        }
    }
}

/// Longest line an event carries, bytes.
const LINE_MAX: usize = 512;

/// A line cut to what an event carries: a draft that cannot be sealed would hold up everything behind it.
pub(crate) fn line(text: &str) -> String {
    cut(text, LINE_MAX)
}

/// The beginning of a text, whole characters of at most so many bytes.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Everything this node still has to do, given shared state and view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owed {
    /// Own events to author now, all of one [`Stage`]. After applying them, ask again.
    pub drafts: Vec<Draft>,
    /// The whole set of duties: the executor starts what is new and stops what is gone.
    pub duties: BTreeSet<Duty>,
    /// The whole set of pages that stand: a page is sent when it was not in the set before.
    pub pages: BTreeSet<Page>,
    /// Until when time alone makes nothing else of all this; `None` for ever.
    pub until: Option<Timestamp>,
}
