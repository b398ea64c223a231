//! What a disclosure proves, and that no other words, event or charter do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer as _, SigningKey};
use watchfire_types::body::{Human, HumanStatement, SealedAbout};
use watchfire_types::{Epoch, Event, IncidentId, MemberKey, Seq, Timestamp};
use watchfire_wire::seal;

use super::*;
use crate::keys::sealing;
use crate::run::fixture;

fn charter() -> Charter {
    watchfire_charter::parse(&fixture::charter_text(None)).unwrap().0
}

fn event(number: u8, body: Body) -> Vec<u8> {
    let key = SigningKey::from_bytes(&[number; 32]);
    let event = Event {
        network: charter().network_id(),
        author: MemberKey::from_bytes(key.verifying_key().to_bytes()),
        epoch: Epoch::from_bytes([3; 16]),
        seq: Seq::new(4),
        prev: EventHash::from_bytes([5; 32]),
        time: Timestamp::from_millis(1_800_000_000_000),
        body,
    };
    seal(&event, |input| key.sign(input).to_bytes()).unwrap().outer().to_vec()
}

fn human() -> Human {
    Human { person: "p-1".into(), role: "lead".into(), reason: "a sealed note".into() }
}

/// Words, salt and the sealed event, by the member with this number, sealed to all.
fn sealed(number: u8, words: &str) -> (Vec<u8>, B256) {
    let charter = charter();
    let author = MemberKey::from_bytes(SigningKey::from_bytes(&[number; 32]).verifying_key().to_bytes());
    let to = charter.members.keys().cloned().collect();
    let about = SealedAbout::Incident(IncidentId::from_bytes([7; 32]));
    let body = sealing::seal(&charter, &author, about, human(), &to, words).unwrap();
    let opener = sealing::Opener::new("birch-1".parse().unwrap(), &SigningKey::from_bytes(&[2; 32]));
    let salt = opener.open(charter.network_id(), &author, &body).unwrap().salt;
    (event(number, Body::Sealed(body)), salt)
}

/// Whoever could open the words proves them to anyone who has the charter; every altered byte of the file proves nothing, or the same.
#[test]
fn a_disclosure_proves_the_words_and_nothing_else() {
    let words = "the price feed\ncan be moved \u{1f525}";
    let (outer, salt) = sealed(1, words);
    let file = disclose(&outer, salt, words, &charter()).unwrap();
    let disclosed = check(&file, &charter()).unwrap();
    assert_eq!((disclosed.words.as_str(), disclosed.author.as_str()), (words, "alder-1"));
    for at in 0..file.len() {
        let mut bytes = file.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(other) = String::from_utf8(bytes) else { continue };
        if let Ok(proved) = check(&other, &charter()) {
            assert_eq!(proved, disclosed, "byte {at}");
        }
    }
}

/// Other words, another salt, an event that seals nothing, and a stranger's are refused when written and when read.
#[test]
fn what_proves_nothing_is_not_written() {
    let (outer, salt) = sealed(1, "these");
    let refused = |outer: &[u8], salt, words| disclose(outer, salt, words, &charter()).unwrap_err();
    assert!(matches!(refused(&outer, salt, "those"), DisclosureFault::OtherWords));
    assert!(matches!(refused(&outer, B256::ZERO, "these"), DisclosureFault::OtherWords));
    let note = event(1, Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human: human() }));
    assert!(matches!(refused(&note, salt, "these"), DisclosureFault::NotSealed(_)));
    let (strange, salt) = sealed(9, "these");
    assert!(matches!(refused(&strange, salt, "these"), DisclosureFault::UnknownAuthor));
    let mut broken = outer;
    let last = broken.len() - 1;
    broken[last] ^= 1;
    assert!(matches!(refused(&broken, salt, "these"), DisclosureFault::Event(_)));
}
