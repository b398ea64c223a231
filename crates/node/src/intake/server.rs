//! The HTTP side: one request a connection, bounded in size, number and time, checked whole before it goes to the loop.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use watchfire_types::input::{Channel, Report};
use watchfire_types::{B256, DetectorId, EventHash};

use super::signature::{Headers, Signed, check};
use super::{Accepted, Counts, Delivery, IntakeError, Refusal, Refused, Source, deliver, mapping, outcome};
use crate::run::now;

/// Connections served at once; a further one is closed unanswered.
pub const CONNECTIONS_MAX: usize = 32;
/// How long a connection may take from its first byte to the answer.
pub const CONNECTION_MAX: Duration = Duration::from_secs(15);
/// Longest body, bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Reports that wait for the loop; a further one is answered `busy`.
pub const WAITING_MAX: usize = 16;

/// How long the lines before the body may take.
const HEADERS_MAX: Duration = Duration::from_secs(5);
/// Most of them, and most bytes that are read ahead.
const HEADER_LINES_MAX: usize = 64;
const BUFFER_BYTES_MAX: usize = 16 * 1024;

/// What a request is held against.
struct Desk {
    sources: BTreeMap<DetectorId, Source>,
    counts: Counts,
    out: mpsc::Sender<Delivery>,
}

/// Listens; reports go to `out`, and until its receiver is dropped the address is held. Within a runtime.
///
/// # Errors
/// [`IntakeError::Listen`].
pub fn spawn(
    listen: SocketAddr,
    sources: BTreeMap<DetectorId, Source>,
    counts: Counts,
    out: mpsc::Sender<Delivery>,
) -> Result<(), IntakeError> {
    let failed = |source| IntakeError::Listen { address: listen, source };
    let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    tokio::spawn(accept(listener, Arc::new(Desk { sources, counts, out })));
    Ok(())
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX).keep_alive(false);
    http.max_headers(HEADER_LINES_MAX).max_buf_size(BUFFER_BYTES_MAX);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = desk.out.closed() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(cause = %error, "intake accepts no connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
        let desk = Arc::clone(&desk);
        let service = service_fn(move |request| answer(request, Arc::clone(&desk)));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Whoever hangs up, or is too slow, is no error of this node's.
            let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
            drop(permit);
        });
    }
}

async fn answer(request: Request<Incoming>, desk: Arc<Desk>) -> Result<Response<Full<Bytes>>, Infallible> {
    let named = request.uri().path().strip_prefix("/reports/").and_then(|name| name.parse::<DetectorId>().ok());
    let source = named.and_then(|name| desk.sources.get_key_value(&name));
    let result = match source {
        Some((name, source)) => take(request, name, source, &desk.out).await,
        None => Err(Refusal::UnknownSource),
    };
    desk.counts.count(source.map(|(name, _)| name), outcome(&result));
    Ok(match result {
        Ok(event) => response(StatusCode::OK, &Accepted { event }),
        Err(refusal) => {
            tracing::debug!(cause = %refusal, "report refused");
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = response(status, &Refused { error: refusal.to_string(), code: refusal.code() });
            if let Some(seconds) = refusal.retry_after_s() {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    })
}

fn response(status: StatusCode, body: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Headers for HeaderMap {
    fn only(&self, name: &'static str) -> Option<&str> {
        let mut all = self.get_all(name).iter();
        let value = all.next().filter(|_| all.next().is_none())?;
        value.to_str().ok()
    }
}

async fn take(
    request: Request<Incoming>,
    name: &DetectorId,
    source: &Source,
    out: &mpsc::Sender<Delivery>,
) -> Result<EventHash, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::NotPosted);
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body =
        body.map_err(|error| if error.is::<LengthLimitError>() { Refusal::TooLarge } else { Refusal::CutOff })?;
    let body = body.to_bytes();
    let Signed { id, sent } = check(source.scheme, &source.secret, &head.headers, &body, now())?;
    let summary = mapping::summary(source.mapping, &body)?;
    let digest = B256::from(<[u8; 32]>::from(Sha256::digest(&body)));
    let report = Report {
        asset: source.asset.clone(),
        source: name.clone(),
        channel: Channel::Webhook,
        id,
        sent,
        summary,
        digest,
        figures: BTreeMap::new(),
    };
    deliver(out, report).await
}
