//! What this node should hear and does not, as findings of its own: a chain without new blocks, an endpoint that is down or says otherwise, a member
//! without heartbeats.
//!
//! It is this node's own view, so that no two nodes need find the same: each is said as a report is ([`watchfire_protocol`] takes it so), which never
//! votes, stands in no view, and joins the asset's incident. A silence is said once, however long it lasts: its name in the log holds since when.
//! What was never heard since the start of this process is not missed.
//!
//! Bounds: one entry for each endpoint, and one for each silence and asset while it lasts.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use watchfire_driver::Answer;
use watchfire_evm::EndpointHealth;
use watchfire_protocol::Rejection;
use watchfire_types::input::{Channel, Input, Report, SILENCE};
use watchfire_types::{AssetId, B256, BlockRef, ChainId, MemberId, Timestamp};

use super::node::Node;
use super::{RunError, now};
use crate::config::silence::SilenceSection;

/// What a node hears at a moment.
#[derive(Debug, Default)]
struct Heard {
    /// The newest block of each chain, and when it came.
    heads: BTreeMap<ChainId, (BlockRef, Timestamp)>,
    endpoints: Vec<(ChainId, EndpointHealth)>,
    /// When each member's newest heartbeat came.
    members: BTreeMap<MemberId, Timestamp>,
}

/// Something that is not heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Quiet {
    /// Of which chain, where it is one's.
    chain: Option<ChainId>,
    /// What, and since when: the same for as long as it lasts.
    id: String,
    /// One line.
    text: String,
}

/// What was silent when this node looked last.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Since when each endpoint is not usable.
    unusable: BTreeMap<(ChainId, String), Timestamp>,
    said: BTreeSet<(AssetId, String)>,
}

impl Silence {
    /// Everything that has been silent for longer than it may.
    fn quiet(&mut self, section: &SilenceSection, heard: &Heard, at: Timestamp) -> Vec<Quiet> {
        let over = |since: Timestamp, bound_s: Option<u64>| {
            let age_s = at.millis_since(since) / 1_000;
            bound_s.is_some_and(|bound_s| age_s > bound_s).then_some(age_s)
        };
        let mut quiet = Vec::new();
        for (chain, (head, arrived)) in &heard.heads {
            quiet.extend(over(*arrived, section.head_s).map(|age_s| Quiet {
                chain: Some(*chain),
                id: format!("head {chain} {}", head.hash),
                text: format!("head-stale: no block of chain {chain} after {} for {age_s} s", head.number),
            }));
        }
        let before = std::mem::take(&mut self.unusable);
        for (chain, EndpointHealth { name, operator, cause, .. }) in
            heard.endpoints.iter().filter(|(_, endpoint)| !endpoint.healthy)
        {
            let key = (*chain, name.clone());
            let since = before.get(&key).copied().unwrap_or(at);
            self.unusable.insert(key, since);
            quiet.extend(over(since, section.endpoint_s).map(|age_s| Quiet {
                chain: Some(*chain),
                id: format!("endpoint {chain} {} {name}", since.as_millis()),
                text: format!("endpoint-unusable: {name} of {operator} on chain {chain} for {age_s} s: {cause}"),
            }));
        }
        for (member, seen) in &heard.members {
            quiet.extend(over(*seen, section.member_s).map(|age_s| Quiet {
                chain: None,
                id: format!("member {} {member}", seen.as_millis()),
                text: format!("member-silent: no heartbeat of {member} for {age_s} s"),
            }));
        }
        quiet
    }

    /// What of it is to be said now, an entry for each asset; what has ended is forgotten.
    fn unsaid(
        &mut self,
        quiet: &[Quiet],
        chain_of: impl Fn(&AssetId) -> Option<ChainId>,
        assets: &BTreeSet<AssetId>,
    ) -> Vec<(AssetId, Quiet)> {
        let mut all = Vec::new();
        for one in quiet {
            let about = assets.iter().filter(|asset| one.chain.is_none_or(|chain| chain_of(asset) == Some(chain)));
            all.extend(about.map(|asset| (asset.clone(), one.clone())));
        }
        let lasts: BTreeSet<_> = all.iter().map(|(asset, one)| (asset.clone(), one.id.clone())).collect();
        self.said.retain(|said| lasts.contains(said));
        all.into_iter().filter(|(asset, one)| !self.said.contains(&(asset.clone(), one.id.clone()))).collect()
    }
}

impl Node {
    /// Says what has been silent for too long. What cannot be said now (no head yet, a full quota) is tried again at the next look.
    pub(super) async fn listen(&mut self) -> Result<(), RunError> {
        let Some(section) = self.config.silence.clone() else { return Ok(()) };
        let (heard, at) = (self.heard(), now());
        let quiet = self.silence.quiet(&section, &heard, at);
        let charter = std::sync::Arc::clone(&self.charter);
        let chain_of = |asset: &AssetId| charter.assets.get(asset).map(|asset| asset.chain);
        for (asset, Quiet { id, text, .. }) in self.silence.unsaid(&quiet, chain_of, &section.assets) {
            let Ok(source) = SILENCE.parse() else { return Ok(()) };
            let digest = B256::from(<[u8; 32]>::from(Sha256::digest(&text)));
            // As short as a name may be, and one for each asset: what was said of one is not yet said of another.
            let name = hex::encode(Sha256::digest(format!("{id} {asset}")));
            let report = Report {
                asset: asset.clone(),
                source,
                channel: Channel::Silence,
                id: name,
                sent: at,
                summary: text,
                digest,
                figures: BTreeMap::new(),
            };
            let answer = self.input(Input::Reported(Box::new(report))).await?;
            if let Some(Answer { result: Ok(_) | Err(Rejection::ReportHeld { .. }), .. }) = answer {
                self.silence.said.insert((asset, id));
            }
        }
        Ok(())
    }

    fn heard(&self) -> Heard {
        let heads = self.chains.iter().filter_map(|(chain, state)| Some((*chain, state.head?)));
        let health = |chain: &ChainId| self.executor.client(*chain).map(|client| client.health()).unwrap_or_default();
        let endpoints = self.chains.keys().flat_map(|chain| health(chain).into_iter().map(move |one| (*chain, one)));
        let member = |(key, seen): (&_, &Timestamp)| Some((self.charter.member_by_key(key)?.0.clone(), *seen));
        Heard {
            heads: heads.collect(),
            endpoints: endpoints.collect(),
            members: self.seen.iter().filter_map(member).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
