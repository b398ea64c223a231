//! What waits in a queue, from plain payments to what an owner must not sign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::fixture::*;
use super::service::queue;
use super::*;

/// The reviews of these transactions of a queue.
fn reviewed(all: &[Value]) -> Vec<Reviewed> {
    review(&safe(), &queue(&page(all)).unwrap())
}

/// Kinds of the concerns about the first of them.
fn kinds(all: &[Value]) -> Vec<&'static str> {
    let first = reviewed(all).swap_remove(0);
    let mut kinds: Vec<_> = first.concerns.iter().map(|concern| concern.kind).collect();
    kinds.dedup();
    kinds
}

fn function(signature: &str, arguments: &[Address]) -> Bytes {
    let (selector, _) = selector_of(signature).unwrap();
    let words = arguments.iter().flat_map(|address| address.into_word().0);
    selector.0.into_iter().chain(words).collect()
}

fn call(to: Address, data: Bytes) -> SafeTransaction {
    SafeTransaction::call(to, data, U256::from(7))
}

fn delegated(to: Address, data: Bytes) -> SafeTransaction {
    SafeTransaction { operation: Operation::DelegateCall, ..call(to, data) }
}

/// Several calls, of any operation.
fn batch(parts: &[(u8, Address, Bytes)]) -> Bytes {
    let mut inner = Vec::new();
    for (operation, to, data) in parts {
        inner.push(*operation);
        inner.extend_from_slice(to.as_slice());
        inner.extend_from_slice(&[0; 32]);
        inner.extend_from_slice(&U256::from(data.len()).to_be_bytes::<32>());
        inner.extend_from_slice(data);
    }
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    [&multi_send::MULTI_SEND[..], &word(32), &word(inner.len()), &inner].concat().into()
}

/// What is plain gives nobody anything to look at, however its owners signed it, from either version of the service.
#[test]
fn plain_transactions_are_quiet() {
    let payment = payment(7);
    let hash = hash(&payment);
    let signatures = [signed(&key(0), hash, false), signed(&key(1), hash, true)];
    let mut first = queued(&payment, &signatures);
    let [one] = &reviewed(&[first.clone()])[..] else { panic!("one") };
    assert!(one.concerns.is_empty(), "{one:?}");
    assert_eq!((one.safe_tx_hash, one.claimed, one.nonce), (hash, hash, U256::from(7)));
    assert_eq!(one.signed, [key(0).address(), key(1).address()].into());
    assert_eq!(one.calls, [Call { to: PAYEE, value: U256::from(5), what: "a transfer of value".to_owned() }]);
    for (field, number) in [("safeTxGas", 0), ("baseGas", 0), ("nonce", 7)] {
        first[field] = json!(number);
    }
    assert_eq!(reviewed(&[first.clone()]), reviewed(&[queued(&payment, &signatures)]));
    assert_eq!(review(&safe(), &queue(first.to_string().as_bytes()).unwrap()).len(), 1, "one alone");

    let deposit = function("deposit(address)", &[PAYEE]);
    for quiet in [
        call(VAULT, deposit.clone()),
        call(PAYEE, function("transferOwnership(address)", &[PAYEE])),
        SafeTransaction::rejection(safe().safe, U256::from(7)),
        delegated(CALL_ONLY[2], batch(&[(0, PAYEE, Bytes::new()), (0, VAULT, deposit.clone())])),
        delegated(Address::repeat_byte(0xca), batch(&[(0, PAYEE, Bytes::new())])),
    ] {
        assert!(kinds(&[queued(&quiet, &[])]).is_empty(), "{quiet:?}");
    }
}

/// Each thing that an owner must look at has its name.
#[test]
fn what_is_to_be_looked_at_has_a_name() {
    let own = safe().safe;
    let other = Address::repeat_byte(9);
    let upgrade = function("upgradeTo(address)", &[other]);
    let packed = |parts: &[(u8, Address, Bytes)]| delegated(CALL_ONLY[0], batch(parts));
    let refund = SafeTransaction { gas_price: U256::from(1), refund_receiver: other, ..payment(7) };
    for (transaction, expected) in [
        (delegated(other, Bytes::from_static(&[1, 2, 3, 4])), &["delegate-call"][..]),
        (delegated(other, batch(&[(0, VAULT, upgrade.clone())])), &["authority", "delegate-call"]),
        (delegated(CALL_ONLY[1], Bytes::from_static(&[1, 2, 3, 4])), &["not-packed"]),
        (packed(&[(0, PAYEE, Bytes::new()), (1, other, Bytes::new())]), &["delegate-call"]),
        (call(own, function("addOwnerWithThreshold(address,uint256)", &[other, other])), &["changes-safe"]),
        (call(own, function("setModuleGuard(address)", &[other])), &["changes-safe"]),
        (call(own, Bytes::from_static(&[1])), &["changes-safe"]),
        (packed(&[(0, own, function("enableModule(address)", &[other]))]), &["changes-safe"]),
        (call(VAULT, upgrade.clone()), &["authority"]),
        (call(other, function("upgrade(address,address)", &[VAULT, other])), &["authority"]),
        (packed(&[(0, PAYEE, Bytes::new()), (0, VAULT, upgrade)]), &["authority"]),
        (packed(&vec![(0, PAYEE, Bytes::new()); CALLS_MAX + 1]), &["too-long"]),
        (refund, &["refund"]),
    ] {
        assert_eq!(kinds(&[queued(&transaction, &[])]), expected, "{transaction:?}");
    }
    let mut lied = queued(&payment(7), &[]);
    lied["to"] = json!(other);
    assert_eq!(kinds(&[lied.clone()]), ["hash-differs"], "the fields are others than those that were hashed");
    lied["safe"] = json!(other);
    assert_eq!(kinds(&[lied]), ["hash-differs", "other-safe"]);
}

/// A signature counts where it is one of an owner over this very hash; any other is named.
#[test]
fn decoy_signatures_are_named() {
    let payment = payment(7);
    let hash = hash(&payment);
    let sound = signed(&key(0), hash, false);
    let by = |owner: Address, of: Value| json!({ "owner": owner, "signature": of["signature"] });
    let approved = |of: Address| [of.into_word().as_slice(), &[0; 32], &[1]].concat();
    let first = key(0).address();
    for (confirmation, expected) in [
        (signed(&key(3), hash, false), Some("that is no owner")),
        (by(first, signed(&key(3), hash, false)), Some("or over something else")),
        (signed(&key(0), B256::repeat_byte(1), false), Some("or over something else")),
        (by(key(1).address(), sound.clone()), Some("or over something else")),
        (confirmation(first, &[]), Some("is no signature")),
        (confirmation(first, &[0xff; 65]), Some("is no signature")),
        (confirmation(first, &[[2; 64].as_slice(), &[29]].concat()), Some("is no signature")),
        (json!({ "owner": first, "signature": null }), Some("is no signature")),
        (confirmation(first, &approved(key(1).address())), Some("stands for")),
        (sound.clone(), None),
    ] {
        let [one] = &reviewed(&[queued(&payment, &[confirmation])])[..] else { panic!("one") };
        let texts: Vec<&str> = one.concerns.iter().map(|concern| concern.text.as_str()).collect();
        assert_eq!(
            one.concerns.iter().any(|concern| concern.kind == "decoy-signature"),
            expected.is_some(),
            "{texts:?}"
        );
        assert!(texts.concat().contains(expected.unwrap_or_default()), "{texts:?}");
        assert_eq!(one.signed.is_empty(), expected.is_some());
    }
    assert_eq!(kinds(&[queued(&payment, &[sound.clone(), sound.clone()])]), ["decoy-signature"], "once more");
    assert_eq!(kinds(&[queued(&payment, &[confirmation(first, &approved(first))])]), ["unseen-approval"]);
    let many = vec![sound; SIGNATURES_MAX + 1];
    assert_eq!(kinds(&[queued(&payment, &many)]), ["decoy-signature", "too-long"]);
    let stranger = WatchedSafe { owners: BTreeSet::new(), ..safe() };
    let strange = queue(&page(&[queued(&payment, &[signed(&key(3), hash, false)])])).unwrap();
    let [one] = &review(&stranger, &strange)[..] else { panic!("one") };
    assert!(
        one.concerns.is_empty() && one.signed == [key(3).address()].into(),
        "whoever owns it is not known: {one:?}"
    );
}

/// Two that want the same nonce are told of each other; a rejection is how people take one back.
#[test]
fn one_nonce_is_for_one() {
    let (first, other) = (payment(7), SafeTransaction { value: U256::from(6), ..payment(7) });
    let rejection = SafeTransaction::rejection(safe().safe, U256::from(7));
    let all = |of: &[&SafeTransaction]| of.iter().map(|one| queued(one, &[])).collect::<Vec<_>>();
    assert!(kinds(&all(&[&first, &rejection, &payment(8)])).is_empty());
    assert!(kinds(&all(&[&rejection, &first, &other])).is_empty(), "a rejection is no rival");
    assert!(kinds(&all(&[&first, &first])).is_empty(), "the same one");
    let found = reviewed(&all(&[&first, &rejection, &other]));
    let [first, _, other] = &found[..] else { panic!("three") };
    for (one, rival) in [(first, other), (other, first)] {
        let [concern] = &one.concerns.iter().collect::<Vec<_>>()[..] else { panic!("{one:?}") };
        assert!(concern.kind == "nonce-conflict" && concern.text.contains(&rival.safe_tx_hash.to_string()));
    }
}

/// What is no queue is refused by name.
#[test]
fn no_queue_has_a_name() {
    let changed = |field: &str, value: Value| {
        let mut one = queued(&payment(7), &[]);
        one[field] = value;
        page(&[one])
    };
    for (text, expected) in [
        (Vec::new(), "no answer of a Safe transaction service"),
        (b"[1]".to_vec(), "no answer"),
        (b"{\"results\": {}}".to_vec(), "no answer"),
        (b"[".repeat(100_000), "no answer"),
        (changed("to", json!("0x51")), "no answer"),
        (changed("value", json!("1e18")), "not in decimal digits"),
        (changed("value", json!("")), "not in decimal digits"),
        (changed("value", json!("9".repeat(78))), "no answer"),
        (changed("nonce", json!(-1)), "no answer"),
        (changed("data", json!("0x5")), "no answer"),
        (changed("operation", json!(2)), "operation 2"),
        (page(&vec![queued(&payment(7), &[]); service::QUEUE_MAX + 1]), "at most 100"),
    ] {
        let error = queue(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(queue(&changed("isExecuted", json!(true))).unwrap().is_empty(), "it waits no more");
    assert!(queue(&page(&[])).unwrap().is_empty());
}
