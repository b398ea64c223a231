//! A monitor's file as it is: what is of a shape that nobody expects is named and left out.

use std::collections::BTreeMap;

use alloy_json_abi::JsonAbi;
use alloy_primitives::Address;
use serde_json::{Map, Value};

use super::Import;
use crate::reader::short;

/// Keys of a monitor that are read, or whose absence changes nothing.
const KEYS: &[&str] =
    &["name", "paused", "networks", "addresses", "match_conditions", "trigger_conditions", "triggers"];
const CONDITIONS: &[&str] = &["functions", "events", "transactions"];

/// One monitor.
pub(super) struct Monitor {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) networks: Vec<String>,
    pub(super) addresses: Vec<Watched>,
    pub(super) functions: Vec<Condition>,
    pub(super) events: Vec<Condition>,
    pub(super) transactions: Vec<Condition>,
    /// Whether scripts filter what it matches.
    pub(super) filtered: bool,
    pub(super) paused: bool,
}

/// An account that it watches, with what is known of its code.
pub(super) struct Watched {
    pub(super) address: Address,
    pub(super) abi: Option<JsonAbi>,
}

/// One condition.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// Of a function or an event.
    pub(super) signature: String,
    pub(super) expression: Option<String>,
    /// Of a transaction.
    pub(super) status: Status,
}

/// Which transactions match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Any,
    Success,
    Failure,
}

/// The kind of chain that a network's file says its name stands for.
pub(super) fn network(object: &Value) -> Option<(String, String)> {
    let text = |key| object.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((text("slug")?, text("network_type")?.to_lowercase()))
}

pub(super) fn is_network(object: &Map<String, Value>) -> bool {
    object.contains_key("slug") && object.contains_key("network_type")
}

/// Why nothing of this network can be watched.
pub(super) fn foreign(network: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let kind = known.get(network).cloned().or_else(|| {
        let kinds = ["stellar", "solana", "midnight"];
        kinds.into_iter().find(|kind| network.to_lowercase().contains(kind)).map(str::to_owned)
    });
    kind.filter(|kind| kind != "evm").map(|kind| format!("{kind} is no EVM chain; no rule was made for it"))
}

impl Monitor {
    pub(super) fn read(file: &str, object: &Map<String, Value>, import: &mut Import) -> Self {
        let name = object.get("name").and_then(Value::as_str).unwrap_or("monitor").to_owned();
        let mut reader = Reader { file, name: &name, import };
        for key in object.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            reader.leave(key, "it is not known here; it was left out");
        }
        let networks = reader.list(object, "networks");
        let networks = networks.iter().filter_map(|network| reader.text("networks", network)).collect();
        let addresses = reader.list(object, "addresses");
        let addresses = addresses.iter().filter_map(|watched| reader.watched(watched)).collect();
        let none = Map::new();
        let conditions = object.get("match_conditions").and_then(Value::as_object).unwrap_or(&none);
        for key in conditions.keys().filter(|key| !CONDITIONS.contains(&key.as_str())) {
            reader.leave(&format!("match_conditions.{key}"), "it is not known here; it was left out");
        }
        let mut all = CONDITIONS.iter().map(|key| {
            let conditions = reader.list(conditions, key);
            conditions.iter().filter_map(|condition| reader.condition(key, condition)).collect::<Vec<_>>()
        });
        let [functions, events, transactions] = [(); 3].map(|()| all.next().unwrap_or_default());
        drop(all);
        let scripts = reader.list(object, "trigger_conditions");
        for script in &scripts {
            let path = script.get("script_path").and_then(Value::as_str).unwrap_or("a script");
            let why = "no rule runs a script; what it would have filtered out is found as well, as context";
            reader.leave(&format!("trigger_conditions: {}", short(path)), why);
        }
        for trigger in reader.list(object, "triggers") {
            let named = trigger.as_str().unwrap_or("one without a name");
            let why = "whom a node tells stands in its own configuration; it was left out";
            reader.leave(&format!("triggers: {}", short(named)), why);
        }
        let paused = object.get("paused").and_then(Value::as_bool).unwrap_or(false);
        let (file, filtered) = (file.to_owned(), !scripts.is_empty());
        Self { file, name, networks, addresses, functions, events, transactions, filtered, paused }
    }
}

struct Reader<'a> {
    file: &'a str,
    name: &'a str,
    import: &'a mut Import,
}

impl Reader<'_> {
    fn leave(&mut self, item: &str, why: &str) {
        self.import.leave(self.file, self.name, item, why.to_owned());
    }

    fn list(&mut self, object: &Map<String, Value>, key: &str) -> Vec<Value> {
        match object.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values.clone(),
            Some(_) => {
                self.leave(key, "it is no list; it was left out");
                Vec::new()
            }
        }
    }

    fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.leave(key, "an entry is no text; it was left out");
        }
        text
    }

    fn watched(&mut self, value: &Value) -> Option<Watched> {
        let text = value.get("address").or(Some(value)).and_then(Value::as_str).unwrap_or_default();
        let Ok(address) = text.parse::<Address>() else {
            self.leave(
                &format!("addresses: {}", short(text)),
                "it is no address of an EVM chain; no rule was made for it",
            );
            return None;
        };
        let spec = value.get("contract_spec").filter(|spec| !spec.is_null());
        let abi = spec.and_then(|spec| match serde_json::from_value(spec.clone()) {
            Ok(abi) => Some(abi),
            Err(error) => {
                let why = format!("it is no ABI of an EVM contract ({error}); parameters have no names then");
                self.leave(&format!("addresses: {address}: contract_spec"), &why);
                None
            }
        });
        Some(Watched { address, abi })
    }

    fn condition(&mut self, key: &str, value: &Value) -> Option<Condition> {
        let item = format!("match_conditions.{key}");
        let Some(object) = value.as_object() else {
            self.leave(&item, "a condition is no object; it was left out");
            return None;
        };
        for other in object.keys().filter(|other| !["signature", "expression", "status"].contains(&other.as_str())) {
            self.leave(&format!("{item}.{other}"), "it is not known here; it was left out");
        }
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        let status = match text("status").map(|status| status.to_lowercase()).as_deref() {
            None | Some("any") => Status::Any,
            Some("success") => Status::Success,
            Some("failure") => Status::Failure,
            Some(other) => {
                self.leave(
                    &format!("{item}.status"),
                    &format!("{:?} is no status; it was taken for any", short(other)),
                );
                Status::Any
            }
        };
        let signature: String = text("signature").unwrap_or_default().split_whitespace().collect();
        if signature.is_empty() && key != "transactions" {
            self.leave(&item, "a condition has no signature; it was left out");
            return None;
        }
        let expression = text("expression").filter(|expression| !expression.trim().is_empty());
        Some(Condition { signature, expression, status })
    }
}
