#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Address, U256, b256, keccak256};
use alloy_sol_types::SolStruct;

use super::{SafeTransaction, SafeVersion, typed};

fn transaction() -> SafeTransaction {
    SafeTransaction::call(Address::repeat_byte(0x11), vec![0x84, 0x56, 0xcb, 0x59].into(), U256::from(7))
}

/// The type hash is the one that `Safe.sol` states as SAFE_TX_TYPEHASH.
#[test]
fn type_hash_is_the_contracts() {
    let struct_hash = typed::SafeTx {
        to: Address::ZERO,
        value: U256::ZERO,
        data: alloy_primitives::Bytes::new(),
        operation: 0,
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        nonce: U256::ZERO,
    };
    let expected = b256!("bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8");
    assert_eq!(struct_hash.eip712_type_hash(), expected);
}

/// Domain and message are hashed as the contract does by hand: `keccak256(abi.encode(typehash, fields))`.
#[test]
fn hashes_match_the_contracts_formula() {
    let tx = transaction();
    let safe = Address::repeat_byte(0x5a);
    let word = |value: u64| U256::from(value).to_be_bytes::<32>();
    let address = |address: Address| address.into_word().0;
    let hashes = tx.hashes(SafeVersion::LATEST, 31337, safe);
    let with_chain = keccak256("EIP712Domain(uint256 chainId,address verifyingContract)");
    assert_eq!(hashes.domain_hash, keccak256([with_chain.0, word(31337), address(safe)].concat()));
    let message = [
        b256!("bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8").0,
        address(tx.to),
        word(0),
        keccak256(&tx.data).0,
        word(0),
        word(0),
        word(0),
        word(0),
        address(Address::ZERO),
        address(Address::ZERO),
        word(7),
    ];
    assert_eq!(hashes.message_hash, keccak256(message.concat()));
    let old = tx.hashes("1.1.1".parse().unwrap(), 31337, safe);
    let without_chain = keccak256("EIP712Domain(address verifyingContract)");
    assert_eq!(old.domain_hash, keccak256([without_chain.0, address(safe)].concat()));
    assert_eq!(old.message_hash, hashes.message_hash);
    assert_ne!(old.safe_tx_hash, hashes.safe_tx_hash);
}

/// Golden bytes: changing what is signed is a reviewed act.
#[test]
fn golden() {
    let hash = transaction().hashes(SafeVersion::LATEST, 31337, Address::repeat_byte(0x5a)).safe_tx_hash;
    assert_eq!(hash, b256!("8f3fcfc6bcc1fe6dd3bdcd7cc16d8ebd388f25dc0bf6984b75125cb8df4b10e7"));
    let rejection = SafeTransaction::rejection(Address::repeat_byte(0x5a), U256::from(7));
    assert_eq!((rejection.to, rejection.value, rejection.data.len()), (Address::repeat_byte(0x5a), U256::ZERO, 0));
}

/// Versions before 1.0.0 and texts that are none are refused; suffixes of forks are not.
#[test]
fn versions() {
    for wrong in ["0.1.0", "1.3", "1.3.0.1", "latest", "", "1.300.0", "1.-1.0"] {
        assert!(wrong.parse::<SafeVersion>().is_err(), "{wrong}");
    }
    assert_eq!("1.3.0+L2".parse::<SafeVersion>().unwrap(), SafeVersion::WITH_CHAIN_ID);
    assert!(SafeVersion::WITH_CHAIN_ID > "1.2.0".parse().unwrap());
}
