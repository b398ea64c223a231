//! What a node answered, with or without the JSON-RPC reply around it, in one pass over its text.

use std::borrow::Cow;
use std::fmt;

use alloy::rpc::types::Header;
use serde::Deserialize as Derive;
use serde::de::value::{CowStrDeserializer, MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Listed;
use crate::receipt::{Hex, Receipt};
use crate::rpc::ErrorObject;

/// An answer, or the error that stands in its place.
pub(super) enum Answered<T> {
    Given(T),
    Refused(ErrorObject),
}

/// A block's header and its transactions.
pub(super) struct Block {
    pub(super) header: Header,
    pub(super) listed: Listed,
}

/// A block's receipts, in their order.
pub(super) type Receipts<'a> = Vec<Receipt<Hex<'a>>>;

#[derive(Derive)]
struct Reply<T> {
    #[serde(default = "Option::default")]
    result: Option<T>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

struct ReceiptsVisitor;

impl<'de> Visitor<'de> for ReceiptsVisitor {
    type Value = Answered<Receipts<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of receipts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Answered::Given)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        match Reply::deserialize(MapAccessDeserializer::new(members))? {
            Reply { result: Some(receipts), .. } => Ok(Answered::Given(receipts)),
            Reply { error: Some(error), .. } => Ok(Answered::Refused(error)),
            Reply { .. } => Err(A::Error::custom("neither a list of receipts nor a reply with one")),
        }
    }
}

/// A block's members as they come: the header's are handed on, what stands beside them is kept.
struct Members<'m, A> {
    all: A,
    listed: &'m mut Option<Listed>,
    result: &'m mut Option<Answered<Block>>,
    error: &'m mut Option<ErrorObject>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.all.next_key::<Cow<'de, str>>()? {
            match &*key {
                "transactions" => *self.listed = Some(self.all.next_value()?),
                "result" => *self.result = self.all.next_value::<Option<InReply>>()?.map(|answered| answered.0),
                "error" => *self.error = self.all.next_value()?,
                _ => return seed.deserialize(CowStrDeserializer::new(key)).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.all.next_value_seed(seed)
    }
}

struct BlockVisitor;

impl<'de> Visitor<'de> for BlockVisitor {
    type Value = Answered<Block>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a block")
    }

    fn visit_map<A: MapAccess<'de>>(self, all: A) -> Result<Self::Value, A::Error> {
        let (mut listed, mut result, mut error) = (None, None, None);
        let members = Members { all, listed: &mut listed, result: &mut result, error: &mut error };
        match (Header::deserialize(MapAccessDeserializer::new(members)), listed, result, error) {
            (Ok(header), Some(listed), ..) => Ok(Answered::Given(Block { header, listed })),
            (_, _, Some(result), _) => Ok(result),
            (_, _, None, Some(error)) => Ok(Answered::Refused(error)),
            (Ok(_), None, ..) => Err(A::Error::missing_field("transactions")),
            (Err(fault), ..) => Err(fault),
        }
    }
}

struct InReply(Answered<Block>);

impl<'de> Deserialize<'de> for InReply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BlockVisitor).map(Self)
    }
}

/// As member `block` of an entry.
pub(super) fn block<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Answered<Block>, D::Error> {
    deserializer.deserialize_map(BlockVisitor).map_err(|error| D::Error::custom(format!("`block`: {error}")))
}

/// As member `receipts` of an entry.
pub(super) fn receipts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Answered<Receipts<'de>>, D::Error> {
    deserializer.deserialize_any(ReceiptsVisitor).map_err(|error| D::Error::custom(format!("`receipts`: {error}")))
}
