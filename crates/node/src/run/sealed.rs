//! Sealed words as this member can open them: for the people beside this node, never for its log.

use watchfire_types::Body;
use watchfire_types::IncidentId;
use watchfire_types::body::{Sealed, SealedAbout};
use watchfire_types::control::{OpenedWords, SealedWords};
use watchfire_types::{Event, Verified};

use super::node::Node;
use crate::keys::sealing::SealError;

/// Most that one answer holds; the newest.
const WORDS_MAX: usize = 64;

impl Node {
    /// What was sealed about an incident; without one, all vulnerability reports. Newest first.
    pub(super) fn sealed(&self, incident: Option<IncidentId>) -> Vec<SealedWords> {
        let of = self.driver.machine().events().filter_map(|event| match &event.body {
            Body::Sealed(sealed) => match (&sealed.about, incident) {
                (SealedAbout::Incident(about), Some(wanted)) if *about == wanted => Some((event, sealed)),
                (SealedAbout::Vulnerability(_), None) => Some((event, sealed)),
                _ => None,
            },
            _ => None,
        });
        let mut of: Vec<_> = of.collect();
        of.sort_by_key(|(event, _)| std::cmp::Reverse((event.time, event.hash())));
        of.truncate(WORDS_MAX);
        of.into_iter().filter_map(|(event, sealed)| self.opened(event, sealed)).collect()
    }

    fn opened(&self, event: &Verified<Event>, sealed: &Sealed) -> Option<SealedWords> {
        let (author, _) = self.charter.member_by_key(&event.author)?;
        let (opened, fault) = match self.opener.open(event.network, &event.author, sealed) {
            Ok(opened) => (Some(OpenedWords { words: opened.words.as_str().to_owned(), salt: opened.salt }), None),
            Err(SealError::NotForUs) => (None, None),
            Err(error) => (None, Some(error.to_string())),
        };
        Some(SealedWords {
            event: event.hash(),
            author: author.clone(),
            at_ms: event.time.as_millis(),
            about: sealed.about.clone(),
            human: sealed.human.clone(),
            to: sealed.keys.iter().map(|key| key.member.clone()).collect(),
            commitment: sealed.commitment,
            opened,
            fault,
        })
    }
}
