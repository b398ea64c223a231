//! A node that follows two real chains: what its rules about both say of a drained sister, of a backing that is gone, and of a release that nobody locked.

use std::path::Path;

use alloy::primitives::keccak256;
use serde_json::Value;
use watchfire_simulations::anvil::{Anvil, FUNDER, locate, mine_every};
use watchfire_simulations::key::{Account, Order, from_hex};
use watchfire_simulations::npm;
use watchfire_simulations::rpc::Rpc;
use watchfire_simulations::vault;
use watchfire_types::{Address, U256};

use crate::backtest::ether;
use crate::fixture::{Members, Running, json as last, private_file, stderr, watchfire};

/// The second chain with its vault, and three rules of that vault about the one of the first chain. Both vaults lie at one address.
const TWIN: &str = "[[chain]]\nid = 1337\nname = \"two\"\nblock_time_ms = 1000\nfinality = \"finalized\"\ngas_cap = 16777216\nroute = \"public\"\n\
     stagger_ms_min = 500\n\
     [[asset]]\nid = \"vault-twin\"\nname = \"Twin\"\nchain = 1337\ncontracts = [\"VAULT\"]\ncriticality = \"critical\"\nrto_s = 3600\nrpo_s = 60\n\
     [[detector]]\nid = \"twin-sister\"\nasset = \"vault-twin\"\nkind = \"sister\"\ncontract = \"VAULT\"\nelsewhere = \"vault-core\"\n\
     elsewhere_contract = \"VAULT\"\nlag_s = 4\n\
     [[detector]]\nid = \"twin-backed\"\nasset = \"vault-twin\"\nkind = \"cross-chain\"\nleft = { held = \"native\" }\ncompare = \"<=\"\n\
     elsewhere = \"vault-core\"\nright = { held = \"native\" }\nlag_s = 8\n\
     [[detector]]\nid = \"twin-forged\"\nasset = \"vault-twin\"\nkind = \"release\"\naddress = \"VAULT\"\nevent = \"WithdrawalsLimited(bool limited)\"\n\
     elsewhere = \"vault-core\"\nelsewhere_address = \"VAULT\"\nelsewhere_event = \"WithdrawalsLimited(bool on)\"\nsame = { limited = \"on\" }\n\
     within_s = 20\nlag_s = 8\nskew_s = 3\nstands_s = 30\n";

/// A chain with a vault.
struct Side {
    anvil: Anvil,
    rpc: Rpc,
    payer: Account,
    vault: Address,
}

impl Side {
    async fn new(anvil: &Path, chain: u64, wei: U256) -> Self {
        let anvil = Anvil::start(anvil, chain).await.unwrap();
        let rpc = Rpc::new(anvil.url().clone()).unwrap();
        let mut payer = Account::open(from_hex(FUNDER).unwrap(), chain, &rpc).await.unwrap();
        let own = payer.address();
        let vault = vault::deploy(&rpc, &mut payer, own, ether(5), wei).await.unwrap();
        mine_every(&rpc, 1).await.unwrap();
        Self { anvil, rpc, payer, vault }
    }

    /// Has the vault emit what is taken for a message here; answers the block.
    async fn emit(&mut self, limited: bool) -> u64 {
        let argument = U256::from(u8::from(limited)).to_be_bytes::<32>();
        let call = [&keccak256("setWithdrawalsLimited(bool)")[..4], &argument].concat();
        let order = Order::call("a message", self.vault, call, 200_000);
        self.payer.execute(&self.rpc, &order).await.unwrap().block
    }

    async fn drain(&mut self) {
        let order = vault::attacker(self.vault).unwrap();
        let attacker = self.payer.execute(&self.rpc, &order).await.unwrap().contract.unwrap();
        for _ in 0..3 {
            self.payer.execute(&self.rpc, &vault::attack(attacker, 20, ether(1))).await.unwrap();
        }
    }
}

/// Alder's directory as it is for both chains.
fn members(first: &Side, second: &Side) -> Members {
    assert_eq!(first.vault, second.vault);
    let members = Members::new(first.anvil.url().as_str());
    let text = std::fs::read_to_string(members.charter()).unwrap() + TWIN;
    // The vaults lie where the charter has its Safe, which nobody asks here.
    let text = text.replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", "0x1000000000000000000000000000000000000001");
    let text = text.replace("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512", "VAULT");
    // However slow the machine, all attacks are within it.
    let text = text.replace("window_s = 60\n", "window_s = 86400\n");
    std::fs::write(members.charter(), text.replace("VAULT", &first.vault.to_checksum(None))).unwrap();
    let config = std::path::PathBuf::from(members.config("alder"));
    let text = std::fs::read_to_string(&config).unwrap()
        + &format!(
            "\n[[chain]]\nid = 1337\nagree = 1\n[[chain.endpoint]]\nname = \"two\"\noperator = \"op-alder\"\nhttp = \"{}\"\n",
            second.anvil.url()
        );
    private_file(&config, &text);
    members
}

fn answer(members: &Members, arguments: &[&str]) -> Value {
    let output = watchfire(&[arguments, &["--config", &members.config("alder"), "--json"]].concat());
    // How it fares is its exit code too.
    assert!(!output.stdout.is_empty(), "{}", stderr(&output));
    last(&output)
}

/// What the rules of the second chain's vault said, in the order of their names.
fn firings(members: &Members) -> Vec<Value> {
    let incidents = answer(members, &["incident", "list"])["incidents"].as_array().unwrap().clone();
    let of_twin = incidents.iter().filter(|one| one["asset"] == "vault-twin");
    let shown = of_twin.map(|one| answer(members, &["incident", "show", one["id"].as_str().unwrap()]));
    let mut all: Vec<Value> = shown.flat_map(|shown| shown["firings"].as_array().unwrap().clone()).collect();
    all.sort_by_key(|firing| firing["rule"].to_string());
    all
}

/// The newest block of a chain that the node knows.
fn head(members: &Members, place: usize) -> u64 {
    answer(members, &["status"])["chains"][place]["head"]["number"].as_u64().unwrap_or(0)
}

/// Until the first chain is drained and something is released that was not locked, nothing is said, though there was a release: its message was.
#[test]
fn what_two_chains_show_together_is_found() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = locate(&npm::aloud).unwrap();
    let (mut first, mut second) = runtime
        .block_on(async { (Side::new(&path, 31337, ether(100)).await, Side::new(&path, 1337, ether(90)).await) });
    let members = members(&first, &second);
    let check = watchfire(&["charter", "check", &members.charter(), "--json"]);
    assert!(check.status.success(), "{}{}", String::from_utf8_lossy(&check.stdout), stderr(&check));
    let mut node = Running::start(&members, "alder");
    node.answers(&members, "alder");

    // Each question is a process of its own: the chains go on meanwhile, a block a second.
    let grown = |least: u64| (0..20_000).any(|_| (0..2).all(|place| head(&members, place) >= least));
    assert!(grown(30), "{}", answer(&members, &["status"]));
    runtime.block_on(first.emit(true));
    let released = runtime.block_on(second.emit(true));
    assert!(grown(released + 20));
    assert_eq!(firings(&members), Vec::<Value>::new());

    let forged = runtime.block_on(second.emit(false));
    runtime.block_on(first.drain());
    let found = (0..20_000).map(|_| firings(&members)).find(|found| found.len() >= 3);
    let found = found.unwrap_or_else(|| panic!("{:?} {}", firings(&members), answer(&members, &["status"])));
    let of = |place: usize| (found[place]["rule"].as_str().unwrap(), found[place]["text"].as_str().unwrap());
    let ((backed, text), (sister, why)) = (of(0), of(2));
    assert!(backed == "twin-backed" && text.contains(", 8 s ago") && text.contains(" is not <= "), "{text}");
    let begin = format!(
        "1 release(s) that vault-core on chain 31337 knows nothing of, first WithdrawalsLimited(bool) at block {forged} "
    );
    assert!(of(1).0 == "twin-forged" && of(1).1.starts_with(&begin), "{:?}", of(1));
    let same = "vault-core on chain 31337 runs the same code, and vault-outflow (outflow) stands there since block ";
    assert!(sister == "twin-sister" && why.starts_with(same), "{why}");
    // What a finding rests on is collected of the incident's own chain; that this is not all is said, once.
    let missed = || answer(&members, &["log", "query", "--kind", "evidence-missed"])["events"].to_string();
    let missed = (0..20_000).map(|_| missed()).find(|missed| missed.contains("rests on chain")).unwrap();
    assert_eq!(missed.matches("rests on chain 31337 too").count(), 1, "{missed}");
    assert_eq!(node.stop(), Some(0));
    runtime.block_on(async {
        first.anvil.stop().await;
        second.anvil.stop().await;
    });
}
