//! Which calls a charter may hold: the catalogue's with their pins, custom ones that are not denied, and through Zodiac
//! Roles only what would be allowed directly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::parse;
use crate::parse::tests::DRILL;

const MARKET: &str = "0x1000000000000000000000000000000000000001";
const ROLE_KEY: &str = "0x0000000000000000000000000000000000000000000000000000000000000007";

/// Kinds of the faults of the drill charter with this as its widest containing call; empty where it loads.
fn contain(function: &str, arguments: &[&str], catalogue: &str, more: &str) -> Vec<&'static str> {
    replaced(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        function,
        arguments,
        catalogue,
        more,
    )
}

fn recover(function: &str, arguments: &[&str]) -> Vec<&'static str> {
    replaced("function = \"unpause()\"\narguments = []\ncatalogue = \"recovery\"", function, arguments, "recovery", "")
}

fn replaced(old: &str, function: &str, arguments: &[&str], catalogue: &str, more: &str) -> Vec<&'static str> {
    assert!(DRILL.contains(old));
    let new = format!("function = \"{function}\"\narguments = {arguments:?}\ncatalogue = \"{catalogue}\"\n{more}");
    match parse(&DRILL.replace(old, &new)) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|fault| fault.kind).collect(),
    }
}

fn through(inner: &str, value: &str, operation: &str, reverts: &str, catalogue: &str, more: &str) -> Vec<&'static str> {
    let arguments = [MARKET, value, inner, operation, ROLE_KEY, reverts];
    contain("execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)", &arguments, catalogue, more)
}

#[test]
fn catalogue_calls_carry_their_pins() {
    assert_eq!(contain("pause()", &[], "oz-pausable.pause", ""), [""; 0]);
    assert_eq!(contain("setTargetClosed(address,bool)", &[MARKET, "true"], "oz-access-manager.close", ""), [""; 0]);
    assert_eq!(
        contain("setTargetClosed(address,bool)", &[MARKET, "false"], "oz-access-manager.close", ""),
        ["catalogue"]
    );
    let comet = "pause(bool,bool,bool,bool,bool)";
    assert_eq!(contain(comet, &["true"; 5], "compound-v3.pause", ""), [""; 0]);
    assert_eq!(contain(comet, &["true", "true", "true", "true", "false"], "compound-v3.pause", ""), ["catalogue"]);
    assert_eq!(contain("pause()", &[], "compound-v3.pause", ""), ["catalogue"]);
}

/// Calling a catalogue function `custom` does not lift its pins.
#[test]
fn custom_calls_keep_the_direction() {
    assert_eq!(contain("pause()", &[], "custom", ""), [""; 0]);
    assert_eq!(contain("setTargetClosed(address,bool)", &[MARKET, "false"], "custom", ""), ["catalogue"]);
    assert_eq!(contain("unpause()", &[], "custom", ""), ["never-signed"]);
    assert_eq!(contain("setPaused(bool)", &["false"], "custom", ""), ["never-signed"]);
    assert_eq!(contain("transfer(address,uint256)", &[MARKET, "1"], "custom", ""), ["never-signed"]);
}

#[test]
fn recovery_unpauses_and_hands_out_nothing() {
    assert_eq!(recover("unpause()", &[]), [""; 0]);
    assert_eq!(recover("setTargetClosed(address,bool)", &[MARKET, "false"]), [""; 0]);
    assert_eq!(recover("grantRole(bytes32,address)", &[ROLE_KEY, MARKET]), ["never-signed"]);
    assert_eq!(recover("upgradeTo(address)", &[MARKET]), ["never-signed"]);
}

#[test]
fn roles_are_judged_at_the_inner_call() {
    let sound = |inner: &str, catalogue: &str, more: &str| through(inner, "0", "0", "true", catalogue, more);
    assert_eq!(sound("0x8456cb59", "zodiac-roles.exec", ""), [""; 0]);
    assert_eq!(sound("0x3f4ba83a", "zodiac-roles.exec", "inner = \"unpause()\""), ["inner-call"]);
    assert_eq!(sound("0x3f4ba83a", "custom", "inner = \"unpause()\""), ["never-signed"]);
    assert_eq!(sound("0x3f4ba83a", "custom", ""), ["inner-call"], "an unknown call is not signed unseen");
    assert_eq!(
        sound("0x3f4ba83a", "custom", "inner = \"pauseMarket()\""),
        ["inner-call"],
        "a name that is not the data's"
    );
    assert_eq!(sound("0x8456cb59ff", "custom", ""), ["inner-call"], "trailing bytes");
    assert_eq!(sound("0x", "custom", ""), ["inner-call"]);
    let transfer = format!("0xa9059cbb{}", "00".repeat(64));
    assert_eq!(sound(&transfer, "custom", "inner = \"many_msg_babbage(bytes1)\""), ["never-signed"]);
    // Comet's flags inside a role: all five, and then with the last one cleared.
    let flag = |set: &str| format!("{}{set}", "0".repeat(63));
    let comet = |last: &str| format!("0x44c35d07{}{}", flag("1").repeat(4), flag(last));
    assert_eq!(sound(&comet("1"), "zodiac-roles.exec", ""), [""; 0]);
    assert_eq!(sound(&comet("0"), "zodiac-roles.exec", ""), ["catalogue"]);
    assert_eq!(sound(&comet("0"), "custom", ""), ["catalogue"]);
}

/// Against the Safe itself the same call is no containment: directly, as `custom` and inside a role.
#[test]
fn the_safe_never_disarms_itself() {
    const SAFE: &str = "0x2000000000000000000000000000000000000002";
    let revoke = "revokeRole(bytes32,address)";
    for catalogue in ["oz-access-control.revoke-role", "custom"] {
        assert_eq!(contain(revoke, &[ROLE_KEY, MARKET], catalogue, ""), [""; 0]);
        assert_eq!(contain(revoke, &[ROLE_KEY, SAFE], catalogue, ""), ["self-disarm"]);
    }
    assert_eq!(contain("removeMinter(address)", &[SAFE], "custom", ""), ["self-disarm"]);
    for verb in ["deny", "ban", "forbid", "prevent", "diss"] {
        let function = format!("{verb}(address)");
        assert_eq!(contain(&function, &[MARKET], "custom", ""), [""; 0], "{verb}");
        assert_eq!(contain(&function, &[SAFE], "custom", ""), ["self-disarm"], "{verb}");
        assert_eq!(recover(&function, &[SAFE]), ["self-disarm"], "{verb}");
    }
    assert_eq!(recover(revoke, &[ROLE_KEY, SAFE]), ["self-disarm"]);
    let inner = |address: &str| format!("0xd547741f{}{}{}", &ROLE_KEY[2..], "0".repeat(24), &address[2..]);
    assert_eq!(through(&inner(MARKET), "0", "0", "true", "zodiac-roles.exec", ""), [""; 0]);
    assert_eq!(through(&inner(SAFE), "0", "0", "true", "zodiac-roles.exec", ""), ["self-disarm"]);
}

/// What the catalogue knows may carry bytes; calling it `custom` changes nothing.
#[test]
fn catalogue_calls_may_carry_what_they_cancel() {
    let cancel = "cancel(address,address,bytes)";
    for catalogue in ["oz-access-manager.cancel", "custom"] {
        assert_eq!(contain(cancel, &[MARKET, MARKET, "0x3f4ba83a"], catalogue, ""), [""; 0]);
    }
    assert_eq!(contain("functionCall(address,bytes)", &[MARKET, "0x8456cb59"], "custom", ""), ["never-signed"]);
    assert_eq!(contain("enableWithdrawals()", &[], "custom", ""), ["never-signed"]);
}

/// No value, no delegate call, and a failing inner call reverts the whole.
#[test]
fn roles_carry_no_value_and_no_delegate_call() {
    assert_eq!(through("0x8456cb59", "1", "0", "true", "zodiac-roles.exec", ""), ["catalogue"]);
    assert_eq!(through("0x8456cb59", "0", "1", "true", "zodiac-roles.exec", ""), ["catalogue"]);
    assert_eq!(through("0x8456cb59", "0", "0", "false", "custom", ""), ["catalogue"]);
}

/// The charter with a MultiSendCallOnly on its chain.
fn pinned(source: &str) -> String {
    let pin = "stagger_ms_min = 500\nmulti_send_call_only = { address = \"0xA83c336B20401Af773B6219BA5027174338D1836\", code_hash = \"0x0707070707070707070707070707070707070707070707070707070707070707\" }\n";
    source.replace("stagger_ms_min = 500\n", pin)
}

#[test]
fn several_calls_of_a_safe_need_the_pinned_multi_send() {
    let action = &DRILL
        [DRILL.find("[[playbook.step.action]]").unwrap()..DRILL.find("[[playbook.step]]\nname = \"pause\"").unwrap()];
    let twice = DRILL.replacen(action, &format!("{action}{action}"), 1);
    assert_eq!(parse(&twice).unwrap_err()[0].kind, "no-multi-send");
    let charter = parse(&pinned(&twice)).unwrap().0;
    assert_eq!(charter.playbooks[&"contain-vault".parse().unwrap()].steps[0].actions.len(), 2);
}

/// A step that packs to more than a guardian's signature can carry would be certified and never signed.
#[test]
fn a_step_packs_into_what_can_be_signed() {
    let kinds = |calls: usize, entries: usize| {
        let list = vec![MARKET; entries].join(",");
        let seal = DRILL[DRILL.find("[[playbook.step]]\nname = \"pause\"").unwrap()..].to_owned();
        let action = &seal[seal.find("[[playbook.step.action]]").unwrap()..seal.find("[[playbook]]").unwrap()];
        let written = action
            .replace(
                "function = \"pause()\"\narguments = []",
                &format!("function = \"seal(address[])\"\narguments = [\"[{list}]\"]"),
            )
            .replace("oz-pausable.pause", "lido-gate-seal.seal");
        match parse(&pinned(&DRILL.replacen(action, &written.repeat(calls), 1))) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|fault| (fault.kind, fault.key.clone())).collect(),
        }
    };
    let too_large = vec![("step-too-large", "playbook[0].step[1]".to_owned())];
    assert_eq!(kinds(11, 90), too_large);
    // Each call: 85 bytes of frame, 4 of selector, 64 of list head, 32 an address; 68 around all of them, padded to words.
    let packed = |entries: usize| 68 + (8 * (85 + 68 + 32 * entries)).next_multiple_of(32);
    assert!(packed(90) <= 24 * 1024 && packed(91) > 24 * 1024, "{} {}", packed(90), packed(91));
    assert_eq!(kinds(8, 90), []);
    assert_eq!(kinds(8, 91), too_large);
}

/// Kinds of the warnings of the drill charter with this as its widest containing call.
fn warned(function: &str, arguments: &[&str], catalogue: &str) -> Vec<&'static str> {
    let old = "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"";
    let new = format!("function = \"{function}\"\narguments = {arguments:?}\ncatalogue = \"{catalogue}\"");
    let (_, warnings) = parse(&DRILL.replace(old, &new)).unwrap_or_else(|faults| panic!("{function}: {faults:#?}"));
    let known = ["not-bound-by-chain", "outsider-can-trigger"];
    warnings.iter().map(|warning| warning.kind).filter(|kind| !known.contains(kind)).collect()
}

/// Every call that systems in the field are paused with is accepted under its entry and, where the catalogue has none, as `custom`,
/// without a word of doubt.
#[test]
fn the_pauses_of_the_field_are_accepted() {
    let list = format!("[{MARKET}]");
    let field: &[(&str, &[&str], &str)] = &[
        ("pause()", &[], "oz-pausable.pause"),
        ("setTargetClosed(address,bool)", &[MARKET, "true"], "oz-access-manager.close"),
        ("cancel(address,address,bytes)", &[MARKET, MARKET, "0x3f4ba83a"], "oz-access-manager.cancel"),
        ("revokeRole(bytes32,address)", &[ROLE_KEY, MARKET], "oz-access-control.revoke-role"),
        ("cancel(bytes32)", &[ROLE_KEY], "oz-timelock.cancel"),
        ("setReservePause(address,bool)", &[MARKET, "true"], "aave-v3.pause-reserve"),
        ("setReservePause(address,bool,uint40)", &[MARKET, "true", "0"], "aave-v3.pause-reserve-grace"),
        ("setPoolPause(bool)", &["true"], "aave-v3.pause-pool"),
        ("setPoolPause(bool,uint40)", &["true", "0"], "aave-v3.pause-pool-grace"),
        ("setReserveFreeze(address,bool)", &[MARKET, "true"], "aave-v3.freeze-reserve"),
        ("_setMintPaused(address,bool)", &[MARKET, "true"], "compound-v2.pause-mint"),
        ("_setBorrowPaused(address,bool)", &[MARKET, "true"], "compound-v2.pause-borrow"),
        ("_setTransferPaused(bool)", &["true"], "compound-v2.pause-transfer"),
        ("_setSeizePaused(bool)", &["true"], "compound-v2.pause-seize"),
        ("pause(bool,bool,bool,bool,bool)", &["true"; 5], "compound-v3.pause"),
        ("seal(address[])", &[&list], "lido-gate-seal.seal"),
        (
            "execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)",
            &[MARKET, "0", "0x8456cb59", "0", ROLE_KEY, "true"],
            "zodiac-roles.exec",
        ),
        ("setTxNonce(uint256)", &["0"], "zodiac-delay.veto"),
        ("blacklist(address)", &[MARKET], "custom"),
        ("addBlackList(address)", &[MARKET], "custom"),
    ];
    for entry in crate::catalogue::ENTRIES {
        assert!(
            field.iter().any(|(function, _, catalogue)| (*function, *catalogue) == (entry.function, entry.id)),
            "{entry:?}"
        );
    }
    for (function, arguments, catalogue) in field {
        for catalogue in [*catalogue, "custom"] {
            assert_eq!(warned(function, arguments, catalogue), [""; 0], "{function} as {catalogue}");
        }
    }
}

/// What nothing vouches for may be the other direction: its author is told.
#[test]
fn a_direction_that_no_word_tells_is_warned_of() {
    for (function, arguments) in
        [("execute()", &[][..]), ("setStatus(uint8)", &["2"][..]), ("file(bytes32,uint256)", &[ROLE_KEY, "0"][..])]
    {
        assert_eq!(warned(function, arguments, "custom"), ["direction-not-known"], "{function}");
    }
    let inner = format!("0x{}", hex::encode(crate::call::selector("adjust()")));
    let arguments = [MARKET, "0", &inner, "0", ROLE_KEY, "true"];
    let roles = "execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)";
    let old = "arguments = []\ncatalogue = \"oz-pausable.pause\"";
    let new = format!("arguments = {arguments:?}\ninner = \"adjust()\"\ncatalogue = \"custom\"");
    let source = DRILL.replace(old, &new).replace("function = \"pause()\"", &format!("function = \"{roles}\""));
    assert!(parse(&source).unwrap().1.iter().any(|warning| warning.kind == "direction-not-known"));
}
