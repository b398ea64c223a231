//! Parameters out of bytes that somebody else wrote.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{I256, address};
use proptest::prelude::*;

use super::*;

fn called(function: &str, source: &str, data: &[u8]) -> Result<bool, NoAnswer> {
    let subject = Subject::call(function).unwrap();
    let Subject::Call { selector, .. } = &subject else { panic!("no call") };
    let expression = Expression::compile(source, &subject).unwrap_or_else(|mistake| panic!("{source}: {mistake}"));
    let transaction = Transaction {
        hash: B256::repeat_byte(3),
        kind: 2,
        from: Address::repeat_byte(0x11),
        to: Some(Address::repeat_byte(1)),
        value: U256::ZERO,
        input: [selector, data].concat().into(),
        succeeded: None,
    };
    expression.holds(&subject, &Facts::Transaction(&transaction, &block())).map(|held| held.is_some())
}

/// Nested, dynamic and fixed parameters in one call, encoded by the library.
#[test]
fn parameters_of_every_shape() {
    let to = address!("0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe");
    let order =
        DynSolValue::Tuple(vec![DynSolValue::Address(to), DynSolValue::String("café".into()), DynSolValue::Bool(true)]);
    let numbers = |all: &[u64]| all.iter().map(|n| DynSolValue::Uint(U256::from(*n), 256)).collect::<Vec<_>>();
    let values = DynSolValue::Tuple(vec![
        order,
        DynSolValue::Array(numbers(&[5, 6])),
        DynSolValue::FixedArray(vec![
            DynSolValue::Int(I256::try_from(-4).unwrap(), 8),
            DynSolValue::Int(I256::ZERO, 8),
        ]),
        DynSolValue::Bytes(vec![1, 2, 3]),
        DynSolValue::FixedBytes(B256::repeat_byte(0xab), 4),
        DynSolValue::Array(vec![DynSolValue::Tuple(numbers(&[7, 8]))]),
    ]);
    // The library pads bytes4 out of a word.
    let data = match values {
        DynSolValue::Tuple(mut values) => {
            let mut four = B256::ZERO;
            four.0[..4].fill(0xab);
            values[4] = DynSolValue::FixedBytes(four, 4);
            DynSolValue::Tuple(values).abi_encode_params()
        }
        _ => unreachable!(),
    };
    let function = "place(tuple(address to, string note, bool now) order, uint256[] amounts, int8[2] limits, bytes extra, bytes4 tag, tuple(uint256 a, uint256 b)[] pairs)";
    let source = format!(
        "order.to == \"{to}\" && order.note == 'café' && size(order.note) == 4 && order.now && amounts[1] == 6 && size(amounts) == 2 \
         && limits[0] == -4 && extra == '0x010203' && tag == '0xabababab' && pairs[0].b == 8 && pairs.exists(p, p.a == 7)"
    );
    assert_eq!(called(function, &source, &data), Ok(true));
    // What follows the parameters, as some callers append it, does no harm; a cut does.
    assert_eq!(called(function, &source, &[data.as_slice(), &[9; 7]].concat()), Ok(true));
    assert_eq!(called(function, &source, &data[..data.len() - 32]), Err(NoAnswer::Undecodable));
}

#[test]
fn an_abi_that_lies_is_no_answer() {
    let subject = transfer();
    let expression = Expression::compile("value > 5", &subject).unwrap();
    let ends = [0x11, 0x22].map(|byte| Address::repeat_byte(byte).into_word());
    let judge = |log: &Log| expression.holds(&subject, &Facts::Log(log, &block())).map(|held| held.is_some());
    assert_eq!(judge(&log(&subject, &ends, &word(6))), Ok(true));
    // Nothing indexed, too much indexed, too little data.
    assert_eq!(judge(&log(&subject, &[], &[word(1), word(2), word(6)].concat())), Err(NoAnswer::Undecodable));
    assert_eq!(judge(&log(&subject, &[ends[0], ends[1], word(6).into()], &[])), Err(NoAnswer::Undecodable));
    assert_eq!(judge(&log(&subject, &ends, &word(6)[..31])), Err(NoAnswer::Undecodable));
    // Bits that the type does not have.
    assert_eq!(called("f(uint8 a, bool b)", "a > 1", &[word(256), word(0)].concat()), Err(NoAnswer::Undecodable));
    assert_eq!(called("f(bool b)", "b", &word(2)), Err(NoAnswer::Undecodable));
    assert_eq!(called("f(address a)", "a != a", &word(U256::MAX)), Err(NoAnswer::Undecodable));
    assert_eq!(called("f(int8 a)", "a < 0", &word(200)), Err(NoAnswer::Undecodable));
    assert_eq!(
        called("f(string a)", "a == 'x'", &[word(32), word(1), [0xff; 32]].concat()),
        Err(NoAnswer::Undecodable)
    );
    // Offsets and lengths out of this world.
    for (offset, length) in [(U256::MAX, U256::ONE), (U256::from(32), U256::MAX), (U256::from(32), U256::from(1) << 63)]
    {
        let data = [word(offset), word(length)].concat();
        let said = called("f(uint256[] a, bytes b)", "size(a) > 0", &[data.as_slice(), &word(0)].concat());
        assert!(matches!(said, Err(NoAnswer::Undecodable | NoAnswer::TooLong)), "{said:?}");
    }
}

/// A kilobyte whose heads all point at one tail unfolds into gigabytes where nobody counts.
#[test]
fn a_folded_list_is_not_unfolded() {
    let mut data = word(32).to_vec();
    for _ in 0..5 {
        data.extend(word(200));
        data.extend((0..200).flat_map(|_| word(200 * 32)));
    }
    data.extend([0; 64]);
    assert_eq!(called("f(uint256[][][][][] a)", "size(a) > 0", &data), Err(NoAnswer::TooLong));
    let many = [word(32), word(257)].concat();
    assert_eq!(called("f(uint8[] a)", "size(a) > 0", &many), Err(NoAnswer::TooLong));
    assert!(Subject::call("f(uint8[][][][][][][][] a)").is_err());
    assert!(Subject::call("f(uint8[1000000] a)").is_err());
    assert!(Subject::event("E(uint8 a, uint8 a)").is_err());
    assert!(Subject::event("E(uint8 indexed a, uint8 indexed b, uint8 indexed c, uint8 indexed d)").is_err());
}

#[test]
fn parameters_without_a_usable_name_go_by_their_place() {
    assert_eq!(
        called(
            "f(uint256, uint256 in, uint256 tx)",
            "arg0 == 1 && arg1 == 2 && arg2 == 3 && tx == 3",
            &[word(1), word(2), word(3)].concat()
        ),
        Ok(true)
    );
    // Of what is indexed and longer than a word, only the hash is there.
    let subject = Subject::event("Named(string indexed name, uint256 n)").unwrap();
    let source = format!("name == \"0x{}\" && n == 4", "05".repeat(32));
    let expression = Expression::compile(&source, &subject).unwrap();
    let log = log(&subject, &[B256::repeat_byte(5)], &word(4));
    assert!(expression.holds(&subject, &Facts::Log(&log, &block())).unwrap().is_some());
}

fn values() -> impl Strategy<Value = (String, DynSolValue)> {
    let leaf = prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| ("uint256".to_owned(), DynSolValue::Uint(U256::from_be_bytes(bytes), 256))),
        any::<i8>().prop_map(|n| ("int8".to_owned(), DynSolValue::Int(I256::try_from(n).unwrap(), 8))),
        any::<bool>().prop_map(|flag| ("bool".to_owned(), DynSolValue::Bool(flag))),
        any::<[u8; 20]>().prop_map(|bytes| ("address".to_owned(), DynSolValue::Address(bytes.into()))),
        prop::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| ("bytes".to_owned(), DynSolValue::Bytes(bytes))),
        "[a-z]{0,40}".prop_map(|text| ("string".to_owned(), DynSolValue::String(text))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0_usize..4)
                .prop_map(|((ty, value), count)| (format!("{ty}[]"), DynSolValue::Array(vec![value; count]))),
            (inner.clone(), 1_usize..4).prop_map(|((ty, value), count)| (
                format!("{ty}[{count}]"),
                DynSolValue::FixedArray(vec![value; count])
            )),
            prop::collection::vec(inner, 1..4).prop_map(|parts| {
                let (types, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                (format!("({})", types.join(",")), DynSolValue::Tuple(values))
            }),
        ]
    })
}

/// The same values as the library's, told by their numbers and addresses.
fn same(value: &Value, other: &DynSolValue) -> bool {
    let all = |values: &[Value], others: &[DynSolValue]| {
        values.len() == others.len() && values.iter().zip(others).all(|(value, other)| same(value, other))
    };
    match (value, other) {
        (Value::Flag(a), DynSolValue::Bool(b)) => a == b,
        (Value::Integer(a), DynSolValue::Uint(b, _)) => a.to_string() == b.to_string(),
        (Value::Integer(a), DynSolValue::Int(b, _)) => a.to_string() == b.to_string(),
        (Value::Address(a), DynSolValue::Address(b)) => a == b,
        (Value::Bytes(a), DynSolValue::Bytes(b)) => a == b,
        (Value::Text(a), DynSolValue::String(b)) => **a == **b,
        (Value::List(a), DynSolValue::Array(b) | DynSolValue::FixedArray(b))
        | (Value::Tuple(a), DynSolValue::Tuple(b)) => all(a, b),
        _ => false,
    }
}

proptest! {
    #[test]
    fn decodes_what_the_library_encodes((ty, value) in values(), before in any::<[u8; 32]>()) {
        let resolved: DynSolType = ty.parse().unwrap();
        prop_assume!(resolved.matches(&value));
        let shape = shape::Shape::of(&resolved, &[], 0).unwrap();
        let first = DynSolValue::Uint(U256::from_be_bytes(before), 256);
        let data = DynSolValue::Tuple(vec![first, value.clone()]).abi_encode_params();
        let decoded = shape.value(&data, 32, &mut shape::Budget::default()).unwrap();
        prop_assert!(same(&decoded, &value), "{decoded:?} {value:?}");
    }

    /// Whatever the bytes are, there is an answer or a reason, and never a panic.
    #[test]
    fn survives_any_bytes((ty, _) in values(), data in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => 0_u8..64, 1 => any::<u8>()], 0..400)) {
        let resolved: DynSolType = ty.parse().unwrap();
        if let Some(shape) = shape::Shape::of(&resolved, &[], 0) {
            let _ = shape.value(&data, 0, &mut shape::Budget::default());
        }
    }
}
