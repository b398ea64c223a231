//! An operator's WebSocket side: subscriptions pass through, everything else is answered as over HTTP.

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::{Answer, Answering, Desk};

/// Answers that may wait on one connection.
const QUEUE: usize = 256;

pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>, upstream: Url) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (desk, upstream) = (Arc::clone(&desk), upstream.clone());
        connections.spawn(async move {
            // A client that hangs up, or an upstream that does, ends the connection; the client calls again.
            let _ = connection(stream, desk, &upstream).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    desk: Arc<Desk>,
    upstream: &Url,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (mut to_client, mut from_client) = tokio_tungstenite::accept_async(stream).await?.split();
    let (upstream, _) = tokio_tungstenite::connect_async(upstream.as_str()).await?;
    let (mut to_upstream, mut from_upstream) = upstream.split();
    let (answers, mut answered) = mpsc::channel::<String>(QUEUE);
    let mut pending = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            message = from_client.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str::<Value>(&text) {
                    Ok(request) if is_subscription(&request) => {
                        if serves(&desk) {
                            to_upstream.send(Message::Text(text)).await?;
                        }
                    }
                    Ok(request) => {
                        let (desk, answers) = (Arc::clone(&desk), answers.clone());
                        pending.spawn(async move {
                            // Refused only when the connection has ended.
                            let _ = answers.send(answer(&desk, &request).await).await;
                        });
                        while pending.try_join_next().is_some() {}
                    }
                    Err(_) => return Ok(()),
                },
                Some(Ok(Message::Ping(data))) => to_client.send(Message::Pong(data)).await?,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            message = from_upstream.next() => match message {
                Some(Ok(message @ Message::Text(_))) => {
                    if let Answering::Late(delay) = desk.conduct().answering {
                        tokio::time::sleep(delay).await;
                    }
                    if serves(&desk) {
                        to_client.send(message).await?;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            Some(answer) = answered.recv() => to_client.send(Message::text(answer)).await?,
        }
    }
}

fn is_subscription(request: &Value) -> bool {
    matches!(request["method"].as_str(), Some("eth_subscribe" | "eth_unsubscribe"))
}

fn serves(desk: &Desk) -> bool {
    matches!(desk.conduct().answering, Answering::Promptly | Answering::Late(_))
}

async fn answer(desk: &Desk, request: &Value) -> String {
    match desk.answer(request).await {
        Answer::Body(body) => body.to_string(),
        Answer::Status(status) => {
            let error = json!({"code": -32005, "message": status.to_string()});
            json!({"jsonrpc": "2.0", "id": request["id"], "error": error}).to_string()
        }
    }
}
