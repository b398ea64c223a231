//! The charter that a scenario's organisations sign up to, as TOML: the same for live drills and simulated ones.

use std::collections::BTreeSet;
use std::fmt::Write;

use alloy_primitives::Address;

use crate::safe::Safe;
use crate::scenario::{AttackKind, Governance, Mode, Scenario};

/// Playbook that the drill's people and nodes decide on.
pub(crate) const PLAYBOOK: &str = "contain-vault";
/// Playbook of the recovery, where the scenario has one.
pub(crate) const RECOVERY: &str = "recover-vault";
/// Asset that is attacked.
pub(crate) const ASSET: &str = "vault-core";
/// The step that pauses.
pub(crate) const PAUSE_STEP: u8 = 2;

/// Composes it from the printed member entries.
pub(crate) fn compose(
    scenario: &Scenario,
    members: &[String],
    safe: &Safe,
    vault: Address,
    block_time_ms: u64,
) -> String {
    let mut text = String::from("name = \"vault-core guardians\"\nversion = 1\ndrill = true\n");
    for organisation in &scenario.organisations {
        let roles: Vec<_> = organisation.roles.iter().map(|role| format!("{role:?}")).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[organisation]]\nid = \"{}\"\nname = {:?}\nroles = [{}]\n",
            organisation.id,
            organisation.name,
            roles.join(", ")
        );
    }
    for member in members {
        let _ = write!(text, "\n{}\n", member.trim());
    }
    text.push_str(&chain_and_asset(scenario, safe, vault, block_time_ms));
    text.push_str(&rules(scenario));
    text.push_str(&playbook(scenario, safe, vault));
    if scenario.governance.recovery {
        text.push_str(&recovery(safe, vault));
    }
    let mut watched = BTreeSet::new();
    for wave in scenario.attack.waves() {
        let detector = if watched.is_empty() { "vault".to_owned() } else { format!("vault-{}", watched.len() + 1) };
        if watched.insert(wave.kind) {
            text.push_str(&watch(wave.kind, vault, &detector));
        }
    }
    text
}

fn chain_and_asset(scenario: &Scenario, safe: &Safe, vault: Address, block_time_ms: u64) -> String {
    format!(
        r#"
[[chain]]
id = {chain}
name = "drill"
block_time_ms = {block_time_ms}
finality = "finalized"
gas_cap = 16777216
route = "public"
stagger_ms_min = 500
multi_send_call_only = {{ address = "{multi_send}", code_hash = "{code_hash}" }}

[[safe]]
id = "guardian-safe"
chain = {chain}
address = "{safe}"
version = "1.5.0"
threshold = {threshold}

[[asset]]
id = "{ASSET}"
name = "Core vault"
chain = {chain}
contracts = ["{vault}"]
internal = []
criticality = "critical"
rto_s = 3600
rpo_s = 60
"#,
        chain = safe.chain_id,
        multi_send = safe.multi_send_call_only,
        code_hash = safe.multi_send_code_hash,
        safe = safe.address,
        threshold = scenario.governance.safe_threshold,
    )
}

/// contain <= extend <= recover <= amend <= n - 1, recover above contain, amend above (n + contain - 1) / 2.
fn rules(scenario: &Scenario) -> String {
    let contain = scenario.governance.contain;
    let most = u16::try_from(scenario.organisations.len()).unwrap_or(u16::MAX) - 1;
    let recover = (contain + 1).min(most);
    let tune = contain.min(2);
    let operators: BTreeSet<_> = scenario.organisations.iter().map(|one| &one.operator).collect();
    let labels = u16::try_from(operators.len()).unwrap_or(u16::MAX);
    [("contain", contain), ("extend", contain), ("recover", recover), ("amend", most), ("tune", tune)]
        .map(|(name, count)| {
            let labels = count.min(labels);
            format!("\n[rules.{name}]\norganisations = {count}\noperators = {labels}\n")
        })
        .concat()
}

/// Kinds of the findings that want the pause at once.
fn urgent(scenario: &Scenario) -> String {
    let seen_by = |kind: AttackKind| match kind {
        AttackKind::Reentrancy | AttackKind::Withdrawal | AttackKind::None => None,
        AttackKind::OracleManipulation
        | AttackKind::InfiniteMint
        | AttackKind::OwnerStolen
        | AttackKind::UpgradeStolen => Some("state"),
        AttackKind::ForgedMessage => Some("event"),
    };
    let others: BTreeSet<&str> = scenario.attack.waves().filter_map(|wave| seen_by(wave.kind)).collect();
    let kinds: Vec<String> = std::iter::once("outflow").chain(others).map(|kind| format!("{kind:?}")).collect();
    kinds.join(", ")
}

fn playbook(scenario: &Scenario, safe: &Safe, vault: Address) -> String {
    let governance = &scenario.governance;
    let urgent = urgent(scenario);
    format!(
        r#"
[[playbook]]
id = "{PLAYBOOK}"
asset = "{ASSET}"
purpose = "contain"
mode = "{mode}"
expiry_s = {expiry}
cooldown_s = {cooldown}
{budget}escalate_after_blocks = 3

[[playbook.trigger]]
kinds = ["outflow"]
severity = "SEV2"
step = 1

[[playbook.trigger]]
kinds = [{urgent}]
severity = "SEV1"
step = {PAUSE_STEP}

[[playbook.step]]
name = "limit withdrawals"

{limit}
[[playbook.step]]
name = "pause"
{limits}
[[playbook.step.action]]
chain = {chain}
safe = "guardian-safe"
target = "{vault}"
function = "pause()"
arguments = []
catalogue = "oz-pausable.pause"
postcondition = {{ call = "paused() returns (bool)", arguments = [], equals = "true" }}
stays = []

[[detector]]
id = "vault-outflow-high"
asset = "{ASSET}"
severity = "SEV2"
kind = "outflow"
window_s = {window}
limit = "{flag}"

[[detector]]
id = "vault-outflow-critical"
asset = "{ASSET}"
severity = "SEV1"
kind = "outflow"
window_s = {window}
limit = "{pause}"
"#,
        limits = if governance.pause_limits { limit_action(safe, vault) } else { String::new() },
        limit = limit_action(safe, vault),
        mode = mode(governance),
        expiry = governance.expiry_s,
        cooldown = governance.cooldown_s,
        budget = budget(governance),
        chain = safe.chain_id,
        window = governance.window_s,
        flag = governance.flag_above_wei,
        pause = governance.pause_above_wei,
    )
}

const fn mode(governance: &Governance) -> &'static str {
    match governance.mode {
        Mode::Auto => "auto",
        Mode::Propose => "propose",
    }
}

fn budget(governance: &Governance) -> String {
    let budget =
        governance.budget.map(|(count, window_s)| format!("budget = {{ count = {count}, window_s = {window_s} }}\n"));
    budget.unwrap_or_default()
}

/// A second asset, contained through the same Safe, with a ladder of one step.
pub(crate) fn twin(scenario: &Scenario, safe: &Safe, twin: Address) -> String {
    format!(
        r#"
[[asset]]
id = "vault-twin"
name = "Second vault"
chain = {chain}
contracts = ["{twin}"]
internal = []
criticality = "high"
rto_s = 3600
rpo_s = 60

[[playbook]]
id = "contain-twin"
asset = "vault-twin"
purpose = "contain"
mode = "auto"
expiry_s = {expiry}
cooldown_s = 0

[[playbook.trigger]]
kinds = ["outflow"]
severity = "SEV1"
step = 1

[[playbook.step]]
name = "pause"

[[playbook.step.action]]
chain = {chain}
safe = "guardian-safe"
target = "{twin}"
function = "pause()"
arguments = []
catalogue = "oz-pausable.pause"
postcondition = {{ call = "paused() returns (bool)", arguments = [], equals = "true" }}
stays = []

[[detector]]
id = "twin-outflow-critical"
asset = "vault-twin"
severity = "SEV1"
kind = "outflow"
window_s = {window}
limit = "{pause}"
"#,
        chain = safe.chain_id,
        expiry = scenario.governance.expiry_s,
        window = scenario.governance.window_s,
        pause = scenario.governance.pause_above_wei,
    )
}

/// The call that caps withdrawals.
fn limit_action(safe: &Safe, vault: Address) -> String {
    format!(
        r#"
[[playbook.step.action]]
chain = {chain}
safe = "guardian-safe"
target = "{vault}"
function = "setWithdrawalsLimited(bool)"
arguments = ["true"]
catalogue = "custom"
postcondition = {{ call = "withdrawalsLimited() returns (bool)", arguments = [], equals = "true" }}
stays = []
"#,
        chain = safe.chain_id,
    )
}

/// Recovery, decided by people alone.
fn recovery(safe: &Safe, vault: Address) -> String {
    format!(
        r#"
[[playbook]]
id = "{RECOVERY}"
asset = "{ASSET}"
purpose = "recover"
mode = "propose"
expiry_s = 600
cooldown_s = 0

[[playbook.step]]
name = "unpause"

[[playbook.step.action]]
chain = {chain}
safe = "guardian-safe"
target = "{vault}"
function = "unpause()"
arguments = []
catalogue = "recovery"
postcondition = {{ call = "paused() returns (bool)", arguments = [], equals = "false" }}
stays = []
"#,
        chain = safe.chain_id,
    )
}

/// What sees what an attack touches before the coin moves; `name` begins the detector's.
fn watch(attack: AttackKind, vault: Address, name: &str) -> String {
    let state = |call: &str, expect: &str| {
        format!(
            r#"
[[detector]]
id = "{name}-state"
asset = "{ASSET}"
severity = "SEV1"
kind = "state"
what = "call"
call = "{call}"
arguments = []
target = "{vault}"
{expect}
stands_s = 60
"#
        )
    };
    match attack {
        AttackKind::Reentrancy | AttackKind::Withdrawal | AttackKind::None => String::new(),
        AttackKind::OwnerStolen => state("owner() returns (address)", "unchanged = true"),
        AttackKind::UpgradeStolen => state("implementation() returns (address)", "unchanged = true"),
        AttackKind::OracleManipulation => state("price() returns (uint256)", "min = \"900\"\nmax = \"1100\""),
        AttackKind::InfiniteMint => state("totalSupply() returns (uint256)", "max = \"1000000\""),
        AttackKind::ForgedMessage => format!(
            r#"
[[detector]]
id = "{name}-message"
asset = "{ASSET}"
severity = "SEV1"
kind = "event"
address = "{vault}"
event = "Released(bytes32)"
stands_s = 60
"#
        ),
    }
}
