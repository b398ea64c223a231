//! Signed events: the exact bytes, and the types that say whether their signature was checked.

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use thiserror::Error;

use crate::domain;
use crate::event::Event;
use crate::id::{EventHash, MemberKey, NetworkId};
use crate::memory;
use crate::planted::{Mutation, planted};

/// A decoded signed event whose signature nobody has checked yet. Made by the wire decoder. Clones share what was decoded: a certificate
/// of dozens of votes stands in a log, in indexes and in an outbox at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    event: Arc<Event>,
    event_bytes: Bytes,
    signature: [u8; 64],
    outer: Bytes,
    hash: EventHash,
}

/// Why a signed event's signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The event names another network.
    #[error("event of network {found} in network {expected}")]
    ForeignNetwork {
        /// This network.
        expected: NetworkId,
        /// The event's.
        found: NetworkId,
    },
    /// The author key is no curve point or has small order (RFC 8032; `verify_strict`).
    #[error("author key {author} is not a usable ed25519 key")]
    WeakKey {
        /// The key.
        author: MemberKey,
    },
    /// The signature does not verify strictly.
    #[error("signature of {author} does not verify")]
    BadSignature {
        /// The claimed author.
        author: MemberKey,
    },
}

impl Unverified {
    /// Joins a decoded event with the bytes it was decoded from. Only the wire decoder calls this: `event` must be what
    /// `event_bytes` decode to, and `outer` the canonical encoding of (`event_bytes`, `signature`).
    #[must_use]
    pub fn from_wire(event: Event, event_bytes: Bytes, signature: [u8; 64], outer: Bytes) -> Self {
        let hash = EventHash::of(&outer);
        Self { event: Arc::new(event), event_bytes, signature, outer, hash }
    }

    /// The claimed content.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// SHA-256 of the outer bytes.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        self.hash
    }

    /// The outer bytes, verbatim.
    #[must_use]
    pub fn outer(&self) -> &Bytes {
        &self.outer
    }

    /// Checks the author's own signature strictly (`verify_strict`; never batched, which can disagree with single checks).
    /// Signatures of events embedded in the body are not checked here: they are part of the content.
    ///
    /// # Errors
    /// [`VerifyError`] when the network differs, the key is weak or the signature does not hold.
    pub fn verify(self, network: NetworkId) -> Result<Verified<Event>, VerifyError> {
        self.check(network)?;
        let Self { event, event_bytes, signature, outer, hash } = self;
        Ok(Verified { value: event, event_bytes, signature, outer, hash })
    }

    /// As [`Unverified::verify`], with the author's curve point at hand (of [`verifying_key`]). Whoever takes many events of few
    /// members saves decompressing it each time: 10.3 % of the instructions of [`Unverified::verify`] on a vote (callgrind,
    /// x86-64 with AVX2).
    ///
    /// # Errors
    /// [`VerifyError`] when the network differs, `key` is not the author's, or the signature does not hold.
    pub fn verify_by(self, network: NetworkId, key: &VerifyingKey) -> Result<Verified<Event>, VerifyError> {
        self.check_by(network, key)?;
        let Self { event: value, event_bytes, signature, outer, hash } = self;
        Ok(Verified { value, event_bytes, signature, outer, hash })
    }

    /// As [`Unverified::verify`], for a borrowed event: used on events embedded in certificates and fault proofs.
    ///
    /// # Errors
    /// [`VerifyError`] when the network differs, the key is weak or the signature does not hold.
    pub fn check(&self, network: NetworkId) -> Result<(), VerifyError> {
        let author = self.event.author;
        if self.event.network != network {
            return Err(VerifyError::ForeignNetwork { expected: network, found: self.event.network });
        }
        let key = verifying_key(author).ok_or(VerifyError::WeakKey { author })?;
        self.check_by(network, &key)
    }

    fn check_by(&self, network: NetworkId, key: &VerifyingKey) -> Result<(), VerifyError> {
        let author = self.event.author;
        if self.event.network != network {
            return Err(VerifyError::ForeignNetwork { expected: network, found: self.event.network });
        }
        if key.as_bytes() != author.as_bytes() {
            return Err(VerifyError::BadSignature { author });
        }
        if planted(Mutation::SkipsSignatures) {
            return Ok(());
        }
        // Network, key and signature are in the outer bytes, so that their hash asks the whole question.
        let holds = memory::event_holds(self.hash.as_bytes(), || {
            let input = domain::signing_input(domain::EVENT, network, &self.event_bytes);
            memory::holds_strictly(key, &input, &self.signature)
        });
        if holds { Ok(()) } else { Err(VerifyError::BadSignature { author }) }
    }
}

/// The curve point of a member key, or `None` for bytes that are no point or a weak one.
#[must_use]
pub fn verifying_key(key: MemberKey) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(key.as_bytes()).ok().filter(|key| planted(Mutation::TakesWeakKeys) || !key.is_weak())
}

/// A value whose author's signature was checked strictly. There is no other way to make one than [`Unverified::verify`]. Clones share it.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified<T> {
    value: Arc<T>,
    event_bytes: Bytes,
    signature: [u8; 64],
    outer: Bytes,
    hash: EventHash,
}

impl<T> Clone for Verified<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            event_bytes: self.event_bytes.clone(),
            signature: self.signature,
            outer: self.outer.clone(),
            hash: self.hash,
        }
    }
}

impl<T> Verified<T> {
    /// The outer bytes, verbatim: what is stored, forwarded and hashed.
    #[must_use]
    pub fn outer(&self) -> &Bytes {
        &self.outer
    }

    /// SHA-256 of the outer bytes.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        self.hash
    }
}

impl Verified<Event> {
    /// The same signed event as content of another: votes stand verbatim in certificates, pairs in fault proofs.
    #[must_use]
    pub fn to_unverified(&self) -> Unverified {
        Unverified {
            event: Arc::clone(&self.value),
            event_bytes: self.event_bytes.clone(),
            signature: self.signature,
            outer: self.outer.clone(),
            hash: self.hash,
        }
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests;
