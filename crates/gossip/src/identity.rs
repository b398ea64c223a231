//! Member keys and peer ids are the same fact in two encodings.

use libp2p::PeerId;
use libp2p::identity::{self, Keypair, PublicKey};
use watchfire_types::MemberKey;

/// The peer id of a member; `None` if its key is no ed25519 point.
pub(crate) fn peer_of(key: &MemberKey) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The ed25519 key that a peer id contains (an identity multihash, code 0, of the encoded key), if it contains one.
pub(crate) fn member_of(peer: &PeerId) -> Option<MemberKey> {
    let multihash = peer.as_ref();
    if multihash.code() != 0 {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(multihash.digest()).ok()?;
    Some(MemberKey::from_bytes(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The key pair of an RFC 8032 seed, and the member key it has.
pub(crate) fn pair_of(seed: &[u8; 32]) -> Option<(Keypair, MemberKey)> {
    let mut copy = zeroize::Zeroizing::new(*seed);
    let pair = Keypair::ed25519_from_bytes(copy.as_mut()).ok()?;
    let public = pair.public().try_into_ed25519().ok()?;
    Some((pair, MemberKey::from_bytes(public.to_bytes())))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
