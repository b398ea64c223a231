//! Copies of evidence: which are this member's to take, from whom, and serving others.

use std::collections::BTreeSet;

use watchfire_gossip::{ReplyToken, SendError};
use watchfire_types::body::{AccessAction, Custodian, EvidenceAccessed, EvidenceMissed, EvidenceStatement, MissCause};
use watchfire_types::{B256, Bytes, IncidentId, MemberKey};

use crate::evidence::copies::{self, Arrived, Incoming};
use crate::run::node::Node;
use crate::run::{RunError, now};

/// A copy that no two other organisations hold after this is missed, ms.
const COPY_MS_MAX: u64 = 60_000;

impl Node {
    /// Takes the copies that are this member's to take, and says which are not taken.
    pub(super) async fn copy(&mut self) -> Result<(), RunError> {
        let at = now();
        let own = self.own_key();
        let mut wanted: Vec<(MemberKey, B256)> = Vec::new();
        let mut late = Vec::new();
        for (object, known) in &self.evidence.objects {
            let age_ms = at.millis_since(known.since);
            let enough = known.organisations.len() > copies::COPIES;
            if !enough && age_ms > COPY_MS_MAX && own == Some(known.collector) && !self.evidence.short.contains(object)
            {
                late.push((*object, known.clone()));
            }
            let mine = own.is_some_and(|own| known.holders.contains(&own));
            let due = if mine {
                !self.evidence.store.has(object)
            } else {
                !enough && copies::is_due(&self.charter, &self.config.member, object, &known.organisations, age_ms)
            };
            let underway = self.evidence.incoming.values().any(|incoming| incoming.object == *object);
            if !due || underway {
                continue;
            }
            let from = known.holders.iter().find(|holder| {
                Some(**holder) != own
                    && self.connected.contains(holder)
                    && !self.evidence.incoming.contains_key(holder)
                    && !wanted.iter().any(|(taken, _)| taken == *holder)
            });
            wanted.extend(from.map(|from| (*from, *object)));
        }
        for (from, object) in wanted {
            self.evidence.incoming.insert(from, Incoming::new(object));
            self.fetch(from, &object, 0).await?;
        }
        for (object, known) in late {
            self.evidence.short.insert(object);
            self.alarm(format!(
                "evidence object {object} of block {} is not with two other organisations: {}",
                known.block.number,
                known.organisations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ));
            let missed = EvidenceMissed {
                incident: known.incident,
                asset: known.asset,
                kind: known.kind,
                block: known.block,
                operator: None,
                object: Some(object),
                cause: MissCause::NotCopied,
                attempts: 0,
                detail: format!("held by {} organisations", known.organisations.len()),
                custody: self.custody(known.block.chain),
            };
            self.state(EvidenceStatement::Missed(missed)).await?.ok();
        }
        let incidents: BTreeSet<IncidentId> = self.evidence.begun.keys().map(|(incident, _)| *incident).collect();
        for incident in incidents {
            self.say_complete(incident);
        }
        Ok(())
    }

    async fn fetch(&mut self, from: MemberKey, object: &B256, at: u64) -> Result<(), RunError> {
        match self.gossip.request_evidence(from, copies::question(object, at)).await {
            Ok(()) | Err(SendError::TooLarge { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Serves a stretch of an object to a member. What a member of the charter copies it says itself, as an event of its own.
    pub(in crate::run) async fn on_evidence_request(
        &mut self,
        from: MemberKey,
        bytes: &Bytes,
        reply: ReplyToken,
    ) -> Result<(), RunError> {
        let Some((object, at)) = copies::asked(bytes) else {
            tracing::warn!(peer = %from.short(), "evidence request is malformed");
            return Ok(());
        };
        let answer = match self.evidence.store.stretch(&object, at, copies::STRETCH_BYTES_MAX) {
            Ok((total, stretch)) if self.evidence.objects.contains_key(&object) => copies::answer(total, &stretch),
            Ok(_) | Err(_) => Bytes::new(),
        };
        self.gossip.reply(reply, answer).await.map_err(Into::into)
    }

    /// Takes an answer; a whole copy is kept, then said.
    pub(in crate::run) async fn on_evidence_response(
        &mut self,
        from: MemberKey,
        result: Result<Bytes, watchfire_gossip::CatchUpError>,
    ) -> Result<(), RunError> {
        let Some(mut incoming) = self.evidence.incoming.remove(&from) else { return Ok(()) };
        let object = incoming.object;
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(peer = %from.short(), cause = %error, "no copy of evidence");
                return Ok(());
            }
        };
        let whole = match incoming.take(&bytes) {
            Arrived::More(at) => {
                self.evidence.incoming.insert(from, incoming);
                return self.fetch(from, &object, at).await;
            }
            Arrived::Wrong(why) => {
                self.alarm(format!("{} gave a wrong copy of evidence object {object}: {why}", self.name_of(&from)));
                if let Some(known) = self.evidence.objects.get_mut(&object) {
                    known.holders.remove(&from);
                }
                return Ok(());
            }
            Arrived::Whole(whole) => whole,
        };
        if let Err(error) = self.evidence.store.put(&whole) {
            self.alarm(format!("a copy of evidence could not be kept: {error}"));
            return Ok(());
        }
        let Some(known) = self.evidence.objects.get(&object).cloned() else { return Ok(()) };
        let reason = "one of two copies with other organisations, or in place of a damaged one";
        let accessed = EvidenceAccessed {
            incident: known.incident,
            action: AccessAction::Copied,
            objects: vec![object],
            by: Custodian::Node(reason.to_owned()),
            from: Some(from),
            detail: format!("evidence/{object:x}, digest checked on arrival"),
            custody: self.custody(known.block.chain),
        };
        self.state(EvidenceStatement::Accessed(accessed)).await?.ok();
        self.copy().await
    }

    fn name_of(&self, member: &MemberKey) -> String {
        self.charter.member_by_key(member).map_or_else(|| member.short(), |(id, _)| id.to_string())
    }
}
