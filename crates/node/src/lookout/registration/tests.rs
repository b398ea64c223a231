//! A domain's registration over real HTTP: what is as it is known, what is not, and what is no answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::lookout::fixture::{Reply, Server};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PATH: &str = "/rdap/v1/domain/alder.example";

fn eye(server: &Server) -> Registration {
    let section = RegistrationSection {
        service: server.url.join("/rdap/v1/").unwrap(),
        domain: "alder.example".to_owned(),
        name_servers: ["ns1.dns.example", "ns2.dns.example"].map(str::to_owned).into(),
        registrar: Some("292".to_owned()),
        status: ["client transfer prohibited".to_owned()].into(),
    };
    Registration::new(&section, Http::new(None, Duration::from_secs(3)).unwrap())
}

/// As a registry answers when everything is as it should be.
fn sound() -> Value {
    json!({
        "objectClassName": "domain", "ldhName": "ALDER.EXAMPLE.", "handle": "1_DOMAIN-X", "rdapConformance": ["rdap_level_0"],
        "nameservers": [
            { "objectClassName": "nameserver", "ldhName": "NS2.dns.example." },
            { "objectClassName": "nameserver", "ldhName": "ns1.dns.example" },
        ],
        "status": ["Client Transfer Prohibited", "active"],
        "entities": [
            { "objectClassName": "entity", "roles": ["abuse"], "handle": "7" },
            {
                "objectClassName": "entity", "roles": ["registrar"], "handle": "R-1",
                "publicIds": [{ "type": "IANA Registrar ID", "identifier": "292" }],
            },
        ],
        "events": [{ "eventAction": "last update of RDAP database", "eventDate": "2026-01-31T12:00:00Z" }],
    })
}

fn with(key: &str, value: Value) -> String {
    let mut answer = sound();
    answer[key] = value;
    answer.to_string()
}

/// Everything that is otherwise than it is known stands, each by itself, under one name until it ends.
#[tokio::test]
async fn what_differs_stands() {
    let server = Server::start().await;
    let mut eye = eye(&server);
    server.text(PATH, sound().to_string());
    assert!(eye.look(NOW).await.unwrap().is_empty());

    for (key, value, expected) in [
        (
            "nameservers",
            json!([{ "ldhName": "ns1.thief.example" }, { "ldhName": "ns1.dns.example" }, { "ldhName": "ns2.dns.example" }]),
            "alder.example is delegated to ns1.dns.example, ns1.thief.example, ns2.dns.example and not to ns1.dns.example, ns2.dns.example",
        ),
        (
            "nameservers",
            json!([{ "ldhName": "ns1.dns.example" }]),
            "alder.example is delegated to ns1.dns.example and not to ns1.dns.example, ns2.dns.example",
        ),
        ("nameservers", json!([]), "alder.example is delegated to nobody and not to ns1.dns.example, ns2.dns.example"),
        (
            "entities",
            json!([{ "roles": ["registrar"], "handle": "R-9", "publicIds": [{ "identifier": "9999" }] }]),
            "the registrar of alder.example is 9999, R-9 and not 292",
        ),
        (
            "entities",
            json!([{ "roles": ["abuse"], "handle": "292" }]),
            "the registrar of alder.example is nobody and not 292",
        ),
        ("status", json!(["active"]), "the registry does not say \"client transfer prohibited\" of alder.example"),
        (
            "status",
            json!(["client transfer prohibited", "Pending Transfer"]),
            "the registry says \"pending transfer\" of alder.example",
        ),
    ] {
        server.text(PATH, with(key, value));
        let standing = eye.look(NOW).await.unwrap();
        let [one] = &standing[..] else { panic!("{standing:?}") };
        assert_eq!(one.summary, expected);
        let later = NOW.plus_millis(900_000);
        assert_eq!(eye.look(later).await.unwrap(), standing, "the same while it stands");
        server.text(PATH, sound().to_string());
        assert!(eye.look(later).await.unwrap().is_empty());
    }
    let mut all = sound();
    all["nameservers"] = json!([]);
    all["status"] = json!([]);
    server.text(PATH, all.to_string());
    let standing = eye.look(NOW).await.unwrap();
    let names: BTreeSet<&str> = standing.iter().map(|one| one.id.as_str()).collect();
    assert_eq!((standing.len(), names.len()), (2, 2), "{standing:?}");
}

/// What is no answer about this domain is a fault with its cause, and ends nothing.
#[tokio::test]
async fn no_answer_has_a_name() {
    let server = Server::start().await;
    let mut eye = eye(&server);
    server.text(PATH, with("nameservers", json!([])));
    let standing = eye.look(NOW).await.unwrap();
    let whole = |status, text: String| Reply::Whole(status, text.into_bytes());
    for (reply, expected) in [
        (whole(200, with("ldhName", json!("birch.example"))), "about the domain \"birch.example\""),
        (whole(200, with("objectClassName", json!("entity"))), "about the entity"),
        (whole(200, with("nameservers", Value::Null)), "names no name servers"),
        (whole(200, with("nameservers", json!([{}]))), "not understood"),
        (whole(200, "<html>".to_owned()), "not understood"),
        (whole(302, String::new()), "HTTP status 302"),
        (whole(404, "{}".to_owned()), "HTTP status 404"),
        (Reply::Stuck, "does not answer in time"),
        (whole(200, " ".repeat(ANSWER_BYTES_MAX + 1)), "is longer than"),
    ] {
        server.set(PATH, reply);
        let fault = eye.look(NOW).await.expect_err(expected).to_string();
        assert!(fault.contains(expected) && fault.contains("; "), "{fault}");
    }
    server.text(PATH, with("nameservers", json!([])));
    assert_eq!(eye.look(NOW.plus_millis(9_000)).await.unwrap(), standing);
}
