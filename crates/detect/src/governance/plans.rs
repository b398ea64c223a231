//! What governors and timelocks are about to do to what is watched: it fires where it is proposed or scheduled, and stands for a stated time.
//!
//! A call touches what is watched where it goes there, or where it is one of [`watchfire_charter::privileged::functions`] and names it among its first
//! arguments (an admin contract that upgrades a proxy). A proposal is an ordinary thing that anybody with enough votes makes: it is told, and
//! voted on only where the charter says so. What it does when it is carried out is what rules about authority and state see.
//!
//! Memory: 65 blocks with such a call.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_charter::Governance;
use watchfire_charter::expression::NoAnswer;
use watchfire_charter::privileged::functions;
use watchfire_types::body::Selector;
use watchfire_types::{BlockRef, BlockView, Log};

use super::decode::{CALL_SCHEDULED, PROPOSAL_CREATED, Plan, QUEUE_TRANSACTION, plan};
use super::told;
use crate::detectors::Evaluation;
use crate::nested::Call;
use crate::sightings::Sightings;

/// Calls of one block that touch what is watched: the one to tell, and how many.
struct Seen {
    touch: Touch,
    count: u64,
}

/// One call of a plan.
struct Touch {
    governor: Address,
    /// Proposal or operation.
    plan: String,
    /// `owner`, `role`, `upgrade`, ..., `listed`, `call`.
    privilege: &'static str,
    contract: Address,
    what: String,
    /// Its number in the plan, 1 first, of how many.
    place: (usize, usize),
    transaction: B256,
}

/// One rule about governance.
pub(crate) struct PlansWatch {
    from: BTreeSet<Address>,
    watched: BTreeSet<Address>,
    functions: BTreeMap<Selector, (&'static str, String)>,
    undecodable: u64,
    too_long: u64,
    seen: Sightings<Seen>,
}

impl PlansWatch {
    /// `group`: what is watched where the rule names nothing.
    pub(crate) fn new(rule: &Governance, group: &BTreeSet<Address>) -> Self {
        let Governance { from, targets, functions: listed, stands_s } = rule;
        let listed = listed.iter().map(|(selector, signature)| (*selector, ("listed", signature.clone())));
        let known = functions::by_selector().into_iter();
        let known = known.map(|(selector, (of, signature))| (selector, (of.name(), signature.to_owned())));
        let targets = if targets.is_empty() { group } else { targets };
        Self {
            from: from.clone(),
            watched: targets.union(from).copied().collect(),
            functions: listed.chain(known).collect(),
            undecodable: 0,
            too_long: 0,
            seen: Sightings::new(*stands_s),
        }
    }

    pub(super) fn seen(&self) -> &Sightings<impl Sized> {
        &self.seen
    }

    /// The contracts and first topics of its events.
    pub(super) fn keys(&self) -> Vec<(Address, B256)> {
        let topics = [PROPOSAL_CREATED, CALL_SCHEDULED, QUEUE_TRANSACTION];
        self.from.iter().flat_map(|from| topics.map(|topic| (*from, topic))).collect()
    }

    /// How many of its logs were not read, and why.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (NoAnswer, u64)> {
        let causes = [(NoAnswer::Undecodable, self.undecodable), (NoAnswer::TooLong, self.too_long)];
        causes.into_iter().filter(|(_, count)| *count > 0)
    }

    /// Takes a block with those of its logs that have one of [`Self::keys`], in order; others among them do no harm.
    pub(super) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let mut touches = Vec::new();
        for log in logs.filter(|log| self.from.contains(&log.address)) {
            match plan(log) {
                None => {}
                Some(Ok(plan)) => touches.extend(self.touches(log, &plan)),
                Some(Err(NoAnswer::TooLong)) => self.too_long = self.too_long.saturating_add(1),
                Some(Err(_)) => self.undecodable = self.undecodable.saturating_add(1),
            }
        }
        let count = touches.len() as u64;
        // What is known by its function says more than that something is called; of several the first, as `min_by_key` answers.
        let told = touches.into_iter().min_by_key(|touch| touch.privilege == "call");
        self.seen.take(&view.block, told.map(|touch| Seen { touch, count }));
        self.seen.standing(&view.block, floor).map_or(Evaluation::Quiet, |(block, seen)| seen.tell(block.number))
    }

    /// One for each of its calls that touches what is watched, itself or by what it calls.
    fn touches<'a>(&'a self, log: &'a Log, plan: &'a Plan<'a>) -> impl Iterator<Item = Touch> + 'a {
        let touch = |(place, call): (usize, &Call<'a>)| {
            let all = call.open(true).all();
            let touches = all.iter().filter_map(|call| self.touch(call));
            let (privilege, contract, what) = touches.min_by_key(|(privilege, ..)| *privilege == "call")?;
            let place = (place + 1, plan.calls.len());
            let (governor, transaction) = (log.address, log.transaction);
            Some(Touch { governor, plan: plan.name.clone(), privilege, contract, what, place, transaction })
        };
        plan.calls.iter().enumerate().filter_map(touch)
    }

    /// What a call would do to what is watched: what is changed, where, and by which function.
    fn touch(&self, call: &Call<'_>) -> Option<(&'static str, Address, String)> {
        let known = call.selector.and_then(|selector| self.functions.get(&selector));
        let contract = functions::concerned(&self.watched, call.target, known.is_some(), call.arguments)?;
        let (privilege, what) = match (known, call.selector) {
            (Some((privilege, signature)), _) => (*privilege, told(signature)),
            (None, Some(selector)) => ("call", format!("a function that is not known here, {selector}")),
            (None, None) => ("call", "a transfer of value".to_owned()),
        };
        Some((privilege, contract, what))
    }

    pub(super) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
    }
}

impl Seen {
    fn tell(&self, block: u64) -> Evaluation {
        let Touch { governor, plan, privilege, contract, what, place: (place, of), transaction } = &self.touch;
        let act = match *privilege {
            "call" | "listed" => format!("would call {what} of {contract}"),
            privilege => format!("would change the {privilege} of {contract}: {what}"),
        };
        let more =
            if self.count > 1 { format!(", and {} more such calls in it", self.count - 1) } else { String::new() };
        let figures = super::figures([
            ("governor", governor.to_string()),
            ("plan", plan.clone()),
            ("privilege", (*privilege).to_owned()),
            ("contract", contract.to_string()),
            ("what", what.clone()),
            ("call", place.to_string()),
            ("calls", of.to_string()),
            ("transaction", transaction.to_string()),
            ("event_block", block.to_string()),
            ("count", self.count.to_string()),
        ]);
        Evaluation::Fires {
            explanation: format!(
                "{plan} of {governor} {act} (call {place} of {of}), in transaction {transaction} of block {block}{more}"
            ),
            figures,
        }
    }
}

#[cfg(test)]
#[path = "plans_tests.rs"]
mod tests;
