//! Blocks: made, shown by operators, and looked at by nodes as the production feed does: what a reorg took first, then every block of the
//! new branch in order, each followed by the detectors.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use watchfire_driver::Door;
use watchfire_types::input::Input;
use watchfire_types::{BlockRef, BlockTime, BlockView};

use super::{HEARTBEAT, Happening, World};
use crate::simulate::agenda::{MILLI, SECOND};
use crate::simulate::bent::Bent;
use crate::simulate::cast::CHAIN;
use crate::simulate::chain::Call;
use crate::simulate::chain::state::Touch;
use crate::simulate::operator;
use crate::simulate::sketch::Mined;

impl World<'_> {
    pub(super) fn mine(&mut self) {
        let block_us = self.cast.scenario.chain.block_time_ms * MILLI;
        self.agenda.at(self.now + block_us, Happening::Mine);
        if self.play.stalled_until > self.now {
            return;
        }
        if self.play.flips > 0 {
            self.play.flips -= 1;
            self.stranger(Touch::Flag(self.play.flips % 2 == 1));
        }
        self.chain.mine(self.cast);
        self.announce();
    }

    /// A new head: operators show it, checkers and the play look at it.
    pub(super) fn announce(&mut self) {
        let head = self.chain.head().at.hash;
        self.draw_block();
        let (least, most) = self.cast.scenario.chain.rpc_ms;
        for operator in 0..self.operators.len() {
            let late = self.operators[operator].conduct.late_ms * MILLI;
            let delay = self.chance.rpc.within((least * MILLI, most * MILLI)) + late;
            self.agenda.at(self.now + delay, Happening::Shows { operator, block: head });
        }
        self.watch.block(self.cast, &self.chain);
        for place in 0..self.nodes.len() {
            self.with_adversary(place, |adversary, scene| adversary.sees(scene));
        }
        self.on_block();
    }

    fn draw_block(&mut self) {
        let (at, block) = (self.now, self.chain.head());
        let Some(sketch) = &mut self.sketch else { return };
        let said = block.included.iter().map(|one| {
            let what = match &one.transaction.call {
                Call::Execute { transaction, .. } => format!("Safe transaction at nonce {}", transaction.nonce),
                Call::Touch(touch) => format!("{touch:?}"),
            };
            match one.result {
                Ok(()) => what,
                Err(reason) => format!("{what} reverts: {reason}"),
            }
        });
        let (number, text, paused) = (block.at.number, said.collect(), block.state.paused);
        sketch.blocks.push(Mined { at, number, text, paused });
    }

    pub(super) fn shows(&mut self, operator: usize, block: B256) {
        let number = |hash: &B256| self.chain.block(hash).map_or(0, |block| block.at.number);
        let shown = self.operators[operator].head;
        let replaces = number(&block) > number(&shown)
            || !self.chain.block(&shown).is_some_and(|b| self.chain.is_canonical(&b.at));
        if !replaces {
            return;
        }
        self.operators[operator].head = block;
        for place in 0..self.nodes.len() {
            if self.cast.players[place].asks.contains(&operator) {
                let life = self.nodes[place].life;
                self.agenda.at(self.now + MILLI, Happening::Look { place, life });
            }
        }
    }

    /// Follows the head that enough of the node's operators agree on.
    pub(super) fn look(&mut self, place: usize) {
        let cast = self.cast;
        let agree = if self.bends(Bent::TrustsOneOperator) { 1 } else { cast.scenario.governance.agree };
        let asks = &cast.players[place].asks;
        let Some(head) = operator::agreed_head(&self.chain, &self.operators, asks, agree) else { return };
        let Some(process) = &self.nodes[place].process else { return };
        if process.free_at > self.now {
            let life = self.nodes[place].life;
            self.agenda.at(process.free_at, Happening::Look { place, life });
            return;
        }
        // The branch from the head down to what this node holds, or to where its backfill begins.
        let newest = process.recent.last_key_value().map(|(number, _)| *number);
        let mut branch = Vec::new();
        let mut at = head;
        while let Some(block) = self.chain.block(&at) {
            let known = process.recent.get(&block.at.number).is_some_and(|known| known.hash == at);
            if known || block.at.number == 0 || (newest.is_none() && self.beyond_backfill(&block.at)) {
                break;
            }
            branch.push(at);
            at = block.parent;
        }
        branch.reverse();
        let Some(first) = branch.first().and_then(|hash| self.chain.block(hash)).map(|block| block.at.number) else {
            return;
        };
        if newest.is_some_and(|newest| first <= newest) {
            self.orphan(place, first);
        }
        for hash in branch {
            let Some(block) = self.chain.block(&hash) else { return };
            let mut view = operator::view(cast, block, &self.operators, asks, agree);
            if self.bends(Bent::StaleNonce) {
                self.make_stale(&mut view, 0);
            }
            if self.bends(Bent::LateNonce) {
                let old = view.block.number.saturating_sub(2);
                self.make_stale(&mut view, old);
            }
            self.show(place, &view);
        }
        self.payer_looks(place);
    }

    /// A planted mistake: the nonce is what it was at this height.
    fn make_stale(&self, view: &mut BlockView, height: u64) {
        let then = self.chain.at(height).map(|block| std::rc::Rc::clone(&block.state));
        for (read, answer) in &mut view.reads {
            let nonce = matches!(read, watchfire_types::Read::Call { to, data }
                if *to == self.cast.safe && data[..] == alloy_primitives::keccak256("nonce()")[..4]);
            if let (true, Some(then)) = (nonce, &then) {
                *answer = then.read(self.cast, read);
            }
        }
    }

    /// What a start looks back, as the node does it.
    fn beyond_backfill(&self, block: &BlockRef) -> bool {
        let window_s = self.cast.scenario.governance.window_s;
        let back = window_s.max(watchfire_protocol::lookback_s(&self.cast.charter, CHAIN));
        block.time.plus_secs(back) < self.chain.head().at.time
    }

    fn orphan(&mut self, place: usize, lowest: u64) {
        let Some(process) = &mut self.nodes[place].process else { return };
        let mut taken: Vec<BlockRef> = process.recent.split_off(&lowest).into_values().collect();
        taken.reverse();
        let gone =
            BlockRef { chain: CHAIN, number: lowest.saturating_sub(1), hash: B256::ZERO, time: BlockTime::default() };
        let ancestor = process.recent.last_key_value().map_or(gone, |(_, block)| *block);
        process.detectors.0.rollback(&ancestor);
        self.turn(place, vec![Door::Input(Input::Orphaned { chain: CHAIN, blocks: taken })]);
    }

    /// The block first: it may move the floor from which the detectors' windows start.
    fn show(&mut self, place: usize, view: &BlockView) {
        let block = view.block;
        self.watch.shown(place, view);
        if let Some(process) = &mut self.nodes[place].process {
            process.note(block);
            process.moved_at = self.now;
            process.silent = false;
        }
        self.turn(place, vec![Door::Input(Input::Block(Box::new(view.clone())))]);
        let (forgets, loses) = (self.bends(Bent::ForgetsFloors), self.bends(Bent::LosesFindings));
        let Some(process) = &mut self.nodes[place].process else { return };
        let none = BTreeMap::new();
        let floors = if forgets { &none } else { &process.floors };
        let standing = process.detectors.0.observe_announced(view, floors, &process.announced);
        process.detectors.0.hear(view, &standing);
        let told = if loses { Vec::new() } else { standing.clone() };
        self.turn(place, vec![Door::Input(Input::Detected { block, standing: told })]);
        let Some(process) = &self.nodes[place].process else { return };
        // What others gave back of an earlier life waits some milliseconds to be shown, and is not said again for that.
        let own = self.cast.players[place].author;
        let journal = process.driver.journal();
        let waits = journal.durable().through() != journal.end();
        let machine = process.driver.machine();
        let events = waits.then(|| machine.events()).into_iter().flatten();
        let returned: Vec<_> =
            events.filter(|event| event.author == own && event.epoch != machine.epoch()).cloned().collect();
        self.watch.stands(self.cast, place, &block, &standing, &returned);
    }

    /// Says that the chain is silent once, as the production feed does: after four block times, five seconds at least.
    pub(super) fn silence(&mut self, place: usize) {
        let after = (self.cast.scenario.chain.block_time_ms * 4 * MILLI).max(5 * SECOND);
        let blind = self.cast.players[place].asks.iter().all(|one| self.operators[*one].conduct.down);
        let Some(process) = &mut self.nodes[place].process else { return };
        if blind && self.now.saturating_sub(process.moved_at) >= after + HEARTBEAT {
            let outlooks = process.driver.machine().outlooks();
            self.watch.loud(self.cast, place, outlooks.iter().any(|outlook| outlook.can_pause));
        }
        if !process.silent && self.now.saturating_sub(process.moved_at) >= after {
            process.silent = true;
            let cause = "no endpoint named a new block".to_owned();
            process.inbox.push(Door::Input(Input::ChainSilent { chain: CHAIN, cause }));
        }
    }

    /// Every node's word on whether it could pause: `None` where it does not live.
    pub(super) fn outlooks(&self) -> BTreeMap<usize, bool> {
        let process = |place: usize| self.nodes[place].process.as_ref();
        let living = (0..self.nodes.len()).filter_map(|place| Some((place, process(place)?)));
        living
            .filter_map(|(place, process)| {
                let outlooks = process.driver.machine().outlooks();
                Some((place, outlooks.first()?.can_pause))
            })
            .collect()
    }
}
