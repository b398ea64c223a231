//! `[intake]`: where reports from outside the chain are taken, and from whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use watchfire_charter::reader::{Section, Value};
use watchfire_types::input::{PERSON, SILENCE};
use watchfire_types::{AssetId, DetectorId};

/// Most sources: together they say less than a node's quota grows by.
const SOURCES_MAX: usize = 8;

/// `[intake]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeSection {
    /// Where HTTP is served. Without TLS: a loopback address, unless something that ends TLS stands before it.
    pub listen: SocketAddr,
    /// Sources by name, at most 8.
    pub sources: BTreeMap<DetectorId, SourceSection>,
}

/// One `[[intake.source]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSection {
    /// The asset that its reports are about.
    pub asset: AssetId,
    /// File with the secret that it signs with, its first line; private.
    pub secret_file: PathBuf,
    /// How its messages are read.
    pub mapping: Mapping,
    /// How its messages are signed.
    pub signature: Scheme,
}

/// How a message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// `{"summary": "..", ..}`.
    Plain,
    /// `{"title": "..", "body": "..", ..}`, as OpenZeppelin Monitor's webhook trigger sends it.
    OpenZeppelinMonitor,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks,
    /// `x-signature` and `x-timestamp`, as OpenZeppelin Monitor (from 1.2 on) signs.
    OpenZeppelinMonitor,
}

/// Reads the section.
pub(super) fn intake(mut section: Section<'_>, directory: &Path) -> Option<IntakeSection> {
    let listen = section.parsed("listen", "an address to listen on, such as \"127.0.0.1:9780\"");
    let place = section.place_of("source");
    let all = section.sections("source", SOURCES_MAX);
    if all.is_empty() {
        let remedy = format!("give 1 to {SOURCES_MAX} [[intake.source]] sections, or remove [intake]");
        section.log.fault(&place, "no-source", "nobody is named who may report", remedy);
    }
    let mut sources = BTreeMap::new();
    for mut one in all {
        let name = name(&mut one);
        let read = source(&mut one, directory);
        one.finish();
        if let (Some(name), Some(read)) = (name, read)
            && sources.insert(name.clone(), read).is_some()
        {
            let remedy = "give each its own: the address that it posts to ends with it";
            one.log.fault(&one.place_of("name"), "duplicate", format!("source {name} is named twice"), remedy);
        }
    }
    section.finish();
    Some(IntakeSection { listen: listen?, sources })
}

/// A source's name.
pub(super) fn name(section: &mut Section<'_>) -> Option<DetectorId> {
    let value = section.need("name", "a short name such as \"oz-monitor\"")?;
    let name: DetectorId = value.parsed("a short name such as \"oz-monitor\"")?;
    if [PERSON, SILENCE].contains(&name.as_str()) {
        let message = format!("{name:?} is what people, or this node itself, report under");
        value.fault("reserved", message, "give the source another name");
        return None;
    }
    Some(name)
}

fn source(section: &mut Section<'_>, directory: &Path) -> Option<SourceSection> {
    let asset = section.parsed("asset", "the id of the charter's asset that it reports of");
    let secret = section.text("secret_file", "the file that holds its secret, seen from this file");
    let mappings = [("plain", Mapping::Plain), ("openzeppelin-monitor", Mapping::OpenZeppelinMonitor)];
    let mapping = choice(section.get("mapping"), mappings);
    let schemes =
        [("standard-webhooks", Scheme::StandardWebhooks), ("openzeppelin-monitor", Scheme::OpenZeppelinMonitor)];
    let signature = choice(section.get("signature"), schemes);
    Some(SourceSection {
        asset: asset?,
        secret_file: directory.join(secret?),
        mapping: mapping?,
        signature: signature?,
    })
}

/// One of two words; the first where none is given.
fn choice<T: Copy>(value: Option<Value<'_>>, [first, second]: [(&str, T); 2]) -> Option<T> {
    let Some(value) = value else { return Some(first.1) };
    let text = value.text()?;
    let found = [first, second].into_iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let remedy = format!("write {:?} or {:?}", first.0, second.0);
        value.fault("unknown-kind", format!("{text:?} is not known here"), remedy);
    }
    found.map(|(_, choice)| choice)
}
