//! A chain that agrees with the drill charter yields no fault, and every disagreement yields the fact that names it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, address, keccak256};
use proptest::prelude::*;
use watchfire_types::{Bytes, ChainId, Read, ReadOutcome};

use super::{
    FALLBACK_HANDLER_SLOT, Fact, FactSeverity, GUARD_SLOT, MODULE_GUARD_SLOT, SINGLETON_SLOT, call, changes, judge,
    reads,
};
use crate::model::Charter;
use crate::parse;
use crate::parse::tests::DRILL;

const CHAIN: ChainId = ChainId::new(31337);
const SAFE: Address = address!("2000000000000000000000000000000000000002");
const VAULT: Address = address!("1000000000000000000000000000000000000001");
const STRANGER: Address = address!("00000000000000000000000000000000DeaDBeef");

type Chain = BTreeMap<Read, ReadOutcome>;

fn value(value: &DynSolValue) -> ReadOutcome {
    ReadOutcome::Value(value.abi_encode().into())
}

fn word(number: U256) -> ReadOutcome {
    ReadOutcome::Value(number.to_be_bytes_vec().into())
}

fn holds(account: Address) -> ReadOutcome {
    ReadOutcome::Value(account.into_word().to_vec().into())
}

fn list(addresses: impl IntoIterator<Item = Address>) -> DynSolValue {
    DynSolValue::Array(addresses.into_iter().map(DynSolValue::Address).collect())
}

fn modules_read() -> Read {
    let words = [B256::from(U256::from(1)), B256::from(U256::from(50))];
    call(SAFE, "getModulesPaginated(address,uint256)", &words)
}

fn page(modules: &[Address], next: Address) -> ReadOutcome {
    let page = DynSolValue::Tuple(vec![list(modules.iter().copied()), DynSolValue::Address(next)]);
    ReadOutcome::Value(page.abi_encode_params().into())
}

fn owners_read() -> Read {
    call(SAFE, "getOwners()", &[])
}

fn slot(slot: B256) -> Read {
    Read::Storage { account: SAFE, slot }
}

/// A chain that is as the charter says.
fn sound(charter: &Charter) -> Chain {
    let safe = charter.safes.values().next().unwrap();
    let mut chain: Chain = BTreeMap::new();
    for read in reads(charter, CHAIN) {
        let answer = match &read {
            Read::CodeHash { account } if [SAFE, VAULT].contains(account) => ReadOutcome::Value(vec![7; 32].into()),
            Read::CodeHash { .. } => ReadOutcome::Value(KECCAK256_EMPTY.to_vec().into()),
            Read::Balance { account } => word(U256::from(u64::from(*account != SAFE))),
            Read::Storage { .. } | Read::Delegation { .. } => word(U256::ZERO),
            Read::Call { to, .. } if *to == VAULT => ReadOutcome::Reverted(Bytes::new()),
            Read::Call { .. } => word(U256::ZERO),
        };
        chain.insert(read, answer);
    }
    for condition in charter.playbooks.values().flat_map(|p| p.actions().flat_map(|action| action.conditions())) {
        chain.insert(condition.read.clone(), word(U256::ZERO));
    }
    chain.insert(call(VAULT, "owner()", &[]), holds(STRANGER));
    chain.insert(owners_read(), value(&list(charter.owners_of(safe))));
    chain.insert(call(SAFE, "getThreshold()", &[]), word(U256::from(3)));
    chain.insert(call(SAFE, "VERSION()", &[]), value(&DynSolValue::String("1.5.0".to_owned())));
    chain.insert(modules_read(), page(&[], Address::with_last_byte(1)));
    chain
}

fn facts_of(source: &str, change: impl FnOnce(&Charter, &mut Chain)) -> Vec<Fact> {
    let (charter, _) = parse(source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let mut chain = sound(&charter);
    change(&charter, &mut chain);
    judge(&charter, CHAIN, &chain)
}

#[track_caller]
fn expect(facts: &[Fact], severity: FactSeverity, kind: &str) {
    assert!(facts.iter().any(|fact| fact.kind == kind && fact.severity == severity), "no {kind}: {facts:#?}");
}

#[track_caller]
fn fault(kind: &str, change: impl FnOnce(&Charter, &mut Chain)) {
    expect(&facts_of(DRILL, change), FactSeverity::Fault, kind);
}

#[track_caller]
fn warning(kind: &str, change: impl FnOnce(&Charter, &mut Chain)) {
    let facts = facts_of(DRILL, change);
    expect(&facts, FactSeverity::Warning, kind);
    assert!(facts.iter().all(|fact| fact.severity == FactSeverity::Warning), "{facts:#?}");
}

#[test]
fn slots_are_those_of_the_safe_contracts() {
    assert_eq!(GUARD_SLOT, keccak256("guard_manager.guard.address"));
    assert_eq!(MODULE_GUARD_SLOT, keccak256("module_manager.module_guard.address"));
    assert_eq!(FALLBACK_HANDLER_SLOT, keccak256("fallback_manager.handler.address"));
}

#[test]
fn a_sound_chain_has_no_fact() {
    assert_eq!(facts_of(DRILL, |_, _| {}), []);
}

#[test]
fn owners_and_threshold_are_the_charters() {
    fault("owner-missing", |charter, chain| {
        let safe = charter.safes.values().next().unwrap();
        chain.insert(owners_read(), value(&list(charter.owners_of(safe).into_iter().skip(1))));
    });
    fault("owner-unknown", |charter, chain| {
        let safe = charter.safes.values().next().unwrap();
        chain.insert(owners_read(), value(&list(charter.owners_of(safe).into_iter().chain([STRANGER]))));
    });
    let threshold = |number: u64| {
        move |_: &Charter, chain: &mut Chain| {
            chain.insert(call(SAFE, "getThreshold()", &[]), word(U256::from(number)));
        }
    };
    fault("threshold-differs", threshold(4));
    fault("threshold-unreachable", threshold(6));
    fault("one-holds-threshold", threshold(1));
}

#[test]
fn owners_with_code_do_not_sign() {
    let with_code = |count: usize| {
        move |charter: &Charter, chain: &mut Chain| {
            for account in charter.members.values().filter_map(|member| member.guardian).take(count) {
                chain.insert(Read::CodeHash { account }, ReadOutcome::Value(vec![9; 32].into()));
            }
        }
    };
    warning("owner-has-code", with_code(2));
    fault("threshold-unreachable", with_code(3));
}

/// EIP-7702: a guardian's account that delegates has code and signs as before; that it does is told, and with whom.
#[test]
fn owners_that_delegate_still_sign() {
    let facts = facts_of(DRILL, |charter, chain| {
        for account in charter.members.values().filter_map(|member| member.guardian) {
            chain.insert(Read::CodeHash { account }, ReadOutcome::Value(vec![9; 32].into()));
            chain.insert(Read::Delegation { account }, holds(STRANGER));
        }
    });
    let told = facts.iter().filter(|fact| fact.kind == "owner-delegated" && fact.text.contains(&STRANGER.to_string()));
    assert_eq!(told.count(), 5, "{facts:#?}");
    assert!(facts.iter().all(|fact| fact.kind == "owner-delegated"), "{facts:#?}");
}

#[test]
fn version_is_the_charters_and_names_a_chain() {
    let version = |text: &'static str| {
        move |_: &Charter, chain: &mut Chain| {
            chain.insert(call(SAFE, "VERSION()", &[]), value(&DynSolValue::String(text.to_owned())));
        }
    };
    fault("version-too-old", version("1.2.0"));
    fault("version-differs", version("1.4.1"));
    fault("not-a-safe", version("two"));
    assert_eq!(facts_of(DRILL, version("1.5.0+L2")), []);
    fault("not-a-safe", |_, chain| {
        chain.insert(call(SAFE, "VERSION()", &[]), ReadOutcome::Reverted(Bytes::new()));
    });
    fault("no-safe", |_, chain| {
        chain.insert(Read::CodeHash { account: SAFE }, ReadOutcome::Value(KECCAK256_EMPTY.to_vec().into()));
    });
}

#[test]
fn modules_and_guards_are_named() {
    let sentinel = Address::with_last_byte(1);
    fault("module-not-named", |_, chain| {
        chain.insert(modules_read(), page(&[STRANGER], sentinel));
    });
    fault("module-not-named", |_, chain| {
        chain.insert(modules_read(), page(&[], STRANGER));
    });
    fault("guard-not-named", |_, chain| {
        chain.insert(slot(GUARD_SLOT), holds(STRANGER));
    });
    warning("module-guard", |_, chain| {
        chain.insert(slot(MODULE_GUARD_SLOT), holds(STRANGER));
    });
    let named = DRILL.replace(
        "threshold = 3\n",
        "threshold = 3\nguard = \"0x00000000000000000000000000000000DeaDBeef\"\nmodules = [\"0x00000000000000000000000000000000DeaDBeef\"]\n",
    );
    let facts = facts_of(&named, |_, _| {});
    expect(&facts, FactSeverity::Warning, "guard-not-set");
    expect(&facts, FactSeverity::Warning, "module-not-enabled");
    expect(&facts, FactSeverity::Fault, "guard-without-code");
    let set = facts_of(&named, |_, chain| {
        chain.insert(slot(GUARD_SLOT), holds(STRANGER));
        chain.insert(modules_read(), page(&[STRANGER], sentinel));
        chain.insert(Read::CodeHash { account: STRANGER }, ReadOutcome::Value(vec![3; 32].into()));
    });
    assert_eq!(set, []);
}

#[test]
fn funds_and_power_beyond_the_pause_are_told() {
    warning("funds-on-safe", |_, chain| {
        chain.insert(Read::Balance { account: SAFE }, word(U256::from(1)));
    });
    warning("submitter-unfunded", |charter, chain| {
        let account = charter.members.values().find_map(|member| member.submitter).unwrap();
        chain.insert(Read::Balance { account }, word(U256::ZERO));
    });
    warning("power-beyond-pause", |_, chain| {
        chain.insert(call(VAULT, "owner()", &[]), holds(SAFE));
    });
    warning("power-beyond-pause", |_, chain| {
        let role = call(VAULT, "hasRole(bytes32,address)", &[B256::ZERO, SAFE.into_word()]);
        chain.insert(role, word(U256::from(1)));
    });
    let owned = DRILL.replace("internal = []", "owner = \"0x4000000000000000000000000000000000000004\"");
    expect(&facts_of(&owned, |_, _| {}), FactSeverity::Fault, "asset-owner-differs");
}

#[test]
fn contracts_and_conditions_can_be_read() {
    fault("no-contract", |_, chain| {
        chain.insert(Read::CodeHash { account: VAULT }, ReadOutcome::Value(KECCAK256_EMPTY.to_vec().into()));
    });
    let paused = call(VAULT, "paused()", &[]);
    fault("condition-unreadable", |_, chain| {
        chain.insert(paused.clone(), ReadOutcome::Reverted(Bytes::new()));
    });
    fault("condition-unreadable", |_, chain| {
        chain.insert(paused.clone(), ReadOutcome::Value(Bytes::new()));
    });
    fault("detector-unreadable", |_, chain| {
        chain.insert(call(VAULT, "owner()", &[]), ReadOutcome::Reverted(Bytes::new()));
    });
}

/// A close through AccessManager that is delayed contains nothing yet.
#[test]
fn a_delayed_close_is_told() {
    let source = DRILL
        .replace("function = \"pause()\"\narguments = []\ncatalogue = \"oz-pausable.pause\"", "function = \"setTargetClosed(address,bool)\"\narguments = [\"0x1000000000000000000000000000000000000001\", \"true\"]\ncatalogue = \"oz-access-manager.close\"");
    let delay = call(VAULT, "getTargetAdminDelay(address)", &[VAULT.into_word()]);
    let role = call(VAULT, "hasRole(uint64,address)", &[B256::ZERO, SAFE.into_word()]);
    let member = |admin: u8, delay: u8| {
        let words = [U256::from(admin).to_be_bytes::<32>(), U256::from(delay).to_be_bytes::<32>()].concat();
        ReadOutcome::Value(words.into())
    };
    let facts = |target: u64, role_answer: ReadOutcome| {
        facts_of(&source, |_, chain| {
            assert!(chain.contains_key(&delay) && chain.contains_key(&role));
            chain.insert(delay.clone(), word(U256::from(target)));
            chain.insert(role.clone(), role_answer);
        })
    };
    assert_eq!(facts(0, member(1, 0)), []);
    expect(&facts(3600, member(1, 0)), FactSeverity::Fault, "delayed");
    expect(&facts(0, member(1, 60)), FactSeverity::Fault, "delayed");
    expect(&facts(0, member(0, 0)), FactSeverity::Fault, "no-role");
}

/// What is not known is neither sound nor broken, and said.
#[test]
fn unknown_answers_are_told_and_blame_nobody() {
    let (charter, _) = parse(DRILL).unwrap();
    let facts = judge(&charter, CHAIN, &BTreeMap::new());
    assert_eq!(facts.iter().map(|fact| fact.kind).collect::<Vec<_>>(), ["not-read"]);
    let unavailable =
        reads(&charter, CHAIN).into_iter().map(|read| (read, ReadOutcome::Unavailable("late".to_owned())));
    assert_eq!(judge(&charter, CHAIN, &unavailable.collect()), facts);
}

#[test]
fn other_chains_are_not_asked() {
    let (charter, _) = parse(DRILL).unwrap();
    assert_eq!(reads(&charter, ChainId::new(1)), BTreeSet::new());
    assert_eq!(judge(&charter, ChainId::new(1), &BTreeMap::new()), []);
}

#[test]
fn a_pinned_multi_send_has_its_code() {
    let hash = "0x0707070707070707070707070707070707070707070707070707070707070707";
    let pinned = format!(
        "multi_send_call_only = {{ address = \"0x00000000000000000000000000000000DeaDBeef\", code_hash = \"{hash}\" }}\n"
    );
    let source = DRILL.replace("stagger_ms_min = 500\n", &format!("stagger_ms_min = 500\n{pinned}"));
    let facts = facts_of(&source, |_, _| {});
    expect(&facts, FactSeverity::Fault, "multi-send-code");
    assert!(facts[0].text.contains("no step for vault-core makes several calls"), "{facts:?}");
    let action =
        source.find("[[playbook.step.action]]").unwrap()..source.find("[[playbook.step]]\nname = \"pause\"").unwrap();
    let twice = source.replacen(
        "[[playbook.step]]\nname = \"pause\"\n",
        &format!("[[playbook.step]]\nname = \"pause\"\n{}", &source[action]),
        1,
    );
    let facts = facts_of(&twice, |_, _| {});
    expect(&facts, FactSeverity::Fault, "multi-send-code");
    assert!(facts[0].assets.iter().map(ToString::to_string).eq(["vault-core"]), "{facts:?}");
    assert!(facts[0].text.contains("of vault-core, go through it"), "{facts:?}");
    let sound = facts_of(&source, |_, chain| {
        chain.insert(Read::CodeHash { account: STRANGER }, ReadOutcome::Value(vec![7; 32].into()));
    });
    assert_eq!(sound, []);
}

/// What no charter pins is watched for change.
#[test]
fn changes_between_blocks_are_told() {
    let (charter, _) = parse(DRILL).unwrap();
    let before = sound(&charter);
    assert_eq!(changes(&charter, CHAIN, &before, &before), []);
    let owner = charter.members.values().find_map(|member| member.guardian).unwrap();
    for (read, answer, kind) in [
        (slot(SINGLETON_SLOT), holds(STRANGER), "singleton-changed"),
        (slot(FALLBACK_HANDLER_SLOT), holds(STRANGER), "fallback-handler-changed"),
        (Read::CodeHash { account: owner }, ReadOutcome::Value(vec![9; 32].into()), "code-changed"),
        (Read::CodeHash { account: VAULT }, ReadOutcome::Value(vec![9; 32].into()), "code-changed"),
    ] {
        let mut after = before.clone();
        after.insert(read.clone(), answer);
        let facts = changes(&charter, CHAIN, &before, &after);
        assert_eq!(facts.iter().map(|fact| fact.kind).collect::<Vec<_>>(), [kind]);
        after.insert(read, ReadOutcome::Unavailable("late".to_owned()));
        assert_eq!(changes(&charter, CHAIN, &before, &after), [], "an answer that is missing is no change");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Operators may answer anything at all: it is judged, not believed, and never a panic.
    #[test]
    fn no_answer_panics(
        answers in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| ReadOutcome::Value(bytes.into())),
                prop::collection::vec(prop::sample::select(vec![0_u8, 1, 32, 255]), 96..97).prop_map(|bytes| ReadOutcome::Value(bytes.into())),
                prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| ReadOutcome::Reverted(bytes.into())),
                Just(ReadOutcome::Unavailable("late".to_owned())),
            ],
            8..9,
        ),
        kept in any::<u64>(),
    ) {
        let (charter, _) = parse(DRILL).unwrap();
        let before = sound(&charter);
        let mut after = before.clone();
        for (index, (_, outcome)) in after.iter_mut().enumerate() {
            if kept >> (index % 64) & 1 == 0 {
                *outcome = answers[index % answers.len()].clone();
            }
        }
        let facts = judge(&charter, CHAIN, &after);
        prop_assert!(facts.is_sorted(), "faults come first");
        let _ = changes(&charter, CHAIN, &before, &after);
    }
}

/// Every kind of fact that the sources name has a remedy of its own, and no remedy is of a kind that none names.
#[test]
fn every_fact_has_its_own_remedy() {
    let sources = [include_str!("../live.rs"), include_str!("safes.rs"), include_str!("contracts.rs")];
    let text = sources.concat().split_whitespace().collect::<String>();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for (opening, any) in [(".fault(\"", true), (".warn(\"", true), ("[(\"", false), ("),(\"", false)] {
        let names = text.split(opening).skip(1).filter_map(|rest| rest.split('"').next());
        let is_kind = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        named.extend(names.filter(is_kind).filter(|name| any || name.contains('-')));
    }
    let kinds: BTreeSet<&str> = super::remedies::REMEDIES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(named, kinds);
    let remedies: BTreeSet<&str> = super::remedies::REMEDIES.iter().map(|(_, remedy)| *remedy).collect();
    assert_eq!(remedies.len(), kinds.len(), "each its own");
}
