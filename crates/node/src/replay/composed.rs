//! A step and one transaction after it in a single `eth_call`, for operators without `eth_simulateV1`.
//!
//! The call is the sender's to itself, with a program in place of the code that it does not have: it makes the step's calls, writes down what the asset holds, makes
//! the transaction's own call, and writes that down again. The step's Safe gets code that hands on what it is given, so that the called contract sees the Safe, and
//! the attacked one sees the sender. Only opcodes of Constantinople are used.
//!
//! It is poorer than a simulated block: each transaction is run alone, on the state, number and time of the block before; the Safe and the sender have code
//! meanwhile; and what is lost is what balances say, of the native coin and the tokens that the block's own transfers took from the asset.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use watchfire_evm::Assembly;
use watchfire_types::{Address, B256, Bytes, U256};

use super::told::{Coins, Made, Ran, Sent, bytes, digits};

/// Balances that are read before and after.
const READS_MAX: usize = 256;

/// What a Safe's code is meanwhile: it calls the address in the first word with the bytes after it, and answers, or reverts with, what that answers.
const HANDS_ON: [u8; 44] = [
    0x60, 0x20, 0x36, 0x03, // what is left of the input after a word
    0x60, 0x20, 0x60, 0x00, 0x37, // CALLDATACOPY to memory 0
    0x60, 0x00, 0x60, 0x00, 0x60, 0x20, 0x36, 0x03, 0x60, 0x00, 0x60,
    0x00, // no room for an answer, all of it as input, no value
    0x60, 0x00, 0x35, 0x5a, 0xf1, // GAS CALL of the first word
    0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e, // RETURNDATACOPY to memory 0
    0x60, 0x27, 0x57, // past the next line where it succeeded
    0x3d, 0x60, 0x00, 0xfd, // REVERT
    0x5b, 0x3d, 0x60, 0x00, 0xf3, // RETURN
];

/// The balances by which a loss is seen.
pub(super) struct Held {
    accounts: BTreeSet<Address>,
    /// The zero address is the native coin.
    coins: BTreeSet<Address>,
}

impl Held {
    /// Of these accounts; an error where it is too much.
    pub(super) fn of(accounts: &BTreeSet<Address>, tokens: BTreeSet<Address>) -> Result<Self, String> {
        let coins: BTreeSet<Address> = tokens.into_iter().chain([Address::ZERO]).collect();
        let (accounts, count) = (accounts.clone(), accounts.len().saturating_mul(coins.len()));
        if count > READS_MAX {
            return Err(format!("{count} balances would have to be read, and at most {READS_MAX} are"));
        }
        Ok(Self { accounts, coins })
    }

    fn reads(&self) -> impl Iterator<Item = (Address, Address)> {
        self.coins.iter().flat_map(|coin| self.accounts.iter().map(move |account| (*coin, *account)))
    }

    /// What is less, over all accounts.
    fn lost(&self, before: &[U256], after: &[U256]) -> Coins {
        let mut sums: BTreeMap<Address, (U256, U256)> = BTreeMap::new();
        for ((coin, _), (before, after)) in self.reads().zip(before.iter().zip(after)) {
            let (had, has) = sums.entry(coin).or_default();
            (*had, *has) = (had.saturating_add(*before), has.saturating_add(*after));
        }
        let lost = sums.into_iter().map(|(coin, (had, has))| (coin, had.saturating_sub(has)));
        lost.filter(|(_, lost)| !lost.is_zero()).collect()
    }
}

/// What came of one.
pub(super) struct Outcome {
    /// Of each call in front.
    pub(super) front: Vec<Ran>,
    /// Whether the transaction succeeded.
    pub(super) done: bool,
    /// What the asset holds less after it.
    pub(super) lost: Coins,
}

/// A program that writes one word after the other into memory and answers them.
struct Program {
    code: Assembly,
    /// Words written so far, and how many there will be: what lies above is scratch.
    words: usize,
    words_all: usize,
}

impl Program {
    fn scratch(&mut self) {
        self.code.push3(32 * self.words_all);
    }

    /// Copies these bytes to the scratch.
    fn load(&mut self, data: &Bytes) {
        self.code.push_data(data);
        self.scratch();
        self.code.op(&[0x39]); // CODECOPY
    }

    /// Takes the stack's top as the next word.
    fn keep(&mut self) {
        self.code.push3(32 * self.words);
        self.code.op(&[0x52]); // MSTORE
        self.words += 1;
    }

    /// Keeps whether it succeeded.
    fn call(&mut self, to: Address, value: U256, data: &Bytes) {
        self.load(data);
        self.code.op(&[0x60, 0, 0x60, 0]);
        self.code.push3(data.len());
        self.scratch();
        self.code.push32(value.into());
        self.code.push20(to);
        self.code.op(&[0x5a, 0xf1]); // GAS CALL
        self.keep();
    }

    /// Keeps whether anything was created.
    fn create(&mut self, value: U256, data: &Bytes) {
        self.load(data);
        self.code.push3(data.len());
        self.scratch();
        self.code.push32(value.into());
        self.code.op(&[0xf0, 0x15, 0x15]); // CREATE ISZERO ISZERO
        self.keep();
    }

    /// Keeps the hash of what the last call answered.
    fn answer(&mut self) {
        self.code.op(&[0x3d, 0x60, 0]);
        self.scratch();
        self.code.op(&[0x3e, 0x3d]); // RETURNDATACOPY RETURNDATASIZE
        self.scratch();
        self.code.op(&[0x20]); // KECCAK256
        self.keep();
    }

    /// Keeps what an account holds of a coin: nothing, where its contract does not say.
    fn balance(&mut self, coin: Address, account: Address) {
        if coin.is_zero() {
            self.code.push20(account);
            self.code.op(&[0x31]); // BALANCE
            return self.keep();
        }
        let data = [&[0x70, 0xa0, 0x82, 0x31][..], account.into_word().as_slice()].concat();
        self.load(&data.into());
        self.code.op(&[0x60, 0x20]);
        self.code.push3(32 * self.words);
        self.code.push3(36);
        self.scratch();
        self.code.push20(coin);
        self.code.op(&[0x5a, 0xfa]); // GAS STATICCALL
        // What a call that fails, or answers less, leaves there is no balance.
        self.code.op(&[0x60, 0x1f, 0x3d, 0x11, 0x16]); // PUSH1 31 RETURNDATASIZE GT AND
        self.code.push3(32 * self.words);
        self.code.op(&[0x51, 0x02]); // MLOAD MUL
        self.keep();
    }

    /// The code; nothing where it is longer than its offsets reach.
    fn finish(mut self) -> Option<Bytes> {
        self.code.push3(32 * self.words_all);
        self.code.op(&[0x60, 0, 0xf3]); // RETURN
        self.code.finish()
    }
}

fn words(front: &[Made], held: &Held) -> usize {
    2 * front.len() + 2 * held.reads().count() + 1
}

fn program(front: &[Made], sent: &Sent, held: &Held) -> Option<Bytes> {
    let mut program = Program { code: Assembly::default(), words: 0, words_all: words(front, held) };
    for made in front {
        match made.from {
            Some(safe) => {
                let data = [made.to.into_word().as_slice(), &made.data].concat();
                program.call(safe, U256::ZERO, &data.into());
            }
            None => program.call(made.to, U256::ZERO, &made.data),
        }
        program.answer();
    }
    let balances = |program: &mut Program| held.reads().for_each(|(coin, account)| program.balance(coin, account));
    balances(&mut program);
    let input = Bytes::from(bytes(&sent.input)?);
    match sent.to {
        Some(to) => program.call(to, sent.value, &input),
        None => program.create(sent.value, &input),
    }
    balances(&mut program);
    program.finish()
}

/// The parameters of the `eth_call`, at the block of this number.
pub(super) fn parameters(front: &[Made], sent: &Sent, held: &Held, number: u64) -> Result<Value, String> {
    let safes: BTreeSet<Address> = front.iter().filter_map(|made| made.from).collect();
    if safes.contains(&sent.from) {
        return Err("the step's own Safe sent the transaction, which needs eth_simulateV1".to_owned());
    }
    let program = program(front, sent, held).ok_or("its calls are too long for one eth_call")?;
    let mut codes: BTreeMap<Address, Value> =
        safes.into_iter().map(|safe| (safe, json!({ "code": digits(&HANDS_ON) }))).collect();
    codes.insert(sent.from, json!({ "code": digits(&program) }));
    Ok(json!([{ "from": sent.from, "to": sent.from }, format!("{number:#x}"), codes]))
}

/// What the program answered.
pub(super) fn outcome(front: &[Made], held: &Held, answer: &Value) -> Result<Outcome, String> {
    let words_all = words(front, held);
    let answered = bytes(answer).filter(|bytes| bytes.len() == 32 * words_all);
    let answered = answered.ok_or("eth_call: the operator did not run code in the place of an account's")?;
    let words: Vec<U256> = answered.chunks_exact(32).map(U256::from_be_slice).collect();
    let (in_front, rest) = words.split_at(2 * front.len());
    let ran = in_front.chunks_exact(2).map(|pair| Ran { done: !pair[0].is_zero(), answer: B256::from(pair[1]) });
    let (before, rest) = rest.split_at(held.reads().count());
    let (done, after) = rest.split_first().ok_or("eth_call: it answered too little")?;
    Ok(Outcome { front: ran.collect(), done: !done.is_zero(), lost: held.lost(before, after) })
}
