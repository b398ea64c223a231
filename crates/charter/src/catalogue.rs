//! The containment catalogue: calls known to go in the pause direction only, each with the arguments that make it so.
//!
//! Signatures were read in the sources of the systems named; selectors are computed from them and pinned by test.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::{Address, U256};
use thiserror::Error;

use crate::call::{Signature, selector};

/// What an argument of a catalogue call must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Any constant: it selects what is contained.
    Any,
    /// `true`: `false` is the other direction.
    True,
    /// Zero.
    Zero,
    /// A list with at least one entry.
    NotEmpty,
    /// The call data of a call that is itself judged.
    Inner,
}

/// One call of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Name in a charter: `oz-pausable.pause`.
    pub id: &'static str,
    /// Canonical signature.
    pub function: &'static str,
    /// One pin for each argument.
    pub pins: &'static [Pin],
}

const fn entry(id: &'static str, function: &'static str, pins: &'static [Pin]) -> Entry {
    Entry { id, function, pins }
}

/// The entry through which a scoped role of Zodiac Roles v2 calls: judged at the call inside it.
pub const ROLES: &str = "zodiac-roles.exec";

/// The entry whose effect a delay of OpenZeppelin's AccessManager may postpone.
pub const ACCESS_MANAGER_CLOSE: &str = "oz-access-manager.close";

/// Every entry, in catalogue order.
pub const ENTRIES: &[Entry] = &[
    entry("oz-pausable.pause", "pause()", &[]),
    entry(ACCESS_MANAGER_CLOSE, "setTargetClosed(address,bool)", &[Pin::Any, Pin::True]),
    entry("oz-access-manager.cancel", "cancel(address,address,bytes)", &[Pin::Any, Pin::Any, Pin::Any]),
    entry("oz-access-control.revoke-role", "revokeRole(bytes32,address)", &[Pin::Any, Pin::Any]),
    entry("oz-timelock.cancel", "cancel(bytes32)", &[Pin::Any]),
    entry("aave-v3.pause-reserve", "setReservePause(address,bool)", &[Pin::Any, Pin::True]),
    entry("aave-v3.pause-reserve-grace", "setReservePause(address,bool,uint40)", &[Pin::Any, Pin::True, Pin::Any]),
    entry("aave-v3.pause-pool", "setPoolPause(bool)", &[Pin::True]),
    entry("aave-v3.pause-pool-grace", "setPoolPause(bool,uint40)", &[Pin::True, Pin::Any]),
    entry("aave-v3.freeze-reserve", "setReserveFreeze(address,bool)", &[Pin::Any, Pin::True]),
    entry("compound-v2.pause-mint", "_setMintPaused(address,bool)", &[Pin::Any, Pin::True]),
    entry("compound-v2.pause-borrow", "_setBorrowPaused(address,bool)", &[Pin::Any, Pin::True]),
    entry("compound-v2.pause-transfer", "_setTransferPaused(bool)", &[Pin::True]),
    entry("compound-v2.pause-seize", "_setSeizePaused(bool)", &[Pin::True]),
    // Overwrites all five flags: anything but `true` un-pauses what was paused.
    entry("compound-v3.pause", "pause(bool,bool,bool,bool,bool)", &[Pin::True; 5]),
    entry("lido-gate-seal.seal", "seal(address[])", &[Pin::NotEmpty]),
    entry("zodiac-delay.veto", "setTxNonce(uint256)", &[Pin::Any]),
    // No value, no delegate call, and a failing inner call reverts so that the Safe's nonce survives.
    entry(
        ROLES,
        "execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)",
        &[Pin::Any, Pin::Zero, Pin::Inner, Pin::Zero, Pin::Any, Pin::True],
    ),
];

/// The entries by selector, hashed once.
static BY_SELECTOR: LazyLock<BTreeMap<[u8; 4], &'static Entry>> =
    LazyLock::new(|| ENTRIES.iter().map(|entry| (entry.selector(), entry)).collect());

/// Why a call is not the catalogue's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// Another function.
    #[error("catalogue entry {id} is {expected}, not {found}")]
    OtherFunction {
        /// Entry.
        id: &'static str,
        /// Its signature.
        expected: &'static str,
        /// The action's.
        found: String,
    },
    /// A pinned argument differs.
    #[error("argument {index} of {function} must be {wanted}: anything else does not go in the pause direction")]
    Pinned {
        /// Signature.
        function: &'static str,
        /// Argument, 1 first.
        index: usize,
        /// What it must be.
        wanted: &'static str,
    },
}

impl Entry {
    /// First four bytes of its call data.
    #[must_use]
    pub fn selector(&self) -> [u8; 4] {
        selector(self.function)
    }

    /// The entry with this name.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        ENTRIES.iter().find(|entry| entry.id == id)
    }

    /// The entry with this selector.
    #[must_use]
    pub fn by_selector(selector: [u8; 4]) -> Option<&'static Self> {
        BY_SELECTOR.get(&selector).copied()
    }

    /// Whether a call with these arguments is this entry's.
    pub(crate) fn admits(&self, call: &Signature, arguments: &[DynSolValue]) -> Result<(), CatalogueError> {
        if call.canonical() != self.function {
            let found = call.canonical();
            return Err(CatalogueError::OtherFunction { id: self.id, expected: self.function, found });
        }
        self.pins_hold(arguments)
    }

    /// Whether every pin holds.
    pub(crate) fn pins_hold(&self, arguments: &[DynSolValue]) -> Result<(), CatalogueError> {
        for (index, (pin, value)) in self.pins.iter().zip(arguments).enumerate() {
            let (holds, wanted) = match pin {
                Pin::Any | Pin::Inner => (true, "constant"),
                Pin::True => (*value == DynSolValue::Bool(true), "true"),
                Pin::Zero => (value.as_uint().is_some_and(|(number, _)| number == U256::ZERO), "0"),
                Pin::NotEmpty => (value.as_array().is_some_and(|list| !list.is_empty()), "a list with an entry"),
            };
            if !holds {
                return Err(CatalogueError::Pinned { function: self.function, index: index + 1, wanted });
            }
        }
        Ok(())
    }
}

/// The call inside an `execTransactionWithRole`: target and call data.
pub(crate) fn inner_of(arguments: &[DynSolValue]) -> Option<(Address, &[u8])> {
    Some((arguments.first()?.as_address()?, arguments.get(2)?.as_bytes()?))
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
