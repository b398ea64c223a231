//! Signature checks and decoded events that one thread remembers: what was worked out for the very same bytes is not worked out again.
//!
//! A node checks each signature once and has no use for it: nothing is remembered unless a [`Remembering`] lives in the thread. The simulator,
//! in which every node checks what every other has checked, keeps one for the length of a run. What is remembered is a function of the bytes
//! that were asked about, under their SHA-256, so that no answer is another than it would be without.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::{Bytes, Unverified, sha256};

/// Answers remembered of each kind, at most: two runs of half as many.
const MAX: usize = 1 << 18;

/// As [`MAX`], of decoded events, which are some kilobytes each.
const DECODED_MAX: usize = 1 << 14;

/// Answers of one kind in two runs: once the younger one is full the older one, the first half of what is remembered, is forgotten whole.
#[derive(Debug)]
struct Answers<T, const MOST: usize = MAX> {
    younger: B256Map<T>,
    older: B256Map<T>,
}

impl<T, const MOST: usize> Default for Answers<T, MOST> {
    fn default() -> Self {
        Self { younger: B256Map::default(), older: B256Map::default() }
    }
}

impl<T: Clone, const MOST: usize> Answers<T, MOST> {
    fn get(&self, key: &[u8; 32]) -> Option<T> {
        let key = B256::new(*key);
        self.younger.get(&key).or_else(|| self.older.get(&key)).cloned()
    }

    fn keep(&mut self, key: [u8; 32], answer: T) {
        if self.younger.len() == MOST / 2 {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(B256::new(key), answer);
    }
}

#[derive(Default)]
struct Memory {
    strict: Answers<bool>,
    events: Answers<bool>,
    owners: Answers<Option<Address>>,
    decoded: Answers<Unverified, DECODED_MAX>,
    recalled: Answers<Arc<dyn Any + Send + Sync>, DECODED_MAX>,
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

fn asleep() -> bool {
    MEMORY.with_borrow(Option::is_none)
}

fn remembered<T: Copy>(parts: &[&[u8]], kind: impl Fn(&mut Memory) -> &mut Answers<T>, work: impl FnOnce() -> T) -> T {
    if asleep() { work() } else { under(sha256(parts), kind, work) }
}

fn under<T: Copy>(key: [u8; 32], kind: impl Fn(&mut Memory) -> &mut Answers<T>, work: impl FnOnce() -> T) -> T {
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

/// Notes that a signature holds, for who has just made it with the key's secret half.
pub fn signed(key: &VerifyingKey, input: &[u8], signature: &[u8; 64]) {
    let _ = remembered(&[key.as_bytes(), signature, input], |memory| &mut memory.strict, || true);
}

/// Whether the signature of an event holds strictly, as `check` works it out: `hash` is that of its outer bytes, which name network and author.
pub(crate) fn event_holds(hash: &[u8; 32], check: impl FnOnce() -> bool) -> bool {
    under(*hash, |memory| &mut memory.events, check)
}

/// What outer bytes decode to, as `decode` works it out; what does not decode is not remembered.
///
/// # Errors
/// As `decode`.
pub fn decoded<E>(outer: Bytes, decode: impl FnOnce(Bytes) -> Result<Unverified, E>) -> Result<Unverified, E> {
    if asleep() {
        return decode(outer);
    }
    let key = sha256(&[&outer]);
    let known = MEMORY.with_borrow_mut(|memory| memory.as_mut().and_then(|memory| memory.decoded.get(&key)));
    if let Some(known) = known {
        return Ok(known);
    }
    let event = decode(outer)?;
    MEMORY.with_borrow_mut(|memory| {
        if let Some(memory) = memory {
            memory.decoded.keep(key, event.clone());
        }
    });
    Ok(event)
}

/// What a message's bytes were made into, as `make` works it out; what is no message is not remembered.
///
/// # Errors
/// As `make`.
pub fn recalled<T: Clone + Any + Send + Sync, E>(
    bytes: Bytes,
    make: impl FnOnce(Bytes) -> Result<T, E>,
) -> Result<T, E> {
    if asleep() {
        return make(bytes);
    }
    let key = sha256(&[&bytes]);
    let known = MEMORY.with_borrow(|memory| memory.as_ref().and_then(|memory| memory.recalled.get(&key)));
    if let Some(known) = known.as_ref().and_then(|known| known.downcast_ref::<T>()) {
        return Ok(known.clone());
    }
    let made = make(bytes)?;
    MEMORY.with_borrow_mut(|memory| {
        if let Some(memory) = memory {
            memory.recalled.keep(key, Arc::new(made.clone()));
        }
    });
    Ok(made)
}

/// The owner behind r || s || v over a hash, as `recover` works it out.
#[must_use]
pub fn owner(hash: &[u8; 32], signature: &[u8; 65], recover: impl FnOnce() -> Option<Address>) -> Option<Address> {
    remembered(&[hash, signature], |memory| &mut memory.owners, recover)
}

#[cfg(test)]
mod tests;
