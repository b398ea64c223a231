//! What a turn of the driver releases: others first, then people.

use watchfire_driver::{Answer, Notice, Output, Refusal};
use watchfire_gossip::SendError;
use watchfire_types::body::{Body, CoSignature};
use watchfire_types::{Bytes, Event, Timestamp, Verdict, Verified};

use super::node::Node;
use super::{RunError, describe, now};

/// Alarms remembered as said.
const SAID_MAX: usize = 1_024;

impl Node {
    /// Releases a turn: what others wait for first, then what people look at.
    pub(super) async fn take(&mut self, output: Output) -> Result<Vec<Answer>, RunError> {
        for bytes in output.publish {
            self.publish(bytes).await?;
        }
        self.executor.release(&output.released);
        for (id, verdict, refusal) in output.verdicts {
            self.refused(verdict, refusal.as_ref());
            self.gossip.verdict(id, verdict).await?;
        }
        self.floors = output.window_floors;
        self.announced = output.announced;
        for (author, epoch) in self.executor.set(output.duties) {
            self.ask_of(author, epoch).await?;
        }
        let at = now();
        for heartbeat in &output.heartbeats {
            self.seen.insert(heartbeat.author(), at);
        }
        for event in &output.appended {
            self.record_event(event, at);
        }
        for event in &output.appended {
            if let Body::CoSignature(signature) = &event.body {
                self.record_threshold(signature, at);
            }
        }
        for page in output.pages {
            tracing::warn!(page.kind = page.kind, page.severity = %page.severity, "{}", page.text);
            let mut record = describe::plain(at.as_millis(), "page", format!("{}: {}", page.kind, page.text));
            record.asset = page.asset;
            self.records.push(record);
        }
        for notice in &output.notices {
            self.on_notice(notice);
        }
        for caught_up in &output.caught_up {
            if let Some(reason) = &caught_up.reason {
                let from = caught_up.from.short();
                tracing::info!(peer = %from, refused = caught_up.refused, cause = %reason, "events of a catch-up refused");
            }
        }
        Ok(output.answers)
    }

    pub(super) async fn publish(&mut self, bytes: Bytes) -> Result<(), RunError> {
        match self.gossip.publish(bytes).await {
            Ok(()) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                // The driver seals within the bounds; should it ever not, catch-up still carries the event.
                self.alarm(format!("an own message was not published: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn refused(&mut self, verdict: Verdict, refusal: Option<&Refusal>) {
        let Some(refusal) = refusal else { return };
        match verdict {
            Verdict::Reject => tracing::warn!(cause = %refusal, "gossip message rejected"),
            Verdict::Accept | Verdict::Ignore => tracing::debug!(cause = %refusal, "gossip message ignored"),
        }
    }

    fn record_event(&mut self, event: &Verified<Event>, at: Timestamp) {
        self.arrivals.insert(event.hash(), at.as_millis());
        self.evidence.note(event, &self.charter, at);
        let record = describe::event(event, at.as_millis(), &self.charter);
        tracing::info!(event.kind = %record.kind, event.hash = %event.hash().short(), "{}", record.text);
        self.records.push(record);
    }

    /// Each Safe transaction whose signatures reached the threshold is said once.
    fn record_threshold(&mut self, signature: &CoSignature, at: Timestamp) {
        let Some(count) = self.driver.machine().signatures_beside(signature) else { return };
        let reached = count.threshold.is_some_and(|threshold| count.owners.len() as u64 >= threshold);
        if !reached || !self.signed.insert(count.safe_tx_hash) {
            return;
        }
        let text = format!("{} signatures for {} at nonce {}", count.owners.len(), count.safe_tx_hash, count.nonce);
        let mut record = describe::plain(at.as_millis(), "threshold-signed", text);
        record.safe = Some(count.safe);
        record.safe_tx_hash = Some(count.safe_tx_hash);
        if let Some((decision, step)) = count.step {
            record.asset = Some(decision.asset);
            record.step = Some(step.get());
        }
        self.records.push(record);
    }

    fn on_notice(&mut self, notice: &Notice) {
        match notice {
            Notice::KeyRefused { chain, safe, cause } => {
                self.alarm(format!("guardian key gave no signature for safe {safe} on chain {chain}: {cause}"));
            }
            Notice::Unsealable { kind, cause } => self.alarm(format!("an own {kind} could not be made: {cause}")),
            Notice::SigningStopped { violation } => {
                self.stands(
                    "signing-stopped",
                    format!("this node signs no more: {violation}; restart it and look at its log"),
                );
            }
            Notice::NotWitnessed { member, size } => self.stands(
                "checkpoint-not-witnessed",
                format!("checkpoint-not-witnessed: the checkpoint of {member} over {size} events does not extend what this node cosigned of it"),
            ),
            Notice::OwnKeyElsewhere { size } => self.stands(
                "own-key-elsewhere",
                format!("own-key-elsewhere: a checkpoint over {size} events is signed with this node's key and is not of its log; the key is out, replace it"),
            ),
            Notice::Unsettled { rounds } => tracing::info!(rounds, "protocol goes on at the next turn"),
        }
    }

    /// Says something loudly, once a process.
    pub(super) fn alarm(&mut self, text: String) {
        // Causes carry others' words: what was said long ago may be said again, but nothing grows without end.
        if self.said.len() >= SAID_MAX {
            self.said.clear();
        }
        if self.said.insert(text.clone()) {
            tracing::error!("{text}");
            self.records.push(describe::plain(now().as_millis(), "alarm", text));
        }
    }

    /// Says something loudly that is then shown in status and heartbeat until it no longer holds.
    pub(super) fn stands(&mut self, key: &'static str, text: String) {
        if self.standing.insert(key, text.clone()).as_ref() != Some(&text) {
            tracing::error!("{text}");
            self.records.push(describe::plain(now().as_millis(), "alarm", text));
        }
    }
}
