//! What lies rotten in the store leaves it for nobody.

use watchfire_types::body::Custodian;
use watchfire_types::control::Request;

use super::*;
use crate::control::client::ask;

/// Objects whose bytes rotted on the disk: another member gets nothing of the one that it asks for and a reader is refused the other, both are
/// named, and what is whole is served as ever.
#[tokio::test(flavor = "multi_thread")]
async fn rotten_bytes_are_never_served() {
    let (directory, config) = running::directory();
    let ports = [(); 2].map(|()| port::free().unwrap().port());
    peers::connect(&config, ports[0], &[("birch-1", ports[1])]);
    let store = Store::open(directory.path()).unwrap();
    let objects = [b"whole", b"rotsA", b"rotsB"].map(|bytes| store.put(bytes).unwrap());
    let [whole, asked, read] = objects;
    for rotten in [asked, read] {
        std::fs::write(store.path(&rotten), b"other").unwrap();
    }
    let charter = crate::charter_file::load(&directory.path().join("charter.toml")).unwrap().0;
    let incident = watchfire_protocol::incident_id(charter.network_id(), &"vault-core".parse().unwrap(), 0);
    let manifest = fixture::collected(2, incident, &objects, 5).body.clone();
    let mut node = Running::start(&config, &[Operator::start("op-alder")]).await;
    let mut birch =
        Peer::start(&config, 2, ports[1], ports[0], peers::chain(&charter, 2, vec![manifest]), b"nothing".to_vec());
    node.said("evidence-collected").await;
    node.block(99, false).await;
    node.block(100, true).await;
    node.ended(2).await;
    let own = charter.members[&"alder-1".parse().unwrap()].node_key;
    assert_eq!(birch.asks(own, &whole).await, copies::answer(5, b"whole"));
    assert_eq!(birch.asks(own, &asked).await, "");
    node.until_text("alarm", &format!("{asked:x} is damaged")).await;

    let (by, detail) = (Custodian::Node("a test".to_owned()), String::new());
    let request = Request::AccessEvidence { objects: [whole, read].into(), action: AccessAction::Read, by, detail };
    let node_directory = directory.path().to_owned();
    let answer = tokio::task::spawn_blocking(move || ask(&node_directory, &request)).await.unwrap();
    assert!(answer.unwrap_err().to_string().contains(&format!("{read:x} is damaged")));
    node.stop().await;
}

/// A member that names an object of another one in incidents that nobody found makes it say no more of what it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn invented_incidents_cost_nothing() {
    let (directory, config) = running::directory();
    let mut node = Running::start(&config, &[Operator::start("op-alder")]).await;
    node.block(99, false).await;
    node.block(100, true).await;
    node.ended(2).await;
    node.stop().await;
    let object = items(&config)[0].object;
    let charter = crate::charter_file::load(&directory.path().join("charter.toml")).unwrap().0;
    let real = watchfire_protocol::incident_id(charter.network_id(), &"vault-core".parse().unwrap(), 0);

    let ports = [(); 2].map(|()| port::free().unwrap().port());
    peers::connect(&config, ports[0], &[("birch-1", ports[1])]);
    let invented = (1..=40).map(|number| fixture::collected(2, fixture::incident(number), &[object], 5).body.clone());
    let manifests = peers::chain(&charter, 2, invented.collect());
    let mut node = Running::start(&config, &[Operator::start("op-alder")]).await;
    let mut birch = Peer::start(&config, 2, ports[1], ports[0], manifests, b"nothing".to_vec());
    node.until("evidence-collected", 40).await;
    let own = charter.members[&"alder-1".parse().unwrap()].node_key;
    assert_ne!(birch.asks(own, &object).await, "");
    node.stop().await;
    let fetched = events(&config).into_iter().filter_map(|body| match body {
        Body::EvidenceAccessed(accessed) if accessed.action == AccessAction::Read => Some(accessed.incident),
        _ => None,
    });
    assert_eq!(fetched.collect::<Vec<_>>(), [real]);
}
