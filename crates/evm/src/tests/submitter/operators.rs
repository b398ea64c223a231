//! Whom a transaction is given to, and what one of them can spoil.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use serde_json::json;

use super::super::anvil::{config, endpoint};
use super::super::operator::{Act, Operator};
use super::super::safes::{World, payer};
use super::Rig;

/// Goal: with the private route the first bid goes to private endpoints alone, the next one to all.
#[tokio::test]
async fn private_first_then_public() {
    let world = World::new().await;
    world.anvil.call("evm_setAutomine", json!([false])).await;
    let (to_private, mut private) = tokio::sync::mpsc::unbounded_channel();
    let (to_public, mut public) = tokio::sync::mpsc::unbounded_channel();
    let builder = Operator::start(&world.anvil.http, move |method, params| {
        drop(to_private.send((method.to_owned(), params.clone())));
        Act::Say(json!(alloy_primitives::B256::ZERO))
    })
    .await;
    let node = Operator::start(&world.anvil.http, move |method, params| {
        if method == "eth_sendRawTransaction" {
            drop(to_public.send(params.clone()));
        }
        Act::Pass
    })
    .await;
    let mut private_endpoint = endpoint("builder", &builder.url);
    private_endpoint.submit_only = true;
    let mut config = config(1, vec![endpoint("a", &node.url), private_endpoint]);
    config.route = crate::Route::PrivateFirst;
    let submission = world.submission(world.pause(0), 0);
    let mut rig = Rig::through(world, config).await;
    rig.submitter.set(BTreeSet::from([submission]));
    rig.sending().await;
    let (method, first) = private.recv().await.unwrap();
    assert_eq!(method, "eth_sendRawTransaction");
    assert!(public.try_recv().is_err(), "not public yet");
    rig.world.anvil.mine(1).await;
    rig.sending().await;
    let second = public.recv().await.unwrap();
    assert_ne!(first, second, "one block later the bumped bid is public");
}

/// Goal: with two of three, one operator that lies about nonce, balance, gas and tips, high or low, or says that everything
/// reverts, or that everything sent is refused, does not keep the pause out of the next block.
#[tokio::test]
async fn one_lying_operator_stops_nothing() {
    let lies: [fn(&str) -> Act; 4] = [
        |method| match method {
            "eth_getTransactionCount" => Act::Say(json!("0x63")),
            "eth_getBalance" => Act::Say(json!("0xffffffffffffffffffffffffffffff")),
            "eth_estimateGas" => Act::Say(json!("0xfffffffff")),
            _ => Act::Pass,
        },
        |method| match method {
            "eth_getTransactionCount" | "eth_getBalance" => Act::Say(json!("0x0")),
            "eth_estimateGas" => Act::Say(json!("0x1")),
            _ => Act::Pass,
        },
        |method| if method == "eth_estimateGas" { Act::Fail(3, "execution reverted") } else { Act::Pass },
        |method| match method {
            "eth_sendRawTransaction" => Act::Fail(-32_000, "insufficient funds for gas * price + value"),
            _ => Act::Pass,
        },
    ];
    for lie in lies {
        let world = World::new().await;
        // Enough for an honest gas limit; the block's whole gas at this price is not affordable.
        world.anvil.fund(payer().address(), U256::from(4) * U256::from(10).pow(U256::from(15))).await;
        let liar = Operator::start(&world.anvil.http, move |method, _| lie(method)).await;
        let http = world.anvil.http.clone();
        let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &http), endpoint("c", &http)];
        let mut rig = Rig::through(world, config(2, endpoints)).await;
        let before = rig.world.anvil.number().await;
        rig.submitter.set(BTreeSet::from([rig.world.submission(rig.world.pause(0), 0)]));
        rig.sending().await;
        rig.head(before + 1).await;
        assert!(rig.world.is_paused().await);
    }
}
