//! Faults: what the plan makes happen to nodes, links, operators and the chain.

use std::collections::BTreeSet;
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_journal::FaultyStorage;
use watchfire_types::{MemberId, OperatorId, SafeTransaction};

use super::play::{Attack, owners};
use super::{Happening, World};
use crate::scenario::{DiskLeft, FaultKind, Part, Who, words};
use crate::simulate::agenda::{MILLI, SECOND};
use crate::simulate::bent::Bent;
use crate::simulate::cast::{CHAIN, SAFE_VERSION};
use crate::simulate::chain::state::Touch;
use crate::simulate::chain::{Call, Transaction};
use crate::simulate::node::disk;
use crate::simulate::operator::Drain;

/// Tip of the owners' own transactions: they go before anything that waits for the same block.
const OWNERS_TIP: u128 = 50_000_000_000;

impl World<'_> {
    /// Whom a fault means.
    pub(crate) fn who(&self, who: &Who) -> Option<usize> {
        match who {
            Who::Part(Part::FirstSubmitter) => self.play.first_submitter,
            Who::Member(member) => self.cast.place(member),
        }
    }

    /// Makes one fault happen.
    pub(super) fn fault(&mut self, index: usize) {
        let planned = self.play.planned[index].clone();
        self.play.done.insert(index);
        if let Some(sketch) = &mut self.sketch {
            sketch.acts.push((self.now, words(&planned.what)));
        }
        self.play.stirred = self.now;
        match &planned.what {
            FaultKind::Kill { member } => self.at(member, |world, at| world.crash(at, DiskLeft::Kept, planned.salt)),
            FaultKind::Crash { member, disk } => self.at(member, |world, at| world.crash(at, *disk, planned.salt)),
            FaultKind::CrashInSync { member, disk } => self.at(member, |world, at| {
                // Who does not live syncs nothing; its next process finds a sound disk.
                if world.nodes[at].process.is_some() {
                    world.nodes[at].disk.fail_sync_after(0);
                    world.play.dies_in_sync.insert(at, (*disk, planned.salt));
                }
            }),
            FaultKind::Restart { member } => self.at(member, |world, at| {
                world.dies_in_sync(at);
                world.restart(at);
            }),
            FaultKind::Cut { member } => self.cut(member, false, false),
            FaultKind::Heal { member } => self.cut(member, true, true),
            FaultKind::Mute { member } => self.cut(member, false, true),
            FaultKind::Split { side } => self.split(side, false),
            FaultKind::Flap { .. } => {
                self.play.flaps.insert(index, 0);
                self.flap(index);
            }
            FaultKind::Eclipse { member, by } => self.eclipse(member, by),
            FaultKind::HealAll {} => {
                self.play.flaps.clear();
                self.set_links(true, |_, _| true);
            }
            FaultKind::Lie { operators, .. }
            | FaultKind::Deny { operators, .. }
            | FaultKind::Lag { operators, .. }
            | FaultKind::Fail { operators }
            | FaultKind::Silence { operators }
            | FaultKind::Throttle { operators }
            | FaultKind::Recover { operators } => self.operators_answer(operators, &planned.what),
            // A simulated chain keeps all state and answers everything; the scenarios that use these are drills.
            FaultKind::Ration { .. } | FaultKind::Prune { .. } => {}
            FaultKind::HoldTransactions {} => self.hold(None, true),
            FaultKind::ReleaseTransactions {} => self.hold(None, false),
            FaultKind::HoldTransactionsOf { member } => self.hold(Some(member), true),
            FaultKind::ReleaseTransactionsOf { member } => self.hold(Some(member), false),
            FaultKind::StealNonce {} => self.owners_execute(Address::repeat_byte(0xdd), Vec::new()),
            FaultKind::SetGuard {} => self.owners_call("setGuard(address)", &[self.cast.guard.into_word()]),
            FaultKind::ReplaceOwner { member } => self.at(member, Self::replace_owner),
            FaultKind::ChangeThreshold { threshold } => {
                self.owners_call("changeThreshold(uint256)", &[U256::from(*threshold).into()]);
            }
            FaultKind::BaseFee { factor } => self.chain.spike(*factor),
            FaultKind::Clock { member, ahead_ms } => self.at(member, |world, at| world.nodes[at].ahead_ms = *ahead_ms),
            FaultKind::Drift { member, ppm } => self.at(member, |world, at| world.nodes[at].drifts(*ppm, world.now)),
            FaultKind::Reorg { depth, drops } => self.reorganise(*depth, *drops),
            FaultKind::Stall { ms } => self.play.stalled_until = self.now + ms * MILLI,
            FaultKind::DiskFull { member } => self.disk(member, |disk| disk.set_capacity(Some(0))),
            FaultKind::DiskFreed { member } => self.disk(member, |disk| disk.set_capacity(None)),
            FaultKind::SyncFails { member } => self.disk(member, |disk| disk.fail_sync_after(0)),
            FaultKind::LockKey { member } => self.at(member, |world, at| world.lock_key(at, true)),
            FaultKind::UnlockKey { member } => self.at(member, |world, at| world.lock_key(at, false)),
            FaultKind::StrangerPauses {} => self.stranger(Touch::Pause),
            FaultKind::StrangerResumes {} => self.stranger(Touch::Resume),
            FaultKind::StrangerClearsFlag {} => self.stranger(Touch::Flag(false)),
            FaultKind::StrangerSetsFlag {} => self.stranger(Touch::Flag(true)),
            FaultKind::StrangerFlips { blocks } => self.play.flips = *blocks,
            FaultKind::FeeFloor { factor } => self.chain.floor(*factor),
            FaultKind::AttackAgain {} => self.attack_again(),
        }
    }

    fn reorganise(&mut self, depth: u64, drops: bool) {
        self.chain.reorganise(self.cast, depth, drops);
        self.announce();
    }

    fn at(&mut self, member: &Who, act: impl FnOnce(&mut Self, usize)) {
        if let Some(place) = self.who(member) {
            act(self, place);
        }
    }

    /// Sets every link for which this holds.
    fn set_links(&mut self, works: bool, of: impl Fn(usize, usize) -> bool) {
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| of(a, *b)) {
                self.set_link(a, b, works);
            }
        }
    }

    /// Sets every link between members of different sides.
    fn split(&mut self, side: &BTreeSet<MemberId>, works: bool) {
        let cast = self.cast;
        let inside = |place: usize| side.contains(&cast.players[place].member);
        self.set_links(works, |a, b| inside(a) != inside(b));
    }

    /// The next turn of a flap, if it still goes on: its links are cut, or work again.
    pub(super) fn flap(&mut self, index: usize) {
        let Some(turns) = self.play.flaps.get_mut(&index) else { return };
        let FaultKind::Flap { side, period_ms, times } = self.play.planned[index].what.clone() else { return };
        let works = *turns % 2 == 1;
        *turns += 1;
        if times.is_some_and(|times| *turns >= 2 * times) {
            self.play.flaps.remove(&index);
        }
        if let Some(sketch) = self.sketch.as_mut().filter(|_| works) {
            sketch.acts.push((self.now, "a flap lets links work again".to_owned()));
        }
        self.play.stirred = self.now;
        self.split(&side, works);
        self.agenda.at(self.now + period_ms * MILLI / 2, Happening::Flap { index });
    }

    /// Leaves this member no link but those with one other.
    fn eclipse(&mut self, member: &Who, by: &MemberId) {
        self.cut(member, false, false);
        if let (Some(place), Some(left)) = (self.who(member), self.cast.place(by)) {
            self.set_link(place, left, true);
            self.set_link(left, place, true);
        }
    }

    /// How operators that this happens to answer from now on.
    fn operators_answer(&mut self, named: &BTreeSet<OperatorId>, what: &FaultKind) {
        let from_block = self.chain.head().at.number + 1;
        let cast = self.cast;
        let named = (0..cast.operators.len()).filter(|place| named.contains(&cast.operators[*place]));
        for place in named {
            let conduct = &mut self.operators[place].conduct;
            match what {
                FaultKind::Lie { wei_per_block, blocks, .. } => {
                    conduct.drain = Some(Drain { from_block, wei_per_block: *wei_per_block, blocks: *blocks });
                }
                FaultKind::Deny { lie, .. } => drop(conduct.denies.insert(*lie)),
                FaultKind::Lag { delay_ms, .. } => conduct.late_ms = *delay_ms,
                FaultKind::Recover { .. } => self.recover(place),
                _ => conduct.down = true,
            }
            if matches!(what, FaultKind::Lie { .. } | FaultKind::Deny { .. }) {
                self.watch.lied(cast, place);
            }
        }
    }

    /// This operator is honest and there again: everyone looks at it anew.
    fn recover(&mut self, operator: usize) {
        self.operators[operator].conduct = Default::default();
        let block = self.chain.head().at.hash;
        self.agenda.at(self.now + MILLI, Happening::Shows { operator, block });
        for (place, node) in self.nodes.iter().enumerate() {
            self.agenda.at(self.now + 2 * MILLI, Happening::Look { place, life: node.life });
        }
    }

    /// Owners make the Safe call itself.
    fn owners_call(&mut self, signature: &str, words: &[B256]) {
        let words = words.iter().flat_map(|word| word.as_slice());
        let data = keccak256(signature)[..4].iter().chain(words).copied().collect();
        self.owners_execute(self.cast.safe, data);
    }

    fn replace_owner(&mut self, place: usize) {
        // Who stands before it in the Safe's list is not asked for here: the model keeps a set.
        let old = self.cast.players[place].guardian;
        let [old, new] = [old, old.create(0)].map(|one| one.into_word());
        self.owners_call("swapOwner(address,address,address)", &[B256::ZERO, old, new]);
    }

    fn disk(&mut self, member: &Who, fails: impl FnOnce(&FaultyStorage)) {
        self.at(member, |world, place| {
            world.play.disk_faults.insert(place);
            fails(&world.nodes[place].disk);
        });
    }

    fn lock_key(&mut self, place: usize, locks: bool) {
        self.nodes[place].locked.set(locks);
        let known = &mut self.watch.known[place];
        let moment = if locks { &mut known.locked } else { &mut known.unlocked };
        moment.get_or_insert(self.now);
    }

    fn attack_again(&mut self) {
        let Attack { serial, first_block_at, first_block, included, .. } = self.play.attack;
        let (began_at, fresh) = (self.now, Attack::new(self.cast));
        self.play.attack = Attack { began: true, began_at, serial, first_block_at, first_block, included, ..fresh };
        self.strike();
    }

    /// A planted mistake: guardian keys sign the pause though nothing makes it owed, and it is sent.
    pub(super) fn sign_unasked(&mut self) {
        let data = keccak256("pause()")[..4].to_vec();
        let nonce = U256::from(self.chain.head().state.nonce);
        let transaction = SafeTransaction::call(self.cast.vault, data.clone().into(), nonce);
        let hash = transaction.hashes(SAFE_VERSION, CHAIN.get(), self.cast.safe).safe_tx_hash;
        for node in &self.nodes {
            node.signed.borrow_mut().insert(hash);
        }
        self.owners_execute(self.cast.vault, data);
    }

    /// The end of a process that was to die within its sync.
    pub(super) fn dies_in_sync(&mut self, place: usize) -> bool {
        let Some((left, salt)) = self.play.dies_in_sync.get(&place).copied() else { return false };
        self.watch.known[place].died_in_sync = true;
        self.crash(place, left, salt);
        true
    }

    fn crash(&mut self, place: usize, left: DiskLeft, salt: u64) {
        self.play.dies_in_sync.remove(&place);
        if self.nodes[place].process.is_none() && self.nodes[place].halted.is_none() {
            return;
        }
        let lies = self.bends(Bent::DiskLies);
        let node = &mut self.nodes[place];
        let mut dice = crate::simulate::dice::Dice::new(salt ^ self.chance.disks.next(), "sectors");
        let before = node.disk.clone();
        let really = if lies { DiskLeft::Old } else { left };
        node.disk = disk::after(&before, really, node.backup.as_ref(), &mut dice);
        node.witnessed = node.witnessed.each_ref().map(|kept| disk::after(kept, really, None, &mut dice));
        node.stop();
        self.watch.crashed(place, left);
        self.links_of(place, SECOND);
    }

    fn cut(&mut self, member: &Who, works: bool, hears: bool) {
        let Some(place) = self.who(member) else { return };
        for other in (0..self.nodes.len()).filter(|other| *other != place) {
            self.set_link(place, other, works);
            self.set_link(other, place, hears);
        }
    }

    fn hold(&mut self, member: Option<&Who>, holds: bool) {
        let own = |place: usize| self.cast.players[place].asks.first().copied();
        let of = member.map(|member| self.who(member).and_then(own));
        for place in 0..self.operators.len() {
            if of.is_none() || of == Some(Some(place)) {
                self.operators[place].holds_transactions = holds;
                if !holds {
                    for transaction in std::mem::take(&mut self.operators[place].held) {
                        self.chain.send(transaction);
                    }
                }
            }
        }
    }

    /// Owners sign and send something of their own at the Safe's present nonce.
    fn owners_execute(&mut self, to: Address, data: Vec<u8>) {
        let state = &self.chain.head().state;
        let transaction = SafeTransaction::call(to, data.into(), U256::from(state.nonce));
        let hash = transaction.hashes(SAFE_VERSION, CHAIN.get(), self.cast.safe).safe_tx_hash;
        let mut signatures: Vec<(Address, [u8; 65])> = self
            .cast
            .guardians()
            .filter(|player| state.owners.contains(&player.guardian))
            .take(state.threshold)
            .filter_map(|player| Some((player.guardian, player.secrets.sign_safe(hash)?)))
            .collect();
        signatures.sort();
        let signatures: Vec<u8> = signatures.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let call = Call::Execute { transaction: Rc::new(transaction), signatures: signatures.into() };
        let (from, slot) = (owners(), hash);
        self.chain.send(Transaction { hash, from, slot, call, max_fee: u128::MAX, tip: OWNERS_TIP });
    }

    pub(super) fn stranger(&mut self, touch: Touch) {
        self.play.attack.serial += 1;
        let hash = keccak256([b"stranger".as_slice(), &self.play.attack.serial.to_be_bytes()].concat());
        let from = Address::repeat_byte(0xcc);
        self.chain.send(Transaction {
            hash,
            from,
            slot: hash,
            call: Call::Touch(touch),
            max_fee: u128::MAX,
            tip: OWNERS_TIP,
        });
    }
}
