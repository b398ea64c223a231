//! A block's transactions as nodes list them: whole, or by their hashes.

use std::collections::BTreeSet;
use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use watchfire_types::Transaction;

/// The part of a block beside its header.
#[derive(Deserialize)]
pub(crate) struct Body {
    pub(crate) transactions: Listed,
}

/// All of one kind; a list without any counts as whole.
pub(crate) enum Listed {
    Whole(Vec<Whole>),
    Hashes(Vec<B256>),
}

/// What every type of transaction has. Fields that are not here are read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Whole {
    hash: B256,
    #[serde(default, rename = "type")]
    kind: Option<U64>,
    from: Address,
    #[serde(default)]
    to: Option<Address>,
    #[serde(default)]
    value: Option<U256>,
    #[serde(default)]
    input: Option<Bytes>,
    #[serde(default)]
    data: Option<Bytes>,
    #[serde(default)]
    chain_id: Option<U64>,
}

impl From<Whole> for Transaction {
    fn from(whole: Whole) -> Self {
        let kind = whole.kind.unwrap_or_default().to();
        let Whole { hash, from, to, value, input, data, .. } = whole;
        let (value, input) = (value.unwrap_or_default(), input.or(data).unwrap_or_default());
        Self { hash, kind, from, to, value, input: input.0, succeeded: None }
    }
}

/// What is sent goes by two names, and some nodes give both.
pub(super) fn same_data(input: Option<&Bytes>, data: Option<&Bytes>) -> Result<(), &'static str> {
    match (input, data) {
        (Some(input), Some(data)) if input != data => Err("its `input` and its `data` differ"),
        _ => Ok(()),
    }
}

/// One entry of the list.
enum One {
    Whole(Whole),
    Hash(B256),
}

struct OneVisitor;

impl<'de> Visitor<'de> for OneVisitor {
    type Value = One;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a transaction or its hash")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<One, E> {
        text.parse().map(One::Hash).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<One, A::Error> {
        let whole = Whole::deserialize(MapAccessDeserializer::new(members))?;
        match same_data(whole.input.as_ref(), whole.data.as_ref()) {
            Ok(()) => Ok(One::Whole(whole)),
            Err(fault) => Err(A::Error::custom(format!("transaction {}: {fault}", whole.hash))),
        }
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Listed;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of transactions, or of their hashes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listed, A::Error> {
        let (mut whole, mut hashes) = (Vec::new(), Vec::new());
        while let Some(one) = list.next_element()? {
            match one {
                One::Whole(one) => whole.push(one),
                One::Hash(hash) => hashes.push(hash),
            }
        }
        match (whole.is_empty(), hashes.is_empty()) {
            (_, true) => Ok(Listed::Whole(whole)),
            (true, false) => Ok(Listed::Hashes(hashes)),
            (false, false) => Err(A::Error::custom("some transactions are whole and some are hashes")),
        }
    }
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

impl Listed {
    pub(crate) fn hashes(&self) -> Vec<B256> {
        match self {
            Self::Whole(whole) => whole.iter().map(|transaction| transaction.hash).collect(),
            Self::Hashes(hashes) => hashes.clone(),
        }
    }

    /// Chains that they were signed for; old ones do not say.
    pub(super) fn chains(&self) -> BTreeSet<u64> {
        match self {
            Self::Whole(whole) => whole.iter().filter_map(|transaction| Some(transaction.chain_id?.to())).collect(),
            Self::Hashes(_) => BTreeSet::new(),
        }
    }

    /// The transactions, where they are given whole.
    pub(crate) fn whole(self) -> Vec<Transaction> {
        match self {
            Self::Whole(whole) => whole.into_iter().map(Transaction::from).collect(),
            Self::Hashes(_) => Vec::new(),
        }
    }
}
