//! An HTTP server of a test's own: what it answers is set by path, and may be changed between two questions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// How a path is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Status and body.
    Whole(u16, Vec<u8>),
    /// A beginning, and then nothing for as long as it is waited for.
    Stuck,
    /// A beginning, and then the end.
    Broken,
}

/// The server; it lives as long as the runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: Url,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { url, replies: Arc::default(), asked: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        server
    }

    /// From now on this path is answered so.
    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// From now on this path is answered with this text.
    pub(crate) fn text(&self, path: &str, text: impl Into<Vec<u8>>) {
        self.set(path, Reply::Whole(200, text.into()));
    }

    /// Every request so far: its first line, and the line of its authorisation.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) <= 2 {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let first = lines.first().cloned().unwrap_or_default();
        let path = first.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let token = lines.iter().find(|line| line.to_ascii_lowercase().starts_with("authorization:")).cloned();
        self.asked.lock().unwrap().push([first, token.unwrap_or_default()].join(" "));
        let reply = self.replies.lock().unwrap().get(&path).cloned();
        let (status, body, length) = match &reply {
            None => (404, b"nothing here".to_vec(), 12),
            Some(Reply::Whole(status, body)) => (*status, body.clone(), body.len()),
            Some(Reply::Stuck | Reply::Broken) => (200, b"{".to_vec(), 100),
        };
        let head = format!("HTTP/1.1 {status} OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        // Whoever hangs up has heard enough.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        let _ = stream.flush().await;
        if matches!(reply, Some(Reply::Stuck)) {
            std::future::pending::<()>().await;
        }
    }
}
