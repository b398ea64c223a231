//! Each way an operator can behave, before a real anvil.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::anvil::{Anvil, FUNDER, locate, mine_every};
use crate::key::{Account, Order, from_hex, wait_for};
use crate::npm;
use crate::rpc::{Rpc, RpcError};

async fn operator() -> (Anvil, Rpc, Operator, Rpc) {
    let anvil = Anvil::start(&locate(&npm::aloud).unwrap(), 31337).await.unwrap();
    let mut socket = anvil.url().clone();
    socket.set_scheme("ws").unwrap();
    let operator = Operator::start(anvil.url().clone(), Some(socket)).await.unwrap();
    let direct = Rpc::new(anvil.url().clone()).unwrap();
    let through = Rpc::new(operator.http().parse().unwrap()).unwrap();
    (anvil, direct, operator, through)
}

/// Honest by default; then 503, 429 and silence, and honest again.
#[tokio::test]
async fn serves_fails_throttles_and_keeps_silent() {
    let (_anvil, _, operator, rpc) = operator().await;
    assert_eq!(rpc.chain_id().await.unwrap(), 31337);
    for answering in [Answering::Failing, Answering::Throttling] {
        operator.behave(|conduct| conduct.answering = answering);
        assert!(matches!(rpc.chain_id().await, Err(RpcError::Transport { .. })));
    }
    operator.behave(|conduct| conduct.answering = Answering::Silent);
    assert!(tokio::time::timeout(Duration::from_millis(300), rpc.chain_id()).await.is_err());
    operator.behave(|conduct| conduct.answering = Answering::Late(Duration::from_millis(50)));
    assert_eq!(rpc.chain_id().await.unwrap(), 31337);
}

/// A liar's balance falls block by block, from its first block on, whichever way the block is named; others' stay true.
#[tokio::test]
async fn a_lie_is_consistent() {
    let (_anvil, direct, operator, rpc) = operator().await;
    for _ in 0..3 {
        direct.call("evm_mine", json!([])).await.unwrap();
    }
    let victim = from_hex(FUNDER).unwrap().address();
    let honest = direct.balance(victim).await.unwrap();
    let wei_per_block = U256::from(7);
    let tale = Tale::Drain { wei_per_block, blocks: 9 };
    operator.behave(|conduct| conduct.lie = Some(Lie { account: victim, from_block: 2, tale }));
    assert_eq!(rpc.balance_at(victim, Some(1)).await.unwrap(), honest);
    assert_eq!(rpc.balance_at(victim, Some(2)).await.unwrap(), honest - U256::from(7));
    assert_eq!(rpc.balance(victim).await.unwrap(), honest - U256::from(14));
    let head = direct.head().await.unwrap();
    let by_hash = rpc.call("eth_getBalance", json!([victim, {"blockHash": head.hash}])).await.unwrap();
    assert_eq!(by_hash.as_str().unwrap().parse::<U256>().unwrap(), honest - U256::from(14));
    let other = Address::repeat_byte(1);
    assert_eq!(rpc.balance(other).await.unwrap(), U256::ZERO);
    let tale = Tale::Untouched { wei: U256::from(5) };
    operator.behave(|conduct| conduct.lie = Some(Lie { account: victim, from_block: 2, tale }));
    assert_eq!(rpc.balance_at(victim, Some(1)).await.unwrap(), honest);
    assert_eq!(rpc.balance(victim).await.unwrap(), U256::from(5));
}

/// A held transaction reaches the chain only after it is let go.
#[tokio::test]
async fn holds_transactions() {
    let (_anvil, direct, operator, rpc) = operator().await;
    operator.behave(|conduct| conduct.holds_transactions = true);
    let mut payer = Account::open(from_hex(FUNDER).unwrap(), 31337, &direct).await.unwrap();
    let order = Order::call("a payment", Address::repeat_byte(2), Vec::new(), 21_000).with_value(U256::from(1));
    let from = payer.address();
    let mut sending = std::pin::pin!(payer.send(&rpc, &order));
    assert!(tokio::time::timeout(Duration::from_millis(300), sending.as_mut()).await.is_err());
    assert_eq!(direct.head().await.unwrap().number, 0);
    operator.behave(|conduct| conduct.holds_transactions = false);
    let transaction = sending.await.unwrap();
    assert!(wait_for(&direct, "the payment", transaction).await.unwrap().succeeded);
    let [sent] = operator.sent().try_into().unwrap();
    assert_eq!((sent.from, sent.nonce, sent.bid.hash), (from, 0, transaction));
    assert!(sent.bid.max_fee > sent.bid.tip && sent.bid.tip > 0);
}

/// Over the WebSocket: calls are answered, heads are pushed, and a silent operator pushes nothing without hanging up.
#[tokio::test]
async fn subscriptions_pass_through() {
    let (_anvil, direct, operator, _) = operator().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(operator.socket().unwrap()).await.unwrap();
    let mut ask = async |request: Value| {
        socket.send(Message::text(request.to_string())).await.unwrap();
        serde_json::from_str::<Value>(&socket.next().await.unwrap().unwrap().into_text().unwrap()).unwrap()
    };
    let chain = ask(json!({"jsonrpc": "2.0", "id": 5, "method": "eth_chainId", "params": []})).await;
    assert_eq!((&chain["id"], &chain["result"]), (&json!(5), &json!("0x7a69")));
    ask(json!({"jsonrpc": "2.0", "id": 6, "method": "eth_subscribe", "params": ["newHeads"]})).await;
    direct.call("evm_mine", json!([])).await.unwrap();
    let pushed = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(pushed.contains("eth_subscription"), "{pushed}");
    operator.behave(|conduct| conduct.answering = Answering::Silent);
    mine_every(&direct, 1).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1_500), socket.next()).await.is_err());
}

/// A plain operator refuses what not every client has, each in the way clients do, and answers the rest.
#[tokio::test]
async fn a_plain_operator_serves_plain_methods() {
    let (_anvil, direct, operator, rpc) = operator().await;
    operator.behave(|conduct| conduct.plain = true);
    assert_eq!(rpc.chain_id().await.unwrap(), 31337);
    let head = direct.head().await.unwrap();
    let account = Address::repeat_byte(1);
    for (method, parameters) in [
        ("eth_getBlockReceipts", json!(["latest"])),
        ("eth_simulateV1", json!([{}, "latest"])),
        ("debug_traceTransaction", json!([head.hash])),
        ("eth_getBalance", json!([account, {"blockHash": head.hash}])),
    ] {
        assert!(matches!(rpc.call(method, parameters).await, Err(RpcError::Refused { .. })), "{method}");
    }
    assert!(rpc.call("eth_getLogs", json!([{"blockHash": head.hash}])).await.is_ok());
    assert_eq!(rpc.balance_at(account, Some(0)).await.unwrap(), U256::ZERO);
    let batch = json!([{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}]);
    assert!(beyond_plain(&batch).is_some());
}
