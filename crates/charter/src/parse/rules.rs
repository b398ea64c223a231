//! Quorum rules as written; whether they can be met is judged in [`crate::quorum`].

use std::collections::BTreeMap;

use crate::model::{Rule, Rules};
use crate::reader::{Place, Section, Value};

/// The network's rules and where each stands.
#[derive(Debug)]
pub(crate) struct PlacedRules {
    pub(crate) rules: Rules,
    pub(crate) places: [Place; 5],
}

impl PlacedRules {
    /// Name, rule and place of each, narrowest purpose first, `tune` last.
    pub(crate) fn each(&self) -> [(&'static str, &Rule, &Place); 5] {
        let [contain, extend, recover, amend, tune] = &self.places;
        [
            ("contain", &self.rules.contain, contain),
            ("extend", &self.rules.extend, extend),
            ("recover", &self.rules.recover, recover),
            ("amend", &self.rules.amend, amend),
            ("tune", &self.rules.tune, tune),
        ]
    }
}

/// Reads `[rules.*]`; `None` where any of the five has a fault.
pub(crate) fn read(root: &mut Section<'_>) -> Option<PlacedRules> {
    let what = "the tables rules.contain, rules.extend, rules.recover, rules.amend and rules.tune";
    let mut section = root.need("rules", what)?.section()?;
    let mut one = |key: &'static str| {
        let value = section.need(key, "organisations, operators and roles");
        value.and_then(|value| Some((rule(&value)?, value.at)))
    };
    let (contain, extend, recover, amend, tune) =
        (one("contain"), one("extend"), one("recover"), one("amend"), one("tune"));
    section.finish();
    let ((contain, a), (extend, b), (recover, c), (amend, d), (tune, e)) = (contain?, extend?, recover?, amend?, tune?);
    Some(PlacedRules { rules: Rules { contain, extend, recover, amend, tune }, places: [a, b, c, d, e] })
}

/// One rule.
pub(crate) fn rule(value: &Value<'_>) -> Option<Rule> {
    let mut section = value.section()?;
    let organisations = section.need("organisations", "least number of organisations").and_then(|v| v.count(1));
    let operators = section.need("operators", "least number of operator labels").and_then(|v| v.count(1));
    let mut roles = BTreeMap::new();
    if let Some(table) = section.get("roles").and_then(|value| value.section()) {
        for (name, value) in table.entries() {
            // The name is data here, so it is checked as a role written as a value would be.
            if let (Some(name), Some(least)) = (role_name(&value, &name), value.count(1)) {
                roles.insert(name, least);
            }
        }
    }
    section.finish();
    Some(Rule { organisations: organisations?, operators: operators?, roles })
}

fn role_name(value: &Value<'_>, name: &str) -> Option<String> {
    match name.parse::<watchfire_types::OperatorId>() {
        Ok(name) => Some(name.to_string()),
        Err(error) => {
            value.fault("malformed", error, "write a role such as security");
            None
        }
    }
}
