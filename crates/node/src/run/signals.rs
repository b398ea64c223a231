//! The two signals that stop a node.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::RunError;

/// SIGTERM (systemd) and SIGINT (a person).
pub(super) struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, RunError> {
        let failed = |source| RunError::System { doing: "watch for signals", source };
        Ok(Self {
            term: signal(SignalKind::terminate()).map_err(failed)?,
            int: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
