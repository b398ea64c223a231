//! Each fact about the own log that is checked before the own keys are used, and what breaks it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use ed25519_dalek::{Signer, SigningKey};
use watchfire_journal::Position;
use watchfire_types::body::{Certificate, Human, HumanStatement, Veto};
use watchfire_types::{
    Address, BlockRef, BlockTime, CharterVersion, Epoch, EventHash, IncidentId, SafeTransaction, SafeVersion,
    StepIndex, Timestamp, Unverified,
};

use super::*;

const SEQ: Seq = Seq::new(3);

fn charter() -> Charter {
    watchfire_charter::parse(include_str!("../../../charter/tests-data/drill.charter.toml")).unwrap().0
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn author(key: &SigningKey) -> MemberKey {
    MemberKey::from_bytes(key.verifying_key().to_bytes())
}

fn event(body: Body) -> Event {
    Event {
        network: charter().network_id(),
        author: author(&key()),
        epoch: Epoch::from_bytes([1; 16]),
        seq: SEQ,
        prev: EventHash::from_bytes([7; 32]),
        time: Timestamp::from_millis(1),
        body,
    }
}

fn note() -> Body {
    let human = Human { person: "p1".into(), role: "lead".into(), reason: "seen".into() };
    Body::Note(HumanStatement { incident: IncidentId::from_bytes([2; 32]), human })
}

fn sealed(event: &Event, key: &SigningKey) -> Unverified {
    watchfire_wire::seal(event, |input| key.sign(input).to_bytes()).unwrap()
}

fn verified(body: Body) -> Verified<Event> {
    sealed(&event(body), &key()).verify(charter().network_id()).unwrap()
}

fn decision(playbook: &str) -> Decision {
    let version = CharterVersion::new(1);
    Decision { version, asset: "vault-core".parse().unwrap(), playbook: playbook.parse().unwrap() }
}

/// A guard that saw one certificate for this purpose, and its digest. What the votes inside say is the protocol's concern.
fn seen(purpose: Purpose) -> (Guard, B256) {
    let human = Human { person: "p1".into(), role: "lead".into(), reason: "seen".into() };
    let veto = Veto { decision: decision("contain-vault"), head: block(), act: block(), human };
    let votes = vec![verified(Body::Veto(veto)).to_unverified()];
    let certificate = Certificate { decision: decision("contain-vault"), purpose, votes };
    let digest = content_digest(&certificate, charter().network_id());
    let mut guard = Guard::default();
    guard.saw(&verified(Body::Certificate(certificate)));
    (guard, digest)
}

fn draft(transaction: SafeTransaction, authority: Authority) -> CoSignDraft {
    let charter = charter();
    let safe = charter.safes.values().next().unwrap();
    let safe_tx_hash = transaction.hashes(safe.version, safe.chain.get(), safe.address).safe_tx_hash;
    CoSignDraft {
        version: charter.version,
        authority,
        chain: safe.chain,
        safe: safe.address,
        safe_version: safe.version,
        transaction,
        safe_tx_hash,
        omitted: BTreeSet::new(),
        agreed: block(),
    }
}

fn block() -> BlockRef {
    let chain = *charter().chains.keys().next().unwrap();
    BlockRef { chain, number: 1, hash: B256::ZERO, time: BlockTime::from_secs(1) }
}

fn step(certificate: B256, step: u8) -> Authority {
    Authority::Step { decision: decision("contain-vault"), step: StepIndex::new(step), certificate }
}

/// The transaction of one of the charter's steps, each of which makes one call.
fn made(playbook: &str, step: usize) -> SafeTransaction {
    let charter = charter();
    let action = &charter.playbooks[&playbook.parse().unwrap()].steps[step - 1].actions[0];
    SafeTransaction::call(action.target, action.calldata.clone(), U256::from(7))
}

fn call() -> SafeTransaction {
    made("contain-vault", 2)
}

fn rejection() -> SafeTransaction {
    SafeTransaction::rejection(charter().safes.values().next().unwrap().address, U256::from(7))
}

/// A position of this epoch is used once.
#[test]
fn a_taken_position_is_not_used_again() {
    let mut index = Index::default();
    assert_eq!(Guard::position(&event(note()), &index), Ok(()));
    index.insert(&verified(note()), Position::START);
    assert_eq!(Guard::position(&event(note()), &index), Err(Violation::PositionTaken { seq: SEQ }));
    let elsewhere = Event { epoch: Epoch::from_bytes([2; 16]), ..event(note()) };
    assert_eq!(Guard::position(&elsewhere, &index), Ok(()), "another epoch's positions are its own");
}

/// What is signed is what the rules computed.
#[test]
fn a_hash_that_differs_is_not_signed() {
    let (guard, digest) = seen(Purpose::Step(StepIndex::new(2)));
    let sound = draft(call(), step(digest, 2));
    assert_eq!(guard.co_signature(&sound, &charter()), Ok(()));
    let other_nonce = SafeTransaction { nonce: U256::from(8), ..call() };
    let other_version = SafeVersion { major: 1, minor: 1, patch: 1 };
    for wrong in [
        CoSignDraft { transaction: other_nonce, ..sound.clone() },
        CoSignDraft { safe: Address::repeat_byte(2), ..sound.clone() },
        CoSignDraft { safe_version: other_version, ..sound.clone() },
    ] {
        let refused = guard.co_signature(&wrong, &charter());
        assert!(matches!(refused, Err(Violation::HashDiffers { stated, .. }) if stated == sound.safe_tx_hash));
    }
}

/// No value, gas, refund, foreign delegate call or call of the Safe to itself is ever signed, under whatever certificate.
#[test]
fn some_transactions_are_never_signed() {
    let (guard, digest) = seen(Purpose::Step(StepIndex::new(2)));
    let (one, any) = (U256::from(1), Address::repeat_byte(9));
    let never = [
        SafeTransaction { value: one, ..call() },
        SafeTransaction { safe_tx_gas: one, ..call() },
        SafeTransaction { base_gas: one, ..call() },
        SafeTransaction { gas_price: one, ..call() },
        SafeTransaction { gas_token: any, ..call() },
        SafeTransaction { refund_receiver: any, ..call() },
        SafeTransaction { operation: Operation::DelegateCall, ..call() },
        SafeTransaction { data: call().data, ..rejection() },
    ];
    for transaction in never {
        let draft = draft(transaction, step(digest, 2));
        let refused = Err(Violation::NeverSigned { safe_tx_hash: draft.safe_tx_hash });
        assert_eq!(guard.co_signature(&draft, &charter()), refused, "{:?}", draft.transaction);
    }
}

/// Under whatever certificate, a step's authority makes one transaction: no other target, function, argument or step's call passes, nor
/// anything foreign among the calls that the pinned MultiSendCallOnly makes, and a rejection makes none of them.
#[test]
fn only_what_the_charter_makes_is_signed() {
    let (guard, digest) = seen(Purpose::Step(StepIndex::new(2)));
    let foreign = |charter: &Charter, draft: &CoSignDraft| {
        let refused = guard.co_signature(draft, charter);
        let safe_tx_hash = draft.safe_tx_hash;
        assert!(
            matches!(refused, Err(Violation::NotTheCharters { safe_tx_hash: of, .. }) if of == safe_tx_hash),
            "{draft:?}"
        );
    };
    let charter = charter();
    for transaction in [
        SafeTransaction { to: Address::repeat_byte(0x11), ..call() },
        SafeTransaction { data: made("recover-vault", 1).data, ..call() },
        SafeTransaction { data: [&call().data[..], &[0]].concat().into(), ..call() },
        made("contain-vault", 1),
        rejection(),
    ] {
        foreign(&charter, &draft(transaction, step(digest, 2)));
    }
    foreign(&charter, &draft(call(), step(digest, 3)));
    foreign(&charter, &CoSignDraft { omitted: BTreeSet::from([0]), ..draft(call(), step(digest, 2)) });
    let cancelled = Authority::RejectionCancelled { decision: decision("contain-vault"), certificate: digest };
    foreign(&charter, &draft(call(), cancelled));

    let mut two = charter.clone();
    let code = watchfire_charter::PinnedCode { address: Address::repeat_byte(0x55), code_hash: B256::ZERO };
    two.chains.values_mut().for_each(|chain| chain.multi_send_call_only = Some(code));
    let playbook = two.playbooks.get_mut(&"contain-vault".parse().unwrap()).unwrap();
    let narrow = playbook.steps[0].actions[0].clone();
    playbook.steps[1].actions.push(narrow);
    let packed = |calls: &[SafeTransaction]| {
        let data = watchfire_types::multi_send::pack(calls.iter().map(|call| (call.to, &*call.data)));
        let mut packed = SafeTransaction::call(code.address, data, U256::from(7));
        packed.operation = Operation::DelegateCall;
        draft(packed, step(digest, 2))
    };
    let (pause, limit) = (call(), made("contain-vault", 1));
    assert_eq!(guard.co_signature(&packed(&[pause.clone(), limit.clone()]), &two), Ok(()));
    for calls in [vec![pause.clone()], vec![limit.clone(), pause.clone()], vec![pause, limit, made("recover-vault", 1)]]
    {
        foreign(&two, &packed(&calls));
    }
}

/// A signature rests on a certificate that the log holds, for that decision, and for that step or a wider one.
#[test]
fn a_certificate_must_be_held_and_cover() {
    let not_held = |digest| Err(Violation::CertificateNotHeld { digest });
    let (guard, digest) = seen(Purpose::Step(StepIndex::new(1)));
    let narrow = made("contain-vault", 1);
    assert_eq!(guard.co_signature(&draft(narrow.clone(), step(digest, 1)), &charter()), Ok(()));
    assert_eq!(guard.co_signature(&draft(call(), step(digest, 2)), &charter()), not_held(digest), "a wider step");
    let unknown = B256::repeat_byte(5);
    assert_eq!(guard.co_signature(&draft(narrow.clone(), step(unknown, 1)), &charter()), not_held(unknown));
    let other = Authority::Step { decision: decision("recover-vault"), step: StepIndex::new(1), certificate: digest };
    let recovery = draft(made("recover-vault", 1), other);
    assert_eq!(guard.co_signature(&recovery, &charter()), not_held(digest), "another decision");
    let decision = decision("contain-vault");
    let cancelled = Authority::RejectionCancelled { decision: decision.clone(), certificate: digest };
    assert_eq!(guard.co_signature(&draft(rejection(), cancelled), &charter()), not_held(digest), "cancels nothing");
    let before = Authority::RejectionBeforeRecovery { decision: decision.clone(), certificate: digest };
    assert_eq!(guard.co_signature(&draft(rejection(), before), &charter()), Ok(()));

    let (guard, digest) = seen(Purpose::Cancel);
    let cancelled = Authority::RejectionCancelled { decision: decision.clone(), certificate: digest };
    assert_eq!(guard.co_signature(&draft(rejection(), cancelled), &charter()), Ok(()));
    let before = Authority::RejectionBeforeRecovery { decision, certificate: digest };
    assert_eq!(guard.co_signature(&draft(rejection(), before), &charter()), not_held(digest));
    assert_eq!(guard.co_signature(&draft(narrow, step(digest, 1)), &charter()), not_held(digest));
}

/// An own event verifies under the charter's key, or is not made.
#[test]
fn an_own_signature_that_others_refuse_is_noticed() {
    let (network, own) = (charter().network_id(), author(&key()));
    let refused = |event: &Event, signer: &SigningKey| own_signature(sealed(event, signer), network, own).err();
    assert_eq!(refused(&event(note()), &key()), None);
    let stranger = SigningKey::from_bytes(&[2; 32]);
    let bad = |author| Some(Violation::OwnSignature { cause: VerifyError::BadSignature { author } });
    assert_eq!(refused(&event(note()), &stranger), bad(own), "signed with another key");
    let claimed = Event { author: author(&stranger), ..event(note()) };
    assert_eq!(refused(&claimed, &stranger), bad(author(&stranger)), "sound, but another member's");
}
