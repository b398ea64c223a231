//! Somebody with authority over contracts used it, and nobody announced it: it fires at its block and stands for a stated time.
//!
//! Four acts are told: an event that only authority causes; a mint; a call of a listed function of a watched contract, made by a transaction that succeeded
//! straight to it or through contracts that the rule names, as far as their data tells what they call; any transaction of a listed account that was silent for long. The last is told only where the rule saw the whole silence: nodes that
//! backfill their longest window, as they do, agree about it.
//!
//! Memory: 65 blocks with an act, and for each listed account 65 blocks in which it acted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, b256};
use watchfire_charter::privileged::{EVENTS, Privilege, TRANSFER};
use watchfire_types::body::Selector;
use watchfire_types::{AssetId, BlockRef, BlockView, Log, Transaction};

use crate::detectors::Evaluation;
use crate::excuse::{Excuses, called, caused};
use crate::is_settled;
use crate::nested::{Call, Nested};
use crate::sightings::Sightings;

/// `ExecutionFailure(bytes32,uint256)` of a Safe: what it was told to call failed.
const EXECUTION_FAILURE: B256 = b256!("23428b18acfb3ea64b08dc0c1d296ea9c09702c09083ca5272e64d115b687d23");
/// Most characters of a signature in a line, and of a figure.
const NAME_MAX: usize = 128;

/// What a rule watches, as in `watchfire_charter::Watch::Authority`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) targets: BTreeSet<Address>,
    pub(crate) events: BTreeMap<B256, String>,
    pub(crate) functions: BTreeMap<Selector, String>,
    pub(crate) through: BTreeSet<Address>,
    pub(crate) mints: bool,
    pub(crate) admins: BTreeSet<Address>,
    pub(crate) dormant_s: u64,
    pub(crate) stands_s: u64,
}

/// The acts of one block that nobody announced: the first, and how many.
struct Seen {
    act: Act,
    count: u64,
}

/// One act.
struct Act {
    /// `owner`, `role`, `upgrade`, ..., `listed`, `call` or `dormant`.
    privilege: &'static str,
    contract: Option<Address>,
    account: Option<Address>,
    transaction: B256,
    /// Event or function; for a dormant account, how long it was silent.
    what: String,
}

/// One rule about authority.
pub(crate) struct AuthorityWatch {
    scope: Scope,
    /// By first topic: what an event tells of, and its signature.
    events: BTreeMap<B256, (&'static str, String)>,
    /// First block that was seen.
    began: Option<BlockRef>,
    /// Newest blocks in which each listed account acted.
    acted: BTreeMap<Address, VecDeque<BlockRef>>,
    seen: Sightings<Seen>,
}

impl AuthorityWatch {
    pub(crate) fn new(scope: Scope) -> Self {
        let listed = scope.events.iter().map(|(topic, signature)| (*topic, ("listed", signature.clone())));
        let known = EVENTS.iter().map(|event| (event.topic, (event.privilege.name(), event.signature.to_owned())));
        let events = listed.chain(known).collect();
        let stands_s = scope.stands_s;
        Self { scope, events, began: None, acted: BTreeMap::new(), seen: Sightings::new(stands_s) }
    }

    pub(crate) fn span_s(&self) -> u64 {
        self.scope.dormant_s.saturating_add(self.seen.stands_s())
    }

    /// The contracts and first topics of its events.
    pub(crate) fn keys(&self) -> Vec<(Address, B256)> {
        let transfer = (self.scope.mints && !self.events.contains_key(&TRANSFER)).then_some(TRANSFER);
        let topics: Vec<B256> = self.events.keys().copied().chain(transfer).collect();
        let of = |target: &Address| topics.iter().map(|topic| (*target, *topic)).collect::<Vec<_>>();
        let failures = self.scope.through.iter().map(|through| (*through, EXECUTION_FAILURE));
        self.scope.targets.iter().flat_map(of).chain(failures).collect()
    }

    /// Takes a block with those of its logs that have one of [`Self::keys`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
        asset: &AssetId,
        excuses: &Excuses<'_>,
    ) -> Evaluation {
        self.began.get_or_insert(view.block);
        let told = logs.filter_map(|log| Some((log, self.told(log, view)?)));
        let mut acts: Vec<Act> = told.filter(|(log, _)| !excuses.log(asset, log, view)).map(|(_, act)| act).collect();
        for transaction in &view.transactions {
            let announced = |call: &Call<'_>| excuses.call(asset, call);
            acts.extend(self.called(transaction, view, announced));
            acts.extend(self.woke(transaction, view).filter(|_| !called(transaction).is_some_and(|it| announced(&it))));
        }
        self.remember_acts(view);
        let count = acts.len() as u64;
        let seen = acts.into_iter().next().map(|act| Seen { act, count });
        self.seen.take(&view.block, seen);
        self.seen.standing(&view.block, floor).map_or(Evaluation::Quiet, |(block, seen)| seen.tell(block.number))
    }

    /// What a log tells of, if it is one that only authority causes.
    fn told(&self, log: &Log, view: &BlockView) -> Option<Act> {
        let topic = log.topics.first().filter(|_| self.scope.targets.contains(&log.address))?;
        let minted = || {
            let from_nobody = log.topics.get(1) == Some(&B256::ZERO);
            (self.scope.mints && *topic == TRANSFER && from_nobody)
                .then_some((Privilege::Mint.name(), "a transfer from nobody"))
        };
        let known = self.events.get(topic).map(|(privilege, signature)| (*privilege, signature.as_str()));
        let (privilege, what) = known.or_else(minted)?;
        Some(Act {
            privilege,
            contract: Some(log.address),
            account: caused(log, view).map(|transaction| transaction.from),
            transaction: log.transaction,
            what: what.chars().take(NAME_MAX).collect(),
        })
    }

    /// The first call of a listed function of a watched contract that was not announced. One that fails changes nothing, and anybody can make it.
    fn called(
        &self,
        transaction: &Transaction,
        view: &BlockView,
        announced: impl Fn(&Call<'_>) -> bool,
    ) -> Option<Act> {
        let outer = called(transaction).filter(|outer| self.leads(&outer.target))?;
        let mut of = view.logs.iter().filter(|log| log.transaction == transaction.hash).peekable();
        if transaction.succeeded != Some(true) && of.peek().is_none() {
            return None;
        }
        let fails = |log: &Log| log.address == outer.target && log.topics.first() == Some(&EXECUTION_FAILURE);
        if outer.may_fail_within() && of.any(fails) {
            return None;
        }
        let (call, function) = self.listed(&outer.open(false), &announced)?;
        let mut what: String = function.chars().take(NAME_MAX).collect();
        if call.target != outer.target {
            what = format!("{} through {}", function.chars().take(NAME_MAX / 2).collect::<String>(), outer.target);
        }
        Some(Act {
            privilege: "call",
            contract: Some(call.target),
            account: Some(transaction.from),
            transaction: transaction.hash,
            what,
        })
    }

    /// Whether it is known that what data tells a contract to call is called.
    fn leads(&self, contract: &Address) -> bool {
        self.scope.targets.contains(contract) || self.scope.through.contains(contract)
    }

    /// What an announced call makes is announced with it.
    fn listed<'a>(&self, nested: &Nested<'a>, announced: &impl Fn(&Call<'_>) -> bool) -> Option<(Call<'a>, &str)> {
        let call = nested.call;
        if announced(&call) {
            return None;
        }
        let function = call.selector.filter(|_| self.scope.targets.contains(&call.target));
        let function = function.and_then(|selector| self.scope.functions.get(&selector));
        let own = function.map(|function| (call, function.as_str()));
        own.or_else(|| nested.inner.iter().find_map(|inner| self.listed(inner, announced)))
    }

    /// A listed account that acts after a silence.
    fn woke(&self, transaction: &Transaction, view: &BlockView) -> Option<Act> {
        let account = Some(transaction.from).filter(|from| self.scope.admins.contains(from))?;
        let last = self.acted.get(&account).and_then(|acted| acted.back()).or(self.began.as_ref())?;
        let silent_s = view.block.time.secs_since(last.time);
        (self.scope.dormant_s > 0 && silent_s >= self.scope.dormant_s).then(|| Act {
            privilege: "dormant",
            contract: transaction.to,
            account: Some(account),
            transaction: transaction.hash,
            what: format!("{silent_s} s of silence"),
        })
    }

    fn remember_acts(&mut self, view: &BlockView) {
        for transaction in view.transactions.iter().filter(|transaction| self.scope.admins.contains(&transaction.from))
        {
            let acted = self.acted.entry(transaction.from).or_default();
            if acted.back() != Some(&view.block) {
                acted.push_back(view.block);
            }
        }
        for acted in self.acted.values_mut() {
            while acted.get(1).is_some_and(|second| is_settled(second, &view.block)) {
                acted.pop_front();
            }
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        let above = |block: &BlockRef| block.number > to.number;
        self.began = self.began.filter(|began| !above(began));
        for acted in self.acted.values_mut() {
            while acted.back().is_some_and(above) {
                acted.pop_back();
            }
        }
        self.acted.retain(|_, acted| !acted.is_empty());
        self.seen.rollback(to);
    }
}

impl Seen {
    fn tell(&self, block: u64) -> Evaluation {
        let Act { privilege, contract, account, transaction, what } = &self.act;
        let text = |address: &Option<Address>, none: &str| address.map_or_else(|| none.to_owned(), |is| is.to_string());
        let (account, contract) = (text(account, "an account not told"), text(contract, "no contract"));
        let act = match *privilege {
            "call" => format!("{account} called {what} of {contract}"),
            "dormant" => format!("{account} acted after {what}, on {contract}"),
            privilege => format!("{account} changed the {privilege} of {contract}: {what}"),
        };
        let more = if self.count > 1 { format!(", and {} more acts in it", self.count - 1) } else { String::new() };
        let figures = [
            ("privilege", (*privilege).to_owned()),
            ("account", account),
            ("contract", contract),
            ("what", what.clone()),
            ("transaction", transaction.to_string()),
            ("event_block", block.to_string()),
            ("count", self.count.to_string()),
        ];
        Evaluation::Fires {
            explanation: format!("{act}, in transaction {transaction} of block {block}{more}; nobody announced it"),
            figures: figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
