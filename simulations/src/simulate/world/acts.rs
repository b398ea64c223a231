//! What the attacker and the people of the scenario do when their moment has come.

use alloy_primitives::{Address, U256, keccak256};
use watchfire_driver::Door;
use watchfire_types::StepIndex;
use watchfire_types::body::{Human, Outcome};
use watchfire_types::input::{HumanAct, Input};

use super::World;
use crate::scenario::{Act, AttackKind, Wave, words};
use crate::simulate::agenda::MILLI;
use crate::simulate::bent::Bent;
use crate::simulate::chain::state::Touch;
use crate::simulate::chain::{Call, Transaction};

impl World<'_> {
    pub(super) fn attack(&mut self) {
        if !self.play.attack.began {
            self.play.attack.began = true;
            self.play.attack.began_at = self.now;
            self.play.status_before = self.outlooks();
        }
        self.strike();
    }

    /// The attacker's turn, in every wave that has begun.
    pub(super) fn strike(&mut self) {
        if !self.play.attack.began || self.play.attack.over {
            return;
        }
        for (at, script) in self.cast.scenario.attack.waves().enumerate() {
            self.strike_in(at, &script);
        }
        self.play.attack.over = self.play.attack.waves.iter().all(|wave| wave.over);
    }

    /// A transaction of one wave for every block, until one of its account reverts or all are through.
    fn strike_in(&mut self, at: usize, script: &Wave<'_>) {
        let attack = &mut self.play.attack;
        let wave = &mut attack.waves[at];
        if wave.over || wave.waiting.is_some() {
            return;
        }
        let from = script.from.map(str::to_owned);
        if attack.stopped.contains(&from) || wave.sent == script.transactions || script.kind == AttackKind::None {
            wave.over = true;
            return;
        }
        if self.now < attack.began_at.saturating_add(script.after_ms.saturating_mul(MILLI)) {
            return;
        }
        let first = wave.sent == 0;
        let wei = script.takes();
        let drain = Touch::Drain { wei, each: script.wei };
        let touch = match script.kind {
            AttackKind::OracleManipulation if first => Touch::MovePrice,
            AttackKind::InfiniteMint if first => Touch::Mint,
            AttackKind::OwnerStolen if first => Touch::TakeOwnership,
            AttackKind::UpgradeStolen if first => Touch::Upgrade,
            AttackKind::ForgedMessage => Touch::Release { wei },
            AttackKind::Withdrawal => Touch::Drain { wei: script.wei, each: U256::ZERO },
            AttackKind::Reentrancy
            | AttackKind::OracleManipulation
            | AttackKind::InfiniteMint
            | AttackKind::OwnerStolen
            | AttackKind::UpgradeStolen
            | AttackKind::None => drain,
        };
        wave.sent += 1;
        attack.serial += 1;
        let hash = keccak256([b"attack".as_slice(), &attack.serial.to_be_bytes()].concat());
        wave.waiting = Some(hash);
        let from = from.map_or(Address::repeat_byte(0xee), |name| Address::from_word(keccak256(name)));
        let tip = 2_000_000_000;
        self.chain.send(Transaction { hash, from, slot: hash, call: Call::Touch(touch), max_fee: u128::MAX, tip });
    }

    pub(super) fn human(&mut self, part: usize) {
        self.play.people += 1;
        self.play.stirred = self.now;
        let human = &self.cast.scenario.humans[part];
        if let Some(sketch) = &mut self.sketch {
            let who: Vec<&str> = human.organisations.iter().map(|id| id.as_str()).collect();
            sketch
                .acts
                .push((self.now, format!("people of {}: {}, {}", who.join(", "), words(&human.act), human.reason)));
        }
        if human.act == Act::Asleep {
            self.play.asleep.extend(human.organisations.iter().cloned());
        }
        for organisation in &human.organisations {
            if self.play.asleep.contains(organisation) {
                continue;
            }
            let Some(place) = self.cast.players.iter().position(|player| player.organisation == *organisation) else {
                continue;
            };
            let leaked = hex::encode(self.cast.players[place].secrets.secret_bytes()[0]);
            let reason = if self.bends(Bent::LeaksKey) { leaked } else { human.reason.clone() };
            let who = Human { person: format!("{organisation}-on-call"), role: "on-call".to_owned(), reason };
            let cast = self.cast;
            let (asset, contain) = (cast.asset.clone(), cast.playbook.clone());
            let Some(process) = &mut self.nodes[place].process else { continue };
            let acts = match human.act {
                Act::Approve => vec![HumanAct::Approve { asset, playbook: contain, step: cast.widest, human: who }],
                Act::Veto => vec![HumanAct::Veto { asset, playbook: contain, human: who }],
                Act::Recover => {
                    let Some(playbook) = cast.recovery.clone() else { continue };
                    vec![HumanAct::Approve { asset, playbook, step: StepIndex::new(1), human: who }]
                }
                Act::CloseFalse => {
                    let outcome = Some(Outcome::False);
                    vec![HumanAct::Close { asset, playbook: contain, incident: None, outcome, human: who }]
                }
                Act::Promote => {
                    let rules = process.driver.machine().rule_stats();
                    let demoted = rules.into_iter().filter(|rule| rule.demoted.is_some());
                    demoted.map(|rule| HumanAct::Promote { detector: rule.rule, human: who.clone() }).collect()
                }
                Act::Reject => {
                    let incidents = process.driver.machine().incidents().into_iter();
                    let open = incidents.filter(|incident| incident.asset == asset && incident.is_open());
                    open.map(|incident| HumanAct::Reject { incident: incident.id, human: who.clone() }).collect()
                }
                Act::Asleep => continue,
            };
            process.inbox.extend(acts.into_iter().map(|act| Door::Input(Input::Human(act))));
            self.call(place);
        }
    }
}
