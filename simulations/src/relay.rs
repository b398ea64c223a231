//! A TCP relay between two nodes that can be cut, healed and slowed down: how a drill partitions real processes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes read at once.
const CHUNK: usize = 16 << 10;
/// Chunks under way in one direction of a connection; beyond that the sender is read no further.
const CHUNKS: usize = 1_024;

/// Forwards connections to one address while it is not cut; ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    open: watch::Sender<bool>,
    delay: watch::Sender<Duration>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port of the loopback and forwards to `target`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (open, watched) = watch::channel(true);
        let (delay, delayed) = watch::channel(Duration::ZERO);
        let task = tokio::spawn(async move {
            while let Ok((inbound, _)) = listener.accept().await {
                // While cut, a caller sees its connection end at once, as behind a firewall that resets.
                if *watched.borrow() {
                    tokio::spawn(forward(inbound, target, watched.clone(), delayed.clone()));
                }
            }
        });
        Ok(Self { address, open, delay, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and takes no new one.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }

    /// From now on every byte arrives so much later than it was sent, either way. Connections stay as they are.
    pub fn slow_down(&self, one_way: Duration) {
        self.delay.send_replace(one_way);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.open.send_replace(false);
        self.task.abort();
    }
}

async fn forward(
    inbound: TcpStream,
    target: SocketAddr,
    mut open: watch::Receiver<bool>,
    delay: watch::Receiver<Duration>,
) {
    let Ok(outbound) = TcpStream::connect(target).await else { return };
    // What is held up here must not be held up again by the system.
    let _ = (inbound.set_nodelay(true), outbound.set_nodelay(true));
    let (near, far) = (inbound.into_split(), outbound.into_split());
    tokio::select! {
        _ = async { tokio::join!(pass_on(near.0, far.1, &delay), pass_on(far.0, near.1, &delay)) } => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

/// One direction of a connection, in order, until its sender ends it or its receiver is gone.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: &watch::Receiver<Duration>) {
    let (sent, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let reading = async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            let Ok(count @ 1..) = from.read(&mut chunk).await else { return };
            chunk.truncate(count);
            let at = Instant::now() + *delay.borrow();
            if sent.send((at, chunk)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((at, chunk)) = due.recv().await {
            sleep_until(at).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests;
