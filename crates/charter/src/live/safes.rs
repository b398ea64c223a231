//! What a Safe says about itself, against what the charter says about it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{Address, B256, U256, b256};
use watchfire_types::{AssetId, ChainId, Read, SafeVersion};

use super::{Answers, Concern, Facts, call};
use crate::model::{Charter, Safe};

/// keccak-256("guard_manager.guard.address"), Safe GuardManager.
pub const GUARD_SLOT: B256 = b256!("4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8");
/// keccak-256("module_manager.module_guard.address"), Safe 1.5.0 ModuleManager.
pub const MODULE_GUARD_SLOT: B256 = b256!("b104e0b93118902c651344349b610029d694cfdec91c589c91ebafbcd0289947");
/// keccak-256("fallback_manager.handler.address"), Safe FallbackManager.
pub const FALLBACK_HANDLER_SLOT: B256 = b256!("6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5");
/// The proxy's first slot: the singleton whose code it runs.
pub const SINGLETON_SLOT: B256 = B256::ZERO;

/// Modules read at once; a Safe with more is a fault.
const MODULES_MAX: u64 = 50;

fn owners_read(safe: &Safe) -> Read {
    call(safe.address, "getOwners()", &[])
}

fn threshold_read(safe: &Safe) -> Read {
    call(safe.address, "getThreshold()", &[])
}

fn version_read(safe: &Safe) -> Read {
    call(safe.address, "VERSION()", &[])
}

fn modules_read(safe: &Safe) -> Read {
    let sentinel = B256::from(U256::from(1));
    call(safe.address, "getModulesPaginated(address,uint256)", &[sentinel, B256::from(U256::from(MODULES_MAX))])
}

fn slot(safe: &Safe, slot: B256) -> Read {
    Read::Storage { account: safe.address, slot }
}

fn token_balance(token: Address, safe: &Safe) -> Read {
    call(token, "balanceOf(address)", &[safe.address.into_word()])
}

/// ERC-20 contracts that detectors of this chain watch.
fn tokens(charter: &Charter, chain: ChainId) -> BTreeSet<Address> {
    let here = |asset| charter.assets.get(asset).is_some_and(|asset| asset.chain == chain);
    let watched = charter.detectors.values().filter(|detector| here(&detector.asset));
    watched.flat_map(|detector| detector.watch.coins()).flatten().collect()
}

fn submitters(charter: &Charter, safe: &Safe) -> BTreeSet<Address> {
    charter.guardians_of(safe).values().filter_map(|(_, member)| member.submitter).collect()
}

fn on(charter: &Charter, chain: ChainId) -> impl Iterator<Item = (&watchfire_types::SafeId, &Safe)> {
    charter.safes.iter().filter(move |(_, safe)| safe.chain == chain)
}

/// Accounts whose code is read: the Safe, its owners, submitters, guard and modules.
fn accounts(charter: &Charter, safe: &Safe) -> BTreeSet<Address> {
    let named = std::iter::once(safe.address).chain(safe.guard).chain(safe.modules.iter().copied());
    named.chain(charter.owners_of(safe)).chain(submitters(charter, safe)).collect()
}

pub(super) fn reads(charter: &Charter, chain: ChainId, reads: &mut BTreeSet<Read>) {
    for (_, safe) in on(charter, chain) {
        reads.extend([owners_read(safe), threshold_read(safe), version_read(safe), modules_read(safe)]);
        reads.insert(call(safe.address, "nonce()", &[]));
        let slots = [GUARD_SLOT, MODULE_GUARD_SLOT, FALLBACK_HANDLER_SLOT, SINGLETON_SLOT];
        reads.extend(slots.map(|at| slot(safe, at)));
        reads.insert(Read::Balance { account: safe.address });
        reads.extend(tokens(charter, chain).into_iter().map(|token| token_balance(token, safe)));
        reads.extend(accounts(charter, safe).into_iter().map(|account| Read::CodeHash { account }));
        reads.extend(charter.owners_of(safe).into_iter().map(|account| Read::Delegation { account }));
        reads.extend(submitters(charter, safe).into_iter().map(|account| Read::Balance { account }));
    }
    if let Some(pinned) = charter.chains.get(&chain).and_then(|chain| chain.multi_send_call_only) {
        reads.insert(Read::CodeHash { account: pinned.address });
    }
}

pub(super) fn judge(charter: &Charter, chain: ChainId, answers: Answers<'_>, facts: &mut Facts) {
    for (id, safe) in on(charter, chain) {
        let about = Concern::safe(charter, id);
        if answers.has_code(safe.address) == Some(false) {
            facts.fault("no-safe", format!("{id}: no contract at {}", safe.address), &about);
            continue;
        }
        let subject = Subject { charter, name: id.as_str(), safe, answers, about };
        subject.owners(facts);
        subject.version(facts);
        subject.modules(facts);
        subject.guards(facts);
        subject.funds(facts);
    }
    let pinned = charter.chains.get(&chain).and_then(|chain| chain.multi_send_call_only);
    if let Some(pinned) = pinned {
        let found = answers.word(&Read::CodeHash { account: pinned.address }).map(B256::from);
        if let Some(found) = found.filter(|found| *found != pinned.code_hash) {
            let (at, wanted) = (pinned.address, pinned.code_hash);
            let (needing, acting) = batched(charter, chain);
            let concerned = match (needing.is_empty(), acting.is_empty()) {
                (false, _) => format!("steps with several calls, of {}, go through it", names(&needing)),
                (true, false) => format!("no step for {} makes several calls now", names(&acting)),
                (true, true) => "no playbook acts on this chain".to_owned(),
            };
            let text =
                format!("multi_send_call_only {at} has code hash {found}, the charter pins {wanted}: {concerned}");
            facts.fault("multi-send-code", text, &Concern { safe: None, assets: needing });
        }
    }
}

/// Assets for which a step makes several calls through one Safe of this chain, which takes the multi-send; and all for which a
/// playbook acts on it.
fn batched(charter: &Charter, chain: ChainId) -> (BTreeSet<AssetId>, BTreeSet<AssetId>) {
    let (mut needing, mut acting) = (BTreeSet::new(), BTreeSet::new());
    for playbook in charter.playbooks.values() {
        for step in &playbook.steps {
            let here: Vec<_> =
                step.actions.iter().filter(|action| action.chain == chain).map(|one| &one.safe).collect();
            let safes: BTreeSet<_> = here.iter().collect();
            if !here.is_empty() {
                acting.insert(playbook.asset.clone());
            }
            if here.len() > safes.len() {
                needing.insert(playbook.asset.clone());
            }
        }
    }
    (needing, acting)
}

fn names(assets: &BTreeSet<AssetId>) -> String {
    assets.iter().map(AssetId::as_str).collect::<Vec<_>>().join(", ")
}

struct Subject<'a> {
    charter: &'a Charter,
    name: &'a str,
    safe: &'a Safe,
    answers: Answers<'a>,
    about: Concern,
}

impl Subject<'_> {
    fn owners(&self, facts: &mut Facts) {
        let (name, about) = (self.name, &self.about);
        let Some(owners) = self.answers.value(&owners_read(self.safe)).and_then(|bytes| addresses(bytes)) else {
            self.unexplained(&owners_read(self.safe), "getOwners()", facts);
            return;
        };
        let guardians = self.charter.guardians_of(self.safe);
        let label = |owner: &Address| match guardians.get(owner) {
            Some((id, _)) => format!("{id} ({owner})"),
            None => owner.to_string(),
        };
        let expected = self.charter.owners_of(self.safe);
        for missing in expected.difference(&owners) {
            facts.fault("owner-missing", format!("{name}: {} is no owner on chain", label(missing)), about);
        }
        for unknown in owners.difference(&expected) {
            facts.fault("owner-unknown", format!("{name}: owner {unknown} is not in the charter"), about);
        }
        let Some(threshold) = self.threshold(facts) else { return };
        let mut reachable = 0_usize;
        for owner in &owners {
            // EIP-7702: an account that delegates still signs with its key, and the Safe recovers it.
            let delegate =
                self.answers.address(&Read::Delegation { account: *owner }).filter(|to| *to != Address::ZERO);
            if let Some(to) = delegate {
                let text = format!("{name}: owner {} delegates to {to} and still signs", label(owner));
                facts.warn("owner-delegated", text, about);
            }
            match self.answers.has_code(*owner).map(|code| code && delegate.is_none()) {
                Some(true) => {
                    let text = format!("{name}: owner {} has code: contract owners are not reachable", label(owner));
                    facts.warn("owner-has-code", text, about);
                }
                Some(false) | None if guardians.contains_key(owner) => reachable += 1,
                Some(false) | None => {}
            }
        }
        if U256::from(reachable) < threshold {
            let text = format!("{name}: {reachable} reachable guardians own it, {threshold} signatures are needed");
            facts.fault("threshold-unreachable", text, about);
        }
        self.alone(&owners, threshold, facts);
    }

    fn threshold(&self, facts: &mut Facts) -> Option<U256> {
        let Some(threshold) = self.answers.word(&threshold_read(self.safe)) else {
            self.unexplained(&threshold_read(self.safe), "getThreshold()", facts);
            return None;
        };
        if threshold != U256::from(self.safe.threshold) {
            let text =
                format!("{}: threshold is {threshold} on chain, {} in the charter", self.name, self.safe.threshold);
            facts.fault("threshold-differs", text, &self.about);
        }
        Some(threshold)
    }

    /// Whether one organisation, or the owners that no organisation has, can execute alone.
    fn alone(&self, owners: &BTreeSet<Address>, threshold: U256, facts: &mut Facts) {
        let mut held: BTreeMap<String, usize> = BTreeMap::new();
        let every_guardian = |owner: &Address| self.charter.member_by_guardian(owner);
        for owner in owners {
            let holder = every_guardian(owner)
                .map_or("owners outside the charter's members".to_owned(), |(_, member)| {
                    format!("organisation {}", member.organisation)
                });
            *held.entry(holder).or_default() += 1;
        }
        for (holder, count) in held.into_iter().filter(|(_, count)| U256::from(*count) >= threshold) {
            let text =
                format!("{}: {holder} with {count} owners can execute alone, the threshold is {threshold}", self.name);
            facts.fault("one-holds-threshold", text, &self.about);
        }
    }

    fn version(&self, facts: &mut Facts) {
        let read = version_read(self.safe);
        let Some(bytes) = self.answers.value(&read) else {
            self.unexplained(&read, "VERSION()", facts);
            return;
        };
        let (name, about) = (self.name, &self.about);
        let text = DynSolType::String.abi_decode(bytes).ok().and_then(|value| value.as_str().map(str::to_owned));
        match text.as_deref().map(str::parse::<SafeVersion>) {
            Some(Ok(found)) if found < SafeVersion::WITH_CHAIN_ID => {
                let text = format!("{name}: version {found} is below 1.3.0, its signatures name no chain");
                facts.fault("version-too-old", text, about);
            }
            Some(Ok(found)) if found != self.safe.version => {
                let text = format!("{name}: version is {found} on chain, {} in the charter", self.safe.version);
                facts.fault("version-differs", text, about);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => facts.fault("not-a-safe", format!("{name}: VERSION() names no Safe version"), about),
        }
    }

    fn modules(&self, facts: &mut Facts) {
        let read = modules_read(self.safe);
        let Some(bytes) = self.answers.value(&read) else {
            self.unexplained(&read, "getModulesPaginated(address,uint256)", facts);
            return;
        };
        let (name, about) = (self.name, &self.about);
        let Some((modules, more)) = page(bytes) else {
            facts.fault("not-a-safe", format!("{name}: its modules do not decode"), about);
            return;
        };
        for module in modules.difference(&self.safe.modules) {
            let text = format!("{name}: module {module} is enabled and not named: it executes without signatures");
            facts.fault("module-not-named", text, about);
        }
        for module in self.safe.modules.difference(&modules).filter(|_| !more) {
            facts.warn("module-not-enabled", format!("{name}: named module {module} is not enabled"), about);
        }
        if more {
            facts.fault("module-not-named", format!("{name}: more than {MODULES_MAX} modules are enabled"), about);
        }
    }

    fn guards(&self, facts: &mut Facts) {
        let (name, about) = (self.name, &self.about);
        match (self.answers.address(&slot(self.safe, GUARD_SLOT)), self.safe.guard) {
            (Some(Address::ZERO), Some(named)) => {
                facts.warn("guard-not-set", format!("{name}: named guard {named} is not set"), about);
            }
            (Some(found), named) if found != Address::ZERO && named != Some(found) => {
                let text = format!("{name}: guard {found} is set and not named: it can block every transaction");
                facts.fault("guard-not-named", text, about);
            }
            (Some(_) | None, _) => {}
        }
        let guarded = self.answers.address(&slot(self.safe, MODULE_GUARD_SLOT)).filter(|found| *found != Address::ZERO);
        if let Some(guard) = guarded {
            let text = format!("{name}: module guard {guard} is set: it can block what modules execute");
            facts.warn("module-guard", text, about);
        }
        if let Some(guard) = self.safe.guard.filter(|guard| self.answers.has_code(*guard) == Some(false)) {
            facts.fault("guard-without-code", format!("{name}: named guard {guard} has no code"), about);
        }
    }

    fn funds(&self, facts: &mut Facts) {
        let (name, about) = (self.name, &self.about);
        let native = self.answers.word(&Read::Balance { account: self.safe.address });
        if let Some(balance) = native.filter(|balance| !balance.is_zero()) {
            facts.warn(
                "funds-on-safe",
                format!("{name}: holds {balance} wei: keep funds off a Safe that pauses"),
                about,
            );
        }
        for token in tokens(self.charter, self.safe.chain) {
            let balance = self.answers.word(&token_balance(token, self.safe));
            if let Some(balance) = balance.filter(|balance| !balance.is_zero()) {
                let text = format!("{name}: holds {balance} units of {token}: keep funds off a Safe that pauses");
                facts.warn("funds-on-safe", text, about);
            }
        }
        for (_, (id, member)) in self.charter.guardians_of(self.safe) {
            let Some(account) = member.submitter else { continue };
            if self.answers.word(&Read::Balance { account }) == Some(U256::ZERO) {
                facts.warn("submitter-unfunded", format!("submitter {account} of {id} cannot pay for gas"), about);
            }
            if self.answers.has_code(account) == Some(true) {
                facts.warn("submitter-has-code", format!("submitter {account} of {id} has code"), about);
            }
        }
    }

    /// A view that every Safe has did not answer with a value: it reverted, or it is not known and told in sum.
    fn unexplained(&self, read: &Read, what: &str, facts: &mut Facts) {
        if self.answers.outcome(read).is_some() {
            let text = format!("{}: {what} does not answer as a Safe does", self.name);
            facts.fault("not-a-safe", text, &self.about);
        }
    }
}

pub(super) fn changes(
    charter: &Charter,
    chain: ChainId,
    (before, after): (Answers<'_>, Answers<'_>),
    facts: &mut Facts,
) {
    for (id, safe) in on(charter, chain) {
        let about = Concern::safe(charter, id);
        for (kind, what, at) in [
            ("singleton-changed", "singleton", SINGLETON_SLOT),
            ("fallback-handler-changed", "fallback handler", FALLBACK_HANDLER_SLOT),
        ] {
            let (old, new) = (before.address(&slot(safe, at)), after.address(&slot(safe, at)));
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                facts.fault(kind, format!("{id}: {what} changed from {old} to {new}"), &about);
            }
        }
        for account in accounts(charter, safe) {
            let read = Read::CodeHash { account };
            if let (Some(old), Some(new)) = (before.word(&read), after.word(&read))
                && old != new
            {
                facts.fault("code-changed", format!("{id}: the code of {account} changed"), &about);
            }
        }
    }
}

fn addresses(bytes: &[u8]) -> Option<BTreeSet<Address>> {
    let value = DynSolType::Array(Box::new(DynSolType::Address)).abi_decode(bytes).ok()?;
    value.as_array()?.iter().map(DynSolValue::as_address).collect()
}

/// One page of modules, and whether there are more.
fn page(bytes: &[u8]) -> Option<(BTreeSet<Address>, bool)> {
    let list = DynSolType::Array(Box::new(DynSolType::Address));
    let value = DynSolType::Tuple(vec![list, DynSolType::Address]).abi_decode_params(bytes).ok()?;
    let [modules, next] = value.as_tuple()? else { return None };
    let modules = modules.as_array()?.iter().map(DynSolValue::as_address).collect::<Option<_>>()?;
    let sentinel = Address::with_last_byte(1);
    Some((modules, !matches!(next.as_address()?, next if next == sentinel || next == Address::ZERO)))
}
