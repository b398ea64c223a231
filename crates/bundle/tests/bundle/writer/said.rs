//! What is signed, and how: forms, signatures, certificates, co-signatures, words about words.

use super::*;

/// All of them.
pub(super) fn mutations() -> Vec<Mutation> {
    [forms(), signatures(), certificates(), co_signatures()].into_iter().flatten().collect()
}

fn sealed(author: &Author, event: &Event) -> Unverified {
    watchfire_wire::seal(event, |input| author.key.sign(input).to_bytes()).unwrap()
}

/// The story's certificate.
fn certificate(story: &Story) -> Certificate {
    story.authors[0]
        .log
        .iter()
        .find_map(|event| if let Body::Certificate(found) = &event.body { Some(found.clone()) } else { None })
        .unwrap()
}

/// The story's co-signature of one author.
fn co_signature(story: &Story, index: usize) -> CoSignature {
    story.authors[index]
        .log
        .iter()
        .find_map(|event| if let Body::CoSignature(found) = &event.body { Some(found.clone()) } else { None })
        .unwrap()
}

/// The fifth author carries the story's certificate with votes that are changed.
fn certifies(what: &'static str, change: impl FnOnce(&Story, &mut Certificate)) -> Mutation {
    told(what, Fails("certificate"), |story| {
        let mut certificate = certificate(story);
        change(story, &mut certificate);
        story.authors[4].says(Body::Certificate(certificate));
    })
}

/// A vote of the story in other words, signed by its author.
fn revoted(story: &Story, index: usize, change: impl FnOnce(&mut Vote, &mut Event)) -> Unverified {
    let author = &story.authors[index];
    let voted = author.log.iter().find(|event| matches!(event.body, Body::Vote(_))).unwrap();
    let mut event = Event::clone(voted);
    let Body::Vote(mut vote) = event.body.clone() else { panic!("{event:?}") };
    change(&mut vote, &mut event);
    sealed(author, &Event { body: Body::Vote(vote), ..event })
}

/// The fifth author carries a co-signature of the story, changed.
fn co_signs(what: &'static str, seen: Seen, change: impl FnOnce(&mut Story, &mut CoSignature)) -> Mutation {
    told(what, seen, |story| {
        let mut signature = co_signature(story, 0);
        change(story, &mut signature);
        story.authors[4].says(Body::CoSignature(signature));
    })
}

/// Encodings and signatures.
fn forms() -> Vec<Mutation> {
    vec![
        raw("bytes after the last field", Fails("format"), |body| [body, vec![0]].concat()),
        raw("a field that nobody knows", Fails("format"), |body| [body, vec![0x7a, 0]].concat()),
        raw("a longer form of a length", Fails("format"), |body| [&[0x0a, 0xa0, 0x00][..], &body[2..]].concat()),
        raw("a field with its default", Fails("format"), |body| [body, vec![0x4a, 0]].concat()),
        raw("no body", Fails("format"), |_| Vec::new()),
        edited(
            "a signed event with a field that nobody knows",
            Fails("signature"),
            of(|_, said| [said.outer(), &[0x1a, 0][..]].concat().into()),
        ),
        edited(
            "a signed event in a longer form",
            Fails("signature"),
            of(|_, said| {
                let outer = said.outer();
                // The first length takes two bytes: here it takes three.
                [&outer[..2], &[outer[2] | 0x80, 0], &outer[3..]].concat().into()
            }),
        ),
    ]
}

/// What is changed of one signed event, everywhere that it stands.
fn of(change: fn(&Author, &Verified<Event>) -> Bytes) -> impl FnOnce(&mut Bundle) {
    move |bundle| {
        let story = Story::whole();
        let said = &story.authors[3].log[1];
        replaced(bundle, said.outer(), &change(&story.authors[3], said));
    }
}

/// Signatures and who they are of.
fn signatures() -> Vec<Mutation> {
    vec![
        edited(
            "the other form of a signature",
            Fails("signature"),
            of(|_, said| instead(said.outer(), &[2], &plus_order(&content(said.outer(), 2))).into()),
        ),
        edited(
            "a signature of small order",
            Fails("signature"),
            of(|_, said| {
                let mut weak = [0; 64];
                weak[0] = 1;
                instead(said.outer(), &[2], &weak).into()
            }),
        ),
        edited(
            "an event of nobody in the charter",
            Fails("signature"),
            of(|_, said| {
                let key = SigningKey::from_bytes(&[9; 32]);
                let author = MemberKey::from_bytes(key.verifying_key().to_bytes());
                let event = Event { author, ..Event::clone(said) };
                watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).unwrap().outer().clone()
            }),
        ),
        edited(
            "an event of another network",
            Fails("signature"),
            of(|author, said| {
                sealed(author, &Event { network: NetworkId::from_bytes([7; 32]), ..Event::clone(said) }).outer().clone()
            }),
        ),
        edited(
            "an event with two bodies",
            Fails("signature"),
            of(|author, said| {
                let event = content(said.outer(), 1);
                let twice = [event.clone(), event[event.len() - body_length(&event)..].to_vec()].concat();
                author.odd_event(&twice)
            }),
        ),
        edited(
            "an event signed for another purpose",
            Fails("signature"),
            of(|author, said| {
                let event = content(said.outer(), 1);
                let signature =
                    author.key.sign(&domain::signing_input(domain::CERTIFICATE, author.network, &event)).to_bytes();
                instead(said.outer(), &[2], &signature).into()
            }),
        ),
    ]
}

/// R and S + L of an Ed25519 signature: the same point, which a lenient verifier takes.
fn plus_order(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut changed = signature.to_vec();
    let mut carry = 0_u16;
    for (byte, order) in changed[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (u8::try_from(sum & 0xff).unwrap(), sum >> 8);
    }
    changed
}

/// Bytes of an event from its body's field on.
fn body_length(event: &[u8]) -> usize {
    // network, author, epoch, seq, prev and time stand before it.
    let at = (0..event.len()).find(|at| event[*at..].starts_with(&[0x8a, 0x01])).unwrap();
    event.len() - at
}

/// Certificates.
fn certificates() -> Vec<Mutation> {
    vec![
        certifies("a certificate below its quorum", |_, c| drop(c.votes.pop())),
        certifies("one organisation's vote twice", |_, c| c.votes[1] = c.votes[0].clone()),
        certifies("votes in another order", |_, c| c.votes.swap(0, 1)),
        certifies("a vote of nobody in the charter", |_, c| {
            let key = SigningKey::from_bytes(&[9; 32]);
            let author = MemberKey::from_bytes(key.verifying_key().to_bytes());
            let event = Event { author, ..c.votes[2].event().clone() };
            c.votes[2] = watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).unwrap();
        }),
        certifies("a vote with another's signature", |story, c| {
            let outer = instead(c.votes[2].outer(), &[2], &content(story.authors[1].log[2].outer(), 2));
            c.votes[2] = opened(&outer.into());
        }),
        certifies("a vote moved from another incident", |story, c| {
            c.votes[2] = revoted(story, 2, |vote, _| vote.evidence = block(900));
        }),
        certifies("a vote moved from another playbook", |story, c| {
            let other = Decision { playbook: "other".parse().unwrap(), ..decision() };
            c.votes[2] = revoted(story, 2, |vote, _| vote.decision = other);
        }),
        certifies("a vote moved from another charter version", |story, c| {
            let other = Decision { version: CharterVersion::new(2), ..decision() };
            c.votes[2] = revoted(story, 2, |vote, _| vote.decision = other);
        }),
        certifies("a vote moved from another network", |story, c| {
            c.votes[2] = revoted(story, 2, |_, event| event.network = NetworkId::from_bytes([7; 32]));
        }),
        certifies("a vote about another chain", |story, c| {
            c.votes[2] = revoted(story, 2, |vote, _| vote.evidence.chain = watchfire_types::ChainId::new(1));
        }),
        certifies("a vote for a narrower step", |story, c| {
            c.votes[2] = revoted(story, 2, |vote, _| vote.step = StepIndex::new(1));
        }),
        certifies("a vote by another's operator", |story, c| {
            c.votes[2] = revoted(story, 2, |vote, _| vote.operator = "op-alder".parse().unwrap());
        }),
        certifies("a step that there is not", |story, c| {
            c.purpose = Purpose::Step(StepIndex::new(3));
            c.votes = (0..3).map(|index| revoted(story, index, |vote, _| vote.step = StepIndex::new(3))).collect();
        }),
        certifies("votes as vetoes", |_, c| c.purpose = Purpose::Cancel),
    ]
}

/// Co-signatures, and words about words.
fn co_signatures() -> Vec<Mutation> {
    vec![
        co_signs("a co-signature by nobody's key", Fails("co-signature"), |_, signed| signed.signature[5] ^= 1),
        co_signs("a co-signature with the other s", Fails("co-signature"), |_, signed| {
            let order =
                U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
            let other = order - U256::from_be_slice(&signed.signature[32..64]);
            signed.signature[32..64].copy_from_slice(&other.to_be_bytes::<32>());
            signed.signature[64] = 55 - signed.signature[64];
        }),
        co_signs("a co-signature for another call", Fails("co-signature"), |story, signed| {
            signed.transaction.data = Bytes::from_static(b"\x8d\xa5\xcb\x5b");
            story.authors[0].signs(signed, &story.charter);
        }),
        co_signs("a co-signature that pays", Fails("co-signature"), |story, signed| {
            signed.transaction.value = U256::from(1);
            story.authors[0].signs(signed, &story.charter);
        }),
        co_signs("a co-signature that omits what is not there", Fails("co-signature"), |_, signed| {
            signed.omitted.insert(7);
        }),
        co_signs("a co-signature agreed on another chain", Fails("co-signature"), |_, signed| {
            signed.agreed.chain = watchfire_types::ChainId::new(1);
        }),
        co_signs("a co-signature under a narrower certificate", Open("authority"), |story, signed| {
            let narrow = Certificate { purpose: Purpose::Step(StepIndex::new(1)), ..certificate(story) };
            let digest = content_digest(&narrow, story.charter.network_id());
            story.authors[4].says(Body::Certificate(narrow));
            signed.authority = Authority::Step { decision: decision(), step: StepIndex::new(2), certificate: digest };
        }),
        co_signs("a rejection under a step's certificate", Open("authority"), |story, signed| {
            let certificate = content_digest(&certificate(story), story.charter.network_id());
            signed.authority = Authority::RejectionCancelled { decision: decision(), certificate };
            let nonce = signed.transaction.nonce;
            signed.transaction = watchfire_types::SafeTransaction::rejection(signed.safe, nonce);
            story.authors[0].signs(signed, &story.charter);
        }),
        told("a vote on another's finding", Open("reference"), |story| {
            let basis = Basis::Finding(story.authors[0].log[1].hash());
            let Body::Vote(vote) = &story.authors[0].log[2].body else { panic!("no vote") };
            let vote = Vote { basis, operator: "op-elm".parse().unwrap(), ..vote.clone() };
            story.authors[4].says(Body::Vote(vote));
        }),
        told("a vote on what is no finding", Open("reference"), |story| {
            let basis = Basis::Finding(story.authors[4].log[1].hash());
            let Body::Vote(vote) = &story.authors[0].log[2].body else { panic!("no vote") };
            let vote = Vote { basis, operator: "op-elm".parse().unwrap(), ..vote.clone() };
            story.authors[4].says(Body::Vote(vote));
        }),
        told("a retraction of another's words", Open("reference"), |story| {
            let event: EventHash = story.authors[0].log[1].hash();
            story.authors[4].says(Body::Retracted(Retracted { event, orphaned: block(100) }));
        }),
    ]
}
