//! EVM code put together opcode by opcode, with data after it that it reaches by offset.

use alloy_primitives::{Address, B256};
use bytes::Bytes;

/// Code under construction. Only what its users need of the instruction set has a name; the rest is [`Assembly::op`].
#[derive(Debug, Default)]
pub struct Assembly {
    code: Vec<u8>,
    /// Appended data and where in `code` its offset (3 bytes) stands.
    data: Vec<(usize, Bytes)>,
}

impl Assembly {
    /// These bytes as they are.
    pub fn op(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    /// PUSH1.
    pub fn push1(&mut self, value: u8) {
        self.op(&[0x60, value]);
    }

    /// PUSH3 of the value's low three bytes.
    pub fn push3(&mut self, value: usize) {
        let bytes = (value as u64).to_be_bytes();
        self.op(&[0x62, bytes[5], bytes[6], bytes[7]]);
    }

    /// PUSH20.
    pub fn push20(&mut self, address: Address) {
        self.op(&[0x73]);
        self.op(address.as_slice());
    }

    /// PUSH32.
    pub fn push32(&mut self, word: B256) {
        self.op(&[0x7f]);
        self.op(word.as_slice());
    }

    /// Appends data; pushes its length and above it its offset in the code, as CODECOPY under a target takes them.
    pub fn push_data(&mut self, data: &Bytes) {
        self.push3(data.len());
        self.data.push((self.code.len() + 1, data.clone()));
        self.push3(0);
    }

    /// Bytes of code so far, data aside.
    pub(crate) fn len(&self) -> usize {
        self.code.len()
    }

    /// The code with its data; `None` where that begins beyond what three bytes reach.
    #[must_use]
    pub fn finish(mut self) -> Option<Bytes> {
        for (at, data) in std::mem::take(&mut self.data) {
            let offset = u32::try_from(self.code.len()).ok().filter(|offset| *offset < 1 << 24)?.to_be_bytes();
            self.code.get_mut(at..at + 3)?.copy_from_slice(&offset[1..]);
            self.code.extend_from_slice(&data);
        }
        Some(self.code.into())
    }
}
