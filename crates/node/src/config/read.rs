//! From the text of `config.toml` to a [`Config`], or to every reason why it is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use watchfire_charter::Fault;
use watchfire_charter::multiaddress::{self, MultiaddressError};
use watchfire_charter::reader::{Log, Section, Value};
use watchfire_types::{ChainId, MemberId};

use super::intake::intake;
use super::lookout::lookouts;
use super::silence::silence;
use super::{ChainSection, Config, EndpointSection, Reading, directory_of};
use crate::evidence::retention::RETENTION_DAYS;
use crate::keys::PasswordSource;

/// Most chains, as in a charter.
const CHAINS_MAX: usize = 32;
/// Most endpoints per chain.
const ENDPOINTS_MAX: usize = 16;
/// Most that a chain's patience may be.
const PATIENCE_MAX: u64 = 100;
/// Most addresses to listen on, and of one peer.
const ADDRESSES_MAX: usize = 16;
/// Requests a second to an endpoint that says nothing else: a hosted one, and one on this machine, which is asked about as fast as it answers.
const REQUESTS_PER_SECOND: u64 = 25;
const REQUESTS_PER_SECOND_HERE: u64 = 2_000;

/// Reads the whole file before anything is decided, so that one fault hides no other.
pub(super) fn document(path: &Path, text: &str) -> Reading {
    let log = Log::new("config", text);
    let mut reading = Reading { charter: None, password: None, config: Err(Vec::new()) };
    let table = log.syntax(text);
    let config = table.as_ref().and_then(|table| whole(&mut Section::root(&log, table), path, &mut reading));
    let (faults, _): (Vec<Fault>, _) = log.into_parts();
    reading.config = match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    };
    reading
}

fn whole(root: &mut Section<'_>, path: &Path, reading: &mut Reading) -> Option<Config> {
    let directory = directory_of(path);
    let member = root.parsed("member", "this node's id in the charter, such as \"alder-1\"");
    let organisation = root.parsed("organisation", "this organisation's id in the charter, such as \"alder\"");
    let charter = root.text("charter", "the charter file, seen from this file, such as \"charter.toml\"");
    let charter = charter.map(|file| directory.join(file));
    let network = root.need("network", "a section [network] with `listen`").and_then(|value| value.section());
    let (listen, peers) = network.map(network_of).unwrap_or_default();
    let password = match root.get("keys") {
        Some(value) => value.section().and_then(|section| password(section, directory)),
        None => Some(PasswordSource::Terminal),
    };
    let retention_days = match root.get("evidence") {
        Some(value) => value.section().and_then(|mut section| {
            let days = section.number("retention_days", 0..=u64::from(u32::MAX), "days that evidence is kept");
            section.finish();
            days.and_then(|days| u32::try_from(days).ok())
        }),
        None => Some(RETENTION_DAYS),
    };
    let intake = match root.get("intake") {
        Some(value) => value.section().and_then(|section| intake(section, directory)).map(Some),
        None => Some(None),
    };
    let silence = match root.get("silence") {
        Some(value) => value.section().and_then(silence).map(Some),
        None => Some(None),
    };
    let lookouts = match root.get("lookout") {
        Some(value) => value.section().map(|section| lookouts(section, directory)),
        None => Some(BTreeMap::new()),
    };
    let chains = chains(root);
    root.finish();
    reading.charter.clone_from(&charter);
    reading.password.clone_from(&password);
    Some(Config {
        directory: directory.to_owned(),
        path: path.to_owned(),
        member: member?,
        organisation: organisation?,
        charter: charter?,
        listen,
        peers,
        password: password?,
        retention_days: retention_days?,
        intake: intake?,
        silence: silence?,
        lookouts: lookouts?,
        chains,
    })
}

fn network_of(mut section: Section<'_>) -> (Vec<String>, BTreeMap<MemberId, Vec<String>>) {
    let what = "addresses to listen on, such as [\"/ip4/0.0.0.0/tcp/9001\"]";
    let listen = section.need("listen", what);
    let listening = |value: &Value<'_>| addresses(value, multiaddress::check_listen, "/ip4/0.0.0.0/tcp/9001");
    let addresses_here = listen.as_ref().map(listening).unwrap_or_default();
    if let Some(value) = listen.filter(|_| addresses_here.as_ref().is_some_and(Vec::is_empty)) {
        value.fault(
            "nothing-to-listen-on",
            "no address is given",
            "give at least one, such as \"/ip4/0.0.0.0/tcp/9001\"",
        );
    }
    let mut peers = BTreeMap::new();
    for (id, value) in
        section.get("peers").and_then(|value| value.section()).map(|all| all.entries()).unwrap_or_default()
    {
        let dialled = addresses(&value, multiaddress::check_dial, "/ip4/203.0.113.1/tcp/9001").unwrap_or_default();
        match id.parse::<MemberId>() {
            Ok(id) => drop(peers.insert(id, dialled)),
            Err(error) => value.fault("malformed", error, "write the member's id as the charter has it"),
        }
    }
    section.finish();
    (addresses_here.unwrap_or_default(), peers)
}

/// The addresses of a list; those that cannot be used are faults.
fn addresses<T>(
    value: &Value<'_>,
    check: impl Fn(&str) -> Result<T, MultiaddressError>,
    such_as: &str,
) -> Option<Vec<String>> {
    let all = value.list(ADDRESSES_MAX)?;
    let sound = all.iter().filter_map(|value| {
        let text = value.text()?;
        if let Err(error) = check(&text) {
            value.fault("bad-address", error, format!("write it like {such_as:?}"));
        }
        Some(text)
    });
    Some(sound.collect())
}

fn password(mut section: Section<'_>, directory: &Path) -> Option<PasswordSource> {
    let mut given = Vec::new();
    let mut sound = true;
    let sources: [(&'static str, &dyn Fn(String) -> PasswordSource); 3] = [
        ("password_file", &|file| PasswordSource::File(directory.join(file))),
        ("password_env", &PasswordSource::Environment),
        ("credential", &PasswordSource::Credential),
    ];
    for (key, source) in sources {
        let Some(value) = section.get(key) else { continue };
        match value.text() {
            Some(text) => given.push(source(text)),
            None => sound = false,
        }
    }
    if given.len() > 1 {
        let what = "more than one source of the password is given";
        section.log.fault(
            &section.at,
            "several-sources",
            what,
            "keep only one of password_file, password_env and credential",
        );
    }
    section.finish();
    if given.is_empty() { sound.then_some(PasswordSource::Terminal) } else { Some(given.swap_remove(0)) }
}

fn chains(root: &mut Section<'_>) -> BTreeMap<ChainId, ChainSection> {
    let mut chains = BTreeMap::new();
    for mut section in root.sections("chain", CHAINS_MAX) {
        let Some(chain) = chain(&mut section) else { continue };
        let id = chain.id;
        if chains.insert(id, chain).is_some() {
            let at = section.place_of("id");
            section.log.fault(&at, "duplicate", format!("chain {id} is named twice"), "keep one section per chain id");
        }
    }
    chains
}

fn chain(section: &mut Section<'_>) -> Option<ChainSection> {
    let id = section.number("id", 1..=u64::MAX, "the EIP-155 chain id").map(ChainId::new);
    let agree =
        section.number("agree", 0..=u64::from(u16::MAX), "equal answers from distinct operators that a fact takes");
    let patience = section.number_or("patience", 1..=PATIENCE_MAX, 1);
    let place = section.place_of("endpoint");
    let sections = section.sections("endpoint", ENDPOINTS_MAX);
    if sections.is_empty() {
        let remedy = format!("give 1 to {ENDPOINTS_MAX} [[chain.endpoint]] sections");
        section.log.fault(&place, "no-endpoint", "the chain has no endpoint to be read from", remedy);
    }
    let all = sections.len();
    let mut names = BTreeSet::new();
    let endpoint: Vec<EndpointSection> = sections.into_iter().filter_map(|one| endpoint(one, &mut names)).collect();
    let whole = endpoint.len() == all;
    section.finish();
    let (id, agree) = (id?, usize::try_from(agree?).ok()?);
    let chain = ChainSection { id, agree, patience: u32::try_from(patience?).ok()?, endpoint };
    let operators = chain.operators().len();
    // Where an endpoint could not be read, nothing is known of its operator.
    if agree == 0 || (whole && agree > operators) {
        let message = format!(
            "agree = {agree} needs that many distinct operators and at least 1; the endpoints have {operators}, those of \
             submit_only and evidence_only endpoints not counted"
        );
        section.log.fault(
            &section.place_of("agree"),
            "agree",
            message,
            "add endpoints of other operators, or change agree",
        );
    }
    Some(chain)
}

fn endpoint(mut section: Section<'_>, names: &mut BTreeSet<String>) -> Option<EndpointSection> {
    let name = section.text("name", "a name for people");
    if let Some(name) = name.clone().filter(|name| !names.insert(name.clone())) {
        let at = section.place_of("name");
        let remedy = "give each its own: names tell endpoints apart in status";
        section.log.fault(&at, "duplicate", format!("endpoint {name:?} is named twice"), remedy);
    }
    let operator = section.parsed("operator", "the label of whoever runs it, such as \"op-alder\"");
    let http = section.need("http", "its JSON-RPC address, such as \"http://127.0.0.1:8545\"");
    let http = http.and_then(|value| url(&value, ["http", "https"]));
    let ws = section.get("ws").map(|value| url(&value, ["ws", "wss"]));
    let here = http.as_ref().is_some_and(is_here);
    let unless_said = if here { REQUESTS_PER_SECOND_HERE } else { REQUESTS_PER_SECOND };
    let budget = section.number_or("requests_per_second", 1..=u64::from(u32::MAX), unless_said);
    let submit_only = section.get("submit_only").map_or(Some(false), |value| value.flag());
    let evidence_only = section.get("evidence_only").map_or(Some(false), |value| value.flag());
    section.finish();
    Some(EndpointSection {
        name: name?,
        operator: operator?,
        http: http?,
        ws: ws.map_or(Some(None), |ws| ws.map(Some))?,
        requests_per_second: u32::try_from(budget?).ok()?,
        submit_only: submit_only?,
        evidence_only: evidence_only?,
    })
}

/// An address of one of these schemes.
/// Whether an address is of this machine.
pub(crate) fn is_here(address: &url::Url) -> bool {
    match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn url(value: &Value<'_>, schemes: [&str; 2]) -> Option<url::Url> {
    let [plain, secure] = schemes;
    let address: url::Url = value.parsed(&format!("an address such as \"{plain}://127.0.0.1:8545\""))?;
    if !schemes.contains(&address.scheme()) {
        value.fault("bad-scheme", format!("{plain} must be a {plain}:// or {secure}:// address"), "correct its scheme");
        return None;
    }
    Some(address)
}
