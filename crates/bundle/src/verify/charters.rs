//! Sections 2 and 3: charters and the incident's name.

use std::collections::BTreeMap;

use serde_json::Value;
use watchfire_charter::Charter;
use watchfire_protocol::incident_id;
use watchfire_types::{CharterDigest, CharterVersion, domain, sha256};
use watchfire_wire::bundle::{Bundle, BundledCharter};

use crate::report::Checks;

/// The charters that hold, by version.
pub(super) fn check(
    bundle: &Bundle,
    trusted: Option<&Charter>,
    checks: &mut Checks,
) -> BTreeMap<CharterVersion, Charter> {
    let mut charters = BTreeMap::new();
    for entry in &bundle.charters {
        let subject = format!("version {}", entry.version);
        let digest = digest(entry);
        let judged = canonical(bundle, entry, digest).map(|()| digest);
        checks.judge("charter-digest", &subject, judged);
        match text(entry, digest) {
            Ok(charter) => {
                checks.holds("charter-text", &subject, "the document says the same");
                charters.insert(entry.version, charter);
            }
            Err(error) => checks.fails("charter-text", &subject, error),
        }
    }
    trust(bundle, trusted, checks);
    charters
}

fn digest(entry: &BundledCharter) -> CharterDigest {
    CharterDigest::from_bytes(sha256(&[domain::CHARTER, &entry.canonical]))
}

fn canonical(bundle: &Bundle, entry: &BundledCharter, digest: CharterDigest) -> Result<(), String> {
    let value: Value = serde_json::from_slice(&entry.canonical).map_err(|error| format!("no JSON: {error}"))?;
    let again = serde_json_canonicalizer::to_vec(&value).map_err(|error| format!("no RFC 8785 form: {error}"))?;
    if again != entry.canonical {
        return Err("the JSON is not in its RFC 8785 form".to_owned());
    }
    if value.get("version").and_then(Value::as_u64) != Some(entry.version.get().into()) {
        return Err("it is of another version".to_owned());
    }
    let network = bundle.network.to_string();
    match value.get("network") {
        Some(Value::Null) if entry.version.get() == 1 => {
            let same = digest.as_bytes() == bundle.network.as_bytes();
            if same { Ok(()) } else { Err(format!("digest {digest} does not make network {network}")) }
        }
        Some(Value::String(named)) if entry.version.get() > 1 && *named == network => Ok(()),
        _ => Err(format!("it is not of network {network}")),
    }
}

fn text(entry: &BundledCharter, digest: CharterDigest) -> Result<Charter, String> {
    let text = std::str::from_utf8(&entry.toml).map_err(|error| format!("the document is no text: {error}"))?;
    let (charter, _) = watchfire_charter::parse(text).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        format!("the document has {} fault(s), first: {first}", faults.len())
    })?;
    if charter.digest() == digest && charter.version == entry.version {
        Ok(charter)
    } else {
        Err(format!("the document has digest {}, the canonical form {digest}", charter.digest()))
    }
}

fn trust(bundle: &Bundle, trusted: Option<&Charter>, checks: &mut Checks) {
    let Some(newest) = bundle.charters.last() else { return };
    let subject = format!("version {}", newest.version);
    let digest = digest(newest);
    match trusted {
        None => checks.open(
            "charter-trusted",
            subject,
            "no charter given: the members' keys are what the bundle says; compare its digest with one you know, or give --charter",
        ),
        Some(charter) if charter.digest() == digest => {
            checks.holds("charter-trusted", subject, digest);
            // Version 1 makes the network's id, which the given charter names; nothing binds those between.
            for between in bundle.charters.iter().filter(|entry| entry.version != newest.version && entry.version.get() > 1) {
                let subject = format!("version {}", between.version);
                checks.fails("charter-trusted", subject, "nothing binds it to the given charter");
            }
        }
        Some(charter) => {
            let detail = format!("the given charter has digest {}, the bundle's {digest}", charter.digest());
            checks.fails("charter-trusted", subject, detail);
        }
    }
}

/// The incident's id and asset.
pub(super) fn incident(bundle: &Bundle, charters: &BTreeMap<CharterVersion, Charter>, checks: &mut Checks) {
    let incident = &bundle.incident;
    let id = incident_id(bundle.network, &incident.asset, incident.generation);
    let subject = incident.id.short();
    if id != incident.id {
        checks.fails(
            "incident-id",
            subject,
            format!("asset and generation make {id}, the bundle says {}", incident.id),
        );
    } else if !charters.values().any(|charter| charter.assets.contains_key(&incident.asset)) {
        checks.fails("incident-id", subject, format!("no charter has asset {}", incident.asset));
    } else {
        checks.holds("incident-id", subject, format!("{} #{}", incident.asset, incident.generation));
    }
}
