//! Faults of playbooks and of detectors.

use alloy_primitives::I256;

use super::super::DRILL;
use super::{Case, case, check};
use crate::model::{StateExpectation, Watch};
use crate::parse;

pub(super) const PLAYBOOKS: &[Case] = &[
    case(
        "block_time_ms = 1000",
        0,
        "block_time_ms = 60000",
        "expiry-too-short",
        "playbook[0].expiry_s",
        "expiry_s = 120",
    ),
    case(
        "asset = \"vault-core\"\npurpose",
        0,
        "asset = \"vault\"\npurpose",
        "unknown-reference",
        "playbook[0].asset",
        "asset",
    ),
    case("purpose = \"contain\"", 0, "purpose = \"relax\"", "malformed", "playbook[0].purpose", "purpose"),
    case("mode = \"propose\"", 0, "mode = \"auto\"", "recover-auto", "playbook[1].mode", "mode"),
    case("expiry_s = 120", 0, "expiry_s = 1", "out-of-bounds", "playbook[0].expiry_s", "expiry_s"),
    case("expiry_s = 120", 0, "expiry_s = 99999999999999999999", "out-of-bounds", "playbook[0].expiry_s", "expiry_s"),
    case(
        "cooldown_s = 0",
        0,
        "budget = { count = 0, window_s = 10 }",
        "out-of-bounds",
        "playbook[0].budget.count",
        "budget",
    ),
    case(
        "kinds = [\"outflow\", \"event\"]",
        0,
        "kinds = [\"outflwo\"]",
        "unknown-kind",
        "playbook[0].trigger[0].kinds[0]",
        "kinds",
    ),
    case(
        "kinds = [\"outflow\", \"event\"]",
        0,
        "detectors = [\"nope\"]",
        "unknown-reference",
        "playbook[0].trigger[0].detectors[0]",
        "detectors",
    ),
    case(
        "[[playbook.step]]\nname = \"unpause\"",
        0,
        "[[playbook.trigger]]\nkinds = [\"outflow\"]\nseverity = \"SEV1\"\nstep = 1\n[[playbook.step]]\nname = \"unpause\"",
        "recover-trigger",
        "playbook[1].trigger[0]",
        "[[playbook.trigger]]",
    ),
    case("step = 2", 0, "step = 3", "out-of-bounds", "playbook[0].trigger[1].step", "step"),
    case(
        "severity = \"SEV2\"\nstep",
        0,
        "severity = \"SEV9\"\nstep",
        "malformed",
        "playbook[0].trigger[0].severity",
        "severity",
    ),
    case(
        "target = \"0x1000000000000000000000000000000000000001\"",
        0,
        "target = \"0x2000000000000000000000000000000000000002\"",
        "safe-target",
        "playbook[0].step[0].action[0].target",
        "target",
    ),
    case(
        "catalogue = \"oz-pausable.pause\"",
        0,
        "catalogue = \"oz-pausable.stop\"",
        "catalogue",
        "playbook[0].step[1].action[0].catalogue",
        "catalogue",
    ),
    case(
        "catalogue = \"oz-pausable.pause\"",
        0,
        "catalogue = \"recovery\"",
        "catalogue",
        "playbook[0].step[1].action[0].catalogue",
        "catalogue",
    ),
    case(
        "catalogue = \"recovery\"",
        0,
        "catalogue = \"custom\"",
        "catalogue",
        "playbook[1].step[0].action[0].catalogue",
        "catalogue",
    ),
    case(
        "function = \"pause()\"",
        0,
        "function = \"stop()\"",
        "catalogue",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"",
        0,
        "function = \"pause\"",
        "bad-call",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"",
        0,
        "function = \"pause(foo)\"",
        "bad-call",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"",
        0,
        "value = 1\nfunction = \"pause()\"",
        "unknown-key",
        "playbook[0].step[1].action[0].value",
        "value",
    ),
    case(
        "arguments = [\"true\"]",
        0,
        "arguments = [true]",
        "wrong-type",
        "playbook[0].step[0].action[0].arguments[0]",
        "arguments",
    ),
    case(
        "catalogue = \"oz-pausable.pause\"\npostcondition",
        0,
        "catalogue = \"oz-pausable.pause\"\n# postcondition",
        "missing",
        "playbook[0].step[1].action[0].postcondition",
        "",
    ),
    case(
        "paused() returns (bool)",
        0,
        "paused()",
        "no-result",
        "playbook[0].step[1].action[0].postcondition.call",
        "postcondition",
    ),
    case(
        "paused() returns (bool)\", arguments = [], equals = \"true\"",
        0,
        "paused() returns (bool)\", arguments = [], equals = \"1\"",
        "bad-call",
        "playbook[0].step[1].action[0].postcondition.equals",
        "postcondition",
    ),
    case(
        "paused() returns (bool)\", arguments = [], equals = \"true\"",
        0,
        "paused() returns (bool)\", arguments = [], equals = \"false\"",
        "inverted-postcondition",
        "playbook[0].step[1].action[0].postcondition",
        "postcondition",
    ),
    case(
        "paused() returns (bool)\", arguments = [], equals = \"true\"",
        0,
        "isActive() returns (bool)\", arguments = [], equals = \"true\"",
        "inverted-postcondition",
        "playbook[0].step[1].action[0].postcondition",
        "postcondition",
    ),
    case(
        "arguments = [\"true\"]",
        0,
        "arguments = [\"maybe\"]",
        "bad-call",
        "playbook[0].step[0].action[0].arguments[0]",
        "maybe",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"setTargetClosed(address,bool)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n  \"false\",\n]\ncatalogue = \"oz-access-manager.close\"",
        "catalogue",
        "playbook[0].step[1].action[0].arguments[1]",
        "false",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"setTargetClosed(address,bool)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n  \"false\",\n]\ncatalogue = \"custom\"",
        "catalogue",
        "playbook[0].step[1].action[0].arguments[1]",
        "false",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"setTargetClosed(address,bool)\"\narguments = [\n  \"0x19e7E376E7C213B7E7e7e46cc70A5dD086DAff2A\",\n  \"true\",\n]\ncatalogue = \"oz-access-manager.close\"",
        "bad-call",
        "playbook[0].step[1].action[0].arguments[0]",
        "0x19e7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"setTargetClosed(address,bool)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n]\ncatalogue = \"oz-access-manager.close\"",
        "bad-call",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"transfer(address,uint256)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n  \"1\",\n]\ncatalogue = \"custom\"",
        "never-signed",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"unpause()\"\narguments = [\n]\ncatalogue = \"custom\"",
        "never-signed",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"revokeRole(bytes32,address)\"\narguments = [\n  \"0x0000000000000000000000000000000000000000000000000000000000000007\",\n  \"0x2000000000000000000000000000000000000002\",\n]\ncatalogue = \"oz-access-control.revoke-role\"",
        "self-disarm",
        "playbook[0].step[1].action[0].function",
        "function",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n  \"0\",\n  \"0x3f4ba83a\",\n  \"0\",\n  \"0x0000000000000000000000000000000000000000000000000000000000000007\",\n  \"true\",\n]\ncatalogue = \"custom\"",
        "inner-call",
        "playbook[0].step[1].action[0].arguments[2]",
        "0x3f4ba83a",
    ),
    case(
        "function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"",
        0,
        "function = \"execTransactionWithRole(address,uint256,bytes,uint8,bytes32,bool)\"\narguments = [\n  \"0x1000000000000000000000000000000000000001\",\n  \"1\",\n  \"0x8456cb59\",\n  \"0\",\n  \"0x0000000000000000000000000000000000000000000000000000000000000007\",\n  \"true\",\n]\ncatalogue = \"zodiac-roles.exec\"",
        "catalogue",
        "playbook[0].step[1].action[0].arguments[1]",
        "\"1\"",
    ),
];

#[test]
fn faults_of_playbooks() {
    for case in PLAYBOOKS.iter().filter(|case| case.kind != "missing") {
        check(case);
    }
}

const DETECTORS: &[Case] = &[
    case("kind = \"outflow\"", 0, "kind = \"inflow\"", "unknown-kind", "detector[0].kind", "kind"),
    case("limit = \"25000000000000000000\"", 0, "limit = \"25 ether\"", "malformed", "detector[0].limit", "limit"),
    case("limit = \"25000000000000000000\"", 0, "limit = \"0\"", "out-of-bounds", "detector[0].limit", "limit"),
    case(
        "limit = \"25000000000000000000\"",
        0,
        "share_bps = 10001",
        "out-of-bounds",
        "detector[0].share_bps",
        "share_bps",
    ),
    case("window_s = 60", 0, "window_s = 0", "out-of-bounds", "detector[0].window_s", "window_s"),
    case("what = \"owner\"", 0, "what = \"mood\"", "unknown-kind", "detector[2].what", "what"),
    case("unchanged = true", 0, "unchanged = false", "malformed", "detector[2].unchanged", "unchanged"),
    case("unchanged = true", 0, "equals = \"0x5afe\"", "bad-call", "detector[2].equals", "equals"),
    case("unchanged = true", 0, "unchanged = true\nresult = 1", "unknown-key", "detector[2].result", "result"),
    case("event = \"Unpaused(address)\"", 0, "event = \"Unpaused(foo)\"", "bad-event", "detector[3].event", "event"),
    case(
        "event = \"Unpaused(address)\"",
        0,
        "event = \"Unpaused(address)\"\ntopics = { 4 = \"0x00\" }",
        "malformed",
        "detector[3].topics.4",
        "topics",
    ),
];

#[test]
fn faults_of_detectors() {
    DETECTORS.iter().for_each(check);
}

/// The expectation of the drill charter's state detector when it watches this call so, or the kinds of its faults.
fn measured(call: &str, bounds: &str) -> Result<StateExpectation, Vec<&'static str>> {
    let watched = format!("what = \"call\"\ncall = \"{call}\"\n{bounds}");
    let source = DRILL.replace("what = \"owner\"", &watched).replace("unchanged = true\n", "");
    let (charter, _) = parse(&source).map_err(|faults| faults.iter().map(|fault| fault.kind).collect::<Vec<_>>())?;
    match &charter.detectors[&"vault-owner".parse().unwrap()].watch {
        Watch::State { expect, .. } => Ok(expect.clone()),
        other => panic!("{other:?}"),
    }
}

/// Bounds measure any number of a view's answer: signed ones, and one of several results.
#[test]
fn bounds_of_any_number() {
    let signed = |number: i64| Some(I256::try_from(number).unwrap().into_raw());
    let price = "latestAnswer() returns (int256)";
    let round = "latestRoundData() returns (uint80,int256,uint256,uint256,uint80)";
    let number = |word, signed, min, max| Ok(StateExpectation::Number { word, signed, min, max });
    assert_eq!(measured(price, "min = \"-5\"\nmax = \"7\""), number(0, true, signed(-5), signed(7)));
    assert_eq!(measured(round, "result = 2\nmin = \"1\""), number(1, true, signed(1), None));
    assert_eq!(measured(round, "result = 4\nmin = \"1\""), number(3, false, signed(1), None));
    let mixed = "f() returns (string,(uint8,bool[2]),uint256[],int8)";
    assert_eq!(measured(mixed, "result = 4\nmax = \"-1\""), number(5, true, None, signed(-1)));
    let one = "supply() returns (uint256)";
    let plain = Ok(StateExpectation::Within { min: signed(1), max: None });
    assert_eq!(measured(one, "min = \"1\""), plain);
    assert_eq!(measured(one, "result = 1\nmin = \"1\""), plain, "the same rule has the same digest");

    assert_eq!(measured(round, "min = \"1\""), Err(vec!["not-a-number"]));
    assert_eq!(measured(round, "result = 6\nmin = \"1\""), Err(vec!["out-of-bounds"]));
    assert_eq!(measured(mixed, "result = 1\nmin = \"1\""), Err(vec!["not-a-number"]));
    assert_eq!(measured(price, "min = \"7\"\nmax = \"-5\""), Err(vec!["out-of-bounds"]));
    assert_eq!(measured(price, "min = \"1 ether\""), Err(vec!["malformed"]));
    assert_eq!(measured("f() returns (int8)", "min = \"-129\""), Err(vec!["malformed"]));
    assert_eq!(measured(one, "min = \"-1\""), Err(vec!["malformed"]));
}
