//! An operator that gives no receipts of a whole block is asked for each.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use watchfire_evm::evidence::single_receipt;
use watchfire_types::body::EvidenceCheck;

use super::chain::{EMPTY, transactions};
use super::*;

/// What comes of block 100, which is attacked, and the one before.
async fn collected(operators: &[Operator]) -> (tempfile::TempDir, Vec<EvidenceItem>, Vec<EvidenceMissed>) {
    collected_at(100, operators).await
}

async fn collected_at(
    attacked: u64,
    operators: &[Operator],
) -> (tempfile::TempDir, Vec<EvidenceItem>, Vec<EvidenceMissed>) {
    let (directory, config) = running::directory();
    let mut node = Running::start(&config, operators).await;
    for number in [attacked - 1, attacked] {
        node.block(number, number == attacked).await;
    }
    node.ended(2).await;
    node.stop().await;
    (directory, items(&config), missed(&config))
}

fn receipts_of<'a>(items: &'a [EvidenceItem], name: &str) -> Option<&'a EvidenceItem> {
    items.iter().find(|item| item.kind == EvidenceKind::Receipts && item.operator == operator(name))
}

/// How often each of the attacked block's receipts was asked for alone.
fn singles(operator: &Operator) -> Vec<usize> {
    let asked = operator.asked();
    let requests = transactions(100).map(|transaction| digest(&single_receipt(&transaction).body()));
    requests.iter().filter_map(|request| asked.get(request).copied()).collect()
}

/// However it refuses: its receipts are there, proved by the header, as they came; those that came before one that did not are not asked for
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_no_receipts_of_a_block_is_asked_for_each() {
    for refusal in [Answers::Unsupported, Answers::Forbidden] {
        let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
        // Four are asked for at a time: of the first questions the two behind them fail.
        let asked = AtomicUsize::new(0);
        operators[1].now(move |method, _| match method {
            "eth_getBlockReceipts" => refusal,
            "eth_getTransactionReceipt" if [4, 5].contains(&asked.fetch_add(1, Ordering::SeqCst)) => Answers::Down,
            _ => Answers::Truly,
        });
        let (directory, items, missed) = collected(&operators).await;
        assert_eq!(missed, [], "{refusal:?}");
        let (whole, single) = (receipts_of(&items, "op-alder").unwrap(), receipts_of(&items, "op-birch").unwrap());
        assert_eq!((whole.check, single.check), (EvidenceCheck::ReceiptsRoot, EvidenceCheck::ReceiptsRoot));
        assert_eq!((single.request, single.method.as_str()), (whole.request, "eth_getTransactionReceipt"));
        assert!(single.params.starts_with(&format!("[\"{}\",", transactions(100)[0])), "{}", single.params);
        let kept = Store::look(directory.path()).get(&single.object).unwrap();
        let served: Vec<String> = chain::receipts(100, block(100).hash).iter().map(Value::to_string).collect();
        assert_eq!(kept, format!(r#"{{"result":[{}]}}"#, served.join(",")).into_bytes());
        assert!(singles(&operators[0]).is_empty());
        assert_eq!(singles(&operators[1]), [1, 1, 1, 1, 2, 2], "what came is not asked for again");
    }
}

/// Whoever has the receipts of the whole block is asked before one that is to be asked for each.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_them_whole_comes_first() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch"), Operator::start("op-cedar")];
    operators[0].now(|method, _| if method == "eth_getBlockReceipts" { Answers::Unsupported } else { Answers::Truly });
    let (_directory, items, missed) = collected(&operators).await;
    assert_eq!(missed, []);
    assert_eq!(by_operator(&items)[&(100, EvidenceKind::Receipts)], ["op-birch", "op-cedar"].map(operator).into());
    assert!(singles(&operators[0]).is_empty());
}

/// Receipts of another branch are no answer and no lie.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_another_branch_are_none() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    operators[1].now(|method, _| match method {
        "eth_getBlockReceipts" => Answers::Unsupported,
        "eth_getTransactionReceipt" => Answers::Elsewhere,
        _ => Answers::Truly,
    });
    let (_directory, items, missed) = collected(&operators).await;
    assert!(receipts_of(&items, "op-birch").is_none());
    let said: Vec<_> = missed.iter().map(|missed| (missed.kind, missed.cause)).collect();
    assert_eq!(said, [(EvidenceKind::Receipts, MissCause::UnknownBlock)]);
}

/// A block without transactions has no receipts: who would be asked for each is asked for none, and nothing is missed.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_empty_block_no_receipts_are_missed() {
    let operators = [Operator::start("op-alder"), Operator::start("op-birch")];
    operators[1].now(|method, _| if method == "eth_getBlockReceipts" { Answers::Unsupported } else { Answers::Truly });
    let (_directory, items, missed) = collected_at(EMPTY, &operators).await;
    assert_eq!(missed, []);
    assert!(receipts_of(&items, "op-alder").is_some() && receipts_of(&items, "op-birch").is_none());
    assert!(!operators[1].methods().iter().any(|method| method == "eth_getTransactionReceipt"));
}
