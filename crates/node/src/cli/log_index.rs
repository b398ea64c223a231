//! The index of a node directory, for a command: opened where no node runs, and where one does, asked of it.

use std::collections::BTreeSet;

use watchfire_journal::index::CANDIDATES;
use watchfire_journal::{FileStorage, IndexStore, Page, Position, Query};
use watchfire_types::EventHash;
use watchfire_types::control::{Locate, LogPlace, Reply, Request};

use super::output::CliError;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::kept::{IndexState, open_index};

/// Where events stand.
pub(super) struct Index<'a> {
    config: &'a Config,
    /// What is indexed ends here.
    end: Position,
    /// `None`: the running node holds it.
    store: Option<IndexStore>,
}

fn position((segment, offset): LogPlace) -> Position {
    Position::new(segment, offset)
}

impl<'a> Index<'a> {
    /// The index; `None` where there is none to ask, so that the journal itself has to be read.
    pub(super) fn of(config: &'a Config, journal: &FileStorage) -> Result<Option<Self>, CliError> {
        match open_index(&config.directory.join("sled"), journal) {
            (Some(store), _) => Ok(Some(Self { config, end: store.indexed()?, store: Some(store) })),
            (None, IndexState::InUse) => {
                let nothing = Locate::Named { events: Vec::new() };
                match ask(&config.directory, &Request::Locate { what: nothing }) {
                    Ok(Reply::Located { indexed, .. }) => {
                        Ok(Some(Self { config, end: position(indexed), store: None }))
                    }
                    // It only starts or stops, or another command has it.
                    Ok(_) | Err(ClientError::NotRunning { .. } | ClientError::Broken { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            (None, _) => Ok(None),
        }
    }

    /// Where what is indexed ends.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// The next places of a page where what a query looks for may stand.
    pub(super) fn fitting(&self, query: &Query, page: Page) -> Result<Vec<Position>, CliError> {
        if let Some(store) = &self.store {
            return Ok(store.candidates(query, page, CANDIDATES)?);
        }
        let (from, backwards) = match page {
            Page::After(from) => (from, false),
            Page::Before(from) => (from, true),
        };
        self.ask(Locate::Fitting {
            author: query.author,
            epoch: query.epoch,
            seqs: query.seqs,
            kind: query.kind.as_ref().map(|kind| String::from_utf8_lossy(kind).into_owned()),
            times_ms: query.times.map(|(since, until)| (since.as_millis(), until.as_millis())),
            blocks: query.blocks,
            from: (from.segment(), from.offset()),
            backwards,
        })
    }

    /// Where these events of a page stand.
    pub(super) fn named(&self, events: &BTreeSet<EventHash>, page: Page) -> Result<Vec<Position>, CliError> {
        let mut positions = Vec::new();
        match &self.store {
            Some(store) => {
                for event in events {
                    positions.extend(store.by_hash(*event)?.map(|record| record.position));
                }
            }
            None => {
                let events: Vec<EventHash> = events.iter().copied().collect();
                for events in events.chunks(Locate::EVENTS_MAX) {
                    positions.extend(self.ask(Locate::Named { events: events.to_vec() })?);
                }
            }
        }
        positions.retain(|position| page.holds(*position));
        page.order(&mut positions);
        Ok(positions)
    }

    fn ask(&self, what: Locate) -> Result<Vec<Position>, CliError> {
        match ask(&self.config.directory, &Request::Locate { what })? {
            Reply::Located { places, .. } => Ok(places.into_iter().map(position).collect()),
            _ => Err(CliError::other_answer()),
        }
    }
}
