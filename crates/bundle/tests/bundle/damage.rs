//! Files that were cut, flipped or made up.

use proptest::prelude::*;
use watchfire_bundle::verify;
use watchfire_types::Bytes;
use watchfire_wire::bundle::{BUNDLE_MAGIC, Bundle, BundleError};

use crate::fixture::{framed, whole};

/// A bundle of one vote and little else: small enough to flip each of its bits.
fn small() -> Bytes {
    let mut bundle = Bundle::decode(&whole()).unwrap();
    bundle.charters[0].canonical = Bytes::from_static(b"{}");
    bundle.charters[0].toml = Bytes::new();
    bundle.segments.truncate(1);
    bundle.segments[0].events.truncate(1);
    bundle.further.clear();
    bundle.trees.clear();
    bundle.blocks.clear();
    bundle.objects.clear();
    bundle.encode().unwrap()
}

/// Every truncation is named as one, or as no bundle when nothing is left.
#[test]
fn every_truncation() {
    let file = whole();
    for length in 0..file.len() {
        match Bundle::decode(&file.slice(..length)) {
            Err(BundleError::Truncated { found, .. }) => assert_eq!(found, length),
            Err(BundleError::NotABundle) => assert_eq!(length, 0),
            other => panic!("{length}: {other:?}"),
        }
        if length % 257 == 0 {
            assert!(!verify(&file.slice(..length), None).holds);
        }
    }
    let longer: Bytes = [&file[..], &[0]].concat().into();
    assert_eq!(Bundle::decode(&longer), Err(BundleError::Trailing { more: 1 }));
}

/// Every single-bit flip of a bundle is refused: the last digest covers all, and stands itself against all.
#[test]
fn every_bit() {
    let file = small();
    let mut changed = file.to_vec();
    for bit in 0..file.len() * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        let report = verify(&Bytes::copy_from_slice(&changed), None);
        assert_eq!(report.first_failure.unwrap().name, "format", "bit {bit}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any bytes end in a report.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(!verify(&bytes.clone().into(), None).holds);
        prop_assert!(!verify(&framed(&bytes), None).holds);
    }
}

/// What of a bundle a flip cannot change without being seen.
fn weighty(mut bundle: Bundle) -> Bundle {
    bundle.software.clear();
    bundle.charters[0].toml = Bytes::new();
    for account in bundle.blocks.iter_mut().flat_map(|block| &mut block.accounts) {
        if account.value.is_empty() {
            account.address = Default::default();
        }
        for slot in account.slots.iter_mut().filter(|slot| slot.value.is_empty()) {
            slot.slot = Default::default();
        }
    }
    bundle
}

/// A block of another chain, or that no event names, is no part of the incident.
#[test]
fn a_block_nobody_names() {
    let mut bundle = Bundle::decode(&whole()).unwrap();
    for block in &mut bundle.blocks {
        block.chain = watchfire_types::ChainId::new(1);
    }
    let report = verify(&bundle.encode().unwrap(), None);
    assert_eq!(report.first_failure.unwrap().name, "header");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Flips below a digest made good again: each fails under some name, unless it lies in what nothing rests on (the name of the
    /// software, comments and blanks of the charter's document, a text of a charter nobody digests) or says something else that is
    /// true: the proof that a slot holds zero, or that there is no account, holds for its neighbours in the trie too.
    #[test]
    fn flips_below_a_good_digest(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let file = whole();
        let start = BUNDLE_MAGIC.len() + 8;
        let mut body = file[start..file.len() - 32].to_vec();
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let report = verify(&framed(&body), None);
        if report.holds {
            let (before, after) = (Bundle::decode(&file).unwrap(), Bundle::decode(&framed(&body)).unwrap());
            prop_assert_eq!(weighty(after), weighty(before), "a flip at {} counts for something and holds", at);
        }
    }
}
