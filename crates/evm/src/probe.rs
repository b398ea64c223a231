//! EVM code that executes a call and then reads, for nodes without `eth_simulateV1`.
//!
//! Run as the creation code of an `eth_call` without a target: the first call reverts the whole with its own revert data, the
//! checks after it answer one bit each. Only opcodes of Constantinople are used.

use alloy_primitives::{Address, B256, keccak256};
use bytes::Bytes;
use watchfire_types::Read;

const PUSH2: u8 = 0x61;

/// A read whose answer is compared inside the EVM.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) read: Read,
    pub(crate) equals: Bytes,
}

#[derive(Default)]
struct Code {
    code: Vec<u8>,
    /// Appended data and where in `code` its offset (3 bytes) stands.
    data: Vec<(usize, Bytes)>,
}

impl Code {
    fn op(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    fn push1(&mut self, value: u8) {
        self.op(&[0x60, value]);
    }

    fn push3(&mut self, value: usize) {
        let bytes = (value as u64).to_be_bytes();
        self.op(&[0x62, bytes[5], bytes[6], bytes[7]]);
    }

    fn push20(&mut self, address: Address) {
        self.op(&[0x73]);
        self.op(address.as_slice());
    }

    fn push32(&mut self, word: B256) {
        self.op(&[0x7f]);
        self.op(word.as_slice());
    }

    /// Copies `data`, appended to the code, to memory 0.
    fn load(&mut self, data: &Bytes) {
        self.push3(data.len());
        self.data.push((self.code.len() + 1, data.clone()));
        self.push3(0);
        self.push1(0);
        self.op(&[0x39]); // CODECOPY(0, offset, length)
    }

    fn finish(mut self) -> Option<Bytes> {
        for (at, data) in std::mem::take(&mut self.data) {
            let offset = (self.code.len() as u64).to_be_bytes();
            self.code.get_mut(at..at + 3)?.copy_from_slice(&offset[5..]);
            self.code.extend_from_slice(&data);
        }
        // EIP-3860 bounds creation code; offsets above are 3 bytes and cannot overflow below it.
        (self.code.len() <= 49_152).then(|| self.code.into())
    }
}

/// Creation code that calls `to` with `data` and then answers a word whose bit i says whether check i holds. `None` where a
/// check cannot be made from inside the EVM (another account's storage) or there is too much of it.
pub(crate) fn execute_then_check(to: Address, data: &Bytes, checks: &[Check]) -> Option<Bytes> {
    if checks.len() > 128 {
        return None;
    }
    let mut code = Code::default();
    code.load(data);
    code.push1(0);
    code.push1(0);
    code.push3(data.len());
    code.push1(0);
    code.push1(0);
    code.push20(to);
    code.op(&[0x5a, 0xf1]); // GAS CALL
    // Over the jump itself (4 bytes) and the reverting path (10).
    let jump = u16::try_from(code.code.len() + 14).ok()?.to_be_bytes();
    code.op(&[PUSH2, jump[0], jump[1], 0x57]); // PUSH2 after JUMPI
    code.op(&[0x3d, 0x60, 0, 0x60, 0, 0x3e, 0x3d, 0x60, 0]); // RETURNDATACOPY(0, 0, size); size 0
    code.op(&[0xfd]); // REVERT
    code.op(&[0x5b]); // JUMPDEST
    code.push1(0); // the answer so far
    for (bit, check) in (0u8..).zip(checks) {
        push_holds(&mut code, check)?;
        code.push1(bit);
        code.op(&[0x1b, 0x17]); // SHL OR
    }
    code.push1(0);
    code.op(&[0x52]); // MSTORE
    code.push1(32);
    code.push1(0);
    code.op(&[0xf3]); // RETURN
    code.finish()
}

/// Leaves 1 on the stack if the check holds, else 0.
fn push_holds(code: &mut Code, check: &Check) -> Option<()> {
    match &check.read {
        Read::Call { to, data } => {
            code.load(data);
            code.push1(0);
            code.push1(0);
            code.push3(data.len());
            code.push1(0);
            code.push20(*to);
            code.op(&[0x5a, 0xfa]); // GAS STATICCALL
            code.op(&[0x3d, 0x60, 0, 0x60, 0, 0x3e, 0x3d, 0x60, 0, 0x20]); // RETURNDATACOPY; KECCAK256(0, size)
            code.push32(keccak256(&check.equals));
            code.op(&[0x14, 0x16]); // EQ AND
        }
        Read::Balance { account } => {
            code.push20(*account);
            code.op(&[0x31]); // BALANCE
            code.push32(B256::try_from(check.equals.as_ref()).ok()?);
            code.op(&[0x14]);
        }
        Read::CodeHash { account } => {
            code.push20(*account);
            code.op(&[0x3f]); // EXTCODEHASH
            code.push32(B256::try_from(check.equals.as_ref()).ok()?);
            code.op(&[0x14]);
        }
        Read::Storage { .. } | Read::Delegation { .. } => return None,
    }
    Some(())
}
