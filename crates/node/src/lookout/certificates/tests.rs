//! Certificates over real HTTP: whose are told, page by page, until when, and what is no answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::lookout::fixture::{Reply, Server};

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PATH: &str = "/v1/issuances";

fn eye(server: &Server, issuers: &[&str]) -> Certificates {
    let section = CertificatesSection {
        service: server.url.clone(),
        domain: "alder.example".to_owned(),
        issuers: issuers.iter().map(|name| (*name).to_owned()).collect(),
        token_file: None,
    };
    Certificates::new(&section, Http::new(None, Duration::from_secs(3)).unwrap())
}

/// The number is its id and its hash.
fn issued(number: u8, by: &str, until: &str) -> Value {
    json!({
        "id": number.to_string(), "tbs_sha256": hex::encode([number; 32]), "cert_sha256": "", "revoked": null,
        "dns_names": ["app.alder.example", "*.alder.example"],
        "issuer": { "friendly_name": by, "name": format!("C=US, O={by}, CN=R3"), "caa_domains": [by.to_ascii_uppercase()] },
        "not_before": "2023-10-01T00:00:00-00:00", "not_after": until,
    })
}

const LATE: &str = "2023-12-30T00:00:00Z";

/// What another issuer issued stands until it expires; a question names the last that was seen.
#[tokio::test]
async fn what_others_issue_stands_until_it_expires() {
    let server = Server::start().await;
    let mut eye = eye(&server, &["our-ca.example"]);
    server.text(PATH, "[]");
    assert!(eye.look(NOW).await.unwrap().is_empty());
    let page = json!([
        issued(1, "our-ca.example", LATE),
        issued(2, "other-ca.example", LATE),
        issued(3, "other-ca.example", "2023-11-01T00:00:00Z"),
    ]);
    // The same page again is a service that does not heed the place: what it says stands once.
    server.text(PATH, page.to_string());
    let standing = eye.look(NOW).await.unwrap();
    assert!(standing.len() == 1 && standing[0].id == hex::encode([2; 32]), "{standing:?}");
    let mut longer = page.clone();
    longer.as_array_mut().unwrap().push(issued(4, "our-ca.example", LATE));
    server.text(PATH, longer.to_string());
    assert_eq!(eye.look(NOW).await.unwrap(), standing);
    let words = "a certificate for *.alder.example, app.alder.example, by \"C=US, O=other-ca.example, CN=R3\" and not by our-ca.example, \
                 valid from 2023-10-01T00:00:00Z to 2023-12-30T00:00:00Z";
    assert_eq!(standing[0].summary, words);
    server.text(PATH, "[]");
    assert_eq!(eye.look(NOW).await.unwrap(), standing);
    let expired = NOW.plus_millis(60 * 24 * 3_600_000);
    assert!(eye.look(expired).await.unwrap().is_empty());
    let asked = server.asked();
    let first = "GET /v1/issuances?domain=alder.example&include_subdomains=true&match_wildcards=true&expand=dns_names&expand=issuer\
                 &expand=issuer.caa_domains HTTP/1.1 ";
    assert_eq!(asked[0], first);
    assert!(
        asked[1] == first && asked[2].contains("&after=3 ") && asked.last().unwrap().contains("&after=4 "),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 7, "{asked:?}");
}

/// An issuer that the service does not know is another, and where none is named everything is told.
#[tokio::test]
async fn who_is_not_named_is_another() {
    let server = Server::start().await;
    let mut unknown = issued(1, "our-ca.example", LATE);
    unknown["issuer"]["caa_domains"] = Value::Null;
    for (issuers, answer, expected) in [
        (&["our-ca.example"][..], unknown, true),
        (&["our-ca.example"], issued(1, "our-ca.example", LATE), false),
        (&[], issued(1, "our-ca.example", LATE), true),
    ] {
        server.text(PATH, json!([answer]).to_string());
        let standing = eye(&server, issuers).look(NOW).await.unwrap();
        assert_eq!(!standing.is_empty(), expected, "{standing:?}");
    }
}

/// What is no answer is a fault with its cause; nothing of such a page is taken, and it is asked for again.
#[tokio::test]
async fn no_answer_has_a_name() {
    let server = Server::start().await;
    let mut eye = eye(&server, &[]);
    let whole = |status, text: String| Reply::Whole(status, text.into_bytes());
    let with = |key: &str, value: Value| {
        let mut bad = issued(2, "other-ca.example", LATE);
        bad[key] = value;
        whole(200, json!([issued(1, "other-ca.example", LATE), bad]).to_string())
    };
    for (reply, expected) in [
        (whole(200, "{\"code\": \"rate_limited\"}".to_owned()), "not understood"),
        (whole(429, "{}".to_owned()), "HTTP status 429"),
        (with("tbs_sha256", json!("12")), "is no SHA-256"),
        (with("not_after", json!("tomorrow")), "not understood"),
        (with("issuer", Value::Null), "not understood"),
        (Reply::Broken, "cannot be reached"),
        (whole(200, " ".repeat(ANSWER_BYTES_MAX + 1)), "is longer than"),
    ] {
        server.set(PATH, reply);
        let fault = eye.look(NOW).await.expect_err(expected).to_string();
        assert!(fault.contains(expected) && fault.contains("; "), "{fault}");
    }
    assert!(eye.standing.is_empty() && eye.after.is_none());
}

/// However many are issued, no more stand than that: the newest.
#[tokio::test]
async fn no_more_stand_than_that() {
    let server = Server::start().await;
    let mut eye = eye(&server, &[]);
    let page = |from: u32| {
        let one = |number: u32| {
            let mut one = issued(0, "other-ca.example", LATE);
            let hash = sha256(&[&number.to_be_bytes()]);
            (one["id"], one["tbs_sha256"]) = (number.to_string().into(), hex::encode(hash).into());
            one
        };
        json!((from..from + 300).map(one).collect::<Vec<_>>()).to_string()
    };
    server.text(PATH, page(0));
    let standing = eye.look(NOW).await.unwrap();
    assert_eq!(standing.len(), STANDING_MAX);
    server.text(PATH, page(1_000));
    let newest = eye.look(NOW).await.unwrap();
    assert!(newest.len() == STANDING_MAX && newest.iter().all(|one| !standing.contains(one)));
}
