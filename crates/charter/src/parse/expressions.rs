//! Detector rules in CEL: `kind = "expression"`.

use super::detectors::MONTH_S;
use super::references::address;
use crate::expression::{Expression, Subject};
use crate::model::Watch;
use crate::reader::{Section, Value};

/// `over`, what is declared for it, `address`, `expression`, `stands_s`.
pub(super) fn expression(section: &mut Section<'_>) -> Option<Watch> {
    let over = section.need("over", "event, call or transaction");
    let over = over.and_then(|over| subject(section, &over));
    let about = section.need("address", "the contract's address, or the account's").and_then(|value| address(&value));
    let text = section.need("expression", "in CEL, such as value > uint256(\"1000000\")");
    // Judged even where other keys are wrong, but never against a subject that nobody declared.
    let expression = text.and_then(|value| compiled(&value, over.as_ref()?));
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    Some(Watch::Expression { over: over?, address: about?, expression: expression?, stands_s: stands_s? })
}

fn subject(section: &mut Section<'_>, over: &Value<'_>) -> Option<Subject> {
    match over.text()?.as_str() {
        "event" => {
            let example = "Transfer(address indexed from, address indexed to, uint256 value)";
            let value = section.need("event", &format!("as declared, with names: {example}"))?;
            let read = Subject::event(&value.text()?);
            read.map_err(|message| value.fault("bad-event", message, format!("write such as {example}"))).ok()
        }
        "call" => {
            let example = "withdraw(uint256 amount)";
            let value = section.need("function", &format!("as declared, with names: {example}"))?;
            let read = Subject::call(&value.text()?);
            read.map_err(|message| value.fault("bad-call", message, format!("write such as {example}"))).ok()
        }
        "transaction" => Some(Subject::Transaction),
        other => {
            let remedy = "write event, call or transaction";
            over.fault("unknown-kind", format!("{other:?} is nothing that an expression can be about"), remedy);
            None
        }
    }
}

fn compiled(value: &Value<'_>, subject: &Subject) -> Option<Expression> {
    let source = value.source()?;
    let compiled = Expression::compile(source, subject);
    compiled
        .map_err(|mistake| {
            let excerpt = mistake.excerpt(source);
            value.fault_under(mistake.kind, &mistake.message, &mistake.remedy, excerpt);
        })
        .ok()
}

#[cfg(test)]
#[path = "expressions_tests.rs"]
mod tests;
