//! Bundle to protobuf.

use bytes::Bytes;

use super::{
    Bundle, BundledBlock, BundledCharter, BundledObject, BundledTree, Inclusion, LeftOut, ProvedAccount, ProvedReceipt,
    ProvedSlot, Segment,
};
use crate::field::raw;
use crate::proto;

pub(super) fn bundle(bundle: &Bundle) -> proto::Bundle {
    proto::Bundle {
        network_id: raw(bundle.network.as_bytes()),
        incident: Some(proto::BundledIncident {
            id: raw(bundle.incident.id.as_bytes()),
            asset: bundle.incident.asset.to_string(),
            generation: bundle.incident.generation,
        }),
        charters: bundle.charters.iter().map(charter).collect(),
        segments: bundle.segments.iter().map(segment).collect(),
        further: bundle.further.clone(),
        trees: bundle.trees.iter().map(tree).collect(),
        blocks: bundle.blocks.iter().map(block).collect(),
        objects: bundle.objects.iter().map(object).collect(),
        software: bundle.software.clone(),
        left_out: bundle.left_out.iter().map(left_out).collect(),
    }
}

fn charter(charter: &BundledCharter) -> proto::BundledCharter {
    proto::BundledCharter {
        version: charter.version.get(),
        canonical: charter.canonical.clone(),
        toml: charter.toml.clone(),
    }
}

fn segment(segment: &Segment) -> proto::Segment {
    proto::Segment {
        author: raw(segment.author.as_bytes()),
        epoch: raw(segment.epoch.as_bytes()),
        events: segment.events.clone(),
        missing: segment.missing,
        pruned: segment.pruned,
    }
}

fn left_out(left: &LeftOut) -> proto::LeftOut {
    proto::LeftOut { author: raw(left.author.as_bytes()), no_room: left.no_room, pruned: left.pruned }
}

fn tree(tree: &BundledTree) -> proto::BundledTree {
    let inclusion =
        |inclusion: &Inclusion| proto::Inclusion { index: inclusion.index, path: Bytes::from(inclusion.path.concat()) };
    proto::BundledTree {
        author: raw(tree.author.as_bytes()),
        epoch: raw(tree.epoch.as_bytes()),
        note: tree.note.clone(),
        inclusions: tree.inclusions.iter().map(inclusion).collect(),
    }
}

fn block(block: &BundledBlock) -> proto::BundledBlock {
    let receipt = |receipt: &ProvedReceipt| proto::ProvedReceipt {
        index: receipt.index,
        receipt: receipt.receipt.clone(),
        proof: receipt.proof.clone(),
    };
    proto::BundledBlock {
        chain_id: block.chain.get(),
        hash: raw(&block.hash.0),
        header: block.header.clone(),
        receipts: block.receipts.iter().map(receipt).collect(),
        accounts: block.accounts.iter().map(account).collect(),
    }
}

fn account(account: &ProvedAccount) -> proto::ProvedAccount {
    let slot = |slot: &ProvedSlot| proto::ProvedSlot {
        slot: raw(&slot.slot.0),
        value: slot.value.clone(),
        proof: slot.proof.clone(),
    };
    proto::ProvedAccount {
        address: raw(&account.address.0.0),
        value: account.value.clone(),
        proof: account.proof.clone(),
        slots: account.slots.iter().map(slot).collect(),
    }
}

fn object(object: &BundledObject) -> proto::BundledObject {
    proto::BundledObject { digest: raw(&object.digest.0), content: object.content.clone() }
}
