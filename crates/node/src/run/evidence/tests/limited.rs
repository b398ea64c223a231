//! An operator that wants to be left alone for a while is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use watchfire_evm::ChainClient;
use watchfire_types::EventHash;

use super::*;
use crate::evidence::bench::Bench;
use crate::evidence::collector::{Collector, Job};
use crate::evidence::told::Ended;
use crate::evidence::want::Watched;
use crate::evidence::{INCIDENT_BYTES_MAX, REQUESTS_MAX};

/// The one question of a job whose operator asks for more patience than the job has is asked once and is missed at once.
#[tokio::test]
async fn who_asks_for_time_is_not_asked_again_before() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    operators[1].now(|_, _| Answers::Later);
    let directory = tempfile::tempdir().unwrap();
    let (out, mut told) = mpsc::channel(8);
    let patience = Duration::from_secs(20);
    let job = Job {
        incident: fixture::incident(1),
        asset: "vault-core".parse().unwrap(),
        basis: EventHash::from_bytes([2; 32]),
        block: block(99),
        full: false,
        watched: Watched::default(),
        custody: fixture::custody(),
        patience,
        deadline: Instant::now() + patience,
        taken: BTreeMap::new(),
        missed: BTreeMap::new(),
        room: Arc::new(AtomicU64::new(INCIDENT_BYTES_MAX)),
    };
    let client = ChainClient::connect(running::endpoints(&operators)).await.unwrap();
    let (store, bench) = (Store::open(directory.path()).unwrap(), Bench::start().unwrap());
    Collector { job, client, store, bench, gate: Arc::new(Semaphore::new(REQUESTS_MAX)), out }.run().await;

    let Some(Told::Items(collected)) = told.recv().await else { panic!("op-alder answers") };
    assert_eq!(collected.items.iter().map(|item| &item.operator).collect::<Vec<_>>(), [&operator("op-alder")]);
    let Some(Told::Missed(missed)) = told.recv().await else { panic!("op-birch does not") };
    assert_eq!((missed.operator, missed.cause), (Some(operator("op-birch")), MissCause::RateLimited));
    assert_eq!((missed.attempts, operators[1].asked().into_values().sum::<usize>()), (1, 1));
    assert!(matches!(told.recv().await, Some(Told::Ended(Ended { complete: false, .. }))));
}

/// Who takes no hash is asked by number. What it has there of another branch is no answer, and no lie.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_hash_is_asked_by_number() {
    for other_branch in [false, true] {
        let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
        operators[1].now(move |_, _| Answers::ByNumber { other_branch });
        let (_directory, config) = running::directory();
        let mut node = Running::start(&config, &operators).await;
        for number in [99, 100] {
            node.block(number, number == 100).await;
        }
        node.ended(2).await;
        node.stop().await;
        let of_birch = |item: &&EvidenceItem| item.operator == operator("op-birch") && item.method == "eth_getProof";
        let taken = items(&config);
        let params: BTreeSet<bool> =
            taken.iter().filter(of_birch).map(|item| item.params.contains("blockHash")).collect();
        let causes: BTreeSet<_> = missed(&config).into_iter().map(|missed| (missed.kind, missed.cause)).collect();
        if other_branch {
            assert_eq!((params, causes), ([].into(), [(EvidenceKind::StateProof, MissCause::UnknownBlock)].into()));
        } else {
            assert_eq!((params, causes), ([false].into(), [].into()));
            assert_eq!(by_operator(&taken)[&(100, EvidenceKind::StateProof)].len(), 2);
        }
    }
}
