//! Which height is final, as k operators say.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use crate::budget::Priority;
use crate::client::ChainClient;
use crate::config::Finality;
use crate::read;

/// Keeps the final height up to date, off the path of a new block: asked once per emitted block.
pub(super) async fn watch(client: Arc<ChainClient>, out: watch::Sender<Option<u64>>) {
    let mut heads = client.heads();
    loop {
        let head = *heads.borrow_and_update();
        let number = match (client.config.finality, head) {
            (_, None) => None,
            (Finality::Depth(depth), Some(head)) => head.block.number.checked_sub(depth),
            (Finality::Finalized, Some(_)) => tagged(&client, "finalized").await,
            (Finality::Safe, Some(_)) => tagged(&client, "safe").await,
        };
        if number.is_some() {
            out.send_replace(number);
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = out.closed() => return,
        }
    }
}

/// The k-th highest of what distinct operators call final: so k of them call it, or something above it, final.
async fn tagged(client: &ChainClient, tag: &str) -> Option<u64> {
    let tag = json!(tag);
    let asked = client.remotes.iter().filter(|remote| remote.config.is_asked()).map(|remote| {
        let tag = &tag;
        async move {
            let head = read::header(remote, client.config.chain, tag, Priority::Feed, client.live_timeout()).await;
            (remote.config.operator.clone(), head.ok().map(|head| head.block.number))
        }
    });
    let mut by_operator = std::collections::BTreeMap::new();
    for (operator, number) in futures::future::join_all(asked).await {
        let highest = by_operator.entry(operator).or_insert(None);
        *highest = (*highest).max(number);
    }
    let mut numbers: Vec<u64> = by_operator.into_values().flatten().collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.get(client.config.agree - 1).copied()
}
