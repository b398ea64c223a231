//! What the checkers know of one node: what it made durable, what it was shown, and when it first did what.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{B256, U256};
use watchfire_protocol::{Machine, content_digest};
use watchfire_types::body::{Body, Certificate, Purpose};
use watchfire_types::{BlockRef, Epoch, Event, EventHash, MemberKey, Read, Timestamp, Verified};

use super::meeting::Behind;
use super::observations::Observed;
use crate::simulate::agenda::Micros;

/// A block as one node was shown it: what decides about signatures.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) at: BlockRef,
    pub(crate) parent: B256,
    pub(crate) nonce: Option<U256>,
    /// Whether each condition of the charter holds, by its read and answer.
    pub(crate) holds: BTreeMap<(Read, Vec<u8>), bool>,
}

/// What is known of one node.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) signed: Rc<RefCell<BTreeSet<B256>>>,
    /// What is in its log: everything that it made durable since it began, or since it lost its disk.
    pub(crate) held: BTreeMap<EventHash, Rc<Verified<Event>>>,
    /// The part of it that its present disk must still have.
    pub(crate) durable: BTreeSet<EventHash>,
    pub(crate) certificates: BTreeMap<B256, Rc<Certificate>>,
    pub(crate) sights: BTreeMap<B256, Sight>,
    /// Its disk is not the one that it wrote all of this to.
    pub(super) lost: bool,
    /// Its last process died within a sync.
    pub(crate) died_in_sync: bool,
    /// It lost a disk at some time, and with it what nobody else may have heard.
    pub(super) lost_once: bool,
    /// Author's clock at the beginning of each epoch of which it has the beginning.
    pub(super) begun: BTreeMap<(MemberKey, Epoch), Timestamp>,
    /// Messages that its present process accepted.
    pub(super) accepted: BTreeSet<EventHash>,
    /// What it owes is no longer a matter of the certificates that are known here: a submission of its own failed, or its disk lost some of them.
    pub(crate) owes_otherwise: bool,
    pub(crate) restarts: u64,
    pub(crate) sent_messages: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) threshold_at: Option<Micros>,
    /// The epoch of its present process.
    pub(super) epoch: Option<Epoch>,
    /// The first block that its present process was shown: what stands there may have begun before.
    pub(super) began: Option<BlockRef>,
    /// What its own author found, and what it took back.
    pub(super) observed: Observed,
    /// When its guardian key was locked, gave no signature, and was unlocked.
    pub(crate) locked: Option<Micros>,
    pub(crate) key_refused: Option<Micros>,
    pub(crate) unlocked: Option<Micros>,
    /// What it lacks of whom it can speak to again.
    pub(super) behind: Vec<Behind>,
    /// When it first did what, whether it follows the protocol or not.
    pub(crate) times: Times,
}

impl Known {
    /// What a process found on a disk that is not as it was left: nothing else may be acted on.
    pub(super) fn remember(&mut self, machine: &Machine, author: MemberKey) {
        self.held = machine.events().map(|event| (event.hash(), Rc::new(event.clone()))).collect();
        self.certificates.clear();
        self.begun.clear();
        self.observed = Observed::default();
        for event in machine.events() {
            if let Body::Certificate(certificate) = &event.body {
                let digest = content_digest(certificate, machine.network());
                self.certificates.insert(digest, Rc::new(certificate.clone()));
            }
            if matches!(event.body, Body::Started(_)) {
                self.begun.insert((event.author, event.epoch), event.time);
            }
            if event.author == author {
                self.observe(event);
            }
        }
    }
}

/// First times of one node.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) found: Option<Micros>,
    pub(crate) voted: Option<Micros>,
    pub(crate) agreed: Option<Micros>,
    pub(crate) signed: Option<Micros>,
    pub(crate) submitted: Option<Micros>,
}

impl Times {
    pub(super) fn note(&mut self, body: &Body, own: bool, now: Micros) {
        let first = match body {
            Body::Finding(_) if own => &mut self.found,
            Body::Vote(_) if own => &mut self.voted,
            Body::Certificate(held) if matches!(held.purpose, Purpose::Step(_)) => &mut self.agreed,
            Body::CoSignature(_) if own => &mut self.signed,
            Body::Submitted(_) if own => &mut self.submitted,
            _ => return,
        };
        first.get_or_insert(now);
    }
}
