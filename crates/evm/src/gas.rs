//! What calls would cost, for telling people how many of them a balance pays for. Nothing is decided by it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes as AlloyBytes, U64};
use bytes::Bytes;
use serde_json::json;
use watchfire_types::OperatorId;

use crate::budget::Priority;
use crate::client::ChainClient;
use crate::endpoint::decode;
use crate::rpc::Request;

/// One call: who makes it, to whom, with what.
pub type GasCall = (Address, Address, Bytes);

impl ChainClient {
    /// Gas of calls together, each estimated on its own at the newest block: the highest that k operators do not exceed alone. `None` where fewer
    /// than k operators estimate all of them, as where one would revert.
    pub async fn gas_of(&self, calls: &[GasCall]) -> Option<u64> {
        let requests: Vec<Request> = calls
            .iter()
            .map(|(from, to, data)| {
                let data = AlloyBytes::from(data.clone());
                Request::new("eth_estimateGas", json!([{ "from": from, "to": to, "data": data }, "latest"]))
            })
            .collect();
        let asked = self.remotes.iter().filter(|remote| remote.config.is_asked()).map(|remote| {
            let requests = &requests;
            async move {
                let answers = remote.ask(Priority::Feed, requests, remote.limits.send).await;
                let mut sum = 0_u64;
                for answer in answers {
                    sum = sum.saturating_add(decode::<U64>(&answer.ok()?).ok()??.to::<u64>());
                }
                Some((remote.config.operator.clone(), sum))
            }
        });
        let mut by_operator: BTreeMap<OperatorId, u64> = BTreeMap::new();
        for (operator, sum) in futures::future::join_all(asked).await.into_iter().flatten() {
            let held = by_operator.entry(operator).or_default();
            *held = sum.max(*held);
        }
        let mut sums: Vec<u64> = by_operator.into_values().collect();
        sums.sort_unstable_by(|a, b| b.cmp(a));
        sums.get(self.config.agree.saturating_sub(1)).copied()
    }
}
