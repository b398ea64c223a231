//! A metric against a bound, over real HTTP: what stands, since when, and what is no answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;
use crate::config::lookout::Compare;
use crate::lookout::fixture::{Reply, Server};

const PATH: &str = "/prometheus/api/v1/query";
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn section(server: &Server, for_s: u64) -> PrometheusSection {
    PrometheusSection {
        url: server.url.join("/prometheus/").unwrap(),
        query: "vault_assets / vault_debt".to_owned(),
        compare: Compare::Less,
        bound: "1.02".parse().unwrap(),
        for_s,
        token_file: None,
    }
}

fn metric(section: &PrometheusSection) -> Prometheus {
    let answer_max = Duration::from_secs(3);
    Prometheus::new(section, Http::new(section.token_file.as_deref(), answer_max).unwrap())
}

/// An answer as Prometheus 3 gives it.
fn vector(series: &[(&str, &str)]) -> String {
    let of = |(vault, value): &(&str, &str)| {
        format!(r#"{{"metric":{{"__name__":"ratio","vault":"{vault}"}},"value":[1700000000.123,"{value}"]}}"#)
    };
    let series = series.iter().map(of).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}},"warnings":["w"],"infos":[]}}"#
    )
}

/// Names of what stands, `s` seconds after the start.
async fn ids(metric: &mut Prometheus, s: u64) -> Vec<String> {
    let standing = metric.look(START.plus_millis(s * 1_000)).await.unwrap();
    standing.into_iter().map(|one| one.id).collect()
}

/// A value stands once it was so for its time, under one name until it is not, and under another one the next time; other series have no part in that.
#[tokio::test]
async fn it_stands_once_it_held_until_it_ends() {
    let server = Server::start().await;
    let mut metric = metric(&section(&server, 60));
    server.text(PATH, vector(&[("a", "1.0199999"), ("b", "1.02")]));
    assert!(ids(&mut metric, 0).await.is_empty());
    assert!(ids(&mut metric, 59).await.is_empty());
    let standing = metric.look(START.plus_millis(60_000)).await.unwrap();
    let [one] = &standing[..] else { panic!("{standing:?}") };
    let series = r#"{__name__="ratio",vault="a"}"#;
    assert_eq!(one.summary, format!("1.0199999 < 1.02, for 60 s: vault_assets / vault_debt of {series}"));
    let figure = |name| one.figures[name].as_str();
    assert_eq!((figure("value"), figure("bound"), figure("series")), ("1.0199999", "1.02", series));
    let answer = Sha256::digest(vector(&[("a", "1.0199999"), ("b", "1.02")]));
    assert_eq!(one.digest, B256::from(<[u8; 32]>::from(answer)), "of the answer as it came");
    let first = one.id.clone();

    server.text(PATH, vector(&[("b", "0.5"), ("a", "-7e-9")]));
    assert_eq!(ids(&mut metric, 90).await, [first.as_str()], "b has its own time");
    assert_eq!(ids(&mut metric, 150).await.len(), 2);
    server.text(PATH, vector(&[("a", "1.02"), ("b", "0.5")]));
    assert_eq!(ids(&mut metric, 151).await.len(), 1, "a ended");
    server.text(PATH, vector(&[]));
    assert!(ids(&mut metric, 152).await.is_empty(), "no series stands");
    server.text(PATH, vector(&[("a", "1")]));
    assert!(ids(&mut metric, 200).await.is_empty());
    let again = ids(&mut metric, 260).await;
    assert!(again.len() == 1 && again[0] != first, "{again:?}");
}

/// What is no number is no answer: nothing begins by it, and nothing ends. Infinities are numbers.
#[tokio::test]
async fn no_number_is_neither() {
    let server = Server::start().await;
    let mut metric = metric(&section(&server, 0));
    server.text(PATH, vector(&[("a", "NaN")]));
    assert!(ids(&mut metric, 0).await.is_empty());
    server.text(PATH, vector(&[("a", "-Inf")]));
    let first = ids(&mut metric, 1).await;
    assert_eq!(first.len(), 1);
    server.text(PATH, vector(&[("a", "NaN")]));
    assert_eq!(ids(&mut metric, 2).await, first);
    let histogram =
        r#"{"metric":{"__name__":"ratio","vault":"a"},"histogram":[1700000000,{"count":"1","sum":"2","buckets":[]}]}"#;
    server.text(PATH, format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{histogram}]}}}}"#));
    assert_eq!(ids(&mut metric, 3).await, first);
    server.text(PATH, vector(&[("a", "+Inf")]));
    assert!(ids(&mut metric, 4).await.is_empty());
    server.text(PATH, r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000.1,"1.01"]}}"#);
    let standing = metric.look(START).await.unwrap();
    assert_eq!(standing[0].summary, "1.01 < 1.02: vault_assets / vault_debt");
}

/// Whatever else is answered is a fault with its cause, and nothing that stands ends by it.
#[tokio::test]
async fn no_answer_has_a_name() {
    let server = Server::start().await;
    let mut eye = metric(&section(&server, 0));
    server.text(PATH, vector(&[("a", "1")]));
    let standing = ids(&mut eye, 0).await;
    let whole = |status, text: &str| Reply::Whole(status, text.as_bytes().to_vec());
    let many: Vec<String> = (0..=SERIES_MAX).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    let bad = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error"}"#;
    let range = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}"#;
    for (reply, expected) in [
        (whole(400, bad), "it refuses: bad_data: invalid parameter"),
        (whole(503, "<html>busy</html>"), "HTTP status 503"),
        (whole(302, ""), "HTTP status 302"),
        (whole(500, &vector(&[("a", "1")])), "HTTP status 500"),
        (whole(200, "<html>log in</html>"), "not understood"),
        (whole(200, ""), "not understood"),
        (
            whole(200, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}"#),
            "not understood",
        ),
        (whole(200, r#"{"status":"success","data":{"resultType":"vector"}}"#), "not understood"),
        (whole(200, &"[".repeat(100_000)), "not understood"),
        (whole(200, range), "ask for an instant vector"),
        (whole(200, &vector(&many)), "gives 17 series"),
        (whole(200, &" ".repeat(ANSWER_BYTES_MAX + 1)), "longer than 1048576 bytes"),
        (Reply::Stuck, "does not answer in time"),
        (Reply::Broken, "cannot be reached"),
    ] {
        server.set(PATH, reply);
        let fault = eye.look(START.plus_millis(1_000)).await.expect_err(expected).to_string();
        assert!(fault.contains(expected) && fault.contains("; "), "{fault}");
    }
    server.text(PATH, vector(&[("a", "1")]));
    assert_eq!(ids(&mut eye, 2).await, standing, "it still stands");
    let gone = PrometheusSection { url: "http://127.0.0.1:1".parse().unwrap(), ..section(&server, 0) };
    let fault = metric(&gone).look(START).await.expect_err("nobody is there");
    assert!(fault.to_string().contains("cannot be reached"), "{fault}");
}

/// What is asked is the query, with the token where there is one; what is no token is refused before anything runs.
#[tokio::test]
async fn it_asks_with_its_token() {
    let server = Server::start().await;
    server.text(PATH, vector(&[]));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "a.token-of~ours\nmore\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let section = PrometheusSection { token_file: Some(file.clone()), ..section(&server, 0) };
    metric(&section).look(START).await.unwrap();
    let [asked] = &server.asked()[..] else { panic!("one question") };
    assert_eq!(
        asked,
        "GET /prometheus/api/v1/query?query=vault_assets+%2F+vault_debt HTTP/1.1 authorization: Bearer a.token-of~ours"
    );
    for text in ["", "\n", "two words", "t\u{f6}ken"] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(
            Http::new(Some(&file), Duration::from_secs(1)),
            Err(crate::intake::IntakeError::Token { .. })
        ));
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Http::new(Some(&file), Duration::from_secs(1)), Err(crate::intake::IntakeError::File(_))));
}
