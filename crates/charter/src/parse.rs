//! From TOML to a valid [`Charter`], or to every reason why it is none.

mod actions;
mod assets;
mod authority;
pub(crate) mod chains;
mod coverage;
pub(crate) mod detectors;
mod elsewhere;
mod expressions;
mod fresh;
mod governance;
mod measures;
mod outsiders;
mod partners;
mod patterns;
pub(crate) mod playbooks;
mod rates;
mod references;
pub(crate) mod rules;
mod severities;

use std::collections::BTreeMap;

use toml::de::DeTable;
use watchfire_types::{CharterDigest, CharterVersion, DetectorId, NetworkId};

use crate::digest;
use crate::document::Document;
use crate::fault::{Fault, Warning};
use crate::model::{Charter, Detector, Rules};
use crate::quorum;
use crate::reader::{Log, Place, Section};
use playbooks::Playbooks;
use references::Declared;
use severities::Matrix;

/// Most bytes of a charter file.
pub const SOURCE_MAX: usize = 1 << 20;

/// Chain ids on which drills run: a Safe signature is valid wherever chain id, Safe and nonce agree, so a drill must never
/// name a chain that could be, or be a fork of, one that matters.
#[must_use]
pub fn is_drill_chain(chain_id: u64) -> bool {
    matches!(chain_id, 31337 | 1337 | 2_004_221_952..=2_004_287_487)
}

/// Reads a charter, every fault at once; where the text is no TOML at all, its syntax errors alone.
#[must_use]
pub fn read(source: &str) -> Document {
    let log = Log::new("charter", source);
    let table = if source.len() > SOURCE_MAX {
        let at = Place { line: 1, key: String::new() };
        log.fault(&at, "too-long", format!("{} bytes, at most {SOURCE_MAX} are read", source.len()), "shorten it");
        None
    } else {
        log.syntax(source)
    };
    let read = table.as_ref().map(|table| document(&mut Section::root(&log, table)));
    let (faults, warnings) = log.into_parts();
    Document { read, faults, warnings }
}

/// Reads a sound charter.
///
/// # Errors
/// Every fault at once, as [`read`] tells them.
pub fn parse(source: &str) -> Result<(Charter, Vec<Warning>), Vec<Fault>> {
    read(source).into_charter()
}

/// Detector rules, with the charter that they stand in, if they do.
#[derive(Debug)]
pub struct RuleSet {
    /// The rules.
    pub detectors: BTreeMap<DetectorId, Detector>,
    /// The charter around them; `None` for a text that holds nothing else.
    pub charter: Option<Charter>,
}

/// Reads the detectors of a charter, or of a text that holds nothing but detectors, whose assets are taken as declared.
///
/// # Errors
/// Every fault at once, as [`parse`] tells them.
pub fn parse_rules(source: &str) -> Result<(RuleSet, Vec<Warning>), Vec<Fault>> {
    let log = Log::new("rules", source);
    let table = log.syntax(source).filter(|table| source.len() <= SOURCE_MAX && is_fragment(table));
    let Some(table) = table else {
        let (charter, warnings) = parse(source)?;
        return Ok((RuleSet { detectors: charter.detectors.clone(), charter: Some(charter) }, warnings));
    };
    let mut root = Section::root(&log, &table);
    let mut declared = Declared::scan(&root);
    declared.assume_assets(&root);
    let read = detectors::read(&mut root, &declared);
    let detectors = Matrix::default().settle(&log, &read, &BTreeMap::new(), &Playbooks::default());
    root.finish();
    let (faults, warnings) = log.into_parts();
    if faults.is_empty() { Ok((RuleSet { detectors, charter: None }, warnings)) } else { Err(faults) }
}

fn is_fragment(table: &DeTable<'_>) -> bool {
    !table.is_empty() && table.keys().all(|key| key.get_ref() == "detector")
}

/// Reads everything before deciding anything, so that one fault hides no other. What has one is left out, or stands at its least.
fn document(root: &mut Section<'_>) -> Charter {
    let name = root.text("name", "a name for people");
    let version = root.number("version", 1..=u64::from(u32::MAX), "1 for the first charter");
    let version = version.and_then(|version| u32::try_from(version).ok()).map(CharterVersion::new);
    let drill = root.get("drill").map_or(Some(false), |value| value.flag());
    let network = network(root, version);
    let declared = Declared::scan(root);
    let partners = partners::read(root, &declared, drill);
    let chains = chains::read_chains(root, &declared, drill);
    let safes = chains::read_safes(root, &declared, &partners);
    let assets = assets::read(root, &declared, &safes);
    let rules = rules::read(root);
    let read = detectors::read(root, &declared);
    let matrix = severities::read(root, &declared);
    let context = actions::Context { declared: &declared, chains: &chains, safes: &safes, detectors: &read.detectors };
    let playbooks = playbooks::read(root, &context, rules.as_ref());
    let detectors = matrix.settle(root.log, &read, &assets, &playbooks);
    let context = actions::Context { detectors: &detectors, ..context };
    quorum::check(root.log, &partners.roster, &safes, rules.as_ref(), &playbooks);
    playbooks::check_expiries(root.log, &context, &assets, &playbooks);
    coverage::check(root.log, &context, &assets, &playbooks);
    outsiders::check(root.log, &context, &playbooks);
    root.finish();
    let by_key = partners.members.iter().map(|(id, member)| (member.node_key, id.clone())).collect();
    let mut charter = Charter {
        name: name.unwrap_or_default(),
        version: version.unwrap_or(CharterVersion::new(1)),
        drill: drill.unwrap_or_default(),
        organisations: partners.organisations,
        members: partners.members,
        chains: chains.chains,
        safes: safes.safes,
        assets,
        rules: rules.map_or_else(Rules::least, |rules| rules.rules),
        playbooks: playbooks.playbooks,
        detectors,
        severities: matrix.into_rows(),
        network: network.flatten(),
        digest: CharterDigest::from_bytes([0; 32]),
        by_key,
    };
    match digest::of(&charter) {
        Ok(digest) => charter.digest = digest,
        Err(error) => root.log.fault(&root.at, "no-digest", error, "report this: it is a mistake of the program"),
    }
    charter
}

/// The network id that later versions carry along; the outer `None` is a fault.
fn network(root: &mut Section<'_>, version: Option<CharterVersion>) -> Option<Option<NetworkId>> {
    let value = root.get("network");
    let first = version.is_none_or(|version| version.get() == 1);
    match (value, first) {
        (None, true) => Some(None),
        (None, false) => {
            root.need("network", "the network id: the digest of version 1 (64 hex digits)");
            None
        }
        (Some(value), true) => {
            value.fault("network-of-first", "version 1 makes the network, it cannot name one", "remove `network`");
            None
        }
        (Some(value), false) => value.parsed("the digest of version 1 (64 hex digits)").map(Some),
    }
}

#[cfg(test)]
pub(crate) mod tests;
