//! Copies of evidence: which are this member's to take, from whom, and serving others.

use std::collections::BTreeSet;

use watchfire_gossip::{ReplyToken, SendError};
use watchfire_types::body::{EvidenceMissed, MissCause};
use watchfire_types::{B256, Bytes, MemberKey};

use crate::evidence::copies::{self, Arrived, Incoming};
use crate::evidence::ledger::{Due, Failure};
use crate::evidence::store::digest;
use crate::evidence::told::{Copied, NotKept, Told};
use crate::run::node::Node;
use crate::run::{RunError, now};

impl Node {
    /// Takes the copies that are this member's to take, and says which are not taken.
    pub(super) async fn copy(&mut self) -> Result<(), RunError> {
        let at = now();
        let keeper = &mut self.evidence;
        let busy: BTreeSet<MemberKey> = keeper.incoming.keys().copied().collect();
        let underway: BTreeSet<B256> = keeper.incoming.values().map(|(object, _)| *object).collect();
        let (incidents, unsaid) = (&keeper.incidents, &keeper.unsaid);
        let due = keeper.ledger.due(at, &self.connected, &busy, &underway, |incident| incidents.contains(incident));
        let due: Vec<_> = due.into_iter().filter(|((of, object), _)| !unsaid.has_copy(of, object)).collect();
        for ((incident, object), due) in due {
            let Some(entry) = self.evidence.ledger.get(&(incident, object)) else { continue };
            let chain = entry.block.chain;
            match due {
                Due::Say => self.evidence.unsaid.copy(incident, None, chain, object, at),
                Due::Fetch(from) => {
                    let sizes = self.evidence.ledger.sizes(&object, &from);
                    self.evidence.incoming.insert(from, (object, Some(Incoming::new(object, sizes))));
                    self.fetch(from, &object, 0).await?;
                }
            }
        }
        for late in self.evidence.ledger.late(at) {
            let count = late.objects.len();
            let text =
                format!("{count} object(s) are with {} organisation(s), with three they should be", late.organisations);
            self.alarm(format!("evidence of block {} is not with two other organisations: {text}", late.block.number));
            let Some(object) = late.objects.first().copied() else { continue };
            let Some(entry) = self.evidence.ledger.get(&(late.incident, object)) else { continue };
            let missed = EvidenceMissed {
                incident: late.incident,
                asset: entry.asset.clone(),
                kind: entry.kind,
                block: late.block,
                operator: None,
                object: (count == 1).then_some(object),
                cause: MissCause::NotCopied,
                attempts: 0,
                detail: text,
                custody: self.custody(late.block.chain),
            };
            self.say_missed(missed).await?;
        }
        Ok(())
    }

    async fn fetch(&mut self, from: MemberKey, object: &B256, at: u64) -> Result<(), RunError> {
        match self.gossip.request_evidence(from, copies::question(object, at)).await {
            Ok(()) | Err(SendError::TooLarge { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Serves a stretch of an object to a member. That it asked is said within seconds, once for each object and member; what it copies it says
    /// itself, as an event of its own.
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
        let of = self.evidence.ledger.cases_of(&object, &self.existing());
        if of.is_empty() {
            return self.gossip.reply(reply, Bytes::new()).await.map_err(Into::into);
        }
        if self.evidence.ledger.asked_for(object, from) {
            let at = now();
            for (incident, chain) in of {
                self.evidence.unsaid.fetch(incident, from, chain, object, at);
            }
        }
        let (store, bench, gossip) = (self.evidence.store.clone(), self.evidence.bench.clone(), self.gossip.clone());
        let out = self.evidence.out.clone();
        tokio::spawn(async move {
            let look = move || {
                if at == 0 {
                    // Whoever gets rotten bytes blames who gave them: this node finds it first.
                    store.get(&object)?;
                }
                store.stretch(&object, at, copies::STRETCH_BYTES_MAX)
            };
            let answer = match bench.run(look).await {
                Some(Ok((total, stretch))) => copies::answer(total, &stretch),
                Some(Err(error)) => {
                    // The loop may be gone.
                    let _ = out.send(Told::Lost { object, error }).await;
                    Bytes::new()
                }
                None => Bytes::new(),
            };
            // The network is gone only with the node.
            let _ = gossip.reply(reply, answer).await;
        });
        Ok(())
    }

    /// Takes an answer; a whole copy is checked and kept beside the loop.
    pub(in crate::run) async fn on_evidence_response(
        &mut self,
        from: MemberKey,
        result: Result<Bytes, watchfire_gossip::CatchUpError>,
    ) -> Result<(), RunError> {
        let Some((object, Some(mut incoming))) = self.evidence.incoming.remove(&from) else { return Ok(()) };
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(peer = %from.short(), cause = %error, "no copy of evidence");
                self.evidence.ledger.failed(from, &object, Failure::NoAnswer, now());
                return Ok(());
            }
        };
        match incoming.take(&bytes) {
            Arrived::More(at) => {
                self.evidence.incoming.insert(from, (object, Some(incoming)));
                self.fetch(from, &object, at).await
            }
            Arrived::Absent => {
                tracing::info!(peer = %from.short(), %object, "member no longer holds evidence that it said it holds");
                self.evidence.ledger.failed(from, &object, Failure::Absent, now());
                Ok(())
            }
            Arrived::OtherSize => {
                // Who collected it contradicts itself. Whoever copied it may know a manifest that has not come here.
                if self.evidence.ledger.is_collector(&object, &from) {
                    self.wrong_copy(from, &object, "it has another size than its own manifest says");
                } else {
                    self.evidence.ledger.failed(from, &object, Failure::NoAnswer, now());
                }
                Ok(())
            }
            Arrived::Wrong(why) => {
                self.wrong_copy(from, &object, why);
                Ok(())
            }
            Arrived::Whole(whole) => {
                self.evidence.incoming.insert(from, (object, None));
                let (store, bench, out) =
                    (self.evidence.store.clone(), self.evidence.bench.clone(), self.evidence.out.clone());
                tokio::spawn(async move {
                    let keep = move || {
                        if digest(&whole) != object {
                            return Err(NotKept::Wrong);
                        }
                        store.put(&whole).map(drop).map_err(|error| NotKept::Store(error.to_string()))
                    };
                    let Some(kept) = bench.run(keep).await else { return };
                    // The loop may be gone.
                    let _ = out.send(Told::Copied(Copied { from, object, kept })).await;
                });
                Ok(())
            }
        }
    }

    /// A copy is kept, or not: the next one is asked for.
    pub(super) async fn on_copied(&mut self, copied: Copied) -> Result<(), RunError> {
        let Copied { from, object, kept } = copied;
        self.evidence.incoming.remove(&from);
        match kept {
            Ok(()) => {
                let at = now();
                let of = self.evidence.ledger.cases_of(&object, &self.existing());
                self.evidence.ledger.gave(from, &object);
                self.evidence.ledger.kept(object);
                for (incident, chain) in of {
                    self.evidence.unsaid.copy(incident, Some(from), chain, object, at);
                }
            }
            Err(NotKept::Wrong) => self.wrong_copy(from, &object, "its bytes have another digest"),
            Err(NotKept::Store(error)) => self.alarm(format!("a copy of evidence could not be kept: {error}")),
        }
        self.tend_evidence().await
    }

    fn wrong_copy(&mut self, from: MemberKey, object: &B256, why: &str) {
        let name = self.charter.member_by_key(&from).map_or_else(|| from.short(), |(id, _)| id.to_string());
        self.alarm(format!("{name} gave a wrong copy of evidence object {object}: {why}; others are asked"));
        self.evidence.ledger.failed(from, object, Failure::Wrong, now());
    }
}
