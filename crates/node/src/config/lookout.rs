//! `[lookout]`: what of the world outside the chain this node looks at by itself, each of an organisation's own choosing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use url::Url;
use watchfire_charter::reader::{self, Section, Value};
use watchfire_types::{Address, AssetId, DetectorId, SafeVersion};

use super::intake::name;
use super::read::url;
use crate::lookout::decimal::Decimal;
use crate::release::ReleaseKey;

/// Most lookouts of one kind.
const LOOKOUTS_MAX: usize = 8;
/// Least and most seconds between two looks.
const EVERY_S: std::ops::RangeInclusive<u64> = 5..=86_400;
/// Seconds between two looks at a metric, where nothing else is said.
const PROMETHEUS_EVERY_S: u64 = 30;
/// Seconds between two looks at a queue, where nothing else is said.
const SAFE_QUEUE_EVERY_S: u64 = 60;
/// Seconds between two looks at a front end, where nothing else is said.
const FRONT_END_EVERY_S: u64 = 300;
/// Seconds between two looks at a domain's registration, where nothing else is said.
const REGISTRATION_EVERY_S: u64 = 900;
/// Seconds between two looks at the certificates issued, where nothing else is said: services allow few questions an hour.
const CERTIFICATES_EVERY_S: u64 = 900;
/// Most releases, keys and issuers of a front end, and name servers and states of a domain.
const NAMES_MAX: usize = 16;
const DOMAIN_SUCH_AS: &str = "a domain name, such as \"alder.example\"";
/// Longest domain name (RFC 1035, 2.3.4), characters.
const DOMAIN_MAX: usize = 253;
/// Most addresses of a list.
const ACCOUNTS_MAX: usize = 256;
/// Longest that a condition may have to hold: a week, s.
const FOR_S_MAX: u64 = 7 * 24 * 3_600;

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookoutSection {
    /// The asset that its findings are about.
    pub asset: AssetId,
    /// Seconds between two looks.
    pub every_s: u64,
    /// What is looked at.
    pub asks: Asks,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// A metric.
    Prometheus(PrometheusSection),
    /// The queue of a Safe.
    SafeQueue(SafeQueueSection),
    /// A front end.
    FrontEnd(FrontEndSection),
    /// A domain's registration.
    Registration(RegistrationSection),
    /// Certificates that were issued for a domain.
    Certificates(CertificatesSection),
}

impl Asks {
    /// Its name for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prometheus(_) => "prometheus",
            Self::SafeQueue(_) => "safe-queue",
            Self::FrontEnd(_) => "front-end",
            Self::Registration(_) => "registration",
            Self::Certificates(_) => "certificates",
        }
    }
}

/// One `[[lookout.prometheus]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusSection {
    /// Where its HTTP API begins: without `/api/v1`.
    pub url: Url,
    /// PromQL, evaluated at the moment of the look.
    pub query: String,
    /// How a value is held against the bound.
    pub compare: Compare,
    /// The bound.
    pub bound: Decimal,
    /// How long a value has to be so, s.
    pub for_s: u64,
    /// File with a bearer token, its first line; private.
    pub token_file: Option<PathBuf>,
}

/// One `[[lookout.safe_queue]]`: a Safe on the asset's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeQueueSection {
    /// Where the Safe transaction service is: without `/api`.
    pub service: Url,
    /// The Safe.
    pub safe: Address,
    /// Its version.
    pub version: SafeVersion,
    /// Its owners, as its people know them.
    pub owners: BTreeSet<Address>,
    /// Contracts over which authority is watched, beside the asset's.
    pub watched: BTreeSet<Address>,
    /// File with a bearer token, its first line; private.
    pub token_file: Option<PathBuf>,
}

/// One `[[lookout.front_end]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontEndSection {
    /// The directory that a release's paths are below.
    pub page: Url,
    /// Files of signed releases; what is served is to be one of them.
    pub releases: Vec<PathBuf>,
    /// Keys that sign releases.
    pub keys: Vec<ReleaseKey>,
    /// Organisations that issue its certificate; any where none is named.
    pub issuers: BTreeSet<String>,
    /// HTTP proxy through which it is fetched.
    pub proxy: Option<Url>,
}

impl FrontEndSection {
    /// The network that it is fetched through, for people.
    #[must_use]
    pub fn through(&self) -> String {
        self.proxy.as_ref().map_or_else(|| "this node's network".to_owned(), ToString::to_string)
    }
}

/// One `[[lookout.registration]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationSection {
    /// The registry's RDAP service (RFC 9224 names it): `/domain/` is below it.
    pub service: Url,
    /// The domain, in lower case.
    pub domain: String,
    /// The name servers that it is delegated to, in lower case.
    pub name_servers: BTreeSet<String>,
    /// Its registrar's IANA id, or its handle at the registry; any where none is named.
    pub registrar: Option<String>,
    /// What the registry has to say of it, such as `client transfer prohibited`, in lower case.
    pub status: BTreeSet<String>,
}

/// One `[[lookout.certificates]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatesSection {
    /// Where a search of the Certificate Transparency logs is: `/v1/issuances` is below it.
    pub service: Url,
    /// The domain, in lower case; what is below it is meant, too.
    pub domain: String,
    /// Issuers by the names that CAA records know them by (RFC 8659), in lower case; where none is named, whatever is issued is told.
    pub issuers: BTreeSet<String>,
    /// File with a bearer token, its first line; private.
    pub token_file: Option<PathBuf>,
}

/// How a value is held against a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Equal.
    Equal,
    /// Not equal.
    Differs,
    /// Greater or equal.
    AtLeast,
    /// Greater.
    Greater,
}

impl Compare {
    const ALL: [Self; 6] = [Self::Less, Self::AtMost, Self::Equal, Self::Differs, Self::AtLeast, Self::Greater];

    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::Differs => "!=",
            Self::AtLeast => ">=",
            Self::Greater => ">",
        }
    }

    /// Whether `value` is so to `bound`.
    #[must_use]
    pub fn holds(self, value: &Decimal, bound: &Decimal) -> bool {
        let order = value.cmp(bound);
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::Differs => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// Reads the section.
pub(super) fn lookouts(mut section: Section<'_>, directory: &Path) -> BTreeMap<DetectorId, LookoutSection> {
    type Read = fn(&mut Section<'_>, &Path) -> Option<Asks>;
    let kinds: [(&'static str, u64, Read); 5] = [
        ("prometheus", PROMETHEUS_EVERY_S, prometheus),
        ("safe_queue", SAFE_QUEUE_EVERY_S, safe_queue),
        ("front_end", FRONT_END_EVERY_S, front_end),
        ("registration", REGISTRATION_EVERY_S, registration),
        ("certificates", CERTIFICATES_EVERY_S, certificates),
    ];
    let mut all = BTreeMap::new();
    for (kind, usual_s, read) in kinds {
        for mut one in section.sections(kind, LOOKOUTS_MAX) {
            let name = name(&mut one);
            let asset = one.parsed("asset", "the id of the charter's asset that it is about");
            let every_s = one.number_or("every_s", EVERY_S, usual_s);
            let asks = read(&mut one, directory);
            one.finish();
            let (Some(name), Some(asset), Some(every_s), Some(asks)) = (name, asset, every_s, asks) else { continue };
            if all.insert(name.clone(), LookoutSection { asset, every_s, asks }).is_some() {
                let remedy = "give each its own: its findings are told by it";
                one.log.fault(&one.place_of("name"), "duplicate", format!("lookout {name} is named twice"), remedy);
            }
        }
    }
    section.finish();
    all
}

fn prometheus(section: &mut Section<'_>, directory: &Path) -> Option<Asks> {
    let url = address(section, "url", "where its HTTP API is, such as \"http://127.0.0.1:9090\"");
    let query = section.text("query", "PromQL, such as \"vault_assets / vault_debt\"");
    let signs = Compare::ALL.map(Compare::sign).join("\", \"");
    let compare = section.need("compare", &format!("one of \"{signs}\""));
    let compare = compare.and_then(|value| {
        let text = value.text()?;
        let found = Compare::ALL.into_iter().find(|compare| compare.sign() == text);
        if found.is_none() {
            value.fault("unknown-kind", format!("{text:?} is no comparison"), format!("write one of \"{signs}\""));
        }
        found
    });
    let bound = section.parsed("bound", "a decimal number as a text, such as \"1.02\"");
    let for_s = section.number_or("for_s", 0..=FOR_S_MAX, 0);
    let token_file = token_file(section, directory);
    Some(Asks::Prometheus(PrometheusSection {
        url: url?,
        query: query?,
        compare: compare?,
        bound: bound?,
        for_s: for_s?,
        token_file: token_file?,
    }))
}

fn safe_queue(section: &mut Section<'_>, directory: &Path) -> Option<Asks> {
    let service =
        address(section, "service", "where its transaction service is, such as \"https://safe.alder.example\"");
    let safe = section.need("safe", "the Safe's checksummed address").and_then(|value| reader::address(&value));
    let version = section.parsed("version", "the Safe's version, such as \"1.4.1\"");
    let owners = accounts(section.need("owners", "the checksummed addresses of its owners"));
    if owners.as_ref().is_some_and(BTreeSet::is_empty) {
        let message = "no owner is named, so that every signature would be a stranger's";
        section.log.fault(&section.place_of("owners"), "no-owner", message, "name all owners of the Safe");
    }
    let watched = match section.get("watched") {
        None => Some(BTreeSet::new()),
        value => accounts(value),
    };
    let token_file = token_file(section, directory);
    Some(Asks::SafeQueue(SafeQueueSection {
        service: service?,
        safe: safe?,
        version: version?,
        owners: owners?,
        watched: watched?,
        token_file: token_file?,
    }))
}

fn front_end(section: &mut Section<'_>, directory: &Path) -> Option<Asks> {
    let page = address(section, "page", "the address of its directory, such as \"https://app.alder.example/\"");
    let such_as = "releases = [\"release.txt\"], as `watchfire release sign` makes them";
    let releases = some(section, "releases", such_as, |value| Some(directory.join(value.text()?)));
    let such_as = "keys = [\"app.alder.example+..\"], as `watchfire release key` prints them";
    let keys = some(section, "keys", such_as, |value| value.parsed(such_as));
    let issuers: Option<BTreeSet<String>> = section.values("issuers", NAMES_MAX).iter().map(Value::text).collect();
    let proxy =
        section.get("proxy").map(|_| address(section, "proxy", "an HTTP proxy, such as \"http://127.0.0.1:3128\""));
    Some(Asks::FrontEnd(FrontEndSection {
        page: page?,
        releases: releases?,
        keys: keys?,
        issuers: issuers?,
        proxy: proxy.map_or(Some(None), |proxy| proxy.map(Some))?,
    }))
}

fn registration(section: &mut Section<'_>, _: &Path) -> Option<Asks> {
    let service = address(section, "service", "the registry's RDAP service, such as \"https://rdap.nic.example\"");
    let name = section.need("domain", DOMAIN_SUCH_AS).and_then(|value| domain(&value));
    let such_as = "name_servers = [\"ns1.dns.example\"], all that it is delegated to";
    let name_servers = some(section, "name_servers", such_as, domain);
    let registrar = section.get("registrar").map(|value| value.text());
    let status: Option<BTreeSet<String>> = section.values("status", NAMES_MAX).iter().map(lower).collect();
    Some(Asks::Registration(RegistrationSection {
        service: service?,
        domain: name?,
        name_servers: name_servers?.into_iter().collect(),
        registrar: registrar.map_or(Some(None), |registrar| registrar.map(Some))?,
        status: status?,
    }))
}

fn certificates(section: &mut Section<'_>, directory: &Path) -> Option<Asks> {
    let service = address(section, "service", "a search of the CT logs, such as \"https://api.certspotter.com\"");
    let name = section.need("domain", DOMAIN_SUCH_AS).and_then(|value| domain(&value));
    let issuers: Option<BTreeSet<String>> = section.values("issuers", NAMES_MAX).iter().map(domain).collect();
    let token_file = token_file(section, directory);
    Some(Asks::Certificates(CertificatesSection {
        service: service?,
        domain: name?,
        issuers: issuers?,
        token_file: token_file?,
    }))
}

/// A domain name in ASCII, as it is compared: in lower case, without the root's dot.
fn domain(value: &Value<'_>) -> Option<String> {
    let name = lower(value)?;
    let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
    let label = |label: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > DOMAIN_MAX || !name.contains('.') || !name.split('.').all(label) {
        let remedy = "write it in ASCII (xn--.. where it is not), without a scheme, such as \"app.alder.example\"";
        value.fault("bad-domain", format!("{name:?} is no domain name"), remedy);
        return None;
    }
    Some(name)
}

fn lower(value: &Value<'_>) -> Option<String> {
    Some(value.text()?.to_ascii_lowercase())
}

/// The values of a list with at least one.
fn some<T>(
    section: &mut Section<'_>,
    key: &'static str,
    such_as: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let all: Option<Vec<T>> = section.need(key, such_as)?.list(NAMES_MAX)?.iter().map(read).collect();
    if all.as_ref().is_some_and(Vec::is_empty) {
        section.log.fault(
            &section.place_of(key),
            "nothing-named",
            format!("{key} is empty"),
            format!("write {such_as}"),
        );
        return None;
    }
    all
}

/// A list of addresses; `None` where one is wrong or no list is there.
fn accounts(value: Option<Value<'_>>) -> Option<BTreeSet<Address>> {
    value?.list(ACCOUNTS_MAX)?.iter().map(reader::address).collect()
}

/// A file with a token that need not be there; `None` only for one that is wrong.
fn token_file(section: &mut Section<'_>, directory: &Path) -> Option<Option<PathBuf>> {
    match section.get("token_file") {
        Some(value) => Some(Some(directory.join(value.text()?))),
        None => Some(None),
    }
}

/// An HTTP address without a secret in it: it is shown to everybody.
fn address(section: &mut Section<'_>, key: &'static str, what: &str) -> Option<Url> {
    let value = section.need(key, what)?;
    let url = url(&value, ["http", "https"])?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        let remedy = "keep scheme, host, port and path; a token stands in a file of its own";
        value.fault("bad-address", format!("{key} holds more than an address"), remedy);
        return None;
    }
    Some(url)
}
