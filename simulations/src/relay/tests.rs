//! Cutting and healing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// A cut ends what is open and what comes after; a heal lets new connections through.
#[tokio::test]
async fn cuts_and_heals() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut byte = [0];
    let mut first = TcpStream::connect(relay.address()).await.unwrap();
    first.write_all(b"a").await.unwrap();
    first.read_exact(&mut byte).await.unwrap();
    relay.cut();
    assert!(first.read_exact(&mut byte).await.is_err());
    let mut during = TcpStream::connect(relay.address()).await.unwrap();
    assert!(during.read_exact(&mut byte).await.is_err());
    relay.heal();
    let mut after = TcpStream::connect(relay.address()).await.unwrap();
    after.write_all(b"b").await.unwrap();
    after.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"b");
}

/// A slow relay delivers everything, in order, and no sooner than it may; what was connected before stays so.
#[tokio::test]
async fn slows_down() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let one_way = Duration::from_millis(150);
    relay.slow_down(one_way);
    let began = Instant::now();
    stream.write_all(b"ab").await.unwrap();
    stream.write_all(b"cd").await.unwrap();
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"abcd");
    assert!(began.elapsed() >= 2 * one_way, "{:?}", began.elapsed());
    // The end of one direction comes as late as its last byte, and ends the other.
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 0);
}
