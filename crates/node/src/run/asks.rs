//! What people ask through the control socket.

use watchfire_driver::Answer;
use watchfire_transparency::{Checkpoint, Origin, SignedCheckpoint};
use watchfire_types::Body;
use watchfire_types::control::{Reply, Request};
use watchfire_types::input::{HumanAct, Input};

use super::RunError;
use super::locating::locate;
use super::node::Node;
use crate::control::server::Ask;

impl Node {
    pub(super) async fn on_ask(&mut self, ask: Ask) -> Result<(), RunError> {
        let reply = match ask.request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Incidents => Reply::Incidents { incidents: self.incidents() },
            Request::Sealed { incident } => Reply::Sealed { words: self.sealed(incident) },
            Request::Rules => Reply::Rules { rules: self.driver.machine().rule_stats() },
            Request::Changes => Reply::Changes { changes: self.driver.machine().changes() },
            Request::Act { act } => self.act(act).await?,
            Request::Notes => Reply::Notes { notes: self.notes() },
            Request::Evidence => Reply::Evidence { objects: self.evidence_objects() },
            // Answered when the objects were looked at and the access is durable.
            Request::AccessEvidence { objects, action, by, detail } => {
                self.access_evidence(objects, action, by, detail, ask.reply);
                return Ok(());
            }
            Request::Checkpoint => self.checkpoint().await?,
            // Read beside the loop: an index of years takes a while.
            Request::Locate { what } => {
                let store = self.index.store().clone();
                tokio::task::spawn_blocking(move || {
                    let reply = locate(&store, &what).unwrap_or_else(|error| Reply::Error { error: error.to_string() });
                    // Whoever asked may have hung up.
                    let _ = ask.reply.send(reply);
                });
                return Ok(());
            }
            // Answered by the socket itself.
            Request::Follow => Reply::Error { error: "follow is answered by the stream".to_owned() },
        };
        // Whoever asked may have hung up.
        let _ = ask.reply.send(reply);
        Ok(())
    }

    /// The own checkpoints of this process: the newest, and those that anybody witnessed.
    fn notes(&self) -> Vec<String> {
        let machine = self.driver.machine();
        let Some(key) = self.charter.members.get(machine.member()).map(|member| member.node_key) else {
            return Vec::new();
        };
        let origin = Origin { network: machine.network(), member: machine.member().clone(), epoch: machine.epoch() };
        let witnessed: Vec<_> = self.driver.witness().into_iter().flat_map(|kept| kept.checkpoints(&origin)).collect();
        let newest = machine.checkpoint(key, origin.epoch).and_then(|event| match &event.body {
            Body::Checkpoint(stated) => {
                let checkpoint = Checkpoint::stated(origin.network, origin.epoch, stated);
                Some(SignedCheckpoint::new(checkpoint, &key, &stated.signature))
            }
            _ => None,
        });
        let unwitnessed =
            newest.filter(|newest| witnessed.first().is_none_or(|note| note.checkpoint() != newest.checkpoint()));
        unwitnessed.into_iter().chain(witnessed).map(|note| note.to_string()).collect()
    }

    /// A checkpoint over everything that this process said so far.
    async fn checkpoint(&mut self) -> Result<Reply, RunError> {
        let (made, output) = self.driver.checkpoint(super::now())?;
        self.take(output).await?;
        Ok(Reply::Done { events: made.into_iter().collect() })
    }

    async fn act(&mut self, act: HumanAct) -> Result<Reply, RunError> {
        Ok(match self.input(Input::Human(act)).await? {
            Some(Answer { result: Ok(events), .. }) => Reply::Done { events },
            Some(Answer { result: Err(rejection), .. }) => Reply::Error { error: rejection.to_string() },
            None => Reply::Error { error: "the act was not answered; look at the node's log".to_owned() },
        })
    }
}
