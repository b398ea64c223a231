//! What is never signed is refused under its name, under an overload and under a name that only shares the selector.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Denied, SIGNATURES, is_known_restraint, judge};
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

const MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
const WORD: &str = "0x0000000000000000000000000000000000000000000000000000000000000007";
const PAIR: &str = "(0x1000000000000000000000000000000000000001,0x8456cb59)";

/// A project's own names for what is never signed, wherever in the name the word stands: refused in both kinds of playbook.
#[test]
fn powers_are_refused_under_any_name() {
    let refused: &[(&str, &[&str])] = &[
        ("addOwner(address)", &[A]),
        ("addMinter(address)", &[A]),
        ("setVaultOwner(address)", &[A]),
        ("setNFTOwner(address)", &[A]),
        ("setvaultowner(address)", &[A]),
        ("set_vault_owner(address)", &[A]),
        ("setGovernance(address)", &[A]),
        ("nominateNewOwner(address)", &[A]),
        ("claimOwnership()", &[]),
        ("removeOwner(address)", &[A]),
        ("setPauseAdmin(address)", &[A]),
        ("setPauseGuardian(address)", &[A]),
        ("setMintLimitAdmin(address)", &[A]),
        ("setMinterCap(address,uint256)", &[A, "1"]),
        ("setOperator(address)", &[A]),
        ("setTreasury(address)", &[A]),
        ("enableModule(address)", &[A]),
        ("emergencyTransfer(address,uint256)", &[A, "1"]),
        ("emergencyWithdraw()", &[]),
        ("emergencyExit()", &[]),
        ("pauseAndTransfer(address)", &[A]),
        ("blockedTransfer(address,uint256)", &[A, "1"]),
        ("adminWithdraw(uint256)", &["1"]),
        ("withDraw(uint256)", &["1"]),
        ("vaultSweep()", &[]),
        ("skim(address)", &[A]),
        ("drainAll()", &[]),
        ("recoverERC20(address)", &[A]),
        ("removeLiquidity(uint256)", &["1"]),
        ("releaseFunds()", &[]),
        ("moveFunds(address)", &[A]),
        ("evacuate(address)", &[A]),
        ("setBeacon(address)", &[A]),
        ("proposeUpgrade(address)", &[A]),
        ("changeImplementation(address)", &[A]),
        ("kill()", &[]),
        ("functionCall(address,bytes)", &[A, "0x8456cb59"]),
        ("proxy(address,uint256,bytes)", &[A, "0", "0x8456cb59"]),
        ("batch((address,bytes)[])", &[&format!("[{PAIR}]")]),
        ("pauseAll((address,bytes))", &[PAIR]),
        ("pauseMany(bytes[])", &["[0x8456cb59]"]),
        ("submitTransaction(address,uint256,bytes)", &[A, "0", "0x8456cb59"]),
        ("executeProposal(uint256)", &["1"]),
        ("rely(address)", &[A]),
        ("hope(address)", &[A]),
        ("kiss(address)", &[A]),
        ("kiss(address[])", &["[0x1000000000000000000000000000000000000001]"]),
        ("setKeeper(address)", &[A]),
        ("setKeeper(address,bool)", &[A, "true"]),
        ("addValidator(address)", &[A]),
        ("setRouter(address)", &[A]),
        ("setStrategy(address)", &[A]),
        ("setPriceFeed(address,address)", &[A, A]),
        ("file(bytes32,address)", &[WORD, A]),
        ("file(bytes32,bytes32,address)", &[WORD, WORD, A]),
        ("forward(bytes)", &["0x8456cb59"]),
        ("run(bytes)", &["0x8456cb59"]),
        ("run(uint256,bytes)", &["1", "0x8456cb59"]),
    ];
    let accepted = refused.iter().flat_map(|(function, arguments)| {
        [Contain, Recover]
            .into_iter()
            .filter(|purpose| judged(function, arguments, *purpose).is_ok())
            .map(|p| (*function, p))
    });
    assert_eq!(accepted.collect::<Vec<_>>(), []);
}

/// Release under other names, by a flag, by a bound that is none, or by undoing a restraint: for recovery only.
#[test]
fn releases_are_for_recovery_only() {
    let releases: &[(&str, &[&str])] = &[
        ("enableWithdrawals()", &[]),
        ("setWithdrawalsEnabled(bool)", &["true"]),
        ("setTransfersAllowed(bool)", &["true"]),
        ("disableWithdrawals(bool)", &["false"]),
        ("setMarketsPaused(address[],bool[])", &["[0x1000000000000000000000000000000000000001]", "[false]"]),
        ("setWithdrawLimit(uint256)", &[MAX]),
        ("setWithdrawLimit(uint128)", &["340282366920938463463374607431768211455"]),
        ("setMintCap(uint256)", &["340282366920938463463374607431768211455"]),
        ("setMaxWithdrawal(uint64)", &["18446744073709551615"]),
        ("removeWithdrawalLimit()", &[]),
        ("raiseLimit(uint256)", &["7"]),
        ("increaseWithdrawalCap(uint256)", &["7"]),
        ("disablePause()", &[]),
        ("togglePause()", &[]),
        ("unblacklist(address)", &[A]),
        ("removeFromBlacklist(address)", &[A]),
        ("addToWhitelist(address)", &[A]),
        ("deactivateShutdown()", &[]),
        ("setPaused(uint8)", &["0"]),
        ("setPause(uint8)", &["0"]),
        ("setMarketPaused(address,uint8)", &[A, "0"]),
        ("setPaused(int8)", &["0"]),
        ("setMarketOpen(uint8)", &["1"]),
        ("pauseMarket(uint256)", &["0"]),
        ("thaw()", &[]),
        ("unstop()", &[]),
        ("unsuspendMarket(address)", &[A]),
        ("setLive(bool)", &["true"]),
        ("setLive(uint256)", &["1"]),
        ("togglePause(uint256)", &["1"]),
        ("openMarket(uint256)", &["0"]),
        ("removeFromBlackList(address)", &[A]),
    ];
    for (function, arguments) in releases {
        assert!(matches!(judged(function, arguments, Contain), Err(Denied::Unpause { .. })), "{function}");
        assert_eq!(judged(function, arguments, Recover), Ok(()), "{function}");
    }
    assert!(judged("pauseWithdrawals(uint256)", &["0"], Contain).is_err(), "0 may well mean false");
    assert!(judged("revokePauser(address)", &[A], Contain).is_err(), "nobody is left to pause");
}

/// What plainly stops a power may name it.
#[test]
fn restraints_may_name_what_they_stop() {
    let restraints: &[(&str, &[&str])] = &[
        ("setDepositsPaused(bool)", &["true"]),
        ("setWithdrawalsEnabled(bool)", &["false"]),
        ("enableWithdrawals(bool)", &["false"]),
        ("disableWithdrawals()", &[]),
        ("pauseWithdrawals()", &[]),
        ("emergencyPauseWithdrawals()", &[]),
        ("guardianPause()", &[]),
        ("adminFreeze(address)", &[A]),
        ("freezeTransfers()", &[]),
        ("stopMinting()", &[]),
        ("pauseGovernance()", &[]),
        ("disableUpgrades()", &[]),
        ("revokeMinter(address)", &[A]),
        ("removeMinter(address)", &[A]),
        ("revokeAdmin(address)", &[A]),
        ("revokeRole(uint64,address)", &["7", A]),
        ("cancelWithdrawal(uint256)", &["7"]),
        ("setMinterCap(address,uint256)", &[A, "0"]),
        ("setWithdrawLimit(uint256)", &["0"]),
        ("pauseOffRamp(address)", &[A]),
        ("pauseOpenInterest()", &[]),
        ("decreaseMintCap(uint256)", &["1"]),
        ("setPausedUntil(uint256)", &[MAX]),
        ("pauseFor(uint256)", &[MAX]),
        ("enableCircuitBreaker()", &[]),
        ("activateShutdown()", &[]),
        ("removeFromWhitelist(address)", &[A]),
        ("blacklist(address)", &[A]),
        ("kill_me()", &[]),
        ("setSupplyCap(address,uint256)", &[A, "0"]),
        ("setPaused(uint8)", &["1"]),
        ("setPause(uint256)", &["1"]),
        ("setMarketOpen(uint8)", &["0"]),
        ("setLive(bool)", &["false"]),
        ("pauseMarket(uint256)", &["7"]),
        ("pauseMarket(uint256)", &["1"]),
        ("cancelWithdrawal(uint256)", &["0"]),
        ("pauseStrategy(address)", &[A]),
        ("revokeStrategy(address)", &[A]),
        ("setStrategyPaused(address,bool)", &[A, "true"]),
        ("shutdownStrategy(address)", &[A]),
        ("deny(address)", &[A]),
        ("forbid(address)", &[A]),
        ("addBlackList(address)", &[A]),
        ("addToDenyList(address)", &[A]),
        ("cage()", &[]),
    ];
    for (function, arguments) in restraints {
        assert_eq!(judged(function, arguments, Contain), Ok(()), "{function}");
        let call = Signature::parse(function).unwrap();
        let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        assert!(is_known_restraint(&call, &call.arguments(&texts).unwrap()), "{function}: direction not known");
    }
}

#[test]
fn what_undoes_a_restraint_in_the_end_releases() {
    let releases: &[(&str, &[&str])] = &[
        ("setNotPaused(bool)", &["true"]),
        ("pauseOff()", &[]),
        ("setPausedFalse()", &[]),
        ("lockOpen()", &[]),
        ("noPause()", &[]),
    ];
    for (function, arguments) in releases {
        assert!(judged(function, arguments, Contain).is_err(), "{function}");
    }
}

#[test]
fn a_bound_of_some_amount_tells_no_direction() {
    for (function, arguments) in [
        ("setWithdrawLimit(uint256)", &["1000000000000000000000000"][..]),
        ("setWithdrawalCap(uint256)", &["99999999999999999999999999"]),
    ] {
        assert_eq!(judged(function, arguments, Contain), Ok(()), "{function}");
        let call = Signature::parse(function).unwrap();
        let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        assert!(!is_known_restraint(&call, &call.arguments(&texts).unwrap()), "{function}");
    }
}
