//! Arguments become bytes only when their text says plainly what is encoded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{CallError, Signature};

fn encoded(function: &str, arguments: &[&str]) -> Result<String, CallError> {
    let signature = Signature::parse(function)?;
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    Ok(hex::encode(signature.encode(&signature.arguments(&texts)?)?))
}

const CHECKED: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

#[test]
fn functions_resolve_or_are_refused() {
    assert_eq!(encoded("pause()", &[]).unwrap(), "8456cb59");
    assert_eq!(Signature::parse("f(uint)").unwrap().canonical(), "f(uint256)");
    assert_eq!(Signature::parse("paused() returns (bool)").unwrap().with_outputs(), "paused() returns (bool)");
    for wrong in ["pause", "", "()", "pause(", "pause()x"] {
        assert!(matches!(Signature::parse(wrong), Err(CallError::NotAFunction { .. })), "{wrong:?}");
    }
    for unknown in ["pause(foo)", "pause(uint7)", "pause((bool,foo))", "paused() returns (foo)"] {
        assert!(matches!(Signature::parse(unknown), Err(CallError::UnknownType { .. })), "{unknown:?}");
    }
}

#[test]
fn arguments_are_checked_by_type() {
    assert!(encoded("f(address,bool)", &[CHECKED, "true"]).is_ok());
    assert!(encoded("f(uint256)", &["0x10"]).unwrap().ends_with("10"));
    assert!(encoded("f(int8)", &["-5"]).unwrap().ends_with("fb"));
    assert!(encoded("f(address[])", &[&format!("[{CHECKED}]")]).is_ok());
    assert!(matches!(encoded("f(bool)", &[]), Err(CallError::ArgumentCount { expected: 1, found: 0, .. })));
    assert!(matches!(encoded("f(bool)", &["1"]), Err(CallError::NotOfType { .. })));
    assert!(matches!(encoded("f(uint8)", &["256"]), Err(CallError::NotOfType { .. })));
    assert!(matches!(encoded("f(uint256)", &["1_000"]), Err(CallError::NotOfType { .. })));
    assert!(matches!(encoded("f(bytes4)", &["0x010203"]), Err(CallError::NotOfType { .. })));
}

/// Units, exponents and fractions encode to numbers that the text does not show.
#[test]
fn numbers_are_plain() {
    for text in ["1 ether", "1ether", "1 gwei", "0.5 ether", "1e3"] {
        assert!(encoded("f(uint256)", &[text]).is_err(), "{text}");
    }
    assert!(matches!(encoded("f(uint256[])", &["[1, 2 ether]"]), Err(CallError::NotPlain { .. })));
    assert!(encoded("f(uint256[])", &["[1, 2]"]).is_ok());
}

#[test]
fn addresses_carry_their_checksum() {
    for wrong in [CHECKED.to_lowercase(), CHECKED[2..].to_owned(), CHECKED.replacen('E', "e", 1)] {
        assert!(encoded("f(address)", &[&wrong]).is_err(), "{wrong}");
        assert!(encoded("f(address[])", &[&format!("[{wrong}]")]).is_err(), "{wrong}");
        assert!(encoded("f((address,bool))", &[&format!("({wrong}, true)")]).is_err(), "{wrong}");
    }
}

#[test]
fn call_data_is_bounded_and_decodes_exactly() {
    let long = format!("0x{}", "00".repeat(2000));
    assert!(encoded("f(bytes)", &[&long]).is_ok());
    let signature = Signature::parse("f(bool)").unwrap();
    let data = hex::decode(encoded("f(bool)", &["true"]).unwrap()).unwrap();
    assert!(signature.decode(&data).is_some());
    let trailing = [data.as_slice(), &[0]].concat();
    assert!(signature.decode(&trailing).is_none(), "trailing bytes are not what a person read");
    assert!(signature.decode(&[1, 2]).is_none());
}
