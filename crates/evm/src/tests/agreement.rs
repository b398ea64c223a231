//! k of m: what liars, laggards and the poorly equipped change, and what they do not.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use serde_json::json;
use watchfire_types::{ChainId, Read, ReadOutcome};

use super::anvil::{Anvil, PATIENCE, config, endpoint, patient};
use super::operator::{Act, Operator};
use super::safes::World;
use crate::client::ChainClient;
use crate::config::ChainConfig;
use crate::error::ConnectError;
use crate::limits::Limits;

fn balance(account: alloy_primitives::Address) -> BTreeSet<Read> {
    BTreeSet::from([Read::Balance { account }])
}

/// Goal: too few operators, because an endpoint serves another chain, is an error that names the endpoint.
#[tokio::test]
async fn another_chain_is_refused() {
    let anvil = Anvil::start_with(1_337, &[]);
    let error = ChainClient::connect(config(1, vec![endpoint("a", &anvil.http)])).await.unwrap_err();
    let wrong = ConnectError::WrongChain {
        endpoint: "a".to_owned(),
        expected: ChainId::new(31_337),
        found: ChainId::new(1_337),
    };
    assert_eq!(error, wrong);
}

/// Goal: an operator that serves another chain beside k that do not is barred and said to be, over both of its ways to name
/// a head; the node starts and follows its own chain.
#[tokio::test]
async fn another_chain_beside_enough_right_ones_is_barred() {
    let anvil = Anvil::start();
    let foreign = Anvil::start_with(1_337, &[]);
    foreign.mine(50).await;
    for agree in [1, 2] {
        let pushed = crate::Endpoint { ws: Some(foreign.ws.clone()), ..endpoint("foreign", &foreign.http) };
        let endpoints = vec![pushed, endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
        let client = ChainClient::connect(config(agree, endpoints)).await.unwrap();
        let barred = client.health().into_iter().find(|endpoint| !endpoint.healthy).unwrap();
        assert_eq!(barred.name, "foreign");
        assert!(barred.cause.contains("serves chain 1337"), "{}", barred.cause);
        let mut events = client.feed(BTreeSet::new(), crate::Backfill::default());
        while !matches!(events.recv().await.unwrap(), crate::FeedEvent::Ready) {}
        for _ in 0..3 {
            anvil.mine(1).await;
            foreign.mine(1).await;
            let view = loop {
                match events.recv().await.unwrap() {
                    crate::FeedEvent::Block { view, .. } => break view,
                    crate::FeedEvent::EndpointHealth(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(view.block.hash, anvil.hash(view.block.number).await);
        }
    }
    let gone = "http://127.0.0.1:1".parse().unwrap();
    let waiting = vec![endpoint("foreign", &foreign.http), endpoint("b", &anvil.http), endpoint("c", &gone)];
    let error = ChainClient::connect(config(2, waiting)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { reached: 1, .. }), "a restart of c mends it: {error}");
    // One operator of two that claims another chain may lie; a node waits for it and says so, and its other chains go on.
    let doubtful = vec![endpoint("foreign", &foreign.http), endpoint("b", &anvil.http)];
    let error = ChainClient::connect(config(2, doubtful)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { reached: 1, .. }), "{error}");
    assert!(error.to_string().contains("foreign") && error.to_string().contains("1337"), "{error}");
}

/// Goal: what calls cost is what k operators do not exceed alone; a call that would revert, or too few answers, give no figure.
#[tokio::test]
async fn gas_is_the_highest_that_one_operator_alone_cannot_move() {
    let world = World::new().await;
    let anvil = &world.anvil;
    let account = anvil.account().await;
    let lie = |method: &str, _: &serde_json::Value| match method {
        "eth_estimateGas" => Act::Say(json!("0x3b9aca00")),
        _ => Act::Pass,
    };
    let liar = Operator::start(&anvil.http, lie).await;
    let honest = || vec![endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
    let call = || (account, account, bytes::Bytes::new());
    let all = honest().into_iter().chain([endpoint("liar", &liar.url)]).collect();
    let client = ChainClient::connect(config(2, all)).await.unwrap();
    assert_eq!(client.gas_of(&[call(), call()]).await, Some(42_000));
    let client = ChainClient::connect(config(2, honest())).await.unwrap();
    assert_eq!(client.gas_of(&[call()]).await, Some(21_000));
    let pause = (account, world.vault, bytes::Bytes::from_static(&[0x84, 0x56, 0xcb, 0x59]));
    assert_eq!(client.gas_of(&[call(), pause]).await, None, "not everybody's to pause");
}

/// Goal: fewer operators than k, or none reachable, are errors that say what to do.
#[tokio::test]
async fn too_few_operators_are_refused() {
    let anvil = Anvil::start();
    let twice = vec![endpoint("a", &anvil.http), endpoint("a", &anvil.http)];
    let error = ChainClient::connect(config(2, twice)).await.unwrap_err();
    assert!(matches!(error, ConnectError::TooFewOperators { operators: 1, agree: 2, .. }), "{error}");
    let gone = "http://127.0.0.1:1".parse().unwrap();
    let error = ChainClient::connect(config(1, vec![endpoint("a", &gone)])).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { reached: 0, .. }), "{error}");
}

/// Goal: with two of three, one operator of each bad kind changes no answer; two liars yield no answer.
#[tokio::test]
async fn one_bad_operator_of_three_changes_nothing() {
    let anvil = Anvil::start();
    let account = anvil.account().await;
    let bad: [fn(&str) -> Act; 6] = [
        |_| Act::Say(json!("0x2a")),
        |_| Act::Garbage,
        |_| Act::Hang,
        |_| Act::Status(429),
        |_| Act::Status(503),
        |_| Act::Fail(-32005, "limit exceeded"),
    ];
    for act in bad {
        let liar = Operator::start(
            &anvil.http,
            move |method, _| {
                if method == "eth_getBalance" { act(method) } else { Act::Pass }
            },
        )
        .await;
        let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
        let client = ChainClient::connect(config(2, endpoints)).await.unwrap();
        let head = client.latest().await.unwrap();
        let answers = client.read_at(head.block, &balance(account)).await;
        let expected = U256::from(10_000) * U256::from(10).pow(U256::from(18));
        assert_eq!(answers.values().next().unwrap().word(), Some(expected));
        // Who said it is seen to have said it, as soon as it is heard before the others agree; they are not.
        let wanted = match act("eth_getBalance") {
            Act::Say(_) => "says otherwise of a block",
            Act::Garbage => "garbage",
            Act::Status(429) | Act::Fail(..) => "rate limited",
            Act::Status(_) => "http status 503",
            // It has all the time that nobody waits for.
            _ => "",
        };
        let said = || client.health().into_iter().find(|endpoint| endpoint.name == "liar").unwrap();
        let heard = async {
            while !said().cause.contains(wanted) {
                client.read_at(head.block, &balance(account)).await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{wanted} of {:?}", said()));
        assert_eq!(said().healthy, wanted.is_empty());
        let others = client.health().into_iter().filter(|endpoint| endpoint.name != "liar");
        assert!(others.into_iter().all(|endpoint| endpoint.healthy));
    }
    let lie = |method: &str, _: &serde_json::Value| {
        if method == "eth_getBalance" { Act::Say(json!("0x2a")) } else { Act::Pass }
    };
    let liar = Operator::start(&anvil.http, lie).await;
    let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &anvil.http)];
    let client = ChainClient::connect(config(2, endpoints)).await.unwrap();
    let head = client.latest().await.unwrap();
    let answers = client.read_at(head.block, &balance(account)).await;
    let Some(ReadOutcome::Unavailable(cause)) = answers.values().next() else { panic!("{answers:?}") };
    assert!(cause.contains("answers differ"), "{cause}");
}

/// Goal: a view names the operators whose answers it holds: not the one that lied about one of several reads, nor one that was
/// not needed; and where nothing was read or proved, those that have the block.
#[tokio::test]
async fn a_view_names_whose_word_it_is() {
    let anvil = Anvil::start();
    anvil.mine(1).await;
    let account = anvil.account().await;
    let liar = Operator::start(&anvil.http, |method, _| match method {
        "eth_getBalance" => Act::Say(json!("0x2a")),
        _ => Act::Pass,
    })
    .await;
    let endpoints = vec![
        endpoint("liar", &liar.url),
        endpoint("b", &anvil.http),
        endpoint("c", &anvil.http),
        endpoint("d", &anvil.http),
    ];
    let names = |view: watchfire_types::BlockView| view.agreed.iter().map(ToString::to_string).collect::<Vec<_>>();
    let client = ChainClient::connect(config(2, endpoints.clone())).await.unwrap();
    let head = client.head_at(anvil.number().await).await.unwrap();
    let reads = &balance(account) | &BTreeSet::from([Read::CodeHash { account }]);
    let view = client.view(&head, &reads, true).await.unwrap();
    assert!(view.reads.values().all(|answer| matches!(answer, ReadOutcome::Value(_))), "{view:?}");
    let agreed = names(view);
    assert!(agreed.len() >= 2 && !agreed.contains(&"liar".to_owned()), "{agreed:?}");
    assert!(names(client.view(&head, &BTreeSet::new(), true).await.unwrap()).len() >= 2);

    // Who is asked first answers, however slow the machine is.
    let limits = Limits { hedge: PATIENCE, ..patient() };
    let alone = ChainClient::connect(ChainConfig { limits, ..config(1, endpoints) }).await.unwrap();
    assert_eq!(names(alone.view(&head, &reads, true).await.unwrap()), ["liar"]);
}

/// Goal: an operator that vouches for this member is among those that agreed wherever it is listed, and though it is the
/// slowest; one that does not answer holds the view up for a moment only.
#[tokio::test]
async fn a_view_waits_a_little_for_who_vouches() {
    let anvil = Anvil::start();
    anvil.mine(1).await;
    let account = anvil.account().await;
    let own = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    let vouching = crate::Endpoint { vouches: true, ..endpoint("own", &own.url) };
    let endpoints = vec![endpoint("a", &anvil.http), endpoint("b", &anvil.http), vouching];
    let names = |view: watchfire_types::BlockView| view.agreed.iter().map(ToString::to_string).collect::<Vec<_>>();
    let client = ChainClient::connect(config(2, endpoints.clone())).await.unwrap();
    let head = client.head_at(anvil.number().await).await.unwrap();
    let reads = &balance(account) | &BTreeSet::from([Read::CodeHash { account }]);
    assert!(names(client.view(&head, &reads, true).await.unwrap()).contains(&"own".to_owned()), "asked first");

    own.now(|_, _| Act::Lag(Duration::from_millis(60)));
    assert!(names(client.view(&head, &reads, true).await.unwrap()).contains(&"own".to_owned()), "waited for");

    // With the node's own patience for who vouches, and no other end to the wait.
    let limits = Limits { vouch: Limits::default().vouch, ..patient() };
    let client = ChainClient::connect(ChainConfig { limits, ..config(2, endpoints) }).await.unwrap();
    own.now(|_, _| Act::Hang);
    let view =
        tokio::time::timeout(PATIENCE / 2, client.view(&head, &reads, true)).await.expect("not held up").unwrap();
    assert_eq!(names(view), ["a", "b"]);
}

/// Goal: a header that does not recompute to its hash is garbage even from the only operator.
#[tokio::test]
async fn a_forged_header_is_refused() {
    let anvil = Anvil::start();
    let forger = Operator::start(&anvil.http, |method, _| match method {
        "eth_getBlockByNumber" => Act::Change(|block| block["timestamp"] = json!("0x1")),
        _ => Act::Pass,
    })
    .await;
    let client = ChainClient::connect(config(1, vec![endpoint("a", &forger.url)])).await.unwrap();
    let error = client.latest().await.unwrap_err();
    assert!(error.cause.contains("hashes to"), "{error}");
}

/// Goal: every kind of read answers what the chain holds, a revert as a revert.
#[tokio::test]
async fn reads_of_every_kind() {
    let world = World::new().await;
    let (delegating, delegate) = (alloy_primitives::Address::repeat_byte(5), alloy_primitives::Address::repeat_byte(6));
    let code = format!("0xef0100{}", alloy_primitives::hex::encode(delegate));
    world.anvil.call("anvil_setCode", json!([delegating, code])).await;
    world.anvil.mine(1).await;
    let plain = endpoint("a", &world.anvil.http);
    let poor = Operator::start(&world.anvil.http, |method, params| {
        let by_hash = params.as_array().is_some_and(|params| params.iter().any(|p| p.get("blockHash").is_some()));
        if by_hash && method != "eth_getLogs" { Act::Fail(-32602, "invalid argument 1: hex string") } else { Act::Pass }
    })
    .await;
    let single = Operator::start(&world.anvil.http, |_, _| Act::Pass).await;
    for endpoint in [plain, endpoint("no-eip-1898", &poor.url), endpoint("proxied", &single.url)] {
        let client = ChainClient::connect(config(1, vec![endpoint])).await.unwrap();
        let head = client.latest().await.unwrap();
        let threshold = Read::Storage { account: world.safe, slot: B256::with_last_byte(4) };
        let empty = Read::CodeHash { account: alloy_primitives::Address::repeat_byte(9) };
        let reverting = Read::Call { to: world.vault, data: vec![1, 2, 3, 4].into() };
        let delegation = |account| Read::Delegation { account };
        let (to, contract) = (delegation(delegating), delegation(world.vault));
        let delegations = BTreeSet::from([to.clone(), contract.clone()]);
        let reads = BTreeSet::from([world.paused(), threshold.clone(), empty.clone(), reverting.clone()]);
        let reads = &reads | &delegations;
        let answers = client.read_at(head.block, &reads).await;
        assert_eq!(answers[&world.paused()].word(), Some(U256::ZERO));
        assert_eq!(answers[&threshold].word(), Some(U256::from(3)));
        assert_eq!(answers[&to].word(), Some(delegate.into_word().into()), "EIP-7702");
        assert_eq!(answers[&contract].word(), Some(U256::ZERO), "code that is no delegation");
        assert_eq!(answers[&empty].word(), Some(alloy_primitives::keccak256([]).into()));
        assert!(matches!(answers[&reverting], ReadOutcome::Reverted(_)), "{answers:?}");
        // A hash that is not canonical is never answered from its number.
        let mut foreign = head.block;
        foreign.hash = B256::repeat_byte(7);
        let answers =
            client.reads_at(foreign, &reads, crate::Priority::Decision, Duration::from_millis(200), false).await.0;
        assert!(answers.values().all(|answer| matches!(answer, ReadOutcome::Unavailable(_))), "{answers:?}");
    }
}

/// Goal: an endpoint without batches is found out and served call by call.
#[tokio::test]
async fn an_endpoint_without_batches_serves() {
    let anvil = Anvil::start();
    let account = anvil.account().await;
    let remote = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    remote.refuse_batches();
    let client = ChainClient::connect(config(1, vec![endpoint("a", &remote.url)])).await.unwrap();
    let head = client.latest().await.unwrap();
    let reads = BTreeSet::from([Read::Balance { account }, Read::CodeHash { account }]);
    let answers = client.read_at(head.block, &reads).await;
    assert!(answers.values().all(|answer| matches!(answer, ReadOutcome::Value(_))), "{answers:?}");
}

/// Goal: one look through one URL, as a charter check takes it, and its refusal of another chain.
#[tokio::test]
async fn a_snapshot_reads_or_refuses() {
    let world = World::new().await;
    let operator = super::anvil::operator("check");
    let url = world.anvil.http.clone();
    let reads = BTreeSet::from([world.paused()]);
    let snapshot = crate::snapshot(super::anvil::CHAIN, operator.clone(), url.clone(), &reads).await.unwrap();
    assert_eq!(snapshot.block.hash, world.anvil.hash(snapshot.block.number).await);
    assert_eq!(snapshot.answers[&world.paused()].word(), Some(U256::ZERO));
    let error = crate::snapshot(ChainId::new(5), operator, url, &reads).await.unwrap_err();
    assert!(error.to_string().contains("serves chain 31337, the configuration says 5"), "{error}");
}
