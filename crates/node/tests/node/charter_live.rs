//! `charter check` against a real chain and against members' signed entries.

use serde_json::{Value, json};
use watchfire_simulations::anvil::{Anvil, FUNDER, locate};
use watchfire_simulations::key::{Account, from_hex};
use watchfire_simulations::npm::{self, Package};
use watchfire_simulations::rpc::Rpc;
use watchfire_simulations::safe::Safe;
use watchfire_simulations::vault;
use watchfire_types::{Address, U256};

use crate::fixture::{Members, json as answer, watchfire};

/// Contract that answers every call with one word: 1 (`paused()` is true) or 0.
fn answering(word: u8) -> String {
    format!("0x60{word:02x}60005260206000f3")
}

fn of_kind(live: &Value, kind: &str) -> Vec<Value> {
    live.as_array().unwrap().iter().filter(|finding| finding["kind"] == kind).cloned().collect()
}

/// An empty chain yields faults as objects and a step named by playbook that cannot be simulated; a paused asset says just
/// that it is paused.
#[test]
fn judges_a_real_chain() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = locate(&npm::aloud).unwrap();
    let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
    let rpc = Rpc::new(anvil.url().clone()).unwrap();
    let members = Members::new(anvil.url().as_str());
    let check = || {
        let output = watchfire(&["charter", "check", &members.charter(), "--rpc", anvil.url().as_str(), "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        answer(&output)["live"].clone()
    };
    let empty = check();
    for finding in empty.as_array().unwrap() {
        for key in ["severity", "kind", "subject", "message", "remedy"] {
            assert!(finding[key].is_string(), "{key} of {finding}");
        }
    }
    assert_eq!(empty[0]["severity"], "fault");
    assert!(!of_kind(&empty, "no-contract").is_empty(), "{empty}");
    let untried = of_kind(&empty, "not-simulated");
    assert_eq!(untried.len(), 1, "{empty}");
    assert_eq!(untried[0]["subject"], "playbook contain-vault step 1 (pause)");
    let vault = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
    runtime.block_on(rpc.call("anvil_setCode", json!([vault, answering(1)]))).unwrap();
    let paused = check();
    let contained = of_kind(&paused, "already-contained");
    assert_eq!(contained.len(), 1, "{paused}");
    assert_eq!((&contained[0]["severity"], &contained[0]["subject"]), (&json!("info"), &untried[0]["subject"]));
    assert!(of_kind(&paused, "not-simulated").is_empty() && of_kind(&paused, "refuted").is_empty(), "{paused}");
    runtime.block_on(anvil.stop());
}

/// A real Safe of the members' guardians, and a vault that it may pause; beside them one that another may.
struct Treasury {
    runtime: tokio::runtime::Runtime,
    anvil: Anvil,
    rpc: Rpc,
    members: Members,
    safe: Address,
    vault: Address,
    foreign_vault: Address,
    guard: Address,
}

impl Treasury {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let path = locate(&npm::aloud).unwrap();
        let modules = npm::install(Package::Drill, &npm::aloud).unwrap();
        let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
        let members = Members::new(anvil.url().as_str());
        let rpc = Rpc::new(anvil.url().clone()).unwrap();
        let guardian = |entry: &Value| entry["member"]["guardian"].as_str().unwrap().parse().unwrap();
        let owners: Vec<Address> = members.entries.values().map(guardian).collect();
        let (safe, vault, foreign_vault, guard) = runtime.block_on(async {
            let mut payer = Account::open(from_hex(FUNDER).unwrap(), 31337, &rpc).await.unwrap();
            let safe = Safe::deploy(&rpc, &mut payer, &modules, &owners, 3).await.unwrap().address;
            let vault = vault::deploy(&rpc, &mut payer, safe, U256::ONE, U256::ONE).await.unwrap();
            let foreign = vault::deploy(&rpc, &mut payer, owners[0], U256::ONE, U256::ONE).await.unwrap();
            let guard = payer.execute(&rpc, &vault::blocking_guard().unwrap()).await.unwrap().contract.unwrap();
            (safe, vault, foreign, guard)
        });
        Self { runtime, anvil, rpc, members, safe, vault, foreign_vault, guard }
    }

    /// What `charter check --rpc` finds wrong with the step of a charter over this vault.
    fn refuted(&self, vault: Address) -> Vec<Value> {
        let live = self.told(vault, "");
        assert!(of_kind(&live, "not-simulated").is_empty(), "{live}");
        of_kind(&live, "refuted")
    }

    /// What it says of such a charter with this at its end.
    fn told(&self, vault: Address, more: &str) -> Value {
        let text = std::fs::read_to_string(self.members.charter()).unwrap() + more;
        let text = text.replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", &self.safe.to_checksum(None));
        let text = text.replace("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512", &vault.to_checksum(None));
        let file = self.members.base.path().join("charter.toml");
        std::fs::write(&file, text).unwrap();
        let url = self.anvil.url().as_str();
        answer(&watchfire(&["charter", "check", file.to_str().unwrap(), "--rpc", url, "--json"]))["live"].clone()
    }
}

/// Each step is tried through the real Safe now: one that works is not complained about; one that the vault refuses to this Safe,
/// or a guard to everybody, is a fault that names step, Safe and reason.
#[test]
fn a_step_that_would_revert_now_is_refuted() {
    let treasury = Treasury::new();
    assert_eq!(treasury.refuted(treasury.vault), Vec::<Value>::new());
    let foreign = treasury.refuted(treasury.foreign_vault);
    assert_eq!(foreign.len(), 1, "{foreign:?}");
    assert_eq!(
        (&foreign[0]["severity"], &foreign[0]["subject"]),
        (&json!("fault"), &json!("playbook contain-vault step 1 (pause)"))
    );
    let message = foreign[0]["message"].as_str().unwrap();
    let not_the_pauser = "custom error 0xd1987b18";
    assert!(message.contains(&treasury.safe.to_string()) && message.ends_with(not_the_pauser), "{message}");
    // keccak256("guard_manager.guard.address")
    let slot = "0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8";
    let set = json!([treasury.safe, slot, treasury.guard.into_word()]);
    treasury.runtime.block_on(treasury.rpc.call("anvil_setStorageAt", set)).unwrap();
    treasury.runtime.block_on(treasury.rpc.call("anvil_mine", json!([]))).unwrap();
    let guarded = treasury.refuted(treasury.vault);
    assert_eq!(guarded.len(), 1, "{guarded:?}");
    assert!(guarded[0]["message"].as_str().unwrap().contains("it fails now: guard: "), "{guarded:?}");
    treasury.runtime.block_on(treasury.anvil.stop());
}

/// An entry as its member made it holds; one that was changed, and one that the charter has otherwise, do not.
#[test]
fn checks_signed_entries() {
    let base = tempfile::tempdir().unwrap();
    let mut members = Members::new("http://127.0.0.1:1");
    let entry = members.entries.remove("birch").unwrap();
    let file = base.path().join("birch.json");
    let check = |entry: &Value, charter: &str| {
        std::fs::write(&file, entry.to_string()).unwrap();
        let output = watchfire(&["charter", "check", charter, "--entry", file.to_str().unwrap(), "--json"]);
        (output.status.code(), answer(&output)["entries"].clone())
    };
    assert_eq!(check(&entry, &members.charter()), (Some(0), json!([])));
    let mut changed = entry.clone();
    changed["member"]["operators"] = json!(["op-other"]);
    let (code, found) = check(&changed, &members.charter());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-not-signed")), "{found}");
    let (code, found) = check(&json!({}), &members.charter());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-malformed")), "{found}");
    let charter = base.path().join("charter.toml");
    let text = std::fs::read_to_string(members.charter()).unwrap().replace("op-birch", "op-burch");
    std::fs::write(&charter, text).unwrap();
    let (code, found) = check(&entry, charter.to_str().unwrap());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-differs")), "{found}");
    assert!(found[0]["message"].as_str().unwrap().contains("operators"), "{found}");
}

/// What is wrong with the text hides nothing of what the chain and the entries say, nor do they hide each other: a charter whose partners
/// correct it has all of it in one answer.
#[test]
fn tells_faults_of_text_entries_and_chain_at_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = locate(&npm::aloud).unwrap();
    let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
    let members = Members::new(anvil.url().as_str());
    let text = std::fs::read_to_string(members.charter()).unwrap();
    let charter = members.base.path().join("faulty.toml");
    std::fs::write(&charter, text.replace("window_s = ", "window_seconds = ").replace("op-birch", "op-burch")).unwrap();
    let (birch, absent) = (members.base.path().join("birch.json"), members.base.path().join("absent.json"));
    std::fs::write(&birch, members.entries["birch"].to_string()).unwrap();
    let (charter, birch, absent) = (charter.to_str().unwrap(), birch.to_str().unwrap(), absent.to_str().unwrap());
    let url = anvil.url().as_str();
    let output = watchfire(&[
        "charter",
        "check",
        charter,
        "--entry",
        birch,
        "--entry",
        absent,
        "--rpc",
        url,
        "--rpc",
        "http://127.0.0.1:1",
        "--json",
    ]);
    let told = answer(&output);
    assert_eq!((output.status.code(), &told["ok"]), (Some(1), &json!(false)), "{told}");
    let kinds = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert!(kinds(&told["faults"]).contains(&"unknown-key".to_owned()), "{told}");
    assert!(!kinds(&told["warnings"]).is_empty(), "{told}");
    assert_eq!(kinds(&told["entries"]), ["entry-differs", "file-unreadable"], "{told}");
    let live = kinds(&told["live"]);
    for kind in ["no-contract", "not-simulated", "chain-unreachable"] {
        assert!(live.iter().any(|one| one == kind), "{kind} of {told}");
    }
    runtime.block_on(anvil.stop());
}

/// A recovery is tried on top of the containment that it undoes: one that works is not complained about, one that the vault refuses is named
/// before there is anything to recover.
#[test]
fn a_recovery_is_tried_after_its_containment() {
    let treasury = Treasury::new();
    let recovery = |function: &str| {
        format!(
            "\n[[playbook]]\nid = \"recover-vault\"\nasset = \"vault-core\"\npurpose = \"recover\"\nmode = \"propose\"\nexpiry_s = 600\n\
             cooldown_s = 0\n[[playbook.step]]\nname = \"release\"\n[[playbook.step.action]]\nchain = 31337\nsafe = \"guardian-safe\"\n\
             target = \"0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512\"\nfunction = \"{function}\"\narguments = []\n\
             catalogue = \"recovery\"\npostcondition = {{ call = \"paused() returns (bool)\", arguments = [], equals = \"false\" }}\n"
        )
    };
    let sound = treasury.told(treasury.vault, &recovery("unpause()"));
    for kind in ["refuted", "recovery-refuted", "recovery-not-simulated"] {
        assert!(of_kind(&sound, kind).is_empty(), "{sound}");
    }
    let stuck = of_kind(&treasury.told(treasury.vault, &recovery("resume()")), "recovery-refuted");
    assert_eq!(stuck.len(), 1, "{stuck:?}");
    let subject = json!("playbook recover-vault step 1 (release)");
    assert_eq!((&stuck[0]["severity"], &stuck[0]["subject"]), (&json!("warning"), &subject));
    assert!(stuck[0]["message"].as_str().unwrap().ends_with("it would fail: reverted without a reason"), "{stuck:?}");
    treasury.runtime.block_on(treasury.anvil.stop());
}
