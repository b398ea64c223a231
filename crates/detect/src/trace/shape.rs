//! What a text holds: one trace or many, bare, in replies, in block files, or a line each.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use super::fault::{Places, TraceFault};
use super::fields::Fields;
use super::tree::CallTree;
use super::{geth, parity};
use crate::json::{Kind, Tape, Value};

/// Names under which files keep a transaction's hash.
const HASHES: &[&str] =
    &["txHash", "transactionHash", "transaction_hash", "tx_hash", "hash", "tx", "txhash", "txid", "transaction"];
/// Names under which files keep one trace or several.
const INSIDE: &[&str] = &["result", "trace", "traces", "callTrace", "call_trace", "callTracer", "call_tracer", "data"];

/// One transaction's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its hash, where the text tells it.
    pub tx: Option<B256>,
    /// Its calls.
    pub tree: CallTree,
}

/// All transactions in a text: one JSON value or several after each other, such as JSON lines. `sink` gets them in their order and may
/// stop the reading by an error of its own. One that cannot be read (which a node could not trace, say, or whose line is cut off) keeps none of the
/// others from being handed over.
///
/// # Errors
/// The first [`TraceFault`] with its place; everything else was handed over.
pub fn read_traces<E: From<TraceFault>>(text: &[u8], mut sink: impl FnMut(Traced) -> Result<(), E>) -> Result<(), E> {
    let places = &Places::of(text);
    if let Err(error) = std::str::from_utf8(text) {
        let (line, column) = places.at(error.valid_up_to());
        return Err(TraceFault::NotText { line, column }.into());
    }
    let mut from = if text.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    let (mut values, mut first) = (0_usize, None);
    loop {
        let (tape, end) = match Tape::read(text, from) {
            Ok(Some(read)) => read,
            Ok(None) => break,
            Err(fault) => {
                let (line, column) = places.at(fault.at);
                first.get_or_insert(TraceFault::Json { line, column, what: fault.what });
                match next_line(text, fault.at) {
                    Some(next) => from = next,
                    None => break,
                }
                continue;
            }
        };
        values += 1;
        let mut found = Found::default();
        collect(Fields { places }, tape.root(), &mut found);
        for one in found.traced {
            sink(one)?;
        }
        first = first.or(found.fault);
        from = end;
    }
    // A block without transactions is a value, too.
    match first.or_else(|| (values == 0).then_some(TraceFault::Empty)) {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

/// Where the next of JSON lines begins after a place: at the very start of its line, where inner values of a text written for people do not.
fn next_line(text: &[u8], after: usize) -> Option<usize> {
    let rest = text.get(after..)?;
    let begins = |pair: &[u8]| matches!(pair, [b'\n', b'{' | b'[']);
    Some(after + rest.windows(2).position(begins)? + 1)
}

/// What a value holds, and the first of it that cannot be read.
#[derive(Default)]
struct Found {
    traced: Vec<Traced>,
    fault: Option<TraceFault>,
}

impl Found {
    fn take(&mut self, tx: Option<B256>, tree: Result<CallTree, TraceFault>) {
        match tree {
            Ok(tree) => self.traced.push(Traced { tx, tree }),
            Err(fault) => drop(self.fault.get_or_insert(fault)),
        }
    }
}

/// What is still to look at, with the hash that stands around it.
type Waiting<'a> = Vec<(Value<'a>, Option<Box<B256>>)>;

fn collect<'a>(fields: Fields<'_>, root: Value<'a>, found: &mut Found) {
    let mut waiting: Waiting<'a> = vec![(root, None)];
    while let Some((value, around)) = waiting.pop() {
        let around = around.map(|hash| *hash);
        let read = match value.kind() {
            Kind::Array => array(fields, value, around, &mut waiting, found),
            Kind::Object => object(fields, value, around, &mut waiting, found),
            Kind::Null => Ok(()),
            Kind::Text => Err(fields.shape(value, "a text")),
            Kind::Number => Err(fields.shape(value, "a number")),
            Kind::True | Kind::False => Err(fields.shape(value, "true or false")),
        };
        if let Err(fault) = read {
            found.fault.get_or_insert(fault);
        }
    }
}

/// Lists and objects of a list, and the first of it that is neither: a fault is told once, and millions of numbers are not looked at one by one.
fn worth<'a, T>(items: impl Iterator<Item = (Value<'a>, T)>) -> impl Iterator<Item = (Value<'a>, T)> {
    let mut plain = false;
    items.filter(move |(item, _)| match item.kind() {
        Kind::Array | Kind::Object => true,
        Kind::Null => false,
        _ => !std::mem::replace(&mut plain, true),
    })
}

fn array<'a>(
    fields: Fields<'_>,
    list: Value<'a>,
    around: Option<B256>,
    waiting: &mut Waiting<'a>,
    found: &mut Found,
) -> Result<(), TraceFault> {
    if list.items().any(|item| item.kind() == Kind::Object && parity::is_row(item)) {
        return rows(fields, list, around, found);
    }
    let first = waiting.len();
    waiting.extend(worth(list.items().map(|item| (item, None))));
    waiting[first..].reverse();
    if let [(only, hash)] = &mut waiting[first..]
        && only.kind() == Kind::Object
    {
        *hash = around.map(Box::new);
    }
    Ok(())
}

/// Rows of one transaction or of many, told apart by their hash, and without one by where a new root begins.
fn rows(fields: Fields<'_>, list: Value<'_>, around: Option<B256>, found: &mut Found) -> Result<(), TraceFault> {
    let mut transactions: Vec<(Option<B256>, Vec<Value<'_>>)> = Vec::new();
    let mut known: BTreeMap<B256, usize> = BTreeMap::new();
    for row in list.items() {
        if row.kind() != Kind::Object {
            found.fault.get_or_insert_with(|| fields.shape(row, "a row that is no object"));
            continue;
        }
        if !parity::is_call(row) {
            continue;
        }
        let hash = parity::transaction(row).and_then(|value| fields.hash(value));
        let begins = || parity::address(fields, row).map(|address| address.is_some_and(|address| address.is_empty()));
        let at = match hash {
            Some(hash) => *known.entry(hash).or_insert(transactions.len()),
            None if transactions.is_empty() || begins()? => transactions.len(),
            None => transactions.len() - 1,
        };
        if at == transactions.len() {
            transactions.push((hash, Vec::new()));
        }
        transactions[at].1.push(row);
    }
    let only = transactions.len() == 1;
    for (hash, rows) in transactions {
        let tx = hash.or(around.filter(|_| only));
        found.take(tx, parity::tree(fields, &rows));
    }
    Ok(())
}

fn object<'a>(
    fields: Fields<'_>,
    value: Value<'a>,
    around: Option<B256>,
    waiting: &mut Waiting<'a>,
    found: &mut Found,
) -> Result<(), TraceFault> {
    let own = HASHES.iter().find_map(|name| fields.hash(value.get(name)?)).or(around);
    if geth::is_frame(value) {
        found.take(own, geth::tree(fields, value));
        return Ok(());
    }
    if parity::is_row(value) {
        if parity::is_call(value) {
            let tx = parity::transaction(value).and_then(|hash| fields.hash(hash)).or(own);
            found.take(tx, parity::tree(fields, &[value]));
        }
        return Ok(());
    }
    if let Some(list) = value.get("traces")
        && let Some(hashes) = block_hashes(fields, value)
    {
        return block(list, &hashes, waiting);
    }
    if let Some(inside) = value.any(INSIDE) {
        waiting.push((inside, own.map(Box::new)));
        return Ok(());
    }
    if let Some(error) = value.get("error") {
        let message = error.get("message").unwrap_or(error);
        let message = String::from_utf8_lossy(message.bytes()).chars().take(200).collect();
        let (line, column) = fields.places.at(error.at());
        return Err(TraceFault::Reply { line, column, message });
    }
    if value.members().any(|(name, value)| name == b"result" && value.kind() == Kind::Null) {
        return Err(fields.shape(value, "a reply without a result (the node does not know that transaction)"));
    }
    // Files keyed by transaction or block.
    let first = waiting.len();
    for (name, member) in value.members() {
        let looks = |kind| matches!(kind, Kind::Object | Kind::Array);
        let hash = std::str::from_utf8(name).ok().filter(|name| name.len() == 66).and_then(|name| name.parse().ok());
        let numbered = name.iter().all(u8::is_ascii_digit) && !name.is_empty();
        if looks(member.kind()) && (hash.is_some() || numbered) {
            waiting.push((member, hash.map(Box::new)));
        }
    }
    if waiting.len() == first {
        return Err(fields.shape(value, "an object without calls"));
    }
    waiting[first..].reverse();
    Ok(())
}

/// The hashes of a block's transactions, of an object that holds a block and its traces.
fn block_hashes(fields: Fields<'_>, value: Value<'_>) -> Option<Vec<Option<B256>>> {
    let transactions = value.get("block")?.get("transactions")?;
    let hash = |one: Value<'_>| fields.hash(one).or_else(|| fields.hash(one.get("hash")?));
    Some(transactions.items().map(hash).collect())
}

/// Traces of a block: those that name no transaction stand in the block's order.
fn block<'a>(list: Value<'a>, hashes: &[Option<B256>], waiting: &mut Waiting<'a>) -> Result<(), TraceFault> {
    let rows = list.items().any(|item| item.kind() == Kind::Object && parity::is_row(item));
    if rows || list.kind() != Kind::Array {
        waiting.push((list, None));
        return Ok(());
    }
    let first = waiting.len();
    let hashes = hashes.iter().map(|hash| hash.map(Box::new)).chain(std::iter::repeat_with(|| None));
    waiting.extend(worth(list.items().zip(hashes)));
    waiting[first..].reverse();
    Ok(())
}
