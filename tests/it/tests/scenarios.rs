//! Each shipped scenario is played whole by the binary that users run; what it expects stands in its own file.
//!
//! One at a time: a scenario keeps five nodes and a chain busy, and two at once would measure the machine. Neither do these tests judge it:
//! everybody is waited for patiently, and what a slower machine could miss with everything else as it should be is told and fails nothing.
//! `watchfire drill` judges that too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../crates/driver/tests/driver/chain.rs"]
#[allow(dead_code)]
mod chain;
#[path = "live/faithful.rs"]
mod faithful;
#[path = "../../second_verifier.rs"]
mod second_verifier;
#[path = "../../../crates/driver/tests/driver/world.rs"]
#[allow(dead_code)]
mod world;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_simulations::anvil::{self, Anvil};
use watchfire_simulations::drill::{self, DrillOptions, DrillReport, Quiet};
use watchfire_simulations::rpc::Rpc;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// Times as long as a person would wait.
const PATIENCE: u32 = 20;

/// The `watchfire` binary that `cargo test --workspace` has built beside this test's own.
fn executable() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap();
    let executable = folder.join(format!("watchfire{}", std::env::consts::EXE_SUFFIX));
    assert!(executable.exists(), "{} is missing: run `cargo test --workspace`", executable.display());
    executable
}

fn play(scenario: &str) -> DrillReport {
    play_into(scenario, None)
}

fn play_into(scenario: &str, keep: Option<PathBuf>) -> DrillReport {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    runtime().block_on(judged(options(scenario, keep)))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn options(scenario: &str, keep: Option<PathBuf>) -> DrillOptions {
    DrillOptions {
        scenario: scenario.to_owned(),
        keep,
        rpc: None,
        funder: None,
        executable: executable(),
        patience: PATIENCE,
    }
}

/// A drill that fails leaves its nodes' directories, and says where.
async fn judged(mut options: DrillOptions) -> DrillReport {
    let scenario = options.scenario.clone();
    let directories = tempfile::tempdir().unwrap();
    options.keep.get_or_insert_with(|| directories.path().to_owned());
    let report = drill::run(options, Arc::new(Quiet)).await.unwrap_or_else(|error| panic!("{scenario}: {error}"));
    let missed = report.expectations.iter().filter(|expectation| !expectation.passed);
    let (slow, wrong): (Vec<_>, Vec<_>) = missed.partition(|expectation| expectation.speed);
    for expectation in slow {
        eprintln!("{scenario}: this machine is too slow for {}: {}", expectation.name, expectation.actual);
    }
    if !wrong.is_empty() {
        let kept = directories.keep();
        panic!("{scenario}: {wrong:#?}\n{:#?}\n{:#?}\nkept: {}", report.timeline_ms, report.nodes, kept.display());
    }
    report
}

/// The main job: a drain is noticed, agreed on, co-signed, and the vault is paused by one Safe transaction.
///
/// What its nodes kept makes one bundle each, which verifies on a machine without a node.
#[test]
fn vault_drain() {
    let keep = tempfile::tempdir().unwrap();
    let report = play_into("vault-drain", Some(keep.path().to_owned()));
    assert!(report.pause_tx.is_some() && report.cause.is_none());
    assert_eq!(report.safe.nonce_after, report.safe.nonce_before + 1);
    let digests: std::collections::BTreeSet<_> = report.nodes.iter().map(|node| node.state_digest).collect();
    assert_eq!((report.nodes.len(), digests.len()), (5, 1), "five nodes hold one shared state");
    bundles(keep.path());
}

/// `watchfire` with these arguments: its exit code and the object on the last line of stdout.
fn watchfire(arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = Command::new(executable()).args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_default();
    let value = serde_json::from_str(last)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), value)
}

/// Every kept directory gives a bundle of the attack's incident that holds; a damaged one is refused.
fn bundles(keep: &Path) {
    let nodes = kept(keep);
    beside_a_running_node(keep, &nodes[0]);
    let taken = verified(keep, &["charter-trusted", "signature", "chain", "certificate", "co-signature", "threshold"]);
    judged_by_another(&taken, &nodes[0]);
    for (file, _) in &taken {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
        let (code, verified) = watchfire(&["verify", file.to_str().unwrap()]);
        assert_eq!((code, &verified["first_failure"]["name"]), (Some(1), &"format".into()));
    }
}

/// The five nodes' directories.
fn kept(keep: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(keep).unwrap().map(|entry| entry.unwrap().path());
    let nodes: Vec<PathBuf> = folders.filter(|folder| folder.join("config.toml").exists()).collect();
    assert_eq!(nodes.len(), 5, "{nodes:?}");
    nodes
}

/// Each node's bundle of the attack's incident and what its verification says, in which each of these checks holds somewhere.
fn verified(keep: &Path, names: &[&str]) -> Vec<(PathBuf, serde_json::Value)> {
    let mut taken = Vec::new();
    for (index, node) in kept(keep).iter().enumerate() {
        let file = keep.join(format!("incident-{index}.bundle"));
        let [file, config, charter] = [file, node.join("config.toml"), node.join("charter.toml")]
            .map(|path| path.into_os_string().into_string().unwrap());
        let (code, made) = watchfire(&["incident", "bundle", "latest", "-o", &file, "--config", &config]);
        assert_eq!(code, Some(0), "{made:#}");
        let (code, verified) = watchfire(&["verify", &file, "--charter", &charter]);
        assert_eq!(code, Some(0), "{:#}", verified["first_failure"]);
        for name in names {
            let all = of_name(&verified, name);
            assert!(outcomes(&verified, name).contains(&"holds"), "{file}: no {name} holds: {all:#?}");
        }
        taken.push((PathBuf::from(&file), verified));
    }
    taken
}

/// The checks of a name.
fn of_name<'a>(verified: &'a serde_json::Value, name: &str) -> Vec<&'a serde_json::Value> {
    verified["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name).collect()
}

/// How the checks of a name ended.
fn outcomes<'a>(verified: &'a serde_json::Value, name: &str) -> Vec<&'a str> {
    of_name(verified, name).into_iter().map(|check| check["outcome"].as_str().unwrap()).collect()
}

/// The verifier that was written from the format's document alone makes the same checks of each bundle, with the same outcomes.
fn judged_by_another(taken: &[(PathBuf, serde_json::Value)], node: &Path) {
    if !second_verifier::has_python() {
        return;
    }
    let (code, charter) = watchfire(&["charter", "digest", node.join("charter.toml").to_str().unwrap()]);
    assert_eq!(code, Some(0), "{charter:#}");
    let files: Vec<PathBuf> = taken.iter().map(|(file, _)| file.clone()).collect();
    let verdicts = second_verifier::verdicts(&files, charter["digest"].as_str().unwrap());
    for ((file, first), second) in taken.iter().zip(verdicts) {
        let failure = second.first_failure.as_ref().map(|check| format!("{}: {}", check.name, check.detail));
        assert!(second.holds, "{}: {failure:?}", file.display());
        let checks = first["checks"].as_array().unwrap().iter();
        let first = second_verifier::outcomes(
            checks.map(|check| (check["name"].as_str().unwrap(), check["outcome"].as_str().unwrap())),
        );
        assert_eq!(second.outcomes(), first, "{}", file.display());
    }
}

/// A node process, killed when dropped.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// While the node runs, taking a bundle is an event before any object is read, and the bundle tells of it; so is looking at one object, and
/// an object that must be kept cannot be disposed of.
fn beside_a_running_node(keep: &Path, node: &Path) {
    let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
    let (config, charter) = (text(node.join("config.toml")), text(node.join("charter.toml")));
    let [before, file] = ["before.bundle", "beside.bundle"].map(|name| text(keep.join(name)));
    let taken = |file: &str, more: &[&str]| {
        let (code, made) =
            watchfire(&[&["incident", "bundle", "latest", "-o", file, "--config", &config][..], more].concat());
        assert_eq!(code, Some(0), "{made:#}");
        made
    };
    let offline = taken(&before, &[]);
    assert!(offline["objects"].as_u64().unwrap() > 0, "{offline:#}");
    let log = std::fs::File::create(node.join("beside.log")).unwrap();
    let mut command = Command::new(executable());
    command.args(["run", "--config", &config]).stdout(std::process::Stdio::null()).stderr(log);
    let mut running = Running(command.spawn().unwrap());
    // However long it takes a node to open its log: as long as it runs, it will answer.
    let listed = loop {
        let (code, listed) = watchfire(&["evidence", "list", "--config", &config]);
        if code == Some(0) {
            break listed;
        }
        let ended = running.0.try_wait().unwrap();
        assert!(ended.is_none(), "{}", std::fs::read_to_string(node.join("beside.log")).unwrap());
    };
    let said = ["--person", "p-7", "--reason", "handed to counsel"];
    let made = taken(&file, &said);
    let events = |made: &serde_json::Value| made["belonging"].as_u64().unwrap();
    assert!(events(&made) > events(&offline), "the export is no event of the bundle: {made:#}");
    let (code, verified) = watchfire(&["verify", &file, "--charter", &charter]);
    assert_eq!(code, Some(0), "{:#}", verified["first_failure"]);
    let objects = listed["objects"].as_array().unwrap();
    let here = objects.iter().find(|object| object["here"] == true).unwrap()["object"].as_str().unwrap();
    let (code, shown) = watchfire(&[&["evidence", "show", here, "--config", &config][..], &said].concat());
    assert_eq!(code, Some(0), "{shown:#}");
    let (code, refused) = watchfire(&[&["evidence", "dispose", here, "--config", &config][..], &said].concat());
    assert!(code != Some(0) && refused.to_string().contains("not closed"), "{refused:#}");
    assert!(node.join("evidence").join(here.trim_start_matches("0x")).exists());
    let after = taken(&text(keep.join("after.bundle")), &[]);
    assert!(events(&after) >= events(&made) + 2, "a look and a second export: {after:#}");
}

/// On a chain that runs already, with another number and a funder of its own, the same job is done.
#[test]
fn a_chain_that_runs_already() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let funder = folder.path().join("funder.hex");
    std::fs::write(&funder, anvil::FUNDER).unwrap();
    std::fs::set_permissions(&funder, std::fs::Permissions::from_mode(0o600)).unwrap();
    let report = runtime().block_on(async {
        let path = tokio::task::spawn_blocking(|| anvil::locate(&|line| eprintln!("{line}"))).await.unwrap().unwrap();
        let chain = Anvil::start(&path, 1_337).await.unwrap();
        anvil::mine_every(&Rpc::new(chain.url().clone()).unwrap(), 1).await.unwrap();
        let rpc = Some(chain.url().clone());
        let report = judged(DrillOptions { rpc, funder: Some(funder), ..options("vault-drain", None) }).await;
        chain.stop().await;
        report
    });
    assert!(report.pause_tx.is_some() && report.cause.is_none());
    assert_eq!(report.safe.chain_id, 1_337);
}

/// Nodes that only propose pause what three people approved, each with the command line of its own node.
#[test]
fn people_approve() {
    assert!(play("people-approve").pause_tx.is_some());
}

/// Who declines and who is asleep keep nobody else from it: three others approve, each in their own time.
#[test]
fn people_enough() {
    assert!(play("people-enough").pause_tx.is_some());
}

/// A killed first submitter costs a rank, not the pause.
#[test]
fn submitter_down() {
    play("submitter-down");
}

/// A taken nonce is re-targeted.
#[test]
fn nonce_stolen() {
    let report = play("nonce-stolen");
    assert!(report.safe.nonce_after >= report.safe.nonce_before + 2);
}

/// Two nodes that see a fabricated attack pause nothing.
#[test]
fn minority() {
    let report = play("minority");
    assert!(report.pause_tx.is_none() && report.cause.is_some());
}

/// Where nodes believe what two operators say alike, what made `minority`'s two nodes find something makes nobody find anything.
#[test]
fn fabrication_doubted() {
    let report = play("fabrication-doubted");
    assert!(report.pause_tx.is_none());
}

/// One of three operators denies the loss: its askers see the drain all the same.
#[test]
fn operator_outvoted() {
    assert!(play("operator-outvoted").pause_tx.is_some());
}

/// A node that was cut off ends complete.
#[test]
fn partition() {
    play("partition");
}

/// A base fee that jumps tenfold is outbid.
#[test]
fn gas_spike() {
    play("gas-spike");
}

/// A large legitimate withdrawal under the limit pauses nothing.
#[test]
fn false_alarm() {
    assert!(play("false-alarm").pause_tx.is_none());
}

/// A guard that blocks is seen before the attack, and named after it.
#[test]
fn guard_blocks() {
    assert_eq!(play("guard-blocks").cause.as_deref(), Some("guard-blocks"));
}

/// People decide: a veto by the contain rule's number of organisations stops what as many approved and signed.
#[test]
fn human_veto() {
    assert_eq!(play("human-veto").cause.as_deref(), Some("cancelled"));
}

/// Any client serves: without WebSocket, batches, block receipts, block simulation and EIP-1898 the same attack ends the same way, and what it
/// leaves behind is as whole.
#[test]
fn plain_operators() {
    evidence_is_whole("plain-operators");
}

/// Operators ration and prune while it is collected: the evidence is complete all the same, and every node's bundle has it all.
#[test]
fn evidence_under_stress() {
    evidence_is_whole("evidence-under-stress");
}

fn evidence_is_whole(scenario: &str) {
    let keep = tempfile::tempdir().unwrap();
    let report = play_into(scenario, Some(keep.path().to_owned()));
    assert!(report.pause_tx.is_some());
    let whole = ["header", "receipt", "account", "slot", "object", "custody", "operators", "execution"];
    let taken = verified(keep.path(), &whole);
    for (_, verified) in &taken {
        for name in whole {
            let all = of_name(verified, name);
            assert!(outcomes(verified, name).iter().all(|outcome| *outcome == "holds"), "{name}: {all:#?}");
        }
        for lack in ["evidence-missed", "receipts-left-out", "state-left-out"] {
            assert!(of_name(verified, lack).is_empty(), "{:#?}", of_name(verified, lack));
        }
    }
    judged_by_another(&taken, &kept(keep.path())[0]);
}
