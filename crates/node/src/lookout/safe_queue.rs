//! What waits in a Safe's queue: fetched from its transaction service, looked at by [`crate::review`], and told where an owner has something to look at.
//!
//! The service is believed in nothing but what waits and the Safe's nonce. A transaction stands under its hash and the kinds of its concerns: what is
//! in the log is not said again, after a restart either, unless another kind comes to it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use url::Url;
use watchfire_charter::Charter;
use watchfire_types::{AssetId, B256, Timestamp};

use super::http::{Http, below};
use super::{Look, LookFault, Standing, cut};
use crate::config::lookout::SafeQueueSection;
use crate::review::service::{Info, NoQueue, QUEUE_MAX, queue};
use crate::review::{Reviewed, WatchedSafe, review};

/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// One queue. Remembers nothing.
pub(super) struct SafeQueue {
    http: Http,
    service: Url,
    safe: WatchedSafe,
}

impl SafeQueue {
    pub(super) fn new(section: &SafeQueueSection, charter: &Charter, asset: &AssetId, http: Http) -> Self {
        let SafeQueueSection { service, safe, version, owners, watched, .. } = section;
        // An asset that the charter does not have is refused before anything runs.
        let asset = charter.assets.get(asset);
        let chain = asset.and_then(|asset| charter.chains.get(&asset.chain));
        let safe = WatchedSafe {
            chain_id: asset.map_or(0, |asset| asset.chain.get()),
            safe: *safe,
            version: *version,
            owners: owners.clone(),
            watched: asset.iter().flat_map(|asset| &asset.contracts).chain(watched).copied().collect(),
            call_only: chain.and_then(|chain| chain.multi_send_call_only).iter().map(|code| code.address).collect(),
        };
        Self { http, service: service.clone(), safe }
    }

    async fn ask(&self, url: Url) -> Result<Vec<u8>, LookFault> {
        self.http.body(url, ANSWER_BYTES_MAX).await
    }
}

impl Look for SafeQueue {
    async fn look(&mut self, _: Timestamp) -> Result<Vec<Standing>, LookFault> {
        let safe = self.safe.safe.to_checksum(None);
        let info = self.ask(below(&self.service, &format!("/api/v1/safes/{safe}/"))).await?;
        let Info { nonce } = serde_json::from_slice(&info).map_err(|error| LookFault::unread(&error))?;
        let mut url = below(&self.service, &format!("/api/v2/safes/{safe}/multisig-transactions/"));
        url.query_pairs_mut()
            .append_pair("executed", "false")
            .append_pair("nonce__gte", &nonce.to_string())
            .append_pair("ordering", "nonce")
            .append_pair("limit", &QUEUE_MAX.to_string());
        let page = self.ask(url).await?;
        let mut waiting = queue(&page).map_err(|error| unread(&error))?;
        // What is below the nonce can never be executed, whether or not the service was asked to leave it out.
        waiting.retain(|proposal| proposal.transaction.nonce >= nonce);
        let digest = B256::from(<[u8; 32]>::from(Sha256::digest(&page)));
        let reviewed = review(&self.safe, &waiting);
        Ok(reviewed.iter().filter(|one| !one.concerns.is_empty()).map(|one| self.tell(one, digest)).collect())
    }
}

impl SafeQueue {
    fn tell(&self, reviewed: &Reviewed, digest: B256) -> Standing {
        let Reviewed { safe_tx_hash, claimed, nonce, calls, signed, concerns } = reviewed;
        let kinds: BTreeSet<&str> = concerns.iter().map(|concern| concern.kind).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(" ");
        let texts: Vec<&str> = concerns.iter().map(|concern| concern.text.as_str()).collect();
        Standing {
            id: format!("{safe_tx_hash}-{}", hex::encode(&Sha256::digest(&kinds)[..8])),
            summary: format!("nonce {nonce} of Safe {}, {kinds}: {}", self.safe.safe, texts.join("; ")),
            digest,
            figures: BTreeMap::from([
                ("safe", self.safe.safe.to_string()),
                ("safe_tx_hash", safe_tx_hash.to_string()),
                ("claimed_hash", claimed.to_string()),
                ("nonce", nonce.to_string()),
                ("concerns", kinds),
                ("calls", calls.len().to_string()),
                ("signed", signed.len().to_string()),
                ("asked", self.service.to_string()),
            ]),
        }
    }
}

fn unread(error: &NoQueue) -> LookFault {
    LookFault::WrongShape(format!("{}; look at the queue yourself, and at its address", cut(&error.to_string())))
}

#[cfg(test)]
mod tests;
