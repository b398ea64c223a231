//! Protobuf to bundle: every bound and order.

use bytes::Bytes;
use watchfire_types::{ChainId, CharterVersion, Epoch, EventHash, IncidentId, MemberKey, NetworkId};

use super::{
    Bundle, BundledBlock, BundledCharter, BundledIncident, BundledObject, BundledTree, Inclusion, LeftOut,
    MAX_BUNDLE_ACCOUNTS, MAX_BUNDLE_BLOCKS, MAX_BUNDLE_CHAINS, MAX_BUNDLE_EVENTS, MAX_BUNDLE_HEADER, MAX_BUNDLE_NODE,
    MAX_BUNDLE_NOTE, MAX_BUNDLE_OBJECT, MAX_BUNDLE_OBJECTS, MAX_BUNDLE_PATH, MAX_BUNDLE_RECEIPT,
    MAX_BUNDLE_RECEIPT_NODE, MAX_BUNDLE_RECEIPTS, ProvedAccount, ProvedReceipt, ProvedSlot, Segment,
};
use crate::bounds::{MAX_EVENT, MAX_LABEL};
use crate::error::WireError;
use crate::field::{address, check_ascending, check_count, check_length, fixed, hash, name, present, text};
use crate::proto;

/// Charter versions.
const MAX_CHARTERS: usize = 64;
/// RFC 8785 form of one charter.
const MAX_CANONICAL: usize = 8 << 20;
/// Text of one charter.
const MAX_TOML: usize = 1 << 20;
/// One account in a trie.
const MAX_ACCOUNT: usize = 256;
/// One slot's number in a trie.
const MAX_SLOT: usize = 33;

pub(super) fn bundle(bundle: proto::Bundle) -> Result<Bundle, WireError> {
    let incident = present("bundle.incident", bundle.incident)?;
    check_count("bundle.charters", bundle.charters.len(), 1, MAX_CHARTERS)?;
    let charters = each(bundle.charters, charter)?;
    ascending("bundle.charters", &charters, |charter| charter.version)?;
    check_count("bundle.segments", bundle.segments.len(), 0, MAX_BUNDLE_CHAINS)?;
    let events = bundle.segments.iter().map(|segment| segment.events.len()).sum();
    check_count("bundle.segments.events", events, 0, MAX_BUNDLE_EVENTS)?;
    let segments = each(bundle.segments, segment)?;
    ascending("bundle.segments", &segments, |segment| (segment.author, segment.epoch))?;
    check_count("bundle.further", bundle.further.len(), 0, MAX_BUNDLE_CHAINS)?;
    sizes("bundle.further", &bundle.further, MAX_EVENT)?;
    let hashes: Vec<EventHash> = bundle.further.iter().map(|outer| EventHash::of(outer)).collect();
    check_ascending("bundle.further", &hashes)?;
    check_count("bundle.trees", bundle.trees.len(), 0, MAX_BUNDLE_CHAINS)?;
    let inclusions = bundle.trees.iter().map(|tree| tree.inclusions.len()).sum();
    check_count("bundle.trees.inclusions", inclusions, 0, MAX_BUNDLE_EVENTS)?;
    let trees = each(bundle.trees, tree)?;
    ascending("bundle.trees", &trees, |tree| (tree.author, tree.epoch))?;
    check_count("bundle.blocks", bundle.blocks.len(), 0, MAX_BUNDLE_BLOCKS)?;
    let blocks = each(bundle.blocks, block)?;
    ascending("bundle.blocks", &blocks, |block| (block.chain, block.hash))?;
    check_count("bundle.objects", bundle.objects.len(), 0, MAX_BUNDLE_OBJECTS)?;
    let objects = each(bundle.objects, object)?;
    ascending("bundle.objects", &objects, |object| object.digest)?;
    check_count("bundle.left_out", bundle.left_out.len(), 0, MAX_BUNDLE_CHAINS)?;
    let left_out = bundle.left_out.iter().map(left_out).collect::<Result<Vec<_>, _>>()?;
    ascending("bundle.left_out", &left_out, |left| left.author)?;
    Ok(Bundle {
        network: NetworkId::from_bytes(fixed("bundle.network_id", &bundle.network_id)?),
        incident: BundledIncident {
            id: IncidentId::from_bytes(fixed("bundle.incident.id", &incident.id)?),
            asset: name("bundle.incident.asset", &incident.asset)?,
            generation: incident.generation,
        },
        charters,
        segments,
        further: bundle.further,
        trees,
        blocks,
        objects,
        software: text("bundle.software", bundle.software, MAX_LABEL)?,
        left_out,
    })
}

fn each<T, U>(values: Vec<T>, one: impl Fn(T) -> Result<U, WireError>) -> Result<Vec<U>, WireError> {
    values.into_iter().map(one).collect()
}

fn ascending<T, K: PartialOrd>(field: &'static str, values: &[T], key: impl Fn(&T) -> K) -> Result<(), WireError> {
    check_ascending(field, &values.iter().map(key).collect::<Vec<_>>())
}

fn sizes(field: &'static str, values: &[Bytes], limit: usize) -> Result<(), WireError> {
    values.iter().try_for_each(|value| check_length(field, value.len(), limit))
}

fn nodes(field: &'static str, nodes: Vec<Bytes>, limit: usize) -> Result<Vec<Bytes>, WireError> {
    check_count(field, nodes.len(), 0, MAX_BUNDLE_PATH)?;
    sizes(field, &nodes, limit)?;
    Ok(nodes)
}

fn bounded(field: &'static str, bytes: Bytes, limit: usize) -> Result<Bytes, WireError> {
    check_length(field, bytes.len(), limit)?;
    Ok(bytes)
}

fn charter(charter: proto::BundledCharter) -> Result<BundledCharter, WireError> {
    if charter.version == 0 {
        return Err(WireError::Range { field: "charter.version", found: 0 });
    }
    Ok(BundledCharter {
        version: CharterVersion::new(charter.version),
        canonical: bounded("charter.canonical", charter.canonical, MAX_CANONICAL)?,
        toml: bounded("charter.toml", charter.toml, MAX_TOML)?,
    })
}

fn segment(segment: proto::Segment) -> Result<Segment, WireError> {
    check_count("segment.events", segment.events.len(), 1, MAX_BUNDLE_EVENTS)?;
    sizes("segment.events", &segment.events, MAX_EVENT)?;
    Ok(Segment {
        author: MemberKey::from_bytes(fixed("segment.author", &segment.author)?),
        epoch: Epoch::from_bytes(fixed("segment.epoch", &segment.epoch)?),
        events: segment.events,
        missing: segment.missing,
        pruned: segment.pruned,
    })
}

fn left_out(left: &proto::LeftOut) -> Result<LeftOut, WireError> {
    let author = MemberKey::from_bytes(fixed("left_out.author", &left.author)?);
    Ok(LeftOut { author, no_room: left.no_room, pruned: left.pruned })
}

fn tree(tree: proto::BundledTree) -> Result<BundledTree, WireError> {
    let inclusions = each(tree.inclusions, |inclusion: proto::Inclusion| {
        let (path, rest) = inclusion.path.as_chunks::<32>();
        if !rest.is_empty() {
            let found = inclusion.path.len();
            return Err(WireError::Length { field: "inclusion.path", expected: found.next_multiple_of(32), found });
        }
        check_count("inclusion.path", path.len(), 0, MAX_BUNDLE_PATH)?;
        Ok(Inclusion { index: inclusion.index, path: path.to_vec() })
    })?;
    ascending("tree.inclusions", &inclusions, |inclusion| inclusion.index)?;
    Ok(BundledTree {
        author: MemberKey::from_bytes(fixed("tree.author", &tree.author)?),
        epoch: Epoch::from_bytes(fixed("tree.epoch", &tree.epoch)?),
        note: bounded("tree.note", tree.note, MAX_BUNDLE_NOTE)?,
        inclusions,
    })
}

fn block(block: proto::BundledBlock) -> Result<BundledBlock, WireError> {
    check_count("block.receipts", block.receipts.len(), 0, MAX_BUNDLE_RECEIPTS)?;
    let receipts = each(block.receipts, |receipt: proto::ProvedReceipt| {
        Ok(ProvedReceipt {
            index: receipt.index,
            receipt: bounded("receipt", receipt.receipt, MAX_BUNDLE_RECEIPT)?,
            proof: nodes("receipt.proof", receipt.proof, MAX_BUNDLE_RECEIPT_NODE)?,
        })
    })?;
    ascending("block.receipts", &receipts, |receipt| receipt.index)?;
    check_count("block.accounts", block.accounts.len(), 0, MAX_BUNDLE_ACCOUNTS)?;
    let accounts = each(block.accounts, account)?;
    ascending("block.accounts", &accounts, |account| account.address)?;
    Ok(BundledBlock {
        chain: ChainId::new(block.chain_id),
        hash: hash("block.hash", &block.hash)?,
        header: bounded("block.header", block.header, MAX_BUNDLE_HEADER)?,
        receipts,
        accounts,
    })
}

fn account(account: proto::ProvedAccount) -> Result<ProvedAccount, WireError> {
    check_count("account.slots", account.slots.len(), 0, MAX_BUNDLE_ACCOUNTS)?;
    let slots = each(account.slots, |slot: proto::ProvedSlot| {
        Ok(ProvedSlot {
            slot: hash("slot", &slot.slot)?,
            value: bounded("slot.value", slot.value, MAX_SLOT)?,
            proof: nodes("slot.proof", slot.proof, MAX_BUNDLE_NODE)?,
        })
    })?;
    ascending("account.slots", &slots, |slot| slot.slot)?;
    Ok(ProvedAccount {
        address: address("account.address", &account.address)?,
        value: bounded("account.value", account.value, MAX_ACCOUNT)?,
        proof: nodes("account.proof", account.proof, MAX_BUNDLE_NODE)?,
        slots,
    })
}

fn object(object: proto::BundledObject) -> Result<BundledObject, WireError> {
    Ok(BundledObject {
        digest: hash("object.digest", &object.digest)?,
        content: bounded("object.content", object.content, MAX_BUNDLE_OBJECT)?,
    })
}
