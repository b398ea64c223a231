//! Who can set an automatic pause off for money, and what the charter's author is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::fault::Warning;
use crate::parse::parse;
use crate::parse::tests::DRILL;

fn warned(source: &str) -> Option<Warning> {
    let (_, warnings) = parse(source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    warnings.into_iter().find(|warning| warning.kind == "outsider-can-trigger")
}

/// The warning names each such rule with its reason, at the playbook.
#[test]
fn an_automatic_pause_for_the_price_of_a_withdrawal_is_warned_of() {
    let warning = warned(DRILL).unwrap();
    assert_eq!(warning.key, "playbook[0].id");
    assert_eq!(
        warning.message,
        "anybody can set contain-vault off alone, with funds of their own, by vault-outflow (an outflow above an absolute \
         amount), vault-outflow-early (an outflow above an absolute amount), vault-unpaused (an event)"
    );
    assert!(warning.remedy.contains("two independent kinds"), "{}", warning.remedy);
}

/// It goes where people decide, where the rules only give context, and where authority changed.
#[test]
fn what_money_alone_does_not_cause_is_not_warned_of() {
    assert!(warned(&DRILL.replacen("mode = \"auto\"", "mode = \"propose\"", 1)).is_none());
    let context = DRILL
        .replace("kind = \"outflow\"\n", "kind = \"outflow\"\nclass = \"context\"\n")
        .replace("kind = \"event\"\n", "kind = \"event\"\nclass = \"context\"\n");
    assert!(warned(&context).is_none());
    let shares = DRILL
        .replace("limit = \"25000000000000000000\"", "share_bps = 500")
        .replace("limit = \"5000000000000000000\"", "share_bps = 100");
    let message = warned(&shares.replace("Unpaused(address)", "Upgraded(address)")).unwrap().message.clone();
    assert!(message.contains("by vault-outflow (an outflow of a share, where as much was put in before)"), "{message}");
    assert!(!message.contains("vault-unpaused"), "{message}");
}

/// The warning's message with this rule, which votes alone.
fn rule(text: &str) -> String {
    let head = "[[detector]]\nid = \"one\"\nasset = \"vault-core\"\nkind = ";
    let trigger = "[[playbook.trigger]]\ndetectors = [\"one\"]\nseverity = \"SEV2\"\nstep = 1\n";
    let source = DRILL.replacen("[[playbook.trigger]]", &format!("{trigger}[[playbook.trigger]]"), 1);
    warned(&format!("{source}\n{head}{text}")).map_or_else(String::new, |warning| warning.message.clone())
}

/// What a gift breaks, and a deposit mints, an outsider causes; what a gift only mends, or authority alone does, not.
#[test]
fn gifts_and_deposits_are_warned_of() {
    let held = |compare: &str| {
        let left = "{ target = \"0x0101010101010101010101010101010101010101\", call = \"debt() returns (uint256)\" }";
        let sides = format!("left = {left}\ncompare = \"{compare}\"\nright = {{ held = \"native\" }}");
        rule(&format!("\"invariant\"\nseverity = \"SEV1\"\n{sides}\n"))
    };
    for (compare, warns) in [(">=", true), ("=", true), ("<=", false)] {
        let message = held(compare);
        assert_eq!(message.contains("one (a gift to a balance that it compares)"), warns, "{compare}: {message}");
    }
    for (mints, warns) in [(true, true), (false, false)] {
        let message = rule(&format!("\"authority\"\nseverity = \"SEV1\"\nstands_s = 60\nmints = {mints}\n"));
        assert_eq!(message.contains("one (a transfer from nobody, where a deposit mints)"), warns, "{message}");
    }
}

/// A view that anybody moves by a gift or a trade, whatever is expected of it; one that authority alone moves is not for sale.
#[test]
fn views_that_money_moves_are_warned_of() {
    let account = "arguments = [\"0x0101010101010101010101010101010101010101\"]";
    let balance = format!("call = \"balanceOf(address) returns (uint256)\"\n{account}");
    let reserves = "call = \"getReserves() returns (uint112,uint112,uint32)\"";
    let owner = "call = \"owner() returns (address)\"";
    let threshold = "call = \"getThreshold() returns (uint256)\"";
    let (gift, trade) = ("a gift to a balance that it reads", "a view that a trade or a deposit moves");
    for (call, expected, reason) in [
        (&*balance, "unchanged = true", gift),
        (&balance, "equals = \"5\"", gift),
        (&balance, "min = \"5\"", gift),
        (reserves, "result = 1\nmin = \"5\"", trade),
        (reserves, "result = 2\nmax = \"5\"", trade),
        (reserves, "unchanged = true", trade),
        ("call = \"myOwnView() returns (uint256)\"", "max = \"5\"", trade),
        ("call = \"myOwnView() returns (uint256)\"", "unchanged = true", ""),
        (owner, "unchanged = true", ""),
        (threshold, "min = \"2\"", ""),
    ] {
        let target = "target = \"0x0202020202020202020202020202020202020202\"\nstands_s = 60";
        let message = rule(&format!("\"state\"\nseverity = \"SEV1\"\nwhat = \"call\"\n{call}\n{expected}\n{target}\n"));
        let said =
            if reason.is_empty() { !message.contains("one (") } else { message.contains(&format!("one ({reason})")) };
        assert!(said, "{call} {expected}: {message}");
    }
    let left =
        format!("{{ target = \"0x0202020202020202020202020202020202020202\", {} }}", balance.replace('\n', ", "));
    let right = "{ target = \"0x0101010101010101010101010101010101010101\", call = \"debt() returns (uint256)\" }";
    for (compare, warns) in [("<=", true), ("=", true), (">=", false)] {
        let sides = format!("left = {left}\ncompare = \"{compare}\"\nright = {right}");
        let message = rule(&format!("\"invariant\"\nseverity = \"SEV1\"\n{sides}\n"));
        assert_eq!(message.contains("one (a gift to a balance that it compares)"), warns, "{compare}: {message}");
    }
}

/// A contract that takes any call, or a role given up by one who lacks it, answers success to strangers.
#[test]
fn calls_of_listed_functions_are_warned_of() {
    let authority = |functions: &str| {
        rule(&format!("\"authority\"\nseverity = \"SEV1\"\nstands_s = 60\nfunctions = [{functions}]\n"))
    };
    let message = authority("\"renounceRole(bytes32,address)\"");
    assert!(message.contains("one (a call of a listed function, which may succeed and do nothing)"), "{message}");
    assert!(!authority("").contains("one ("));
}

/// Two kinds of which money buys one are no outsider's; two that it buys both are.
#[test]
fn two_kinds_of_which_money_buys_one_are_not_warned_of() {
    let sole = DRILL.replacen(
        "[[playbook.trigger]]\nkinds = [\"outflow\", \"event\"]\nseverity = \"SEV2\"\nstep = 1\n",
        "",
        1,
    );
    assert_ne!(sole, DRILL);
    let together = |kinds: &str| {
        let both = format!("kinds = [{kinds}]\ntogether = 2\nwithin_s = 600");
        sole.replacen("kinds = [\"outflow\", \"state\", \"containment-failed\"]", &both, 1)
            .replace("severity = \"SEV2\"", "severity = \"SEV1\"")
    };
    assert!(warned(&sole).is_some());
    assert!(warned(&together("\"outflow\", \"state\"")).is_none(), "state changes by authority alone");
    assert!(warned(&together("\"outflow\", \"event\"")).unwrap().message.contains("vault-outflow"));
}
