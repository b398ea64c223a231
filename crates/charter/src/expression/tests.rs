//! What expressions mean, what is refused with a caret under it, and that the reference interpreter says the same of what it can say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abi;
mod reference;

use alloy_primitives::{Address, B256, U256};
use watchfire_types::{BlockRef, BlockTime, Bytes, ChainId, Log, Transaction};

use super::*;

fn block() -> BlockRef {
    BlockRef {
        chain: ChainId::new(1),
        number: 7,
        hash: B256::repeat_byte(7),
        time: BlockTime::from_secs(1_700_000_000),
    }
}

fn word(number: impl TryInto<U256, Error: std::fmt::Debug>) -> [u8; 32] {
    number.try_into().unwrap().to_be_bytes()
}

/// A log of this event with these topics after the first and this data.
fn log(subject: &Subject, topics: &[B256], data: &[u8]) -> Log {
    let Subject::Event { topic, .. } = subject else { panic!("no event") };
    let topics = [topic].into_iter().chain(topics).copied().collect();
    let (address, transaction) = (Address::repeat_byte(1), B256::repeat_byte(9));
    Log { address, topics, data: Bytes::copy_from_slice(data), transaction, index: 0 }
}

fn transfer() -> Subject {
    Subject::event("Transfer(address indexed from, address indexed to, uint256 value)").unwrap()
}

/// What an expression says of a transfer of so much from 0x11.. to 0x22...
fn of_transfer(source: &str, value: U256) -> Result<bool, NoAnswer> {
    let subject = transfer();
    let expression = Expression::compile(source, &subject).unwrap_or_else(|mistake| panic!("{source}: {mistake}"));
    let ends = [0x11, 0x22].map(|byte| Address::repeat_byte(byte).into_word());
    let log = log(&subject, &ends, &word(value));
    expression.holds(&subject, &Facts::Log(&log, &block())).map(|held| held.is_some())
}

#[test]
fn numbers_are_exact_beyond_64_bits() {
    let large = U256::from(3) << 200;
    for (source, expected) in [
        ("value == uint256(\"4820814132776970826625886277023487807566608981348378505904128\")", true),
        ("value > 9223372036854775807", true),
        ("value - uint256(\"4820814132776970826625886277023487807566608981348378505904129\") == -1", true),
        ("mul_div(value, value, value) == value", true),
        ("mul_div(value, 10000, 3) / 10000 == value / 3", true),
        ("-7 / 2 == -3 && -7 % 2 == -1 && 7 % -2 == 1", true),
        ("abs(-5) == 5 && min(2, -3) == -3 && max(2, -3) == 2", true),
        ("int256(\"-57896044618658097711785492504343953926634992332820282019728792003956564819968\") < 0", true),
        ("value / 2 * 2 == value", true),
        ("18446744073709551615u > 0x7f", true),
    ] {
        assert_eq!(of_transfer(source, large), Ok(expected), "{source}");
    }
}

#[test]
fn what_has_no_answer_says_why_and_decides_nothing() {
    let large = U256::MAX;
    for (source, expected) in [
        ("value + 1 > 0", Err(NoAnswer::Overflow)),
        ("value * value > 0", Err(NoAnswer::Overflow)),
        ("-value - 1 < 0", Err(NoAnswer::Overflow)),
        ("value / (value - value) > 0", Err(NoAnswer::DivisionByZero)),
        ("value % 0 == 0", Err(NoAnswer::DivisionByZero)),
        ("mul_div(value, value, 0) > 0", Err(NoAnswer::DivisionByZero)),
        ("mul_div(value, value, 2) > 0", Err(NoAnswer::Overflow)),
        ("[1, 2][value] == 1", Err(NoAnswer::Index)),
        ("[1, 2][-1] == 1", Err(NoAnswer::Index)),
        // An operand that decides, decides, on whichever side the other fails.
        ("value + 1 > 0 || true", Ok(true)),
        ("true || value + 1 > 0", Ok(true)),
        ("value + 1 > 0 && false", Ok(false)),
        ("value + 1 > 0 && true", Err(NoAnswer::Overflow)),
        ("[1, 0, 2].exists(x, 4 / x == 2)", Ok(true)),
        ("[1, 0, 2].all(x, 4 / x > 0)", Err(NoAnswer::DivisionByZero)),
        ("[1, 0, 2].all(x, 4 / x > 2)", Ok(false)),
        ("false ? value + 1 > 0 : true", Ok(true)),
    ] {
        assert_eq!(of_transfer(source, large), expected, "{source}");
    }
}

#[test]
fn texts_stand_for_addresses_and_bytes_where_these_are_wanted() {
    let (from, to) = (Address::repeat_byte(0x11), Address::repeat_byte(0x22));
    for (source, expected) in [
        (format!("from == \"{from}\" && '{to}' == to"), true),
        (format!("from in [\"{from}\", \"{to}\"] && \"{to}\" in [from, to]"), true),
        (format!("from != \"{to}\" && !(to in [\"{from}\"])"), true),
        (format!("(value > 5 ? from : to) == \"{from}\""), true),
        (format!("tx.hash == \"0x{}\"", "09".repeat(32)), true),
        ("block.number == 7 && block.time == 1700000000 && arg2 == value".to_owned(), true),
        (
            "'abcdef'.contains('cd') && 'abc'.startsWith(\"a\") && r'a\\b'.endsWith('b') && size('a\\'b') == 3"
                .to_owned(),
            true,
        ),
        ("// large ones\n value > 5\n\t&& size([from, to]) == 2 && [1, 2,].size() == 2".to_owned(), true),
    ] {
        assert_eq!(of_transfer(&source, U256::from(6)), Ok(expected), "{source}");
    }
}

/// What is wrong, and the part that carets stand under.
fn mistake(source: &str) -> (&'static str, String) {
    let mistake = Expression::compile(source, &transfer()).expect_err(source);
    assert!(!mistake.remedy.is_empty() && !mistake.message.is_empty());
    let excerpt = mistake.excerpt(source);
    let (line, carets) = excerpt.split_once('\n').unwrap();
    let under = line.chars().zip(carets.chars()).filter(|(_, caret)| *caret == '^').map(|(c, _)| c).collect();
    (mistake.kind, under)
}

#[test]
fn every_mistake_has_carets_under_it() {
    for (source, kind, under) in [
        ("valeu > 5", "unknown-field", "valeu"),
        ("value > 5 &&\n  tx.from == to", "unknown-field", "tx.from"),
        ("value > \"5\"", "wrong-type", "\"5\""),
        ("from > 5", "wrong-type", "from"),
        ("value == from", "wrong-type", "=="),
        ("value", "wrong-type", "value"),
        ("value > 5 && value", "wrong-type", "value"),
        ("value + true > 5", "wrong-type", "true"),
        ("!value", "wrong-type", "value"),
        ("value in [1, from]", "wrong-type", "from"),
        ("value in from", "wrong-type", "from"),
        ("from in [1]", "wrong-type", "1"),
        ("value.part == 5", "wrong-type", "value"),
        ("value[0] == 5", "wrong-type", "value"),
        ("value > 1 > 2", "wrong-type", "value > 1"),
        ("value > 1.5", "not-supported", "1.5"),
        ("value > 1e18", "not-supported", "1e18"),
        ("double(value) > 5", "not-supported", "double"),
        ("now() > 5", "not-supported", "now()"),
        ("'a'.matches('b')", "not-supported", "matches"),
        ("{'a': 1}['a'] == 1", "not-supported", "{"),
        ("value == null", "not-supported", "null"),
        ("[1].map(x, x) == [1]", "not-supported", "map"),
        ("from == \"0x1111\"", "bad-expression", "\"0x1111\""),
        (
            "from == \"0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae\"",
            "bad-expression",
            "\"0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae\"",
        ),
        ("tx.hash == \"0xabc\"", "bad-expression", "\"0xabc\""),
        ("value > uint256(\"1_000\")", "bad-expression", "\"1_000\""),
        ("value > uint256(\"-1\")", "bad-expression", "\"-1\""),
        ("value > uint256(value)", "wrong-type", "value"),
        ("value > 9223372036854775808", "bad-expression", "9223372036854775808"),
        ("value > 5 5", "bad-expression", "5"),
        ("value > @", "bad-expression", "@"),
        ("value > 'a", "bad-expression", "'a"),
        ("value > 'a\\q'", "bad-expression", "\\q"),
        ("package > 5", "bad-expression", "package"),
        ("[1].exists(value, value > 0)", "bad-expression", "value"),
        ("[1].exists(1, true)", "bad-expression", "1"),
        ("[] == []", "wrong-type", "[]"),
        ("value > b'a'", "not-supported", "b"),
    ] {
        let (found, marked) = mistake(source);
        assert_eq!((found, marked.as_str()), (kind, under), "{source}");
    }
    // What is missing has its carets where it should be.
    for source in ["value >", "", "(value > 5", "value > 5 ? true"] {
        assert_eq!(mistake(source).0, "bad-expression", "{source}");
    }
}

#[test]
fn long_and_deep_texts_are_refused_and_not_recursed_into() {
    let deep = |source: String| Expression::compile(&source, &transfer()).expect_err(&source).kind;
    assert_eq!(deep(format!("{}value > 5{}", "(".repeat(900), ")".repeat(900))), "too-deep");
    assert_eq!(deep(format!("{}true", "!".repeat(1_900))), "too-deep");
    assert_eq!(deep(format!("{}value > 5", "-".repeat(1_900))), "too-deep");
    assert_eq!(deep(format!("value{} > 5", " + 1".repeat(60))), "too-deep");
    assert_eq!(deep(format!("value{} > 5", "[0]".repeat(600))), "too-deep");
    assert_eq!(deep(format!("{}true", "true ? true : ".repeat(130))), "too-deep");
    assert_eq!(deep(format!("value in [{}]", "1,".repeat(900))), "too-long");
    assert_eq!(deep("value > 5 ".repeat(300)), "too-long");
    // A hundred alternatives are wide, not deep.
    let wide = format!("{}value == 0", "value == 1 || ".repeat(100));
    assert_eq!(of_transfer(&wide, U256::from(1)), Ok(true));
}

#[test]
fn steps_are_bounded() {
    let ten = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
    let loops = |depth: usize| {
        let heads: String = (0..depth).map(|nth| format!("{ten}.all(x{nth}, ")).collect();
        format!("{heads}value > 5{}", ")".repeat(depth))
    };
    assert_eq!(of_transfer(&loops(3), U256::from(6)), Ok(true));
    assert_eq!(of_transfer(&loops(6), U256::from(6)), Err(NoAnswer::TooManySteps));
}

#[test]
fn transactions_have_fields_of_their_own() {
    let transaction = Transaction {
        hash: B256::repeat_byte(3),
        kind: 2,
        from: Address::repeat_byte(0x11),
        to: None,
        value: U256::from(5),
        input: vec![0xde, 0xad, 0xbe, 0xef, 1].into(),
        succeeded: None,
    };
    let subject = Subject::Transaction;
    let source = format!(
        "tx.creates && tx.from == \"{}\" && tx.to == \"{}\" && tx.value == 5 && tx.kind == 2 && tx.selector == \"0xdeadbeef\" && size(tx.input) == 5",
        Address::repeat_byte(0x11),
        Address::ZERO
    );
    let expression = Expression::compile(&source, &subject).unwrap();
    let told = expression.holds(&subject, &Facts::Transaction(&transaction, &block())).unwrap().unwrap();
    let told: Vec<String> = told.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(told[2..5].join(", "), "tx.creates = true, tx.value = 5, tx.kind = 2");
}
