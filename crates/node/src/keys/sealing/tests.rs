//! Sealed words: who opens them, what proves them, and what an author cannot get away with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::AssetId;

use super::*;
use crate::run::fixture;

const WORDS: &str = "the vault trusts a price that one account can set";

fn charter() -> Charter {
    watchfire_charter::parse(&fixture::charter_text(None)).unwrap().0
}

/// Node key of the fixture's member with this number; alder is 1.
fn node(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn author() -> MemberKey {
    MemberKey::from_bytes(node(1).verifying_key().to_bytes())
}

fn names(members: &[&str]) -> BTreeSet<MemberId> {
    members.iter().map(|member| member.parse().unwrap()).collect()
}

fn sealed(to: &[&str], words: &str) -> Result<Sealed, SealError> {
    let human = Human { person: "p-1".into(), role: "auditor".into(), reason: String::new() };
    let asset: AssetId = "vault-core".parse().unwrap();
    seal(&charter(), &author(), SealedAbout::Vulnerability(asset), human, &names(to), words)
}

fn open(number: u8, member: &str, sealed: &Sealed) -> Result<Opened, SealError> {
    Opener::new(member.parse().unwrap(), &node(number)).open(charter().network_id(), &author(), sealed)
}

/// Exactly the named members read the words; nothing of them is in the event; words and salt prove themselves, others do not.
#[test]
fn named_members_read_and_others_do_not() {
    let body = sealed(&["alder-1", "cedar-1"], WORDS).unwrap();
    for (number, member) in [(1, "alder-1"), (3, "cedar-1")] {
        let opened = open(number, member, &body).unwrap();
        assert_eq!(opened.words.as_str(), WORDS);
        assert!(proves(&body.commitment, &opened.salt, WORDS));
        assert!(!proves(&body.commitment, &opened.salt, "other words"));
        assert!(!proves(&body.commitment, &B256::ZERO, WORDS));
    }
    assert!(matches!(open(2, "birch-1", &body), Err(SealError::NotForUs)));
    assert!(matches!(open(2, "cedar-1", &body), Err(SealError::Wrong(_))), "another's key under a member's name");
    let json = serde_json::to_string(&body).unwrap();
    assert!(!json.contains(WORDS) && !json.contains(&hex::encode(WORDS)));
}

/// The same words are sealed differently each time: equal hashes would tell equal words.
#[test]
fn sealing_twice_shows_no_likeness() {
    let (first, second) = (sealed(&["alder-1"], WORDS).unwrap(), sealed(&["alder-1"], WORDS).unwrap());
    assert_ne!(first.commitment, second.commitment);
    assert_ne!(first.ciphertext, second.ciphertext);
    assert_ne!(first.keys, second.keys);
}

/// Whatever byte of it is changed, it opens no more; nor under another author or in another network.
#[test]
fn what_is_changed_does_not_open() {
    let body = sealed(&["alder-1"], WORDS).unwrap();
    let fails = |body: &Sealed| assert!(matches!(open(1, "alder-1", body), Err(SealError::Wrong(_))));
    for index in 0..body.ciphertext.len() {
        let mut bytes = body.ciphertext.to_vec();
        bytes[index] ^= 1;
        fails(&Sealed { ciphertext: bytes.into(), ..body.clone() });
    }
    for index in 0..48 {
        let mut changed = body.clone();
        let mut bytes = changed.keys[0].wrapped.to_vec();
        bytes[index] ^= 1;
        changed.keys[0].wrapped = bytes.into();
        fails(&changed);
    }
    let mut changed = body.clone();
    changed.keys[0].encapsulated[0] ^= 1;
    fails(&changed);
    fails(&Sealed { commitment: B256::repeat_byte(1), ..body.clone() });
    let opener = Opener::new("alder-1".parse().unwrap(), &node(1));
    let other = MemberKey::from_bytes(node(2).verifying_key().to_bytes());
    assert!(opener.open(charter().network_id(), &other, &body).is_err(), "copied by another author");
    assert!(opener.open(NetworkId::from_bytes([1; 32]), &author(), &body).is_err());
}

/// An author that commits to other words than it seals is found out by whoever opens them.
#[test]
fn a_false_commitment_is_found_out() {
    let body = sealed(&["alder-1"], WORDS).unwrap();
    let opened = open(1, "alder-1", &body).unwrap();
    assert!(!proves(&sealed(&["alder-1"], "something harmless").unwrap().commitment, &opened.salt, WORDS));
}

/// The same by an author that sealed it so by hand: nothing opens that would prove other words than the public hash.
#[test]
fn words_beside_their_hash_do_not_open() {
    let falsely = |shown: &str| {
        let (salt, content_key) = (B256::repeat_byte(4), [9; 32]);
        let commitment = committed(&salt, shown);
        let cipher = ChaCha20Poly1305::new_from_slice(&content_key).unwrap();
        let plain = [salt.as_slice(), WORDS.as_bytes()].concat();
        let payload = Payload { msg: &plain, aad: commitment.as_slice() };
        let ciphertext = cipher.encrypt(&Nonce::default(), payload).unwrap().into();
        let member: MemberId = "alder-1".parse().unwrap();
        let public = node(1).verifying_key().to_montgomery();
        let public = <Kem as hpke::Kem>::PublicKey::from_bytes(public.as_bytes()).unwrap();
        let info = info(charter().network_id(), &author(), &commitment, &member);
        let wrapped =
            hpke::single_shot_seal::<Wrap, Kdf, Kem>(&OpModeS::Base, &public, &info, &content_key, &[]).unwrap();
        let encapsulated = B256::from_slice(&wrapped.0.to_bytes());
        let keys = vec![SealedKey { member, encapsulated, wrapped: wrapped.1.into() }];
        open(1, "alder-1", &Sealed { commitment, keys, ciphertext, ..sealed(&["alder-1"], "").unwrap() })
    };
    assert_eq!(falsely(WORDS).unwrap().words.as_str(), WORDS);
    assert!(matches!(falsely("something harmless"), Err(SealError::Wrong(_))));
}

/// Strangers and words beyond the bound are refused by name.
#[test]
fn bounds_are_named() {
    let error = sealed(&["zebra-1"], WORDS).unwrap_err();
    assert!(error.to_string().contains("zebra-1 is no member"), "{error}");
    let error = sealed(&["alder-1"], &"x".repeat(SEALED_TEXT_MAX + 1)).unwrap_err();
    assert!(error.to_string().contains("12289 bytes, at most 12288"), "{error}");
    assert!(sealed(&["alder-1"], &"x".repeat(SEALED_TEXT_MAX)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any text comes out as it went in.
    #[test]
    fn round_trip(words in "\\PC{0,200}") {
        let body = sealed(&["alder-1", "elm-1"], &words).unwrap();
        let opened = open(5, "elm-1", &body).unwrap();
        prop_assert_eq!(opened.words.as_str(), words.as_str());
    }
}
