//! Where new heads come from: push over WebSocket, polling as watchdog or in its place.
//!
//! A dead WebSocket says nothing, so silence is measured here and the connection made anew; a stream after a reconnect may
//! have skipped blocks or gone back, so nothing is concluded from its order. Each source only ever names a head.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy::providers::{Provider, ProviderBuilder};
use alloy::transports::ws::WsConnect;
use serde_json::json;
use tokio::sync::mpsc;
use url::Url;
use watchfire_types::{ChainId, Timestamp};

use crate::budget::Priority;
use crate::endpoint::Remote;
use crate::head::Head;
use crate::read;

/// Longest wait for a WebSocket to connect or to subscribe.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(3);
const RECONNECT_MS_MIN: u64 = 100;
const RECONNECT_MS_MAX: u64 = 5_000;

/// A head that one endpoint named.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    /// Index of the endpoint.
    pub(crate) remote: usize,
    pub(crate) head: Head,
    /// When it arrived, on this node's clock.
    pub(crate) arrived: Timestamp,
}

/// This node's clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// One endpoint's sources; runs until the receiver is gone.
pub(crate) async fn watch(
    index: usize,
    remote: Arc<Remote>,
    chain: ChainId,
    block_time_ms: u64,
    out: mpsc::Sender<Signal>,
) {
    let pushing = AtomicBool::new(false);
    let polled = poll(index, &remote, chain, block_time_ms, &pushing, &out);
    let pushed = async {
        match &remote.config.ws {
            Some(url) => push((index, &remote), url, chain, block_time_ms, &pushing, &out).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = polled => {}
        () = pushed => {}
        () = out.closed() => {}
    }
}

async fn poll(
    index: usize,
    remote: &Remote,
    chain: ChainId,
    block_time_ms: u64,
    pushing: &AtomicBool,
    out: &mpsc::Sender<Signal>,
) {
    let budget_ms = 4_000 / u64::from(remote.config.requests_per_second.max(1));
    let often = Duration::from_millis((block_time_ms / 20).clamp(25, 1_000).max(budget_ms));
    let watchdog = Duration::from_millis((block_time_ms / 2).clamp(500, 6_000).max(budget_ms));
    let timeout = remote.limits.block(block_time_ms);
    let latest = json!("latest");
    let mut last = None;
    loop {
        match read::header(remote, chain, &latest, Priority::Feed, timeout).await {
            Ok(head) if last != Some(head.block.hash) => {
                remote.note_head(head.block.time.as_secs());
                last = Some(head.block.hash);
                if out.send(Signal { remote: index, head, arrived: now() }).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(endpoint.name = %remote.config.name, cause = %error, "head poll failed"),
        }
        tokio::time::sleep(if pushing.load(Ordering::Relaxed) { watchdog } else { often }).await;
    }
}

async fn push(
    from: (usize, &Remote),
    url: &Url,
    chain: ChainId,
    block_time_ms: u64,
    pushing: &AtomicBool,
    out: &mpsc::Sender<Signal>,
) {
    let silence = Duration::from_millis(block_time_ms.saturating_mul(3).max(3_000));
    let mut wait_ms = RECONNECT_MS_MIN;
    loop {
        let heads = subscribe(from, url, chain, silence, pushing, out).await;
        pushing.store(false, Ordering::Relaxed);
        if out.is_closed() {
            return;
        }
        wait_ms = if heads > 0 { RECONNECT_MS_MIN } else { wait_ms.saturating_mul(2).min(RECONNECT_MS_MAX) };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// One subscription until it ends, errs or falls silent; answers how many heads it gave.
async fn subscribe(
    (index, remote): (usize, &Remote),
    url: &Url,
    chain: ChainId,
    silence: Duration,
    pushing: &AtomicBool,
    out: &mpsc::Sender<Signal>,
) -> u64 {
    let open = async {
        let connect = WsConnect::new(url.as_str()).with_max_retries(0);
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_ws(connect).await.ok()?;
        // Headers carry no chain id, and with k = 1 a head that is named is believed.
        let served = provider.get_chain_id().await.ok()?;
        remote.note_socket(served);
        if served != chain.get() {
            return None;
        }
        let heads = provider.subscribe_blocks().await.ok()?;
        Some((provider, heads))
    };
    let Ok(Some((_provider, mut heads))) = tokio::time::timeout(SUBSCRIBE_TIMEOUT, open).await else { return 0 };
    pushing.store(true, Ordering::Relaxed);
    let mut count = 0;
    while let Ok(Ok(header)) = tokio::time::timeout(silence, heads.recv()).await {
        let arrived = now();
        match Head::check(chain, &header) {
            Ok(head) => {
                count += 1;
                remote.note_head(head.block.time.as_secs());
                if out.send(Signal { remote: index, head, arrived }).await.is_err() {
                    return count;
                }
            }
            // Some chains push shortened headers; polling, which asks for the whole one, has to do there.
            Err(error) => {
                tracing::debug!(cause = %error, "pushed header refused");
                return 0;
            }
        }
    }
    count
}
