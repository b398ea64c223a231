//! The alarms that a node raises by itself, a line each: what it sees of its chains, its money and its index.

use std::collections::BTreeMap;

use watchfire_detect::{Blind, Blindness, Unanswered};
use watchfire_evm::EndpointHealth;
use watchfire_transparency::Origin;
use watchfire_types::bounds::BACKFILL_BLOCKS_MAX;
use watchfire_types::control::LookoutStatus;
use watchfire_types::{Address, ChainId, Read, ReadOutcome};

use super::verdict::paid_pauses;

/// A head older than this many block times (and [`STALE_MS_MIN`]) is stale.
const STALE_BLOCKS: u64 = 8;
/// No head younger than this is stale.
const STALE_MS_MIN: u64 = 15_000;
/// Blocks in a row that may leave a detector without an answer: an endpoint's hiccup is shorter.
pub(super) const BLIND_BLOCKS: u64 = 4;
/// Looks in a row that may see nothing: a service's restart is shorter.
const SIGHTLESS_LOOKS: u64 = 3;
/// Durable records that the index may be behind: many times what it takes up between two looks.
const LAG_RECORDS_MAX: u64 = 10_000;

/// No new block for long.
pub(super) fn stale(chain: ChainId, block_time_ms: u64, age_ms: u64) -> Option<String> {
    let bound = block_time_ms.saturating_mul(STALE_BLOCKS).max(STALE_MS_MIN);
    (age_ms > bound).then(|| format!("head-stale: chain {chain}: no new block for {} s", age_ms / 1_000))
}

/// Blocks before the backfill's bound, which no detector here has seen, and blocks of a stretch that was caught up with whose state nobody
/// could read.
pub(super) fn unseen(chain: ChainId, first: Option<u64>, last: u64) -> String {
    let which = first.map_or_else(
        || format!("blocks of the detectors' windows up to {last}"),
        |first| format!("blocks {first} to {last}"),
    );
    format!(
        "blocks-unseen: chain {chain}: {which} were not scanned, or not with all that the rules read: a start takes no more than \
         {BACKFILL_BLOCKS_MAX} blocks, and endpoints forget old state; look for yourselves what happened in them, nothing here would have \
         found it, then take them out of scanned.json while the node is stopped"
    )
}

/// The own submitter cannot pay for one pause at ten times the fee.
pub(super) fn unfunded(
    chain: ChainId,
    payer: Address,
    balance: u128,
    base_fee: Option<u128>,
    gas: Option<u64>,
) -> Option<String> {
    (paid_pauses(balance, base_fee, gas) == 0).then(|| {
        let payer = payer.to_checksum(None);
        format!("submitter-unfunded: {payer} holds {balance} wei on chain {chain}, too little for one pause at 10x fee; send it gas money")
    })
}

/// The log has lost what its witness memory knows that it held.
pub(super) fn forgotten<'a>(mut forgotten: impl Iterator<Item = (&'a Origin, u64)>) -> Option<String> {
    let (origin, size) = forgotten.next()?;
    let more = match forgotten.count() {
        0 => String::new(),
        more => format!(", and of {more} more checkpoints"),
    };
    Some(format!(
        "log-forgot: this log held the first {size} events of {} in epoch {} when they were cosigned{more}, and has lost some since; peers give \
         them back; see that the disk is sound, and that no older copy of this node runs",
        origin.member,
        origin.epoch.short()
    ))
}

/// The index does not keep up with the journal.
pub(super) fn lagging(records: u64) -> Option<String> {
    (records > LAG_RECORDS_MAX).then(|| {
        format!("index-lag: {records} events are not indexed yet; the journal is not affected, look at the disk's load")
    })
}

/// An endpoint that is not usable now.
pub(super) fn unusable(chain: ChainId, health: &EndpointHealth) -> Option<String> {
    let EndpointHealth { name, operator, healthy, cause } = health;
    (!healthy).then(|| format!("endpoint-unusable: {name} of {operator} on chain {chain}: {cause}"))
}

/// Facts of the chain on which too few operators agree.
pub(super) fn not_agreed(chain: ChainId, answers: &BTreeMap<Read, ReadOutcome>) -> Option<String> {
    let causes = answers.values().filter_map(|answer| match answer {
        ReadOutcome::Unavailable(cause) => Some(cause),
        ReadOutcome::Value(_) | ReadOutcome::Reverted(_) => None,
    });
    let first = causes.clone().next()?;
    let (count, all) = (causes.count(), answers.len());
    Some(format!("rpc-not-agreed: chain {chain}: {count} of {all} facts have no agreed answer: {first}"))
}

/// A detector that sees nothing of what it watches.
pub(super) fn blind(blind: &Blind) -> String {
    let Blind { detector, asset, blocks, why } = blind;
    match why {
        Blindness::Learning => format!(
            "detector-learning: {detector} of {asset} has not seen the windows yet that it compares with, it finds nothing until it has; shorten \
             them to what a start reads back if this comes again"
        ),
        Blindness::Behind => format!(
            "detector-behind: {detector} of {asset}: at the newest {blocks} blocks it was not known what the other chain shows, or what this one \
             does, it would find nothing; see that both chains go on, that their operators agree, and that lag_s is longer than the other \
             chain takes"
        ),
        Blindness::Untraced => format!(
            "detector-untraced: {detector} of {asset}: nobody gave the calls inside what touched it last, {blocks} blocks ago or more, it would \
             find nothing; configure an endpoint that offers debug_traceTransaction or trace_transaction"
        ),
        Blindness::Unread => format!(
            "detector-blind: {detector} of {asset}: the newest {blocks} blocks gave no agreed answer to what it watches, it would find nothing; \
             see that the charter names the right contract, and the endpoints"
        ),
    }
}

/// A lookout that sees nothing of what it is for.
pub(super) fn sightless(lookout: &LookoutStatus) -> Option<String> {
    let LookoutStatus { source, asks, blind, fault, .. } = lookout;
    let fault = fault.as_ref().filter(|_| *blind >= SIGHTLESS_LOOKS)?;
    Some(format!("lookout-blind: {source} ({asks}): its last {blind} looks saw nothing: {fault}"))
}

/// An expression that has no answer about some of what it should judge.
pub(super) fn unanswered(unanswered: &Unanswered) -> String {
    let Unanswered { detector, asset, cause, count } = unanswered;
    format!(
        "detector-no-answer: {detector} of {asset} had no answer {count} time(s) since this node began, because of {cause}; these were not \
         found; see its expression and the ABI that it declares"
    )
}

#[cfg(test)]
mod tests;
