//! Reports from outside the chain at the loop, posted or asked for: what a source may say at once, and what its report becomes.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use watchfire_charter::Charter;
use watchfire_driver::Answer;
use watchfire_protocol::Rejection;
use watchfire_types::control::IntakeStatus;
use watchfire_types::input::{Input, Report};
use watchfire_types::{DetectorId, EventHash, Timestamp};

use super::node::Node;
use super::{RunError, now};
use crate::config::Config;
use crate::intake::rate::Bucket;
use crate::intake::{Counts, Delivery, Refusal, server, sources};
use crate::lookout::{self, Post, Sights};

/// What is known of the sources.
pub(super) struct Intake {
    buckets: BTreeMap<DetectorId, Bucket>,
    counts: Counts,
    sights: Sights,
}

impl Intake {
    /// Listens and asks as the configuration says; where it says neither nothing ever comes out of the receiver.
    pub(super) fn open(config: &Config, charter: &Charter) -> Result<(Self, mpsc::Receiver<Delivery>), RunError> {
        let intake = Self { buckets: BTreeMap::new(), counts: Counts::default(), sights: Sights::default() };
        let (out, deliveries) = mpsc::channel(server::WAITING_MAX);
        if let Some(section) = &config.intake {
            server::spawn(section.listen, sources(section)?, intake.counts.clone(), out.clone())?;
            tracing::info!(address = %section.listen, "takes reports");
        }
        for (name, section) in &config.lookouts {
            let post = Post {
                source: name.clone(),
                asset: section.asset.clone(),
                counts: intake.counts.clone(),
                out: out.clone(),
            };
            lookout::spawn(section, charter, post, &intake.sights)?;
        }
        Ok((intake, deliveries))
    }

    fn take(&mut self, source: &DetectorId, at: Timestamp) -> Result<(), Refusal> {
        let bucket = self.buckets.entry(source.clone()).or_insert_with(|| Bucket::full(at));
        bucket.take(at).map_err(Refusal::TooMany)
    }
}

impl Node {
    /// Answers a report once its event is durable.
    pub(super) async fn on_report(&mut self, Delivery { report, reply }: Delivery) -> Result<(), RunError> {
        let result = self.report(report).await?;
        // The sender may have hung up; it is told that the report is held when it sends it again.
        let _ = reply.send(result);
        Ok(())
    }

    async fn report(&mut self, report: Report) -> Result<Result<EventHash, Refusal>, RunError> {
        // Whoever sends another's message again spends nothing of what that source may say.
        if let Some(event) = self.driver.machine().report_held(&report.source, &report.id) {
            return Ok(Err(Refusal::Replayed(event)));
        }
        if let Err(refusal) = self.intake.take(&report.source, now()) {
            return Ok(Err(refusal));
        }
        Ok(match self.input(Input::Reported(Box::new(report))).await? {
            Some(Answer { result: Ok(events), .. }) => events.first().copied().ok_or(Refusal::Busy),
            Some(Answer { result: Err(Rejection::ReportHeld { event }), .. }) => Err(Refusal::Replayed(event)),
            Some(Answer { result: Err(rejection), .. }) => Err(Refusal::NotTaken(rejection.to_string())),
            None => Err(Refusal::Busy),
        })
    }

    /// What people are told of it.
    pub(super) fn intake_status(&self) -> Option<IntakeStatus> {
        let listen = self.config.intake.as_ref().map(|section| section.listen.to_string());
        let lookouts = self.intake.sights.all();
        let idle = listen.is_none() && lookouts.is_empty();
        (!idle).then(|| IntakeStatus { listen, counts: self.intake.counts.all(), lookouts })
    }
}
