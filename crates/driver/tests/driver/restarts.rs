//! A member that restarts, under any clock, from its log or from an older copy of it: who looks on is not alarmed, unless two of it live.

use std::collections::BTreeMap;

use proptest::prelude::*;
use watchfire_driver::{Door, Driver, HeartbeatFacts, Keys};
use watchfire_journal::MemoryStorage;
use watchfire_types::input::Input;
use watchfire_types::{Bytes, MemberKey, Timestamp};

use crate::world::{TestKeys, charter, open, sending};

type MemoryDriver = Driver<MemoryStorage, TestKeys>;

const MINUTE_MS: u64 = 60_000;

/// What happens to the member.
#[derive(Debug, Clone)]
enum Act {
    /// It says something, and whether that is heard at once.
    Say { heard: bool },
    /// It sends a heartbeat.
    Beat,
    /// So much time passes.
    Wait { seconds: u64 },
    /// The process ends and another begins over the same log, its clock off by so many seconds.
    Restart { clock_s: i64 },
    /// The log is copied.
    BackUp,
    /// The process ends and another begins over the last copy.
    Restore { clock_s: i64 },
    /// Who looks on asks the member for what it lacks, and the other way around.
    CatchUp,
}

fn act() -> impl Strategy<Value = Act> {
    let clock = || prop_oneof![Just(0_i64), -7_200_i64..55];
    prop_oneof![
        4 => any::<bool>().prop_map(|heard| Act::Say { heard }),
        2 => Just(Act::Beat),
        3 => (1_u64..200).prop_map(|seconds| Act::Wait { seconds }),
        3 => clock().prop_map(|clock_s| Act::Restart { clock_s }),
        1 => Just(Act::BackUp),
        2 => clock().prop_map(|clock_s| Act::Restore { clock_s }),
        3 => Just(Act::CatchUp),
    ]
}

/// One process of the member.
struct Process {
    driver: MemoryDriver,
    storage: MemoryStorage,
    clock_s: i64,
}

struct World {
    now: Timestamp,
    observer: MemoryDriver,
    processes: Vec<Process>,
    backup: BTreeMap<String, Vec<u8>>,
    epochs: u8,
    said: u8,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let observer = open(&charter(), 0, MemoryStorage::new(), 0xf0, now).0;
        let (processes, backup) = (Vec::new(), BTreeMap::new());
        let mut world = Self { now, observer, processes, backup, epochs: 0, said: 0 };
        world.begin(MemoryStorage::new(), 0);
        world
    }

    fn key() -> MemberKey {
        TestKeys::of(1).author()
    }

    fn clock(&self, by: usize) -> Timestamp {
        let now = i64::try_from(self.now.as_millis()).unwrap();
        Timestamp::from_millis(u64::try_from(now + self.processes[by].clock_s * 1_000).unwrap())
    }

    fn begin(&mut self, storage: MemoryStorage, clock_s: i64) {
        self.epochs += 1;
        let now = i64::try_from(self.now.as_millis()).unwrap();
        let clock = Timestamp::from_millis(u64::try_from(now + clock_s * 1_000).unwrap());
        let (driver, output) = open(&charter(), 1, storage.clone(), self.epochs, clock);
        self.processes.push(Process { driver, storage, clock_s });
        self.hear(output.publish);
    }

    fn hear(&mut self, published: Vec<Bytes>) {
        let door = (0..).zip(published).map(|(id, bytes)| Door::Gossip { id, bytes }).collect();
        self.observer.handle(self.now, door).unwrap();
    }

    fn say(&mut self, by: usize, heard: bool) {
        self.said = self.said.wrapping_add(1);
        let report = sending(self.said);
        let clock = self.clock(by);
        let output = self.processes[by].driver.handle(clock, vec![Door::Input(report)]).unwrap();
        if heard {
            self.hear(output.publish);
        }
    }

    fn beat(&mut self, by: usize) {
        let clock = self.clock(by);
        let beat = self.processes[by].driver.heartbeat(clock, HeartbeatFacts::default()).unwrap();
        self.hear(vec![beat]);
    }

    /// Time passes, for the observer too.
    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_millis(ms);
        self.observer.handle(self.now, vec![Door::Input(Input::Tick)]).unwrap();
    }

    fn catch_up(&mut self, by: usize) {
        let clock = self.clock(by);
        let answer =
            self.processes[by].driver.answer_catch_up(&self.observer.catch_up_request(), |error| panic!("{error}"));
        self.observer.handle(self.now, vec![Door::CaughtUp { from: Self::key(), events: answer.events }]).unwrap();
        let answer =
            self.observer.answer_catch_up(&self.processes[by].driver.catch_up_request(), |error| panic!("{error}"));
        let from = TestKeys::of(0).author();
        self.processes[by].driver.handle(clock, vec![Door::CaughtUp { from, events: answer.events }]).unwrap();
    }

    fn restart(&mut self, storage: MemoryStorage, clock_s: i64) {
        self.processes.pop();
        self.begin(storage, clock_s);
    }

    fn play(&mut self, act: &Act) {
        let last = self.processes.len() - 1;
        match act {
            Act::Say { heard } => self.say(last, *heard),
            Act::Beat => self.beat(last),
            Act::Wait { seconds } => self.wait(seconds * 1_000),
            Act::Restart { clock_s } => self.restart(self.processes[last].storage.clone(), *clock_s),
            Act::BackUp => self.backup = self.processes[last].storage.files(),
            Act::Restore { clock_s } => self.restart(MemoryStorage::with_files(self.backup.clone()), *clock_s),
            Act::CatchUp => self.catch_up(last),
        }
    }

    /// Whether the observer, and every process of the member itself, say so of it.
    fn say_of_it(&self, what: impl Fn(&watchfire_protocol::MemberStatus) -> bool) -> bool {
        let own = self.processes.iter().map(|process| process.driver.machine());
        let mut members = own.chain([self.observer.machine()]).flat_map(watchfire_protocol::Machine::members);
        members.any(|member| member.key == Self::key() && what(&member))
    }

    /// What one process goes on to do for three hours, after which no clock is behind what was said before.
    fn go_on(&mut self) {
        for turn in 0..36 {
            let last = self.processes.len() - 1;
            self.catch_up(last);
            self.beat(last);
            self.say(last, turn % 2 == 0);
            self.wait(5 * MINUTE_MS);
        }
    }

    /// Who is alarmed: the observer, and each process of the member itself.
    fn alarmed(&self) -> Vec<bool> {
        let own = self.processes.iter().map(|process| process.driver.machine());
        let machines = [self.observer.machine()].into_iter().chain(own);
        let twice = |machine: &watchfire_protocol::Machine| {
            machine.members().iter().any(|member| member.key == Self::key() && member.in_use_twice)
        };
        machines.map(twice).collect()
    }

    fn heard_twice(&self) -> bool {
        let members = self.observer.machine().members();
        members.iter().any(|member| member.key == Self::key() && member.in_use_twice)
    }

    /// Two processes over copies of one log go on side by side, for three minutes.
    fn live_twice(&mut self, clock_s: i64, events: bool) {
        let storage = MemoryStorage::with_files(self.processes[0].storage.files());
        self.begin(storage, clock_s);
        for _ in 0..9 {
            for by in 0..2 {
                if events {
                    self.say(by, true);
                } else {
                    self.beat(by);
                }
                self.wait(10_000);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// One process at a time, whatever its clock says and whatever its log forgot: no fault, and no alarm that stays.
    #[test]
    fn one_process_at_a_time_is_no_fault_and_no_standing_alarm(acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
        }
        world.go_on();
        prop_assert!(!world.say_of_it(|member| member.faulty), "{acts:?}");
        prop_assert!(!world.say_of_it(|member| member.in_use_twice), "{acts:?} {:?}", world.alarmed());
        world.play(&Act::Restart { clock_s: 0 });
        prop_assert!(!world.say_of_it(|member| member.restored), "{acts:?}");
    }

    /// Two at a time are said, by their events or by their heartbeats alone, whatever the second one's clock says; and no longer once one ends.
    #[test]
    fn two_processes_at_a_time_are_said_until_one_ends(
        acts in proptest::collection::vec(act(), 0..12),
        clock_s in -7_200_i64..55,
        events: bool,
    ) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
        }
        world.restart(world.processes[0].storage.clone(), 0);
        world.wait(11 * MINUTE_MS);
        world.catch_up(0);
        // Of two processes' heartbeats those that are behind are no news.
        let clock_s = if events { clock_s } else { 0 };
        world.live_twice(clock_s, events);
        prop_assert!(world.heard_twice(), "{acts:?}");
        world.processes.remove(0);
        world.go_on();
        prop_assert!(!world.say_of_it(|member| member.faulty), "{acts:?}");
        prop_assert!(!world.say_of_it(|member| member.in_use_twice), "{acts:?} {:?}", world.alarmed());
    }
}

/// A clock that was an hour ahead is set back, and the node is restarted: the second epoch ends within the first by its clock, and begins
/// knowing all of it.
#[test]
fn a_clock_set_back_is_no_second_life() {
    let mut world = World::new();
    world.restart(world.processes[0].storage.clone(), 50);
    for _ in 0..20 {
        world.say(0, true);
        world.wait(5_000);
    }
    world.restart(world.processes[0].storage.clone(), -3_600);
    for _ in 0..20 {
        world.say(0, true);
        assert!(!world.say_of_it(|member| member.in_use_twice || member.restored));
        world.wait(5_000);
    }
}
