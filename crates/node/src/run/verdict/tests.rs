//! The verdict's line and colour for a network of five with a 3-of-5 Safe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const ORGANISATIONS: [&str; 5] = ["alder", "birch", "cedar", "dogwood", "elm"];

fn charter() -> Charter {
    let mut text = "name = \"five\"\nversion = 1\ndrill = true\n".to_owned();
    for id in ORGANISATIONS {
        text.push_str(&format!("[[organisation]]\nid = \"{id}\"\nname = \"{id}\"\nroles = []\n"));
    }
    for (index, id) in (1u8..).zip(ORGANISATIONS) {
        let node = ed25519_dalek::SigningKey::from_bytes(&[index; 32]).verifying_key();
        let address = |last: u8| watchfire_types::Address::repeat_byte(last).to_checksum(None);
        text.push_str(&format!(
            "[[member]]\nid = \"{id}-1\"\norganisation = \"{id}\"\nkind = \"guardian\"\nnode_key = \"{}\"\nguardian = \"{}\"\n\
             submitter = \"{}\"\noperators = [\"op-{id}\"]\naddresses = [\"/ip4/127.0.0.1/tcp/{}\"]\n",
            hex::encode(node.as_bytes()), address(index), address(index + 100), 9000 + u16::from(index)
        ));
    }
    text.push_str(include_str!("../../../tests/node/charter_tail.toml"));
    watchfire_charter::parse(&text).unwrap().0
}

fn judged(live: usize, change: impl FnOnce(&mut Facts<'_>)) -> (CanPause, String) {
    let (charter, asset) = (charter(), "vault-core".parse().unwrap());
    let mut facts = Facts {
        charter: &charter,
        asset: &asset,
        live: ORGANISATIONS.iter().take(live).map(|id| format!("{id}-1").parse().unwrap()).collect(),
        refuted: None,
        simulated: "simulated ok at block 7".to_owned(),
        balance: Some(1_000_000_000_000_000_000),
        base_fee: Some(1_000_000_000),
        ready: true,
    };
    change(&mut facts);
    judge(&facts)
}

/// With a spare: yes, and the line has every figure.
#[test]
fn says_yes_with_a_spare() {
    let (verdict, line) = judged(4, |_| {});
    assert_eq!(verdict, CanPause::Yes);
    let expected = "CAN PAUSE vault-core: yes. 4 of 5 live (3 needed, spare 1), Safe 3 of 5, simulated ok at block 7, \
                    funds for 333 pauses at 10x fee";
    assert_eq!(line, expected);
}

/// No spare, unknown funds: at risk. Too few, refuted, no funds, not following: no, each with its reason.
#[test]
fn says_what_stands_in_the_way() {
    type Case = (usize, fn(&mut Facts<'_>), CanPause, &'static str);
    let cases: [Case; 6] = [
        (3, |_| {}, CanPause::AtRisk, "one more loss"),
        (5, |facts| facts.balance = None, CanPause::AtRisk, "not known"),
        (2, |_| {}, CanPause::No, "too few live"),
        (5, |facts| facts.refuted = Some("guard: GS013".to_owned()), CanPause::No, "guard: GS013"),
        (5, |facts| facts.balance = Some(1), CanPause::No, "no known submitter can pay"),
        (5, |facts| facts.ready = false, CanPause::No, "does not follow"),
    ];
    for (live, change, expected, reason) in cases {
        let (verdict, line) = judged(live, change);
        assert_eq!(verdict, expected, "{line}");
        assert!(line.contains(reason), "{line}");
    }
}
