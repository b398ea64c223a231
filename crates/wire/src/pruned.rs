//! What a journal's base says (proto/watchfire/v1/pruned.proto). It is read from the own disk only, and checked all the same.

use bytes::Bytes;
use prost::Message;
use watchfire_types::{B256, ChainBase, Epoch, EventHash, MemberKey, PrunedInto, PrunedLog, Seq, Timestamp};

use crate::bounds::{MAX_PRUNED_INTO, MAX_SUBTREES};
use crate::error::WireError;
use crate::field::{check_ascending, check_count, fixed, hash, raw};
use crate::proto;

/// The encoded note.
#[must_use]
pub fn encode_pruned(log: &PrunedLog) -> Vec<u8> {
    let chain = |base: &ChainBase| proto::ChainBase {
        author: raw(base.author.as_bytes()),
        epoch: raw(base.epoch.as_bytes()),
        next: base.next.get(),
        head: raw(base.head.as_bytes()),
        clock_ms: base.clock.as_millis(),
        slipped: base.slipped,
        digest: raw(&base.digest),
        digested: base.digested,
        leaves: base.leaves,
        subtrees: base.subtrees.iter().map(raw).collect(),
    };
    let archive = |into: &PrunedInto| proto::PrunedInto {
        sha256: raw(&into.sha256.0),
        events: into.events,
        pruned: into.pruned,
        through_ms: into.through.as_millis(),
        at_ms: into.at.as_millis(),
    };
    let chains = log.chains.iter().map(chain).collect();
    proto::PrunedLog { chains, archives: log.archives.iter().map(archive).collect() }.encode_to_vec()
}

/// Reads a note.
///
/// # Errors
/// [`WireError`]: malformed, not canonical, or over a bound.
pub fn decode_pruned(bytes: &[u8]) -> Result<PrunedLog, WireError> {
    let message = "note of a base";
    let log = proto::PrunedLog::decode(Bytes::copy_from_slice(bytes));
    let log = log.map_err(|source| WireError::Malformed { message, source })?;
    if log.encode_to_vec() != bytes {
        return Err(WireError::NotCanonical { message });
    }
    check_count("pruned_log.archives", log.archives.len(), 1, MAX_PRUNED_INTO)?;
    let chains: Vec<ChainBase> = log.chains.iter().map(chain_in).collect::<Result<_, WireError>>()?;
    let keys: Vec<_> = chains.iter().map(|base| (base.author, base.epoch)).collect();
    check_ascending("pruned_log.chains", &keys)?;
    let archives = log.archives.iter().map(|into| {
        Ok(PrunedInto {
            sha256: B256::new(hash("pruned_into.sha256", &into.sha256)?.0),
            events: into.events,
            pruned: into.pruned,
            through: Timestamp::from_millis(into.through_ms),
            at: Timestamp::from_millis(into.at_ms),
        })
    });
    Ok(PrunedLog { chains, archives: archives.collect::<Result<_, WireError>>()? })
}

fn chain_in(base: &proto::ChainBase) -> Result<ChainBase, WireError> {
    let count = usize::try_from(base.leaves.count_ones()).unwrap_or(MAX_SUBTREES);
    check_count("chain_base.subtrees", base.subtrees.len(), count, count)?;
    if base.next == 0 {
        return Err(WireError::Range { field: "chain_base.next", found: 0 });
    }
    let subtrees = base.subtrees.iter().map(|subtree| fixed("chain_base.subtrees", subtree));
    Ok(ChainBase {
        author: MemberKey::from_bytes(fixed("chain_base.author", &base.author)?),
        epoch: Epoch::from_bytes(fixed("chain_base.epoch", &base.epoch)?),
        next: Seq::new(base.next),
        head: EventHash::from_bytes(fixed("chain_base.head", &base.head)?),
        clock: Timestamp::from_millis(base.clock_ms),
        slipped: base.slipped,
        digest: fixed("chain_base.digest", &base.digest)?,
        digested: base.digested,
        leaves: base.leaves,
        subtrees: subtrees.collect::<Result<_, _>>()?,
    })
}
