//! EVM code that executes a call and then reads, for nodes without `eth_simulateV1`.
//!
//! Run as the creation code of an `eth_call` without a target: the first call reverts the whole with its own revert data, the
//! checks after it answer one bit each. Only opcodes of Constantinople are used.

use alloy_primitives::{Address, B256, keccak256};
use bytes::Bytes;
use watchfire_types::Read;

use crate::assembly::Assembly;

const PUSH2: u8 = 0x61;
/// EIP-3860.
const CREATION_BYTES_MAX: usize = 49_152;

/// A read whose answer is compared inside the EVM.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) read: Read,
    pub(crate) equals: Bytes,
}

/// Copies `data`, appended to the code, to memory 0.
fn load(code: &mut Assembly, data: &Bytes) {
    code.push_data(data);
    code.push1(0);
    code.op(&[0x39]); // CODECOPY(0, offset, length)
}

/// Creation code that calls `to` with `data` and then answers a word whose bit i says whether check i holds. `None` where a
/// check cannot be made from inside the EVM (another account's storage) or there is too much of it.
pub(crate) fn execute_then_check(to: Address, data: &Bytes, checks: &[Check]) -> Option<Bytes> {
    if checks.len() > 128 {
        return None;
    }
    let mut code = Assembly::default();
    load(&mut code, data);
    code.push1(0);
    code.push1(0);
    code.push3(data.len());
    code.push1(0);
    code.push1(0);
    code.push20(to);
    code.op(&[0x5a, 0xf1]); // GAS CALL
    // Over the jump itself (4 bytes) and the reverting path (10).
    let jump = u16::try_from(code.len() + 14).ok()?.to_be_bytes();
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
    code.finish().filter(|code| code.len() <= CREATION_BYTES_MAX)
}

/// Leaves 1 on the stack if the check holds, else 0.
fn push_holds(code: &mut Assembly, check: &Check) -> Option<()> {
    match &check.read {
        Read::Call { to, data } => {
            load(code, data);
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
