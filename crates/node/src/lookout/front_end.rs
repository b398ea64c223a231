//! A front end held against the releases that its organisation signed: every file that a release names, fetched through one network and hashed, and
//! whose certificate answers. What others see through other networks, their nodes say.
//!
//! What stands is what is served that no one release has whole, a certificate of an issuer that is not named, and one that does not hold. A file that
//! cannot be fetched is no difference: the look then says what differs among the others, or, where nothing does, that it saw too little.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use url::Url;
use watchfire_types::{B256, Timestamp};
use x509_parser::parse_x509_certificate;

use super::http::{Http, Page};
use super::{Look, LookFault, Since, Standing, cut};
use crate::config::lookout::FrontEndSection;
use crate::config::read_text;
use crate::release::{FILE_BYTES_MAX, Release, served_at};

/// A front end. Remembers what stood at the last look.
pub(super) struct FrontEnd {
    http: Http,
    section: FrontEndSection,
    since: Since,
}

/// What one look found.
#[derive(Default)]
struct Served {
    files: BTreeMap<String, B256>,
    issuers: BTreeSet<String>,
    refused: Option<String>,
    fault: Option<LookFault>,
}

impl FrontEnd {
    pub(super) fn new(section: &FrontEndSection, http: Http) -> Self {
        Self { http, section: section.clone(), since: Since::default() }
    }

    /// The releases as they are on the disk now: a new one needs no restart. One that is no release is as one that is missing.
    fn releases(&self) -> Result<Vec<Release>, LookFault> {
        let mut releases = Vec::new();
        let mut faults = Vec::new();
        for file in &self.section.releases {
            let text = read_text(file).map_err(|error| error.to_string());
            let release = text.and_then(|text| {
                let named = |error| format!("{}: {error}", file.display());
                Release::read(&text, &self.section.keys).map_err(named)
            });
            match release {
                Ok(release) => releases.push(release),
                Err(fault) => faults.push(fault),
            }
        }
        if releases.is_empty() { Err(LookFault::NoRelease(faults.join("; "))) } else { Ok(releases) }
    }

    /// Fetches every file that a release names.
    async fn fetch(&self, releases: &[Release]) -> Served {
        let mut served = Served::default();
        let paths = releases.iter().flat_map(|release| release.files.keys());
        // Pages first: what they load is nothing while they are others.
        let paths: BTreeSet<_> = paths.map(|path| (served_at(path) == path.as_str(), path)).collect();
        for (_, path) in paths {
            match self.http.get(self.at(path), FILE_BYTES_MAX).await {
                Ok(Page { status: 200, body, certificate }) => {
                    served.issuers.extend(certificate.as_deref().map(issuer));
                    served.files.insert(path.clone(), B256::from(<[u8; 32]>::from(Sha256::digest(&body))));
                }
                Ok(Page { status, certificate, .. }) => {
                    served.issuers.extend(certificate.as_deref().map(issuer));
                    served.fault = Some(LookFault::Status(status));
                }
                // Nothing else is asked: whoever answers there is not the one that is meant.
                Err(LookFault::Certificate(why)) => {
                    served.refused = Some(why);
                    break;
                }
                Err(fault @ LookFault::TooLarge(_)) => served.fault = Some(fault),
                Err(fault) => {
                    served.fault = Some(fault);
                    break;
                }
            }
        }
        served
    }

    /// Where a path is served. Segments are escaped, so that a path of a release is a path and nothing else.
    fn at(&self, path: &str) -> Url {
        let mut url = self.section.page.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(served_at(path).split('/'));
        }
        url
    }

    /// What stands, by a name that is the same for as long as it is so.
    fn judge(&self, releases: &[Release], served: &Served) -> Vec<(String, Standing)> {
        let mut standing = Vec::new();
        let page = &self.section.page;
        let mut stands = |key: String, summary: String, mut figures: BTreeMap<&'static str, String>| {
            let digest = B256::from(<[u8; 32]>::from(Sha256::digest(&key)));
            figures.extend([("page", page.to_string()), ("through", self.section.through())]);
            standing.push((key, Standing { id: String::new(), summary, digest, figures }));
        };
        if let Some(why) = &served.refused {
            let summary = format!("{page} is answered with a certificate that does not hold: {why}");
            // Why it does not hold may name the time of the look.
            stands("certificate".to_owned(), summary, BTreeMap::from([("certificate", why.clone())]));
        }
        let listed = &self.section.issuers;
        for issuer in served.issuers.iter().filter(|issuer| !listed.is_empty() && !listed.contains(*issuer)) {
            let summary = format!("{page} is answered with a certificate by {issuer:?}, which is no issuer of it");
            stands(format!("issuer {issuer}"), summary, BTreeMap::from([("issuer", issuer.clone())]));
        }
        // Held against the release that it is nearest to; the page is that of one release or of none.
        let nearest = releases.iter().map(|release| (differences(release, served), release));
        let nearest = nearest.min_by_key(|(differences, _)| differences.len());
        if let Some((differences, release)) = nearest
            && let Some((path, wanted, found)) = differences.first()
        {
            let (count, files) = (differences.len(), release.files.len());
            let summary = format!(
                "{page} is not release {:?}: {path} has SHA-256 {} and not {}; {count} of {files} files differ",
                release.name,
                hex::encode(found),
                hex::encode(wanted)
            );
            let figures = BTreeMap::from([
                ("release", release.name.clone()),
                ("file", (*path).clone()),
                ("found", hex::encode(found)),
                ("released", hex::encode(wanted)),
                ("differ", count.to_string()),
            ]);
            let all: String =
                differences.iter().map(|(path, _, found)| format!("{} {path}\n", hex::encode(found))).collect();
            stands(format!("files\n{all}"), summary, figures);
        }
        standing
    }
}

impl Look for FrontEnd {
    async fn look(&mut self, now: Timestamp) -> Result<Vec<Standing>, LookFault> {
        let releases = self.releases()?;
        let served = self.fetch(&releases).await;
        let found = self.judge(&releases, &served);
        match served.fault {
            Some(fault) if found.is_empty() => return Err(fault),
            _ => {}
        }
        Ok(self.since.name(found, now))
    }
}

/// Files that are served otherwise than released: path, hash as released, hash as found.
fn differences<'a>(release: &'a Release, served: &'a Served) -> Vec<(&'a String, &'a B256, &'a B256)> {
    let found = release.files.iter().filter_map(|(path, wanted)| Some((path, wanted, served.files.get(path)?)));
    found.filter(|(_, wanted, found)| wanted != found).collect()
}

/// Who issued a certificate: its issuer's organisation, or else the whole name.
fn issuer(certificate: &[u8]) -> String {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return "nobody that can be read".to_owned() };
    let name = certificate.issuer();
    let organisation = name.iter_organization().next().and_then(|name| name.as_str().ok());
    cut(&organisation.map_or_else(|| name.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests;
