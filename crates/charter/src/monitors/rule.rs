//! From a monitor's conditions to detectors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use alloy_primitives::Address;

use super::declared::{self, Declared, Field};
use super::shape::{Condition, Monitor, Status, Watched, foreign};
use super::{Import, Made, RULES_MAX, Wishes, condition};

/// Most bytes of a rule's id before its number.
const ID_MAX: usize = 56;

/// What a rule is about.
enum About<'a> {
    Event(&'a Condition),
    Function(&'a Condition),
    Transaction,
}

/// What the conditions about transactions come to.
struct Gate {
    /// In CEL; `None` where any transaction will do.
    expression: Option<String>,
    /// Whether all of it is in the expression.
    whole: bool,
}

/// Adds the monitor's rules, and names what they leave out.
pub(super) fn translate(
    monitor: &Monitor,
    networks: &BTreeMap<String, String>,
    wishes: &Wishes,
    taken: &mut BTreeSet<String>,
    import: &mut Import,
) {
    let mut work = Work { monitor, wishes, taken, import };
    if monitor.paused {
        work.leave("paused", "the monitor is paused; no rule was made for it");
        return;
    }
    if monitor.addresses.is_empty() {
        work.leave("addresses", "it watches every contract, and a rule one; no rule was made for it");
        return;
    }
    if monitor.networks.is_empty() {
        work.leave("networks", "it watches no network; no rule was made for it");
    }
    let gate = work.gate();
    for network in &monitor.networks {
        if let Some(why) = foreign(network, networks) {
            work.leave(&format!("networks: {network}"), &why);
            continue;
        }
        for watched in &monitor.addresses {
            if monitor.events.is_empty() && monitor.functions.is_empty() {
                work.one(network, watched, &About::Transaction, gate.as_ref());
            }
            monitor.events.iter().for_each(|event| work.one(network, watched, &About::Event(event), gate.as_ref()));
            let functions = monitor.functions.iter();
            functions.for_each(|function| work.one(network, watched, &About::Function(function), gate.as_ref()));
        }
    }
}

struct Work<'a> {
    monitor: &'a Monitor,
    wishes: &'a Wishes,
    taken: &'a mut BTreeSet<String>,
    import: &'a mut Import,
}

impl Work<'_> {
    fn leave(&mut self, item: &str, why: &str) {
        let seen = |left: &super::Left| left.file == self.monitor.file && left.item == item && left.why == why;
        if !self.import.left.iter().any(seen) {
            self.import.leave(&self.monitor.file, &self.monitor.name, item, why.to_owned());
        }
    }

    /// What any transaction condition asks; `None` where one of them cannot be translated, so that a rule would find less.
    fn gate(&mut self) -> Option<Gate> {
        let fields = transaction_fields();
        let (mut parts, mut open, mut whole) = (Vec::new(), self.monitor.transactions.is_empty(), true);
        for condition in &self.monitor.transactions {
            if condition.status != Status::Any {
                whole = false;
            }
            let Some(source) = &condition.expression else {
                open = true;
                continue;
            };
            match condition::translate(source, &fields) {
                Ok(told) => parts.push(format!("({told})")),
                Err(why) => {
                    let why = format!("{why}; no rule about calls or transactions was made of this monitor");
                    self.leave(&format!("match_conditions.transactions: {source}"), &why);
                    return None;
                }
            }
        }
        let expression = (!open).then(|| parts.join(" || "));
        Some(Gate { expression, whole })
    }

    fn one(&mut self, network: &str, watched: &Watched, about: &About<'_>, gate: Option<&Gate>) {
        let (item, context) = match about {
            About::Event(condition) => {
                (format!("match_conditions.events: {}", condition.signature), self.events_say(condition, gate))
            }
            About::Function(condition) => {
                (format!("match_conditions.functions: {}", condition.signature), self.calls_say(gate))
            }
            About::Transaction => ("match_conditions.transactions".to_owned(), self.calls_say(gate)),
        };
        let Some(context) = context else { return };
        let body = match body(watched, about, gate) {
            Ok(body) => body,
            Err(why) => return self.leave(&item, &format!("{why}; no rule was made of it")),
        };
        if self.import.rules.len() >= RULES_MAX {
            return self
                .leave(&item, &format!("an import makes at most {RULES_MAX} rules; import the monitors in parts"));
        }
        let id = self.id(match about {
            About::Event(condition) | About::Function(condition) => &condition.signature,
            About::Transaction => "transaction",
        });
        let asset = self.wishes.assets.get(network).cloned().unwrap_or_else(|| plain(network, 64));
        let class = if context { "class = \"context\"\n" } else { "" };
        let Wishes { severity, stands_s, .. } = self.wishes;
        let toml = format!(
            "[[detector]]\nid = \"{id}\"\nasset = \"{asset}\"\nseverity = \"{severity}\"\n{class}{body}stands_s = {stands_s}\n"
        );
        // Nothing leaves here that a charter would not take.
        match crate::parse_rules(&toml) {
            Ok(_) => self.import.rules.push(Made { id, monitor: self.monitor.name.clone(), toml }),
            Err(faults) => {
                let why = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
                self.leave(&item, &format!("{why}; no rule was made of it"));
            }
        }
    }

    /// Whether a rule about an event is context; `None` where there can be none.
    fn events_say(&mut self, event: &Condition, gate: Option<&Gate>) -> Option<bool> {
        let item = format!("match_conditions.events: {}", event.signature);
        let conditions = &self.monitor.transactions;
        let failing = !conditions.is_empty() && conditions.iter().all(|one| one.status == Status::Failure);
        if failing {
            self.leave(&item, "a transaction that failed has no events; no rule was made of it");
            return None;
        }
        let asks = gate.is_none_or(|gate| gate.expression.is_some());
        if asks {
            let why = "a log does not tell its transaction's fields; events of other transactions are found as well, as context";
            self.leave(&item, why);
        }
        Some(asks || self.monitor.filtered)
    }

    /// Whether a rule about a call or a transaction is context; `None` where there can be none.
    fn calls_say(&mut self, gate: Option<&Gate>) -> Option<bool> {
        let gate = gate?;
        if !gate.whole {
            let why = "a rule does not know whether a transaction succeeded; others are found as well, as context";
            self.leave("match_conditions.transactions: status", why);
        }
        Some(!gate.whole || self.monitor.filtered)
    }

    /// An id that no other rule has.
    fn id(&mut self, what: &str) -> String {
        let what = what.split('(').next().unwrap_or_default();
        let base = plain(&format!("{}-{what}", self.monitor.name), ID_MAX);
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let id = std::iter::once(base.clone()).chain(numbered).find(|id| !self.taken.contains(id)).unwrap_or(base);
        self.taken.insert(id.clone());
        id
    }
}

fn transaction_fields() -> Vec<Field> {
    let fields = [("value", "uint256"), ("from", "address"), ("to", "address"), ("hash", "bytes32")];
    let mut fields: Vec<Field> =
        fields.into_iter().map(|(name, ty)| Field::plain(name, &format!("tx.{name}"), ty)).collect();
    fields.push(Field::plain("input", "tx.input", "tx.input"));
    fields
}

/// The lines of a detector that say what it watches.
fn body(watched: &Watched, about: &About<'_>, gate: Option<&Gate>) -> Result<String, String> {
    let Watched { address, abi } = watched;
    match about {
        About::Event(condition) => {
            let Some(source) = &condition.expression else {
                let Condition { signature, .. } = condition;
                return Ok(format!("kind = \"event\"\naddress = \"{address}\"\nevent = \"{}\"\n", quoted(signature)?));
            };
            let declared = abi.as_ref().and_then(|abi| declared::event(abi, &condition.signature));
            let declared = declared.ok_or("its ABI does not declare the event, so that parameters have no names")?;
            let expression = condition::translate(source, &declared.fields)?;
            expression_of("event", "event", &declared.text, *address, &expression)
        }
        About::Function(condition) => {
            let declared = abi.as_ref().and_then(|abi| declared::function(abi, &condition.signature));
            let declared = match (declared, &condition.expression) {
                (Some(declared), _) => declared,
                (None, None) => Declared { text: condition.signature.clone(), fields: Vec::new() },
                (None, Some(_)) => {
                    return Err("its ABI does not declare the function, so that parameters have no names".to_owned());
                }
            };
            let own = condition
                .expression
                .as_ref()
                .map(|source| condition::translate(source, &declared.fields))
                .transpose()?;
            let gate = gate.and_then(|gate| gate.expression.clone());
            let expression = match (own, gate) {
                (Some(own), Some(gate)) => format!("({own}) && ({gate})"),
                (own, gate) => own.or(gate).unwrap_or_else(|| "true".to_owned()),
            };
            expression_of("call", "function", &declared.text, *address, &expression)
        }
        About::Transaction => {
            let expression = gate.and_then(|gate| gate.expression.clone()).unwrap_or_else(|| "true".to_owned());
            expression_of("transaction", "", "", *address, &expression)
        }
    }
}

fn expression_of(
    over: &str,
    key: &str,
    declaration: &str,
    address: Address,
    expression: &str,
) -> Result<String, String> {
    let mut body = format!("kind = \"expression\"\nover = \"{over}\"\n");
    if !key.is_empty() {
        let _ = writeln!(body, "{key} = \"{}\"", quoted(declaration)?);
    }
    let escaped = expression.replace('\\', "\\\\").replace('"', "\\\"");
    let _ = writeln!(body, "address = \"{address}\"\nexpression = \"{escaped}\"");
    Ok(body)
}

/// A declaration that does not leave its quotes.
fn quoted(text: &str) -> Result<&str, String> {
    let sound = text.chars().all(|c| c.is_ascii_alphanumeric() || " _$(),[]".contains(c));
    if sound { Ok(text) } else { Err("its signature has characters that no Solidity name has".to_owned()) }
}

/// A name as ids are written.
fn plain(text: &str, most: usize) -> String {
    let mut told = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            told.push(c);
        } else if !told.is_empty() && !told.ends_with('-') {
            told.push('-');
        }
    }
    told.truncate(most);
    let told = told.trim_end_matches('-');
    if told.is_empty() { "imported".to_owned() } else { told.to_owned() }
}
