//! An operator's HTTP side.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Answer, Desk};

/// Largest request body.
const BODY_BYTES_MAX: usize = 4 << 20;

pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    // Connections die with this task: a dropped set aborts what it holds.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        let service = service_fn(move |request| respond(request, Arc::clone(&desk)));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // A client that hangs up is its own business.
            let _ = connection.await;
        });
    }
}

async fn respond(request: Request<Incoming>, desk: Arc<Desk>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let parsed = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let answer = match &parsed {
        Some(request) => desk.answer(request).await,
        None => Answer::Status(StatusCode::BAD_REQUEST),
    };
    let (status, text) = match answer {
        Answer::Body(body) => (StatusCode::OK, body.to_string()),
        Answer::Status(status) => (status, String::new()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert("retry-after", hyper::header::HeaderValue::from_static("1"));
    }
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}
