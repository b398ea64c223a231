//! Calls within calls, by another encoder than ours: which are read, and what is made of data that lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Bytes, FixedBytes};
use alloy_sol_types::{SolCall, sol};
use proptest::prelude::*;

use super::*;

sol! {
    struct Plain { address target; bytes data; }
    struct Tolerant { address target; bool may; bytes data; }
    struct Paid { address target; bool may; uint256 value; bytes data; }
    function execTransaction(
        address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken,
        address refundReceiver, bytes signatures
    );
    function execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation);
    function execTransactionFromModuleReturnData(address to, uint256 value, bytes data, uint8 operation);
    function multiSend(bytes batch);
    function executeBatch(address[] to, uint256[] values, bytes[] data, bytes32 before, bytes32 salt);
    function relay(address to, uint256 value, bytes data);
    function executeTransaction(address to, uint256 value, string signature, bytes data, uint256 eta);
    function multicall(bytes[] data);
    function aggregate(Plain[] calls);
    function aggregate3(Tolerant[] calls);
    function aggregate3Value(Paid[] calls);
    function schedule(address to, uint256 value, bytes data, bytes32 before, bytes32 salt, uint256 delay);
    function scheduleBatch(address[] to, uint256[] values, bytes[] data, bytes32 before, bytes32 salt, uint256 delay);
    function queueTransaction(address to, uint256 value, string signature, bytes data, uint256 eta);
    function propose(address[] to, uint256[] values, bytes[] data, string why);
}
mod timelock {
    alloy_sol_types::sol! { function execute(address to, uint256 value, bytes data, bytes32 before, bytes32 salt); }
}
mod governor {
    alloy_sol_types::sol! { function execute(address[] to, uint256[] values, bytes[] data, bytes32 why); }
}
mod account {
    alloy_sol_types::sol! { function execute(address to, uint256 value, bytes data); }
}
mod manager {
    alloy_sol_types::sol! { function execute(address to, bytes data); }
}

const OUTER: Address = Address::repeat_byte(0x01);
const TARGET: Address = Address::repeat_byte(0x02);
const UPGRADE: &[u8] = b"\x36\x59\xcf\xe6and what it is upgraded to";

/// What the outermost call has inside, each with its data, where everything planned is read too.
fn within(input: &[u8]) -> Vec<(Address, Vec<u8>)> {
    let all = Call::of(OUTER, input).open(true).all();
    let input = |call: &Call<'_>| [call.selector.map_or(vec![], |of| of.0.to_vec()), call.arguments.to_vec()].concat();
    all.iter().skip(1).map(|call| (call.target, input(call))).collect()
}

fn safe(to: Address, data: &[u8]) -> Vec<u8> {
    let (zero, nobody, data) = (U256::ZERO, Address::ZERO, data.to_vec().into());
    execTransactionCall {
        to,
        value: zero,
        data,
        operation: 0,
        safeTxGas: zero,
        baseGas: zero,
        gasPrice: zero,
        gasToken: nobody,
        refundReceiver: nobody,
        signatures: Bytes::from_static(&[7; 65]),
    }
    .abi_encode()
}

fn batch(calls: &[(Address, &[u8])]) -> Vec<u8> {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    let one = |(to, data): &(Address, &[u8])| [&[0], &to[..], &word(3), &word(data.len()), data].concat();
    multiSendCall { batch: calls.iter().flat_map(one).collect::<Vec<_>>().into() }.abi_encode()
}

/// Every form in which one call can be wrapped, but for those that take it by its own contract.
fn every(to: Address, input: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let (data, value, word) = (Bytes::copy_from_slice(input), U256::from(5), FixedBytes::<32>::repeat_byte(9));
    let lists = || (vec![to], vec![value], vec![data.clone()]);
    let (one, of, many) = lists();
    let now = [
        safe(to, input),
        execTransactionFromModuleCall { to, value, data: data.clone(), operation: 0 }.abi_encode(),
        execTransactionFromModuleReturnDataCall { to, value, data: data.clone(), operation: 0 }.abi_encode(),
        batch(&[(to, input)]),
        timelock::executeCall { to, value, data: data.clone(), before: word, salt: word }.abi_encode(),
        executeBatchCall { to: one.clone(), values: of.clone(), data: many.clone(), before: word, salt: word }
            .abi_encode(),
        governor::executeCall { to: one.clone(), values: of.clone(), data: many.clone(), why: word }.abi_encode(),
        relayCall { to, value, data: data.clone() }.abi_encode(),
        executeTransactionCall { to, value, signature: String::new(), data: data.clone(), eta: value }.abi_encode(),
        account::executeCall { to, value, data: data.clone() }.abi_encode(),
        manager::executeCall { to, data: data.clone() }.abi_encode(),
        aggregateCall { calls: vec![Plain { target: to, data: data.clone() }] }.abi_encode(),
        aggregate3Call { calls: vec![Tolerant { target: to, may: true, data: data.clone() }] }.abi_encode(),
        aggregate3ValueCall { calls: vec![Paid { target: to, may: true, value, data: data.clone() }] }.abi_encode(),
    ];
    let later = [
        scheduleCall { to, value, data: data.clone(), before: word, salt: word, delay: value }.abi_encode(),
        scheduleBatchCall {
            to: one.clone(),
            values: of.clone(),
            data: many.clone(),
            before: word,
            salt: word,
            delay: value,
        }
        .abi_encode(),
        queueTransactionCall { to, value, signature: String::new(), data, eta: value }.abi_encode(),
        proposeCall { to: one, values: of, data: many, why: "because".to_owned() }.abi_encode(),
    ];
    now.map(|one| (false, one)).into_iter().chain(later.map(|one| (true, one))).collect()
}

#[test]
fn every_wrapper_is_read() {
    let forms = every(TARGET, UPGRADE);
    assert_eq!(forms.len() + 1, WRAPPERS.len(), "and multicall");
    for (planned, form) in forms {
        assert_eq!(within(&form), [(TARGET, UPGRADE.to_vec())], "{form:02x?}");
        let now = Call::of(OUTER, &form).open(false).all().len();
        assert_eq!(now, if planned { 1 } else { 2 }, "{form:02x?}");
    }
    let own = multicallCall { data: vec![UPGRADE.to_vec().into(), b"ab".to_vec().into()] }.abi_encode();
    assert_eq!(within(&own), [(OUTER, UPGRADE.to_vec()), (OUTER, vec![])]);
    let data = Bytes::from_static(b"arguments");
    let named = executeTransactionCall {
        to: TARGET,
        value: U256::ZERO,
        signature: "upgradeTo(address)".to_owned(),
        data,
        eta: U256::ZERO,
    };
    assert_eq!(within(&named.abi_encode()), [(TARGET, b"\x36\x59\xcf\xe6arguments".to_vec())]);
}

#[test]
fn what_is_wrapped_again_is_read_up_to_the_levels_that_there_are() {
    let other = Address::repeat_byte(0x03);
    let inner = safe(TARGET, UPGRADE);
    let two = batch(&[(other, b"lend"), (OUTER, &inner)]);
    let told: Vec<Address> = within(&safe(other, &two)).into_iter().map(|(to, _)| to).collect();
    assert_eq!(told, [other, other, OUTER, TARGET]);
    let deep = (0..6).fold(UPGRADE.to_vec(), |inside, _| safe(TARGET, &inside));
    assert_eq!(within(&deep).len(), DEPTH_MAX);
    assert_eq!(Call::of(OUTER, &inner).hash(), keccak256(&inner));
    assert!(Call::of(OUTER, &inner).may_fail_within() && !Call::of(OUTER, &two).may_fail_within());
}

/// Entries that all lead to the same bytes multiply with each level, and are read so often as they may be in all.
#[test]
fn a_tree_that_multiplies_is_cut() {
    let wide = |inside: &[u8]| {
        // One tail for all the heads.
        let count = 200_usize;
        let word = |number: usize| U256::from(number).to_be_bytes::<32>();
        let padded =
            [&word(inside.len())[..], inside, &vec![0; inside.len().next_multiple_of(32) - inside.len()]].concat();
        let mut data = [&selector(b"multicall(bytes[])").0[..], &word(32), &word(count)].concat();
        (0..count).for_each(|_| data.extend(word(count * 32)));
        [data, padded].concat()
    };
    assert_eq!(within(&wide(UPGRADE)).len(), 200);
    assert_eq!(within(&wide(&wide(&wide(UPGRADE)))).len(), LIST_MAX);
    assert_eq!(within(&batch(&vec![(TARGET, UPGRADE); LIST_MAX + 1])), [], "more than a list may have");
}

proptest! {
    #[test]
    fn data_that_lies_is_read_as_no_call(which in 0_usize..18, at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let (_, mut form) = every(TARGET, UPGRADE)[which].clone();
        let place = at.index(form.len());
        form[place] = byte;
        let whole = within(&form);
        prop_assert!(whole.len() <= LIST_MAX);
        form.truncate(cut.index(form.len()));
        prop_assert!(within(&form).len() <= LIST_MAX);
    }

    #[test]
    fn no_bytes_panic(which in 0..WRAPPERS.len(), input in prop::collection::vec(prop_oneof![Just(0_u8), Just(32), any::<u8>()], 0..700)) {
        let data = [&selector(WRAPPERS[which].0.as_bytes()).0[..], &input].concat();
        prop_assert!(within(&data).len() <= LIST_MAX);
    }
}
