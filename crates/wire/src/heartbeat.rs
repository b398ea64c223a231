//! Signed heartbeats: statements outside the log, of which the newest per author is kept.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use prost::Message;
use thiserror::Error;
use watchfire_types::body::Heartbeat;
use watchfire_types::memory::{holds_strictly, recalled};
use watchfire_types::signed::verifying_key;
use watchfire_types::{ChainId, Epoch, MemberKey, NetworkId, Seq, domain};

use crate::body::{attested_in, attested_out};
use crate::bounds::{MAX_ALARM, MAX_ALARMS, MAX_ASSETS, MAX_CHAINS, MAX_HEARTBEAT};
use crate::common::{block_in, block_out};
use crate::error::WireError;
use crate::field::{check_count, check_size, fixed, half_word, hash, name, raw, text};
use crate::proto;

/// A decoded heartbeat whose signature the holder has not checked yet. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct SignedHeartbeat(Arc<Signed>);

#[derive(Debug)]
struct Signed {
    author: MemberKey,
    heartbeat: Arc<Heartbeat>,
    content: Bytes,
    signature: [u8; 64],
    bytes: Bytes,
    /// Whether the signature holds in a network, once it was asked: the clones share it.
    holds: OnceLock<(NetworkId, bool)>,
}

impl PartialEq for SignedHeartbeat {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for SignedHeartbeat {}

/// A heartbeat that its author signed. Made by [`SignedHeartbeat::verify`] only. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHeartbeat {
    author: MemberKey,
    heartbeat: Arc<Heartbeat>,
}

/// Why a heartbeat's signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeartbeatError {
    /// The author key is no curve point or has small order.
    #[error("heartbeat author key {author} is not a usable ed25519 key")]
    WeakKey {
        /// The key.
        author: MemberKey,
    },
    /// The signature does not verify strictly: another key or another network.
    #[error("heartbeat signature of {author} does not verify")]
    BadSignature {
        /// The claimed author.
        author: MemberKey,
    },
}

impl SignedHeartbeat {
    /// Encodes a heartbeat, has its signing input signed (`domain::HEARTBEAT`), and returns it decoded again.
    ///
    /// # Errors
    /// The [`WireError`] with which every other node would refuse it.
    pub fn seal(
        author: MemberKey,
        network: NetworkId,
        heartbeat: &Heartbeat,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, WireError> {
        let content: Bytes = heartbeat_out(author, heartbeat).encode_to_vec().into();
        let signature = sign(&domain::signing_input(domain::HEARTBEAT, network, &content));
        Self::decode(proto::SignedHeartbeat { heartbeat: content, signature: raw(&signature) }.encode_to_vec().into())
    }

    /// Decodes a signed heartbeat.
    ///
    /// # Errors
    /// [`WireError`]: every honest node refuses these bytes.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        recalled(bytes, Self::decode_anew)
    }

    fn decode_anew(bytes: Bytes) -> Result<Self, WireError> {
        let message = "signed heartbeat";
        check_size(message, bytes.len(), MAX_HEARTBEAT)?;
        let malformed = |source| WireError::Malformed { message, source };
        let signed = proto::SignedHeartbeat::decode(bytes.clone()).map_err(malformed)?;
        if signed.encoded_len() != bytes.len() || signed.encode_to_vec() != bytes {
            return Err(WireError::NotCanonical { message });
        }
        let content = proto::Heartbeat::decode(signed.heartbeat.clone()).map_err(malformed)?;
        Ok(Self(Arc::new(Signed {
            author: MemberKey::from_bytes(fixed("heartbeat.author", &content.author)?),
            heartbeat: Arc::new(heartbeat_in(content)?),
            content: signed.heartbeat,
            signature: fixed("signed_heartbeat.signature", &signed.signature)?,
            bytes,
            holds: OnceLock::new(),
        })))
    }

    /// The claimed author.
    #[must_use]
    pub fn author(&self) -> MemberKey {
        self.0.author
    }

    /// The claimed content.
    #[must_use]
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.0.heartbeat
    }

    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Checks the signature strictly.
    ///
    /// # Errors
    /// [`HeartbeatError`] when the key is weak or the signature does not hold in this network.
    pub fn verify(self, network: NetworkId) -> Result<VerifiedHeartbeat, HeartbeatError> {
        let author = self.0.author;
        let key = verifying_key(author).ok_or(HeartbeatError::WeakKey { author })?;
        self.verify_by(network, &key)
    }

    /// As [`SignedHeartbeat::verify`], with the author's curve point at hand (of [`verifying_key`]): decompressing it is a tenth of a check.
    ///
    /// # Errors
    /// [`HeartbeatError`] when `key` is not the author's, or the signature does not hold in this network.
    pub fn verify_by(self, network: NetworkId, key: &VerifyingKey) -> Result<VerifiedHeartbeat, HeartbeatError> {
        let author = self.0.author;
        let holds = || {
            let input = domain::signing_input(domain::HEARTBEAT, network, &self.0.content);
            holds_strictly(key, &input, &self.0.signature)
        };
        let held = || {
            let (asked, held) = *self.0.holds.get_or_init(|| (network, holds()));
            if asked == network { held } else { holds() }
        };
        if key.as_bytes() != author.as_bytes() || !held() {
            return Err(HeartbeatError::BadSignature { author });
        }
        Ok(VerifiedHeartbeat { author, heartbeat: Arc::clone(&self.0.heartbeat) })
    }
}

impl VerifiedHeartbeat {
    /// Who signed it.
    #[must_use]
    pub fn author(&self) -> MemberKey {
        self.author
    }

    /// The content; its member name is still a claim to be compared with the charter's.
    #[must_use]
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }
}

fn heartbeat_out(author: MemberKey, heartbeat: &Heartbeat) -> proto::Heartbeat {
    let balance = |(chain, wei): &(ChainId, u128)| proto::Balance {
        chain_id: chain.get(),
        wei: Bytes::copy_from_slice(&wei.to_be_bytes()),
    };
    proto::Heartbeat {
        author: raw(author.as_bytes()),
        member: heartbeat.member.to_string(),
        epoch: raw(heartbeat.epoch.as_bytes()),
        seq: heartbeat.seq.get(),
        time_ms: heartbeat.time_ms,
        state_digest: raw(&heartbeat.state_digest.0),
        heads: heartbeat.heads.iter().map(block_out).collect(),
        pausable: heartbeat.pausable.iter().map(attested_out).collect(),
        alarms: heartbeat.alarms.clone(),
        submitter_balance: heartbeat.submitter_balance.iter().map(balance).collect(),
    }
}

fn heartbeat_in(heartbeat: proto::Heartbeat) -> Result<Heartbeat, WireError> {
    check_count("heartbeat.heads", heartbeat.heads.len(), 0, MAX_CHAINS)?;
    check_count("heartbeat.pausable", heartbeat.pausable.len(), 0, MAX_ASSETS)?;
    check_count("heartbeat.alarms", heartbeat.alarms.len(), 0, MAX_ALARMS)?;
    check_count("heartbeat.submitter_balance", heartbeat.submitter_balance.len(), 0, MAX_CHAINS)?;
    let head = |block| block_in("heartbeat.heads", Some(block));
    let alarm = |line| text("heartbeat.alarms", line, MAX_ALARM);
    let balance = |balance: &proto::Balance| {
        Ok((ChainId::new(balance.chain_id), half_word("heartbeat.submitter_balance.wei", &balance.wei)?))
    };
    Ok(Heartbeat {
        member: name("heartbeat.member", &heartbeat.member)?,
        epoch: Epoch::from_bytes(fixed("heartbeat.epoch", &heartbeat.epoch)?),
        seq: Seq::new(heartbeat.seq),
        time_ms: heartbeat.time_ms,
        state_digest: hash("heartbeat.state_digest", &heartbeat.state_digest)?,
        heads: heartbeat.heads.into_iter().map(head).collect::<Result<_, _>>()?,
        pausable: heartbeat.pausable.into_iter().map(attested_in).collect::<Result<_, _>>()?,
        alarms: heartbeat.alarms.into_iter().map(alarm).collect::<Result<_, _>>()?,
        submitter_balance: heartbeat.submitter_balance.iter().map(balance).collect::<Result<_, _>>()?,
    })
}
