//! An expression over an event, a call or a transaction: it fires at its block and stands for a stated time.
//!
//! Where an expression has no answer about one log or transaction, that one is counted and left out: it is no finding, it hides no other of
//! its block, and it is nobody else's concern.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use watchfire_charter::expression::{Expression, Facts, NoAnswer, Subject};
use watchfire_types::{BlockRef, BlockView, Log, Transaction};

use crate::detectors::Evaluation;
use crate::sightings::Sightings;

/// Most bytes of an explanation that is cut: the wire takes 512, with the dots.
pub(crate) const EXPLANATION_MAX: usize = 509;
/// Most bytes of an expression's text within an explanation, and of all fields within it.
const TEXT_MAX: usize = 120;
const FIELDS_MAX: usize = 200;
/// Most figures that are fields, and most bytes of one.
const FIGURES_MAX: usize = 24;
const FIGURE_MAX: usize = 120;

struct Seen {
    transaction: B256,
    count: u64,
    /// Of the first that it held of.
    fields: Vec<(String, String)>,
}

/// By what the logs or transactions are found that concern an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Logs of a contract with a first topic.
    Log(Address, B256),
    /// Transactions of an account, as [`call_key`] or [`ANY_CALL`] names them.
    Transaction(Address, B256),
}

/// Transactions from or to an account, whatever they call.
pub(crate) const ANY_CALL: B256 = B256::ZERO;

/// Transactions to an account whose call data begins with these four bytes.
pub(crate) fn call_key(selector: [u8; 4]) -> B256 {
    let mut key = B256::repeat_byte(0xff);
    key.0[..4].copy_from_slice(&selector);
    key
}

/// One expression rule.
pub(crate) struct ExpressionWatch {
    over: Subject,
    address: Address,
    expression: Expression,
    seen: Sightings<Seen>,
    unanswered: BTreeMap<NoAnswer, u64>,
}

impl ExpressionWatch {
    pub(crate) fn new(over: Subject, address: Address, expression: Expression, stands_s: u64) -> Self {
        Self { over, address, expression, seen: Sightings::new(stands_s), unanswered: BTreeMap::new() }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.seen.stands_s()
    }

    pub(crate) fn key(&self) -> Key {
        match &self.over {
            Subject::Event { topic, .. } => Key::Log(self.address, *topic),
            Subject::Call { selector, .. } => Key::Transaction(self.address, call_key(*selector)),
            Subject::Transaction => Key::Transaction(self.address, ANY_CALL),
        }
    }

    pub(crate) fn may_stand_after(&self, at: &BlockRef) -> bool {
        self.seen.may_stand_after(at)
    }

    /// How often it had no answer, by reason, since it began; a reorg takes none of it back.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (NoAnswer, u64)> {
        self.unanswered.iter().map(|(cause, count)| (*cause, *count))
    }

    /// Takes a block with those of its logs or transactions, in order, that have [`Self::key`]; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        transactions: impl Iterator<Item = &'a Transaction>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let seen = match self.key() {
            Key::Log(address, topic) => {
                let concerns = |log: &&Log| log.address == address && log.topics.first() == Some(&topic);
                let facts = logs.filter(concerns).map(|log| (log.transaction, Facts::Log(log, &view.block)));
                self.judge(facts)
            }
            Key::Transaction(address, _) => {
                let selector = match &self.over {
                    Subject::Call { selector, .. } => Some(*selector),
                    Subject::Event { .. } | Subject::Transaction => None,
                };
                let concerns = |one: &&Transaction| match selector {
                    Some(selector) => one.to == Some(address) && one.input.starts_with(&selector),
                    None => one.to == Some(address) || one.from == address,
                };
                let facts = transactions.filter(concerns).map(|one| (one.hash, Facts::Transaction(one, &view.block)));
                self.judge(facts)
            }
        };
        self.seen.take(&view.block, seen);
        match self.seen.standing(&view.block, floor) {
            Some((block, seen)) => self.fires(block, seen),
            None => Evaluation::Quiet,
        }
    }

    fn judge<'a>(&mut self, facts: impl Iterator<Item = (B256, Facts<'a>)>) -> Option<Seen> {
        let mut seen: Option<Seen> = None;
        for (transaction, facts) in facts {
            match self.expression.holds(&self.over, &facts) {
                Ok(None) => {}
                Ok(Some(mut fields)) => {
                    fields.truncate(FIGURES_MAX);
                    fields.iter_mut().for_each(|(_, value)| *value = cut(value, FIGURE_MAX));
                    seen.get_or_insert(Seen { transaction, count: 0, fields }).count += 1;
                }
                Err(cause) => {
                    let count = self.unanswered.entry(cause).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        seen
    }

    fn fires(&self, block: &BlockRef, seen: &Seen) -> Evaluation {
        let Seen { transaction, count, fields } = seen;
        let source = self.expression.source().split_whitespace().collect::<Vec<_>>().join(" ");
        let told = fields.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
        let told = if told.is_empty() { told } else { format!("; {}", cut(&told, FIELDS_MAX)) };
        let explanation = format!(
            "{} holds {count} time(s) of {} of {} at block {}{told}",
            cut(&source, TEXT_MAX),
            cut(self.over.name(), 60),
            self.address,
            block.number
        );
        let mut figures: BTreeMap<String, String> = fields.iter().cloned().collect();
        figures.extend([
            ("event_block".to_owned(), block.number.to_string()),
            ("count".to_owned(), count.to_string()),
            ("transaction".to_owned(), transaction.to_string()),
        ]);
        Evaluation::Fires { explanation, figures }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
    }
}

/// At most so many bytes, and dots where that is not all.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests;
