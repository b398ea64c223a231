//! A member's entry for the charter, signed by the keys that it names.
//!
//! The node key signs [`domain::MEMBER_ENTRY`] over the entry's JSON (network id zero: no network exists yet). The guardian
//! key signs the EIP-712 struct `WatchfireMemberEntry` in a domain of its own, which is no Safe's and names no chain: a
//! struct hashed here, never given bytes and never EIP-191.

use alloy::primitives::{Address, B256};
use alloy::sol_types::{Eip712Domain, SolStruct};
use ed25519_dalek::Signer;
use k256::ecdsa::SigningKey as GuardianKey;
use serde::{Deserialize, Serialize};
use watchfire_types::signed::verifying_key;
use watchfire_types::{MemberId, MemberKey, NetworkId, OperatorId, OrganisationId, domain};

use super::KeyError;

mod typed {
    #![allow(missing_docs, clippy::pub_underscore_fields, unreachable_pub)]
    alloy::sol! {
        struct WatchfireMemberEntry {
            string id;
            string organisation;
            string kind;
            bytes32 nodeKey;
            address guardian;
            address submitter;
            string[] operators;
            string[] addresses;
        }
    }
}

/// One `[[member]]` of a charter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// Member.
    pub id: MemberId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// `guardian`, `voter` or `watcher`.
    pub kind: String,
    /// Node key.
    pub node_key: MemberKey,
    /// Safe owner, for guardians; EIP-55 text.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "checksummed")]
    pub guardian: Option<Address>,
    /// Gas payer, for guardians; EIP-55 text.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "checksummed")]
    pub submitter: Option<Address>,
    /// Operator labels.
    pub operators: Vec<OperatorId>,
    /// Multiaddresses at which it can be dialled.
    pub addresses: Vec<String>,
}

fn checksummed<S: serde::Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.serialize_str(&address.to_checksum(None)),
        None => serializer.serialize_none(),
    }
}

/// An entry with the signatures of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEntry {
    /// The entry.
    pub member: MemberEntry,
    /// The `[[member]]` block to paste into the charter.
    pub toml: String,
    /// ed25519 over the entry, hex.
    pub node_signature: String,
    /// r, s, v over the EIP-712 struct, hex; for guardians.
    pub guardian_signature: Option<String>,
}

impl MemberEntry {
    /// The bytes that the node key signs: domain, zero network id, compact JSON of the entry in field order.
    fn signing_input(&self) -> Result<Vec<u8>, KeyError> {
        let json = serde_json::to_vec(self).map_err(|error| signing("the node key", error))?;
        Ok(domain::signing_input(domain::MEMBER_ENTRY, NetworkId::from_bytes([0; 32]), &json))
    }

    /// The EIP-712 hash that the guardian key signs.
    #[must_use]
    pub fn guardian_hash(&self) -> B256 {
        let domain = Eip712Domain::new(Some("Watchfire member entry".into()), Some("1".into()), None, None, None);
        typed::WatchfireMemberEntry {
            id: self.id.to_string(),
            organisation: self.organisation.to_string(),
            kind: self.kind.clone(),
            nodeKey: B256::from(*self.node_key.as_bytes()),
            guardian: self.guardian.unwrap_or_default(),
            submitter: self.submitter.unwrap_or_default(),
            operators: self.operators.iter().map(ToString::to_string).collect(),
            addresses: self.addresses.clone(),
        }
        .eip712_signing_hash(&domain)
    }

    /// Signs the entry with both keys.
    ///
    /// # Errors
    /// [`KeyError::Signing`].
    pub fn sign(
        self,
        node: &ed25519_dalek::SigningKey,
        guardian: Option<&GuardianKey>,
    ) -> Result<SignedEntry, KeyError> {
        #[derive(Serialize)]
        struct Document<'a> {
            member: [&'a MemberEntry; 1],
        }
        let node_signature = hex::encode(node.sign(&self.signing_input()?).to_bytes());
        let guardian_signature =
            guardian.map(|key| super::ring::sign_hash(key, self.guardian_hash()).map(hex::encode)).transpose()?;
        let toml = toml::to_string(&Document { member: [&self] }).map_err(|error| signing("the node key", error))?;
        Ok(SignedEntry { member: self, toml, node_signature, guardian_signature })
    }
}

impl SignedEntry {
    /// Whether both signatures are of the keys that the entry names. Partners check this before they take an entry.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.node_holds().unwrap_or(false) && self.guardian_holds().unwrap_or(false)
    }

    fn node_holds(&self) -> Option<bool> {
        let signature = ed25519_dalek::Signature::from_slice(&hex::decode(&self.node_signature).ok()?).ok()?;
        let key = verifying_key(self.member.node_key)?;
        Some(key.verify_strict(&self.member.signing_input().ok()?, &signature).is_ok())
    }

    fn guardian_holds(&self) -> Option<bool> {
        let (Some(guardian), Some(signature)) = (self.member.guardian, &self.guardian_signature) else {
            return Some(self.member.guardian.is_none() && self.guardian_signature.is_none());
        };
        let signature = alloy::primitives::Signature::from_raw(&hex::decode(signature).ok()?).ok()?;
        Some(signature.recover_address_from_prehash(&self.member.guardian_hash()).ok()? == guardian)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors and texts are handed over whole")]
fn signing(key: &'static str, error: impl ToString) -> KeyError {
    KeyError::Signing { key, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
