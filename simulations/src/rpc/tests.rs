//! Answers that no honest endpoint gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// An endpoint that answers every connection's first request with `head` and `body`, then `more` without end if there is any.
async fn endpoint(body: &'static [u8], more: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:hunter2@{}/v3/secret-key?token=secret", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            let _ = stream.write_all(body).await;
            while !more.is_empty() && stream.write_all(more).await.is_ok() {}
        }
    });
    url.parse().unwrap()
}

/// Every shape of JSON is an error with a name, or a null result; none ends the drill.
#[tokio::test]
async fn shapes_that_are_no_answer() {
    for body in [&b"\"text\""[..], b"[1,2]", b"7", b"null", b"true", b"", b"not json", b"{\"id\":1}"] {
        let rpc = Rpc::new(endpoint(body, b"").await).unwrap();
        let refused = rpc.chain_id().await;
        assert!(matches!(refused, Err(RpcError::Shape { .. })), "{refused:?}");
    }
    let rpc = Rpc::new(endpoint(b"{\"error\":null,\"result\":\"0x7\"}", b"").await).unwrap();
    assert_eq!(rpc.chain_id().await.unwrap(), 7);
}

/// A body without end is left at the bound.
#[tokio::test]
async fn endless_answers_are_left() {
    static BLANKS: [u8; 1 << 16] = [b' '; 1 << 16];
    let rpc = Rpc::new(endpoint(b"{", &BLANKS).await).unwrap();
    let refused = rpc.chain_id().await;
    assert!(matches!(refused, Err(RpcError::TooLarge { .. })), "{refused:?}");
}

/// What a provider's URL is secret for is in no error: user, password, path and query.
#[tokio::test]
async fn secrets_of_the_url_are_not_told() {
    let url: Url = "http://user:hunter2@127.0.0.1:1/v3/secret-key?token=secret".parse().unwrap();
    assert_eq!(place(&url), "http://127.0.0.1:1");
    let unreached = Rpc::new(url).unwrap().chain_id().await.unwrap_err();
    let told = format!("{unreached} {unreached:?}");
    assert!(told.contains("http://127.0.0.1:1"), "{told}");
    assert!(!told.contains("user") && !told.contains("hunter2") && !told.contains("secret"), "{told}");
}
