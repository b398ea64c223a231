//! One internal call tree for every tracer's shape: the frames of one transaction in the order in which they began.
//!
//! Bounds: [`FRAMES_MAX`] frames a transaction; of each frame's input and output the first [`DATA_BYTES_MAX`] bytes are kept, which holds
//! the arguments that features look at.

use alloy_primitives::{Address, B256, U256};

/// Most frames of one transaction; a mainnet block's whole gas pays for far fewer.
pub const FRAMES_MAX: usize = 1 << 20;
/// Bytes kept of an input or output.
pub const DATA_BYTES_MAX: usize = 516;

/// How a frame was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// CALL, and the transaction itself.
    Call,
    /// CALLCODE: foreign code, own account.
    CallCode,
    /// DELEGATECALL: foreign code, own account and caller.
    DelegateCall,
    /// STATICCALL: may change nothing.
    StaticCall,
    /// CREATE, CREATE2 and a transaction that creates.
    Create,
    /// SELFDESTRUCT: `to` gets the balance.
    SelfDestruct,
    /// A type that this program does not know; it moves nothing.
    Other,
}

/// One log of a frame, where the tracer gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLog {
    /// Emitting account.
    pub address: Address,
    /// At most four.
    pub topics: Vec<B256>,
    /// The first bytes of its data.
    pub data: Vec<u8>,
}

/// One call, creation or self-destruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How it was entered.
    pub kind: CallKind,
    /// The account that calls.
    pub from: Address,
    /// Called account, created account, or who gets a destroyed account's balance; zero where none is told.
    pub to: Address,
    /// Wei.
    pub value: U256,
    /// The first bytes of the call data; of a creation nothing.
    pub input: Vec<u8>,
    /// The first bytes of what it returned; of a creation nothing.
    pub output: Vec<u8>,
    /// Whether it failed by itself.
    pub failed: bool,
    /// Whether it or one around it failed: it left nothing behind.
    pub reverted: bool,
    /// Logs, where the tracer gives them.
    pub logs: Vec<TraceLog>,
    /// The frame that made it; the root's is itself.
    pub parent: usize,
    /// The root's is 0.
    pub depth: usize,
    /// The index after the last frame inside it.
    pub end: usize,
    /// The account whose storage and balance the code works on.
    pub account: Address,
}

impl Frame {
    /// The first four bytes of the call data, of a plain or static call.
    #[must_use]
    pub fn selector(&self) -> Option<[u8; 4]> {
        self.input.get(..4)?.try_into().ok()
    }

    /// The `index`th word of the arguments.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<U256> {
        word(&self.input, 4 + 32 * index)
    }

    /// The `index`th word of the arguments as an address.
    #[must_use]
    pub fn address(&self, index: usize) -> Option<Address> {
        let word = self.word(index)?;
        Some(Address::from_word(B256::from(word)))
    }

    /// The `index`th word returned.
    #[must_use]
    pub fn returned(&self, index: usize) -> Option<U256> {
        word(&self.output, 32 * index)
    }
}

/// The 32 bytes at an offset.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<U256> {
    bytes.get(at..at.checked_add(32)?).map(U256::from_be_slice)
}

/// The calls of one transaction; never empty, `frames[0]` is the transaction itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTree {
    frames: Vec<Frame>,
}

impl CallTree {
    /// A tree from frames in the order in which they began, each with its parent set; `None` without any. Depth, end, account and whether
    /// it was reverted are computed here, and a call without a caller gets the account around it.
    #[must_use]
    pub fn new(mut frames: Vec<Frame>) -> Option<Self> {
        frames.first()?;
        for index in 0..frames.len() {
            frames[index].end = index + 1;
            let parent = frames[index].parent.min(index.saturating_sub(1));
            let (depth, around, reverted) = match index {
                0 => (0, frames[0].from, false),
                _ => (frames[parent].depth + 1, frames[parent].account, frames[parent].reverted),
            };
            let frame = &mut frames[index];
            (frame.parent, frame.depth) = (parent, depth);
            frame.reverted = reverted || frame.failed;
            if frame.from.is_zero() {
                frame.from = around;
            }
            frame.account = match frame.kind {
                CallKind::DelegateCall | CallKind::CallCode => frame.from,
                _ => frame.to,
            };
        }
        for index in (1..frames.len()).rev() {
            let (parent, end) = (frames[index].parent, frames[index].end);
            frames[parent].end = frames[parent].end.max(end);
        }
        Some(Self { frames })
    }

    /// The frames in the order in which they began.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The transaction itself.
    #[must_use]
    pub fn root(&self) -> &Frame {
        &self.frames[0]
    }

    /// The frames around one, the nearest first, without itself.
    pub fn around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let up = |at: &usize| (*at > 0).then(|| self.frames[*at].parent);
        std::iter::successors(up(&index), move |at| up(at))
    }
}
