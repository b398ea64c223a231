//! What people ask through the control socket.

use watchfire_driver::Answer;
use watchfire_types::control::{Reply, Request};
use watchfire_types::input::{HumanAct, Input};

use super::RunError;
use super::node::Node;
use crate::control::server::Ask;

impl Node {
    pub(super) async fn on_ask(&mut self, ask: Ask) -> Result<(), RunError> {
        let reply = match ask.request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Incidents => Reply::Incidents { incidents: self.incidents() },
            Request::Act { act } => self.act(act).await?,
            // Answered by the socket itself.
            Request::Follow => Reply::Error { error: "follow is answered by the stream".to_owned() },
        };
        // Whoever asked may have hung up.
        let _ = ask.reply.send(reply);
        Ok(())
    }

    async fn act(&mut self, act: HumanAct) -> Result<Reply, RunError> {
        Ok(match self.input(Input::Human(act)).await? {
            Some(Answer { result: Ok(events), .. }) => Reply::Done { events },
            Some(Answer { result: Err(rejection), .. }) => Reply::Error { error: rejection.to_string() },
            None => Reply::Error { error: "the act was not answered; look at the node's log".to_owned() },
        })
    }
}
