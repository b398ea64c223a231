//! A domain's registration held against what its organisation knows of it: whoever may change it at the registrar may serve what they like.
//!
//! Source: RFC 9082 (3.1.3, the question) and RFC 9083 (5.3, the answer; 10.2.2, the states). Asked is the registry, and not the registrar that may
//! be the one attacked. What stands is other name servers, another registrar, a lock that is gone, and a state that takes a domain away.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use watchfire_types::{B256, Timestamp, sha256};

use super::http::{Http, below};
use super::{Look, LookFault, Since, Standing, cut};
use crate::config::lookout::RegistrationSection;

/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// States in which a domain is leaving its holder, or is not served.
const LEAVING: [&str; 6] =
    ["client hold", "pending delete", "pending restore", "pending transfer", "redemption period", "server hold"];

/// One domain. Remembers since when what stands.
pub(super) struct Registration {
    http: Http,
    section: RegistrationSection,
    since: Since,
}

/// An RDAP domain object; what else it holds does not matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    object_class_name: String,
    ldh_name: String,
    nameservers: Option<Vec<NameServer>>,
    #[serde(default)]
    entities: Vec<Entity>,
    #[serde(default)]
    status: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameServer {
    ldh_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    handle: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    public_ids: Vec<PublicId>,
}

#[derive(Deserialize)]
struct PublicId {
    identifier: String,
}

impl Registration {
    pub(super) fn new(section: &RegistrationSection, http: Http) -> Self {
        Self { http, section: section.clone(), since: Since::default() }
    }

    /// What stands, by what it is.
    fn judge(&self, answer: &[u8]) -> Result<Vec<(String, Standing)>, LookFault> {
        let told: Domain = serde_json::from_slice(answer).map_err(|error| LookFault::unread(&error))?;
        let RegistrationSection { service, domain, name_servers, registrar, status } = &self.section;
        let wrong = |what: String| LookFault::WrongShape(format!("{what}; see that its address is the registry's"));
        if told.object_class_name != "domain" || name(&told.ldh_name) != *domain {
            return Err(wrong(format!("it is about the {} {:?}", cut(&told.object_class_name), cut(&told.ldh_name))));
        }
        // A registry that does not tell is not one that says there is none.
        let servers = told.nameservers.ok_or_else(|| wrong("it names no name servers".to_owned()))?;
        let servers: BTreeSet<String> = servers.iter().map(|server| name(&server.ldh_name)).collect();
        let states: BTreeSet<String> = told.status.iter().map(|state| state.to_ascii_lowercase()).collect();
        let registrars = told.entities.into_iter().filter(|entity| entity.roles.iter().any(|role| role == "registrar"));
        let ids = |entity: Entity| entity.public_ids.into_iter().map(|id| id.identifier).chain(entity.handle);
        let registrars: BTreeSet<String> = registrars.flat_map(ids).collect();

        let digest = B256::from(sha256(&[answer]));
        let mut standing = Vec::new();
        let mut stands = |what: &'static str, found: String, summary: String| {
            let figures = BTreeMap::from([
                ("domain", domain.clone()),
                ("differs", what.to_owned()),
                ("found", cut(&found)),
                ("asked", service.to_string()),
            ]);
            standing.push((format!("{what} {found}"), Standing { id: String::new(), summary, digest, figures }));
        };
        if servers != *name_servers {
            let found = listed(&servers);
            let summary = format!("{domain} is delegated to {} and not to {}", cut(&found), cut(&listed(name_servers)));
            stands("name-servers", found, summary);
        }
        if let Some(registrar) = registrar
            && !registrars.contains(registrar)
        {
            let found = listed(&registrars);
            let summary = format!("the registrar of {domain} is {} and not {registrar}", cut(&found));
            stands("registrar", found, summary);
        }
        for state in status.difference(&states) {
            stands("not-locked", state.clone(), format!("the registry does not say {state:?} of {domain}"));
        }
        for state in LEAVING.iter().filter(|state| states.contains(**state)) {
            stands("leaving", (*state).to_owned(), format!("the registry says {state:?} of {domain}"));
        }
        Ok(standing)
    }
}

impl Look for Registration {
    async fn look(&mut self, now: Timestamp) -> Result<Vec<Standing>, LookFault> {
        let url = below(&self.section.service, &format!("/domain/{}", self.section.domain));
        let answer = self.http.body(url, ANSWER_BYTES_MAX).await?;
        let found = self.judge(&answer)?;
        Ok(self.since.name(found, now))
    }
}

/// A name as names are compared.
fn name(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
}

fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "nobody".to_owned();
    }
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
