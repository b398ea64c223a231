//! The calls inside real transactions on a real chain: what a rule of kind `calls` says of an attack and of honest use that moves as much, and what
//! one of kind `governance` says of a proposal that was made there.

use alloy::primitives::LogData;
use alloy::sol;
use alloy::sol_types::{SolCall as _, SolEvent as _};
use serde_json::{Value, json};
use watchfire_evm::Assembly;
use watchfire_simulations::key::Order;
use watchfire_simulations::vault;
use watchfire_types::{Address, U256};

use crate::backtest::{Attacked, ether, told};
use crate::fixture::{stderr, watchfire};

const CALLS: &str = "[[detector]]\nid = \"vault-calls\"\nasset = \"vault-core\"\nkind = \"calls\"\n\
                     limits = { native = \"1000000000000000000\" }\nstands_s = 86400\n";

sol! {
    event ProposalCreated(
        uint256 id, address proposer, address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, uint256 start, uint256 end,
        string description
    );
    event ProposalExecuted(uint256 id);
    event Transfer(address indexed from, address indexed to, uint256 value);
    event MarketListed(address cToken);
    function transferOwnership(address newOwner);
}

/// Somebody puts in much more than may be lost, and takes it out again.
fn honest(vault: Address) -> Vec<Order> {
    vec![vault::deposit(vault, ether(20)), vault::withdraw(vault)]
}

/// A contract whose making emits these events, in order.
fn emitting(name: &'static str, events: &[LogData]) -> Order {
    let mut code = Assembly::default();
    for event in events {
        code.push_data(&event.data.0);
        // Copied to the beginning of memory, and emitted from there.
        code.op(&[0x60, 0x00, 0x39]);
        event.topics().iter().rev().for_each(|topic| code.push32(*topic));
        code.push3(event.data.len());
        code.op(&[0x60, 0x00, 0xa0 + u8::try_from(event.topics().len()).unwrap()]);
    }
    code.op(&[0x00]);
    Order::deploy(name, code.finish().unwrap().to_vec())
}

/// A contract whose making emits a proposal to give the vault away.
fn proposing(vault: Address) -> Order {
    let call = transferOwnershipCall { newOwner: Address::repeat_byte(0xee) };
    let event = ProposalCreated {
        id: U256::from(7),
        proposer: Address::repeat_byte(0xee),
        targets: vec![vault],
        values: vec![U256::ZERO],
        signatures: vec![String::new()],
        calldatas: vec![call.abi_encode().into()],
        start: U256::ONE,
        end: U256::from(2),
        description: "a better owner".to_owned(),
    };
    emitting("a proposal", &[event.encode_log_data()])
}

/// Votes of its own that one account lends, a proposal that is executed meanwhile and lists a market, and the votes given back.
fn borrowing(_: Address) -> Vec<Order> {
    let moves = |from, to| Transfer { from, to, value: U256::from(5_000) }.encode_log_data();
    let (pool, thief) = (Address::repeat_byte(0x01), Address::repeat_byte(0x02));
    let executed = ProposalExecuted { id: U256::from(7) }.encode_log_data();
    let listed = MarketListed { cToken: Address::repeat_byte(0x77) }.encode_log_data();
    let loan = emitting("a loan", &[moves(pool, thief), executed.clone(), listed, moves(thief, pool)]);
    vec![loan, emitting("a purchase", &[moves(pool, thief), executed])]
}

/// The charter of this chain with one rule more.
fn with_rule(chain: &Attacked, rule: &str) -> String {
    let charter = chain.charter("31337");
    let text = std::fs::read_to_string(&charter).unwrap() + rule;
    std::fs::write(&charter, text).unwrap();
    charter
}

/// What rules of this kind said, the summary, and what was told beside.
fn backtest(charter: &str, kind: &str, more: &[&str]) -> (Vec<Value>, Value, String) {
    let output = watchfire(&[&["backtest", "--charter", charter, "--json"], more].concat());
    let (found, end) = told(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (found.into_iter().filter(|line| line["kind"] == kind).collect(), end["summary"].clone(), stderr(&output))
}

/// From files and from the node alike: nobody emits anything and the vault is not called directly, so that only its balance says where to look.
/// The honest withdrawal takes out as much and is traced as well, and nothing is said of it; without traces that is told.
#[test]
fn an_attack_is_told_from_honest_use() {
    let chain = Attacked::after(honest);
    let charter = with_rule(&chain, CALLS);
    let mut blocks = chain.blocks();
    let bare = chain.file("bare.jsonl", &blocks);
    for block in &mut blocks {
        let traced = |transaction: &Value| {
            let tracer = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } });
            let ask = chain.rpc.call("debug_traceTransaction", json!([transaction["hash"], tracer]));
            json!({ "txHash": transaction["hash"], "result": chain.runtime.block_on(ask).unwrap() })
        };
        block["traces"] = block["block"]["transactions"].as_array().unwrap().iter().map(traced).collect();
    }
    let file = chain.file("traced.jsonl", &blocks);
    let (found, summary, _) = backtest(&charter, "calls", &["--blocks", &file]);
    let (asked, asked_summary, _) = backtest(&charter, "calls", &["--rpc", chain.anvil.url().as_str(), "--from", "0"]);
    assert_eq!((&found, &summary["blind"]), (&asked, &asked_summary["blind"]));
    assert_eq!((found.len(), &summary["blind"]), (1, &json!([])), "{found:?}");
    let first = chain.head() - 3;
    assert_eq!((&found[0]["block"], &found[0]["class"]), (&json!(first), &json!("context")));
    let figures = &found[0]["figures"];
    assert_eq!((&figures["lost"], &figures["coin"]), (&json!(ether(19).to_string()), &json!("native")));
    assert!(figures["patterns"].as_str().unwrap().contains("re-entry"), "{figures}");
    assert_eq!(found[0]["tx"], figures["transaction"]);
    assert!(found[0]["explanation"].as_str().unwrap().contains("was called again 19 time(s)"), "{found:?}");

    // Up to the attack there is a withdrawal over the limit, seen from inside, and no finding.
    let calm = chain.file("calm.jsonl", &blocks[..usize::try_from(first).unwrap()]);
    let (found, summary, _) = backtest(&charter, "calls", &["--blocks", &calm]);
    assert_eq!((found.len(), &summary["blind"], &summary["blocks"]), (0, &json!([]), &json!(first)));

    let (found, summary, progress) = backtest(&charter, "calls", &["--blocks", &bare]);
    let blind = &summary["blind"][0];
    assert_eq!((found.len(), &blind["detector"], &blind["why"]), (0, &json!("vault-calls"), &json!("untraced")));
    assert!(progress.contains("vault-calls has no traces"), "{progress}");
    let tried = watchfire(&["rules", "test", &charter, "--blocks", &file, "--json"]);
    let lines = String::from_utf8_lossy(&tried.stdout).into_owned();
    let line: Value = serde_json::from_str(lines.lines().find(|line| line.contains("vault-calls")).unwrap()).unwrap();
    assert_eq!((&line["fired"], &line["blocks"], &line["class"]), (&json!(1), &json!([first]), &json!("context")));
    chain.runtime.block_on(chain.anvil.stop());
}

/// A proposal that a contract on a real chain emitted is read from the node, and the same event of another contract is nothing.
#[test]
fn a_proposal_on_a_chain_is_told() {
    let chain = Attacked::after(|vault| vec![proposing(vault), proposing(vault)]);
    let rule = format!(
        "[[detector]]\nid = \"vault-proposals\"\nasset = \"vault-core\"\nkind = \"governance\"\nfrom = [\"{}\"]\nstands_s = 600\n",
        chain.made[1].to_checksum(None)
    );
    let charter = with_rule(&chain, &rule);
    let (found, ..) = backtest(&charter, "governance", &["--rpc", chain.anvil.url().as_str(), "--from", "0"]);
    assert_eq!(found.len(), 1, "{found:?}");
    let (line, figures) = (&found[0], &found[0]["figures"]);
    assert_eq!((&line["class"], &line["block"]), (&json!("context"), &json!(chain.head() - 5)));
    assert_eq!((&figures["privilege"], &figures["call"]), (&json!("owner"), &json!("1")));
    let explanation = line["explanation"].as_str().unwrap();
    let begin = format!("proposal 7 of {} would change the owner of {}", chain.made[1], chain.vault);
    assert!(explanation.starts_with(&begin), "{explanation}");
    chain.runtime.block_on(chain.anvil.stop());
}

/// Votes that were lent around an execution, and a market listed with nothing in it, are told from a real node and from files alike; votes that were bought
/// are nothing.
#[test]
fn borrowed_votes_and_a_thin_market_on_a_chain_are_told() {
    let chain = Attacked::after(borrowing);
    let made = chain.made[0].to_checksum(None);
    let bought = chain.made[1].to_checksum(None);
    let rule = |id: &str, of: &str| {
        format!(
            "[[detector]]\nid = \"{id}\"\nasset = \"vault-core\"\nkind = \"borrowed-votes\"\nclass = \"decisive\"\nfrom = [\"{of}\"]\n\
             token = \"{of}\"\nleast = \"5000\"\nstands_s = 1\n"
        )
    };
    let market = format!(
        "[[detector]]\nid = \"thin\"\nasset = \"vault-core\"\nkind = \"thin-market\"\naddress = \"{made}\"\n\
         event = \"MarketListed(address cToken)\"\nmarket = \"cToken\"\nfloor = \"1000\"\nstands_s = 1\n"
    );
    let charter = with_rule(&chain, &(rule("lent", &made) + &rule("bought", &bought) + &market));
    let file = chain.file("blocks.jsonl", &chain.blocks());
    for more in [&["--blocks", file.as_str()][..], &["--rpc", chain.anvil.url().as_str(), "--from", "0"]] {
        let (votes, ..) = backtest(&charter, "borrowed-votes", more);
        let told: Vec<_> = votes.iter().map(|line| (&line["detector"], &line["class"], &line["block"])).collect();
        assert_eq!(told, [(&json!("lent"), &json!("decisive"), &json!(chain.head() - 6))], "{votes:?}");
        assert_eq!(votes[0]["figures"]["what"], "ProposalExecuted(uint256)");
        let (markets, ..) = backtest(&charter, "thin-market", more);
        assert_eq!((markets.len(), &markets[0]["figures"]["supply"]), (1, &json!("0")), "{markets:?}");
    }
    chain.runtime.block_on(chain.anvil.stop());
}
