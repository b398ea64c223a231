//! What an expression's finding says, and that one without an answer is nobody else's concern.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;
use watchfire_types::Bytes;

use super::*;
use crate::fixture::*;

fn rule(source: &str) -> ExpressionWatch {
    let over = Subject::event("Moved(address indexed to, uint256 amount)").unwrap();
    let expression = Expression::compile(source, &over).unwrap();
    ExpressionWatch::new(over, VAULT, expression, 60)
}

fn moved(amount: u64) -> Log {
    let over = Subject::event("Moved(address indexed to, uint256 amount)").unwrap();
    let Subject::Event { topic, .. } = over else { panic!("no event") };
    Log {
        address: VAULT,
        topics: vec![topic, Address::repeat_byte(0x11).into_word()],
        data: U256::from(amount).to_be_bytes_vec().into(),
        transaction: B256::repeat_byte(u8::try_from(amount).unwrap()),
        index: 0,
    }
}

fn observe(rule: &mut ExpressionWatch, number: u64, logs: &[Log]) -> Evaluation {
    rule.observe(&view(number, []), logs.iter(), std::iter::empty(), None)
}

#[test]
fn a_finding_names_its_figures() {
    let mut rule = rule("amount > 5 &&\n   to != \"0x2222222222222222222222222222222222222222\"");
    let said = observe(&mut rule, 1, &[moved(5), moved(6), moved(7)]);
    let (explanation, figures) = figures(&said);
    assert_eq!(
        explanation,
        "amount > 5 && to != \"0x2222222222222222222222222222222222222222\" holds 2 time(s) of Moved(address,uint256) of \
         0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa at block 1; to = 0x1111111111111111111111111111111111111111, amount = 6"
    );
    assert_eq!((figures["amount"].as_str(), figures["count"].as_str()), ("6", "2"));
    assert_eq!(figures["transaction"], B256::repeat_byte(6).to_string());
    // It stands for its time, 60 s, and no longer.
    assert_eq!(fires(&observe(&mut rule, 6, &[])), Some(true));
    assert_eq!(fires(&observe(&mut rule, 7, &[])), Some(false));
}

/// However long texts and numbers are, a finding is one that a node can send.
#[test]
fn a_finding_is_bounded() {
    let over = Subject::event("Said(string a, string b, bytes c, uint256 d, uint256 e, uint256[] f)").unwrap();
    let Subject::Event { topic, .. } = &over else { panic!("no event") };
    let source = format!(
        "size(a) > 0 && size(b) > 0 && size(c) > 0 && d > 0 && e > 0 && size(f) > 0 && a != '{}'",
        "x".repeat(500)
    );
    let expression = Expression::compile(&source, &over).unwrap();
    let word = |n: u64| U256::from(n).to_be_bytes::<32>();
    let text = "\u{202e}\u{7}é".repeat(30);
    let mut tail = [text.as_bytes(), &[0; 32]].concat();
    tail.truncate(text.len().div_ceil(32) * 32);
    let said = [&word(text.len() as u64)[..], &tail].concat();
    let offset = |nth: usize| word((6 * 32 + nth * said.len()) as u64);
    let max = U256::MAX.to_be_bytes::<32>();
    let list = [word(3), max, max, max].concat();
    let data = [[offset(0), offset(1), offset(2), max, max, offset(3)].concat(), said.repeat(3), list].concat();
    let log = Log { address: VAULT, topics: vec![*topic], data: data.into(), transaction: B256::ZERO, index: 0 };
    let mut rule = ExpressionWatch::new(over, VAULT, expression, 60);
    let told = observe(&mut rule, 1, &[log]);
    let (explanation, figures) = figures(&told);
    assert!(!explanation.chars().any(char::is_control), "{explanation}");
    assert_eq!(figures.len(), 9, "{figures:?}");
}

#[test]
fn what_has_no_answer_is_counted_and_hides_nothing() {
    let mut rule = rule("100 / amount > 10");
    let broken = Log { data: Bytes::new(), ..moved(1) };
    assert_eq!(observe(&mut rule, 1, &[moved(0), broken.clone(), moved(50)]), Evaluation::Quiet);
    assert_eq!(fires(&observe(&mut rule, 2, &[moved(0), moved(5), broken])), Some(true));
    let counted: Vec<_> = rule.unanswered().collect();
    assert_eq!(counted, [(NoAnswer::Undecodable, 2), (NoAnswer::DivisionByZero, 2)]);
    // What is not about it at all is not counted.
    let other = Log { address: Address::ZERO, ..moved(0) };
    observe(&mut rule, 3, &[other]);
    assert_eq!(rule.unanswered().map(|(_, count)| count).sum::<u64>(), 4);
}

#[test]
fn calls_are_found_by_their_function_and_transactions_by_either_end() {
    let call = |from: Address, to: Option<Address>, input: &[u8]| Transaction {
        hash: B256::repeat_byte(1),
        kind: 0,
        from,
        to,
        value: U256::from(3),
        input: Bytes::copy_from_slice(input),
        succeeded: None,
    };
    let (other, amount) = (Address::repeat_byte(1), U256::from(9).to_be_bytes::<32>());
    let withdraw = [&[0x2e, 0x1a, 0x7d, 0x4d][..], &amount].concat();
    let judge = |over: Subject, source: &str, one: Transaction| {
        let expression = Expression::compile(source, &over).unwrap();
        let mut rule = ExpressionWatch::new(over, VAULT, expression, 60);
        let said = rule.observe(&view(1, []), std::iter::empty(), [one].iter(), None);
        fires(&said).unwrap() || rule.unanswered().next().is_some()
    };
    let calls = |one| judge(Subject::call("withdraw(uint256 amount)").unwrap(), "amount == 9 && tx.value == 3", one);
    assert!(calls(call(other, Some(VAULT), &withdraw)));
    assert!(!calls(call(other, Some(other), &withdraw)));
    assert!(!calls(call(other, Some(VAULT), &[1, 2, 3, 4])));
    assert!(!calls(call(VAULT, None, &withdraw)));
    let any = |one| judge(Subject::Transaction, "tx.value == 3", one);
    assert!(any(call(VAULT, Some(other), &[])) && any(call(VAULT, None, &[])) && any(call(other, Some(VAULT), &[])));
    assert!(!any(call(other, Some(other), &[])));
}
