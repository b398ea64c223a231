//! Kill -9 of the whole node at random moments under load: what it answered for to a person is in its log afterwards, and the log holds.
//!
//! 200 kills by default; `WATCHFIRE_KILLS=5000 cargo test -p watchfire-node --test node kills` makes a longer run.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use watchfire_node::charter_file;
use watchfire_node::control::client::ask;
use watchfire_node::keys::sealing::seal;
use watchfire_types::body::{Human, SealedAbout};
use watchfire_types::control::{Reply, Request};
use watchfire_types::input::HumanAct;

use crate::fixture::{Members, Running, endpoint_of_chain, json, stderr, watchfire};

const KILLS: u32 = 200;
/// Kills of one log: each start replays it, and the last one's is verified.
const KILLS_OF_ONE: u32 = 10;
/// Answers of one process before it is killed, at most.
const ANSWERS_MAX: u64 = 40;
/// People who speak at once, so that commits hold several events.
const SPEAKERS: usize = 4;

/// SplitMix64: which moments are tried is told by the run's number.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A report after the other, each as soon as the last one was answered for, until nobody answers.
fn speak(directory: &Path, request: &Request, answered: &Mutex<BTreeSet<String>>, told: &Sender<()>) {
    while let Ok(Reply::Done { events }) = ask(directory, request) {
        answered.lock().unwrap().extend(events.iter().map(ToString::to_string));
        let _ = told.send(());
    }
}

/// What the log of a directory without a node holds, every frame, signature and hash chain checked.
fn held(config: &str) -> BTreeSet<String> {
    let verified = watchfire(&["log", "verify", "--config", config, "--json"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    assert_eq!(json(&verified)["log_verified"], true);
    let mut held = BTreeSet::new();
    let mut after = "0:0".to_owned();
    loop {
        let page = json(&watchfire(&[
            "log", "query", "--kind", "sealed", "--after", &after, "--limit", "1000", "--config", config, "--json",
        ]));
        held.extend(page["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap().to_owned()));
        if page["more"] != true {
            return held;
        }
        page["next"].as_str().unwrap().clone_into(&mut after);
    }
}

/// Starts, loads and kills the node of one directory again and again; answers how much it had answered for.
fn kill_again_and_again(members: &Members, organisation: &str, kills: u32, state: &mut u64) -> usize {
    let (directory, config) = (members.directory(organisation), members.config(organisation));
    let (charter, _) = charter_file::load(&directory.join("charter.toml")).unwrap();
    let member = format!("{organisation}-1").parse().unwrap();
    let author = charter.members[&member].node_key;
    let about = SealedAbout::Vulnerability("vault-core".parse().unwrap());
    let human = Human { person: "p-1".into(), role: "lead".into(), reason: "a report".into() };
    let sealed = seal(&charter, &author, about, human, &BTreeSet::from([member]), "words").unwrap();
    let request = Request::Act { act: HumanAct::Seal { sealed: Box::new(sealed) } };
    let answered = Mutex::new(BTreeSet::new());
    for _ in 0..kills {
        let mut node = Running::start(members, organisation);
        node.answers(members, organisation);
        let (told, heard) = channel();
        std::thread::scope(|scope| {
            for _ in 0..SPEAKERS {
                let told = told.clone();
                scope.spawn(|| speak(&directory, &request, &answered, &{ told }));
            }
            drop(told);
            // It goes on answering until this very moment; what it still said counts too.
            (0..random(state) % ANSWERS_MAX).for_each(|_| heard.recv().expect("it answers for each report"));
            node.0.kill().unwrap();
        });
        node.0.wait().unwrap();
    }
    let answered = answered.into_inner().unwrap();
    let held = held(&config);
    let lost: Vec<_> = answered.difference(&held).collect();
    assert!(lost.is_empty(), "{} of {} events that it answered for are gone", lost.len(), answered.len());
    answered.len()
}

/// The kills, over logs of ten each.
#[test]
fn what_a_node_answered_for_outlives_kills() {
    let kills = std::env::var("WATCHFIRE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut state = 11;
    let (mut killed, mut events) = (0, 0);
    let endpoint = endpoint_of_chain(31_337);
    while killed < kills {
        let members = Members::new(&endpoint);
        for organisation in ["alder", "birch", "cedar", "dogwood", "elm"] {
            let now = KILLS_OF_ONE.min(kills - killed);
            events += kill_again_and_again(&members, organisation, now, &mut state);
            killed += now;
        }
    }
    assert!(events as u64 > u64::from(kills) * ANSWERS_MAX / 4, "{events} events before {kills} kills");
    println!("{kills} kills, {events} events answered for");
}
