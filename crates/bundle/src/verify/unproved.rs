//! Section 11: evidence of the incident that is here and that no header here proves. Its maker took it for wrong, had no room for the
//! proof, or left it out.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_types::body::EvidenceKind;
use watchfire_types::{Body, ChainId};
use watchfire_wire::bundle::BundledBlock;

use super::Opened;
use crate::belong::watched;
use crate::onchain::{Listed, Stated};
use crate::report::Checks;

type BlockKey = (ChainId, B256);

/// Every object is read once as what its items call it, however many blocks they name: a liar can name many.
pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let blocks: BTreeMap<BlockKey, &BundledBlock> =
        opened.bundle.blocks.iter().map(|block| ((block.chain, block.hash), block)).collect();
    let objects: BTreeMap<B256, &[u8]> =
        opened.bundle.objects.iter().map(|object| (object.digest, object.content.as_ref())).collect();
    let mut named: BTreeSet<(EvidenceKind, B256, BlockKey)> = BTreeSet::new();
    for (_, event) in opened.told() {
        let Body::EvidenceCollected(collected) = &event.event().body else { continue };
        let items = collected.items.iter().filter(|item| objects.contains_key(&item.object));
        named.extend(items.map(|item| (item.kind, item.object, (item.block.chain, item.block.hash))));
    }
    let mut headless: BTreeSet<BlockKey> = BTreeSet::new();
    let mut receipts: BTreeMap<B256, Option<Listed>> = BTreeMap::new();
    let mut states: BTreeMap<B256, Option<Stated>> = BTreeMap::new();
    let mut accounts: BTreeMap<ChainId, BTreeSet<Address>> = BTreeMap::new();
    for (kind, object, of) in named {
        let (block, content) = (blocks.get(&of).copied(), objects.get(&object).copied().unwrap_or_default());
        let subject = format!("chain {} {}", of.0, of.1);
        match kind {
            EvidenceKind::Block if block.is_none() && headless.insert(of) => {
                checks.open("header", subject, "an operator's answer about it is here, its header is not");
            }
            EvidenceKind::ReceiptProofs => {
                let listed = receipts.entry(object).or_insert_with(|| Listed::read(content));
                let Some(listed) = listed else { continue };
                unproved_receipts(listed, block, &format!("{subject} object {object}"), checks);
            }
            EvidenceKind::StateProof => {
                let stated = states.entry(object).or_insert_with(|| Stated::read(content));
                let watched = accounts
                    .entry(of.0)
                    .or_insert_with(|| watched(opened.charters, &opened.bundle.incident.asset, of.0));
                let Some(stated) = stated.as_ref().filter(|stated| watched.contains(&stated.address)) else { continue };
                unproved_state(stated, block, &subject, checks);
            }
            _ => {}
        }
    }
}

fn unproved_receipts(listed: &Listed, block: Option<&BundledBlock>, subject: &str, checks: &mut Checks) {
    let proved = block.map_or(&[][..], |block| &block.receipts);
    let here = proved.iter().filter(|receipt| listed.indexes.contains(&receipt.index)).count();
    let (not_here, more) = (listed.indexes.len() - here, listed.left_out);
    if not_here > 0 || more > 0 {
        let all = listed.indexes.len();
        let detail = format!(
            "{not_here} of its {all} receipts are not proved here, {more} more were not collected with a proof"
        );
        checks.open("receipts-left-out", subject, detail);
    }
}

fn unproved_state(stated: &Stated, block: Option<&BundledBlock>, subject: &str, checks: &mut Checks) {
    let accounts = block.map_or(&[][..], |block| &block.accounts);
    let subject = format!("{subject} account {}", stated.address);
    let Some(account) = accounts.iter().find(|account| account.address == stated.address) else {
        checks.open("state-left-out", subject, "an operator's answer about it is here, its proof is not");
        return;
    };
    let here = account.slots.iter().filter(|slot| stated.slots.contains(&slot.slot)).count();
    let not_here = stated.slots.len() - here;
    if not_here > 0 {
        let detail =
            format!("{not_here} of the {} slots in an operator's answer are not proved here", stated.slots.len());
        checks.open("state-left-out", subject, detail);
    }
}
