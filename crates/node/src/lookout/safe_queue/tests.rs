//! A Safe's queue over real HTTP: what is asked, what stands under which name, and what is no answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};
use watchfire_types::{Bytes, SafeTransaction, U256};

use super::*;
use crate::lookout::fixture::{Reply, Server};
use crate::review::fixture::{hash, key, page, payment, queued, safe, signed};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A service with a Safe at nonce 7.
struct Service {
    server: Server,
    info: String,
    list: String,
}

impl Service {
    async fn start(queue: &[Value]) -> (Self, SafeQueue) {
        let server = Server::start().await;
        let safe = safe();
        let base = format!("/tx-service/eth/api/v1/safes/{}/", safe.safe.to_checksum(None));
        let list = base.replace("/v1/", "/v2/") + "multisig-transactions/";
        server.text(&base, json!({ "address": safe.safe, "nonce": "7", "threshold": 2, "owners": [] }).to_string());
        server.text(&list, page(queue));
        let service = server.url.join("/tx-service/eth/").unwrap();
        let eye = SafeQueue { http: Http::new(None, Duration::from_secs(3)).unwrap(), service, safe };
        (Self { server, info: base, list }, eye)
    }
}

/// What an owner has to look at stands under its hash and why; plain ones, and those that no Safe would take any more, do not.
#[tokio::test]
async fn what_is_to_be_looked_at_stands() {
    let bad = SafeTransaction::call(safe().safe, Bytes::from_static(&[1, 2, 3, 4]), U256::from(8));
    let late = SafeTransaction { nonce: U256::from(6), ..bad.clone() };
    let plain = queued(&payment(7), &[signed(&key(0), hash(&payment(7)), false)]);
    let (service, mut eye) = Service::start(&[plain.clone(), queued(&late, &[]), queued(&bad, &[])]).await;
    let standing = eye.look(NOW).await.unwrap();
    let [one] = &standing[..] else { panic!("{standing:?}") };
    assert!(one.id.starts_with(&format!("{}-", hash(&bad))), "{}", one.id);
    let words =
        format!("nonce 8 of Safe {}, changes-safe: it changes the Safe itself: function 0x01020304", safe().safe);
    assert_eq!(one.summary, words);
    assert_eq!((one.figures["concerns"].as_str(), one.figures["nonce"].as_str()), ("changes-safe", "8"));
    let again = eye.look(NOW).await.unwrap();
    assert_eq!(again, standing, "the same for as long as it waits");
    let asked = service.server.asked();
    let queue = format!("GET {}?executed=false&nonce__gte=7&ordering=nonce&limit=100 HTTP/1.1", service.list);
    assert!(asked[1].starts_with(&queue), "{asked:?}");

    // A decoy is another thing to look at: it is said once more.
    let decoyed = queued(&bad, &[signed(&key(3), hash(&bad), false)]);
    service.server.text(&service.list, page(&[decoyed]));
    let [two] = &eye.look(NOW).await.unwrap()[..] else { panic!("one") };
    assert!(two.id != one.id && two.figures["concerns"] == "changes-safe decoy-signature", "{two:?}");
    service.server.text(&service.list, page(&[plain]));
    assert!(eye.look(NOW).await.unwrap().is_empty());
}

/// Whatever else is answered is a fault with its cause.
#[tokio::test]
async fn no_answer_has_a_name() {
    let (service, mut eye) = Service::start(&[]).await;
    let whole = |status, text: &str| Reply::Whole(status, text.as_bytes().to_vec());
    for (path, reply, expected) in [
        (&service.list, whole(200, "{}"), "not understood"),
        (&service.list, whole(200, "<html>"), "not understood"),
        (&service.list, whole(429, "{}"), "HTTP status 429"),
        (&service.list, Reply::Stuck, "does not answer in time"),
        (&service.list, Reply::Broken, "cannot be reached"),
        (&service.list, whole(200, &" ".repeat(ANSWER_BYTES_MAX + 1)), "is longer than"),
        (&service.info, whole(404, "{}"), "HTTP status 404"),
        (&service.info, whole(200, r#"{"nonce": "seven"}"#), "not understood"),
    ] {
        service.server.set(path, reply);
        let fault = eye.look(NOW).await.expect_err(expected).to_string();
        assert!(fault.contains(expected) && fault.contains("; "), "{fault}");
    }
}
