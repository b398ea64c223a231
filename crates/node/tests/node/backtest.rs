//! `watchfire backtest`: the blocks of a real attack on a real chain, from files and from the node, against what a live detector says of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Output;

use alloy::primitives::keccak256;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use watchfire_detect::Detectors;
use watchfire_evm::{Backfill, ChainClient, ChainConfig, FeedEvent};
use watchfire_simulations::anvil::{Anvil, FUNDER, locate};
use watchfire_simulations::key::{Account, Order, from_hex};
use watchfire_simulations::npm;
use watchfire_simulations::rpc::Rpc;
use watchfire_simulations::safe::Safe;
use watchfire_simulations::vault;
use watchfire_types::{Address, B256, ChainId, SafeTransaction, U256};

use crate::fixture::{Members, json as last, stderr, watchfire};

const EVENT: &str = "[[detector]]\nid = \"vault-limited\"\nasset = \"vault-core\"\nseverity = \"SEV3\"\nkind = \"event\"\naddress = \"VAULT\"\n\
                     event = \"WithdrawalsLimited(bool)\"\nstands_s = 600\n\n\
                     [[severity]]\nkinds = [\"event\"]\nlow = \"SEV2\"\nmedium = \"SEV2\"\nhigh = \"SEV2\"\ncritical = \"SEV2\"\n";

/// The second account that anvil gives coin to.
const THIEF: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// A chain on which a vault was drained in three blocks, and limited after.
pub(crate) struct Attacked {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) anvil: Anvil,
    pub(crate) rpc: Rpc,
    pub(crate) members: Members,
    pub(crate) vault: Address,
    /// Who may flag and pause it.
    pub(crate) pauser: Address,
    /// What the transactions before the attack made, where they made something.
    pub(crate) made: Vec<Address>,
}

pub(crate) fn ether(count: u64) -> U256 {
    U256::from(count) * U256::from(10).pow(U256::from(18))
}

impl Attacked {
    fn new() -> Self {
        Self::after(|_| Vec::new())
    }

    /// Attacked after these transactions with the vault, a block each.
    pub(crate) fn after(first: impl FnOnce(Address) -> Vec<Order>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let path = locate(&npm::aloud).unwrap();
        let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
        let rpc = Rpc::new(anvil.url().clone()).unwrap();
        let members = Members::new(anvil.url().as_str());
        let (vault, pauser, made) = runtime.block_on(async {
            let mut payer = Account::open(from_hex(FUNDER).unwrap(), 31337, &rpc).await.unwrap();
            let own = payer.address();
            let vault = vault::deploy(&rpc, &mut payer, own, ether(5), ether(100)).await.unwrap();
            let mut made = Vec::new();
            for order in first(vault) {
                made.extend(payer.execute(&rpc, &order).await.unwrap().contract);
            }
            let mut thief = Account::open(from_hex(THIEF).unwrap(), 31337, &rpc).await.unwrap();
            let attacker = thief.execute(&rpc, &vault::attacker(vault).unwrap()).await.unwrap().contract.unwrap();
            for _ in 0..3 {
                thief.execute(&rpc, &vault::attack(attacker, 20, ether(1))).await.unwrap();
            }
            let limit = [&keccak256("setWithdrawalsLimited(bool)")[..4], &U256::ONE.to_be_bytes::<32>()].concat();
            payer.execute(&rpc, &Order::call("a limit", vault, limit, 200_000)).await.unwrap();
            (vault, own, made)
        });
        Self { runtime, anvil, rpc, members, vault, pauser, made }
    }

    pub(crate) fn head(&self) -> u64 {
        self.runtime.block_on(self.rpc.head()).unwrap().number
    }

    /// The charter over this vault, on this chain.
    pub(crate) fn charter(&self, chain: &str) -> String {
        let vault = self.vault.to_checksum(None);
        let text = std::fs::read_to_string(self.members.charter()).unwrap() + EVENT;
        // The vault may lie where the charter has its Safe, which nobody asks here.
        let text =
            text.replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", "0x1000000000000000000000000000000000000001");
        let text = text.replace("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512", &vault).replace("VAULT", &vault);
        // However slow the machine, both attacks are within it.
        let text = text.replace("window_s = 60\n", "window_s = 86400\n");
        let file = self.members.base.path().join(format!("charter-{chain}.toml"));
        std::fs::write(&file, text.replace("31337", chain)).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Every block as a line of the command's own input, with the vault's balance at it.
    pub(crate) fn blocks(&self) -> Vec<Value> {
        let ask = |method, params| self.runtime.block_on(self.rpc.call(method, params)).unwrap();
        let block = |number: u64| {
            let at = format!("{number:#x}");
            let params = json!([self.vault, at]);
            let balance = ask("eth_getBalance", params.clone());
            json!({
                "block": ask("eth_getBlockByNumber", json!([at, true])), "receipts": ask("eth_getBlockReceipts", json!([at])),
                "reads": [{ "method": "eth_getBalance", "params": params, "result": balance }],
            })
        };
        (0..=self.head()).map(block).collect()
    }

    pub(crate) fn file(&self, name: &str, blocks: &[Value]) -> String {
        let text: String = blocks.iter().map(|block| format!("{block}\n")).collect();
        self.raw_file(name, text.as_bytes())
    }

    fn raw_file(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.members.base.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What detectors that follow the chain live say: each standing once, at its first block.
    fn live(&self, charter: &str) -> Vec<Value> {
        let charter = watchfire_charter::parse(&std::fs::read_to_string(charter).unwrap()).unwrap().0;
        let (chain, head) = (ChainId::new(31337), self.head());
        let mut detectors = Detectors::new(&charter, chain);
        let config = ChainConfig::single(chain, "rpc".parse().unwrap(), self.anvil.url().clone());
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        self.runtime.block_on(async {
            let client = ChainClient::connect(config).await.unwrap();
            let mut events = client.feed(detectors.reads(), Backfill { window_s: 1 << 30, ..Backfill::default() });
            let mut said = Vec::new();
            loop {
                let FeedEvent::Block { view, .. } = events.recv().await.unwrap() else { continue };
                for finding in detectors.observe(&view, &BTreeMap::new()) {
                    if finding.first == view.block {
                        said.push(json!([view.block.number, finding.detector, finding.explanation, finding.figures]));
                    }
                }
                if view.block.number == head {
                    return said;
                }
            }
        })
    }
}

/// All lines but the last, and the last.
pub(crate) fn told(output: &Output) -> (Vec<Value>, Value) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", stderr(output)));
    (lines, summary)
}

/// From files and from the node the same is found, and it is what a live detector says, block by block.
#[test]
fn files_and_node_say_what_live_detectors_say() {
    let chain = Attacked::new();
    let charter = chain.charter("31337");
    let file = chain.file("blocks.jsonl", &chain.blocks());
    let url = chain.anvil.url().as_str();
    let from_file = watchfire(&["backtest", "--charter", &charter, "--blocks", &file, "--json"]);
    let from_node = watchfire(&["backtest", "--charter", &charter, "--rpc", url, "--from", "0", "--json"]);
    let ((found, file_end), (asked, mut node_end)) = (told(&from_file), told(&from_node));
    assert_eq!((from_file.status.code(), from_node.status.code()), (Some(0), Some(0)), "{}", stderr(&from_node));
    assert_eq!(found, asked);
    node_end["summary"]["seconds"] = file_end["summary"]["seconds"].clone();
    assert_eq!(file_end, node_end);
    let short = |line: &Value| json!([line["block"], line["detector"], line["explanation"], line["figures"]]);
    assert_eq!(found.iter().map(short).collect::<Vec<_>>(), chain.live(&charter));

    let summary = &file_end["summary"];
    let drained = chain.head() - 2;
    assert_eq!(found.len(), 2, "{found:?}");
    let mut keys: Vec<&str> = found[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["asset", "block", "class", "detector", "explanation", "figures", "kind", "severity", "tx"]);
    assert_eq!((&found[0]["detector"], &found[0]["class"]), (&json!("vault-outflow"), &json!("decisive")));
    assert_eq!((&found[0]["block"], &found[0]["severity"]), (&json!(drained), &json!("SEV1")));
    assert_eq!((&found[1]["detector"], &found[1]["block"]), (&json!("vault-limited"), &json!(chain.head())));
    assert_eq!(found[1]["severity"], "SEV2", "as the matrix says, not as is written at the detector");
    assert!(found[1]["tx"].is_string() && summary["transactions"] == chain.head(), "{summary}");
    assert_eq!((&summary["would_contain"], &summary["first_containment_block"]), (&json!(true), &json!(drained)));
    assert_eq!((&summary["findings"], &summary["decisive"]), (&json!(2), &json!(2)));
    assert_eq!((&summary["blind"], &summary["gaps"], &summary["rejected"]), (&json!([]), &json!([]), &json!(0)));
    let people = watchfire(&["backtest", "--charter", &charter, "--blocks", &file]);
    let text = String::from_utf8_lossy(&people.stdout).into_owned();
    assert!(
        text.lines().next().unwrap().starts_with(&format!("block {drained}  SEV1  vault-core  vault-outflow ")),
        "{text}"
    );
    assert!(
        text.contains(&format!("would have contained vault-core at block {drained} (playbook contain-vault, step 1")),
        "{text}"
    );
    chain.runtime.block_on(chain.anvil.stop());
}

/// A contract that gets the code of a vault on which an outflow stands is raised in the next block, on a real chain.
#[test]
fn a_twin_of_a_drained_vault_is_raised() {
    let chain = Attacked::new();
    let twin: Address = Address::repeat_byte(0x77);
    let ask = |method, params| chain.runtime.block_on(chain.rpc.call(method, params)).unwrap();
    let code = ask("eth_getCode", json!([chain.vault, "latest"]));
    let drained = chain.head();
    ask("anvil_mine", json!(["0x2"]));
    ask("anvil_setCode", json!([twin, code]));
    ask("anvil_mine", json!(["0x2"]));
    let charter = chain.charter("31337");
    let text = std::fs::read_to_string(&charter).unwrap()
        + &format!(
            "[[asset]]\nid = \"vault-twin\"\nname = \"Twin\"\nchain = 31337\ncontracts = [\"{twin}\"]\ncriticality = \"critical\"\nrto_s = 3600\n\
             rpo_s = 60\n[[detector]]\nid = \"twin-sister\"\nasset = \"vault-twin\"\nkind = \"sister\"\ncontract = \"{twin}\"\n\
             elsewhere = \"vault-core\"\nelsewhere_contract = \"{}\"\n",
            chain.vault.to_checksum(None)
        );
    std::fs::write(&charter, text).unwrap();
    let url = chain.anvil.url().as_str();
    let output = watchfire(&["backtest", "--charter", &charter, "--rpc", url, "--from", "0", "--json"]);
    let (found, end) = told(&output);
    let raised: Vec<&Value> = found.iter().filter(|line| line["detector"] == "twin-sister").collect();
    let [raised] = raised.as_slice() else { panic!("{found:?} {end} {}", stderr(&output)) };
    assert!(raised["block"].as_u64().unwrap() > drained + 1, "{raised}");
    assert_eq!((&raised["class"], &raised["asset"]), (&json!("context"), &json!("vault-twin")));
    assert_eq!(raised["figures"]["sister_detector"], "vault-limited", "the newest of two");
    chain.runtime.block_on(chain.anvil.stop());
}

/// A slot is what storage says, on a real chain: code that was put in the place of another answers whatever it likes about itself.
#[test]
fn a_slot_is_read_past_its_contracts_code() {
    let chain = Attacked::new();
    let proxy = Address::repeat_byte(0x66);
    let ask = |method, params| chain.runtime.block_on(chain.rpc.call(method, params)).unwrap();
    let word = |byte: u8| B256::with_last_byte(byte);
    // It answers 1 to every call.
    ask("anvil_setCode", json!([proxy, "0x600160005260206000f3"]));
    ask("anvil_setStorageAt", json!([proxy, word(0), word(7)]));
    ask("anvil_mine", json!(["0x2"]));
    // What is set now is already so in the newest block.
    let before = chain.head() - 1;
    ask("anvil_setStorageAt", json!([proxy, word(0), word(8)]));
    ask("anvil_mine", json!(["0x2"]));
    let charter = chain.charter("31337");
    let rule = |id: &str, what: &str| {
        format!(
            "[[detector]]\nid = \"{id}\"\nasset = \"vault-core\"\nseverity = \"SEV1\"\nkind = \"state\"\ntarget = \"{proxy}\"\n{what}\n\
             stands_s = 600\n"
        )
    };
    let slot = format!("what = \"slot\"\nslot = \"{}\"", word(0));
    let text = [
        std::fs::read_to_string(&charter).unwrap(),
        rule("raw", &format!("{slot}\nunchanged = true")),
        rule("seven", &format!("{slot}\nequals = \"{}\"", word(7))),
        rule("asked", "what = \"call\"\ncall = \"singleton() returns (address)\"\nunchanged = true"),
    ];
    std::fs::write(&charter, text.concat()).unwrap();
    let url = chain.anvil.url().as_str();
    let from = before.to_string();
    let output = watchfire(&["backtest", "--charter", &charter, "--rpc", url, "--from", &from, "--json"]);
    let (found, _) = told(&output);
    let of = |id: &str| found.iter().filter(|line| line["detector"] == id).collect::<Vec<_>>();
    assert_eq!((of("raw").len(), of("seven").len(), of("asked").len()), (1, 1, 0), "{found:?} {}", stderr(&output));
    let figures = &of("raw")[0]["figures"];
    assert_eq!((&figures["before"], &figures["after"]), (&json!(word(7)), &json!(word(8))));
    chain.runtime.block_on(chain.anvil.stop());
}

/// A real Safe, on a real chain: what its owners execute that no playbook knows is told with its nonce and hash, the pause of the playbook and the
/// rejection of a nonce are not.
#[test]
fn a_safes_own_transaction_is_told() {
    let chain = Attacked::new();
    let (runtime, rpc) = (&chain.runtime, &chain.rpc);
    let owner = PrivateKeySigner::from_bytes(&B256::repeat_byte(0x11)).unwrap();
    let modules = npm::install(npm::Package::Drill, &npm::aloud).unwrap();
    let mut payer = runtime.block_on(Account::open(from_hex(FUNDER).unwrap(), 31337, rpc)).unwrap();
    let owners = [owner.address()];
    let deployed = Safe::deploy(rpc, &mut payer, &modules, &owners, 1);
    let safe = runtime.block_on(deployed).unwrap();
    let guarded = vault::deploy(rpc, &mut payer, safe.address, ether(5), ether(1));
    let guarded = runtime.block_on(guarded).unwrap();
    let before = chain.head();
    let pause = SafeTransaction::call(guarded, vault::pause().into(), U256::ZERO);
    let rejection = SafeTransaction::rejection(safe.address, U256::from(1));
    let foreign = safe.unrelated(Address::repeat_byte(0x99), 2);
    for transaction in [&pause, &rejection, &foreign] {
        let order = safe.signed_call("a call", transaction, std::slice::from_ref(&owner)).unwrap();
        runtime.block_on(payer.execute(rpc, &order)).unwrap();
    }
    let charter = chain.charter("31337");
    let text = std::fs::read_to_string(&charter).unwrap();
    let text = text.replace("0x1000000000000000000000000000000000000001", &safe.address.to_checksum(None));
    let text = text.replace(&chain.vault.to_checksum(None), &guarded.to_checksum(None));
    let rule = format!(
        "[[detector]]\nid = \"nonce\"\nasset = \"vault-core\"\nkind = \"safe-nonce\"\nsafe = \"{}\"\nstands_s = 600\n",
        safe.address
    );
    std::fs::write(&charter, text + &rule).unwrap();
    let (url, from) = (chain.anvil.url().as_str(), before.to_string());
    let output = watchfire(&["backtest", "--charter", &charter, "--rpc", url, "--from", &from, "--json"]);
    let (found, _) = told(&output);
    let found: Vec<_> = found.iter().filter(|line| line["detector"] == "nonce").collect();
    let [one] = found[..] else { panic!("{found:?} {}", stderr(&output)) };
    assert_eq!((&one["block"], &one["class"]), (&json!(chain.head()), &json!("context")));
    let figures = &one["figures"];
    assert_eq!((&figures["nonce"], &figures["safe_tx_hash"]), (&json!("2"), &json!(safe.hash(&foreign).to_string())));
    chain.runtime.block_on(chain.anvil.stop());
}

/// State that is not in the files leaves its detectors unknown, and everything else goes on; what is wrong with the input is named, and the
/// rest replayed.
#[test]
fn what_is_missing_or_wrong_is_told() {
    let chain = Attacked::new();
    let charter = chain.charter("31337");
    let good = chain.blocks();
    let run = |files: &[&str]| {
        let output = watchfire(&[&["backtest", "--charter", &charter, "--json", "--blocks"], files].concat());
        let (found, end) = told(&output);
        (output.status.code(), found, end, stderr(&output))
    };

    let mut bare = good.clone();
    bare.iter_mut().for_each(|block| drop(block.as_object_mut().unwrap().remove("reads")));
    let (code, found, end, progress) = run(&[&chain.file("bare", &bare)]);
    assert_eq!((code, found.len(), &found[0]["detector"]), (Some(0), 1, &json!("vault-limited")));
    let blind = &end["summary"]["blind"];
    assert_eq!((&blind[0]["detector"], &blind[0]["blocks"]), (&json!("vault-outflow"), &json!(good.len())));
    assert_eq!(progress.matches("unknown: vault-outflow").count(), 1, "{progress}");

    // The forged block is left out, which is a gap; the vault's later balances show the drain all the same.
    let mut forged = good.clone();
    let at = good.len() - 2;
    forged[at]["receipts"][0]["status"] = json!("0x0");
    let (code, _, end, progress) = run(&[&chain.file("forged", &forged)]);
    assert_eq!((code, &end["code"], &end["exit_code"]), (Some(3), &json!("receipts-mismatch"), &json!(3)));
    assert_eq!((&end["summary"]["blocks"], &end["summary"]["rejected"]), (&json!(good.len() - 1), &json!(1)));
    assert_eq!(end["summary"]["gaps"], json!([{ "chain": 31337, "first": at, "last": at }]));
    assert!(
        progress.contains(&format!("forged: line {}: block {at}: its receipts have root 0x", at + 1)),
        "{progress}"
    );

    // A receipt of a type that nobody knows leaves the bloom alone to prove the block, which is counted.
    let of = |end: &Value| (end["summary"]["unproved_blocks"].clone(), end["summary"]["first_unproved_block"].clone());
    assert_eq!(of(&end), (json!(0), json!(null)));
    let mut odd = good.clone();
    odd[at]["receipts"][0]["type"] = json!("0x7f");
    let odd = chain.file("odd", &odd);
    let (code, _, end, progress) = run(&[&odd]);
    assert_eq!((code, of(&end)), (Some(0), (json!(1), json!(at))), "{progress}");
    let output = watchfire(&["backtest", "--charter", &charter, "--blocks", &odd]);
    let line = format!("not proved by their receipts root: 1 of {} blocks, the first is {at}", good.len());
    assert!(String::from_utf8_lossy(&output.stdout).contains(&line), "{}", String::from_utf8_lossy(&output.stdout));

    let cut = chain.file("cut", &good);
    let bytes = std::fs::read(&cut).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&bytes).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(run(&[&chain.raw_file("packed", &packed)]).0, Some(0));
    let (code, _, end, _) = run(&[&chain.raw_file("cut", &bytes[..bytes.len() - 100])]);
    assert_eq!(
        (code, &end["code"], &end["summary"]["blocks"]),
        (Some(3), &json!("block-cut-off"), &json!(good.len() - 1))
    );

    // Blocks of two chains: those of the other one are refused, and where all are there is only the error.
    let mut mixed = good.clone();
    mixed[3]["block"]["transactions"][0]["chainId"] = json!("0x1");
    let (_, _, end, _) = run(&[&chain.file("mixed", &mixed)]);
    assert_eq!((&end["code"], &end["summary"]["rejected"]), (&json!("other-chain"), &json!(1)));
    let other = chain.charter("1337");
    // The first block has no transaction that would say of which chain it is.
    let typed = chain.file("typed", &good[1..]);
    let output = watchfire(&["backtest", "--charter", &other, "--blocks", &typed, "--json"]);
    assert_eq!((output.status.code(), last(&output)["summary"].is_null()), (Some(3), true));
    let beyond = watchfire(&[
        "backtest",
        "--charter",
        &charter,
        "--rpc",
        chain.anvil.url().as_str(),
        "--from",
        "0",
        "--to",
        "999",
        "--json",
    ]);
    assert_eq!((beyond.status.code(), &last(&beyond)["code"]), (Some(3), &json!("not-found")));
    chain.runtime.block_on(chain.anvil.stop());
}
