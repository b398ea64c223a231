//! A block's logs: the header's by every path, k operators' word where the chain's receipts are of an unknown kind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::keccak256;
use serde_json::{Value, json};

use super::anvil::{config, endpoint};
use super::operator::{Act, Operator};
use super::safes::World;
use crate::client::ChainClient;

/// Goal: logs are the header's by every path, and a receipt that was tampered with proves nothing.
#[tokio::test]
async fn logs_by_every_path_and_never_forged() {
    let world = World::new().await;
    world.execute(&world.pause(0)).await;
    let missing: [&'static [&'static str]; 3] =
        [&[], &["eth_getBlockReceipts"], &["eth_getBlockReceipts", "eth_getTransactionReceipt"]];
    let mut seen = Vec::new();
    for methods in missing {
        let remote = Operator::start(&world.anvil.http, move |method, _| {
            if methods.contains(&method) { Act::Fail(-32601, "method not found") } else { Act::Pass }
        })
        .await;
        let client = ChainClient::connect(config(1, vec![endpoint("a", &remote.url)])).await.unwrap();
        let head = client.head_at(world.anvil.number().await).await.unwrap();
        seen.push(client.view(&head, &BTreeSet::new(), true).await.unwrap().logs);
    }
    let paused = keccak256("Paused(address)");
    assert!(seen[0].iter().any(|log| log.address == world.vault && log.topics[0] == paused));
    assert!(seen.iter().all(|logs| *logs == seen[0]), "{seen:#?}");

    let forger = Operator::start(&world.anvil.http, |method, _| match method {
        "eth_getBlockReceipts" => Act::Change(|receipts| receipts[0]["logs"] = json!([])),
        "eth_getTransactionReceipt" => Act::Change(|receipt| receipt["logs"] = json!([])),
        "eth_getLogs" => Act::Say(json!([])),
        _ => Act::Pass,
    })
    .await;
    let client = ChainClient::connect(config(1, vec![endpoint("a", &forger.url)])).await.unwrap();
    let head = client.head_at(world.anvil.number().await).await.unwrap();
    let error = client.view(&head, &BTreeSet::new(), false).await.unwrap_err();
    assert!(error.cause.contains("root"), "{error}");
}

/// As some rollups answer: a type of their own, which the receipts root covers in an encoding unknown here.
fn as_unknown(receipt: &mut Value) {
    receipt["type"] = json!("0x6a");
}

/// A rollup's operator over this node; `logs` decides about `eth_getLogs`.
async fn rollup(world: &World, logs: fn() -> Act) -> Operator {
    Operator::start(&world.anvil.http, move |method, _| match method {
        "eth_getBlockReceipts" => {
            Act::Change(|receipts| receipts.as_array_mut().unwrap().iter_mut().for_each(as_unknown))
        }
        "eth_getTransactionReceipt" => Act::Change(as_unknown),
        "eth_getLogs" => logs(),
        _ => Act::Pass,
    })
    .await
}

/// Goal: a receipt type unknown here proves nothing; the logs that k operators state alike are taken, with their names, and what
/// one alone states is not.
#[tokio::test]
async fn an_unknown_receipt_type_falls_back_to_agreed_logs() {
    let world = World::new().await;
    world.execute(&world.pause(0)).await;
    let number = world.anvil.number().await;
    let plain = ChainClient::connect(config(1, vec![endpoint("plain", &world.anvil.http)])).await.unwrap();
    let head = plain.head_at(number).await.unwrap();
    let view = plain.view(&head, &BTreeSet::new(), true).await.unwrap();
    assert!(!view.unproved);
    let proved = view.logs;
    assert!(proved.iter().any(|log| log.address == world.vault));

    let honest = [rollup(&world, || Act::Pass).await, rollup(&world, || Act::Pass).await];
    let liar = rollup(&world, || Act::Change(|logs| logs[0]["data"] = json!("0x01"))).await;
    let of = |name, operator: &Operator| endpoint(name, &operator.url);
    let three = vec![of("liar", &liar), of("b", &honest[0]), of("c", &honest[1])];
    let client = ChainClient::connect(config(2, three)).await.unwrap();
    let view = client.view(&head, &BTreeSet::new(), true).await.unwrap();
    assert!(view.unproved);
    assert_eq!(view.logs, proved);
    let agreed: Vec<_> = view.agreed.iter().map(ToString::to_string).collect();
    assert!(!agreed.is_empty() && agreed.iter().all(|name| name != "liar"), "{agreed:?}");

    let two = vec![of("liar", &liar), of("b", &honest[0])];
    let client = ChainClient::connect(config(2, two)).await.unwrap();
    let error = client.view(&head, &BTreeSet::new(), false).await.unwrap_err();
    assert!(error.cause.contains("answers differ"), "{error}");
}

/// Goal: where the receipts are of an unknown kind they are asked for once, and then once in a thousand blocks, by either way; the logs come
/// all the same.
#[tokio::test]
async fn receipts_of_an_unknown_kind_are_asked_for_rarely() {
    let world = World::new().await;
    world.execute(&world.pause(0)).await;
    for one_by_one in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let rollup = Operator::start(&world.anvil.http, move |method, _| match method {
            "eth_getBlockReceipts" if one_by_one => Act::Fail(-32601, "method not found"),
            "eth_getBlockReceipts" => {
                counted.fetch_add(1, Ordering::SeqCst);
                Act::Change(|receipts| receipts.as_array_mut().unwrap().iter_mut().for_each(as_unknown))
            }
            "eth_getTransactionReceipt" => {
                counted.fetch_add(1, Ordering::SeqCst);
                Act::Change(as_unknown)
            }
            _ => Act::Pass,
        })
        .await;
        let client = ChainClient::connect(config(1, vec![endpoint("a", &rollup.url)])).await.unwrap();
        let head = client.head_at(world.anvil.number().await).await.unwrap();
        for (ahead, expected) in [(0, 1), (0, 1), (999, 1), (1_000, 2), (1_001, 2)] {
            // The height alone decides; the block is the same one.
            let mut later = head.clone();
            later.block.number += ahead;
            let logs = client.view(&later, &BTreeSet::new(), false).await.unwrap().logs;
            assert!(logs.iter().any(|log| log.address == world.vault));
            assert_eq!(asked.load(Ordering::SeqCst), expected, "{ahead} {one_by_one}");
        }
    }
}
