//! Catch-up: what this node holds, and what another one lacks.

use std::collections::BTreeMap;

use watchfire_journal::{JournalError, Storage};
use watchfire_types::{EventHash, Seq};
use watchfire_wire::bounds::{MAX_CATCH_UP_RESPONSE, MAX_POSITIONS, MAX_RESPONSE_EVENTS};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, ChainBound, EpochPosition};

use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;

/// Room for the rest of an encoded response beside its events.
const RESPONSE_OVERHEAD: usize = 16;

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Asks for everything after what this node holds without gaps. With more chains than a request has room for
    /// ([`MAX_POSITIONS`]) each call asks about the next stretch of them, so that a few calls cover all.
    pub fn catch_up_request(&mut self) -> CatchUpRequest {
        let heads = self.machine().heads();
        if heads.len() <= MAX_POSITIONS {
            self.asked_before(None);
            return CatchUpRequest { vector: heads.into_iter().map(position).collect(), from: None, until: None };
        }
        let from = self.asked_before(None);
        let mut rest = heads.into_iter().filter(|(key, _)| from.is_none_or(|from| *key >= from));
        let vector: Vec<EpochPosition> = rest.by_ref().take(MAX_POSITIONS).map(position).collect();
        let until = rest.next().map(|(key, _)| key);
        self.asked_before(until);
        CatchUpRequest { vector, from: from.map(bound), until: until.map(bound) }
    }

    /// What the sender of `request` lacks, within the bounds of one response: a fair share of every chain, each in ascending
    /// order. Call it between turns: own events are all durable then, and of others' it does not matter.
    ///
    /// # Errors
    /// [`JournalError`] when the log cannot be read; the node stops.
    pub fn answer_catch_up(&self, request: &CatchUpRequest) -> Result<CatchUpResponse, JournalError> {
        let known: BTreeMap<ChainKey, (Seq, EventHash)> =
            request.vector.iter().map(|at| ((at.author, at.epoch), (at.seq, at.hash))).collect();
        let within = |key: &ChainKey| {
            request.from.is_none_or(|from| *key >= (from.author, from.epoch))
                && request.until.is_none_or(|until| *key < (until.author, until.epoch))
        };
        let chains = self.log().index().chains().filter(|(key, _)| within(key));
        let mut wanted: Vec<Vec<EventHash>> =
            chains.map(|(key, chain)| lacking(chain, known.get(key))).filter(|hashes| !hashes.is_empty()).collect();
        let mut room = MAX_CATCH_UP_RESPONSE - RESPONSE_OVERHEAD;
        let mut response = CatchUpResponse { events: Vec::new(), complete: false };
        // One event of each chain in turn: no chain, however long, keeps the others waiting.
        for round in 0.. {
            wanted.retain(|hashes| hashes.len() > round);
            if wanted.is_empty() {
                break;
            }
            for hash in wanted.iter().filter_map(|hashes| hashes.get(round)) {
                let Some(event) = self.log().read(hash)? else { continue };
                let cost = CatchUpResponse::cost(&event);
                if cost > room || response.events.len() == MAX_RESPONSE_EVENTS {
                    return Ok(response);
                }
                room -= cost;
                response.events.push(event);
            }
        }
        response.complete = true;
        Ok(response)
    }
}

/// Hashes after the position that the other side holds; from that position on when it holds another event there.
fn lacking(chain: &BTreeMap<Seq, Vec<EventHash>>, known: Option<&(Seq, EventHash)>) -> Vec<EventHash> {
    let first = match known {
        None => Seq::new(0),
        Some((seq, hash)) => match chain.get(seq) {
            Some(at) if !at.contains(hash) => *seq,
            Some(_) | None => seq.next(),
        },
    };
    chain.range(first..).flat_map(|(_, hashes)| hashes.iter().copied()).collect()
}

fn position((key, (seq, hash)): (ChainKey, (Seq, EventHash))) -> EpochPosition {
    EpochPosition { author: key.0, epoch: key.1, seq, hash }
}

fn bound((author, epoch): ChainKey) -> ChainBound {
    ChainBound { author, epoch }
}
