//! Signatures of both kinds: a published vector, one made elsewhere, and whatever is changed about a sound message.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

impl Headers for BTreeMap<&'static str, String> {
    fn only(&self, name: &'static str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_614_265_330_000);
const BODY: &[u8] = b"{\"test\": 2432232314}";
/// What other implementations of Standard Webhooks test with.
const SECRET: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn headers() -> BTreeMap<&'static str, String> {
    [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", SIGNATURE),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn with(name: &'static str, value: &str) -> Result<Signed, Refusal> {
    let mut headers = headers();
    headers.insert(name, value.to_owned());
    at(&headers, NOW)
}

fn at(headers: &BTreeMap<&'static str, String>, now: Timestamp) -> Result<Signed, Refusal> {
    let secret = Secret::parse(SECRET, Scheme::StandardWebhooks).unwrap();
    check(Scheme::StandardWebhooks, &secret, headers, BODY, now)
}

/// The vector that other implementations take is taken; one among several is enough, and of another version none.
#[test]
fn standard_webhooks_as_others_sign_them() {
    let signed = Signed { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), sent: NOW };
    assert_eq!(at(&headers(), NOW), Ok(signed.clone()));
    let several = format!("v1,bm90IHRoaXMgb25l v2,x v1a,eA== {SIGNATURE} v1,=");
    assert_eq!(with("webhook-signature", &several), Ok(signed));
    for signature in ["", "v1,", "v1", "v2,g0hM", &SIGNATURE[3..], &SIGNATURE.replace("v1,", "v1a,"), &SIGNATURE[..44]]
    {
        assert_eq!(with("webhook-signature", signature), Err(Refusal::BadSignature), "{signature:?}");
    }
    let late = "v1,eA== ".repeat(SIGNATURES_MAX) + SIGNATURE;
    assert_eq!(with("webhook-signature", &late), Err(Refusal::BadSignature), "no more are looked at");
}

/// Five minutes either way, and not a second more; what is no header, no id and no time has a name.
#[test]
fn old_and_odd_messages_have_names() {
    for (now_s, expected) in [
        (1_614_265_630_u64, None),
        (1_614_265_030, None),
        (1_614_265_631, Some(Refusal::TooOld(301))),
        (1_614_265_029, Some(Refusal::TooNew(301))),
        (0, Some(Refusal::TooNew(1_614_265_330))),
    ] {
        assert_eq!(at(&headers(), Timestamp::from_millis(now_s * 1_000)).err(), expected, "{now_s}");
    }
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = headers();
        headers.remove(name);
        assert_eq!(at(&headers, NOW), Err(Refusal::NoHeader(name)));
    }
    for id in ["", "a b", "\u{e9}", &"a".repeat(REPORT_ID_MAX + 1)] {
        assert_eq!(with("webhook-id", id), Err(Refusal::BadId), "{id:?}");
    }
    for time in ["", "-1", "1614265330.0", "+1614265330", " 1614265330", "99999999999999999999", "x"] {
        assert_eq!(with("webhook-timestamp", time), Err(Refusal::BadTimestamp("webhook-timestamp")), "{time:?}");
    }
    assert_eq!(with("webhook-timestamp", &u64::MAX.to_string()).err().map(|refusal| refusal.code()), Some("too-new"));
}

/// What OpenZeppelin Monitor sends: computed by hand over body and time, in milliseconds.
#[test]
fn a_monitor_signs_body_and_time() {
    let secret = Secret::parse(b"a secret that a monitor signs with", Scheme::OpenZeppelinMonitor).unwrap();
    let body = br#"{"body":"of 5 ether","title":"Large transfer"}"#;
    let signature = "7785902d4a7ad4e10f17c45789e6b4ef452906f08c0d0c890affb5b7ecf69b46";
    let headers = |time: &str, signature: &str| {
        BTreeMap::from([("x-timestamp", time.to_owned()), ("x-signature", signature.to_owned())])
    };
    let check = |headers, body: &[u8]| check(Scheme::OpenZeppelinMonitor, &secret, &headers, body, NOW);
    let signed = check(headers("1614265330123", signature), body).unwrap();
    assert_eq!((signed.id.as_str(), signed.sent), (signature, Timestamp::from_millis(1_614_265_330_123)));
    assert_eq!(
        check(headers("1614265330123", &signature.to_uppercase()), body).unwrap().id,
        signature,
        "one name for one message"
    );
    assert_eq!(check(headers("1614265330124", signature), body), Err(Refusal::BadSignature));
    assert_eq!(check(headers("1614265330123", signature), &body[1..]), Err(Refusal::BadSignature));
    assert_eq!(check(headers("1614265330123", "zz"), body), Err(Refusal::BadSignature));
    assert_eq!(check(headers("1614265330", signature), body).unwrap_err().code(), "too-old", "seconds are none");
}

/// A secret is what the scheme says, and neither short nor empty nor shown.
#[test]
fn a_secret_is_as_it_is_written() {
    let standard = |text: &str| Secret::parse(text.as_bytes(), Scheme::StandardWebhooks);
    let long = format!("whsec_{}", STANDARD.encode([7; 65]));
    for text in
        ["", "whsec_", "whsec_eA==", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", &long]
    {
        assert!(standard(text).is_err(), "{text:?}");
    }
    assert!(Secret::parse(b"too short", Scheme::OpenZeppelinMonitor).is_err());
    assert_eq!(format!("{:?}", standard(&format!("whsec_{}", STANDARD.encode([7; 64]))).unwrap()), "Secret(..)");
}

proptest! {
    /// Whatever byte of a sound message is another, whoever signs with another secret: refused. Any sound one is taken.
    #[test]
    fn a_message_is_whole_or_refused(
        id in "[!-~]{1,128}", age_s in -300_i64..=300, body in prop::collection::vec(any::<u8>(), 0..200),
        key in prop::collection::vec(any::<u8>(), 24..=64), other in prop::collection::vec(any::<u8>(), 24..=64),
        change in 0..4_usize, at: prop::sample::Index, flip in 1..=255_u8,
    ) {
        let secret = |key: &[u8]| {
            Secret::parse(format!("whsec_{}", STANDARD.encode(key)).as_bytes(), Scheme::StandardWebhooks).unwrap()
        };
        let time = (1_614_265_330 + age_s).to_string();
        let mac = secret(&key).mac(&[format!("{id}.{time}.").as_bytes(), &body]).unwrap().finalize().into_bytes();
        let mut headers = BTreeMap::from([
            ("webhook-id", id.clone()),
            ("webhook-timestamp", time.clone()),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(mac))),
        ]);
        let judge = |headers: &_, body: &[u8], key: &[u8]| check(Scheme::StandardWebhooks, &secret(key), headers, body, NOW);
        let sent = Timestamp::from_millis(time.parse::<u64>().unwrap() * 1_000);
        prop_assert_eq!(judge(&headers, &body, &key), Ok(Signed { id: id.clone(), sent }));
        if key != other {
            prop_assert_eq!(judge(&headers, &body, &other), Err(Refusal::BadSignature));
        }
        let mut changed = body.clone();
        match change {
            0 if !body.is_empty() => changed[at.index(body.len())] ^= flip,
            1 => changed.push(flip),
            2 => drop(headers.insert("webhook-id", if id == "a" { "b".to_owned() } else { "a".to_owned() })),
            _ => {
                let mut mac = mac.to_vec();
                let length = mac.len();
                mac[at.index(length)] ^= flip;
                headers.insert("webhook-signature", format!("v1,{}", STANDARD.encode(mac)));
            }
        }
        prop_assert_eq!(judge(&headers, &changed, &key), Err(Refusal::BadSignature));
    }
}
