//! What is never signed is refused under its name, under an overload and under a name that only shares the selector.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Denied, SIGNATURES, judge};
use crate::call::{Signature, selector};
use crate::model::PlaybookPurpose::{Contain, Recover};

fn judged(function: &str, arguments: &[&str], purpose: crate::model::PlaybookPurpose) -> Result<(), Denied> {
    let call = Signature::parse(function).unwrap();
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    judge(&call, &call.arguments(&texts).unwrap(), purpose)
}

const A: &str = "0x1000000000000000000000000000000000000001";

/// Every listed signature parses to itself: a misspelt one would deny nothing.
#[test]
fn listed_signatures_are_canonical() {
    for (_, signature) in SIGNATURES {
        assert_eq!(Signature::parse(signature).unwrap().canonical(), *signature);
    }
    let known = [
        ("transfer(address,uint256)", "a9059cbb"),
        ("approve(address,uint256)", "095ea7b3"),
        ("grantRole(bytes32,address)", "2f2ff15d"),
        ("transferOwnership(address)", "f2fde38b"),
        ("upgradeTo(address)", "3659cfe6"),
        ("upgradeToAndCall(address,bytes)", "4f1ef286"),
        ("schedule(address,uint256,bytes,bytes32,bytes32,uint256)", "01d5062a"),
        ("setModuleGuard(address)", "e068df37"),
    ];
    for (signature, expected) in known {
        assert!(SIGNATURES.iter().any(|(_, listed)| *listed == signature), "{signature}");
        assert_eq!(hex::encode(selector(signature)), expected);
    }
}

#[test]
fn never_signed_in_any_playbook() {
    for purpose in [Contain, Recover] {
        assert!(matches!(judged("transfer(address,uint256)", &[A, "1"], purpose), Err(Denied::Value { .. })));
        assert!(
            matches!(judged("approve(address,uint128)", &[A, "1"], purpose), Err(Denied::Value { .. })),
            "overload"
        );
        assert!(matches!(judged("_transferAll()", &[], purpose), Err(Denied::Value { .. })), "first word");
        assert!(matches!(
            judged("grantRole(bytes32,address)", &[&format!("0x{}", "00".repeat(32)), A], purpose),
            Err(Denied::Power { .. })
        ));
        assert!(matches!(judged("transferOwnership(address)", &[A], purpose), Err(Denied::Power { .. })));
        assert!(matches!(judged("upgradeTo(address)", &[A], purpose), Err(Denied::Code { .. })));
        assert!(matches!(judged("upgradeMarket(address)", &[A], purpose), Err(Denied::Code { .. })));
        assert!(matches!(judged("changeThreshold(uint256)", &["1"], purpose), Err(Denied::Safe { .. })));
        assert!(matches!(judged("multicall(bytes[])", &["[]"], purpose), Err(Denied::Wrapped { .. })));
        assert!(matches!(judged("execute(bytes)", &["0x00"], purpose), Err(Denied::Wrapped { .. })));
    }
}

/// `many_msg_babbage(bytes1)` is a known function whose selector is that of `transfer(address,uint256)`.
#[test]
fn a_name_cannot_hide_a_selector() {
    assert_eq!(selector("many_msg_babbage(bytes1)"), selector("transfer(address,uint256)"));
    assert!(matches!(judged("many_msg_babbage(bytes1)", &["0x00"], Recover), Err(Denied::Value { .. })));
}

#[test]
fn unpausing_is_for_recovery_only() {
    for (function, arguments) in [
        ("unpause()", &[][..]),
        ("resumeMarket(address)", &[A][..]),
        ("setPaused(bool)", &["false"][..]),
        ("setMarketFrozen(address,bool)", &[A, "false"][..]),
        ("setWithdrawalsLimited(bool)", &["false"][..]),
    ] {
        assert!(matches!(judged(function, arguments, Contain), Err(Denied::Unpause { .. })), "{function}");
        assert_eq!(judged(function, arguments, Recover), Ok(()), "{function}");
    }
}

#[test]
fn pausing_is_allowed_as_custom() {
    for (function, arguments) in [
        ("setPaused(bool)", &["true"][..]),
        ("setWithdrawalsLimited(bool)", &["true"][..]),
        ("setTransferPaused(bool)", &["true"][..]),
        ("pauseMarket(address)", &[A][..]),
        ("emergencyStop()", &[][..]),
        ("execute()", &[][..]),
        ("setWithdrawalLimit(uint256)", &["0"][..]),
    ] {
        assert_eq!(judged(function, arguments, Contain), Ok(()), "{function}");
    }
}
