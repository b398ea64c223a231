//! Faults of playbooks and of detectors.

use super::{Case, case, check};

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
