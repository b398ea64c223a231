//! The catalogue's selectors are those of the systems it names, and its pins refuse the other direction.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{ENTRIES, Entry};
use crate::call::Signature;

#[test]
fn selectors_are_pinned() {
    let expected = [
        ("oz-pausable.pause", "8456cb59"),
        ("oz-access-manager.close", "167bd395"),
        ("oz-access-manager.cancel", "d6bb62c6"),
        ("oz-access-control.revoke-role", "d547741f"),
        ("oz-timelock.cancel", "c4d252f5"),
        ("aave-v3.pause-reserve", "48d9fba9"),
        ("aave-v3.pause-reserve-grace", "b42d793b"),
        ("aave-v3.pause-pool", "7641f3d9"),
        ("aave-v3.pause-pool-grace", "12bc3f61"),
        ("aave-v3.freeze-reserve", "96e957c4"),
        ("compound-v2.pause-mint", "3bcf7ec1"),
        ("compound-v2.pause-borrow", "18c882a5"),
        ("compound-v2.pause-transfer", "8ebf6364"),
        ("compound-v2.pause-seize", "2d70db78"),
        ("compound-v3.pause", "44c35d07"),
        ("lido-gate-seal.seal", "fc20bdfe"),
        ("zodiac-delay.veto", "46ba2307"),
        ("zodiac-roles.exec", "c6fe8747"),
    ];
    let found: Vec<_> = ENTRIES.iter().map(|entry| (entry.id, hex::encode(entry.selector()))).collect();
    let found: Vec<_> = found.iter().map(|(id, selector)| (*id, selector.as_str())).collect();
    assert_eq!(found, expected);
}

/// Every entry's signature is canonical and has one pin for each argument.
#[test]
fn entries_are_well_formed() {
    for entry in ENTRIES {
        let signature = Signature::parse(entry.function).unwrap();
        assert_eq!(signature.canonical(), entry.function);
        assert_eq!(
            entry.function.matches(',').count() + usize::from(!entry.pins.is_empty()),
            entry.pins.len(),
            "{entry:?}"
        );
        assert_eq!(Entry::by_id(entry.id), Some(entry));
        assert_eq!(Entry::by_selector(entry.selector()), Some(entry));
    }
}

/// Any pinned argument in the other direction is refused: above all each of Comet's five flags.
#[test]
fn pins_refuse_the_other_direction() {
    let admits = |id: &str, arguments: &[&str]| {
        let entry = Entry::by_id(id).unwrap();
        let call = Signature::parse(entry.function).unwrap();
        let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        entry.admits(&call, &call.arguments(&texts).unwrap()).is_ok()
    };
    let market = "0x1000000000000000000000000000000000000001";
    assert!(admits("compound-v3.pause", &["true"; 5]));
    for flag in 0..5 {
        let mut flags = ["true"; 5];
        flags[flag] = "false";
        assert!(!admits("compound-v3.pause", &flags), "flag {flag}");
    }
    let two = [
        "oz-access-manager.close",
        "aave-v3.pause-reserve",
        "aave-v3.freeze-reserve",
        "compound-v2.pause-mint",
        "compound-v2.pause-borrow",
    ];
    for id in two {
        assert!(admits(id, &[market, "true"]) && !admits(id, &[market, "false"]), "{id}");
    }
    for id in ["aave-v3.pause-pool", "compound-v2.pause-transfer", "compound-v2.pause-seize"] {
        assert!(admits(id, &["true"]) && !admits(id, &["false"]), "{id}");
    }
    assert!(admits("lido-gate-seal.seal", &[&format!("[{market}]")]));
    assert!(!admits("lido-gate-seal.seal", &["[]"]));
}
