//! The feed on a real node: order, gaps, reorgs, restarts, silence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use alloy_primitives::U256;
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use watchfire_types::{BlockView, Read};

use super::anvil::{Anvil, PATIENCE, config, endpoint};
use super::operator::{Act, Operator};
use crate::client::ChainClient;
use crate::config::Endpoint;
use crate::feed::{Backfill, FeedEvent};
use crate::limits::Limits;

async fn next(events: &mut Receiver<FeedEvent>) -> FeedEvent {
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time").unwrap();
        if !matches!(event, FeedEvent::EndpointHealth(_)) {
            return event;
        }
    }
}

async fn block(events: &mut Receiver<FeedEvent>) -> BlockView {
    match next(events).await {
        FeedEvent::Block { view, .. } => *view,
        other => panic!("a block was expected, not {other:?}"),
    }
}

pub(super) async fn until_ready(events: &mut Receiver<FeedEvent>) -> Vec<BlockView> {
    let mut blocks = Vec::new();
    loop {
        match next(events).await {
            FeedEvent::Block { view, .. } => blocks.push(*view),
            FeedEvent::Ready => return blocks,
            // Before anything is read, on a machine that is slower than what a test calls silence.
            FeedEvent::Silent { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn with_ws(anvil: &Anvil) -> Endpoint {
    Endpoint { ws: Some(anvil.ws.clone()), ..endpoint("a", &anvil.http) }
}

/// Goal: the window is backfilled before `Ready`, then every block arrives once, in order, with its reads, pushed or polled.
#[tokio::test]
async fn backfill_then_every_block_in_order() {
    for push in [true, false] {
        let anvil = Anvil::start();
        let account = anvil.account().await;
        anvil.mine(20).await;
        let endpoint = if push { with_ws(&anvil) } else { endpoint("a", &anvil.http) };
        let client = ChainClient::connect(config(1, vec![endpoint])).await.unwrap();
        let reads = BTreeSet::from([Read::Balance { account }]);
        let mut events = client.feed(reads, Backfill { window_s: 10, resume_after: None, ..Backfill::default() });
        let before = until_ready(&mut events).await;
        // By their times: a node whose clock ticks while it mines leaves a second out between two blocks.
        let target = before.last().unwrap().block.time.as_secs() - 10;
        let [first, second, ..] = &before[..] else { panic!("{before:?}") };
        assert!((first.block.time.as_secs()..second.block.time.as_secs()).contains(&target), "{before:?}");
        assert_eq!(before.last().unwrap().block.number, 20);
        let mut last = before.last().unwrap().block;
        for _ in 0..3 {
            anvil.mine(7).await;
            for _ in 0..7 {
                let view = block(&mut events).await;
                assert_eq!((view.block.number, view.parent), (last.number + 1, last.hash));
                assert_eq!(view.block.hash, anvil.hash(view.block.number).await);
                assert!(view.reads.values().all(|answer| answer.word().is_some_and(|wei| wei > U256::ZERO)));
                last = view.block;
            }
        }
    }
}

/// Goal: where transactions are wanted every block has its own, before `Ready` and after, and an operator that gives their hashes alone is
/// not believed to have none.
#[tokio::test]
async fn blocks_come_with_their_transactions() {
    let anvil = Anvil::start();
    let account = anvil.account().await;
    let send = async || {
        anvil
            .call(
                "eth_sendTransaction",
                json!([{ "from": account, "to": account, "value": "0x7", "data": "0xdeadbeef" }]),
            )
            .await;
        anvil.mine(1).await;
    };
    send().await;
    let poor = Operator::start(&anvil.http, |method, params| {
        if method == "eth_getBlockByNumber" && params[1] == true {
            Act::Change(|block| {
                let hashes: Vec<_> =
                    block["transactions"].as_array().unwrap().iter().map(|one| one["hash"].clone()).collect();
                block["transactions"] = hashes.into();
            })
        } else {
            Act::Pass
        }
    })
    .await;
    let endpoints = vec![endpoint("poor", &poor.url), endpoint("a", &anvil.http)];
    let client = ChainClient::connect(config(1, endpoints)).await.unwrap();
    let backfill = Backfill { window_s: 1 << 30, transactions: true, ..Backfill::default() };
    let mut events = client.feed(BTreeSet::new(), backfill);
    let mut sent = Vec::new();
    let before = until_ready(&mut events).await;
    sent.extend(before.into_iter().flat_map(|view| view.transactions));
    send().await;
    let to = anvil.number().await;
    loop {
        let view = block(&mut events).await;
        let number = view.block.number;
        sent.extend(view.transactions);
        if number == to {
            break;
        }
    }
    assert_eq!(sent.len(), 2);
    for one in sent {
        assert_eq!((one.from, one.to, one.value), (account, Some(account), U256::from(7)));
        assert_eq!(one.input.as_ref(), [0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(one.succeeded, Some(true));
    }
}

/// Goal: a reorg is said with the dropped blocks, highest first, and then the new branch in order; also one that shortens.
#[tokio::test]
async fn reorgs_drop_and_replace() {
    for (depth, replaced) in [(3u64, true), (2, false)] {
        let anvil = Anvil::start();
        anvil.mine(10).await;
        let client = ChainClient::connect(config(1, vec![with_ws(&anvil)])).await.unwrap();
        let mut events =
            client.feed(BTreeSet::new(), Backfill { window_s: 8, resume_after: None, ..Backfill::default() });
        let old = until_ready(&mut events).await;
        if replaced {
            let raw =
                json!([depth, [[{ "from": anvil.account().await, "to": anvil.account().await, "value": "0x1" }, 0]]]);
            anvil.call("anvil_reorg", raw).await;
        } else {
            anvil.call("anvil_rollback", json!([depth])).await;
            anvil.call("anvil_setNextBlockTimestamp", json!([old.last().unwrap().block.time.as_secs() + 50])).await;
            anvil.mine(1).await;
        }
        let FeedEvent::Orphaned { blocks } = next(&mut events).await else { panic!("orphans first") };
        let expected: Vec<_> = old.iter().rev().take(usize::try_from(depth).unwrap()).map(|view| view.block).collect();
        assert_eq!(blocks, expected);
        let mut parent = old[old.len() - 1 - usize::try_from(depth).unwrap()].block;
        for number in parent.number + 1..=anvil.number().await {
            let view = block(&mut events).await;
            assert_eq!((view.block.number, view.parent), (number, parent.hash));
            assert_eq!(view.block.hash, anvil.hash(number).await);
            parent = view.block;
        }
    }
}

/// Goal: a feed that resumes after a restart scans what it missed, though the window is shorter.
#[tokio::test]
async fn a_restart_resumes_where_it_stopped() {
    let anvil = Anvil::start();
    anvil.mine(100).await;
    let client = ChainClient::connect(config(1, vec![endpoint("a", &anvil.http)])).await.unwrap();
    let mut events =
        client.feed(BTreeSet::new(), Backfill { window_s: 5, resume_after: Some(40), ..Backfill::default() });
    let numbers: Vec<u64> = until_ready(&mut events).await.iter().map(|view| view.block.number).collect();
    assert_eq!(numbers, (41..=100).collect::<Vec<_>>());
}

/// Goal: a backfill that its bound cuts says which blocks it leaves out, before the first that it reads; one that is not cut says nothing
/// (the other tests here).
#[tokio::test]
async fn a_backfill_that_is_cut_is_said() {
    let anvil = Anvil::start();
    anvil.mine(100).await;
    let client = ChainClient::connect(config(1, vec![endpoint("a", &anvil.http)])).await.unwrap();
    let (cut, whole) = (20, 100);
    for (backfill, unseen) in [
        (
            Backfill { window_s: 5, resume_after: Some(40), blocks_max: cut, ..Backfill::default() },
            Some((Some(41), 79)),
        ),
        (Backfill { window_s: 50, resume_after: None, blocks_max: cut, ..Backfill::default() }, Some((None, 79))),
        (
            Backfill { window_s: 50, resume_after: Some(60), blocks_max: cut, ..Backfill::default() },
            Some((Some(61), 79)),
        ),
        (Backfill { window_s: 50, resume_after: Some(79), blocks_max: cut, ..Backfill::default() }, Some((None, 79))),
        (Backfill { window_s: 5, resume_after: Some(79), blocks_max: cut, ..Backfill::default() }, None),
        (Backfill { window_s: 20, resume_after: None, blocks_max: cut, ..Backfill::default() }, None),
        (Backfill { window_s: 1_000_000, resume_after: None, blocks_max: whole, ..Backfill::default() }, None),
    ] {
        let mut events = client.feed(BTreeSet::new(), backfill);
        let first = match next(&mut events).await {
            FeedEvent::Unseen { first, last } => {
                assert_eq!(Some((first, last)), unseen, "{backfill:?}");
                block(&mut events).await
            }
            FeedEvent::Block { view, .. } => {
                assert_eq!(None, unseen, "{backfill:?}");
                *view
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(first.block.number, unseen.map_or(first.block.number, |(_, last)| last + 1), "{backfill:?}");
    }
}

/// Goal: what a node catches up with is read whole, though its endpoint refuses each read once; where state is gone altogether it goes on
/// without it, and does not ask for every block time and again.
#[tokio::test]
async fn a_backfill_is_read_whole() {
    for gone in [false, true] {
        let anvil = Anvil::start();
        let account = anvil.account().await;
        anvil.mine(60).await;
        let asked = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
        let asking = Arc::clone(&asked);
        let proxy = Operator::start(&anvil.http, move |method, params| {
            if method != "eth_getBalance" {
                return Act::Pass;
            }
            let mut asking = asking.lock().unwrap();
            let times = asking.entry(params.to_string()).or_default();
            *times += 1;
            if gone || *times == 1 { Act::Fail(-32_000, "header not found") } else { Act::Pass }
        })
        .await;
        let client = ChainClient::connect(config(1, vec![endpoint("a", &proxy.url)])).await.unwrap();
        let reads = BTreeSet::from([Read::Balance { account }]);
        let mut events = client.feed(reads, Backfill { resume_after: Some(19), ..Backfill::default() });
        let blocks = until_ready(&mut events).await;
        assert_eq!(blocks.len(), 41);
        assert!(blocks.iter().all(|view| view.is_read() != gone), "{gone}");
        let often = asked.lock().unwrap().values().filter(|times| **times > 2).count();
        assert!(if gone { (1..=16).contains(&often) } else { often == 0 }, "{often} blocks asked for again and again");
    }
}

/// Goal: an endpoint that fails for a while loses nothing: silence is said, then every missed block follows.
#[tokio::test]
async fn an_outage_is_said_and_loses_nothing() {
    let anvil = Anvil::start();
    anvil.mine(3).await;
    let proxy = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    let mut config = config(1, vec![endpoint("a", &proxy.url)]);
    config.silence_ms = Some(300);
    let client = ChainClient::connect(config).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    until_ready(&mut events).await;
    proxy.now(|_, _| Act::Status(429));
    anvil.mine(40).await;
    let mut unhealthy = false;
    let cause = loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
            FeedEvent::EndpointHealth(health) => unhealthy |= !health.healthy,
            FeedEvent::Silent { cause } if unhealthy => break cause,
            FeedEvent::Silent { .. } => unhealthy = true,
            FeedEvent::Block { .. } => {}
            other => panic!("{other:?}"),
        }
        if unhealthy && client.health()[0].cause.contains("rate limited") {
            break client.health()[0].cause.clone();
        }
    };
    assert!(cause.contains("rate limited"), "{cause}");
    proxy.now(|_, _| Act::Pass);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&43) {
        if let FeedEvent::Block { view, .. } = next(&mut events).await {
            numbers.push(view.block.number);
        }
    }
    assert_eq!(numbers, (4..=43).collect::<Vec<_>>());
}

/// Goal: an endpoint that answers, and nothing of use, is shown as what it is: garbage by its words, one that stands still by how far it is behind
/// those who go on. Both are well again with their next good answer.
#[tokio::test]
async fn an_endpoint_of_no_use_is_said() {
    let anvil = Anvil::start();
    anvil.mine(3).await;
    let proxy = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    let late = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    let config = config(1, vec![endpoint("a", &proxy.url), endpoint("late", &late.url), endpoint("b", &anvil.http)]);
    let client = ChainClient::connect(config).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    until_ready(&mut events).await;
    let header = anvil.call("eth_getBlockByNumber", json!(["latest", false])).await;
    late.now(move |method, _| if method == "eth_getBlockByNumber" { Act::Say(header.clone()) } else { Act::Pass });
    proxy.now(|_, _| Act::Garbage);
    anvil.call("evm_increaseTime", json!([120])).await;
    anvil.mine(1).await;
    let said = |name: &str| client.health().into_iter().find(|endpoint| endpoint.name == name).unwrap().cause;
    let shown = async {
        while !(said("a").contains("garbage") && said("late").contains("older than the agreed one")) {
            next(&mut events).await;
            anvil.mine(1).await;
        }
        assert_eq!(said("b"), "");
        proxy.now(|_, _| Act::Pass);
        late.now(|_, _| Act::Pass);
        while !(said("a").is_empty() && said("late").is_empty()) {
            anvil.mine(1).await;
            next(&mut events).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("{:?}", client.health()));
}

/// Goal: with two of three, an operator that invents heads, and one that lags, hold nobody up.
#[tokio::test]
async fn an_inventor_of_heads_is_not_followed() {
    let anvil = Anvil::start();
    let other = Anvil::start();
    other.call("anvil_setNextBlockTimestamp", json!([9_999_999_999u64])).await;
    other.mine(500).await;
    anvil.mine(5).await;
    // Another chain with the same id and a higher head: every header it serves is well formed.
    let endpoints = vec![endpoint("liar", &other.http), endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
    let client = ChainClient::connect(config(2, endpoints)).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    until_ready(&mut events).await;
    for number in 6..=8 {
        anvil.mine(1).await;
        let view = block(&mut events).await;
        assert_eq!((view.block.number, view.block.hash), (number, anvil.hash(number).await));
    }
}

/// Goal: an endpoint that lags far behind, named beside a good one, orphans nothing.
#[tokio::test]
async fn a_laggard_orphans_nothing() {
    let anvil = Anvil::start();
    anvil.mine(50).await;
    let old = anvil.call("eth_getBlockByNumber", json!(["0x2", false])).await;
    let laggard = Operator::start(&anvil.http, move |method, params| {
        let latest = method == "eth_getBlockByNumber" && params[0] == "latest";
        if latest { Act::Say(old.clone()) } else { Act::Pass }
    })
    .await;
    let endpoints = vec![endpoint("good", &anvil.http), endpoint("laggard", &laggard.url)];
    let client = ChainClient::connect(config(1, endpoints)).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill { window_s: 3, resume_after: None, ..Backfill::default() });
    let mut last = None;
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        anvil.mine(1).await;
        let head = anvil.number().await;
        while last != Some(head) {
            match next(&mut events).await {
                FeedEvent::Block { view, .. } => {
                    last = Some(view.block.number);
                    assert!(seen.insert(view.block.number), "each block once");
                }
                FeedEvent::Ready => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Goal: a node that hangs (not even closing its WebSocket) is noticed, and what it did meanwhile is caught up.
#[tokio::test]
async fn a_suspended_node_is_noticed_and_caught_up() {
    let anvil = Anvil::start();
    let mut config = config(1, vec![with_ws(&anvil)]);
    config.silence_ms = Some(500);
    config.block_time_ms = 200;
    let client = ChainClient::connect(config).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    until_ready(&mut events).await;
    anvil.signal("STOP");
    loop {
        if let FeedEvent::Silent { .. } = next(&mut events).await {
            break;
        }
    }
    anvil.signal("CONT");
    anvil.mine(9).await;
    for number in 1..=9 {
        loop {
            match next(&mut events).await {
                FeedEvent::Silent { .. } => {}
                FeedEvent::Block { view, .. } => break assert_eq!(view.block.number, number),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Goal: while an invented head of one operator is looked into, and that operator answers nothing about it, the blocks of
/// the others go on.
#[tokio::test]
async fn an_invented_head_is_looked_into_beside_the_others() {
    let anvil = Anvil::start();
    let other = Anvil::start();
    other.mine(500).await;
    anvil.mine(5).await;
    let (to_test, mut held) = tokio::sync::mpsc::unbounded_channel();
    // Its newest head is well formed and far above; every question about that height is held.
    let liar = Operator::start(&other.http, move |method, params| {
        if method == "eth_getBlockByNumber" && params[0] == "0x1f4" {
            let (guard, dropped) = tokio::sync::oneshot::channel();
            drop(to_test.send(dropped));
            return Act::Hold(guard);
        }
        Act::Pass
    })
    .await;
    let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
    let mut config = config(2, endpoints);
    // Whoever holds an answer back is given up as soon as by a node.
    (config.block_time_ms, config.limits) = (2_000, Limits::default());
    let client = ChainClient::connect(config).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    until_ready(&mut events).await;
    let mut beside = 0;
    for number in 6..=12 {
        while held.try_recv().is_ok() {}
        let mut dropped = held.recv().await.unwrap();
        anvil.mine(1).await;
        let view = block(&mut events).await;
        assert_eq!((view.block.number, view.block.hash), (number, anvil.hash(number).await));
        beside += u32::from(matches!(dropped.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)));
    }
    assert!(beside > 0, "every block waited until nobody asked about the invented head any more");
}

/// Goal: a WebSocket of another chain is refused by the endpoint's name, for as long as it is one, and nothing it pushes is
/// followed; what the endpoint answers over HTTP is.
#[tokio::test]
async fn a_websocket_of_another_chain_is_refused_by_name() {
    let anvil = Anvil::start();
    let foreign = Anvil::start_with(1_337, &[]);
    foreign.mine(50).await;
    let crossed = Endpoint { ws: Some(foreign.ws.clone()), ..endpoint("crossed", &anvil.http) };
    let client = ChainClient::connect(config(1, vec![crossed])).await.unwrap();
    let mut events = client.feed(BTreeSet::new(), Backfill::default());
    let told = async {
        loop {
            match events.recv().await.unwrap() {
                FeedEvent::EndpointHealth(health) if !health.healthy => return health,
                FeedEvent::Block { view, .. } => assert_eq!(view.block.hash, anvil.hash(view.block.number).await),
                FeedEvent::Ready => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let health = tokio::time::timeout(PATIENCE, told).await.expect("told in time");
    assert_eq!(health.name, "crossed");
    assert!(health.cause.contains("its websocket serves chain 1337"), "{}", health.cause);
    for _ in 0..3 {
        foreign.mine(1).await;
        anvil.mine(1).await;
        let number = anvil.number().await;
        let seen = async {
            loop {
                match events.recv().await.unwrap() {
                    FeedEvent::Block { view, .. } if view.block.number == number => return view,
                    FeedEvent::Block { .. } | FeedEvent::Ready => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        let view = tokio::time::timeout(PATIENCE, seen).await.expect("a block in time");
        assert_eq!(view.block.hash, anvil.hash(number).await);
    }
    assert_eq!(client.health(), [health], "answers over HTTP mend no websocket");
}
