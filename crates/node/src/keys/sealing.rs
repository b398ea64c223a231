//! Sealing words to members, and opening what was sealed to this one.
//!
//! The X25519 keys are the node keys in another form (RFC 7748's birational map), so nobody has to hand out another one. A random
//! content key encrypts the words once; HPKE (RFC 9180, base mode) wraps it for each member. What is bound to what is said in
//! proto/watchfire/v1/body.proto. Words are padded by nobody: their length is public.

use std::collections::BTreeSet;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use ed25519_dalek::{SigningKey, VerifyingKey};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_types::body::{Human, SEALED_TEXT_MAX, Sealed, SealedAbout, SealedKey};
use watchfire_types::{B256, MemberId, MemberKey, NetworkId, domain, sha256};
use zeroize::Zeroizing;

use super::{KeyError, random};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Wrap = hpke::aead::ChaCha20Poly1305;

const SALT: usize = 32;

/// Why words cannot be sealed or opened. No variant carries a word.
#[derive(Debug, Error)]
pub enum SealError {
    /// More than an event holds.
    #[error(
        "the text has {found} bytes, at most {SEALED_TEXT_MAX} are sealed; seal where the whole can be had, and its hash"
    )]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// Nobody of that name.
    #[error("{member} is no member of the charter; name one that is: `watchfire status` lists them")]
    UnknownMember {
        /// Name given.
        member: MemberId,
    },
    /// A member's node key has no form for encryption.
    #[error("the node key of {member} cannot be sealed to; leave that member out, and have it make another node key")]
    UnusableKey {
        /// Member.
        member: MemberId,
    },
    /// The operating system gave no entropy.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// This member is not among those it was sealed to.
    #[error("not sealed to this member")]
    NotForUs,
    /// What is there was not made as it should be.
    #[error("its author sealed it wrongly: {0}")]
    Wrong(&'static str),
}

/// Words that were opened, with what proves them.
pub struct Opened {
    /// The words.
    pub words: Zeroizing<String>,
    /// SHA-256 over it and the words is the commitment.
    pub salt: B256,
}

/// Whether these are the words of a commitment: what a third party computes, with no key.
#[must_use]
pub fn proves(commitment: &B256, salt: &B256, words: &str) -> bool {
    committed(salt, words) == *commitment
}

fn committed(salt: &B256, words: &str) -> B256 {
    B256::new(sha256(&[salt.as_slice(), words.as_bytes()]))
}

fn info(network: NetworkId, author: &MemberKey, commitment: &B256, member: &MemberId) -> Vec<u8> {
    let message = [author.as_bytes(), commitment.as_slice(), member.as_str().as_bytes()].concat();
    domain::signing_input(domain::SEALED, network, &message)
}

/// Seals words to members; needs public keys only.
///
/// # Errors
/// [`SealError`].
pub fn seal(
    charter: &Charter,
    author: &MemberKey,
    about: SealedAbout,
    human: Human,
    to: &BTreeSet<MemberId>,
    words: &str,
) -> Result<Sealed, SealError> {
    if words.len() > SEALED_TEXT_MAX {
        return Err(SealError::TooLong { found: words.len() });
    }
    let salt = B256::from(random::<SALT>()?);
    let commitment = committed(&salt, words);
    let content_key = Zeroizing::new(random::<32>()?);
    let plain = Zeroizing::new([salt.as_slice(), words.as_bytes()].concat());
    let cipher =
        ChaCha20Poly1305::new_from_slice(content_key.as_slice()).map_err(|_| SealError::Wrong("key length"))?;
    let payload = Payload { msg: plain.as_slice(), aad: commitment.as_slice() };
    let ciphertext = cipher.encrypt(&Nonce::default(), payload).map_err(|_| SealError::Wrong("length"))?;
    let wrap = |member: &MemberId| {
        let unusable = || SealError::UnusableKey { member: member.clone() };
        let entry = charter.members.get(member).ok_or_else(|| SealError::UnknownMember { member: member.clone() })?;
        let public = VerifyingKey::from_bytes(entry.node_key.as_bytes()).map_err(|_| unusable())?.to_montgomery();
        let public = <Kem as hpke::Kem>::PublicKey::from_bytes(public.as_bytes()).map_err(|_| unusable())?;
        let info = info(charter.network_id(), author, &commitment, member);
        let wrapped =
            hpke::single_shot_seal::<Wrap, Kdf, Kem>(&OpModeS::Base, &public, &info, content_key.as_slice(), &[]);
        let (encapsulated, wrapped) = wrapped.map_err(|_| unusable())?;
        let encapsulated = B256::from_slice(&encapsulated.to_bytes());
        Ok(SealedKey { member: member.clone(), encapsulated, wrapped: wrapped.into() })
    };
    let keys: Vec<SealedKey> = to.iter().map(wrap).collect::<Result<_, SealError>>()?;
    Ok(Sealed { about, human, commitment, keys, ciphertext: ciphertext.into() })
}

/// The secret half of one member; wiped on drop.
pub struct Opener {
    member: MemberId,
    secret: Zeroizing<[u8; 32]>,
}

impl Opener {
    /// Of this member, from its node key.
    #[must_use]
    pub(crate) fn new(member: MemberId, node: &SigningKey) -> Self {
        Self { member, secret: Zeroizing::new(node.to_scalar_bytes()) }
    }

    /// Opens what was sealed to this member.
    ///
    /// # Errors
    /// [`SealError::NotForUs`], or [`SealError::Wrong`] where the author did not seal as it should have.
    pub fn open(&self, network: NetworkId, author: &MemberKey, sealed: &Sealed) -> Result<Opened, SealError> {
        let wrong = SealError::Wrong;
        let key = sealed.keys.iter().find(|key| key.member == self.member).ok_or(SealError::NotForUs)?;
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(self.secret.as_slice())
            .map_err(|_| wrong("this member's key has no form for encryption"))?;
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(key.encapsulated.as_slice())
            .map_err(|_| wrong("the encapsulated key is none"))?;
        let info = info(network, author, &sealed.commitment, &self.member);
        let opened =
            hpke::single_shot_open::<Wrap, Kdf, Kem>(&OpModeR::Base, &secret, &encapsulated, &info, &key.wrapped, &[]);
        let content_key = Zeroizing::new(opened.map_err(|_| wrong("the content key does not open"))?);
        let cipher =
            ChaCha20Poly1305::new_from_slice(&content_key).map_err(|_| wrong("the content key has no key's length"))?;
        let payload = Payload { msg: &sealed.ciphertext, aad: sealed.commitment.as_slice() };
        let plain = cipher.decrypt(&Nonce::default(), payload).map_err(|_| wrong("the words do not open"))?;
        let plain = Zeroizing::new(plain);
        let (salt, words) = plain.split_at_checked(SALT).ok_or(wrong("the salt is missing"))?;
        let words = std::str::from_utf8(words).map_err(|_| wrong("the words are no text"))?;
        let salt = B256::from_slice(salt);
        if !proves(&sealed.commitment, &salt, words) {
            return Err(wrong("the words are not those of the public hash"));
        }
        Ok(Opened { words: Zeroizing::new(words.to_owned()), salt })
    }
}

#[cfg(test)]
mod tests;
