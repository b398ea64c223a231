//! Section 11: what the chains' own headers prove.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_types::body::EvidenceKind;
use watchfire_types::safe_execution::executed;
use watchfire_types::{BlockRef, Body, ChainId, EventHash};
use watchfire_wire::bundle::{BundledBlock, ProvedAccount};

use super::Opened;
use crate::belong::{blocks, watched};
use crate::report::Checks;
use crate::trie::{self, HeaderFacts, ReceiptFacts, TrieError};

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let told = opened.told().flat_map(|(hash, event)| blocks(event.event()).into_iter().map(|block| (block, *hash)));
    let told: BTreeSet<(BlockRef, EventHash)> = told.collect();
    let shown = shown(opened);
    let mut receipts = BTreeMap::new();
    for block in &opened.bundle.blocks {
        let subject = format!("chain {} {}", block.chain, block.hash);
        let facts = match header(opened, block, &told, checks) {
            Ok(facts) => facts,
            Err(error) => {
                checks.fails("header", subject, error);
                continue;
            }
        };
        checks.holds("header", &subject, format!("block {} at {}", facts.number, facts.time_s));
        let kinds = shown.get(&(block.chain, block.hash)).cloned().unwrap_or_default();
        let proved = proved_receipts(block, &facts, &kinds, &subject, checks);
        receipts.insert((block.chain, block.hash), proved);
        let watched = watched(opened.charters, &opened.bundle.incident.asset, block.chain);
        for account in &block.accounts {
            state(account, &facts, kinds.contains(&EvidenceKind::StateProof), &watched, &subject, checks);
        }
    }
    executions(opened, &receipts, checks);
}

/// What manifests say that they hold of each block.
fn shown(opened: &Opened<'_>) -> BTreeMap<(ChainId, B256), BTreeSet<EvidenceKind>> {
    let mut shown: BTreeMap<_, BTreeSet<EvidenceKind>> = BTreeMap::new();
    for (_, event) in opened.told() {
        if let Body::EvidenceCollected(collected) = &event.event().body {
            for item in &collected.items {
                shown.entry((item.block.chain, item.block.hash)).or_default().insert(item.kind);
            }
        }
    }
    shown
}

/// What the header says. That a member says otherwise is that member's falsehood and none of the bundle: it is named, and stays open.
fn header(
    opened: &Opened<'_>,
    block: &BundledBlock,
    told: &BTreeSet<(BlockRef, EventHash)>,
    checks: &mut Checks,
) -> Result<HeaderFacts, String> {
    let facts = trie::header(&block.header, block.hash).map_err(|error| error.to_string())?;
    let mut agreed = false;
    for (stated, hash) in told.iter().filter(|(stated, _)| (stated.chain, stated.hash) == (block.chain, block.hash)) {
        if (stated.number, stated.time.as_secs()) == (facts.number, facts.time_s) {
            agreed = true;
        } else if let Some(event) = opened.events.get(hash) {
            let (number, time_s) = (stated.number, stated.time.as_secs());
            let detail =
                format!("it says block {number} at {time_s}, the header block {} at {}", facts.number, facts.time_s);
            checks.open("statement", opened.name(event.event(), *hash), detail);
        }
    }
    if agreed { Ok(facts) } else { Err("no event of the incident names this block of this chain as it is".into()) }
}

fn proved_receipts(
    block: &BundledBlock,
    facts: &HeaderFacts,
    kinds: &BTreeSet<EvidenceKind>,
    subject: &str,
    checks: &mut Checks,
) -> Vec<ReceiptFacts> {
    let collected = kinds.contains(&EvidenceKind::Receipts) || kinds.contains(&EvidenceKind::ReceiptProofs);
    let mut proved = Vec::new();
    for receipt in &block.receipts {
        let judged: Result<ReceiptFacts, TrieError> =
            trie::prove(facts.receipts_root, &trie::receipt_key(receipt.index), &receipt.receipt, &receipt.proof)
                .and_then(|()| trie::receipt(&receipt.receipt));
        let subject = format!("{subject} receipt {}", receipt.index);
        match judged {
            Ok(_) if receipt.receipt.is_empty() => checks.fails("receipt", subject, "it is empty"),
            Ok(_) if !collected => checks.fails("receipt", subject, "no manifest has receipts of this block"),
            Ok(facts) => {
                let status = if facts.success { "success" } else { "failure" };
                checks.holds("receipt", subject, format!("{status}, {} log(s)", facts.logs.len()));
                proved.push(facts);
            }
            Err(error) => checks.fails("receipt", subject, error),
        }
    }
    proved
}

fn state(
    account: &ProvedAccount,
    facts: &HeaderFacts,
    collected: bool,
    watched: &BTreeSet<Address>,
    subject: &str,
    checks: &mut Checks,
) {
    let subject = format!("{subject} {}", account.address);
    if !collected {
        return checks.fails("account", subject, "no manifest has state of this block");
    }
    if !watched.contains(&account.address) {
        return checks.fails("account", subject, "it is no contract or owner of the asset and no safe of the charter");
    }
    let key = trie::secure_key(account.address.as_slice());
    let root = trie::prove(facts.state_root, &key, &account.value, &account.proof)
        .and_then(|()| trie::storage_root(&account.value));
    let root = match root {
        Ok(root) => root,
        Err(error) => return checks.fails("account", subject, error),
    };
    checks.holds("account", &subject, if account.value.is_empty() { "absent" } else { "present" });
    for slot in &account.slots {
        let judged = trie::prove(root, &trie::secure_key(slot.slot.as_slice()), &slot.value, &slot.proof);
        let subject = format!("{subject} slot {}", slot.slot);
        checks.judge("slot", subject, judged.map(|()| if slot.value.is_empty() { "zero" } else { "set" }));
    }
}

fn executions(opened: &Opened<'_>, receipts: &BTreeMap<(ChainId, B256), Vec<ReceiptFacts>>, checks: &mut Checks) {
    let mut stated: BTreeMap<(BlockRef, Address, B256), usize> = BTreeMap::new();
    for (_, event) in opened.told() {
        if let Body::Executed(executed) = &event.event().body {
            *stated.entry((executed.block, executed.safe, executed.safe_transaction)).or_default() += 1;
        }
    }
    for ((block, safe, safe_tx_hash), members) in stated {
        let subject = format!("{safe_tx_hash} at block {} of chain {}", block.number, block.chain);
        let proved = receipts.get(&(block.chain, block.hash)).into_iter().flatten();
        let mut logs = proved.filter(|receipt| receipt.success).flat_map(|receipt| &receipt.logs);
        if logs.any(|log| log.address == safe && executed(&log.topics, &log.data) == Some((safe_tx_hash, true))) {
            let detail = format!("{members} statement(s), and the safe's own log is in the header's receipts");
            checks.holds("execution", subject, detail);
        } else {
            checks.open("execution", subject, format!("{members} statement(s); no receipt here shows it"));
        }
    }
}
