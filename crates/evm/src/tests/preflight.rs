//! Preflight against a real Safe, with `eth_simulateV1` and without.

use alloy_primitives::{Address, U256};
use serde_json::json;
use watchfire_types::duty::Preflight;
use watchfire_types::input::PreflightOutcome;
use watchfire_types::{Read, SafeTransaction};

use super::anvil::{PATIENCE, config, endpoint, own_artifact, patient, safe_1_4_1_artifact};
use super::operator::{Act, Operator};
use super::safes::{World, payer};
use crate::client::ChainClient;
use crate::config::ChainConfig;
use crate::limits::Limits;

async fn clients(world: &World) -> (Operator, Vec<std::sync::Arc<ChainClient>>) {
    let old = Operator::start(&world.anvil.http, |method, _| {
        if method == "eth_simulateV1" { Act::Fail(-32601, "method not found") } else { Act::Pass }
    })
    .await;
    let mut clients = Vec::new();
    for endpoint in [endpoint("new", &world.anvil.http), endpoint("old", &old.url)] {
        clients.push(ChainClient::connect(config(1, vec![endpoint])).await.unwrap());
    }
    (old, clients)
}

fn refuted(reason: &str) -> PreflightOutcome {
    PreflightOutcome::Refuted { reason: reason.to_owned(), by_guard: false }
}

const CONTAINED: &str = "already contained: EnforcedPause()";

/// Goal: each outcome has its name, before the signatures exist and after, by both methods.
#[tokio::test]
async fn outcomes_have_names() {
    let world = World::new().await;
    let (_old, clients) = clients(&world).await;
    for client in &clients {
        let at = client.latest().await.unwrap().block;
        let pause = world.preflight(world.pause(0), at);
        let signed = |count| Some(world.signatures(&world.pause(0), count));
        let stale = world.preflight(world.pause(3), at);
        let foreign = SafeTransaction::call(world.vault, vec![9, 9, 9, 9].into(), U256::ZERO);
        let stranger = Address::repeat_byte(5);
        let no_effect = SafeTransaction::call(Address::repeat_byte(7), Default::default(), U256::ZERO);
        let steps: Vec<(Preflight, PreflightOutcome)> = vec![
            (pause.clone(), PreflightOutcome::Passes),
            (Preflight { signatures: signed(3), ..pause.clone() }, PreflightOutcome::Passes),
            (Preflight { signatures: signed(2), ..pause.clone() }, refuted("GS020: signatures data too short")),
            (
                Preflight { signatures: Some(world.signatures(&world.pause(1), 3)), ..pause.clone() },
                refuted("GS026: invalid owner provided"),
            ),
            (stale.clone(), refuted("nonce taken: the Safe is at 0 (GS025)")),
            (
                Preflight { signatures: Some(world.signatures(&world.pause(3), 3)), ..stale },
                refuted("nonce taken: the Safe is at 0 (GS026)"),
            ),
            (
                Preflight { owner: stranger, ..pause.clone() },
                refuted(&format!("GS026: {stranger} is no owner of the Safe")),
            ),
            (world.preflight(foreign, at), refuted("reverted without a reason")),
            (world.preflight(no_effect, at), refuted("postcondition does not hold after")),
        ];
        for (preflight, expected) in steps {
            assert_eq!(client.preflight(&preflight).await, expected);
        }
    }
    world.execute(&world.pause(0)).await;
    for client in &clients {
        let at = client.latest().await.unwrap().block;
        assert_eq!(client.preflight(&world.preflight(world.pause(1), at)).await, refuted(CONTAINED));
    }
    world.feign_pause().await;
    for client in &clients {
        let at = client.latest().await.unwrap().block;
        // The reason says that it is paused, and it is not.
        assert_eq!(client.preflight(&world.preflight(world.pause(1), at)).await, refuted("EnforcedPause()"));
    }
}

/// Goal: Safe 1.4.1 hides why the inner call failed behind GS013; the reason is found all the same, and where there is none that
/// is said. Every other outcome is named as on the newest Safe.
#[tokio::test]
async fn an_older_safe_hides_the_reason_and_it_is_found() {
    let world = World::with_safe_of(safe_1_4_1_artifact).await;
    world.execute(&world.pause(0)).await;
    let (_old, clients) = clients(&world).await;
    for client in &clients {
        let at = client.latest().await.unwrap().block;
        let paused = world.preflight(world.pause(1), at);
        let signed = Preflight { signatures: Some(world.signatures(&world.pause(1), 3)), ..paused.clone() };
        let silent = SafeTransaction::call(world.vault, vec![9, 9, 9, 9].into(), U256::ONE);
        let steps = [
            (paused, "already contained: GS013: EnforcedPause()"),
            (signed, "already contained: GS013: EnforcedPause()"),
            (world.preflight(silent, at), "already contained: GS013: reverted without a reason"),
            (world.preflight(world.pause(0), at), "nonce taken: the Safe is at 1 (GS025)"),
        ];
        for (preflight, expected) in steps {
            assert_eq!(client.preflight(&preflight).await, refuted(expected));
        }
    }
}

/// Goal: what needs more gas than the charter's cap is refuted by that name, whatever it runs into for want of gas; other reasons keep
/// theirs, and a cap above what a block holds refutes nothing.
#[tokio::test]
async fn the_gas_cap_is_kept() {
    let world = World::new().await;
    let old = Operator::start(&world.anvil.http, |method, _| {
        if method == "eth_simulateV1" { Act::Fail(-32601, "method not found") } else { Act::Pass }
    })
    .await;
    // Those that refuse more gas than a block holds.
    let strict = Operator::start(&world.anvil.http, |_, params| {
        let asked = params.to_string();
        if asked.contains("\"gas\":\"0x77359400\"") { Act::Fail(-38015, "block gas limit reached") } else { Act::Pass }
    })
    .await;
    for url in [&world.anvil.http, &old.url, &strict.url] {
        for (gas_cap, expected) in [
            (60_000, refuted("needs more gas than the chain's cap of 60000")),
            (16_777_216, PreflightOutcome::Passes),
            (2_000_000_000, PreflightOutcome::Passes),
        ] {
            let config = ChainConfig { gas_cap, ..config(1, vec![endpoint("a", url)]) };
            let client = ChainClient::connect(config).await.unwrap();
            let at = client.latest().await.unwrap().block;
            assert_eq!(client.preflight(&world.preflight(world.pause(0), at)).await, expected, "{gas_cap} {url}");
            let stale = refuted("nonce taken: the Safe is at 0 (GS025)");
            assert_eq!(client.preflight(&world.preflight(world.pause(3), at)).await, stale, "{gas_cap} {url}");
        }
    }
}

/// Goal: what a guard refuses is named as the guard's doing.
#[tokio::test]
async fn a_guard_is_blamed() {
    let world = World::new().await;
    let guard = world.anvil.deploy(own_artifact("BlockingGuard")).await;
    let set = json!([world.safe, crate::safe::GUARD_SLOT, guard.into_word()]);
    world.anvil.call("anvil_setStorageAt", set).await;
    world.anvil.mine(1).await;
    let (_old, clients) = clients(&world).await;
    for client in &clients {
        let at = client.latest().await.unwrap().block;
        let outcome = client.preflight(&world.preflight(world.pause(0), at)).await;
        let PreflightOutcome::Refuted { reason, by_guard: true } = outcome else { panic!("{outcome:?}") };
        assert!(reason.starts_with("guard: "), "{reason}");
    }
}

/// Goal: a guard that lets a sender through is asked as that sender, or nothing is said: without `eth_simulateV1` what holds after the call
/// is read by code that is another sender.
#[tokio::test]
async fn behind_a_guard_only_the_true_sender_counts() {
    let world = World::new().await;
    // Code that stops at once: a guard that refuses nobody.
    let guard = Address::repeat_byte(0x77);
    world.anvil.call("anvil_setCode", json!([guard, "0x00"])).await;
    let set = json!([world.safe, crate::safe::GUARD_SLOT, guard.into_word()]);
    world.anvil.call("anvil_setStorageAt", set).await;
    world.anvil.mine(1).await;
    let (_old, clients) = clients(&world).await;
    let at = clients[0].latest().await.unwrap().block;
    let pause = world.preflight(world.pause(0), at);
    assert_eq!(clients[0].preflight(&pause).await, PreflightOutcome::Passes);
    let PreflightOutcome::Unknown { reason } = clients[1].preflight(&pause).await else { panic!("it cannot know") };
    assert!(reason.contains("a guard is set") && reason.contains("eth_simulateV1"), "{reason}");
}

/// Goal: postconditions in storage, balance and code are read after the call as well.
#[tokio::test]
async fn postconditions_of_every_kind() {
    let world = World::new().await;
    let (_old, clients) = clients(&world).await;
    let client = &clients[0];
    let at = client.latest().await.unwrap().block;
    let chain = at.chain;
    let word = |value: u64| U256::from(value).to_be_bytes::<32>().to_vec().into();
    let mut preflight = world.preflight(world.pause(0), at);
    let nonce = Read::Storage { account: world.safe, slot: U256::from(5).into() };
    let code = Read::CodeHash { account: world.vault };
    let code_hash = client.read_at(at, &[code.clone()].into()).await[&code].clone();
    let watchfire_types::ReadOutcome::Value(code_hash) = code_hash else { panic!("code") };
    for (read, equals) in
        [(nonce.clone(), word(1)), (Read::Balance { account: world.vault }, word(0)), (code, code_hash)]
    {
        preflight.postconditions.insert(watchfire_types::duty::Postcondition { chain, read, equals });
    }
    assert_eq!(client.preflight(&preflight).await, PreflightOutcome::Passes);
    preflight.postconditions.insert(watchfire_types::duty::Postcondition { chain, read: nonce, equals: word(7) });
    assert_eq!(client.preflight(&preflight).await, refuted("postcondition does not hold after"));
}

/// Goal: no answer in half a second is `Unknown`, and so is a refutation that only one of two operators gives.
#[tokio::test]
async fn silence_and_dissent_are_unknown() {
    let world = World::new().await;
    let silent =
        Operator::start(&world.anvil.http, |method, _| if method == "eth_simulateV1" { Act::Hang } else { Act::Pass })
            .await;
    let limits = Limits { preflight: Limits::default().preflight, ..patient() };
    let asked = ChainConfig { limits, ..config(1, vec![endpoint("a", &silent.url)]) };
    let client = ChainClient::connect(asked).await.unwrap();
    let at = client.latest().await.unwrap().block;
    let preflight = world.preflight(world.pause(0), at);
    let outcome = tokio::time::timeout(PATIENCE / 2, client.preflight(&preflight)).await.expect("in time");
    assert!(matches!(outcome, PreflightOutcome::Unknown { .. }), "{outcome:?}");
    let liar = Operator::start(&world.anvil.http, |method, _| match method {
        "eth_simulateV1" => Act::Say(json!([{ "calls": [{ "status": "0x0", "returnData": "0x", "error": { "code": 3, "data": "0xd93c0665" } }] }])),
        _ => Act::Pass,
    })
    .await;
    let endpoints = vec![endpoint("liar", &liar.url), endpoint("b", &world.anvil.http)];
    let client = ChainClient::connect(config(2, endpoints)).await.unwrap();
    let outcome = client.preflight(&preflight).await;
    assert!(matches!(outcome, PreflightOutcome::Unknown { .. }), "{outcome:?}");
    assert_eq!(payer().address(), preflight.submitter);
}
