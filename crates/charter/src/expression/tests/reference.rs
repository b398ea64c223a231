//! The reference interpreter, asked the same: where numbers fit its 64 bits both say the same, or both say nothing.

use cel::{Context, Program};
use proptest::prelude::*;

use super::*;

/// Operands and operators in a row, without parentheses but a few: precedence decides.
fn sum() -> impl Strategy<Value = String> {
    let operand = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "-a", "(b - 2)", "- -c", "[a, b, 3][1]", "size('abc')", "(p ? a : b)"]).prop_map(str::to_owned),
        2 => (0_u32..40).prop_map(|number| number.to_string()),
    ];
    let sign = prop::sample::select(vec!["+", "-", "*", "/", "%", " + ", " *\n"]);
    (operand.clone(), prop::collection::vec((sign, operand), 0..4))
        .prop_map(|(first, rest)| rest.iter().fold(first, |sum, (sign, operand)| format!("{sum} {sign} {operand}")))
}

fn relation() -> impl Strategy<Value = String> {
    let signs = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    prop_oneof![
        5 => (sum(), signs, sum()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        1 => prop::sample::select(vec!["p", "q", "!p", "!!q", "true", "false"]).prop_map(str::to_owned),
        1 => sum().prop_map(|sum| format!("{sum} in [1, 2, a]")),
        1 => sum().prop_map(|sum| format!("[a, b, 0].exists(x, 6 / x == {sum})")),
        1 => sum().prop_map(|sum| format!("[1, c, 2].all(x, x % a < {sum})")),
        1 => prop::sample::select(vec!["'abc'.contains('b')", "'abc'.startsWith(\"b\")", "r'\\a'.endsWith('a')"]).prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let chain = (relation(), prop::collection::vec((prop::sample::select(vec!["&&", "||"]), relation()), 0..5))
        .prop_map(|(first, rest)| rest.iter().fold(first, |chain, (sign, part)| format!("{chain} {sign} {part}")));
    let one = chain.boxed();
    prop_oneof![
        4 => one.clone(),
        1 => (one.clone(), one.clone(), one.clone()).prop_map(|(a, b, c)| format!("{a} ? {b} : {c}")),
        1 => (one.clone(), one).prop_map(|(a, b)| format!("!({a}) && ({b})")),
    ]
}

/// What it says; `None` where a number left its 64 bits, which are not ours.
fn referred(source: &str, numbers: [i64; 3], flags: [bool; 2]) -> Option<Result<bool, ()>> {
    let program = Program::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut context = Context::default();
    for (name, number) in ["a", "b", "c"].into_iter().zip(numbers) {
        context.add_variable_from_value(name, number);
    }
    for (name, flag) in ["p", "q"].into_iter().zip(flags) {
        context.add_variable_from_value(name, flag);
    }
    match program.execute(&context) {
        Ok(cel::Value::Bool(flag)) => Some(Ok(flag)),
        Ok(other) => panic!("{source}: {other:?}"),
        Err(cel::ExecutionError::Overflow(..)) => None,
        Err(_) => Some(Err(())),
    }
}

fn said(source: &str, numbers: [i64; 3], flags: [bool; 2]) -> Result<bool, ()> {
    let subject = Subject::event("E(int64 a, int64 b, int64 c, bool p, bool q)").unwrap();
    let expression = Expression::compile(source, &subject).unwrap_or_else(|mistake| panic!("{source}: {mistake}"));
    let signed = |number: i64| alloy_primitives::I256::try_from(number).unwrap().into_raw().to_be_bytes::<32>();
    let data = [numbers.map(signed).concat(), flags.map(|flag| word(u64::from(flag))).concat()].concat();
    let log = log(&subject, &[], &data);
    expression.holds(&subject, &Facts::Log(&log, &block())).map(|held| held.is_some()).map_err(|_| ())
}

proptest! {
    #[test]
    fn says_the_same(source in expression(), numbers in [-9_i64..9, -9..9, -9..9], flags in any::<[bool; 2]>()) {
        // Its parser takes more stack than a test's thread has.
        let text = source.clone();
        let asked = std::thread::Builder::new().stack_size(256 << 20).spawn(move || referred(&text, numbers, flags));
        if let Some(expected) = asked.unwrap().join().unwrap() {
            prop_assert_eq!(said(&source, numbers, flags), expected, "{}", source);
        }
    }
}
