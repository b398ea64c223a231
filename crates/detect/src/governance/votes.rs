//! Votes that were lent and given back in the transaction that used them: it fires at its block and stands for a stated time.
//!
//! Somebody gives so many of the token or more, then a governor or timelock says that something was done, then the same account gets as many back, in one
//! transaction: a flash loan that votes, proposes or executes. An exchange does one of the two, and who lends over several transactions is not seen. The
//! account may be nobody, where a token lends by making more of itself.
//!
//! Memory: 65 blocks with such a transaction. Time: a look at each of a block's transfers of the token.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::BorrowedVotes;
use watchfire_charter::privileged::{GOVERNING, TRANSFER};
use watchfire_types::{BlockRef, BlockView, Log};

use super::told;
use crate::abi::address;
use crate::detectors::Evaluation;
use crate::sightings::Sightings;

/// Loans of one block: the first, and how many transactions have one.
struct Seen {
    loan: Loan,
    count: u64,
}

/// What was lent around an act of governance.
struct Loan {
    lender: Address,
    amount: U256,
    governor: Address,
    what: String,
    transaction: B256,
}

/// An account that has given.
#[derive(Default)]
struct Lender {
    given: U256,
    /// What it was given back since the act that came after it had given enough.
    back: Option<U256>,
}

/// One transaction, as far as its logs were looked at.
#[derive(Default)]
struct Course<'a> {
    lenders: BTreeMap<Address, Lender>,
    /// The newest act.
    act: Option<&'a Log>,
}

/// One rule about borrowed votes.
pub(crate) struct VotesWatch {
    rule: BorrowedVotes,
    seen: Sightings<Seen>,
}

impl VotesWatch {
    pub(crate) fn new(rule: BorrowedVotes) -> Self {
        let seen = Sightings::new(rule.stands_s);
        Self { rule, seen }
    }

    pub(super) fn seen(&self) -> &Sightings<impl Sized> {
        &self.seen
    }

    pub(super) fn keys(&self) -> Vec<(Address, B256)> {
        let topics: BTreeSet<B256> =
            GOVERNING.iter().map(|(topic, _)| *topic).chain(self.rule.events.keys().copied()).collect();
        let acts = self.rule.from.iter().flat_map(|from| topics.iter().map(|topic| (*from, *topic)));
        acts.chain([(self.rule.token, TRANSFER)]).collect()
    }

    pub(super) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let mut courses: BTreeMap<B256, Course<'a>> = BTreeMap::new();
        let mut loans: Vec<Loan> = Vec::new();
        for log in logs {
            let course = courses.entry(log.transaction).or_default();
            if loans.iter().all(|loan| loan.transaction != log.transaction) {
                loans.extend(self.goes_on(course, log));
            }
        }
        let count = loans.len() as u64;
        self.seen.take(&view.block, loans.into_iter().next().map(|loan| Seen { loan, count }));
        self.seen.standing(&view.block, floor).map_or(Evaluation::Quiet, |(block, seen)| seen.tell(block.number))
    }

    /// Takes the next log of a transaction; answers the loan that it ends.
    fn goes_on<'a>(&self, course: &mut Course<'a>, log: &'a Log) -> Option<Loan> {
        if self.what(log).is_some() {
            course.act = Some(log);
            let enough = course.lenders.values_mut().filter(|lender| lender.given >= self.rule.least);
            enough.for_each(|lender| lender.back = Some(lender.back.unwrap_or_default()));
        }
        let (from, to, amount) = self.moved(log).filter(|(from, to, _)| from != to)?;
        let giver = course.lenders.entry(from).or_default();
        giver.given = giver.given.saturating_add(amount);
        let lender = course.lenders.get_mut(&to)?;
        let back = lender.back.as_mut()?;
        *back = back.saturating_add(amount);
        let act = course.act.filter(|_| *back >= self.rule.least)?;
        Some(Loan {
            lender: to,
            amount: lender.given.min(*back),
            governor: act.address,
            what: self.what(act)?.to_owned(),
            transaction: log.transaction,
        })
    }

    /// What a governor or timelock says was done.
    fn what(&self, log: &Log) -> Option<&str> {
        let topic = log.topics.first().filter(|_| self.rule.from.contains(&log.address))?;
        let known = GOVERNING.iter().find(|(known, _)| known == topic).map(|(_, signature)| *signature);
        known.or_else(|| self.rule.events.get(topic).map(String::as_str))
    }

    /// From whom to whom how much of the token went.
    fn moved(&self, log: &Log) -> Option<(Address, Address, U256)> {
        let [TRANSFER, from, to] = log.topics[..] else { return None };
        let amount = log.data.get(..32).filter(|_| log.address == self.rule.token)?;
        Some((address(&from)?, address(&to)?, U256::from_be_slice(amount)))
    }

    pub(super) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
    }
}

impl Seen {
    fn tell(&self, block: u64) -> Evaluation {
        let Loan { lender, amount, governor, what, transaction } = &self.loan;
        let who = if lender.is_zero() { "nobody".to_owned() } else { lender.to_string() };
        let more = if self.count > 1 { format!(", and {} more such in it", self.count - 1) } else { String::new() };
        let what = told(what);
        Evaluation::Fires {
            explanation: format!(
                "{amount} base units of votes were lent by {who} and given back around {what} of {governor}, in transaction \
                 {transaction} of block {block}{more}"
            ),
            figures: super::figures([
                ("governor", governor.to_string()),
                ("what", what),
                ("lender", who),
                ("amount", amount.to_string()),
                ("transaction", transaction.to_string()),
                ("event_block", block.to_string()),
                ("count", self.count.to_string()),
            ]),
        }
    }
}

#[cfg(test)]
#[path = "votes_tests.rs"]
mod tests;
