//! Events taken per second in a full catch-up between two drivers against bare strict signature checks per second on all cores.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use ed25519_dalek::VerifyingKey;
use watchfire_charter::Charter;
use watchfire_driver::{CheckedAnswer, Door, Driver, Keys, Line, Output, Part};
use watchfire_journal::FileStorage;
use watchfire_types::Timestamp;
use watchfire_types::input::Input;
use watchfire_wire::{CatchUpRequest, CatchUpResponse};

use crate::ingest::{self, NOW, Sample};
use crate::report::{Bound, Report};
use crate::world::{TestKeys, charter, open};

const FLOOR: f64 = 0.80;
/// Events of each author's one epoch, as many as its quota allows within an hour.
const EVENTS: usize = 4_096;
/// Authors: every member but the newcomer.
const AUTHORS: usize = 4;

type FileDriver = Driver<FileStorage, TestKeys>;

/// All rounds. Bare checks go before and after each catch-up, so that whatever else the machine does falls on both.
pub(crate) fn measure(rounds: u32) -> Report {
    let charter = charter();
    let directory = tempfile::tempdir().expect("a directory");
    let (mut peer, bare) = history(&charter, directory.path());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let ratios = (0..rounds).map(|_| {
        let before_s = check_all(&bare, cores);
        let taken_s = catch_up(&charter, &mut peer, bare.len());
        let after_s = check_all(&bare, cores);
        f64::midpoint(before_s, after_s) / taken_s
    });
    let setting = format!("{} events, {cores} cores", bare.len());
    Report::new("catch-up", setting, ratios.collect(), Bound::Least(FLOOR))
}

/// A driver that holds every author's chain, and the chains' bare checks.
fn history(charter: &Arc<Charter>, directory: &Path) -> (FileDriver, Vec<(VerifyingKey, Sample)>) {
    let storage = FileStorage::open(directory).expect("a journal");
    // The authors' quota counts their own clocks, which the samples spread over an hour.
    let now = NOW.plus_millis(3_600_000);
    let (mut peer, _) = open(charter, 1, storage, 0x71, now);
    let mut bare = Vec::new();
    for index in 1..=AUTHORS {
        let keys = TestKeys::of(index);
        let samples = ingest::samples(charter, &keys, EVENTS);
        let events = samples.iter().map(|sample| sample.outer.clone()).collect();
        let output = peer.handle(now, vec![Door::CaughtUp { from: keys.author(), events }]).expect("a sound disk");
        assert_eq!(output.caught_up[0].taken, EVENTS, "{:?}", output.caught_up[0].reason);
        let key = VerifyingKey::from_bytes(keys.author().as_bytes()).expect("a key");
        bare.extend(samples.into_iter().map(|sample| (key, sample)));
    }
    (peer, bare)
}

/// Seconds for all bare checks, with every core at work.
fn check_all(bare: &[(VerifyingKey, Sample)], cores: usize) -> f64 {
    let clock = Instant::now();
    thread::scope(|scope| {
        for share in bare.chunks(bare.len().div_ceil(cores)) {
            scope.spawn(move || {
                for (key, sample) in share {
                    key.verify_strict(&sample.input, &sample.signature).expect("a signature that holds");
                }
            });
        }
    });
    clock.elapsed().as_secs_f64()
}

/// What comes to the newcomer's loop.
enum Came {
    Answered { complete: bool },
    Read(Part),
    Checked(CheckedAnswer),
}

/// Seconds until a newcomer holds all, durably: questions and answers encoded and decoded as between two nodes, answers served,
/// checked and taken as a node does: the next question leaves before an answer is checked, and a part is checked while the one before is
/// taken.
fn catch_up(charter: &Arc<Charter>, peer: &mut FileDriver, events: usize) -> f64 {
    let directory = tempfile::tempdir().expect("a directory");
    let storage = FileStorage::open(directory.path()).expect("a journal");
    let now = NOW.plus_millis(3_600_000);
    let (mut newcomer, _) = open(charter, 0, storage, 0x77, now);
    let verifier = newcomer.verifier();
    let clock = Instant::now();
    let mut durable = 0;
    thread::scope(|scope| {
        let (ask, asked) = channel::<CatchUpRequest>();
        let (check, to_check) = channel::<Part>();
        let (came, comes) = channel::<Came>();
        let checked = came.clone();
        scope.spawn(move || {
            for request in asked {
                let response = serve(peer, &request);
                came.send(Came::Answered { complete: response.complete }).expect("a taker");
                for part in Part::read(TestKeys::of(1).author(), &response.events) {
                    came.send(Came::Read(part.clone())).expect("a taker");
                    check.send(part).expect("a checker");
                }
            }
        });
        scope.spawn(move || {
            for part in to_check {
                checked.send(Came::Checked(verifier.check(part.answer()))).expect("a taker");
            }
        });
        ask.send(newcomer.catch_up_request()).expect("a peer");
        let mut line = Line::default();
        line.reading(false);
        while !line.is_over() {
            let taking = match comes.recv().expect("a peer") {
                Came::Answered { complete } => {
                    line.arrived();
                    line.reading(complete);
                    None
                }
                Came::Read(part) => {
                    line.read(part);
                    None
                }
                Came::Checked(answer) => {
                    line.checked();
                    Some(answer)
                }
            };
            if let Some(request) = line.ask_on(&mut newcomer) {
                ask.send(request).expect("a peer");
            }
            if let Some(answer) = taking {
                durable += turn(&mut newcomer, now, Door::Checked(answer)).appended.len();
                line.taken(true);
            }
        }
    });
    durable += turn(&mut newcomer, NOW.plus_millis(3_600_100), Door::Input(Input::Tick)).appended.len();
    let took_s = clock.elapsed().as_secs_f64();
    assert_eq!(durable, events + 1, "all, and the peer's own beginning");
    took_s
}

/// An answer over the wire's own encoding, both ways.
fn serve(peer: &FileDriver, request: &CatchUpRequest) -> CatchUpResponse {
    let request = CatchUpRequest::decode(request.encode()).expect("a question");
    let response = peer.answer_catch_up(&request, |error| panic!("{error}"));
    CatchUpResponse::decode(response.encode()).expect("an answer")
}

/// One turn; what waited for a sync may come with a later one.
fn turn(newcomer: &mut FileDriver, now: Timestamp, door: Door) -> Output {
    let output = newcomer.handle(now, vec![door]).expect("a sound disk");
    let refused = output.caught_up.iter().find(|caught_up| caught_up.refused > 0);
    assert_eq!(refused, None);
    output
}
