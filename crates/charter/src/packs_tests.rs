//! Every pack expands into detectors that a charter takes without a fault, and its events are the ones that contracts emit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, b256, keccak256};

use super::{Pack, PackError, all, named};
use crate::model::{Class, Detector, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;
use crate::privileged::by_topic;
use crate::watch::Comparison;

fn samples(pack: &Pack) -> BTreeMap<String, String> {
    let value = |parameter: &super::Parameter| parameter.default.clone().or(parameter.sample.clone()).unwrap();
    pack.parameters.iter().map(|parameter| (parameter.key.clone(), value(parameter))).collect()
}

#[test]
fn every_pack_is_taken_by_a_charter() {
    let mut whole = DRILL.to_owned();
    for pack in all().unwrap() {
        let text = pack.expand("vault-core", &samples(&pack)).unwrap();
        assert!(!text.contains("{{") && !text.contains("}}"), "{}: {text}", pack.name);
        let (charter, _) = parse(&format!("{DRILL}\n{text}")).unwrap_or_else(|f| panic!("{}: {f:#?}", pack.name));
        let own = charter.detectors.keys().filter(|id| id.as_str().starts_with(pack.name)).count();
        assert_eq!(own, text.matches("[[detector]]").count());
        assert!(own >= 5, "{}", pack.name);
        whole.push_str(&text);
    }
    parse(&whole).unwrap_or_else(|faults| panic!("all together: {faults:#?}"));
}

/// An automatic pause on the decisive rules of any pack is none that an outsider can have for money.
#[test]
fn what_votes_is_not_for_sale() {
    let own = DRILL
        .replacen("kinds = [\"outflow\", \"event\"]\n", "", 1)
        .replace("kind = \"outflow\"\n", "kind = \"outflow\"\nclass = \"context\"\n")
        .replace("kind = \"event\"\n", "kind = \"event\"\nclass = \"context\"\n");
    for pack in all().unwrap() {
        let text = pack.expand("vault-core", &samples(&pack)).unwrap();
        let (_, warnings) = parse(&format!("{own}\n{text}")).unwrap();
        let sold: Vec<_> = warnings.iter().filter(|warning| warning.kind == "outsider-can-trigger").collect();
        assert!(sold.is_empty(), "{}: {sold:#?}", pack.name);
    }
}

/// topic0 as block explorers show them, of the events that matter most; the others by the same function from their signatures.
#[test]
fn events_are_the_standards_own() {
    let known: &[(&str, B256)] = &[
        ("AddedOwner(address)", b256!("9465fa0c962cc76958e6373a993326400c1c94f8be2fe3a952adfa7f60b2ea26")),
        ("RemovedOwner(address)", b256!("f8d49fc529812e9a7c5c50e69c20f0dccc0db8fa95c98bc58cc9a4f1c1299eaf")),
        ("ChangedThreshold(uint256)", b256!("610f7ff2b304ae8903c3de74c60c6ab1f7d6226b3f52c5161905bb5ad4039c93")),
        ("EnabledModule(address)", b256!("ecdf3a3effea5783a3c4c2140e677577666428d44ed9d474a0b3a4c9943f8440")),
        ("DisabledModule(address)", b256!("aab4fa2b463f581b2b32cb3b7e3b704b9ce37cc209b5fb4d77e593ace4054276")),
        ("ChangedGuard(address)", b256!("1151116914515bc0891ff9047a6cb32cf902546f83066499bcf8ba33d2353fa2")),
        (
            "ExecutionFailure(bytes32,uint256)",
            b256!("23428b18acfb3ea64b08dc0c1d296ea9c09702c09083ca5272e64d115b687d23"),
        ),
        (
            "OwnershipTransferred(address,address)",
            b256!("8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0"),
        ),
        (
            "RoleGranted(bytes32,address,address)",
            b256!("2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d"),
        ),
        ("Upgraded(address)", b256!("bc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b")),
        ("AdminChanged(address,address)", b256!("7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f")),
        ("BeaconUpgraded(address)", b256!("1cf3b03a6cf19fa2baba4df148e9dcabedea7f8a5c07840e207e5c089be95d3e")),
        ("Initialized(uint8)", b256!("7f26b83ff96e1f2b6a682f133852f6798a09c465da95921460cefb3847402498")),
        ("Initialized(uint64)", b256!("c7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d2")),
        (
            "DiamondCut((address,uint8,bytes4[])[],address,bytes)",
            b256!("8faa70878671ccd212d20771b795c50af8fd3ff6cf27f4bde57e5d4de0aeb673"),
        ),
    ];
    let mut topics = BTreeMap::new();
    for pack in all().unwrap() {
        let text = pack.expand("vault-core", &samples(&pack)).unwrap();
        let (charter, _) = parse(&format!("{DRILL}\n{text}")).unwrap();
        for detector in charter.detectors.into_values() {
            if let Watch::Event { event, topic, .. } = detector.watch {
                assert_eq!(topic, keccak256(event.as_bytes()));
                topics.insert(event, topic);
            }
        }
    }
    let wrong: Vec<_> = known.iter().filter(|(event, topic)| topics.get(*event) != Some(topic)).collect();
    assert!(wrong.is_empty(), "{wrong:#?} against {topics:#?}");
    // Another reader's first bytes of the operations of a TimelockController.
    let scheduled = "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)";
    assert_eq!(topics[scheduled][..4], [0x4c, 0xf4, 0x41, 0x0c]);
}

/// The slots that the safe-guard pack reads are the Safe's.
#[test]
fn slots_are_the_safes_own() {
    let text = named("safe-guard").unwrap().text;
    for of in ["guard_manager.guard.address", "module_manager.module_guard.address", "fallback_manager.handler.address"]
    {
        assert!(text.contains(&keccak256(of).to_string()), "{of}");
    }
}

#[test]
fn wrong_values_are_told() {
    let pack = named("proxy").unwrap();
    let with =
        |key: &str, value: &str| pack.expand("vault-core", &BTreeMap::from([(key.to_owned(), value.to_owned())]));
    assert!(
        matches!(pack.expand("vault-core", &BTreeMap::new()), Err(PackError::Missing { key, .. }) if key == "proxy")
    );
    assert!(matches!(with("prxy", "0x00"), Err(PackError::NoParameter { key, .. }) if key == "prxy"));
    for value in ["", "0x00\"\nclass = \"context", "a\u{7}", "{{asset}}", &"a".repeat(129)] {
        assert!(matches!(with("proxy", value), Err(PackError::Value { .. })), "{value:?}");
    }
    assert!(matches!(pack.expand("a\"b", &samples(&pack)), Err(PackError::Value { key, .. }) if key == "asset"));
    assert!(matches!(named("nothing"), Err(PackError::Unknown { known, .. }) if known.contains("safe-guard")));
}

/// The detectors of a pack with these values alone beside the prefix.
fn rules(name: &str, left_out: &str) -> BTreeMap<String, Detector> {
    let pack = named(name).unwrap();
    let mut values = samples(&pack);
    values.remove(left_out);
    let text = pack.expand("vault-core", &values).unwrap();
    let (charter, _) = parse(&format!("{DRILL}\n{text}")).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    let own = charter.detectors.into_iter().filter(|(id, _)| id.as_str().starts_with(name));
    own.map(|(id, detector)| (id.as_str().to_owned(), detector)).collect()
}

/// A Governor changes its own parameters, and says so itself.
#[test]
fn a_governors_own_parameters_are_looked_for_at_the_governor() {
    let rules = rules("governor-timelock", "");
    let Watch::Authority { targets, functions, .. } = &rules["governor-timelock-authority"].watch else { panic!() };
    let samples = samples(&named("governor-timelock").unwrap());
    for of in ["governor", "timelock"] {
        assert!(targets.contains(&samples[of].parse::<Address>().unwrap()), "{of}");
    }
    assert!(functions.is_empty(), "its events tell of them");
    for event in ["ProposalThresholdSet", "QuorumNumeratorUpdated", "VotingDelaySet", "VotingPeriodSet"] {
        assert!(by_topic(&keccak256(format!("{event}(uint256,uint256)"))).is_some(), "{event}");
    }
    assert!(by_topic(&keccak256("TimelockChange(address,address)")).is_some());
}

/// What is no fault of an honest contract votes nowhere, and is looked for only where a person said that it is one here.
#[test]
fn what_ordinary_state_breaks_is_asked_for() {
    for (pack, parameter, rule) in
        [("erc4626", "held", "erc4626-backed"), ("compound-v3", "least_reserves", "compound-v3-reserves")]
    {
        let (with, without) = (rules(pack, ""), rules(pack, parameter));
        let lacking: Vec<_> = with.keys().filter(|id| !without.contains_key(*id)).collect();
        assert_eq!(lacking, [rule]);
        let told = named(pack).unwrap().parameters;
        assert_eq!(told.iter().filter(|told| told.optional).map(|told| &told.key).collect::<Vec<_>>(), [parameter]);
    }
    assert_eq!(rules("compound-v3", "")["compound-v3-reserves"].class, Class::Context, "a liquidation lowers them");
    let always = &rules("erc4626", "held")["erc4626-round-trip"];
    assert!(matches!(&always.watch, Watch::Invariant { compare: Comparison::AtLeast, tolerance_bps: 0, .. }));
    assert_eq!(always.class, Class::Decisive);
}

/// Ids of two uses of a pack are kept apart by its prefix, and only what cannot be bought is decisive beside authority.
#[test]
fn packs_can_be_used_twice() {
    let pack = named("erc20").unwrap();
    let mut second = samples(&pack);
    second.insert("prefix".to_owned(), "dai".to_owned());
    let text = [samples(&pack), second].map(|values| pack.expand("vault-core", &values).unwrap()).concat();
    let (charter, _) = parse(&format!("{DRILL}\n{text}")).unwrap();
    let context = charter.detectors.values().filter(|rule| rule.class == Class::Context).count();
    assert_eq!(context, 8, "supply, drain, paused, unpaused, twice");
}
