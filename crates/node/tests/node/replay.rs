//! `incident show --replay` at a node that found a real attack: which step of the ladder would have stopped it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchfire_simulations::operator::Operator;
use watchfire_types::Address;

use crate::backtest::{Attacked, ether};
use crate::fixture::{Running, json as last, private_file, stderr, watchfire};

const PATIENCE: Duration = Duration::from_secs(120);

/// A step before the pause that the attack stays below, and one that its Safe has no power to make.
const STEPS: &str = "[[playbook.step]]\nname = \"flag\"\n[[playbook.step.action]]\nchain = 31337\nsafe = \"guardian-safe\"\ntarget = \"VAULT\"\n\
    function = \"setWithdrawalsLimited(bool)\"\narguments = [\"true\"]\ncatalogue = \"custom\"\n\
    postcondition = { call = \"withdrawalsLimited() returns (bool)\", arguments = [], equals = \"true\" }\n\
    stays = [{ call = \"withdrawalsLimited() returns (bool)\", arguments = [], equals = \"false\" }]\n\
    [[playbook.step]]\nname = \"powerless\"\n[[playbook.step.action]]\nchain = 31337\nsafe = \"other-safe\"\ntarget = \"VAULT\"\n\
    function = \"setWithdrawalsLimited(bool)\"\narguments = [\"true\"]\ncatalogue = \"custom\"\n\
    postcondition = { call = \"withdrawalsLimited() returns (bool)\", arguments = [], equals = \"true\" }\n";

const SAFE: &str = "[[safe]]\nid = \"other-safe\"\nchain = 31337\naddress = \"OTHER\"\nversion = \"1.5.0\"\nthreshold = 3\n[[asset]]\n";

impl Attacked {
    fn shown(&self, arguments: &[&str]) -> Value {
        let config = self.members.config("alder");
        let output = watchfire(&[&["incident"], arguments, &["--config", &config, "--json"]].concat());
        assert!(!output.stdout.is_empty(), "{}", stderr(&output));
        last(&output)
    }
}

/// The flag caps single payments above those of the attack, the second step reverts, and the pause stops it: each is told with what would have been lost
/// all the same. Without the flag nobody is asked.
#[test]
fn steps_are_held_against_the_attack() {
    let chain = Attacked::after(|_| Vec::new());
    let text = std::fs::read_to_string(chain.charter("31337")).unwrap();
    let text = text
        .replace("[[playbook.step]]\n", &format!("{STEPS}[[playbook.step]]\n"))
        .replace("[[asset]]\n", SAFE)
        .replace("0x1000000000000000000000000000000000000001", &chain.pauser.to_checksum(None))
        .replace("VAULT", &chain.vault.to_checksum(None))
        .replace("OTHER", &Address::repeat_byte(0x0e).to_checksum(None));
    std::fs::write(chain.members.charter(), text).unwrap();
    let mut node = Running::start(&chain.members, "alder");
    node.answers(&chain.members, "alder");
    let deadline = Instant::now() + PATIENCE;
    // Each question is a process of its own: the node reads its chain meanwhile.
    while chain.shown(&["list"])["incidents"].as_array().is_none_or(Vec::is_empty) {
        assert!(Instant::now() < deadline, "nothing is found");
    }
    assert_eq!(chain.shown(&["show", "latest"])["replay"], Value::Null);

    let replay = chain.shown(&["show", "latest", "--replay"])["replay"].clone();
    let lost = json!({ "native": ether(19).to_string() });
    assert_eq!((&replay["unknown"], &replay["lost"]), (&Value::Null, &lost), "{replay}");
    assert_eq!(replay["block"]["number"], json!(chain.head() - 2));
    assert_eq!(replay["transactions"].as_array().map(Vec::len), Some(1), "{replay}");
    let told = |step: &Value| json!([step["name"], step["stopped"], step["lost"], step["breaks"]]);
    let steps: Vec<Value> = replay["steps"].as_array().unwrap().iter().map(told).collect();
    let breaks = ["withdrawalsLimited() returns (bool)"];
    let expected =
        [json!(["flag", "no", lost, breaks]), json!(["powerless", "no", lost, []]), json!(["pause", "yes", {}, []])];
    assert_eq!(steps, expected, "{replay}");
    assert_eq!(replay["steps"][1]["cause"], "its call 1 of 1 would have failed there");

    assert_eq!(replay["method"], "eth_simulateV1");

    // An operator without it, that tells receipts one by one: each transaction alone says the same.
    let operator = chain.runtime.block_on(Operator::start(chain.anvil.url().clone(), None)).unwrap();
    operator.behave(|conduct| conduct.plain = true);
    let config = PathBuf::from(chain.members.config("alder"));
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(chain.anvil.url().as_str()), "{text}");
    private_file(&config, &text.replace(chain.anvil.url().as_str(), &operator.http()));
    let mut poorer = chain.shown(&["show", "latest", "--replay"])["replay"].clone();
    assert_eq!(poorer["method"].take(), "eth_call", "{poorer}");
    poorer["method"] = json!("eth_simulateV1");
    assert_eq!(poorer, replay);
    private_file(&config, &text);

    let people = watchfire(&["incident", "show", "latest", "--replay", "--config", &chain.members.config("alder")]);
    let text = String::from_utf8_lossy(&people.stdout).into_owned();
    assert!(text.contains("  contain-vault step 3 (pause): would have stopped it: yes\n"), "{text}");
    assert_eq!(node.stop(), Some(0));
    chain.runtime.block_on(chain.anvil.stop());
}
