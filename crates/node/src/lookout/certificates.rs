//! Certificates issued for a domain by others than its organisation asks: whoever has one may answer as the domain.
//!
//! Source: SSLMate, Certificate Transparency Search API v1 (`/v1/issuances`), which reads the public logs of RFC 6962 and tells each issuance once, in the
//! order in which it was found; a question names the last that was seen. An issuer is known by the names that CAA records have for it (RFC 8659, 4.2).
//!
//! What is issued by another stands until it expires, under the SHA-256 of what was signed: the log remembers it, and it is not said again.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use watchfire_types::{B256, Timestamp, sha256};

use super::http::{Http, below};
use super::{Look, LookFault, Standing, cut};
use crate::config::lookout::CertificatesSection;

/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Most pages of a look; the next look goes on after them.
const PAGES_MAX: usize = 8;
/// Most certificates that stand at once; the newest found.
const STANDING_MAX: usize = 256;
/// Most names of a certificate in a line.
const SHOWN_MAX: usize = 4;

/// The certificates of one domain.
pub(super) struct Certificates {
    http: Http,
    section: CertificatesSection,
    /// The last issuance that was seen, by the service's name for it.
    after: Option<String>,
    /// What stands, in the order in which it was found, and until when.
    standing: Vec<(jiff::Timestamp, Standing)>,
}

#[derive(Deserialize)]
struct Issuance {
    id: String,
    tbs_sha256: String,
    dns_names: Vec<String>,
    issuer: Issuer,
    not_before: jiff::Timestamp,
    not_after: jiff::Timestamp,
}

#[derive(Deserialize)]
struct Issuer {
    name: String,
    /// Absent, or null, for one that the service does not know.
    #[serde(default)]
    caa_domains: Option<Vec<String>>,
}

impl Certificates {
    pub(super) fn new(section: &CertificatesSection, http: Http) -> Self {
        Self { http, section: section.clone(), after: None, standing: Vec::new() }
    }

    /// The next page of what was issued, oldest first; an empty one is the end.
    async fn page(&self) -> Result<(Vec<Issuance>, B256), LookFault> {
        let mut url = below(&self.section.service, "/v1/issuances");
        url.query_pairs_mut()
            .append_pair("domain", &self.section.domain)
            .append_pair("include_subdomains", "true")
            .append_pair("match_wildcards", "true")
            .append_pair("expand", "dns_names")
            .append_pair("expand", "issuer")
            .append_pair("expand", "issuer.caa_domains")
            .extend_pairs(self.after.iter().map(|after| ("after", after)));
        let answer = self.http.body(url, ANSWER_BYTES_MAX).await?;
        let page = serde_json::from_slice(&answer).map_err(|error| LookFault::unread(&error))?;
        Ok((page, B256::from(sha256(&[&answer]))))
    }

    /// Whether an organisation that is named issued it.
    fn is_wanted(&self, issuance: &Issuance) -> bool {
        let known = issuance.issuer.caa_domains.iter().flatten();
        known.map(|name| name.to_ascii_lowercase()).any(|name| self.section.issuers.contains(&name))
    }

    fn tell(&self, issuance: &Issuance, digest: B256) -> Result<Standing, LookFault> {
        let Issuance { tbs_sha256, dns_names, issuer, not_before, not_after, .. } = issuance;
        let hash: B256 = tbs_sha256.parse().map_err(|_| {
            LookFault::WrongShape(format!("{:?} is no SHA-256; see that its address is right", cut(tbs_sha256)))
        })?;
        let names: BTreeSet<&str> = dns_names.iter().map(String::as_str).collect();
        let shown = names.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (names, by) = (cut(&format!("{shown}{more}")), cut(&issuer.name));
        let wanted = self.section.issuers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let instead = if wanted.is_empty() { String::new() } else { format!(" and not by {wanted}") };
        Ok(Standing {
            id: hex::encode(hash),
            summary: format!("a certificate for {names}, by {by:?}{instead}, valid from {not_before} to {not_after}"),
            digest,
            figures: BTreeMap::from([
                ("domain", self.section.domain.clone()),
                ("names", names),
                ("issuer", by),
                ("tbs_sha256", hex::encode(hash)),
                ("not_before", not_before.to_string()),
                ("not_after", not_after.to_string()),
                ("asked", self.section.service.to_string()),
            ]),
        })
    }
}

impl Look for Certificates {
    async fn look(&mut self, now: Timestamp) -> Result<Vec<Standing>, LookFault> {
        let now = i64::try_from(now.as_millis()).ok().and_then(|now| jiff::Timestamp::from_millisecond(now).ok());
        let now = now.unwrap_or(jiff::Timestamp::MAX);
        for _ in 0..PAGES_MAX {
            let (page, digest) = self.page().await?;
            let last = page.last().map(|issuance| issuance.id.clone());
            // A service that does not heed the place would tell the same page for ever.
            if last.is_none() || last == self.after {
                break;
            }
            let others = page.iter().filter(|issuance| !self.is_wanted(issuance));
            let others = others.map(|issuance| Ok((issuance.not_after, self.tell(issuance, digest)?)));
            // The page is seen once the whole of it is understood.
            let others = others.collect::<Result<Vec<_>, LookFault>>()?;
            for (until, one) in others {
                if self.standing.iter().all(|(_, standing)| standing.id != one.id) {
                    self.standing.push((until, one));
                }
            }
            self.after = last;
        }
        self.standing.retain(|(until, _)| *until > now);
        let spare = self.standing.len().saturating_sub(STANDING_MAX);
        self.standing.drain(..spare);
        Ok(self.standing.iter().map(|(_, standing)| standing.clone()).collect())
    }
}

#[cfg(test)]
mod tests;
