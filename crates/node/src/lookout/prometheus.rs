//! A metric held against a bound: an instant query over Prometheus' HTTP API, each series of the answer judged by itself.
//!
//! Source: Prometheus, HTTP API, "Instant queries" (`/api/v1/query`) and "Expression query result formats". A value is text there; it is compared as
//! the decimal number that it is and quoted as it came.
//!
//! A series stands once its value was so at every look for `for_s`, until a look sees it otherwise or not at all. A value that is no number (`NaN`, a
//! native histogram) is neither: such a series stays as it was.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use url::Url;
use watchfire_types::{B256, Timestamp};

use super::decimal::Decimal;
use super::http::{Http, Page, below};
use super::{Look, LookFault, Standing, cut};
use crate::config::lookout::PrometheusSection;

/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most series of an answer: each may become a finding of its own.
const SERIES_MAX: usize = 16;
/// Most characters of a query or a series in a line.
const SHOWN_MAX: usize = 100;

/// One rule about a metric. Remembers an entry for each series of the last answer.
pub(super) struct Prometheus {
    http: Http,
    url: Url,
    section: PrometheusSection,
    episodes: BTreeMap<String, Episode>,
}

/// A series whose value is so.
struct Episode {
    since: Timestamp,
    /// As it is told, once it was so for long enough.
    standing: Option<Standing>,
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success {
        data: Data,
    },
    Error {
        #[serde(rename = "errorType")]
        kind: String,
        error: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((IgnoredAny, String)),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// Absent for a native histogram.
    value: Option<(IgnoredAny, String)>,
}

impl Prometheus {
    pub(super) fn new(section: &PrometheusSection, http: Http) -> Self {
        let mut url = below(&section.url, "/api/v1/query");
        url.query_pairs_mut().append_pair("query", &section.query);
        Self { http, url, section: section.clone(), episodes: BTreeMap::new() }
    }

    /// Takes the series of an answer, sorted and each once.
    fn judge(&mut self, series: BTreeMap<String, Option<String>>, digest: B256, now: Timestamp) -> Vec<Standing> {
        self.episodes.retain(|name, _| series.contains_key(name));
        for (name, value) in series {
            let Some(text) = value else { continue };
            let Ok(value) = text.parse::<Decimal>() else { continue };
            if !self.section.compare.holds(&value, &self.section.bound) {
                self.episodes.remove(&name);
                continue;
            }
            let since = self.episodes.get(&name).map_or(now, |episode| episode.since);
            let held_s = now.millis_since(since) / 1_000;
            let standing = (held_s >= self.section.for_s).then(|| self.tell(&name, &text, since, held_s, digest));
            self.episodes.insert(name, Episode { since, standing });
        }
        self.episodes.values().filter_map(|episode| episode.standing.clone()).collect()
    }

    fn tell(&self, series: &str, value: &str, since: Timestamp, held_s: u64, digest: B256) -> Standing {
        let PrometheusSection { query, compare, bound, .. } = &self.section;
        let shown = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
        let held = if held_s > 0 { format!(", for {held_s} s") } else { String::new() };
        let of = if series.is_empty() { String::new() } else { format!(" of {}", shown(series)) };
        let name = hex::encode(&Sha256::digest(series)[..8]);
        Standing {
            id: format!("{}-{name}", since.as_millis()),
            summary: format!("{value} {} {bound}{held}: {}{of}", compare.sign(), shown(query)),
            digest,
            figures: BTreeMap::from([
                ("value", value.to_owned()),
                ("compare", compare.sign().to_owned()),
                ("bound", bound.to_string()),
                ("held_s", held_s.to_string()),
                ("query", query.clone()),
                ("series", series.to_owned()),
                ("asked", self.section.url.to_string()),
            ]),
        }
    }
}

impl Look for Prometheus {
    async fn look(&mut self, now: Timestamp) -> Result<Vec<Standing>, LookFault> {
        let page = self.http.get(self.url.clone(), ANSWER_BYTES_MAX).await?;
        let digest = B256::from(<[u8; 32]>::from(Sha256::digest(&page.body)));
        Ok(self.judge(series(&page)?, digest, now))
    }
}

/// Series by their labels, with their values.
fn series(Page { status, body, .. }: &Page) -> Result<BTreeMap<String, Option<String>>, LookFault> {
    let data = match serde_json::from_slice(body) {
        // What is wrong with the query stands in an answer of status 4xx.
        Ok(Answer::Error { kind, error }) => return Err(LookFault::Refused(cut(&format!("{kind}: {error}")))),
        _ if !(200..300).contains(status) => return Err(LookFault::Status(*status)),
        Ok(Answer::Success { data }) => data,
        Err(error) => return Err(LookFault::unread(&error)),
    };
    let all = match data {
        Data::Vector(all) => all,
        Data::Scalar(value) => vec![Series { metric: BTreeMap::new(), value: Some(value) }],
        Data::Matrix(_) | Data::String(_) => {
            return Err(LookFault::WrongShape(
                "the query gives no number but a range or a text; ask for an instant vector or a scalar".to_owned(),
            ));
        }
    };
    if all.len() > SERIES_MAX {
        return Err(LookFault::WrongShape(format!(
            "the query gives {} series, and at most {SERIES_MAX} are taken; aggregate them in the query",
            all.len()
        )));
    }
    Ok(all.into_iter().map(|Series { metric, value }| (labels(&metric), value.map(|(_, text)| text))).collect())
}

/// As PromQL writes labels, in their order; nothing where there are none.
fn labels(metric: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = metric.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

#[cfg(test)]
mod tests;
