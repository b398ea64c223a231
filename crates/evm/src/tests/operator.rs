//! An RPC operator between the client and anvil: `LyingRpc`, `LaggingRpc`, `FailingRpc` and poorer ones, as one proxy whose
//! behaviour is a function from a request to what happens to it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// What happens to one call.
pub(super) enum Act {
    Pass,
    /// This result in place of the node's.
    Say(Value),
    /// This error object.
    Fail(i64, &'static str),
    /// The node's result, changed.
    Change(fn(&mut Value)),
    /// HTTP status with an empty body, for the whole request.
    Status(u16),
    /// Bytes that are no JSON, for the whole request.
    Garbage,
    /// The node's answer, so much later.
    Lag(std::time::Duration),
    /// Never answers.
    Hang,
    /// Never answers; what is held is dropped when the asker gives up.
    Hold(tokio::sync::oneshot::Sender<()>),
}

type Behaviour = Box<dyn FnMut(&str, &Value) -> Act + Send>;

pub(super) struct Operator {
    pub(super) url: Url,
    behaviour: Arc<Mutex<Behaviour>>,
    batches: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Operator {
    pub(super) async fn start(node: &Url, behaviour: impl FnMut(&str, &Value) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(Box::new(behaviour)));
        let batches = Arc::new(AtomicBool::new(true));
        let batching = Arc::clone(&batches);
        let (node, shared) = (node.clone(), Arc::clone(&behaviour));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (node, shared, client) = (node.clone(), Arc::clone(&shared), client.clone());
                let batching = Arc::clone(&batching);
                let service = service_fn(move |request| {
                    answer(Arc::clone(&batching), client.clone(), node.clone(), Arc::clone(&shared), request)
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Self { url, behaviour, batches, task }
    }

    pub(super) fn now(&self, behaviour: impl FnMut(&str, &Value) -> Act + Send + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    /// From now on a batch is answered like a node that knows none.
    pub(super) fn refuse_batches(&self) {
        self.batches.store(false, Ordering::Relaxed);
    }
}

async fn answer(
    batching: Arc<AtomicBool>,
    client: reqwest::Client,
    node: Url,
    behaviour: Arc<Mutex<Behaviour>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    if asked.is_array() && !batching.load(Ordering::Relaxed) {
        let refusal = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "no batches" } });
        return Ok(Response::new(Full::from(serde_json::to_vec(&refusal).unwrap())));
    }
    let calls = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
    let mut answers = Vec::new();
    for call in calls {
        let method = call["method"].as_str().unwrap().to_owned();
        let act = (behaviour.lock().unwrap())(&method, &call["params"]);
        let passed =
            async { client.post(node.clone()).json(&call).send().await.unwrap().json::<Value>().await.unwrap() };
        answers.push(match act {
            Act::Pass => passed.await,
            Act::Say(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
            Act::Fail(code, message) => {
                json!({ "jsonrpc": "2.0", "id": call["id"], "error": { "code": code, "message": message } })
            }
            Act::Change(change) => {
                let mut answer = passed.await;
                change(&mut answer["result"]);
                answer
            }
            Act::Status(status) => return Ok(Response::builder().status(status).body(Full::default()).unwrap()),
            Act::Garbage => return Ok(Response::new(Full::from("<html>busy</html>"))),
            Act::Lag(late) => {
                // The clock is the scene's: a test waits for what comes of it.
                tokio::time::sleep_until(tokio::time::Instant::now() + late).await;
                passed.await
            }
            Act::Hang => std::future::pending().await,
            Act::Hold(held) => {
                let _until_dropped = held;
                std::future::pending().await
            }
        });
    }
    let whole = if asked.is_array() { Value::Array(answers) } else { answers.remove(0) };
    Ok(Response::new(Full::from(serde_json::to_vec(&whole).unwrap())))
}
