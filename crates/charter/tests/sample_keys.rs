//! Prints keys.
#![allow(missing_docs, clippy::unwrap_used)]
#[test]
fn p() {
    for i in 1..=5u8 {
        let node = ed25519_dalek::SigningKey::from_bytes(&[i; 32]);
        println!("{} {}", i, hex::encode(node.verifying_key().to_bytes()));
    }
    for b in [0x11u8, 0x22, 0x33, 0x44, 0x55, 0x61, 0x62, 0x63, 0x64, 0x65] {
        let k = k256::ecdsa::SigningKey::from_slice(&[b; 32]).unwrap();
        println!("{b:x} {}", alloy_primitives::Address::from_private_key(&k).to_checksum(None));
    }
}
