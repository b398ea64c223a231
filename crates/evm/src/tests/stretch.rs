//! How a feed asks for what it catches up with.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use watchfire_types::Read;

use super::anvil::{Anvil, PATIENCE, config, endpoint};
use super::feed::until_ready;
use super::operator::{Act, Operator};
use crate::client::ChainClient;
use crate::config::Endpoint;
use crate::feed::Backfill;

/// Goal: what is caught up with is asked for ahead: while no block has its state yet, sixteen are asked for, and the headers of the stretch after
/// next; all come in order then. Where an endpoint takes few requests, half as many, and no headers ahead.
#[tokio::test]
async fn a_stretch_is_asked_for_ahead() {
    for (per_second, most, headers) in [(10_000, 16, 83), (200, 8, 51)] {
        let anvil = Anvil::start();
        let account = anvil.account().await;
        anvil.mine(100).await;
        // Heights whose state, and highest whose header was asked for.
        let asked = Arc::new(Mutex::new((BTreeSet::<String>::new(), 0)));
        let asking = Arc::clone(&asked);
        let (all, came) = tokio::sync::oneshot::channel();
        let mut all = Some(all);
        let operator = Operator::start(&anvil.http, move |method, params| {
            let mut asking = asking.lock().unwrap();
            let height = params[0].as_str().and_then(|at| u64::from_str_radix(at.strip_prefix("0x")?, 16).ok());
            match (method, height) {
                ("eth_getBlockByNumber", Some(height)) if height < 100 => asking.1 = asking.1.max(height),
                ("eth_getBalance", _) => drop(asking.0.insert(params.to_string())),
                _ => return Act::Pass,
            }
            if asking.0.len() == most && asking.1 == headers {
                all.take().map(|all| all.send(()));
            }
            if method == "eth_getBalance" { Act::Hang } else { Act::Pass }
        })
        .await;
        let endpoint = Endpoint { requests_per_second: per_second, ..endpoint("a", &operator.url) };
        let mut config = config(1, vec![endpoint]);
        config.limits.request = Duration::from_secs(2);
        let client = ChainClient::connect(config).await.unwrap();
        let reads = BTreeSet::from([Read::Balance { account }]);
        let mut events = client.feed(reads, Backfill { resume_after: Some(19), ..Backfill::default() });
        tokio::time::timeout(PATIENCE, came).await.expect("asked for in time").unwrap();
        let (states, highest) = asked.lock().unwrap().clone();
        assert_eq!((states.len(), highest), (most, headers));
        operator.now(|_, _| Act::Pass);
        let numbers: Vec<u64> = until_ready(&mut events).await.iter().map(|view| view.block.number).collect();
        assert_eq!(numbers, (20..=100).collect::<Vec<_>>());
    }
}
