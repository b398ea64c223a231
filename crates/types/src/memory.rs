//! Signature checks that one thread remembers: what was worked out for the very same bytes is not worked out again.
//!
//! A node checks each signature once and has no use for it: nothing is remembered unless a [`Remembering`] lives in the thread. The simulator,
//! in which every node checks what every other has checked, keeps one for the length of a run. What is remembered is a function of the bytes
//! that were asked about, under their SHA-256, so that no answer is another than it would be without.

use std::cell::RefCell;
use std::collections::BTreeMap;

use alloy_primitives::Address;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::sha256;

/// Answers remembered of each kind, at most: two runs of half as many.
const MAX: usize = 1 << 18;

/// Answers of one kind in two runs: once the younger one is full the older one, the first half of what is remembered, is forgotten whole.
#[derive(Debug)]
struct Answers<T> {
    younger: BTreeMap<[u8; 32], T>,
    older: BTreeMap<[u8; 32], T>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { younger: BTreeMap::new(), older: BTreeMap::new() }
    }
}

impl<T: Copy> Answers<T> {
    fn get(&self, key: &[u8; 32]) -> Option<T> {
        self.younger.get(key).or_else(|| self.older.get(key)).copied()
    }

    fn keep(&mut self, key: [u8; 32], answer: T) {
        if self.younger.len() == MAX / 2 {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key, answer);
    }
}

#[derive(Debug, Default)]
struct Memory {
    strict: Answers<bool>,
    owners: Answers<Option<Address>>,
}

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// While it lives, its thread remembers. One inside another changes nothing: neither its beginning nor its end forgets, and what is
/// remembered ends with the outer one.
#[derive(Debug)]
pub struct Remembering {
    /// There was none around it.
    outer: bool,
    /// A thread's own.
    _here: std::marker::PhantomData<*const ()>,
}

impl Remembering {
    /// Begins with nothing remembered, unless one lives in this thread already.
    #[must_use]
    pub fn begin() -> Self {
        let outer = MEMORY.with_borrow(Option::is_none);
        if outer {
            MEMORY.set(Some(Memory::default()));
        }
        Self { outer, _here: std::marker::PhantomData }
    }
}

impl Drop for Remembering {
    fn drop(&mut self) {
        if self.outer {
            MEMORY.set(None);
        }
    }
}

fn remembered<T: Copy>(parts: &[&[u8]], kind: impl Fn(&mut Memory) -> &mut Answers<T>, work: impl FnOnce() -> T) -> T {
    let asleep = MEMORY.with_borrow(Option::is_none);
    if asleep {
        return work();
    }
    let key = sha256(parts);
    let known = MEMORY.with_borrow_mut(|memory| memory.as_mut().and_then(|memory| kind(memory).get(&key)));
    known.unwrap_or_else(|| {
        let answer = work();
        MEMORY.with_borrow_mut(|memory| {
            if let Some(memory) = memory {
                kind(memory).keep(key, answer);
            }
        });
        answer
    })
}

/// Whether an ed25519 signature over `input` holds strictly (`verify_strict`).
#[must_use]
pub fn holds_strictly(key: &VerifyingKey, input: &[u8], signature: &[u8; 64]) -> bool {
    let check = || key.verify_strict(input, &Signature::from_bytes(signature)).is_ok();
    // Key and signature are of one length each, so the parts cannot run into one another.
    remembered(&[key.as_bytes(), signature, input], |memory| &mut memory.strict, check)
}

/// The owner behind r || s || v over a hash, as `recover` works it out.
#[must_use]
pub fn owner(hash: &[u8; 32], signature: &[u8; 65], recover: impl FnOnce() -> Option<Address>) -> Option<Address> {
    remembered(&[hash, signature], |memory| &mut memory.owners, recover)
}

#[cfg(test)]
mod tests;
